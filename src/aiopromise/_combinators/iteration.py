"""Groups whose results are iterated as they arrive, and what the iterator waits for."""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Generator
from typing import Any, final

from aiopromise._combinators.group import Group
from aiopromise._engine.awaiter import wait_for_end
from aiopromise._engine.core import Core, adopt_state, mark_handled, settle
from aiopromise._engine.coroutines import shown_as
from aiopromise._engine.state import State, Upstream, pending
from aiopromise._engine.state_codes import CANCELLED, FULFILLED, PENDING
from aiopromise._engine.tasks import Outcome
from aiopromise._shutdown import start_generator

__all__ = ["Incoming", "Iterated"]


@final
class Arrival(Upstream):
    """What the iterator over a group's results waits for; cancelling it cancels the group."""

    __slots__ = ("_group", "promise")

    def __init__(self, group: Group) -> None:
        self._group = group
        self.promise: Any = pending(group.promise._queue, f"Promise.{group._method}", group.promise)
        self.promise._upstream = self

    def __repr__(self) -> str:
        return repr(self._group)

    def come(self) -> None:
        """Wake the iterator."""
        if self._group.promise._state == CANCELLED:
            adopt_state(self.promise, self._group.promise)
        else:
            settle(self.promise, FULFILLED, None)

    def exclusive_sources(self) -> list[State]:
        return self._group.promises_to_cancel()

    def cancel(self, message: Any) -> list[State]:
        return self._group.cancel_losers(message)

    def is_cancelling(self) -> bool:
        if not self._group.is_cancelling():
            self._group._end()
        return True


@final
class Ending:
    """The end of a group that is cancelled with its iterator.

    async def read(own):
        async for _ in Promise.map_unordered([0], lambda _: own[0]):    <-- own[0] is the promise of this coroutine:
            ...                                                             cancelled, it would wait for itself
    """

    def __init__(self, promise: Core) -> None:
        self._promise = promise

    def __await__(self) -> Generator[Any, Any, None]:
        iterator: Generator[Any, Any, None] = wait_for_end(self._promise)
        return iterator


@final
class Incoming:
    """Results not consumed yet, and what the iterator waits for when there are none."""

    __slots__ = ("arrival", "results")

    def __init__(self) -> None:
        self.results: deque[Any] = deque()
        self.arrival: Arrival | None = None

    def add(self, result: Any) -> None:
        self.results.append(result)
        self.wake()

    def wake(self) -> None:
        """Wake the iterator, if it is waiting."""
        arrival, self.arrival = self.arrival, None
        if arrival is not None:
            arrival.come()


class Iterated(Group):
    """A group with an async iterator over its results; nobody else awaits its promise."""

    # The slot for _incoming is in the subclasses: a class cannot have two bases with slots of their own.
    __slots__ = ()

    _incoming: Incoming

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        mark_handled(self.promise)

    def stream(self) -> AsyncGenerator[Any, None]:
        """Return the iterator; from now on, closing or dropping it cancels the group's work."""
        generator = shown_as(f"Promise.{self._method}")(self._iterate())
        start_generator(generator, self.promise._queue)
        return generator

    async def _iterate(self) -> AsyncGenerator[Any, None]:
        incoming = self._incoming
        left: BaseException | None = None
        try:
            try:
                # stream() advances the generator to here: one that never started would be closed silently, and its
                # work would keep running.
                yield None
                self._iterated()
                while incoming.results or self.promise._state == PENDING:
                    if incoming.results:
                        yield self._yielded(incoming.results.popleft())
                    else:
                        incoming.arrival = Arrival(self)
                        await incoming.arrival.promise
            except BaseException as error:
                left = error
            # Not inside the except, where sys.exception() would not show what the closing code is handling.
            if left is not None:
                await self._close_early(left)
                raise left
            await self.promise
        finally:
            incoming.arrival = None
            del self, incoming, left  # breaks a reference cycle

    async def _close_early(self, error: BaseException) -> None:
        """Stop what is running, and wait until it has ended, when *error* ends the iterator.

        A failure in the meantime is raised, unless it would replace a cancellation: either *error*, or one that is
        propagating through the code that closes the iterator:

            async with aclosing(Promise.as_completed(fails(), slow())) as pairs:
                await something()    <-- cancelled here
        """
        is_request = any(issubclass(type(one), asyncio.CancelledError) for one in (error, sys.exception()))
        # No result, just the end: running work is cancelled, and an earlier failure still counts.
        self._conclude(Outcome(True, None))
        try:
            await (Ending(self.promise) if is_request else self.promise)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            if not is_request:
                raise
        finally:
            del self, error  # breaks a reference cycle

    def _iterated(self) -> None:
        """Start the work, when the first result is requested."""

    def _yielded(self, result: Any) -> Any:
        """Return what the iterator yields for *result*."""
        raise NotImplementedError

    def _end(self) -> None:
        super()._end()
        self._incoming.wake()
