"""What a drain of the queue does: it runs the reactions, so many of them or for so long."""

import logging
from time import monotonic
from typing import Final

from aiopromise._engine.queue import Queue
from aiopromise._engine.state import PENDING, State

__all__ = ["run"]

# One drain runs for so many seconds before I/O and timers have their turn.
_SECONDS: Final = 0.002

logger = logging.getLogger("aiopromise")


def run(queue: Queue, most: int) -> None:
    """Run at most so many of the reactions that wait in *queue*."""
    if queue.debug:
        _run_and_name_the_slow(queue, most)
        return
    # No local name for the reaction: this frame is seen from the traceback of whatever a handler raises, and would
    # make a cycle of the exception and the promise that holds it.
    items = queue.items
    popleft = items.popleft
    end = monotonic() + _SECONDS
    # Reading the clock costs as much as a tenth of a handler: after 1, 2, 4, 8, 16, 32 of them, then every 16.
    look = 1
    for count in range(1, most + 1):
        if not items:
            return
        popleft()._react()
        if count == look:
            if monotonic() > end:
                return
            look += min(count, 16)


def _run_and_name_the_slow(queue: Queue, most: int) -> None:
    items = queue.items
    end = monotonic() + _SECONDS
    for _ in range(most):
        start = monotonic()
        if not items or start > end:
            return
        reaction = items.popleft()
        # A pending promise forgets its handlers as it calls them. Other names are made only where they are told.
        name = repr(reaction) if isinstance(reaction, State) and reaction._state == PENDING else None
        # An awaiter forgets the Task that goes on, and that is what takes long.
        runs = getattr(getattr(reaction, "_wakeup", None), "__self__", reaction)
        try:
            reaction._react()
        finally:
            seconds = monotonic() - start
            # No part of AbstractEventLoop: where there is none it is that of asyncio.
            if seconds >= getattr(queue.loop, "slow_callback_duration", 0.1):
                logger.warning("%s took %.3f seconds", name or repr(runs), seconds)
            del reaction, runs
