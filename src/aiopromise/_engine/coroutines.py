"""Coroutines for any awaitable: never compiled, since asyncio and debuggers expect Python coroutines."""

import asyncio
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from types import AsyncGeneratorType, CoroutineType
from typing import Any, Final, TypeVar, cast, final

from aiopromise._engine.queue import Queue
from aiopromise._engine.tasks import FUTURES, TASKS, Outcome
from aiopromise._errors import is_coroutine, is_ours, traceback_of

__all__ = [
    "CoroutineWrapper",
    "ReadingCoroutine",
    "TapCoroutine",
    "as_cleanup",
    "as_coroutine",
    "give",
    "shown_as",
    "while_handling",
]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


def shown_as(name: str) -> Callable[[T], T]:
    """Make asyncio and debuggers show a library function or coroutine as *name*, the user's call."""

    def show(shown: T) -> T:
        cast(Any, shown).__qualname__ = name
        return shown

    return show


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _wait_for_future(future: "asyncio.Future[Any]") -> Any:
    """Wait for an instance of a user's Future class: a Task would hang if its methods fail."""
    return await follow_awaitable(future)


# Returns something to await in place of a future. Set by `_factories`, which can make a promise that follows it.
follow_awaitable: Callable[[Any], Awaitable[Any]] = _wait_for


def _no_thenable(_promise: Any, _value: Any, _context: Context | None) -> bool:
    return False


# Makes a promise follow a Thenable, and returns whether it was one. Set by `_thenable`.
follow_thenable: Callable[[Any, Any, Context | None], bool] = _no_thenable


def as_coroutine(awaitable: Any) -> Coroutine[Any, Any, Any]:
    """Return a coroutine, as a Task needs one, for any awaitable."""
    if type(awaitable) is CoroutineType or is_coroutine(awaitable):
        coroutine: Coroutine[Any, Any, Any] = awaitable
        return coroutine
    kind = type(awaitable)
    is_users_future = issubclass(kind, FUTURES) and kind not in (*FUTURES, *TASKS)
    waiting = _wait_for_future(awaitable) if is_users_future else _wait_for(awaitable)
    return shown_as(f"await {kind.__name__}")(waiting)


class CoroutineWrapper(Coroutine[Any, Any, T_co]):
    """A library coroutine that wraps user code, and presents that code to introspection."""

    __slots__ = ("_coroutine",)

    _coroutine: Coroutine[Any, Any, Any] | None

    def __getattr__(self, name: str) -> Any:
        # What asyncio, inspect and debuggers read of a coroutine: cr_frame, cr_code, cr_await, cr_running, ...
        if name.startswith("cr_") or name in {"__name__", "__qualname__"}:
            shown = self._shown()
            return getattr(shown, name if hasattr(shown, name) else name.replace("cr_", "ag_", 1))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def _shown(self) -> Any:
        shown: Any = self._coroutine
        while (frame := getattr(shown, "cr_frame", None)) is not None and is_ours(frame):
            within = shown.cr_await
            if not hasattr(within, "cr_frame"):
                break  # it does not wait for a coroutine
            shown = within
        return shown


@final
class ReadingCoroutine(CoroutineWrapper[None]):
    """A coroutine that reads an async iterator, and shows the current line of the user's generator."""

    __slots__ = ("_iterator", "close", "send", "throw")

    # Those of the coroutine itself, so that no frame of ours is between it and its Task.
    send: Callable[[Any], Any]
    throw: Callable[..., Any]
    close: Callable[[], None]

    def __init__(self, reading: Coroutine[Any, Any, None], iterator: AsyncIterator[Any]) -> None:
        self._coroutine: Coroutine[Any, Any, None] = reading
        self._iterator = iterator
        self.send, self.throw, self.close = reading.send, reading.throw, reading.close

    def __await__(self) -> Any:
        return self._coroutine.__await__()

    def _shown(self) -> Any:
        iterator = self._iterator
        if type(iterator) is AsyncGeneratorType and iterator.ag_frame is not None:
            return iterator
        return super()._shown()


@final
class TapCoroutine(CoroutineWrapper[Any]):
    """A handler's coroutine that ends with a given outcome, or that must start even if cancelled.

    An effect is awaited, and then the original outcome passes on. A cleanup starts even if its Task is cancelled
    before the first step:

        promise = work.finally_(close)
        promise.cancel()    <-- the Task of close() is made in a later iteration,
        promise.cancel()    <-- and is cancelled here: asyncio throws into the coroutine instead of starting it

    The queue keeps the async generators that it reads. The hook for that is set before each step, because a loop
    sets its own whenever it is run, and `asyncio.run()` runs it several times.
    """

    __slots__ = ("_must_begin", "_queue", "awaited", "outcome")

    def __init__(self, awaited: Any, outcome: Outcome | None = None) -> None:
        self._coroutine: Coroutine[Any, Any, Any] = as_coroutine(awaited)
        self.awaited = awaited
        self.outcome = outcome
        self._must_begin = False
        self._queue: Queue | None = None

    def send(self, value: Any, /) -> Any:
        self._must_begin = False
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        try:
            if self._must_begin and isinstance(error[0], CancelledError):
                return self._begin(*error)
            return self._step(self._coroutine.throw, *error)
        finally:
            del error  # breaks a reference cycle

    def _begin(self, *error: Any) -> Any:
        """Take the first step, although *error* came first."""
        task = asyncio.current_task()
        if task is None:
            self.send(None)
            return self.throw(*error)
        # The first step runs as in a Task that is not cancelled. The cancellations follow right after it, so that
        # the Task delivers them to whatever that step waits for.
        requests = task.cancelling() or 1
        while task.uncancel():
            pass
        first = self.send(None)
        for _ in range(requests):
            task.cancel(*error[0].args)
        return first

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def _step(self, step: Callable[..., Any], *arguments: Any) -> Any:
        outcome = self.outcome
        if self._queue is not None:
            self._queue.keep_generators()
        try:
            if outcome is None or outcome.fulfilled:
                return step(*arguments)
            return while_handling(outcome.value, step, *arguments)
        except StopIteration:
            if outcome is None:
                raise
        finally:
            del arguments  # breaks a reference cycle
        raise StopIteration(outcome)


def as_cleanup(awaitable: Awaitable[Any], queue: Queue) -> TapCoroutine:
    """Return a coroutine for *awaitable* that starts even if its Task is cancelled before the first step."""
    coroutine = awaitable if isinstance(awaitable, TapCoroutine) else TapCoroutine(awaitable)
    coroutine._must_begin = True
    coroutine._queue = queue
    return coroutine


# Not `error.__context__`, which a user's exception may refuse.
_context: Final[Any] = vars(BaseException)["__context__"]


def while_handling(reason: BaseException, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call *function* as in ``except``: if it raises, Python sets *reason* as the ``__context__``."""
    traceback = traceback_of(reason)
    try:
        raise reason
    except BaseException:
        try:
            return function(*arguments)
        except StopIteration:
            raise
        except BaseException as error:
            # An exception that a future throws in was raised elsewhere, with no exception being handled.
            if error is not reason and _context.__get__(error) is None:
                _context.__set__(error, reason)
            raise
    finally:
        BaseException.with_traceback(reason, traceback)
        del arguments  # breaks a reference cycle


def give(value: Any) -> Generator[Any, None, Any]:
    """Return an iterator from which `await` gets *value* without suspending."""
    return value
    yield  # type: ignore[unreachable]  # makes it a generator
