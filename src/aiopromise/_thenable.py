"""Objects that settle through their own ``then(resolve, reject)``: `Thenable`, and `Promise.from_thenable()`."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, TypeVar, final

from aiopromise._engine import coroutines
from aiopromise._engine.core import Core, must_propagate, reject, reject_raised, resolve_with, settle
from aiopromise._engine.state import Upstream
from aiopromise._engine.state_codes import FULFILLED
from aiopromise._errors import is_coroutine, resolves_with_itself, short
from aiopromise._loops import new_promise
from aiopromise._resolvers import Reject, Resolve, resolvers_of

if TYPE_CHECKING:
    from aiopromise._promise import Promise

__all__ = ["Thenable", "from_thenable"]

T_co = TypeVar("T_co", covariant=True)


def from_thenable(thenable: Any, /) -> "Promise[Any]":
    """Return a promise that *thenable* settles through its ``then(resolve, reject)``.

    The attribute ``then`` is read once, immediately, and called later from the queue, in a copy of the current
    context, with a new pair of resolvers, of which the first call counts. If it raises before that, the promise is
    rejected; after that, the error is ignored. If ``then`` is not callable, the promise is fulfilled with the
    object itself (ECMA-262 27.2.1.3.2 and 27.2.2.2; Promises/A+ 2.3.3).

    Raises:
        RuntimeError: no event loop is running.

    Cancellation:
        Cancels the promise immediately; the thenable is not notified.

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
    promise: Promise[Any] = new_promise("Promise.from_thenable", (thenable,))
    _follow(promise, thenable, {}, "Promise.from_thenable(...)", copy_context())
    try:
        return promise
    finally:
        del promise  # breaks a reference cycle


def _follow(promise: Core, thenable: Any, followed: dict[int, object], shown: str, context: Context) -> None:
    """Make *promise*, which has no upstream, follow *thenable*.

    *followed* has the thenables before it, each of which resolved to the next; *shown* is what the promise's repr says
    that it follows.
    """
    followed[id(thenable)] = thenable  # kept, so that its id is not reused
    try:
        then = thenable.then
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        reject_raised(promise, error)
    else:
        if callable(then):
            promise._upstream = ThenableJob(promise, then, followed, shown, context)
            promise._queue.watch(promise)
            promise._queue.push(promise._upstream)
        else:
            settle(promise, FULFILLED, thenable)
    finally:
        del promise  # breaks a reference cycle


@final
class ThenableJob(Upstream):
    """A queued call of a thenable's ``then``; the upstream of its promise until that resolves."""

    __slots__ = ("_context", "_followed", "_promise", "_shown", "_then")

    def __init__(
        self,
        promise: Core,
        then: Callable[..., object],
        followed: dict[int, object],
        shown: str,
        context: Context,
    ) -> None:
        self._promise = promise
        self._then = then
        # All thenables that the promise has followed, by id: each resolved to the next.
        self._followed = followed
        self._shown = shown
        self._context = context

    def __repr__(self) -> str:
        return self._shown

    def resolve(self, promise: Core, value: Any) -> None:
        """Resolve *promise* with the thenable's value; if that is another thenable, follow it instead."""
        # As if it were new: it has no upstream, and may follow something.
        promise._upstream = None
        if not _is_thenable(value):
            resolve_with(promise, value)
        elif id(value) in self._followed:
            reject(promise, resolves_with_itself(value))
        else:
            _follow(promise, value, self._followed, self._shown, self._context)

    def _react(self) -> None:
        promise = self._promise
        if promise._upstream is not self:
            return  # cancelled while queued
        # A new pair, which counts only while this call is the promise's upstream.
        resolve, reject = resolvers_of(promise, self)
        try:
            result = self._context.run(self._then, resolve, reject)
            if is_coroutine(result):
                result.close()
                raise TypeError(f"then() of a thenable must not be async: {short(self._then)}")
        except BaseException as error:
            reject.release()
            if resolve.release() is not None:
                promise._upstream = None
                reject_raised(promise, error)
            del self, promise, resolve, reject  # breaks a reference cycle
            if must_propagate(error):
                raise


def _follow_thenable(promise: Core, value: Any, context: Context | None) -> bool:
    """Make *promise* follow *value* if it is a `Thenable`; without a Task, which would hide a cycle."""
    if not _is_thenable(value):
        return False
    _follow(promise, value, {}, f"await {type(value).__name__}", copy_context() if context is None else context)
    return True


def _is_thenable(value: Any) -> bool:
    try:
        return type(value).__await__ is Thenable.__await__
    except Exception:
        return False  # its class has none, or raises


class Thenable(Awaitable[T_co]):
    """Base class for objects that settle through their own ``then(resolve, reject)``.

    Instances can be awaited, and are followed like any awaitable, as by `Promise.from_thenable`. An object that
    merely has a ``then`` attribute is an ordinary value.

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
        """Call *resolve* or *reject*, now or later."""

    def __await__(self) -> Any:
        return from_thenable(self).__await__()


coroutines.follow_thenable = _follow_thenable
