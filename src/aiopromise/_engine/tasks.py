"""Handler results: an awaitable one is run as a Task named after the handler.

"Sync or async?" is decided here, from the value that a handler returned and never from the handler, so that
partials, bound methods, builtins and callable objects all work alike.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from inspect import CO_ITERABLE_COROUTINE, getattr_static
from types import FunctionType, GeneratorType, GetSetDescriptorType, MethodType
from typing import Any, Final

from aiopromise._engine.apart import apart
from aiopromise._errors import not_a_task, short

__all__ = [
    "FUTURES",
    "GATHERING",
    "TASKS",
    "Handler",
    "Outcome",
    "Wrapper",
    "cancel_requested",
    "is_awaitable",
    "name_of",
    "new_task",
    "start",
    "unwrapped",
]

Handler = Callable[..., Any]


def _every(module: Any, name: str) -> tuple[type[Any], ...]:
    kinds = (getattr(module, name), getattr(module, f"_Py{name}", None), getattr(_in_c, name, None))
    return tuple(dict.fromkeys(kind for kind in kinds if kind is not None))


_in_c: Final = sys.modules.get("_asyncio")

# For isinstance(): asyncio has each class in C and in Python, and nest_asyncio switches from one to the other after
# some instances have been made.
FUTURES: Final[tuple[type[asyncio.Future[Any]], ...]] = _every(asyncio.futures, "Future")
TASKS: Final[tuple[type[asyncio.Task[Any]], ...]] = _every(asyncio.tasks, "Task")

_HAS_EAGER_TASKS: Final = sys.version_info >= (3, 12)

# What `asyncio.gather()` returns: the one Future that shows what it waits for.
GATHERING: Final = asyncio.tasks._GatheringFuture  # type: ignore[attr-defined]


class Wrapper:
    """A library handler that wraps a user's handler, and is shown under its name."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler


class Outcome:
    """Returned by a library handler to settle a promise as is, without following the value."""

    __slots__ = ("fulfilled", "value")

    def __init__(self, fulfilled: bool, value: Any) -> None:
        self.fulfilled = fulfilled
        self.value = value

    def __repr__(self) -> str:
        # asyncio shows the result of a Task.
        return f"<{'fulfilled' if self.fulfilled else 'rejected'} {short(self.value)}>"


def is_awaitable(value: Any) -> bool:
    """Return whether ``await value`` is possible."""
    kind = type(value)
    # The most common values; told by identity, as in Core._react().
    if value is None or kind is str or kind is int or kind is list or kind is dict or kind is bool:
        return False
    for kind in type(value).__mro__:
        # Not hasattr() or isinstance(), which run the value's own code and may raise.
        if "__await__" in kind.__dict__:
            return kind.__dict__["__await__"] is not None
    return type(value) is GeneratorType and bool(value.gi_code.co_flags & CO_ITERABLE_COROUTINE)


def new_task(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
    """Return a Task from the loop's task factory; tracebacks from that do not reach the caller's frames."""
    eager = loop.get_task_factory() is not None  # it may be, at least
    task: asyncio.Future[Any] = apart(loop.create_task, coroutine) if eager else loop.create_task(coroutine)
    if not (isinstance(task, TASKS) or asyncio.isfuture(task)):
        raise not_a_task(task)
    return task


def start(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], name: str, context: Context
) -> asyncio.Future[Any]:
    """Start the Task of a handler that is a coroutine.

    It starts eagerly if Python supports that, but not within ``context.run()``: an eager Task enters its context
    itself, which fails if it is already entered. A task factory may not support contexts, so it is called in this
    one, which the Task then copies.
    """
    if loop.get_task_factory() is not None:
        # An eager factory enters a copy of this context, since the Task has its own.
        task: asyncio.Future[Any] = context.run(loop.create_task, coroutine)
        if isinstance(task, TASKS):
            task.set_name(name)
        elif not asyncio.isfuture(task):
            raise not_a_task(task)
        try:
            return task
        finally:
            del task  # breaks a reference cycle
    new: Callable[..., asyncio.Future[Any]] = asyncio.Task
    if _HAS_EAGER_TASKS:
        return new(coroutine, loop=loop, name=name, context=context, eager_start=True)
    return new(coroutine, loop=loop, name=name, context=context)


def cancel_requested(future: "asyncio.Future[Any] | None") -> bool:
    """Return whether *future* is a Task whose `cancel()` was ever called."""
    # Not whether it *is* ending: many programs absorb a cancellation without calling uncancel().
    return isinstance(future, TASKS) and future.cancelling() > 0


def unwrapped(handler: object) -> Any:
    """Return the user's handler that *handler*, maybe one of the library's, calls."""
    function: Any = handler
    while True:
        if type(function) is MethodType and issubclass(type(function.__self__), Wrapper):
            function = function.__self__
        elif issubclass(type(function), Wrapper):
            function = function.handler
        else:
            return function


def name_of(handler: object) -> str:
    """Return the display name of *handler* for Tasks and reprs, without running its code."""
    function: Any = handler
    while type(function) is not FunctionType:
        function = unwrapped(function)
        kind = type(function)
        if kind is MethodType:
            function = function.__func__
        elif issubclass(kind, partial):
            function = function.func
        elif kind is not FunctionType:
            return _static_name(function) or kind.__name__
    name: str = function.__name__
    return name


def _static_name(function: object) -> str | None:
    """Return the ``__name__`` of a class, a builtin, or an object on which a decorator set one."""
    try:
        name = getattr_static(function, "__name__", None)
        if type(name) is GetSetDescriptorType:
            name = name.__get__(function)
    except Exception:
        return None
    return name if type(name) is str else None
