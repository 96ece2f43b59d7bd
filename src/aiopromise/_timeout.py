"""Time limits: the upstream of a promise made by `timeout()`."""

import asyncio
from asyncio import CancelledError
from contextvars import Context
from typing import Any, Final, final

from aiopromise._engine.cancellation import AlreadyCancelled, PassThrough, Route, end
from aiopromise._engine.core import Core, adopt_state, reject, reject_raised, settle
from aiopromise._engine.coroutines import shown_as
from aiopromise._engine.state import has_only, subscribe, withdraw
from aiopromise._engine.state_codes import CANCELLED, FULFILLED, PENDING
from aiopromise._errors import closed_loop

__all__ = ["MISSING", "Deadline"]


@final
class _Missing:
    """The default of an argument for which None is a value."""

    def __repr__(self) -> str:
        return "<missing>"


MISSING: Final[Any] = _Missing()


@final
class Deadline(PassThrough):
    """Cancels the source on timeout, and turns that cancellation into `TimeoutError` or the fallback.

    But not a cancellation that was also requested elsewhere, before or after; like `asyncio.timeout`:

        limited = Promise(work()).timeout(1)    <-- after a second the work is cancelled, and cleans up
        task = create_task(wait_for(limited))
        task.cancel()                           <-- meanwhile: it ends in CancelledError, not TimeoutError
    """

    __slots__ = ("_fallback", "_has_expired", "_has_left", "_is_withdrawn", "_seconds", "_timer")

    def __init__(self, source: Core, target: Core, seconds: float, fallback: Any) -> None:
        self.source = source
        self.target = target
        self.requests = 0  # from below, in addition to its own
        self._seconds = seconds
        self._fallback = fallback
        self._has_expired = False
        # Whether it has stopped waiting for the source, and is about to settle the target.
        self._has_left = False
        # Whether it no longer waits, either for an outcome or for a cleanup.
        self._is_withdrawn = False
        # None before start(), and once it is over.
        self._timer: asyncio.Handle | None = None

    def __repr__(self) -> str:
        return f".timeout({self._seconds})"

    def start(self) -> None:
        """Start the timer."""
        source, target = self.source, self.target
        queue = target._queue
        if queue.debug and target._origin is not None:
            target._origin.attach(repr(self), source._origin)
        if source._state != PENDING:
            if queue.loop.is_closed():
                raise closed_loop("timeout", source)
            # Like `await`, which would not suspend: neither a timer nor a cancellation can come in between.
            adopt_state(target, source)
        elif self._seconds <= 0:
            self._timer = queue.loop.call_soon(self._expire, context=Context())
        else:
            self._timer = queue.loop.call_later(self._seconds, self._expire, context=Context())
        # Last, so that if the timer cannot be made, the source has no consumer.
        if target._state == PENDING:
            target._upstream = self
            subscribe(source, self)

    def sole_source(self) -> Core | None:
        return None if self._has_left else self.source

    def detach(self) -> None:
        super().detach()
        self._cancel_timer()

    @shown_as("Promise.timeout")
    def _expire(self) -> None:
        self._timer = None
        self._has_expired = True
        source = self.source
        # A single Task is cancelled as asyncio.timeout() does. With several, or if the source has other consumers,
        # it is decided one iteration later, as for a cancelled awaiter.
        route: Route | None = None
        tasks: list[asyncio.Future[Any]] = []
        if has_only(source, self):
            route = Route(source)
            if route.task() is not None:
                end(source, None)
                return
            tasks = route.tasks()
            route.announce()
        # Like a cancelled awaiter: it no longer waits for an outcome, and withdraws in the next iteration.
        self._is_withdrawn = True
        queue = source._queue
        already_cancelled = AlreadyCancelled(queue, tasks, queue.current_run())
        queue.loop.call_soon(self._withdraw, already_cancelled, route, context=Context())
        for task in tasks:
            task.cancel()

    @shown_as("Promise.timeout")
    def _withdraw(self, already_cancelled: AlreadyCancelled, route: Route | None) -> None:
        if route is not None:
            route.retract()
        source, target = self.source, self.target
        if target._upstream is not self:
            return
        if has_only(source, self):
            self._is_withdrawn = False  # the effect of the request is the outcome
            end(source, None, already_cancelled)
        elif source._state == PENDING:
            self._has_left = True
            withdraw(source, self)
            source._queue.push(self)

    def _react(self) -> None:
        source, target = self.source, self.target
        if target._upstream is not self:
            return  # it was cancelled while this was queued
        # The three are checked in the same order as by asyncio.timeout().
        self._cancel_timer()
        if source._state == CANCELLED and self._has_expired:
            self._cancelled(source._value.retrieve(source))
        elif self._is_withdrawn:
            self._cancelled(CancelledError())
        else:
            adopt_state(target, source)

    def _cancelled(self, reason: CancelledError) -> None:
        if self.requests:
            # It was also cancelled from elsewhere: that must not be swallowed.
            reject(self.target, reason)
        elif self._fallback is not MISSING:
            settle(self.target, FULFILLED, self._fallback)
        else:
            error = TimeoutError(f"timed out after {self._seconds} seconds")
            error.__cause__ = reason
            reject_raised(self.target, error)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
