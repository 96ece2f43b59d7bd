"""The outcome of a promise as a value: the upstream of a promise made by `settled()`."""

from typing import final

from aiopromise._engine.cancellation import PassThrough
from aiopromise._engine.core import Core, reject, settle
from aiopromise._engine.state import subscribe
from aiopromise._engine.state_codes import CANCELLED, FULFILLED
from aiopromise._settled import Fulfilled, Rejected

__all__ = ["Settlement"]


@final
class Settlement(PassThrough):
    """Fulfils the target with the outcome of the source; but a cancellation that came from below cancels it.

    A Task that was cancelled while it awaited the target must not go on with a value:

        outcome = await work.settled()    <-- cancelled here: raises CancelledError once the work has ended
    """

    __slots__ = ()

    def __init__(self, source: Core, target: Core) -> None:
        self.source = source
        self.target = target
        self.requests = 0

    def __repr__(self) -> str:
        return ".settled()"

    def start(self) -> None:
        """Wait for the source."""
        source, target = self.source, self.target
        if target._origin is not None and target._queue.debug:
            target._origin.attach(repr(self), source._origin)
        target._upstream = self
        subscribe(source, self, "settled")

    def _react(self) -> None:
        source, target = self.source, self.target
        if target._upstream is not self:
            return  # it was cancelled while this was queued
        if source._state == FULFILLED:
            settle(target, FULFILLED, Fulfilled(source._value))
            return
        reason = source._value.retrieve(source)
        if source._state == CANCELLED and self.requests:
            reject(target, reason)
        else:
            settle(target, FULFILLED, Rejected(reason))
