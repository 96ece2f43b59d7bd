"""What is recorded only in debug mode: where a promise was made, where its links were attached, and what is slow.

The engine knows debug mode only through the `Tracer` that its queue is given.
"""

import logging
import sys
import traceback
from asyncio import CancelledError
from collections.abc import Iterable
from itertools import islice
from time import monotonic
from traceback import FrameSummary, StackSummary
from typing import Any, Final, Self, final

from aiopromise._engine.queue import Queue, Reaction
from aiopromise._engine.state import State, handlers_of
from aiopromise._engine.state_codes import PENDING
from aiopromise._engine.tasks import name_of
from aiopromise._errors import add_note, is_ours
from aiopromise._instruments import instruments

__all__ = ["Origin", "Tracer"]

# An endless chain must not keep all the links that it ever had.
_MOST_LINKS: Final = 16

# Most frames that are inspected, as each promise keeps their summaries.
_MOST_FRAMES: Final = 16

logger = logging.getLogger("aiopromise")


class Tracer:
    """What a queue calls in debug mode, or while promises are recorded."""

    def trace(self, promise: Any, call: str | None) -> "Origin | None":
        """Notify the instruments of a new *promise*; return its origin, if recorded. *call* is the method's name."""
        queue: Queue = promise._queue
        origin = None
        if queue.debug:
            if call is not None:
                queue.check_thread(call)
            origin = Origin(_users_frames())
            if call is not None:
                origin.attach(_link(call, promise), promise._upstream._origin)
        for instrument in tuple(instruments):
            origin = instrument.promise_created(promise, origin)
        return origin

    def run(self, reaction: Reaction, queue: Queue) -> None:
        """Run *reaction*, and log it if it exceeds the loop's `slow_callback_duration`."""
        # A pending promise drops its handlers when it calls them, so take its name now; others only if logged.
        name = repr(reaction) if isinstance(reaction, State) and reaction._state == PENDING else None
        # An awaiter drops the Task that it resumes, which is what takes long.
        runs = getattr(getattr(reaction, "_wakeup", None), "__self__", reaction)
        start = monotonic()
        try:
            reaction._react()
        finally:
            seconds = monotonic() - start
            # Not part of AbstractEventLoop: if the loop has none, use asyncio's.
            if seconds >= getattr(queue.loop, "slow_callback_duration", 0.1):
                logger.warning("%s took %.3f seconds", name or repr(runs), seconds)
            del reaction, runs  # breaks a reference cycle


def _users_frames() -> StackSummary:
    """Return where the user's code is now, without the library's frames."""
    stack = [*islice(traceback.walk_stack(sys._getframe(1)), _MOST_FRAMES)]
    users = [place for place in reversed(stack) if not is_ours(place[0])]
    return StackSummary.extract(users, lookup_lines=False)


def _link(method: str, promise: Any) -> str:
    """Return the call that made *promise*, as the user wrote it, with its handlers' names."""
    # As it was typed: `.then(None, f)`, but `.catch(f)`, whose handler is the second one.
    handlers = handlers_of(promise)
    while handlers and handlers[-1] is None:
        handlers.pop()
    if method != "then":
        handlers = [handler for handler in handlers if handler is not None][:1]
    return f".{method}({', '.join('None' if handler is None else name_of(handler) for handler in handlers)})"


@final
class Links(tuple[str, ...]):
    """The start of a chain and its links, from top to bottom, as shown in a report."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "".join(f"\n  {link}" for link in self)


@final
class Origin(StackSummary):
    """The stack of the user's code where a promise was made."""

    def __init__(self, frames: Iterable[FrameSummary]) -> None:
        super().__init__(frames)
        # The link as the user wrote it; None for the start of a chain, and outside debug mode.
        self.call: str | None = None
        self.above: tuple[str, ...] = ()
        # Whether it follows a promise that its handler returned, whose rejection is the handler's failure.
        self.follows = False
        # The recording that the promise belongs to.
        self.recording: object = None

    def attach(self, call: str, above: "Origin | None") -> None:
        """Record that the promise is a link: *call* is what the user wrote, *above* the origin of its source."""
        self.call = call
        self.above = () if above is None else above.links()[-_MOST_LINKS:]

    def with_call(self, call: str) -> Self:
        """Return a copy for a promise made later on behalf of the same line; *call* is what the user wrote."""
        origin = type(self)(self)
        origin.call = call
        return origin

    def links(self) -> Links:
        """Return where the chain starts, and where each link was attached, down to this one."""
        if not self:
            return Links(self.above)  # all frames were the library's
        place = f"{self[-1].filename}:{self[-1].lineno}"
        return Links((*self.above, f"made at {place}" if self.call is None else f"{self.call}, attached at {place}"))

    def add_note(self, error: BaseException) -> None:
        """Add a note to *error* that names this link, whose handler raised it."""
        if self.call is None or not self or issubclass(type(error), CancelledError):
            return
        add_note(error, f"in {self.links()[-1]}")

    def report(self) -> dict[str, Any]:
        """Return what the report of an unhandled rejection says about the promise."""
        links = self.links()
        return {"source_traceback": self} | ({"links": links} if len(links) > 1 else {})
