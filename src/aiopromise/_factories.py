"""Promises made from any value, awaitable or function."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from aiopromise._engine import coroutines
from aiopromise._engine.core import fulfil_or_follow, reject_raised, settle, start_or_follow
from aiopromise._engine.core import reject as reject_promise
from aiopromise._engine.state_codes import FULFILLED
from aiopromise._engine.tasks import is_awaitable
from aiopromise._errors import bad_reason, check_seconds, close_refused, needs_function, short
from aiopromise._loops import is_promise, new_promise
from aiopromise._resolvers import Resolvers, resolvers_of

if TYPE_CHECKING:
    from aiopromise._promise import Promise

__all__ = ["attempt", "delay", "reject", "resolve", "try_", "with_resolvers"]

# What the constructor of a named tuple calls, which is a function in Python.
_new_tuple: Final = tuple.__new__


def resolve(value: Any = None, /) -> "Promise[Any]":
    """Return a promise for *value*: a promise is returned as is, an awaitable is followed.

    Any other value fulfils it (ECMA-262 27.2.4.7).

    Raises:
        RuntimeError: no event loop is running; a coroutine passed in is closed.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.resolve(5), await Promise.resolve(asyncio.sleep(0, 6))
        >>> asyncio.run(main())
        (5, 6)
    """
    # By its class, as ECMA-262 checks the constructor: a promise of another copy of the library is followed.
    if is_promise(value):
        same: Promise[Any] = value
        return same
    promise: Promise[Any] = new_promise("Promise.resolve", (value,))
    fulfil_or_follow(promise, value)
    return promise


def reject(reason: BaseException, /) -> "Promise[Any]":
    """Return a promise that is rejected with *reason*, or cancelled if it is an `asyncio.CancelledError`.

    Raises:
        TypeError: *reason* is not an exception instance.
        RuntimeError: no event loop is running.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.reject(ValueError("no")).catch(repr)
        >>> asyncio.run(main())
        "ValueError('no')"
    """
    if not issubclass(type(reason), BaseException):
        raise bad_reason("Promise.reject", reason)
    promise: Promise[Any] = new_promise("Promise.reject", (reason,))
    reject_promise(promise, reason)
    return promise


def try_(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Promise[Any]":
    """Call *fn* immediately; return a promise for its result, or rejected with what it raises.

    If it returns an awaitable, that is followed, so *fn* may be sync or async (ECMA-262 27.2.4.8, `Promise.try`).

    Raises:
        TypeError: *fn* is not a function.
        RuntimeError: no event loop is running; *fn* was not called.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.try_(int, "2a", base=16)
        >>> asyncio.run(main())
        42
    """
    if not callable(fn):
        raise needs_function("Promise.try_", 0, fn, *args, **kwargs)
    return attempt(new_promise("Promise.try_", (fn, *args), kwargs), fn, args, kwargs)


def attempt(
    promise: "Promise[Any]", fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> "Promise[Any]":
    """Call *fn*, settle the new *promise* with the outcome, and return the promise."""
    # Called directly, not from the loop: KeyboardInterrupt and SystemExit propagate, as from fn() itself.
    try:
        value = fn(*args, **kwargs)
        follows = is_awaitable(value)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        reject_raised(promise, error)
    else:
        if follows:
            start_or_follow(promise, value)
        else:
            settle(promise, FULFILLED, value)
    try:
        return promise
    finally:
        del promise  # breaks a reference cycle


def with_resolvers() -> Resolvers:
    """Return a pending promise and the two functions that settle it, as a named tuple (ECMA-262 27.2.4.9).

    The fields are ``promise``, ``resolve`` and ``reject``. Both functions may be called from any thread.

    Raises:
        RuntimeError: no event loop is running.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     promise, resolve, reject = Promise.with_resolvers()
        ...     asyncio.get_running_loop().call_soon(resolve, "called back")
        ...     return await promise
        >>> asyncio.run(main())
        'called back'
    """
    promise: Promise[Any] = new_promise("Promise.with_resolvers")
    promise._queue.watch(promise)
    resolve, reject = resolvers_of(promise)
    return _new_tuple(Resolvers, (promise, resolve, reject))


def delay(seconds: float, value: Any = None) -> "Promise[Any]":
    """Return a promise that is fulfilled with *value* after *seconds*.

    Raises:
        TypeError: *seconds* is not a number, or *value* is an awaitable, which would never be awaited (a coroutine
            is closed).
        ValueError: *seconds* is NaN.
        RuntimeError: no event loop is running.

    Cancellation:
        Cancels the wait and its timer.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.delay(0.01, "tick")
        >>> asyncio.run(main())
        'tick'
    """
    if is_awaitable(value):
        close_refused(value)
        raise TypeError(
            f"Promise.delay() needs a plain value, got {short(value)}\n\n"
            "To start something later, write Promise.delay(seconds).then(lambda _: work())"
        )
    check_seconds("Promise.delay", seconds)
    promise: Promise[Any] = new_promise("Promise.delay", (seconds,) if value is None else (seconds, value))
    start_or_follow(promise, asyncio.sleep(seconds, value))
    return promise


coroutines.follow_awaitable = resolve
