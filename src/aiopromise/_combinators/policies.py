"""When a group settles: with all values, the first outcome, the first values, or one at a time."""

from asyncio import CancelledError
from collections.abc import Callable, Iterable
from typing import Any

from aiopromise._combinators.group import Group, Losers, failure, outcome_of
from aiopromise._combinators.iteration import Incoming, Iterated
from aiopromise._engine.core import Core
from aiopromise._engine.state import settled
from aiopromise._engine.state_codes import FULFILLED, REJECTED
from aiopromise._engine.tasks import Outcome
from aiopromise._loops import is_promise
from aiopromise._settled import Fulfilled, Rejected

__all__ = ["All", "AllSettled", "AsCompleted", "First", "Make", "Race", "Some"]

Make = Callable[[Iterable[Any]], Any]


class All(Group):
    """All values, or the first failure."""

    __slots__ = ("_found", "_make")

    def __init__(self, method: str, promise: Core, losers: Losers, make: Make) -> None:
        super().__init__(method, promise, losers)
        # Makes a tuple from separate arguments, a list from one iterable, a dict from a mapping.
        self._make = make
        # By index, as they come in any order; empty until their number is known.
        self._found: list[Any] = []

    def _on_all_added(self, count: int) -> None:
        self._found = [None] * count
        if not self._inputs:
            self._complete()

    def _on_input(self, index: int, promise: Core) -> None:
        if promise._state == FULFILLED:
            self._found[index] = promise._value
            if not self._inputs:
                self._complete()
        else:
            self._conclude(outcome_of(promise))

    def _complete(self) -> None:
        self._conclude(Outcome(True, self._make(self._found)))


class AllSettled(All):
    """All outcomes."""

    __slots__ = ()

    def _on_input(self, index: int, promise: Core) -> None:
        outcome = outcome_of(promise)
        self._found[index] = Fulfilled(outcome.value) if outcome.fulfilled else Rejected(outcome.value)
        if not self._inputs:
            self._complete()


class Race(Group):
    """The first outcome."""

    __slots__ = ()

    def _on_all_added(self, count: int) -> None:
        if count == 0:
            self._conclude(failure(ValueError("Promise.race() needs at least one awaitable, or it would never settle")))

    def _on_input(self, index: int, promise: Core) -> None:
        # Even a cancellation: `any` would wait for another, `race` takes the first.
        self._conclude(outcome_of(promise))


class Some(Group):
    """The first values, or an error once too many have failed."""

    __slots__ = ("_count", "_reasons", "_total", "_values")

    def __init__(self, method: str, promise: Core, losers: Losers, count: int) -> None:
        super().__init__(method, promise, losers)
        self._count = count
        self._total = 0
        self._values: list[Any] = []
        self._reasons: dict[int, BaseException] = {}

    def _on_all_added(self, count: int) -> None:
        self._total = count
        if count < self._count:
            self._conclude(failure(self._too_few()))

    def _on_input(self, index: int, promise: Core) -> None:
        outcome = outcome_of(promise)
        if outcome.fulfilled:
            self._values.append(outcome.value)
        else:
            self._reasons[index] = outcome.value
        # Settled as soon as possible: with the last value needed, or when too few can still come.
        if len(self._values) == self._count:
            self._conclude(Outcome(True, self._answer()))
        elif len(self._values) + len(self._inputs) < self._count:
            self._conclude(failure(self._reason()))

    def _answer(self) -> Any:
        return self._values

    def _too_few(self) -> ValueError:
        return ValueError(
            f"Promise.some({self._count}, ...) needs at least {self._count} awaitables, got {self._total}"
        )

    def _reason(self) -> BaseException:
        reasons = [self._reasons[index] for index in sorted(self._reasons)]
        # A cancellation is not a failure, so it is left out of the group; if there is nothing else, it is the outcome.
        errors = [reason for reason in reasons if not issubclass(type(reason), CancelledError)]
        if not errors:
            return reasons[-1]
        return BaseExceptionGroup(f"{len(reasons)} of {self._total} awaitables failed", errors)


class First(Some):
    """The first value."""

    __slots__ = ()

    def _answer(self) -> Any:
        return self._values[0]

    def _too_few(self) -> ValueError:
        return ValueError("Promise.any() needs at least one awaitable, or nothing could fulfil it")


class AsCompleted(Iterated):
    """All promises, in the order in which they settle."""

    __slots__ = ("_incoming",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._incoming = Incoming()

    def _yielded(self, result: tuple[int, Core]) -> tuple[int, Core]:
        index, promise = result
        if not is_promise(promise):
            private, promise = promise, settled(promise._queue, promise._state, promise._value)
            promise._origin = private._origin
        # From here on, handling it is the caller's responsibility.
        if promise._state == REJECTED:
            promise._value.resume()
        return index, promise

    def _on_all_added(self, count: int) -> None:
        if count == 0:
            self._conclude(Outcome(True, None))

    def _on_input(self, index: int, promise: Core) -> None:
        if promise._state == REJECTED:
            promise._value.suspend()
        self._incoming.add((index, promise))
        if not self._inputs:
            self._conclude(Outcome(True, None))
