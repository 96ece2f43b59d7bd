"""Hooks for test harnesses: called for each new promise and what becomes of it."""

from typing import Any, Final, Protocol

__all__ = ["Instrument", "instruments"]


class Instrument(Protocol):
    """An observer; called synchronously, so it must not raise or settle anything."""

    def promise_created(self, promise: Any, origin: Any) -> Any:
        """Observe a new promise; return its origin, which may be a new one."""

    def rejection_unhandled(self, rejection: Any) -> None:
        """Observe a rejection that dies unhandled."""

    def loser_abandoned(self, promise: Any, loser: Any) -> None:
        """Observe that *promise* has its result and leaves the promise *loser* running."""


instruments: Final[list[Instrument]] = []
