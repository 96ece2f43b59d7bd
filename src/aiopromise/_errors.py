"""Checks of what users pass, and the errors for misuse: the call as it was typed, the value, and what to write instead.

Also what these need to look at values, exceptions and frames without running a user's code.
"""

import asyncio
import math
import operator
import reprlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from inspect import CO_COROUTINE
from types import BuiltinFunctionType, FrameType, FunctionType, MethodType, TracebackType
from typing import Any, Final, TypeGuard, cast

__all__ = [
    "add_note",
    "args_of",
    "as_written",
    "bad_reason",
    "call_of",
    "check_callback",
    "check_count",
    "check_result",
    "check_seconds",
    "close_items",
    "close_refused",
    "closed_loop",
    "foreign_loop",
    "is_async",
    "is_coroutine",
    "is_iterable",
    "is_ours",
    "needs_function",
    "needs_loop",
    "not_a_future",
    "not_a_source",
    "not_a_task",
    "resolves_with_itself",
    "short",
    "text_of",
    "traceback_of",
    "waits_for_itself",
]

_LONGEST = 80

# Types whose items exist already, so that iterating them runs no user code: containers, their views and
# iterators. A tuple has no reverse iterator of its own, only the one that any user's sequence may have.
_REVERSIBLE: tuple[Any, ...] = ([], {}, {}.keys(), {}.values(), {}.items(), deque())
_CONTAINERS: tuple[Any, ...] = ((), set(), frozenset(), *_REVERSIBLE)
_AT_HAND: Final[tuple[type, ...]] = tuple(
    {type(kind) for kind in (*_CONTAINERS, *map(iter, _CONTAINERS), *map(reversed, _REVERSIBLE))}
)

_PACKAGE: Final = __name__.rpartition(".")[0]
_PREFIX: Final = f"{_PACKAGE}."


class _Reprs(reprlib.Repr):
    """Reprs of up to 80 characters."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _LONGEST


class _Written(_Reprs):
    """The same, but what has a name in the user's program is shown by that, also within a container."""

    def repr1(self, x: Any, level: int) -> str:
        if is_coroutine(x):
            name = getattr(x, "__name__", None)
            return super().repr1(x, level) if name is None else f"{name}(...)"
        if issubclass(type(x), type | FunctionType | BuiltinFunctionType | MethodType):
            return "lambda ..." if x.__name__ == "<lambda>" else f"{x.__name__}"
        return super().repr1(x, level)


_reprs = _Reprs()
_written = _Written()


def is_ours(frame: FrameType) -> bool:
    """Return whether *frame* is the library's, not a user's: by its module, as a frozen one has no file."""
    module = frame.f_globals.get("__name__")
    return isinstance(module, str) and (module == _PACKAGE or module.startswith(_PREFIX))


def short(value: object) -> str:
    """Return ``repr(value)``, cut at 80 characters, whatever the value's own repr does."""
    return _cut(value, _reprs)


def as_written(value: object) -> str:
    """Return *value* as a user would write it: like `short()`, but ``fetch(...)`` for a coroutine, and plain names."""
    return _cut(value, _written)


def _cut(value: object, reprs: _Reprs) -> str:
    # A user's repr may be long, never end, or fail, and an error about that would hide the one to report.
    try:
        text = reprs.repr(value)
    except Exception:
        text = f"<{type(value).__name__} object without a repr>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def text_of(error: BaseException) -> str:
    """Return ``str(error)``, or an empty string if that fails."""
    try:
        return str(error)
    except Exception:
        return ""


# Not `error.args` and `error.__traceback__`, which the exception's class may override.
args_of: Final[Callable[[BaseException], tuple[Any, ...]]] = BaseException.__dict__["args"].__get__
traceback_of: Final[Callable[[BaseException], TracebackType | None]] = BaseException.__dict__["__traceback__"].__get__


def add_note(error: BaseException, note: str) -> None:
    """Add *note* to *error*, once, if it accepts notes."""
    try:
        if note not in getattr(error, "__notes__", ()):
            # Not error.add_note(), which a user's class may have overridden.
            BaseException.add_note(error, note)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        pass


def is_coroutine(value: object) -> TypeGuard[Coroutine[Any, Any, Any]]:
    """Return whether *value* is a coroutine, by type alone, as a proxy's `__class__` may raise."""
    try:
        return issubclass(type(value), Coroutine)
    except Exception:
        return False  # a metaclass may fail as well


def close_refused(*values: object) -> None:
    """Close each of *values* that is a coroutine: it will not be run, and should not warn."""
    for value in values:
        if is_coroutine(value):
            value.close()


def close_items(items: object) -> None:
    """Close the coroutines in *items*, which will not be used; a lazy iterable is not touched.

    There may be millions of them, mostly of one class, which is checked once.
    """
    if not issubclass(type(items), _AT_HAND):
        return
    kind: type = object
    closes = False
    for item in cast(Iterable[object], items):
        if type(item) is not kind:
            kind, closes = type(item), is_coroutine(item)
        if closes:
            close_refused(item)


def is_async(function: Any) -> bool:
    """Return whether *function* is an ``async def``; one that is only marked so, as by `promisify()`, is not."""
    while type(function) is partial:
        function = function.func
    for call in (function, getattr(type(function), "__call__", None)):  # noqa: B004  # that of the class
        plain = call.__func__ if type(call) is MethodType else call
        if type(plain) is FunctionType and plain.__code__.co_flags & CO_COROUTINE:
            return True
    return False


def check_callback(call: str, callback: object) -> None:
    """Raise unless *callback* is a function whose result need not be awaited."""
    if type(callback) is FunctionType and not callback.__code__.co_flags & CO_COROUTINE:
        return
    if not callable(callback):
        raise needs_function(call, 0, callback)
    if is_async(callback):
        raise TypeError(f"{_name(call)} needs a plain function, got the coroutine function {short(callback)}")


def check_result(call: str, callback: object, result: object) -> None:
    """Close *result* and raise if it is a coroutine, which would never be awaited."""
    if is_coroutine(result):
        result.close()
        raise TypeError(f"{_name(call)} needs a plain function, got {short(callback)}, which returned a coroutine")


def needs_function(call: str, place: int, /, *arguments: object, **named: object) -> TypeError:
    """Return the error for a call whose argument at *place* is not callable; close all that were passed."""
    value = arguments[place]
    message = f"{_name(call)} needs a function, got {short(value)}"
    if is_coroutine(value):
        name = getattr(value, "__name__", "work")
        words = _words(arguments, named)
        wrote, write = (_with(call, [*words[:place], word, *words[place + 1 :]]) for word in (f"{name}(...)", name))
        message += f"\n\nYou wrote {wrote}. Write {write}: it will be called when it is due."
    close_refused(*arguments, *named.values())
    return TypeError(message)


def _name(call: str) -> str:
    """Return the name of the method, or of its argument, as the start of a sentence."""
    name = call.removeprefix(".")
    return name if name.endswith(")") else f"{name}()"


def call_of(name: str, /, *arguments: object, **named: object) -> str:
    """Return a call as a user would write it."""
    return _with(name, _words(arguments, named))


def _words(arguments: tuple[object, ...], named: dict[str, object]) -> list[str]:
    """Return the arguments of a call as a user would write them."""
    return [*map(as_written, arguments), *(f"{key}={as_written(value)}" for key, value in named.items())]


def _with(call: str, words: list[str]) -> str:
    """Return *call* as a user would write it: ``Promise.map(on_progress=`` takes an argument, too."""
    start = call[:-1] if call.endswith("=)") else f"{call}("
    return f"{start}{', '.join(words)})"


def check_seconds(call: str, seconds: object) -> None:
    """Raise unless *seconds* is a number, and not NaN."""
    if not isinstance(seconds, int | float):
        close_refused(seconds)
        raise TypeError(f"{call}() needs a number of seconds, got {short(seconds)}")
    if math.isnan(seconds):
        raise ValueError(f"{call}() needs a number of seconds, got nan")


def check_count(call: str, name: str, count: Any) -> int:
    """Return *count* as an `int`, or raise unless it is an integer (anything with `__index__`) and at least 1."""
    try:
        number = None if isinstance(count, bool) else operator.index(count)
    except TypeError:
        number = None
    if number is None:
        close_refused(count)
        raise TypeError(f"{call}() needs an integer for {name}, got {short(count)}")
    if number < 1:
        raise ValueError(f"{call}() needs {name} >= 1, got {number}")
    return number


def is_iterable(items: Any) -> bool:
    """Return whether *items* can be iterated."""
    return isinstance(items, Iterable) or hasattr(type(items), "__getitem__")


def needs_loop(name: str, /, *arguments: object, **named: object) -> RuntimeError:
    """Return the error for a promise made without a running event loop; close the coroutines passed in."""
    call = call_of(name, *arguments, **named)
    close_refused(*arguments, *named.values())
    return RuntimeError(
        f"{call} needs a running event loop\n\n"
        f"You wrote {call} outside a coroutine. Write:\n\n"
        "    async def main():\n"
        f"        promise = {call}\n"
        "        ...\n\n"
        "    asyncio.run(main())"
    )


def needs_running_loop(name: str, /, *arguments: object) -> RuntimeError:
    """Return the error for a call that is about the running event loop, where there is none."""
    call = call_of(name, *arguments)
    return RuntimeError(
        f"{call} needs a running event loop, whose promises it is about\n\n"
        f"You wrote {call} outside a coroutine. Write it in the one that is passed to asyncio.run()"
    )


def not_a_source(value: object) -> TypeError:
    """Return the error for a value that `Promise()` cannot wrap."""
    message = f"Promise() needs an awaitable or an executor, got {short(value)}"
    return TypeError(f"{message}\n\nFor a value you already have, write Promise.resolve({short(value)})")


def not_a_task(value: object) -> TypeError:
    """Return the error for a task factory that returns something else."""
    return TypeError(f"the task factory of the loop must return a Task, got {short(value)}")


def not_a_future(value: object) -> TypeError:
    """Return the error for an executor that returns something else; close that if it is a coroutine."""
    message = f"submit() of an executor must return a concurrent.futures.Future, got {short(value)}"
    close_refused(value)
    return TypeError(message)


def bad_reason(call: str, reason: object) -> TypeError:
    """Return the error for a reason that cannot be raised."""
    message = f"{call}() needs an exception, got {short(reason)}"
    close_refused(reason)
    if isinstance(reason, type) and issubclass(reason, BaseException):
        return TypeError(f"{message}\n\nYou wrote the class. Write an instance: {call}({reason.__name__}(...))")
    return TypeError(f"{message}\n\nWrite {call}(ValueError({short(reason)})), or use your own exception class")


def waits_for_itself(promise: object) -> TypeError:
    """Return the reason of a promise that would follow itself."""
    return TypeError(f"a promise cannot follow itself: {promise!r}")


def resolves_with_itself(thenable: object) -> TypeError:
    """Return the reason of a promise whose thenable resolved to itself, directly or through others."""
    return TypeError(f"a thenable cannot resolve to itself: {short(thenable)}")


def foreign_loop(value: object, loop: asyncio.AbstractEventLoop) -> RuntimeError:
    """Return the reason for following something that is pending on another loop."""
    return RuntimeError(f"{short(value)} belongs to a different event loop from {loop!r}")


def closed_loop(call: str, promise: object) -> RuntimeError:
    """Return the error for a reaction to a settled *promise* that its closed loop can no longer run."""
    return RuntimeError(
        f"{call}() was called after the loop of {promise!r} was closed\n\n"
        f"It can still be awaited and followed. On another running loop, write Promise(promise).{call}(...)"
    )
