"""What a tracer knows of promises: in debug mode where they were made and what is slow, for instruments what happens.

The engine knows neither: it calls the `Tracer` that its queue is given for each new promise, and from then on the
`Origin` of that promise.
"""

import logging
import sys
import traceback
from asyncio import CancelledError
from contextvars import Context
from itertools import islice
from time import monotonic
from traceback import StackSummary
from types import FunctionType
from typing import Any, Final, final

from aiopromise._engine.primitives import new
from aiopromise._engine.queue import Queue, Reaction
from aiopromise._engine.state import State, handlers_of
from aiopromise._engine.state_codes import PENDING
from aiopromise._engine.tasks import is_awaitable, name_of, unwrapped
from aiopromise._errors import add_note, is_coroutine, is_ours
from aiopromise._instruments import Instrument, Instruments

__all__ = ["Origin", "Tracer"]

# An endless chain must not keep all the links that it ever had.
_MOST_LINKS: Final = 16

# Most frames that are inspected, as each promise keeps their summaries.
_MOST_FRAMES: Final = 16

_NO_FRAMES: Final = StackSummary()

logger = logging.getLogger("aiopromise")


class Tracer:
    """What a queue calls while it is traced: in debug mode, or with instruments."""

    def __init__(self) -> None:
        self.instruments = Instruments()

    def trace(self, promise: Any, call: str, parent: Any) -> "Origin | None":
        """Return the origin of a new *promise*, made by *call*; if that is a method, *parent* is its promise."""
        queue: Queue = promise._queue
        instruments = self.instruments
        if queue.debug:
            if parent is not None:
                queue.check_thread(call)
        elif not instruments.added:
            # The last one was removed, maybe because it failed.
            queue.traced = queue.is_observed = False
            return None
        promise._origin = origin = origin_of(call)
        if queue.debug:
            _places.promise_created(promise, call, parent)
        if instruments.added:
            origin.instruments = instruments
            if instruments.promise_created:
                instruments.tell_created(promise, call, parent)
        return origin

    def trace_call(self, promise: Any, pool: Any) -> None:
        """Trace the call of a pool's function that settles *promise*."""
        origin: Origin = promise._origin
        if promise._queue.debug:
            # The loop made it; the user knows the line that called map().
            origin.link = repr(pool)
        if self.instruments.added:
            origin.call = f"Promise.{pool._method}"
            origin.instruments = self.instruments
            self.instruments.tell_created(promise, origin.call, pool.promise)

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


@final
class Places(Instrument):
    """The instrument of debug mode: it records where promises are made, and where links are attached."""

    __slots__ = ()

    def promise_created(self, promise: Any, call: str, parent: Any) -> None:
        origin: Origin = promise._origin
        origin.frames = _users_frames()
        if parent is not None:
            origin.attach(_link(call, promise), parent._origin)


_places: Final = Places()


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
class Origin:
    """What a tracer knows of one promise."""

    # Most promises keep the defaults of the class below, and storing those in each would take time. So only what is
    # set for all that are observed has a slot; the rest is in the dict, if there is anything.
    __slots__ = ("__dict__", "call", "done", "ended", "handler", "instruments", "made", "name", "started", "state")

    # What made it: for example "then", or "Promise.all".
    call: str
    # When it was made.
    made: float
    # The stack of the user's code where it was made; empty outside debug mode, unless it is recorded.
    frames = _NO_FRAMES
    # The link as the user wrote it, and those above; None for the start of a chain, and outside debug mode.
    link: str | None = None
    above: tuple[str, ...] = ()
    # Whether it follows a promise that its handler returned, whose rejection is the handler's failure.
    follows = False
    # The recording of pytest that the promise belongs to.
    recording: Any = None
    # Those that observe the promise; None if there were none when it was made.
    instruments: Instruments | None
    # The async handler that is running.
    handler: object
    # Once there is one, the name of the handler that was called, or of the coroutine that was wrapped.
    name: str
    # Only if instruments observe it, and once it has happened: when the handler started and ended, when the promise
    # settled, and how.
    started: float
    ended: float
    done: float
    state: int

    # The engine calls these.

    def run(self, promise: Any, handler: Any, argument: Any, context: Context) -> Any:
        """Call *handler* of *promise* in *context*; if there are instruments, tell them when it starts and ends."""
        instruments = self.instruments
        shown = result = None
        try:
            if instruments is None:
                return context.run(handler, argument)
            if type(handler) is FunctionType:  # most are, and this is done for each link
                shown, self.name = handler, handler.__name__
            else:
                shown = unwrapped(handler)
                self.name = name_of(shown)
            self.started = monotonic()
            if instruments.handler_started:
                context.run(instruments.tell_of, instruments.handler_started, promise, shown)
            result = context.run(handler, argument)
            # is_awaitable() first: it is quick for plain values.
            if is_awaitable(result) and is_coroutine(result) and promise._state == PENDING:
                # It ends with its Task, whose outcome settles the promise.
                self.handler = shown
            return result
        finally:
            if instruments is not None and self.handler is None:
                self.ended = monotonic()
                if instruments.handler_ended:
                    context.run(instruments.tell_of, instruments.handler_ended, promise, shown)
            # What the handler raises, or something that it calls keeps, leads to this frame.
            del promise, handler, argument, context, shown, result  # breaks a reference cycle

    def settled(self, promise: Any) -> None:
        """Tell instruments that *promise* has settled, and that its async handler, if there is one, has ended."""
        instruments = self.instruments
        if instruments is not None:
            if self.handler is not None:
                handler, self.handler = self.handler, None
                self.ended = monotonic()
                instruments.tell_of(instruments.handler_ended, promise, handler)
            self.state = promise._state
            self.done = monotonic()
            if instruments.promise_settled:
                instruments.tell(instruments.promise_settled, promise)

    def cancel_requested(self, promise: Any) -> None:
        if self.instruments is not None:
            self.instruments.tell(self.instruments.cancel_requested, promise)

    def observes_rejections(self) -> bool:
        """Return whether any instrument is to be told if nobody handles a rejection."""
        instruments = self.instruments
        return instruments is not None and bool(instruments.rejection_unhandled or instruments.rejection_handled_late)

    def rejection_unhandled(self, promise: Any, reason: BaseException) -> None:
        if self.instruments is not None:
            self.instruments.tell_of(self.instruments.rejection_unhandled, promise, reason)

    def rejection_handled_late(self, promise: Any, reason: BaseException) -> None:
        if self.instruments is not None:
            self.instruments.tell_of(self.instruments.rejection_handled_late, promise, reason)

    def loser_abandoned(self, promise: Any, loser: Any) -> None:
        if self.instruments is not None:
            self.instruments.tell_of(self.instruments.loser_abandoned, promise, loser)

    def of_input(self) -> "Origin":
        """Return that of a private input of the promise, made later on behalf of the same line, and not observed."""
        origin = origin_of(self.call)
        origin.frames, origin.link, origin.above = self.frames, self.link, self.above
        origin.recording = self.recording
        return origin

    def attach(self, link: str, above: "Origin | None") -> None:
        """Record that the promise is a link: *link* is what the user wrote, *above* the origin of its source."""
        self.link = link
        self.above = () if above is None else above.links()[-_MOST_LINKS:]

    def links(self) -> Links:
        """Return where the chain starts, and where each link was attached, down to this one."""
        if not self.frames:
            return Links(self.above)  # all frames were the library's
        place = f"{self.frames[-1].filename}:{self.frames[-1].lineno}"
        return Links((*self.above, f"made at {place}" if self.link is None else f"{self.link}, attached at {place}"))

    def add_note(self, error: BaseException) -> None:
        """Add a note to *error* that names this link, whose handler raised it."""
        if self.link is None or not self.frames or issubclass(type(error), CancelledError):
            return
        add_note(error, f"in {self.links()[-1]}")

    def report(self) -> dict[str, Any]:
        """Return what the report of an unhandled rejection says about the promise."""
        if not self.frames:
            return {}
        links = self.links()
        return {"source_traceback": self.frames} | ({"links": links} if len(links) > 1 else {})


def origin_of(call: str) -> Origin:
    """Return what is known of a promise that is being made by *call*."""
    # Not by a call of the class, which would take longer.
    origin: Origin = new(Origin)
    origin.call = call
    origin.made = monotonic()
    origin.instruments = origin.handler = None
    return origin
