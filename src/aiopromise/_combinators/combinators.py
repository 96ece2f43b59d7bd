"""Many promises in, one out."""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from aiopromise._combinators.group import Group, Losers
from aiopromise._combinators.policies import All, AllSettled, AsCompleted, First, Make, Race, Some
from aiopromise._engine.tasks import is_awaitable
from aiopromise._errors import check_count, close_refused, is_iterable, short
from aiopromise._loops import new_promise

if TYPE_CHECKING:
    from aiopromise._promise import Promise

__all__ = ["all_", "all_keyed", "all_settled", "all_settled_keyed", "any_", "as_completed", "race", "some"]

GroupT = TypeVar("GroupT", bound=Group)


def all_(*awaitables: Any, losers: Losers = None) -> "Promise[Any]":
    """Return a promise for the values of all *awaitables*, in order: a tuple, or a list if given one iterable.

    The first rejection rejects it, with the same exception; a cancellation cancels it (ECMA-262 27.2.4.1).

    Coroutines are started and owned by the combinator: when one fails, the others are cancelled, and the promise
    settles once they have finished. Promises, Tasks and Futures belong to the caller and keep running.
    ``losers="cancel"`` cancels whatever is left, ``losers="keep"`` nothing. Plain values are used as is, and so are
    functions: write ``Promise.all(fetch(1), fetch(2))``, as ``Promise.all(fetch, fetch)`` returns the functions.

    Raises:
        TypeError: the only argument is neither awaitable nor iterable, or is a string.
        ValueError: *losers* is not one of these.
        RuntimeError: no event loop is running; coroutines handed in are closed.

    Cancellation:
        Cancels the coroutines and waits for them; detaches from the rest.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     pair = await Promise.all(asyncio.sleep(0, 1), Promise.resolve(2))
        ...     many = await Promise.all(asyncio.sleep(0, number) for number in range(3))
        ...     return pair, many
        >>> asyncio.run(main())
        ((1, 2), [0, 1, 2])
    """
    items = _items_of("all", awaitables)
    make: Make = tuple if items is awaitables else list
    return _promise_of(_grouped("all", awaitables, items, losers, All, make))


def all_settled(*awaitables: Any, losers: Losers = None) -> "Promise[Any]":
    """Return a promise for the outcome of each of *awaitables*: `Fulfilled` or `Rejected`, in a tuple or a list.

    None of them rejects it. A cancelled one becomes ``Rejected(CancelledError())`` (ECMA-262 27.2.4.2).

    Raises:
        As for `Promise.all`.

    Cancellation:
        As for `Promise.all`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.all_settled(asyncio.sleep(0, 1), Promise.reject(ValueError("no")))
        >>> asyncio.run(main())
        (Fulfilled(1), Rejected(ValueError('no')))
    """
    items = _items_of("all_settled", awaitables)
    make: Make = tuple if items is awaitables else list
    return _promise_of(_grouped("all_settled", awaitables, items, losers, AllSettled, make))


def race(*awaitables: Any, losers: Losers = None) -> "Promise[Any]":
    """Return a promise with the outcome of the first of *awaitables* to settle (ECMA-262 27.2.4.5).

    If that one was cancelled, so is the promise. The rest are losers, as in `Promise.all`. If there are no inputs, it
    is rejected with `ValueError`.

    Raises:
        As for `Promise.all`.

    Cancellation:
        As for `Promise.all`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.race(asyncio.sleep(3600), asyncio.sleep(0, "fast"))
        >>> asyncio.run(main())
        'fast'
    """
    items = _items_of("race", awaitables)
    return _promise_of(_grouped("race", awaitables, items, losers, Race))


def any_(*awaitables: Any, losers: Losers = None) -> "Promise[Any]":
    """Return a promise for the value of the first of *awaitables* to be fulfilled (ECMA-262 27.2.4.3).

    If all fail, it is rejected with an `ExceptionGroup` of their reasons, in order, leaving out cancellations; if
    all are cancelled, so is it. If there are none, it is rejected with `ValueError`.

    Raises:
        As for `Promise.all`.

    Cancellation:
        As for `Promise.all`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.any(Promise.reject(OSError()), asyncio.sleep(0, "mirror"))
        >>> asyncio.run(main())
        'mirror'
    """
    items = _items_of("any", awaitables)
    return _promise_of(_grouped("any", awaitables, items, losers, First, 1))


def some(count: int, /, *awaitables: Any, losers: Losers = None) -> "Promise[Any]":
    """Return a promise for a list of the first *count* values of *awaitables*, in order of arrival.

    Once too many have failed, it is rejected with an `ExceptionGroup`, like `Promise.any`; or with `ValueError` if
    there are fewer than *count* to begin with.

    Raises:
        TypeError, ValueError: *count* is not a positive integer; and as for `Promise.all`.

    Cancellation:
        As for `Promise.all`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.some(2, asyncio.sleep(3600), asyncio.sleep(0.01, "b"), asyncio.sleep(0, "a"))
        >>> asyncio.run(main())
        ['a', 'b']
    """
    try:
        number = check_count("Promise.some", "count", count)
    except BaseException:
        _close_coroutines(count, *awaitables)
        raise
    items = _items_of("some", awaitables)
    typed = (count, *awaitables)
    return _promise_of(_grouped("some", typed, items, losers, Some, number))


def all_keyed(awaitables: Any, /, *, losers: Losers = None) -> "Promise[Any]":
    """Return a promise for a dict with the value of each awaitable in the mapping, by its key.

    Otherwise like `Promise.all`.

    Raises:
        TypeError: the argument is not a mapping.

    Cancellation:
        As for `Promise.all`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.all_keyed({"one": asyncio.sleep(0, 1), "two": Promise.resolve(2)})
        >>> asyncio.run(main())
        {'one': 1, 'two': 2}
    """
    return _keyed("all_keyed", awaitables, losers, All)


def all_settled_keyed(awaitables: Any, /, *, losers: Losers = None) -> "Promise[Any]":
    """Return a promise for a dict with the outcome of each awaitable in the mapping, by its key.

    Otherwise like `Promise.all_settled`.

    Raises:
        TypeError: the argument is not a mapping.

    Cancellation:
        As for `Promise.all`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     return await Promise.all_settled_keyed({"one": asyncio.sleep(0, 1), "two": Promise.try_(int, "x")})
        >>> asyncio.run(main())
        {'one': Fulfilled(1), 'two': Rejected(ValueError("invalid literal for int() with base 10: 'x'"))}
    """
    return _keyed("all_settled_keyed", awaitables, losers, AllSettled)


def as_completed(*awaitables: Any, losers: Losers = None) -> "AsyncGenerator[tuple[int, Promise[Any]], None]":
    """Return an async iterator of ``(index, promise)`` pairs, one for each of *awaitables* as it settles.

    The index is the position among the arguments, or in the one iterable; the promise is settled, and returns its
    value, or raises its reason, when awaited. All are started immediately.

    If you leave the loop early, the rest are losers, as in `Promise.all`: what was started here is cancelled and
    awaited when the iterator is closed (see `contextlib.aclosing`).

    Raises:
        As for `Promise.all`; an exception from iterating the arguments is raised by the iterator.

    Cancellation:
        Cancelling the Task that waits for the next item is like leaving early.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     async for index, promise in Promise.as_completed(asyncio.sleep(0.01, "slow"), asyncio.sleep(0, "fast")):
        ...         print(index, await promise)
        >>> asyncio.run(main())
        1 fast
        0 slow
    """
    items = _items_of("as_completed", awaitables)
    return _grouped("as_completed", awaitables, items, losers, AsCompleted).stream()


def _keyed(name: str, awaitables: Any, losers: Losers, kind: type[All]) -> "Promise[Any]":
    if not isinstance(awaitables, Mapping):
        message = f"Promise.{name}() needs a mapping of awaitables, got {short(awaitables)}"
        _close_coroutines(awaitables)
        raise TypeError(message)
    keys: list[Any] = []

    def values() -> Iterator[Any]:
        for key in awaitables:
            hash(key)  # an unhashable key fails here, before anything has settled
            keys.append(key)
            yield awaitables[key]

    def make(found: Iterable[Any]) -> dict[Any, Any]:
        return dict(zip(keys, found, strict=True))

    return _promise_of(_grouped(name, (awaitables,), values(), losers, kind, make))


def _promise_of(group: Group) -> "Promise[Any]":
    promise: Promise[Any] = group.promise
    return promise


def _grouped(
    name: str,
    typed: tuple[Any, ...],
    items: Iterable[Any],
    losers: Losers,
    kind: Callable[..., GroupT],
    *more: Any,
) -> GroupT:
    try:
        if losers not in (None, "cancel", "keep"):
            raise ValueError(f"Promise.{name}(losers=) needs None, 'cancel' or 'keep', got {short(losers)}")
        group = kind(name, new_promise(f"Promise.{name}", typed), losers, *more)
    except BaseException:
        _close_coroutines(*typed)
        raise
    # Items are taken only now: a refused call has started none of them.
    try:
        group.start(items)
        return group
    finally:
        del group  # breaks a reference cycle


def _items_of(name: str, awaitables: tuple[Any, ...]) -> Iterable[Any]:
    # For all(a, b) and all(a), the tuple itself, so that each value keeps its type; for all([a, b]), the list. An
    # awaitable does not count as an iterable here, though a Future has an __iter__.
    if len(awaitables) != 1 or is_awaitable(awaitables[0]):
        return awaitables
    items: Iterable[Any] = awaitables[0]
    if isinstance(items, str | bytes | bytearray) or not is_iterable(items):
        raise TypeError(f"Promise.{name}() needs awaitables, or one iterable of them, got {short(items)}")
    # The keys of a mapping may be intended, as in `as_completed({task: url})`, but not if only the values are
    # awaitable.
    if isinstance(items, Mapping) and any(map(is_awaitable, items.values())) and not any(map(is_awaitable, items)):
        _close_coroutines(items)
        raise TypeError(
            f"Promise.{name}() needs awaitables, got the keys of {short(items)}\n\n"
            f"Write Promise.{name}(mapping.values()), or Promise.all_keyed(mapping) for a dict of results"
        )
    return items


def _close_coroutines(*arguments: object) -> None:
    """Close the coroutines among *arguments*, and those in a collection of them."""
    for argument in arguments:
        close_refused(argument)
        items = argument.values() if isinstance(argument, Mapping) else argument
        for item in items if isinstance(items, Collection) else ():
            close_refused(item)
