"""What a type checker makes of tests that use `aiopromise.testing`; nobody runs this."""

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
    assert_type(number.promise, Promise[int])
    number.resolve(1)
    number.resolve(Promise.resolve(1))
    number.resolve("1")  # refused: arg-type
    number.resolve()  # refused: call-arg
    number.reject(ValueError())
    number.reject(ValueError)  # refused: arg-type
    Deferred[None]().resolve()

    fetch = DeferredFunction[bytes]("fetch")
    assert_type(fetch("address", retries=3), Promise[bytes])
    fetch.calls[0].resolve(b"page")
    assert_type(await Promise.map(["address"], fetch), list[bytes])
    assert_type(await settle(turns=5), None)


async def assertions(promise: Promise[int]) -> None:
    """An assertion gives what it has found."""
    assert_type(assert_fulfilled(promise), int)
    assert_type(assert_fulfilled(promise, 5), int)
    assert_type(assert_rejected(promise), Exception)
    assert_type(assert_rejected(promise, KeyError, match="name"), KeyError)
    assert_type(assert_rejected(promise, (KeyError, IndexError)), LookupError)
    assert_pending(promise)
    assert_cancelled(promise)
    assert_pending(5)  # refused: arg-type
