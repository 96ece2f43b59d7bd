"""The same again, after a pause."""

from collections.abc import Callable
from http.client import HTTPException
from typing import TypeVar

from aiopromise import Promise

__all__ = ["FinalError", "persist"]

T = TypeVar("T")


class FinalError(HTTPException):
    """The response is an error, and would be the same again."""


def persist(attempt: Callable[[], Promise[T]], retries: int, pause: float = 0.25) -> Promise[T]:
    """Return a promise for the result of *attempt*, retried up to *retries* times if the network or the server fails.

    Each pause is twice as long as the one before.
    """

    def again(error: Exception) -> Promise[T]:
        if retries == 0 or isinstance(error, FinalError):
            raise error
        return Promise.delay(pause).then(lambda _: persist(attempt, retries - 1, pause * 2))

    return attempt().catch((OSError, HTTPException), again)
