"""Hooks for test harnesses: called for each new promise and what becomes of it."""

from typing import Any, Final, Protocol

__all__ = ["Instrument", "instruments"]


class Instrument(Protocol):
    """An observer; called synchronously, so it must not raise or settle anything."""

    def promise_created(self, promise: Any, origin: Any) -> Any:
        """Observe a new promise; return where it was made, if that is not known yet."""

    def rejection_unhandled(self, rejection: Any) -> None:
        """Observe a rejection that dies, and that nobody has handled."""

    def loser_abandoned(self, promise: Any, loser: Any) -> None:
        """Observe that *promise* has its answer and leaves the promise *loser* running."""


instruments: Final[list[Instrument]] = []
