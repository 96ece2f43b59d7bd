"""Work and handlers of every kind, for the programs beside this one."""

import asyncio

from aiopromise import Promise


class Row:
    """What a database gives."""

    name: str = "row"


async def work() -> int:
    """Give a number."""
    return 7


async def row() -> Row:
    """Give a row."""
    return Row()


async def double(value: int) -> int:
    """Take a number, give a number, later."""
    return value * 2


async def describe(value: int) -> str:
    """Give another type, later."""
    return f"number {value}"


async def describe_if_any(value: int) -> str | None:
    """Give another type, or nothing, later."""
    return await describe(value) if value else None


async def find(name: str) -> Row:
    """Give a class of the user's, later."""
    found = Row()
    found.name = name
    return found


async def recover(error: Exception) -> bytes:
    """Take any exception, later."""
    return repr(error).encode()


async def clean_up() -> None:
    """Take nothing, give nothing, later."""


def half(value: int) -> float:
    """Take a number, give a number."""
    return value / 2


def text(value: int) -> str:
    """Give another type."""
    return str(value)


def length(value: str) -> int:
    """Give a number back."""
    return len(value)


def promised(value: int) -> Promise[str]:
    """Give a promise."""
    return Promise.resolve(str(value))


def started(value: int) -> asyncio.Task[str]:
    """Give a Task."""
    return asyncio.create_task(describe(value))


def either(value: int) -> Promise[str] | str:
    """Give a promise, or else the value itself."""
    return promised(value) if value else ""


def rescue(error: Exception) -> bytes:
    """Take any exception."""
    return repr(error).encode()


def on_key_error(error: KeyError) -> bytes:
    """Take one type."""
    return rescue(error)


def on_key_or_os_error(error: KeyError | OSError) -> bytes:
    """Take two types."""
    return rescue(error)


def on_three(error: KeyError | OSError | EOFError) -> bytes:
    """Take three types."""
    return rescue(error)


def on_four(error: KeyError | OSError | EOFError | NameError) -> bytes:
    """Take four types."""
    return rescue(error)


def on_cancelled(error: asyncio.CancelledError) -> bytes:
    """Take a cancellation."""
    return repr(error).encode()
