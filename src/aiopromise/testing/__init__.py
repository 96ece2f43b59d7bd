"""For tests of code that makes promises: deferreds, `settle()`, and assertions on how a promise stands."""

import asyncio
import re
import weakref
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, final

from aiopromise._engine.queue import Queue
from aiopromise._engine.tasks import TASKS, name_of
from aiopromise._errors import close_refused, short
from aiopromise._promise import Promise
from aiopromise._timeout import MISSING

__all__ = [
    "Deferred",
    "DeferredFunction",
    "assert_cancelled",
    "assert_fulfilled",
    "assert_pending",
    "assert_rejected",
    "settle",
]

T = TypeVar("T")

_TURNS: Final = 1000

# Each would be the other's something to do.
_settling: Final[weakref.WeakSet[asyncio.AbstractEventLoop]] = weakref.WeakSet()


@final
class Deferred(Generic[T]):
    """A promise that ends when, and as, the test says; and the arguments of the call that it stands for.

    It is `Promise.with_resolvers()` for tests: a second call of ``resolve`` or ``reject``, or one after the promise
    was cancelled, is a mistake there, and not ignored.

    Raises:
        RuntimeError: no event loop is running.

    Example:
        >>> import asyncio
        >>> from aiopromise.testing import Deferred, settle
        >>> async def main():
        ...     answer = Deferred()
        ...     answer.promise.then(print)
        ...     await settle()
        ...     print("nothing yet")
        ...     answer.resolve(42)
        ...     await settle()
        >>> asyncio.run(main())
        nothing yet
        42
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the promise; the arguments are kept for the test to look at."""
        self.args = args
        self.kwargs = kwargs
        self.promise: Promise[T]
        self.promise, self._resolve, self._reject = Promise.with_resolvers()  # type: ignore[attr-defined]
        self._is_resolved = False

    def resolve(self, value: Any = None, /) -> None:
        """Fulfil the promise with *value*, or let it follow an awaitable.

        Raises:
            RuntimeError: it has been resolved, rejected or cancelled already.
        """
        self._decide("resolve", value)
        self._resolve(value)

    def reject(self, reason: BaseException, /) -> None:
        """Reject the promise with *reason*.

        Raises:
            TypeError: *reason* is not an exception instance.
            RuntimeError: it has been resolved, rejected or cancelled already.
        """
        self._decide("reject", reason)
        self._reject(reason)

    def _decide(self, call: str, argument: object) -> None:
        if self._is_resolved or self.promise.done():
            close_refused(argument)
            state = "is resolved" if self._is_resolved else "has ended"
            raise RuntimeError(f"{call}({short(argument)}) came too late: the deferred {state} already: {self!r}")
        self._is_resolved = call == "resolve" or isinstance(argument, BaseException)

    def __repr__(self) -> str:
        """Show the arguments, and how the promise stands."""
        words = [*map(short, self.args), *(f"{key}={short(value)}" for key, value in self.kwargs.items())]
        return f"<Deferred({', '.join(words)}) of {self.promise!r}>"


@final
class DeferredFunction(Generic[T]):
    """A stand-in for a function that gives a promise, each call of which ends when, and as, the test says.

    ``calls`` has a `Deferred` for each call, in order, with its ``args`` and ``kwargs``. Put it where the code under
    test expects a function that it awaits, and see how often, with what and how many at a time it is called.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import DeferredFunction, settle
        >>> async def main():
        ...     fetch = DeferredFunction()
        ...     pages = Promise.map(["a", "b", "c"], fetch, concurrency=2)
        ...     await settle()
        ...     print([call.args for call in fetch.calls])
        ...     fetch.calls[1].resolve("page b")
        ...     await settle()
        ...     print([call.args for call in fetch.calls])
        ...     pages.cancel()
        ...     await settle()
        ...     print([call.promise.cancelled() for call in fetch.calls])
        >>> asyncio.run(main())
        [('a',), ('b',)]
        [('a',), ('b',), ('c',)]
        [True, False, True]
    """

    def __init__(self, name: str = "deferred_function", /) -> None:
        """Make a function that has not been called."""
        # Reprs of promises, and the names of Tasks, show it.
        self.__name__ = name
        self.calls: list[Deferred[T]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Promise[T]:
        """Record the call, and return the promise of its deferred."""
        deferred: Deferred[T] = Deferred(*args, **kwargs)
        self.calls.append(deferred)
        return deferred.promise

    def __repr__(self) -> str:
        """Show how often it was called."""
        return f"<DeferredFunction {self.__name__} with {len(self.calls)} calls>"


async def settle(*, turns: int = _TURNS) -> None:
    """Let the running loop turn until nothing is left to do but to wait.

    All handlers that are due have run then, and every Task stands at an ``await`` that only time, another thread, a
    peer or the test itself can end. Nobody sleeps: timers that are due and I/O that is ready are served, but no
    other is waited for.

    Raises:
        RuntimeError: after so many *turns* there is still something to do, which is named; or another settle() runs.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import settle
        >>> async def double(number):
        ...     await asyncio.sleep(0)
        ...     return number * 2
        >>> async def main():
        ...     doubled = Promise.resolve(1).then(double).then(double)
        ...     await settle()
        ...     return doubled
        >>> asyncio.run(main())
        <Promise fulfilled 4>
    """
    loop = asyncio.get_running_loop()
    if loop in _settling:
        raise RuntimeError(
            "settle() was called while another settle() lets the same loop turn\n\nCall it once, in the test itself"
        )
    _settling.add(loop)
    idleness = _idleness_of(loop)
    quiet = 0
    try:
        for _ in range(turns):
            idleness.begin_turn()
            await asyncio.sleep(0)
            quiet = 0 if idleness.due() else quiet + 1
            # The turn after a quiet one has asked for I/O and timers that are ready by now.
            if quiet == 2:
                return
        names = ", ".join(dict.fromkeys(_describe(callback, args) for callback, args in idleness.due()))
    finally:
        idleness.close()
        _settling.discard(loop)
    raise RuntimeError(
        f"settle() has let the loop turn {turns} times, and there is still something to do: {names or 'I/O'}\n\n"
        "If it does end, write settle(turns=...) with more of them; if it polls, let it wait for an event instead"
    )


class _Ready:
    """What the loops of asyncio have to do: they keep it in a queue that can be looked at."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def begin_turn(self) -> None:
        """Start to watch; nothing to do."""

    def due(self) -> list[Any]:
        """Return what is to be called in the next turn, each with its arguments."""
        return [(handle._callback, handle._args) for handle in self._loop._ready if not handle.cancelled()]

    def close(self) -> None:
        """Stop to watch; nothing to do."""


class _Calls:
    """What any other loop has to do, uvloop for one: what it was asked to call soon since this turn began."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._calls: list[Any] = []
        # Tasks and futures ask the instance, so that nothing but this loop is changed, until close().
        loop.call_soon = self._call_soon

    def begin_turn(self) -> None:
        self._calls.clear()

    def due(self) -> list[Any]:
        # The first call is the one that goes on with settle() itself.
        return self._calls[1:]

    def close(self) -> None:
        vars(self._loop).pop("call_soon", None)

    def _call_soon(self, callback: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        self._calls.append((callback, args))
        return type(self._loop).call_soon(self._loop, callback, *args, **kwargs)


def _idleness_of(loop: asyncio.AbstractEventLoop) -> _Ready | _Calls:
    return _Ready(loop) if hasattr(loop, "_ready") else _Calls(loop)


def _describe(callback: Any, args: tuple[Any, ...]) -> str:
    if args and isinstance(args[0], Queue) and args[0].items:
        return repr(args[0].items[0])
    owner = getattr(callback, "__self__", None)
    return repr(owner) if isinstance(owner, TASKS) else name_of(callback)


# ------------------------------------------------------------------ assertions


def assert_pending(promise: Promise[Any], /) -> None:
    """Fail unless *promise* has not settled yet.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import assert_pending
        >>> async def main():
        ...     assert_pending(Promise(asyncio.sleep(0)))
        >>> asyncio.run(main())
    """
    _check("assert_pending", promise)
    if promise.done():
        raise _found("assert_pending", promise)


def assert_fulfilled(promise: Promise[T], value: Any = MISSING, /) -> T:
    """Fail unless *promise* is fulfilled, with *value* if that is given; return what it is fulfilled with.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import assert_fulfilled
        >>> async def main():
        ...     assert_fulfilled(Promise.resolve(42), 42)
        ...     assert "x" in assert_fulfilled(Promise.resolve("text"))
        >>> asyncio.run(main())
    """
    _check("assert_fulfilled", promise)
    if not promise.done() or promise.cancelled() or promise.exception() is not None:
        raise _found("assert_fulfilled", promise)
    actual: T = promise.result()
    if value is not MISSING and not (actual is value or actual == value):
        raise AssertionError(f"assert_fulfilled() expected {value!r}, and found {actual!r}")
    return actual


def assert_rejected(
    promise: Promise[Any],
    expected: type[BaseException] | tuple[type[BaseException], ...] = Exception,
    /,
    *,
    match: str | re.Pattern[str] | None = None,
) -> Any:
    """Fail unless *promise* is rejected with an exception of the *expected* type; return that, which is handled then.

    With *match* the regular expression has to be found in the exception's text.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import assert_rejected
        >>> async def main():
        ...     error = assert_rejected(Promise.reject(KeyError("name")), KeyError, match="name")
        ...     assert error.args == ("name",)
        >>> asyncio.run(main())
    """
    _check("assert_rejected", promise)
    if not promise.done() or promise.cancelled() or promise.exception() is None:
        raise _found("assert_rejected", promise)
    reason = promise.exception()
    if not isinstance(reason, expected):
        classes = expected if isinstance(expected, tuple) else (expected,)
        names = " or ".join(one.__name__ for one in classes)
        raise AssertionError(f"assert_rejected() expected {names}, and found {reason!r}") from reason
    if match is not None and re.search(match, str(reason)) is None:
        raise AssertionError(f"assert_rejected() expected {match!r} in {str(reason)!r}") from reason
    return reason


def assert_cancelled(promise: Promise[Any], /) -> None:
    """Fail unless *promise* has ended by cancellation.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import assert_cancelled, settle
        >>> async def main():
        ...     work = Promise(asyncio.sleep(3600))
        ...     work.cancel()
        ...     await settle()
        ...     assert_cancelled(work)
        >>> asyncio.run(main())
    """
    _check("assert_cancelled", promise)
    if not promise.cancelled():
        raise _found("assert_cancelled", promise)


def _check(call: str, promise: object) -> None:
    if not isinstance(promise, Promise):
        close_refused(promise)
        raise TypeError(f"{call}() needs a promise, got {short(promise)}")


def _found(call: str, promise: Promise[Any]) -> AssertionError:
    message = f"{call}() found {promise!r}"
    if not promise.done():
        message += "\n\nWrite `await settle()` before it, to let all run that can, or `await promise` to wait for it"
    error = AssertionError(message)
    if promise.done() and not promise.cancelled():
        error.__cause__ = promise.exception()
    return error
