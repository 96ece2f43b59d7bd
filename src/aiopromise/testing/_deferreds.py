"""Promises that the test settles."""

from typing import Any, Generic, TypeVar, final

from aiopromise._errors import close_refused, short
from aiopromise._promise import Promise

__all__ = ["Deferred", "DeferredFunction"]

T = TypeVar("T")


@final
class Deferred(Generic[T]):
    """A promise that the test settles, with the arguments of the call that it stands for.

    It is `Promise.with_resolvers()` for tests: a second call to ``resolve`` or ``reject``, or one after
    cancellation, is an error instead of being ignored. It is not Twisted's Deferred.

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
        """Make the promise; the arguments are kept for the test to inspect."""
        self.args = args
        self.kwargs = kwargs
        self.promise: Promise[T]
        self.promise, self._resolve, self._reject = Promise.with_resolvers()
        self._is_resolved = False

    def resolve(self, value: Any = None, /) -> None:
        """Fulfil the promise with *value*, or make it follow an awaitable.

        Raises:
            RuntimeError: it was already resolved, rejected or cancelled.
        """
        self._decide("resolve", value)
        self._resolve(value)

    def reject(self, reason: BaseException, /) -> None:
        """Reject the promise with *reason*.

        Raises:
            TypeError: *reason* is not an exception instance.
            RuntimeError: it was already resolved, rejected or cancelled.
        """
        self._decide("reject", reason)
        self._reject(reason)

    def _decide(self, call: str, argument: object) -> None:
        if self._is_resolved or self.promise.done():
            close_refused(argument)
            state = "was already resolved" if self._is_resolved else "has already settled"
            raise RuntimeError(f"{call}({short(argument)}) came too late: the deferred {state}: {self!r}")
        self._is_resolved = call == "resolve" or isinstance(argument, BaseException)

    def __repr__(self) -> str:
        """Show the arguments and the state of the promise."""
        words = [*map(short, self.args), *(f"{key}={short(value)}" for key, value in self.kwargs.items())]
        return f"<Deferred({', '.join(words)}) of {self.promise!r}>"


@final
class DeferredFunction(Generic[T]):
    """A stand-in for a function that returns a promise; the test settles each call.

    ``calls`` has a `Deferred` for each call, in order, with its ``args`` and ``kwargs``. Pass it to the code under
    test in place of an async function, to see how often, with what and how concurrently it is called.

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
        # Shown in reprs of promises and in names of Tasks.
        self.__name__ = name
        self.calls: list[Deferred[T]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Promise[T]:
        """Record the call, and return the promise of its deferred."""
        deferred: Deferred[T] = Deferred(*args, **kwargs)
        self.calls.append(deferred)
        return deferred.promise

    def __repr__(self) -> str:
        """Show the number of calls."""
        return f"<DeferredFunction {self.__name__} with {len(self.calls)} calls>"
