"""Several promises that one promise waits for, and what happens to them once it has its result.

A group cancels what it started, waits until that has ended, and leaves what belongs to the caller running.
"""

import asyncio
from collections.abc import Iterable
from types import CoroutineType
from typing import Any, ClassVar, Final, Literal, TypeAlias, TypeVar

from aiopromise._engine.cancellation import AlreadyCancelled, cancel_each, cancelled_error
from aiopromise._engine.core import (
    Core,
    adopt_outcome,
    detach_future,
    fulfil_or_follow,
    mark_handled,
    mark_propagated,
    must_propagate,
    settle_with,
    start_or_follow,
    without_our_frames,
)
from aiopromise._engine.primitives import new
from aiopromise._engine.queue import Reaction
from aiopromise._engine.state import State, Upstream, has_only, subscribe, withdraw
from aiopromise._engine.state_codes import FULFILLED, PENDING, REJECTED
from aiopromise._engine.tasks import FUTURES, Outcome
from aiopromise._errors import add_note, is_coroutine, short
from aiopromise._loops import is_promise
from aiopromise._unhandled import Rejection

__all__ = ["Group", "Losers", "PrivateInput", "failure", "outcome_of", "private_input"]

Losers: TypeAlias = Literal["cancel", "keep"] | None

# The note on the first failure names at most this many of the later ones.
_MOST_NAMED: Final = 5


class Input(Reaction):
    """A caller's promise that a group waits for."""

    __slots__ = ("group", "index", "is_ending", "promise")

    # Whether the group started it, and not the caller.
    is_owned: ClassVar[bool] = False

    def __init__(self, group: "Group", index: int, promise: Core) -> None:
        self.group = group
        self.index = index
        self.promise = promise
        # Whether the group has cancelled it, and it did not settle immediately.
        self.is_ending = False

    def __repr__(self) -> str:
        return repr(self.group)

    @property
    def target(self) -> Any:
        return self.group.promise

    def detach(self) -> None:
        """Stop waiting for the promise, without cancelling it."""
        withdraw(self.promise, self)

    def is_exclusive(self) -> bool:
        """Return whether the group is the promise's only consumer, so that it is cancelled with the group."""
        return has_only(self.promise, self)

    def _react(self) -> None:
        self.group._on_settled(self, self.index, self.promise)
        del self  # breaks a reference cycle


class PrivateInput(Core):
    """Any other input: also the promise that follows what the caller passed, which nobody else sees.

    It is its own consumer, so that a coroutine costs one object besides its Task.
    """

    __slots__ = ("group", "index", "is_ending", "is_owned")

    group: Any  # None once the input is detached
    index: int
    is_ending: bool
    is_owned: bool

    def __repr__(self) -> str:
        return "Promise" if self.group is None else repr(self.group)

    @property
    def target(self) -> Any:
        return None if self.group is None else self.group.promise

    def detach(self) -> None:
        """Stop waiting for it, without cancelling it, and let go of the group."""
        withdraw(self, self)
        self.group = None
        if not self.is_owned:
            future = self._upstream
            if isinstance(future, FUTURES) and future.done() and self._is_handled:
                adopt_outcome(self, future)  # it ended in this iteration
            else:
                detach_future(self)

    def is_exclusive(self) -> bool:
        return self.is_owned

    @property
    def _on_done(self) -> Any:
        # Itself, as asyncio shows the callbacks of a Task: this one is shown as the user's call.
        return self

    def __call__(self, future: "asyncio.Future[Any]") -> None:
        """Done callback of the upstream, as of any promise; but with nothing else due, the group is told directly."""
        queue = self._queue
        queue.running.discard(self)
        if self._upstream is future:
            is_next = queue.hold() and self._reactions is self
            try:
                if is_next:
                    self._reactions = None
                adopt_outcome(self, future)
                if is_next:
                    self.group._on_settled(self, self.index, self)
            except BaseException:
                # A KeyboardInterrupt from a generator of items, say: no handler runs before it has left the loop.
                queue.postpone()
                raise
            finally:
                del self, future  # breaks a reference cycle
            queue.flush(1 if is_next else 0)

    def _react(self) -> None:
        if self._state == PENDING:
            Core._react(self)
        elif self.group is not None:
            self.group._on_settled(self, self.index, self)
        del self  # breaks a reference cycle


PrivateT = TypeVar("PrivateT", bound=PrivateInput)


def private_input(kind: type[PrivateT], group: "Group", index: int, is_owned: bool) -> PrivateT:
    """Return an input of class *kind* without an upstream."""
    input_: PrivateT = new(kind)
    # Like begin(), but nobody observes it, and its origin is that of the group, which the user made.
    promise = group.promise
    input_._state = PENDING
    input_._value = None
    input_._queue = promise._queue
    input_._reactions = None
    input_._upstream = None
    input_._handlers = None
    input_._is_handled = False
    input_._origin = None if promise._origin is None else promise._origin.of_input()
    input_.group = group
    input_.index = index
    input_.is_ending = False
    input_.is_owned = is_owned
    return input_


AnyInput: TypeAlias = Input | PrivateInput


class Group(Upstream):
    """The upstream of a promise that waits for several others."""

    __slots__ = ("_inputs", "_late", "_loop_run", "_losers", "_method", "_outcome", "_propagates", "promise")

    has_many_sources: ClassVar[bool] = True

    def __init__(self, method: str, promise: Core, losers: Losers) -> None:
        # The name of the method that the user called.
        self._method = method
        self.promise: Any = promise
        promise._upstream = self
        self._losers = losers
        # The pending inputs, with the promise of each; settled ones are not kept.
        # Invariant: each is among its promise's reactions, or queued.
        self._inputs: dict[AnyInput, Core] = {}
        # What the promise will settle with, once all cancelled inputs have ended.
        self._outcome: Outcome | None = None
        # Whether the outcome is a KeyboardInterrupt or SystemExit, which also propagates to the loop or the caller.
        self._propagates = False
        # The reasons of inputs that failed after there was an outcome.
        self._late: list[BaseException] = []
        # The run of the loop in which it began.
        self._loop_run = promise._queue.current_run()

    def __repr__(self) -> str:
        return f"Promise.{self._method}(...)"

    def start(self, items: Iterable[Any]) -> None:
        """Wait for each of *items*; an exception from iterating them is the outcome."""
        # What follows each item: a coroutine by itself, anything else by its id; *held* keeps ids from being reused.
        started: dict[Any, Core] = {}
        held: list[object] = []
        count = 0
        try:
            for item in items:
                self._join(count, item, started, held)
                count += 1
        except BaseException as error:
            if self._conclude_or_report(error):
                raise
        else:
            self._on_all_added(count)
        finally:
            del self, items  # breaks a reference cycle

    def exclusive_sources(self) -> list[State]:
        return [promise for input_, promise in tuple(self._inputs.items()) if input_.is_exclusive()]

    def cancel(self, message: Any) -> list[State]:
        self._answer_request(message)
        # Detach from inputs with other consumers, like a cancelled child; the caller of this cancels the rest.
        for input_, promise in tuple(self._inputs.items()):
            if input_.is_owned:
                mark_handled(promise)
            elif not input_.is_exclusive():
                del self._inputs[input_]
                input_.detach()
                if promise is input_:
                    mark_handled(promise)  # private to us: what it follows reports its own failure
        return self._promises()

    def cancel_losers(self, message: Any) -> list[State]:
        """Cancel the losers because the iterator over the results is cancelled, and return those to cancel."""
        self._answer_request(message)
        self._detach_losers()
        return self._promises()

    def _answer_request(self, message: Any) -> None:
        error = cancelled_error(message)
        if self._outcome is not None and not self._outcome.fulfilled:
            error.__context__ = self._outcome.value
        # Even if there already was a result: a request that ended in a value would be lost.
        #
        #     while True:
        #         await Promise.race(message(), tick())    <-- cancelled while tick() ends: leaves the loop
        self._outcome = failure(error)

    def is_cancelling(self) -> bool:
        self._note_ending()
        for input_, promise in tuple(self._inputs.items()):
            if not input_.is_ending:
                del self._inputs[input_]
                self._on_late_input(input_, promise)
        if not self._inputs:
            self._close()
        return bool(self._inputs)

    def _note_ending(self) -> None:
        for input_, promise in self._inputs.items():
            input_.is_ending = promise._state == PENDING
            if input_.is_ending and not isinstance(promise, PrivateInput):
                promise._is_handled = False  # it reports its own cleanup's failure

    def _on_all_added(self, count: int) -> None:
        """Handle the number of inputs, once all of them have been added."""
        raise NotImplementedError

    def _on_input(self, index: int, promise: Core) -> None:
        """Handle the *promise* of an input that settled before there is a result."""
        raise NotImplementedError

    def _close(self) -> None:
        """Close the source of the inputs; this may add one last input to wait for."""

    def _join(self, index: int, item: Any, started: dict[Any, Core], held: list[object]) -> None:
        # Who owns it decides what happens to it once there is a result: see `_cancels()`.
        kind = type(item)
        if kind is CoroutineType:
            key = item
        elif is_promise(item) and item._queue is self.promise._queue:
            self._add(Input(self, index, item), item)
            return
        else:
            key = id(item)  # its class may define __eq__
        if (known := started.get(key)) is not None:
            # The same coroutine twice: it runs once, and the first of the two owns it. Likewise for a Task.
            self._add(Input(self, index, known), known)
            return
        is_coro = kind is CoroutineType or is_coroutine(item)
        # A promise here is of another loop: the input is rejected if it cannot follow that.
        is_foreign = not is_coro and (issubclass(kind, FUTURES) or is_promise(item))
        input_ = private_input(PrivateInput, self, index, not is_foreign)
        if is_coro:
            start_or_follow(input_, item)
        else:
            fulfil_or_follow(input_, item)
        self._add(input_, input_)
        if is_coro or is_foreign:
            started[key] = input_
            if key is not item:
                held.append(item)

    def _add(self, input_: AnyInput, promise: Core) -> None:
        self._inputs[input_] = promise
        subscribe(promise, input_)

    def _on_settled(self, input_: AnyInput, index: int, promise: Core) -> None:
        if input_ not in self._inputs:
            return  # it was detached while already queued
        del self._inputs[input_]
        try:
            if self._outcome is None:
                self._on_input(index, promise)
            else:
                self._on_late_input(input_, promise)
                self._end()
        except BaseException as error:
            if self._outcome is not None or self._conclude_or_report(error):
                raise
        finally:
            del self, input_, promise  # breaks a reference cycle

    def _on_late_input(self, input_: AnyInput, promise: Core) -> None:
        """Handle an input that settled after there was a result: its outcome is ignored, as by `asyncio.gather()`.

        But an exception from a coroutine's cleanup after it was stopped must be reported; a caller's promise that
        was cancelled reports its own.
        """
        if promise._state != REJECTED:
            return
        rejection = promise._value
        if not (input_.is_ending or rejection.from_cancelled_task):
            mark_handled(promise)
            self._late.append(rejection.reason)
        elif input_.is_owned or (promise is input_ and input_.is_ending):
            self._report(rejection)

    def _report(self, rejection: Rejection) -> None:
        rejection.report(self.promise._queue.loop, {"cancelled by": f"Promise.{self._method}()"})

    def _note_late(self, reason: BaseException) -> None:
        """Add a note to the first failure that counts and names those that came after it."""
        if self._late and self.promise._queue.debug:
            named = ", ".join(map(short, self._late[:_MOST_NAMED]))
            more = ", ..." if len(self._late) > _MOST_NAMED else ""
            add_note(reason, f"{len(self._late)} more failed in Promise.{self._method}() after this: {named}{more}")

    def _conclude_or_report(self, error: BaseException) -> bool:
        """Settle with what user code raised, or report it; return True if it must also propagate."""
        propagates = must_propagate(error)
        if self._outcome is None:
            self._propagates = propagates
            self._conclude(failure(without_our_frames(error)))
        elif not propagates:
            self._report(Rejection(without_our_frames(error), None))
        return propagates

    def _conclude(self, outcome: Outcome) -> None:
        """Settle with *outcome* once the losers have been cancelled and have finished."""
        # Invariant: the first outcome stands, but a cancellation replaces any.
        if self._outcome is not None:
            return
        self._outcome = outcome
        self._detach_losers()
        cancel_each(self._promises(), None, self.already_cancelled())
        self._note_ending()
        self._end()

    def _detach_losers(self) -> None:
        # First those that keep running, so that a loser awaiting one of them becomes its last consumer, in any order.
        for input_, promise in tuple(self._inputs.items()):
            mark_handled(promise)
            if not self._cancels(input_):
                if self.promise._origin is not None:
                    self.promise._origin.loser_abandoned(self.promise, promise)
                del self._inputs[input_]
                input_.detach()
                if promise._state == REJECTED:
                    # It failed in this iteration. A later failure would not be looked at, so whether it had been
                    # cancelled does not matter here either.
                    self._late.append(promise._value.reason)

    def already_cancelled(self) -> AlreadyCancelled:
        """Return the Tasks not to cancel again, because the loop's shutdown has cancelled them."""
        return AlreadyCancelled(self.promise._queue, [], self._loop_run)

    def promises_to_cancel(self) -> list[State]:
        """Return the promises that are cancelled once there is a result."""
        losers = (promise for input_, promise in tuple(self._inputs.items()) if self._cancels(input_))
        return list(dict.fromkeys(losers))

    def _promises(self) -> list[State]:
        """Return the promise of each input once, even if it is several of them."""
        return list(dict.fromkeys(self._inputs.values()))

    def _cancels(self, input_: AnyInput) -> bool:
        return input_.is_owned if self._losers is None else self._losers == "cancel"

    def _end(self) -> None:
        # Invariant: the promise settles when no input is left, and no earlier: by then, what was cancelled has ended.
        #
        #     await Promise.race(fast(), slow())    <-- returns after the finally of slow()
        try:
            if not self._inputs:
                self._close()
        finally:  # also if a KeyboardInterrupt propagates from the generator of items
            if not self._inputs and self._outcome is not None and self.promise._upstream is self:
                if not self._outcome.fulfilled:
                    self._note_late(self._outcome.value)
                settle_with(self.promise, self._outcome)
                if self._propagates:
                    mark_propagated(self.promise)


def failure(reason: BaseException) -> Outcome:
    """Return the outcome of being rejected, or cancelled, with *reason*."""
    return Outcome(False, reason)


def outcome_of(promise: Core) -> Outcome:
    """Return the outcome of the settled *promise*, marking a rejection as handled."""
    if promise._state == FULFILLED:
        return Outcome(True, promise._value)
    return failure(promise._value.retrieve(promise))
