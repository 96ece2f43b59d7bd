"""Several promises that one promise hangs on, and what becomes of them when it has its answer.

A group stops what it started itself, waits until that has ended, and lets go of what belongs to the caller.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final, Literal, TypeAlias, final

from aiopromise._engine.cancellation import Spared, ask_each
from aiopromise._engine.core import (
    Core,
    cancelled_error,
    leave,
    leave_future,
    mark_handled,
    resolve_with,
    settle_exactly,
    stops,
    take_outcome,
    without_our_frames,
)
from aiopromise._engine.state import (
    CANCELLED,
    FULFILLED,
    PENDING,
    REJECTED,
    State,
    Tie,
    has_only,
    pending,
    subscribe,
    withdraw,
)
from aiopromise._engine.tasks import FUTURES, Exactly
from aiopromise._errors import add_note, is_coroutine, short
from aiopromise._factories import resolve
from aiopromise._instruments import recorders
from aiopromise._unhandled import Rejection

__all__ = ["Group", "Losers", "Member", "Owned", "failure", "outcome_of"]

Losers: TypeAlias = Literal["cancel", "keep"] | None

# A note names so many of the failures that came after the first.
_MOST_NAMED: Final = 5


class Member:
    """A promise of the caller's that a group waits for."""

    __slots__ = ("group", "index", "is_asked", "promise")

    def __init__(self, group: "Group", index: int, promise: Core) -> None:
        self.group = group
        self.index = index
        self.promise = promise
        # Whether the group has asked it to end, and it has not ended at once.
        self.is_asked = False

    def __repr__(self) -> str:
        return repr(self.group)

    @property
    def target(self) -> Any:
        return self.group.promise

    def let_go(self) -> None:
        """Stop waiting for the promise, and leave it alone."""
        withdraw(self.promise, self)

    def is_last(self) -> bool:
        """Tell whether nobody but the group wants the promise, which then ends with it."""
        return has_only(self.promise, self)

    def _react(self) -> None:
        self.group._heard(self)
        del self  # as in _heard()


@final
class Owned(Member):
    """A promise of what the group started itself."""

    __slots__ = ()

    def is_last(self) -> bool:
        return True


@final
class Outside(Member):
    """A Task or Future of the caller's, and the promise that follows it for this group alone."""

    __slots__ = ()

    def let_go(self) -> None:
        super().let_go()
        future = self.promise._upstream
        if isinstance(future, FUTURES) and future.done() and self.promise._is_handled:
            take_outcome(self.promise, future)  # it has ended in this very turn
        else:
            leave_future(self.promise)

    def is_last(self) -> bool:
        return False


class Group(Tie):
    """The upstream of a promise that hangs on several others."""

    __slots__ = ("_has_left", "_late", "_losers", "_members", "_method", "_outcome", "_was_one_asked", "promise")

    has_many_sources: ClassVar[bool] = True

    def __init__(self, method: str, promise: Core, losers: Losers) -> None:
        # What the user has called.
        self._method = method
        self.promise: Any = promise
        promise._upstream = self
        self._losers = losers
        # Those that are still waited for; of those that have arrived nothing is kept.
        self._members: dict[Member, None] = {}
        # What the promise will settle with, as soon as all that was stopped has ended.
        self._outcome: Exactly | None = None
        self._was_one_asked = False
        # Why others have failed since then.
        self._late: list[BaseException] = []
        # Whether that is the reason for which the loop, or the caller, is left, too.
        self._has_left = False

    def __repr__(self) -> str:
        return f"Promise.{self._method}(...)"

    def start(self, items: Iterable[Any]) -> None:
        """Wait for each of *items*; what iterating them raises is the answer."""
        started: dict[int, tuple[object, Core]] = {}
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

    def wanted_alone(self) -> list[State]:
        return [member.promise for member in tuple(self._members) if member.is_last()]

    def stop(self, promise: State, message: Any) -> list[State]:
        self._answer_request(message)
        for member in tuple(self._members):
            if type(member) is Owned:
                mark_handled(member.promise)
            elif not member.is_last():
                del self._members[member]
                member.let_go()
                if type(member) is not Member:
                    mark_handled(member.promise)  # nobody else has it: what it follows speaks for itself
        return _promises_of(self._members)

    def stop_losers(self, message: Any) -> list[State]:
        """Be told of a request that came to the iterator over the results: it is left early, and says so at the end."""
        self._answer_request(message)
        self._let_go_of_losers()
        return _promises_of(self._members)

    def _answer_request(self, message: Any) -> None:
        error = cancelled_error(message)
        if self._outcome is not None and not self._outcome.fulfilled:
            error.__context__ = self._outcome.value
        # Also where there was an answer already: a request that ended in a value would be lost.
        #
        #     while True:
        #         await Promise.race(message(), tick())    <-- cancelled while tick() ends: the loop is left
        self._outcome = failure(error)

    def is_stopping(self) -> bool:
        for member in tuple(self._members):
            member.is_asked = member.promise._state == PENDING
            if not member.is_asked:
                del self._members[member]
                self._came_late(member)
        if not self._members:
            self._close()
        return bool(self._members)

    def _started(self, count: int) -> None:
        """Be told how many there are."""
        raise NotImplementedError

    def _arrived(self, member: Member) -> None:
        """Be told that one has settled, before there is an answer."""
        raise NotImplementedError

    def _close(self) -> None:
        """Close what the members came from; may wait for a last one."""

    def _join(self, index: int, item: Any, started: dict[int, tuple[object, Core]]) -> None:
        kind = type(item)
        if issubclass(kind, Core) and item._queue is self.promise._queue:
            self._add(Member(self, index, item))
        elif issubclass(kind, Core):
            self._add(Outside(self, index, self._followed(item)))
        elif id(item) in started:
            # The same coroutine twice: it runs once, and the first of the two answers for it. So with a Task.
            self._add(Member(self, index, started[id(item)][1]))
        elif issubclass(kind, FUTURES) or is_coroutine(item):
            started[id(item)] = item, resolve(item)
            member = Owned if is_coroutine(item) else Outside
            self._add(member(self, index, started[id(item)][1]))
        else:
            self._add(Owned(self, index, resolve(item)))

    def _followed(self, foreign: Core) -> Core:
        follower: Core = pending(self.promise._queue)
        resolve_with(follower, foreign)
        return follower

    def _add(self, member: Member) -> None:
        self._members[member] = None
        subscribe(member.promise, member)

    def _heard(self, member: Member) -> None:
        if member not in self._members:
            return  # it was let go when it was in the queue already
        del self._members[member]
        # It may have asked itself; else it was somebody who asks all Tasks, as asyncio.run() does at its end.
        if type(member) is Owned and member.promise._state == CANCELLED and member.promise._value.was_asked_for:
            self._was_one_asked = True
        try:
            if self._outcome is None:
                self._arrived(member)
            else:
                self._came_late(member)
                self._end()
        except BaseException as error:
            if self._outcome is not None or self._failed(error):
                raise
        finally:
            del self, member  # this frame is seen from the traceback of what code of the user's has raised there

    def _came_late(self, member: Member) -> None:
        """Be told that one has ended after the answer: how is nobody's business, as with `asyncio.gather`.

        But what a coroutine has raised because it was stopped is a fault in its cleanup, of which somebody has to
        hear; a promise of the caller's, that was asked to end, tells by itself.
        """
        if member.promise._state != REJECTED:
            return
        rejection = member.promise._value
        if not (member.is_asked or rejection.was_asked_for):
            mark_handled(member.promise)
            self._late.append(rejection.reason)
        elif type(member) is Owned or (type(member) is Outside and member.is_asked):
            self._report(rejection)

    def _report(self, rejection: Rejection) -> None:
        rejection.report(self.promise._queue.loop, {"stopped by": f"Promise.{self._method}()"})

    def _note_late(self, reason: BaseException) -> None:
        """Let the traceback of the first failure tell of those that came after it."""
        if self._late and self.promise._queue.debug:
            named = ", ".join(map(short, self._late[:_MOST_NAMED]))
            more = ", ..." if len(self._late) > _MOST_NAMED else ""
            add_note(reason, f"{len(self._late)} more failed in Promise.{self._method}() after it: {named}{more}")

    def _failed(self, error: BaseException) -> bool:
        """Settle with what code of the user's has raised; True: it is to leave the loop, too."""
        self._has_left = stops(error)
        self._conclude(failure(without_our_frames(error)))
        return self._has_left

    def _conclude(self, outcome: Exactly) -> None:
        """Settle with *outcome*, once the losers have ended that are to be stopped."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        self._let_go_of_losers()
        ask_each(_promises_of(self._members), None, self.spared())
        for member in self._members:
            member.is_asked = member.promise._state == PENDING
        self._end()

    def _let_go_of_losers(self) -> None:
        # First those that run on: a loser that awaits one of them is then its last consumer, whichever came first.
        for member in tuple(self._members):
            if self._losers != "cancel" or type(member) is not Member:
                mark_handled(member.promise)
            if not self._stops(member):
                for recorder in recorders:
                    recorder.left(self.promise, member.promise)
                del self._members[member]
                member.let_go()
                if member.promise._state == REJECTED:
                    # In this very turn; had it come later, nobody would ask whether it was stopped, and by whom.
                    self._late.append(member.promise._value.reason)

    def spared(self) -> Spared | None:
        """Return those that are not to be asked, where it may be that the end of the loop has asked them."""
        return Spared(self.promise._queue, []) if self._was_one_asked else None

    def losers(self) -> list[State]:
        """Return the promises that are stopped when there is an answer."""
        return _promises_of(member for member in tuple(self._members) if self._stops(member))

    def _stops(self, member: Member) -> bool:
        return self._losers == "cancel" or (self._losers is None and isinstance(member, Owned))

    def _end(self) -> None:
        try:
            if not self._members:
                self._close()
        finally:  # a KeyboardInterrupt may leave the generator of the items
            if not self._members and self._outcome is not None and self.promise._upstream is self:
                if not self._outcome.fulfilled:
                    self._note_late(self._outcome.value)
                settle_exactly(self.promise, self._outcome)
                if self._has_left:
                    leave(self.promise)


def _promises_of(members: Iterable[Member]) -> list[State]:
    """Return each promise once: one that is several of the inputs is to be asked once, too."""
    return list(dict.fromkeys(member.promise for member in members))


def failure(reason: BaseException) -> Exactly:
    """Return the outcome of being rejected, or cancelled, with *reason*."""
    return Exactly(False, reason)


def outcome_of(promise: Core) -> Exactly:
    """Return how the settled *promise* ended, and take its rejection."""
    if promise._state == FULFILLED:
        return Exactly(True, promise._value)
    return failure(promise._value.take(promise))
