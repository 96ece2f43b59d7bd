"""A coroutine for whatever can be awaited: never compiled, for asyncio and debuggers know those of Python."""

from collections.abc import Awaitable, Coroutine, Generator
from types import CoroutineType
from typing import Any

from aiopromise._errors import is_coroutine

__all__ = ["as_coroutine", "give"]


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def as_coroutine(awaitable: Any) -> Coroutine[Any, Any, Any]:
    """Return a coroutine, as a Task needs one, for any awaitable."""
    if type(awaitable) is CoroutineType or is_coroutine(awaitable):
        coroutine: Coroutine[Any, Any, Any] = awaitable
        return coroutine
    return _wait_for(awaitable)


def give(value: Any) -> Generator[Any, None, Any]:
    """Return what `await` gets *value* from at once."""
    yield from ()  # makes it a generator
    return value
