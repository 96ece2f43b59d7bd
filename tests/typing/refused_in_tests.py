"""Tests that use `aiopromise.testing` wrongly: each marked line gets its error."""

from aiopromise.testing import Deferred, assert_pending


def deferreds() -> None:
    number: Deferred[int] = Deferred()
    number.resolve("1")  # refused: arg-type
    number.resolve()  # refused: call-arg
    number.reject(ValueError)  # refused: arg-type


def assertions() -> None:
    assert_pending(5)  # refused: arg-type
