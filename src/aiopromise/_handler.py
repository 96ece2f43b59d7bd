"""Handlers: what may be one, what it is called, and what becomes of what it returns.

"Sync or async?" is asked here, of the value that a handler returned and never of the handler itself, so that
partials, bound methods, builtins and callable objects are all alike.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from inspect import CO_ITERABLE_COROUTINE
from types import CoroutineType, FunctionType, GeneratorType, TracebackType
from typing import Any, final

from aiopromise._errors import close_refused, is_coroutine, needs_function, not_a_task, short

__all__ = [
    "Effect",
    "Exactly",
    "FinalEffect",
    "Spread",
    "as_coroutine",
    "checked",
    "is_awaitable",
    "name_of",
    "new_task",
    "start",
]

Handler = Callable[..., Any]

if sys.version_info >= (3, 12):
    _new_task = partial(asyncio.Task, eager_start=True)
else:
    _new_task = asyncio.Task


def is_awaitable(value: Any) -> bool:
    """Tell whether ``await value`` is possible."""
    for kind in type(value).__mro__:
        # Neither hasattr() nor isinstance(), which ask the value's own code and may fail.
        if "__await__" in kind.__dict__:
            return kind.__dict__["__await__"] is not None
    return type(value) is GeneratorType and bool(value.gi_code.co_flags & CO_ITERABLE_COROUTINE)


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def as_coroutine(awaitable: Any) -> Coroutine[Any, Any, Any]:
    """Return a coroutine, as a Task needs one, for any awaitable."""
    if type(awaitable) is CoroutineType or is_coroutine(awaitable):
        coroutine: Coroutine[Any, Any, Any] = awaitable
        return coroutine
    return _wait_for(awaitable)


def new_task(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
    """Return what the task factory of *loop* makes of *coroutine*."""
    task = loop.create_task(coroutine)
    if not asyncio.isfuture(task):
        raise not_a_task(task)
    try:
        return task
    finally:
        del task  # this frame is seen from the traceback of what an eager Task has raised


def start(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], name: str, context: Context
) -> asyncio.Future[Any]:
    """Start the Task of a handler that is a coroutine.

    It begins at once where Python can do that. Not within ``context.run()``, though: an eager Task enters its
    context itself, and cannot enter one that is entered already. A task factory need not know of contexts, so it
    is called in this one; the Task then copies it.
    """
    if loop.get_task_factory() is not None:
        task = context.run(new_task, loop, coroutine)
        if isinstance(task, asyncio.Task):
            task.set_name(name)
        try:
            return task
        finally:
            del task  # this frame is seen from the traceback of what an eager Task has raised
    return _new_task(coroutine, loop=loop, name=name, context=context)


def name_of(handler: object) -> str:
    """Return the name by which a reader knows *handler*: Tasks and reprs bear it."""
    if type(handler) is FunctionType:
        return handler.__name__
    while isinstance(handler, partial):
        handler = handler.func
    try:
        owner = getattr(handler, "__self__", handler)
        name = getattr(handler, "__name__", None)
    except Exception:
        owner = name = None
    if isinstance(owner, Effect | Spread):
        return name_of(owner.handler)
    return name if isinstance(name, str) else type(handler).__name__


@final
class Exactly:
    """What a handler of the library returns to settle a promise just so: nothing in it is followed."""

    __slots__ = ("fulfilled", "value")

    def __init__(self, fulfilled: bool, value: Any) -> None:
        self.fulfilled = fulfilled
        self.value = value


@final
class Spread:
    """A handler that is called with the elements of the value as its arguments."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, value: Any) -> Any:
        return self.handler(*value)


@final
class Keeping(Coroutine[Any, Any, Exactly]):
    """The coroutine that awaits what an effect returned: ended before its first step, it closes that too."""

    __slots__ = ("_coroutine", "_result")

    def __init__(self, coroutine: Coroutine[Any, Any, Exactly], result: object) -> None:
        self._coroutine = coroutine
        self._result = result

    def send(self, value: Any, /) -> Any:
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        try:
            return self._coroutine.throw(*error)
        except BaseException:
            close_refused(self._result)
            raise

    def close(self) -> None:
        self._coroutine.close()
        close_refused(self._result)

    def __await__(self) -> Any:
        return self._coroutine.__await__()


class Effect:
    """A handler that is called, and awaited, for its effect: the outcome that came goes on as it came."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def on_fulfilled(self, value: Any) -> Any:
        result = self._call(value)
        if is_awaitable(result):
            return Keeping(self._await_and_keep(result, Exactly(True, value)), result)
        return Exactly(True, value)

    def on_rejected(self, reason: BaseException) -> Any:
        traceback = reason.__traceback__
        try:
            # Raised here, so that Python makes it the __context__ of what the handler itself may raise.
            raise reason
        except BaseException:
            result = self._call(reason)
        finally:
            reason.with_traceback(traceback)
        if is_awaitable(result):
            return Keeping(self._await_and_keep_reason(result, reason, traceback), result)
        return Exactly(False, reason)

    def _call(self, outcome: Any) -> Any:
        return self.handler(outcome)

    async def _await_and_keep(self, result: Awaitable[Any], outcome: Exactly) -> Exactly:
        await result
        return outcome

    async def _await_and_keep_reason(
        self, result: Awaitable[Any], reason: BaseException, traceback: TracebackType | None
    ) -> Exactly:
        try:
            raise reason
        except BaseException:
            await result
        finally:
            reason.with_traceback(traceback)
        return Exactly(False, reason)


@final
class FinalEffect(Effect):
    """An effect that is not told of the outcome."""

    __slots__ = ()

    def _call(self, outcome: Any) -> Any:
        return self.handler()


def checked(call: str, arguments: tuple[Any, ...]) -> tuple[Any, Handler]:
    """Return the exception types and the handler that `catch()` and its kin were given."""
    types, handler = (Exception, *arguments)[-2:] if arguments else (Exception, None)
    if not 1 <= len(arguments) <= 2:
        message = f"{call}() takes a handler, or exception types and a handler, got {len(arguments)} arguments"
    elif len(arguments) == 1 and _are_exceptions(handler):
        name = handler.__name__ if isinstance(handler, type) else short(handler)
        message = f"{call}({name}) has no handler\n\nYou wrote .{call}({name}). Write .{call}({name}, on_rejected)"
    elif not _are_exceptions(types):
        message = f"{call}() needs exception classes first, got {short(types)}"
    elif not callable(handler):
        raise needs_function(f".{call}", handler)
    else:
        return types, handler
    for refused in arguments:
        close_refused(refused)
    raise TypeError(message)


def _are_exceptions(types: Any) -> bool:
    classes = types if isinstance(types, tuple) else (types,)
    return all(isinstance(one, type) and issubclass(one, BaseException) for one in classes)
