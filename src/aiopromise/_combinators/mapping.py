"""Many items through one function, so many at a time."""

import re
from collections.abc import AsyncIterable, Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Final

from aiopromise._combinators.pool import Function, Pool, Progress
from aiopromise._combinators.results import Filtered, Mapped, Reduced, Streamed
from aiopromise._engine.settle import fail, without_our_frames
from aiopromise._engine.tasks import is_awaitable
from aiopromise._errors import (
    add_note,
    check_callback,
    check_count,
    close_items,
    close_refused,
    is_iterable,
    needs_function,
    short,
    text_of,
)
from aiopromise._executors import Job
from aiopromise._promise import Promise, new_promise

__all__ = ["each", "filter_", "map_", "reduce_", "submit"]

_CANNOT_TRAVEL: Final = re.compile("pickle|serialize|local object")


def map_(
    items: Any,
    fn: Function,
    /,
    *,
    concurrency: int | None = None,
    ordered: bool = True,
    on_progress: Progress | None = None,
    executor: Any = None,
) -> Any:
    """Return a promise for the list of what *fn* makes of each of *items*, in their order.

    At most *concurrency* calls of *fn*, sync or async, are unfinished at a time (None: no limit). Items come from
    anything that can be iterated, sync or async; none is taken before there is room for it, and calls begin in the
    order of the items. Each call is made by the loop, as that of a handler, in a copy of the current context.

    With ``ordered=False`` it is an async iterator over the results as they come, instead of a promise: nothing runs
    before it is iterated, and results that were not taken count against the limit. Leaving the loop early stops what
    is running (see `contextlib.aclosing`).

    The first failure, of *fn* or of the items, rejects it with the same exception, after the calls that are
    unfinished were cancelled and have ended, and the generator of the items is closed. Coroutines among the items
    that were not reached are closed; of what is lazy no more is taken.

    *on_progress* is called with the number of calls that are done, and the number of items, or None where they
    have no length. With *executor* each call is `Promise.submit(executor, fn, item)`.

    Raises:
        TypeError: *items* cannot be iterated or are a string, *fn* is not a function, *concurrency* is no whole number,
            or *on_progress* is a coroutine function, whose body nobody would await. Coroutines among the items are
            closed.
        ValueError: *concurrency* is less than 1.
        RuntimeError: no event loop is running.

    Cancellation:
        Cancels the calls that are unfinished, and closes the generator of the items; ends after they have.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def double(number):
        ...     await asyncio.sleep(0.01)
        ...     return number * 2
        >>> async def main():
        ...     print(await Promise.map(range(5), double, concurrency=2))
        ...     async for result in Promise.map(range(3), double, ordered=False):
        ...         print(result)
        >>> asyncio.run(main())
        [0, 2, 4, 6, 8]
        0
        2
        4
    """
    if ordered:
        return _run(Mapped, "map", items, fn, concurrency, on_progress, executor).promise
    return _pool(Streamed, "map", items, fn, concurrency, on_progress, executor).stream()


def filter_(
    items: Any, fn: Function, /, *, concurrency: int | None = None, on_progress: Progress | None = None
) -> Promise[Any]:
    """Return a promise for the list of those *items* for which *fn* gives something true, in their order.

    Otherwise as `Promise.map`.

    Raises:
        As `Promise.map`.

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
    return _run(Filtered, "filter", items, fn, concurrency, on_progress).promise


def each(
    items: Any, fn: Function, /, *, concurrency: int | None = 1, on_progress: Progress | None = None
) -> Promise[Any]:
    """Return a promise for None, after *fn* was called with each of *items*, one after another.

    What *fn* returns is awaited and dropped: nothing grows with the number of items. Otherwise as `Promise.map`.

    Raises:
        As `Promise.map`.

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
    return _run(Pool, "each", items, fn, concurrency, on_progress).promise


def reduce_(items: Any, fn: Callable[[Any, Any], Any], initial: Any, /) -> Promise[Any]:
    """Return a promise for ``fn(...fn(fn(initial, item1), item2)..., itemN)``, each call awaited before the next.

    The items are as for `Promise.map`; without any the value is *initial*.

    Raises:
        As `Promise.map`.

    Cancellation:
        Cancels the call that is unfinished, and closes the generator of the items.

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
        _check("reduce", items, fn)
        reduced = Reduced(new_promise("Promise.reduce", items, fn, initial), items, fn, initial)
    except (TypeError, RuntimeError):
        close_refused(initial)
        close_items(items)
        raise
    reduced.begin()
    return reduced.promise


def submit(executor: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Promise[Any]:
    """Return a promise for what *fn* gives in *executor*: ``await Promise.submit(e, f, x)`` is ``f(x)``, elsewhere.

    The executor is anything with the interface of `concurrent.futures.Executor`: threads, processes, or a Dask cluster
    (``Client.get_executor()``). The value of the call, its exception with the traceback from there, and its
    cancellation settle the promise. Context variables do not travel.

    Raises:
        TypeError: *executor* has no ``submit()``, or *fn* is not a function, or a coroutine function: nothing there
            would await it.
        RuntimeError: no event loop is running.

    Cancellation:
        Cancels the executor's future. A call that runs already cannot be stopped, and is not waited for; what it
        fails with then goes to the loop's exception handler.

    Example:
        >>> import asyncio
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from aiopromise import Promise
        >>> async def main():
        ...     with ThreadPoolExecutor() as threads:
        ...         return await Promise.submit(threads, pow, 2, 10)
        >>> asyncio.run(main())
        1024
    """
    check_executor("submit", executor, fn, *args, *kwargs.values())
    promise = new_promise("Promise.submit", executor, fn, *args, **kwargs)
    explain = partial(_explain, executor, fn, args)
    try:
        future = executor.submit(fn, *args, **kwargs)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        explain(error)
        fail(promise, without_our_frames(error))
    else:
        Job(future, promise, explain).start()
    try:
        return promise
    finally:
        del promise  # this frame is seen from the traceback of what the executor has raised


def check_executor(call: str, executor: Any, fn: Any, *others: Any) -> None:
    """Raise unless *fn* can be called in *executor*."""
    if not callable(fn):
        raise needs_function(f"Promise.{call}", fn, *others)
    if not callable(getattr(executor, "submit", None)):
        message = f"Promise.{call}() needs an executor with submit(), got {short(executor)}"
    elif iscoroutinefunction(fn):
        message = f"Promise.{call}() needs a plain function for an executor, got the coroutine function {short(fn)}"
    else:
        return
    for refused in others:
        close_refused(refused)
    raise TypeError(message)


def _explain(executor: Any, fn: Any, args: tuple[Any, ...], error: BaseException) -> None:
    """Say what was submitted, where *error* names no more than the part of it that could not be pickled."""
    from pickle import PicklingError

    # Whoever pickles, says so in words alone: the classes differ, and are those of a hundred other errors.
    if issubclass(type(error), PicklingError | TypeError | AttributeError) and _CANNOT_TRAVEL.search(text_of(error)):
        call = f"Promise.submit({', '.join(map(short, (executor, fn, *args)))})"
        add_note(
            error,
            f"{call}: to another process a function, its arguments and its result travel pickled\n\n"
            "Write the function at the top of a module, and give it plain values.",
        )


def _check(call: str, items: Any, fn: Any) -> None:
    if not callable(fn):
        raise needs_function(f"Promise.{call}", fn, items)
    if isinstance(items, str | bytes | bytearray) or not (isinstance(items, AsyncIterable) or _is_plain(items)):
        close_refused(items)
        raise TypeError(f"Promise.{call}() needs items to iterate, got {short(items)}")


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
        if executor is not None:
            check_executor(call, executor, fn)
            fn = partial(submit, executor, fn)
        _check(call, items, fn)
        limit = None if concurrency is None else check_count(f"Promise.{call}", "concurrency", concurrency)
        if on_progress is not None:
            check_callback(f"Promise.{call}(on_progress=)", on_progress)
        return kind(new_promise(f"Promise.{call}", items, fn), items, fn, limit, on_progress)
    except (TypeError, ValueError, RuntimeError):
        close_items(items)
        raise


def _run(*arguments: Any) -> "Pool":
    pool: Pool = _pool(*arguments)
    pool.begin()
    return pool


def _is_plain(items: Any) -> bool:
    # A Future has an __iter__, which is its __await__.
    return is_iterable(items) and not is_awaitable(items)
