"""The reactions of one event loop: first in, first out, drained within one turn of the loop.

Everything that answers a settled promise goes through here: handlers, awaiters and done callbacks. The queue
also knows what is unfinished on its loop, and finishes it when the loop ends.
"""

import asyncio
import contextvars
import logging
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from time import monotonic
from typing import Any, Final, Protocol, final

from aiopromise._rejection import Rejection, announce

__all__ = ["Queue", "Reaction", "start_generator"]

# One drain runs so many reactions, or so many seconds, before I/O and timers have their turn.
_MOST: Final = 1024
_SECONDS: Final = 0.002

_ATTRIBUTE: Final = "_aiopromise_queue"

logger = logging.getLogger("aiopromise")


class Reaction(Protocol):
    """Something that is run once, when the promise that it was registered on has settled."""

    def _react(self) -> None: ...


@final
class Queue:
    """The reaction queue of one loop."""

    __slots__ = (
        "_armed",
        "_draining",
        "_guardian",
        "_items",
        "_roots",
        "_roots_limit",
        "_suspects",
        "cleanups",
        "context",
        "debug",
        "loop",
        "passed",
        "works",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.debug = loop.get_debug()
        # The callbacks of the library itself need no variables, and keep nobody's context alive.
        self.context = contextvars.Context()
        # A running Task is held by its loop only weakly: whoever waits for one is held here, until it ends.
        self.works: set[Any] = set()
        # The same for what runs because of a cancellation, which the end of the loop must not interrupt.
        self.cleanups: set[Any] = set()
        # The awaiters that the request to end has passed which is being handed on right now.
        self.passed: set[Any] | None = None
        self._items: deque[Reaction] = deque()
        self._armed = False
        self._draining = False
        self._suspects: list[tuple[object, Rejection]] = []
        self._roots: list[weakref.ref[Any]] = []
        self._roots_limit = 1000
        self._guardian = _guard(self)
        start_generator(self._guardian)

    @staticmethod
    def of(loop: asyncio.AbstractEventLoop) -> "Queue":
        """Return the queue of *loop*, made on first use.

        It is kept as an attribute of the loop, for it must live as long: the queue refers to the loop, so a
        weak dictionary of queues would never let go of it.
        """
        queue: Queue | None = getattr(loop, _ATTRIBUTE, None)
        if queue is None:
            queue = Queue(loop)
            setattr(loop, _ATTRIBUTE, queue)
        return queue

    def push(self, reaction: Reaction) -> None:
        """Let *reaction* run after all that were pushed before it, never within this call."""
        if not self._armed:
            self._arm()
        self._items.append(reaction)

    def extend(self, reactions: Iterable[Reaction]) -> None:
        """Push all *reactions*, in their order."""
        if not self._armed:
            self._arm()
        self._items.extend(reactions)

    def suspect(self, promise: object, rejection: Rejection) -> None:
        """Announce *rejection* after the drain, unless it was taken by then."""
        if not self._armed:
            self._arm()
        self._suspects.append((promise, rejection))

    def watch(self, root: object) -> None:
        """Have *root*, whose outcome comes from outside, cancelled when the loop ends; hold it only weakly."""
        self._roots.append(weakref.ref(root))
        if len(self._roots) > self._roots_limit:
            self._roots = [weakref.ref(root) for root in self._pending_roots()]
            self._roots_limit = 1000 + 2 * len(self._roots)

    def hold(self) -> None:
        """Let what is pushed from now on wait for `flush()`, which saves it a turn of the loop.

        Only for callbacks that the loop itself calls: none of the user's code is below them, so handlers
        may run before they return.
        """
        self._armed = True

    def flush(self) -> None:
        """Drain what was pushed since `hold()`."""
        if not self._draining:
            self._drain()

    def check_thread(self, call: str) -> None:
        """Raise `RuntimeError` where the loop runs, but in another thread than this: checked in debug mode only."""
        if self.loop.is_running() and asyncio._get_running_loop() is not self.loop:
            raise RuntimeError(
                f"{call}() was called from another thread than that of its loop\n\n"
                f"Write loop.call_soon_threadsafe(...); only resolve() and reject() may be called from any thread"
            )

    async def finish(self) -> None:
        """Cancel all that is pending, once, and wait until it has ended."""
        asked: set[Any] = set()
        # All Tasks have been cancelled by now. What runs still was begun by a cleanup, so it is left alone until
        # the cleanups have ended.
        await self._ask(self._pending_roots(), asked)
        while unasked := [one for one in (*self._pending_roots(), *self.works) if one not in asked]:
            await self._ask(unasked, asked)

    async def _ask(self, unasked: list[Any], asked: set[Any]) -> None:
        asked.update(unasked)
        for promise in unasked:
            promise.cancel()
        while True:
            running = self.cleanups | {promise for promise in asked if not promise.done()}
            if self._items:
                await asyncio.sleep(0)
            elif running:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            else:
                return

    def _pending_roots(self) -> list[Any]:
        roots = (root() for root in self._roots)
        return [root for root in roots if root is not None and not root.done()]

    def _arm(self) -> None:
        self.loop.call_soon(self._drain, context=self.context)
        self._armed = True

    def _drain(self) -> None:
        self._draining = True
        self.debug = self.loop.get_debug()
        try:
            if self.debug:
                self._run_and_name_the_slow()
            else:
                self._run()
            if self._suspects and not self._items:
                suspects, self._suspects = self._suspects, []
                announce(suspects)
        finally:
            # Also where a KeyboardInterrupt leaves the drain: what waits behind it must still be run.
            self._draining = False
            self._armed = False
            if self._items or self._suspects:
                self._arm()

    def _run(self) -> None:
        # No local name for the reaction: this frame is seen from the traceback of whatever a handler raises,
        # and would make a cycle of the exception and the promise that holds it.
        items = self._items
        end = monotonic() + _SECONDS
        for _ in range(_MOST):
            if not items:
                return
            items.popleft()._react()
            if monotonic() > end:
                return

    def _run_and_name_the_slow(self) -> None:
        end = monotonic() + _SECONDS
        for _ in range(_MOST):
            start = monotonic()
            if not self._items or start > end:
                return
            name = repr(self._items[0])
            try:
                self._items.popleft()._react()
            finally:
                seconds = monotonic() - start
                if seconds >= self.loop.slow_callback_duration:
                    logger.warning("%s took %.3f seconds", name, seconds)


async def _guard(queue: Queue) -> AsyncGenerator[None, None]:
    """Finish *queue* when the loop ends.

    A loop knows its asynchronous generators and closes them at its end: after it has cancelled all Tasks, and
    while it can still run what they left to do. No other hook comes early enough.
    """
    try:
        yield
    finally:
        await queue.finish()


def start_generator(generator: AsyncGenerator[Any, None]) -> None:
    """Let *generator* run to its first ``yield``, so that the loop knows it and its ``finally`` will run."""
    try:
        generator.asend(None).send(None)
    except StopIteration:
        pass
