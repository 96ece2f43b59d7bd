"""Ways in: any value, awaitable, function or thenable made a promise."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, final

from aiopromise._engine import coroutines
from aiopromise._engine.core import resolve_with
from aiopromise._engine.settle import broke_off, fail, raised, settle, stops
from aiopromise._engine.state import FULFILLED, Tie
from aiopromise._engine.tasks import is_awaitable
from aiopromise._errors import (
    bad_reason,
    check_seconds,
    close_refused,
    is_coroutine,
    needs_function,
    resolves_with_itself,
    short,
)
from aiopromise._promise import Promise, adopt, new_promise
from aiopromise._resolvers import Reject, Resolve, Resolvers

__all__ = ["Thenable", "attempt", "delay", "from_thenable", "reject", "resolve", "try_", "with_resolvers"]

T_co = TypeVar("T_co", covariant=True)


def resolve(value: Any = None, /) -> Promise[Any]:
    """Return a promise for *value*: a promise comes back as itself, an awaitable is followed.

    Anything else is what the promise is fulfilled with (ECMA-262 27.2.4.7).

    Raises:
        RuntimeError: no event loop is running; a coroutine handed in is closed.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.resolve(5), await Promise.resolve(asyncio.sleep(0, 6))
        >>> asyncio.run(main())
        (5, 6)
    """
    if type(value) is Promise:
        return value
    promise = new_promise("Promise.resolve", value)
    try:
        follows = is_awaitable(value)
    except BaseException as error:
        if broke_off(promise, error):
            raise
    else:
        if follows:
            adopt(promise, value)
        else:
            settle(promise, FULFILLED, value)
    return promise


def reject(reason: BaseException, /) -> Promise[Any]:
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
    promise = new_promise("Promise.reject", reason)
    fail(promise, reason)
    return promise


def try_(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Promise[Any]:
    """Call *fn* now, and return a promise for what it returns, or rejected with what it raises.

    An awaitable that it returns is followed, so *fn* may be sync or async (ECMA-262 27.2.4.8, `Promise.try`).

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
        raise needs_function("Promise.try_", fn, *args, *kwargs.values())
    return attempt(new_promise("Promise.try_", fn, *args, **kwargs), fn, args, kwargs)


def attempt(
    promise: Promise[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Promise[Any]:
    """Call *fn*, settle the new *promise* with what comes of it, and return that."""
    try:
        value = fn(*args, **kwargs)
        follows = is_awaitable(value)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raised(promise, error)
    else:
        if follows:
            adopt(promise, value)
        else:
            settle(promise, FULFILLED, value)
    try:
        return promise
    finally:
        del promise  # this frame is seen from the traceback of what the function has raised


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
    promise = new_promise("Promise.with_resolvers")
    promise._queue.watch(promise)
    return Resolvers(promise, Resolve(promise), Reject(promise))


def delay(seconds: float, value: Any = None) -> Promise[Any]:
    """Return a promise that is fulfilled with *value* after *seconds*.

    Raises:
        TypeError: *seconds* is not a number, or *value* is an awaitable, which would wait unseen (a coroutine is
            closed).
        ValueError: *seconds* is not a number that can be waited for (NaN).
        RuntimeError: no event loop is running.

    Cancellation:
        Ends the wait, and leaves no timer behind.

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
            "To start something after a while write Promise.delay(seconds).then(lambda _: work())"
        )
    check_seconds("Promise.delay", seconds)
    promise = new_promise("Promise.delay", *((seconds,) if value is None else (seconds, value)))
    adopt(promise, asyncio.sleep(seconds, value))
    return promise


def from_thenable(thenable: Any, /) -> Promise[Any]:
    """Return a promise that settles as *thenable* says through its ``then(resolve, reject)``.

    The attribute ``then`` is read once, now, and called in a later turn of the queue, with a fresh pair of
    resolvers of which the first call counts. What it raises before that rejects; what it raises after is ignored.
    Where ``then`` is not callable the promise is fulfilled with the object itself (ECMA-262 27.2.1.3.2 and 27.2.2.2;
    Promises/A+ 2.3.3).

    Raises:
        RuntimeError: no event loop is running.

    Cancellation:
        Ends the promise at once; a thenable has no way to hear of it.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> class Deferred:
        ...     def then(self, resolve, reject):
        ...         resolve("from elsewhere")
        >>> async def main():
        ...     return await Promise.from_thenable(Deferred())
        >>> asyncio.run(main())
        'from elsewhere'
    """
    promise = new_promise("Promise.from_thenable", thenable)
    _follow(promise, thenable, {})
    try:
        return promise
    finally:
        del promise  # this frame is seen from the traceback of what the attribute has raised


def _follow(promise: Promise[Any], thenable: Any, before: dict[int, object]) -> None:
    """Let *promise*, which hangs on nothing, follow *thenable*, with which the one *before* it has resolved."""
    before[id(thenable)] = thenable
    try:
        then = thenable.then
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raised(promise, error)
    else:
        if callable(then):
            promise._upstream = Adoption(promise, then, before)
            promise._queue.watch(promise)
            promise._queue.push(promise._upstream)
        else:
            settle(promise, FULFILLED, thenable)
    finally:
        del promise  # as above


coroutines.following = resolve


@final
class Adoption(Tie):
    """The call of a thenable's ``then`` that is due, and the upstream of its promise until it resolves."""

    __slots__ = ("_followed", "_promise", "_then")

    def __init__(self, promise: Promise[Any], then: Callable[..., object], followed: dict[int, object]) -> None:
        self._promise = promise
        self._then = then
        # All thenables that the promise has followed, by their id: one resolved with the next.
        self._followed = followed

    def __repr__(self) -> str:
        return "Promise.from_thenable(...)"

    def resolve(self, promise: Promise[Any], value: Any) -> None:
        """Resolve *promise* with what the thenable has given: another one is followed in its place."""
        promise._upstream = None
        if not _is_thenable(value):
            resolve_with(promise, value)
        elif id(value) in self._followed:
            fail(promise, resolves_with_itself(value))
        else:
            _follow(promise, value, self._followed)

    def _react(self) -> None:
        promise = self._promise
        if promise._upstream is not self:
            return  # cancelled before its turn
        resolve, reject = Resolve[Any](promise, self), Reject(promise, self)
        try:
            result = self._then(resolve, reject)
            if is_coroutine(result):
                result.close()
                raise TypeError(f"then() of a thenable must not be async: {short(self._then)}")
        except BaseException as error:
            reject.release()
            if resolve.release() is not None:
                promise._upstream = None
                raised(promise, error)
            del self, promise, resolve, reject  # this frame is seen from the traceback
            if stops(error):
                raise


def _is_thenable(value: Any) -> bool:
    try:
        return type(value).__await__ is Thenable.__await__
    except Exception:
        return False  # its class has none, or cannot be asked


class Thenable(Awaitable[T_co]):
    """Base class for objects that settle through a ``then(resolve, reject)`` of their own.

    What inherits from it can be awaited, and is followed wherever an awaitable is, as `Promise.from_thenable` does.
    An object that merely has an attribute ``then`` is an ordinary value.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise, Thenable
        >>> class Greeting(Thenable):
        ...     def then(self, resolve, reject, /):
        ...         resolve("hello")
        >>> async def main():
        ...     return await Promise.resolve().then(lambda _: Greeting()), await Greeting()
        >>> asyncio.run(main())
        ('hello', 'hello')
    """

    __slots__ = ()

    @abstractmethod
    def then(self, resolve: Resolve[Any], reject: Reject, /) -> object:
        """Call one of the two, now or later."""

    def __await__(self) -> Any:
        return from_thenable(self).__await__()
