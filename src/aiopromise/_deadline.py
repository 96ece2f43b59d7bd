"""The time limit of a promise: a timer, and the handlers that stop it."""

import asyncio
from asyncio import CancelledError
from typing import Any, Final, TypeVar, final

from aiopromise._cancellation import cancel
from aiopromise._core import Core
from aiopromise._state import PENDING
from aiopromise._task import Exactly

__all__ = ["MISSING", "Deadline"]

CoreT = TypeVar("CoreT", bound=Core)


@final
class _Missing:
    """The default of an argument for which None is a value."""

    def __repr__(self) -> str:
        return "<missing>"


MISSING: Final[Any] = _Missing()


@final
class Deadline:
    """Cancels a promise when its time is up, and turns that cancellation into what the user asked for."""

    __slots__ = ("_expired", "_fallback", "_seconds", "_source", "_timer")

    def __init__(self, source: Core, seconds: float, fallback: Any) -> None:
        self._source = source
        self._seconds = seconds
        self._fallback = fallback
        self._expired = False
        # None where the loop has refused to set one.
        self._timer: asyncio.TimerHandle | None = None

    def start(self, promise: CoreT) -> CoreT:
        """Give *promise*, whose handlers are those of this deadline, its time."""
        queue = promise._queue
        if promise._origin is not None and promise._origin.call is not None:
            promise._origin.call = f".timeout({self._seconds})"
        self._timer = queue.loop.call_later(max(0, self._seconds), self._expire, promise, context=queue.context)
        return promise

    def on_fulfilled(self, value: Any) -> Exactly:
        self._stop()
        return Exactly(True, value)

    def on_rejected(self, reason: BaseException) -> Exactly:
        self._stop()
        if not (self._expired and isinstance(reason, CancelledError)):
            return Exactly(False, reason)
        if self._fallback is not MISSING:
            return Exactly(True, self._fallback)
        raise TimeoutError(f"no outcome within {self._seconds} seconds") from reason

    def _expire(self, promise: Core) -> None:
        # Not where an outcome is there, or a cancellation, that only waits for its turn in the queue.
        if promise._upstream is self._source and self._source._state == PENDING:
            # Whoever has asked before the time was up has the say: the end is a cancellation, then.
            self._expired = True
            cancel(promise, None)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
