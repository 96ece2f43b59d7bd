"""The Task that reads the items of a pool from an async iterator: never compiled, as no coroutine is."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from aiopromise._engine.coroutines import ReadingCoroutine, shown_as

if TYPE_CHECKING:
    from aiopromise._combinators.pool import Pool, Reader

__all__ = ["reading"]


def reading(pool: "Pool", reader: "Reader", iterator: AsyncIterator[Any]) -> ReadingCoroutine:
    """Return the coroutine that feeds the items of *iterator* to *pool*."""
    return ReadingCoroutine(shown_as(f"Promise.{pool._method}")(_read(pool, reader, iterator)), iterator)


async def _read(pool: "Pool", reader: "Reader", iterator: AsyncIterator[Any]) -> None:
    """Read items while they are needed, in one Task, as ``async for`` does, and close the iterator there.

    A cancellation reaches whatever the source is awaiting. If it yields another item in reply, it is closed:

        async def source():
            try:
                yield await receive()       <-- cancelled here,
            except asyncio.CancelledError:
                yield "rest of the batch"   <-- closed here
    """
    queue = pool.promise._queue
    if queue.has_cleanup():
        queue.keep_generators()  # it may be the cleanup that reads this
    try:
        while await _has_free_slot(pool, reader):
            reader.is_reading = True
            try:
                item = await anext(iterator)
            except StopAsyncIteration:
                return
            finally:
                reader.is_reading = False
            pool._start_call(item)
    finally:
        del pool, reader  # breaks a reference cycle
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()


async def _has_free_slot(pool: "Pool", reader: "Reader") -> bool:
    """Wait until there is room for another call; return False if the pool is closing."""
    while pool._reader is not None and (pool._outcome is not None or pool._free_slots() <= 0):
        reader.vacancy.clear()
        await reader.vacancy.wait()
    return pool._reader is not None
