"""Apply one function to many items, with limited concurrency."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

from aiopromise._combinators.iteration import Incoming, Iterated
from aiopromise._combinators.pool import Function, Pool, Progress
from aiopromise._engine.core import Core
from aiopromise._engine.tasks import is_awaitable
from aiopromise._errors import (
    as_written,
    call_of,
    check_callback,
    check_count,
    close_items,
    close_refused,
    is_iterable,
    needs_function,
    short,
)
from aiopromise._executors import Submitted, check_submit
from aiopromise._loops import new_promise

if TYPE_CHECKING:
    from aiopromise._promise import Promise

__all__ = ["each", "filter_", "map_", "map_unordered", "reduce_"]

# They can be iterated, but hardly anybody means their characters or bytes as the items.
_STRINGS: Final = (str, bytes, bytearray)


def map_(
    items: Any,
    fn: Function,
    /,
    *,
    concurrency: int | None = None,
    on_progress: Progress | None = None,
    executor: Any = None,
) -> "Promise[Any]":
    """Return a promise for a list of the results of *fn* for *items*, in order.

    At most *concurrency* calls of *fn*, sync or async, are in progress at a time (None: no limit). *items* is any
    sync or async iterable; an item is taken only when there is room for it, and calls start in the order of the
    items. Each call is made from the loop, like a handler, in a copy of the current context.

    The first failure, of *fn* or of the iterable, rejects it with the same exception, once the calls in progress
    have been cancelled and have finished, and a generator of items has been closed. Coroutines among the remaining
    items are closed; a lazy iterable is read no further.

    *on_progress* is called with the number of finished calls and the number of items, or None if they have no
    length. With *executor* each call is `Promise.submit(executor, fn, item)`.

    Raises:
        TypeError: *items* is a string or not iterable, *fn* is not callable, *concurrency* is not an integer, or
            *on_progress* is a coroutine function, which would never be awaited. Coroutines among the items are
            closed.
        ValueError: *concurrency* is less than 1.
        RuntimeError: no event loop is running.

    Cancellation:
        Cancels the calls in progress and closes a generator of items; settles once they have finished.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def double(number):
        ...     await asyncio.sleep(0.01)
        ...     return number * 2
        >>> async def main():
        ...     return await Promise.map(range(5), double, concurrency=2)
        >>> asyncio.run(main())
        [0, 2, 4, 6, 8]
    """
    return _run(Mapped, "map", items, fn, concurrency, on_progress, executor)


def map_unordered(
    items: Any,
    fn: Function,
    /,
    *,
    concurrency: int | None = None,
    on_progress: Progress | None = None,
    executor: Any = None,
) -> AsyncGenerator[Any, None]:
    """Return an async iterator over the results of *fn* for *items*, in order of completion.

    Nothing runs until it is iterated, and results not yet consumed count against the limit. Otherwise like
    `Promise.map`: the iterator raises the first failure.

    Raises:
        As for `Promise.map`.

    Cancellation:
        Leaving the loop early, or cancelling the Task that waits for the next result, cancels the calls in progress
        and closes a generator of items. Closing the iterator waits for that: see `contextlib.aclosing`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def double(number):
        ...     await asyncio.sleep(0.02 / number)
        ...     return number * 2
        >>> async def main():
        ...     async for result in Promise.map_unordered([1, 2, 4], double):
        ...         print(result)
        >>> asyncio.run(main())
        8
        4
        2
    """
    stream: AsyncGenerator[Any, None] = _pool(
        Streamed, "map_unordered", items, fn, concurrency, on_progress, executor
    ).stream()
    return stream


def filter_(
    items: Any, fn: Function, /, *, concurrency: int | None = None, on_progress: Progress | None = None
) -> "Promise[Any]":
    """Return a promise for a list of those *items* for which *fn* returns something true, in order.

    Otherwise like `Promise.map`.

    Raises:
        As for `Promise.map`.

    Cancellation:
        As for `Promise.map`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def is_even(number):
        ...     return number % 2 == 0
        >>> async def main():
        ...     return await Promise.filter(range(6), is_even)
        >>> asyncio.run(main())
        [0, 2, 4]
    """
    return _run(Filtered, "filter", items, fn, concurrency, on_progress)


def each(
    items: Any, fn: Function, /, *, concurrency: int | None = 1, on_progress: Progress | None = None
) -> "Promise[Any]":
    """Return a promise for None, once *fn* has been called with each of *items*, one after another.

    Results are awaited and discarded, so memory does not grow with the number of items. Otherwise like `Promise.map`.

    Raises:
        As for `Promise.map`.

    Cancellation:
        As for `Promise.map`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     await Promise.each(["a", "b"], print)
        >>> asyncio.run(main())
        a
        b
    """
    return _run(Pool, "each", items, fn, concurrency, on_progress)


def reduce_(items: Any, fn: Callable[[Any, Any], Any], initial: Any, /) -> "Promise[Any]":
    """Return a promise for ``fn(...fn(fn(initial, item1), item2)..., itemN)``, each call awaited before the next.

    The items are as for `Promise.map`; if there are none, the value is *initial*.

    Raises:
        As for `Promise.map`.

    Cancellation:
        Cancels the call in progress and closes a generator of items.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def add(total, number):
        ...     return total + number
        >>> async def main():
        ...     return await Promise.reduce(range(5), add, 0)
        >>> asyncio.run(main())
        10
    """
    try:
        _check("reduce", items, fn, initial)
        reduced = Reduced("reduce", new_promise("Promise.reduce", (items, fn, initial)), items, fn, initial)
    except BaseException:
        close_refused(initial)
        close_items(items)
        raise
    return _start(reduced)


def _check(call: str, items: Any, fn: Any, *more: Any) -> None:
    if not callable(fn):
        error = needs_function(f"Promise.{call}", 1, items, fn, *more)
        if callable(items) and _can_be_items(fn):
            wrote, write = (call_of(f"Promise.{call}", *first, *more) for first in ((items, fn), (fn, items)))
            error = TypeError(f"{error}\n\nYou wrote {wrote}. Write {write}: the items come first.")
        close_items(fn)
        raise error
    if not _can_be_items(items):
        message = f"Promise.{call}() needs an iterable of items, got {short(items)}"
        if isinstance(items, _STRINGS):
            kind = "a string" if isinstance(items, str) else "bytes"
            rest = ", ".join(map(as_written, (fn, *more)))
            message += f"\n\nTo iterate {kind}, write Promise.{call}(list({short(items)}), {rest})"
        close_refused(items)
        raise TypeError(message)


def _pool(
    kind: Any,
    call: str,
    items: Any,
    fn: Function,
    concurrency: int | None,
    on_progress: Progress | None,
    executor: Any = None,
) -> Any:
    try:
        _check(call, items, fn)
        if executor is not None:
            check_submit(call, executor, fn)
            fn = Submitted(executor, fn)
        limit = None if concurrency is None else check_count(f"Promise.{call}", "concurrency", concurrency)
        if on_progress is not None:
            check_callback(f"Promise.{call}(on_progress=)", on_progress)
        return kind(call, new_promise(f"Promise.{call}", (items, fn)), items, fn, limit, on_progress)
    except BaseException:
        close_items(items)
        raise


def _run(*arguments: Any) -> "Promise[Any]":
    return _start(_pool(*arguments))


def _start(pool: Pool) -> "Promise[Any]":
    pool.begin()
    promise: Promise[Any] = pool.promise
    return promise


def _can_be_items(items: Any) -> bool:
    # A Future has an __iter__, which is its __await__; a promise that should have been awaited first is refused.
    plain = is_iterable(items) and not isinstance(items, _STRINGS) and not is_awaitable(items)
    return plain or isinstance(items, AsyncIterable)


# What the results are used for: a list, a selection of the items, one value, an iterator.


@final
class Mapped(Pool):
    """All results."""

    __slots__ = ("_found",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._found: list[Any] = []

    def _on_call(self, index: int, item: Any) -> None:
        self._found.append(None)

    def _on_result(self, index: int, value: Any) -> None:
        self._found[index] = value

    def _answer(self) -> list[Any]:
        return self._found


@final
class Filtered(Pool):
    """The items whose result is true."""

    __slots__ = ("_found",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._found: dict[int, Any] = {}

    def _on_call(self, index: int, item: Any) -> None:
        self._found[index] = item

    def _on_result(self, index: int, value: Any) -> None:
        if not value:
            del self._found[index]

    def _answer(self) -> list[Any]:
        return list(self._found.values())


@final
class Reduced(Pool):
    """The result of the last call; each call gets the result of the one before it."""

    __slots__ = ("_total",)

    def __init__(self, method: str, promise: Core, items: Any, fn: Function, initial: Any) -> None:
        super().__init__(method, promise, items, fn, 1, None)  # one call at a time: each needs the result before it
        self._total = initial

    def _handler(self) -> Function:
        return partial(self._fn, self._total)

    def _on_result(self, index: int, value: Any) -> None:
        self._total = value

    def _answer(self) -> Any:
        return self._total


@final
class Streamed(Iterated, Pool):
    """Results as they arrive, for an async iterator."""

    __slots__ = ("_incoming",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._incoming = Incoming()

    def _iterated(self) -> None:
        self.begin()

    def _yielded(self, result: Any) -> Any:
        self._run_user_code(self._start_calls)
        return result

    def _free_slots(self) -> float:
        return super()._free_slots() - len(self._incoming.results)

    def _on_result(self, index: int, value: Any) -> None:
        self._incoming.add(value)
