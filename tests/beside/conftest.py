"""What the programs beside other packages share: work that only a cancellation ends, and what nobody handled."""

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from typing import NoReturn

import pytest

from aiopromise import on_unhandled_rejection


class Endless:
    """Work that ends only when it is cancelled, and tells when it started and when it ended."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, *_: object) -> NoReturn:
        """Wait forever."""
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        raise AssertionError("nobody sets the event")


@pytest.fixture
def endless() -> Endless:
    """Return work that ends only when it is cancelled."""
    return Endless()


@pytest.fixture
def unhandled() -> Iterator[list[BaseException]]:
    """Return the list of the reasons that nobody handles from now on."""
    found: list[BaseException] = []
    remove = on_unhandled_rejection(lambda event: found.append(event.reason))
    yield found
    remove()


@pytest.fixture
def visitor() -> ContextVar[str]:
    """Return a context variable such as a server sets for each request."""
    return ContextVar("visitor", default="nobody")
