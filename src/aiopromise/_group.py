"""Several promises that one promise hangs on, and what becomes of them when it has its answer.

A group stops what it started itself, waits until that has ended, and lets go of what belongs to the caller.
"""

import asyncio
from asyncio import CancelledError
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, TypeAlias, final

from aiopromise._cancellation import cancel, is_cancelling
from aiopromise._convert import resolve
from aiopromise._core import cancelled_error, leave, leave_future, resolve_with, settle_exactly, without_our_frames
from aiopromise._errors import is_coroutine
from aiopromise._promise import Promise
from aiopromise._recorder import recorders
from aiopromise._state import FULFILLED, PENDING, State, Tie, has_only, pending, subscribe, withdraw
from aiopromise._task import Exactly

__all__ = ["Group", "Losers", "Member", "Owned", "failure", "outcome_of"]

Losers: TypeAlias = Literal["cancel", "keep"] | None


class Member:
    """A promise of the caller's that a group waits for."""

    __slots__ = ("group", "index", "promise")

    def __init__(self, group: "Group", index: int, promise: Promise[Any]) -> None:
        self.group = group
        self.index = index
        self.promise = promise

    @property
    def target(self) -> Promise[Any]:
        return self.group.promise

    def let_go(self) -> None:
        """Stop waiting for the promise, and leave it alone."""
        withdraw(self.promise, self)

    def withdraw(self, message: Any) -> bool:
        """Stop waiting, as a consumer that nobody wants any more; True: the promise is about to end.

        The last one takes the promise with it, and waits for its end.
        """
        if has_only(self.promise, self):
            return self._end(message)
        self.let_go()
        return False

    def _end(self, message: Any) -> bool:
        cancel(self.promise, message)
        return self.promise._state == PENDING

    def _react(self) -> None:
        self.group._heard(self)
        del self  # as in _heard()


@final
class Owned(Member):
    """A promise of what the group started itself."""

    __slots__ = ()

    def withdraw(self, message: Any) -> bool:
        return self._end(message)


@final
class Outside(Member):
    """A Task or Future of the caller's, and the promise that follows it for this group alone."""

    __slots__ = ()

    def let_go(self) -> None:
        super().let_go()
        leave_future(self.promise)

    def withdraw(self, message: Any) -> bool:
        self.let_go()
        return False


class Group(Tie):
    """The upstream of a promise that hangs on several others."""

    __slots__ = ("_has_left", "_losers", "_members", "_outcome", "promise")

    has_many_sources: ClassVar[bool] = True

    def __init__(self, promise: Promise[Any], losers: Losers) -> None:
        self.promise = promise
        promise._upstream = self
        self._losers = losers
        # Those that are still waited for; of those that have arrived nothing is kept.
        self._members: dict[Member, None] = {}
        # What the promise will settle with, as soon as all that was stopped has ended.
        self._outcome: Exactly | None = None
        # Whether that is the reason for which the loop, or the caller, is left, too.
        self._has_left = False

    def start(self, items: Iterable[Any]) -> None:
        """Wait for each of *items*; what iterating them raises is the answer."""
        started: dict[int, tuple[object, Promise[Any]]] = {}
        count = 0
        try:
            for item in items:
                self._join(count, item, started)
                count += 1
        except BaseException as error:
            if self._failed(error):
                raise
        else:
            self._started(count)
        finally:
            del self, items

    def stop(self, promise: State, message: Any) -> bool:
        error = cancelled_error(message)
        if self._outcome is not None and not self._outcome.fulfilled:
            error.__context__ = self._outcome.value
        # Also where there was an answer already: a request that ended in a value would be lost.
        #
        #     while True:
        #         await Promise.race(message(), tick())    <-- cancelled while tick() ends: the loop is left
        self._outcome = failure(error)
        for member in tuple(self._members):
            if not member.withdraw(message):
                self._members.pop(member, None)
        if not self._members:
            self._close()
        return bool(self._members)

    def is_stopping(self) -> bool:
        return self._outcome is not None and isinstance(self._outcome.value, CancelledError)

    def _started(self, count: int) -> None:
        """Be told how many there are."""
        raise NotImplementedError

    def _arrived(self, member: Member) -> None:
        """Be told that one has settled, before there is an answer."""
        raise NotImplementedError

    def _close(self) -> None:
        """Close what the members came from; may wait for a last one."""

    def _join(self, index: int, item: Any, started: dict[int, tuple[object, Promise[Any]]]) -> None:
        kind = type(item)
        if kind is Promise and item._queue is self.promise._queue:
            self._add(Member(self, index, item))
        elif kind is Promise:
            self._add(Outside(self, index, self._followed(item)))
        elif id(item) in started:
            # The same coroutine twice: it runs once, and the first of the two answers for it. So with a Task.
            self._add(Member(self, index, started[id(item)][1]))
        elif issubclass(kind, asyncio.Future) or is_coroutine(item):
            started[id(item)] = item, resolve(item)
            member = Owned if is_coroutine(item) else Outside
            self._add(member(self, index, started[id(item)][1]))
        else:
            self._add(Owned(self, index, resolve(item)))

    def _followed(self, foreign: Promise[Any]) -> Promise[Any]:
        follower: Promise[Any] = pending(self.promise._queue)
        resolve_with(follower, foreign)
        return follower

    def _add(self, member: Member) -> None:
        self._members[member] = None
        subscribe(member.promise, member)

    def _heard(self, member: Member) -> None:
        if member not in self._members:
            return  # it was let go when it was in the queue already
        del self._members[member]
        if self._outcome is None:
            self._arrived(member)
        else:
            self._end()
        del self, member  # this frame is seen from the traceback of what code of the user's has raised there

    def _failed(self, error: BaseException) -> bool:
        """Settle with what code of the user's has raised; True: it is to leave the loop, too."""
        self._has_left = isinstance(error, KeyboardInterrupt | SystemExit)
        self._conclude(failure(without_our_frames(error)))
        return self._has_left

    def _conclude(self, outcome: Exactly) -> None:
        """Settle with *outcome*, once the losers have ended that are to be stopped."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        # First those that run on: a loser that awaits one of them is then its last consumer, whichever came first.
        for member in tuple(self._members):
            if self._losers == "keep" or (self._losers is None and not isinstance(member, Owned)):
                for recorder in recorders:
                    recorder.left(self.promise, member.promise)
                member.let_go()
                del self._members[member]
        for member in tuple(self._members):
            # When the loop ends all Tasks are cancelled at once: a second request would break into their cleanup.
            if not is_cancelling(member.promise):
                cancel(member.promise, None)
        self._end()

    def _end(self) -> None:
        try:
            if not self._members:
                self._close()
        finally:  # a KeyboardInterrupt may leave the generator of the items
            if not self._members and self._outcome is not None and self.promise._upstream is self:
                settle_exactly(self.promise, self._outcome)
                if self._has_left:
                    leave(self.promise)


def failure(reason: BaseException) -> Exactly:
    """Return the outcome of being rejected, or cancelled, with *reason*."""
    return Exactly(False, reason)


def outcome_of(promise: Promise[Any]) -> Exactly:
    """Return how the settled *promise* ended, and take its rejection."""
    if promise._state == FULFILLED:
        return Exactly(True, promise._value)
    return failure(promise._value.take(promise))
