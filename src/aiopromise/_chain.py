"""Sequences: `chain()` for awaitables, `pipe()` for functions; and `promisify()` for a single function."""

import asyncio
import inspect
import sys
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import reduce, wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, final

from aiopromise._engine.core import start_or_follow
from aiopromise._engine.coroutines import CoroutineWrapper, shown_as
from aiopromise._engine.tasks import is_awaitable, name_of
from aiopromise._errors import close_refused, needs_function, short
from aiopromise._factories import attempt
from aiopromise._loops import new_promise
from aiopromise._promise import Promise

__all__ = ["Chain", "chain", "pipe", "promisify"]

T_co = TypeVar("T_co", covariant=True)


@final
class Chain(CoroutineWrapper[T_co]):
    """The result of `chain()`: a coroutine that can be chained from like a promise."""

    __slots__ = ("__weakref__", "_has_owner", "_steps")

    # asyncio shows a Task's coroutine by this name.
    __name__ = "chain"

    def __init__(self, steps: deque[Any]) -> None:
        self._steps = steps
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._has_owner = False

    def send(self, value: Any, /) -> Any:
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        if self._coroutine is None:
            _close(self._steps)  # the error comes before the first step, so there is no coroutine to close them
        return self._begun().throw(*error)

    def close(self) -> None:
        """Close the running step, and every step not yet reached."""
        if self._coroutine is None:
            _close(self._steps)
        self._begun().close()

    def __await__(self) -> Generator[Any, Any, T_co]:
        self._take()
        return self._begun().__await__()

    def then(
        self, on_fulfilled: Callable[[T_co], Any] | None = None, on_rejected: Callable[[Any], Any] | None = None
    ) -> Promise[Any]:
        """Start the chain, and return ``Promise(chain).then(...)``."""
        return self._start_as("then", lambda promise: promise.then(on_fulfilled, on_rejected))

    def catch(self, *types_and_handler: Any) -> Promise[Any]:
        """Start the chain, and return ``Promise(chain).catch(...)``."""
        return self._start_as("catch", lambda promise: promise.catch(*types_and_handler))

    def finally_(self, on_settled: Callable[[], object], /) -> Promise[T_co]:
        """Start the chain, and return ``Promise(chain).finally_(...)``."""
        return self._start_as("finally_", lambda promise: promise.finally_(on_settled))

    def _start_as(self, method: str, link: Callable[[Promise[Any]], Promise[Any]]) -> Promise[Any]:
        # Linked before it is started: a refused handler leaves the chain as it was.
        promise = new_promise(f"chain().{method}", (self,))
        child = link(promise)
        self._take()
        start_or_follow(promise, self)
        return child

    def _take(self) -> None:
        if self._has_owner or self._coroutine is not None:
            raise RuntimeError(f"cannot reuse already awaited {self!r}")
        self._has_owner = True

    def _hand_over(self) -> deque[Awaitable[Any]]:
        """Return the steps, for the chain that this is a step of; what remains here is a finished coroutine."""
        self._take()
        steps, self._steps = self._steps, deque()
        self._begun().close()
        return steps

    def _begun(self) -> Coroutine[Any, Any, T_co]:
        if self._coroutine is None:
            self._coroutine = _run(self._steps)
        return self._coroutine

    # A dropped coroutine issues its own warning; a chain that never started has no coroutine yet.
    def __del__(self) -> None:
        if self._coroutine is None:
            _close(self._steps)
            warnings.warn("chain() was never awaited", RuntimeWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        return f"<chain() with {len(self._steps)} steps to come>"


def chain(*awaitables: Any) -> Chain[list[Any]]:
    """Return a coroutine for the list of results of *awaitables*, awaited one after another.

    Nothing runs until it is awaited, or started by `asyncio.run`, `asyncio.create_task`, `Promise()` or its own
    ``then``, ``catch`` and ``finally_``. Chains nest; a list or tuple of awaitables is a nested chain.

    If a step fails, or the chain is cancelled or closed, the steps not yet reached are closed, in nested chains
    too. Promises, Tasks and Futures belong to the caller and keep running.

    Raises:
        TypeError: an argument is not awaitable; all coroutines handed in are closed.

    Cancellation:
        Cancels the running step; the chain ends when that step does.

    Example:
        >>> import asyncio
        >>> from aiopromise import chain
        >>> async def task(number):
        ...     return number
        >>> asyncio.run(chain(task(1), chain(task(2.1), task(2.2)), task(3)))
        [1, [2.1, 2.2], 3]
    """
    culprits = [step for step in _flat(awaitables) if not is_awaitable(step)]
    if culprits:
        close_refused(*_flat(awaitables))
        raise TypeError(f"chain() needs awaitables, got {short(culprits[0])}")
    return Chain(deque(step if is_awaitable(step) else chain(*step) for step in awaitables))


def _flat(steps: Any) -> list[Any]:
    flat: list[Any] = []
    for step in steps:
        flat.extend(_flat(step) if isinstance(step, list | tuple) and not is_awaitable(step) else (step,))
    return flat


@shown_as("chain")
async def _run(steps: deque[Awaitable[Any]]) -> Any:
    """Await the *steps* one after another, including those of nested chains, without recursion."""
    running: list[tuple[deque[Awaitable[Any]], list[Any]]] = [(steps, [])]  # with their results so far, outermost first
    try:
        while True:
            steps, results = running[-1]
            if steps:
                step = steps.popleft()
                if type(step) is Chain:
                    running.append((step._hand_over(), []))
                else:
                    results.append(await step)
            else:
                running.pop()
                if not running:
                    return results
                running[-1][1].append(results)
    finally:
        while running:
            _close(running.pop()[0])


def _close(steps: deque[Any]) -> None:
    while steps:
        step = steps.popleft()
        if type(step) is Chain and step._coroutine is None:
            # Instead of its close(), which would recurse: chains may be nested 100,000 deep.
            steps.extendleft(reversed(step._steps))
            step._steps.clear()
        close_refused(step)


def pipe(*functions: Callable[..., Any]) -> Callable[..., Promise[Any]]:
    """Return a function that passes its arguments to the first function, and each result on to the next.

    Calling it returns a promise for the last result: ``pipe(f, g)(x)`` is ``Promise.try_(f, x).then(g)``. The functions
    may be sync or async; the first is called immediately.

    Raises:
        TypeError: there are no arguments, or one is not callable.

    Cancellation:
        Each call returns its own promise; cancelling that cancels the running function.

    Example:
        >>> import asyncio
        >>> from aiopromise import pipe
        >>> async def main():
        ...     return await pipe(int, lambda number: number * 6, str)("7")
        >>> asyncio.run(main())
        '42'
    """
    for place, function in enumerate(functions):
        if not callable(function):
            raise needs_function("pipe", place, *functions)
    if not functions:
        raise TypeError("pipe() needs at least one function")
    first, *rest = functions
    # The function does not look up its own name: it would form a cycle with itself.
    name = f"pipe({', '.join(map(name_of, functions))})"

    def piped(*args: Any, **kwargs: Any) -> Promise[Any]:
        # No local name for a promise: if the first function raises, the traceback includes this frame.
        return reduce(Promise.then, rest, attempt(new_promise(name, args, kwargs), first, args, kwargs))

    piped.__name__ = piped.__qualname__ = name
    return piped


def promisify(fn: Any, /) -> Any:
    """Decorate *fn* to return a promise for its result.

    For functions and methods, sync or async; also above ``@staticmethod`` and ``@classmethod``. Calls work like
    `Promise.try_`: *fn* is called immediately, and an exception rejects the promise. The coroutine of an ``async def``
    is started as by `asyncio.create_task`, so its first line runs in the next iteration of the loop.

    A decorated ``async def`` is still a coroutine function to `inspect` (on Python 3.12+) and `asyncio`, so other
    decorators, such as retries, await its result.

    Raises:
        TypeError: *fn* is not a function.

    Example:
        >>> import asyncio
        >>> from aiopromise import promisify
        >>> @promisify
        ... async def double(number):
        ...     return number * 2
        >>> async def main():
        ...     return await double(10).then(double)
        >>> asyncio.run(main())
        40
    """
    if isinstance(fn, classmethod | staticmethod):
        return type(fn)(promisify(fn.__func__))
    if not callable(fn):
        raise needs_function("promisify", 0, fn)

    @wraps(fn)
    def promised(*args: Any, **kwargs: Any) -> Promise[Any]:
        return attempt(new_promise(name_of(fn), args, kwargs), fn, args, kwargs)

    if iscoroutinefunction(fn) or iscoroutinefunction(type(fn).__call__):
        _mark(promised)
    return promised


if sys.version_info >= (3, 12):
    _mark = inspect.markcoroutinefunction

else:

    def _mark(function: Any) -> None:
        # `inspect` has no such marker; this is what asyncio reads.
        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
