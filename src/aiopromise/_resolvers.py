"""The functions that settle a promise from outside, on any thread, and executors, which are called with them."""

from asyncio import AbstractEventLoop, _get_running_loop
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from aiopromise._compat import GenericBase
from aiopromise._engine.core import Core, reject, reject_raised, resolve_with
from aiopromise._engine.primitives import new
from aiopromise._engine.state_codes import PENDING
from aiopromise._errors import bad_reason, close_refused, is_async, is_coroutine, not_a_source, short

__all__ = ["Reject", "Resolve", "Resolvers", "check_executor", "execute", "resolvers_of"]

T_contra = TypeVar("T_contra", contravariant=True)


class _Resolver:
    """One of a pair: the first call to reach the loop decides."""

    __slots__ = ("_loop", "_promise", "_upstream")

    _loop: AbstractEventLoop
    _promise: Core | None
    # The upstream of the promise when this pair was made. If it has changed, also to None because the promise has
    # settled, the promise has been resolved.
    _upstream: Any

    def release(self) -> Core | None:
        """Return the promise if it is unresolved, and drop the reference, so that later calls are ignored.

        A resolver may outlive its promise; and what an executor raises has, in its traceback, a frame that holds
        both resolvers.
        """
        promise, upstream = self._promise, self._upstream
        self._promise = self._upstream = None
        if promise is not None and promise._state == PENDING and promise._upstream is upstream:
            return promise
        return None

    def _call_on_loop(self, argument: Any) -> None:
        """Have it decided on the loop, so that of calls from several threads the first in its queue counts."""
        decide: Any = self
        try:
            self._loop.call_soon_threadsafe(decide, argument)
            return
        except RuntimeError:
            if not self._loop.is_closed():
                raise
        close_refused(argument)
        if self._promise is not None:  # else this is a later call, which is ignored
            call = type(self).__name__.lower()
            raise RuntimeError(f"{call}() was called after the loop of {self._promise!r} was closed")

    def __repr__(self) -> str:
        promise = "a resolved promise" if self._promise is None else repr(self._promise)
        return f"<{type(self).__name__.lower()} of {promise}>"


class Resolve(_Resolver, GenericBase[T_contra]):
    """Fulfil a promise with a value, or make it follow an awaitable (ECMA-262 27.2.1.3.2, promise resolve functions).

    Only the first call of ``resolve`` or ``reject`` counts; later calls are ignored, and a coroutine passed to one
    is closed. May be called from any thread.

    Raises:
        RuntimeError: called from outside the loop after it was closed.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     promise, resolve, reject = Promise.with_resolvers()
        ...     resolve(asyncio.sleep(0, "done"))
        ...     return await promise
        >>> asyncio.run(main())
        'done'
    """

    __slots__ = ()

    def __call__(self, value: Awaitable[T_contra] | T_contra | None = None, /) -> None:
        if _get_running_loop() is not self._loop:
            self._call_on_loop(value)
            return
        thenable: Any = self._upstream
        promise = self.release()
        if promise is None:
            close_refused(value)
        elif thenable is not None:
            thenable.resolve(promise, value)
        else:
            resolve_with(promise, value)


class Reject(_Resolver):
    """Reject a promise with an exception (ECMA-262 27.2.1.3.1, promise reject functions).

    Only the first call of ``resolve`` or ``reject`` counts; later ones are ignored. The reason is never followed
    or unwrapped; an `asyncio.CancelledError` cancels the promise. May be called from any thread.

    Raises:
        TypeError: the reason is not an exception instance.
        RuntimeError: called from outside the loop after it was closed.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     promise, resolve, reject = Promise.with_resolvers()
        ...     reject(ValueError("no"))
        ...     return await promise.catch(repr)
        >>> asyncio.run(main())
        "ValueError('no')"
    """

    __slots__ = ()

    def __call__(self, reason: BaseException, /) -> None:
        if not issubclass(type(reason), BaseException):
            raise bad_reason("reject", reason)
        if _get_running_loop() is not self._loop:
            self._call_on_loop(reason)
            return
        promise = self.release()
        if promise is not None:
            reject(promise, reason)


def resolvers_of(promise: Core, upstream: Any = None) -> tuple[Resolve[Any], Reject]:
    """Return a new pair for *promise*, which counts only while it has this *upstream*."""
    resolve: Resolve[Any] = new(Resolve)
    reject: Reject = new(Reject)
    resolve._loop = reject._loop = promise._queue.loop
    resolve._promise = reject._promise = promise
    resolve._upstream = reject._upstream = upstream
    return resolve, reject


class Resolvers(NamedTuple):
    """The result of `Promise.with_resolvers()`: unpack it, or use the field names."""

    promise: Any
    resolve: Resolve[Any]
    reject: Reject


def check_executor(source: Any) -> None:
    """Raise `TypeError` unless *source* can be called as an executor."""
    if not callable(source):
        raise not_a_source(source)
    if is_async(source):
        raise TypeError(_coroutine_function(source))


def execute(promise: Core, executor: Callable[..., object]) -> None:
    """Call *executor* with the resolvers of *promise*."""
    # If the executor raises, that rejects, unless a resolver was called before: first resolution wins.
    resolve, reject = resolvers_of(promise)
    try:
        result = executor(resolve, reject)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        reject.release()
        if resolve.release() is not None:
            reject_raised(promise, error)
        del promise, executor, resolve, reject  # breaks a reference cycle
        return
    if is_coroutine(result):
        result.close()
        raise TypeError(_coroutine_function(executor))
    if promise._state == PENDING:
        promise._queue.watch(promise)


def _coroutine_function(executor: object) -> str:
    name = getattr(executor, "__name__", short(executor))
    return (
        f"Promise() needs an executor that is not async, got {short(executor)}\n\n"
        f"You wrote Promise({name}). Write Promise({name}(...)) to make a promise from its result"
    )
