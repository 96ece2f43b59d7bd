"""A group whose results are iterated as they come, and what the iterator waits for."""

from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, final

from aiopromise._group import Group
from aiopromise._promise import Promise
from aiopromise._settle import mark_handled, settle, settle_like
from aiopromise._state import CANCELLED, FULFILLED, PENDING, State, Tie, pending

__all__ = ["Incoming", "Iterated"]


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


@final
class Incoming:
    """The results that an iterator has not taken yet, and what it waits for if there are none."""

    __slots__ = ("arrival", "results")

    def __init__(self) -> None:
        self.results: deque[Any] = deque()
        self.arrival: Arrival | None = None

    def add(self, result: Any) -> None:
        self.results.append(result)
        self.wake()

    def wake(self) -> None:
        """Let the iterator look, if it waits."""
        arrival, self.arrival = self.arrival, None
        if arrival is not None:
            arrival.come()


class Iterated(Group):
    """A group with an async iterator over its results; nobody else awaits its promise."""

    # None of its own, for no class can have two bases with some: it is in those of the classes that follow.
    __slots__ = ()

    _incoming: Incoming

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        mark_handled(self.promise)

    async def _results(self) -> AsyncGenerator[Any, None]:
        incoming = self._incoming
        try:
            try:
                self._iterated()
                while incoming.results or self.promise._state == PENDING:
                    if incoming.results:
                        yield self._handed_on(incoming.results.popleft())
                    else:
                        incoming.arrival = Arrival(self)
                        await incoming.arrival.promise
            except BaseException as error:
                await self.leave(error)
                raise
            await self.promise
        finally:
            incoming.arrival = None
            del self, incoming  # this frame is seen from the traceback of a failure

    def _iterated(self) -> None:
        """Be told that the first result is asked for."""

    def _handed_on(self, result: Any) -> Any:
        """Return what the iterator gives for *result*, which it takes now."""
        raise NotImplementedError

    def _end(self) -> None:
        super()._end()
        self._incoming.wake()
