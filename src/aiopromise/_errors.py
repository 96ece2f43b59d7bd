"""What goes wrong when the library is called wrongly, and the sentence for it.

Every error starts with the call as it was typed, names the value, and says what to write instead.
"""

import asyncio
import reprlib
from collections.abc import Coroutine

__all__ = [
    "bad_reason",
    "close_refused",
    "foreign_loop",
    "needs_function",
    "needs_loop",
    "not_a_source",
    "short",
    "waits_for_itself",
]

_LONGEST = 80

_reprs = reprlib.Repr()
_reprs.maxstring = _reprs.maxother = _reprs.maxlong = _LONGEST


def short(value: object) -> str:
    """Return ``repr(value)``, cut at 80 characters, whatever the value's own repr does."""
    text = _reprs.repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def close_refused(value: object) -> None:
    """Close a coroutine that was handed in and will not be run, so that it does not warn."""
    if isinstance(value, Coroutine):
        value.close()


def needs_function(call: str, value: object) -> TypeError:
    """Return the error for a handler that cannot be called."""
    message = f"{call}() needs a function, got {short(value)}"
    if isinstance(value, Coroutine):
        name = getattr(value, "__name__", "work")
        message += f"\n\nYou wrote .{call}({name}(...)). Write .{call}({name}): it is called when its turn comes."
    close_refused(value)
    return TypeError(message)


def needs_loop(name: str, *arguments: object) -> RuntimeError:
    """Return the error for a promise made where no event loop runs; coroutines handed in are closed."""
    call = f"{name}({', '.join(map(short, arguments))})"
    for argument in arguments:
        close_refused(argument)
    return RuntimeError(
        f"{call} needs a running event loop\n\n"
        f"You wrote {call} outside of a coroutine. Write:\n\n"
        "    async def main():\n"
        f"        promise = {call}\n"
        "        ...\n\n"
        "    asyncio.run(main())"
    )


def not_a_source(value: object) -> TypeError:
    """Return the error for what `Promise()` can make no promise of."""
    message = f"Promise() needs an awaitable or an executor, got {short(value)}"
    return TypeError(f"{message}\n\nFor a value that is there already write Promise.resolve({short(value)})")


def bad_reason(call: str, reason: object) -> TypeError:
    """Return the error for a reason that cannot be raised."""
    message = f"{call}() needs an exception, got {short(reason)}"
    if isinstance(reason, type) and issubclass(reason, BaseException):
        return TypeError(f"{message}\n\nYou wrote the class. Write an instance: {call}({reason.__name__}(...))")
    return TypeError(f"{message}\n\nWrite {call}(ValueError({short(reason)})) or an exception of your own")


def waits_for_itself(promise: object) -> TypeError:
    """Return the reason of a promise that was told to follow itself."""
    return TypeError(f"a promise cannot follow itself: {promise!r}")


def foreign_loop(value: object, loop: asyncio.AbstractEventLoop) -> RuntimeError:
    """Return the reason for what is pending on one loop and is wanted on another."""
    return RuntimeError(f"{short(value)} belongs to another event loop than {loop!r}")
