"""How a request to end travels through promises, and where it stops."""

import asyncio
from asyncio import CancelledError
from typing import Any, final

from aiopromise._core import Core, cancelled_error, settle, settle_like, take_outcome
from aiopromise._rejection import Cancellation
from aiopromise._state import CANCELLED, PENDING, State, Tie, has_only, settled, withdraw

__all__ = ["Shield", "cancel", "is_cancelling", "leave_request", "running_task"]


def cancel(promise: Core, message: Any) -> bool:
    """Ask for *promise* to end: see `Promise.cancel`.

    The request climbs from link to link as long as nobody else wants what is above:

        a = Promise(work())     <-- the Task is cancelled here,
        b = a.then(parse)           unless a has another consumer than b,
        c = b.then(store)           or b another than c:
        c.cancel()                  then the lower part is cut off, and ends at once
    """
    if promise._state != PENDING:
        return False
    if promise._queue.debug:
        promise._queue.check_thread("cancel")
    path, upstream = _climb(promise)
    top = path.pop()
    if isinstance(upstream, asyncio.Future):
        if not upstream.done():
            upstream.cancel(msg=message)
        if not upstream.done():
            return True  # it runs its cleanup; what comes of that travels down as any outcome does
        take_outcome(top, upstream)
        if not path:
            return promise._state == CANCELLED
    elif isinstance(upstream, Tie):
        if upstream.stop(top, message):
            return True
        path.append(top)
    elif upstream is None or isinstance(upstream, Core):
        path.append(top)
    else:
        _leave_request(top, message)
        return True
    _interrupt(path, cancelled_error(message))
    return True


def running_task(promise: Core) -> "asyncio.Task[Any] | None":
    """Return the Task that a request to end *promise* would reach, if there is one; nothing is changed by asking."""
    upstream = _climb(promise)[1]
    return upstream if isinstance(upstream, asyncio.Task) and not upstream.done() else None


def leave_request(promise: Core, message: Any) -> bool:
    """Tell whether a request to end *promise* would reach a coroutine in its first step, and leave it there if so."""
    path, upstream = _climb(promise)
    if upstream is None or isinstance(upstream, asyncio.Future | Tie | Core):
        return False
    _leave_request(path[-1], message)
    return True


def _leave_request(promise: Core, message: Any) -> None:
    promise._value = cancelled_error(message)  # `_core` takes it up when the step is over


def _climb(promise: Core) -> tuple[list[Core], Any]:
    path = [promise]
    upstream = promise._upstream
    while isinstance(upstream, Core) and has_only(upstream, path[-1]):
        path.append(upstream)
        upstream = upstream._upstream
    return path, upstream


def _interrupt(path: list[Core], error: CancelledError) -> None:
    """Cancel the links of *path*, its last one first, down to one whose handler is for cancellations."""
    while path:
        link = path.pop()
        queued = _let_go(link)
        if link._on_rejected is not None and isinstance(error, link._catches):
            link._upstream = settled(link._queue, CANCELLED, Cancellation(error))
            if not queued:
                link._queue.push(link)
            return
        link._on_fulfilled = link._on_rejected = link._context = None
        settle(link, CANCELLED, Cancellation(error))


def _let_go(promise: Core) -> bool:
    """Leave the upstream, and tell whether it was in the queue already."""
    upstream, promise._upstream = promise._upstream, None
    if isinstance(upstream, Core):
        withdraw(upstream, promise)
        return upstream._state != PENDING
    return False


def is_cancelling(promise: Core) -> bool:
    """Tell whether what *promise* hangs on was asked to end."""
    upstream: Any = promise
    while isinstance(upstream, Core):
        upstream = upstream._upstream
    if isinstance(upstream, Tie):
        return upstream.is_stopping()
    return isinstance(upstream, asyncio.Task) and upstream.cancelling() > 0


@final
class Shield(Tie):
    """What a shielded promise hangs on: it hears of the outcome, and no request climbs through it."""

    __slots__ = ("source", "target")

    def __init__(self, source: Core, target: Core) -> None:
        self.source = source
        self.target = target

    def stop(self, promise: State, message: Any) -> bool:
        withdraw(self.source, self)
        return False

    def _react(self) -> None:
        if self.target._upstream is self:
            settle_like(self.target, self.source)
