"""What the programs beside other packages share: work that only a cancellation ends, and what nobody handled."""

from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from aiopromise import on_unhandled_rejection
from beside.endless import Endless


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
