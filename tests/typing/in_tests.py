"""What a type checker makes of tests that use `aiopromise.testing`."""

from typing import assert_type

from aiopromise import Promise
from aiopromise.testing import (
    Deferred,
    DeferredFunction,
    assert_cancelled,
    assert_fulfilled,
    assert_pending,
    assert_rejected,
    settle,
)


async def deferreds() -> None:
    """A deferred knows what it is for."""
    number: Deferred[int] = Deferred()
    number.resolve(1)
    assert_type(number.promise, Promise[int])
    Deferred[int]().resolve(Promise.resolve(1))
    Deferred[None]().resolve()
    failing: Deferred[int] = Deferred()
    failing.reject(ValueError())
    assert_type(assert_rejected(failing.promise), Exception)


async def stand_ins() -> None:
    """A stand-in for a function gives promises of what it is for."""
    fetch = DeferredFunction[bytes]("fetch")
    page = fetch("address", retries=3)
    fetch.calls[0].resolve(b"page")
    assert_type(page, Promise[bytes])


async def settling() -> None:
    """Letting the loop come to rest gives nothing."""
    assert_type(await settle(turns=5), None)


async def assertions() -> None:
    """An assertion gives what it has found."""
    promise = Promise.try_(len, "words")
    assert_type(assert_fulfilled(promise), int)
    assert_type(assert_fulfilled(promise, 5), int)
    missing = Promise.try_({"a": 1}.pop, "name")
    assert_type(assert_rejected(missing), Exception)
    assert_type(assert_rejected(missing, KeyError, match="name"), KeyError)
    assert_type(assert_rejected(missing, (KeyError, OSError)), KeyError | OSError)
    pending = Promise[int].with_resolvers().promise
    assert_pending(pending)
    pending.cancel()
    assert_cancelled(pending)
