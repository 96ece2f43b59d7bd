"""What an iterator over the results of a group waits for."""

from typing import Any, final

from aiopromise._group import Group
from aiopromise._promise import Promise
from aiopromise._settle import settle, settle_like
from aiopromise._state import CANCELLED, FULFILLED, PENDING, State, Tie, pending

__all__ = ["Arrival"]


@final
class Arrival(Tie):
    """What the iterator over the results of a group waits for; a request to end that comes to it is the group's."""

    __slots__ = ("_group", "promise")

    def __init__(self, group: Group) -> None:
        self._group = group
        self.promise: Promise[None] = pending(group.promise._queue)
        self.promise._upstream = self

    def come(self) -> None:
        """Let the iterator look at what there is."""
        if self.promise._state == PENDING and self._group.promise._state == CANCELLED:
            settle_like(self.promise, self._group.promise)
        elif self.promise._state == PENDING:
            settle(self.promise, FULFILLED, None)

    def wanted_alone(self) -> list[State]:
        return self._group.losers()

    def stop(self, promise: State, message: Any) -> list[State]:
        return self._group.stop_losers(message)

    def is_stopping(self) -> bool:
        if not self._group.is_stopping():
            self._group._end()
        return True
