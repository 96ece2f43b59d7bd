"""What a test left behind: unhandled rejections, and promises and losers still running."""

import asyncio
import sys
import weakref
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from traceback import FrameSummary, StackSummary, format_exception
from types import FrameType
from typing import Any, Final, NamedTuple

from aiopromise._combinators.group import Group
from aiopromise._debug import Origin
from aiopromise._engine.core import Core
from aiopromise._engine.state_codes import PENDING, REJECTED
from aiopromise._engine.tasks import TASKS
from aiopromise._errors import is_ours
from aiopromise._executors import ExecutorFuture
from aiopromise._instruments import Instrument
from aiopromise._loops import instruments_of_all, observe_all, stop_observing_all
from aiopromise._promise import Promise
from aiopromise._pytest.attribution import Project, TestScope, package_of
from aiopromise._unhandled import Rejection, listeners

__all__ = ["Leftover", "Recording"]

# Modules that run loops, and call the library from there: a promise with only these above it is not a user's.
_RUNNERS: Final = {"asyncio", "uvloop", "anyio", "pytest_asyncio"}

# Modules that may be between user code and the library, such as mocks, and whose lines mean nothing to the user.
_BETWEEN: Final = sys.stdlib_module_names - _RUNNERS


class Leftover(NamedTuple):
    """One leftover: its kind, a description, and where it was made."""

    kind: str
    what: str
    origin: Origin


class Recording(Instrument):
    """All promises that a test makes while recording, by line of user code; only the project's own can be left over.

    They and their loops are held weakly, so that all of them live, die and report as they would without it.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        # Every promise, kept alive, if that was requested.
        self.kept: list[Promise[Any]] | None = None
        self._scope = TestScope()
        # Listeners older than the test, which do not count for it.
        self._listeners = {*listeners}
        self._made: list[weakref.ref[Promise[Any]]] = []
        self._limit = 100
        self._losers: list[tuple[weakref.ref[Any], Origin]] = []
        self._unhandled: list[Leftover] = []
        # What was running at the last look; work that a loop cancels at its shutdown is a leftover all the same.
        self._running: dict[weakref.ref[asyncio.AbstractEventLoop], list[Leftover]] = {}

    def start(self) -> None:
        """Start recording."""
        observe_all(self)
        self._scope.start()

    def stop(self) -> None:
        """Stop recording, if started; the findings are kept."""
        if self in instruments_of_all:
            stop_observing_all(self)
            self._scope.stop()

    def paused(self) -> AbstractContextManager[None]:
        """Ignore what others make in this block, and what they start."""
        return self._scope.away()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Record what is made in this block, on asyncio or not, and look for leftovers at its end."""
        with self._scope.at_work():
            try:
                yield
            finally:
                self.look()

    def promise_created(self, promise: Any, call: str, parent: Any) -> None:
        if not isinstance(promise, Promise):
            return  # a call by a pool, whose promise is recorded
        frame = _calling_frame(sys._getframe(1))
        if frame is None or not self._scope.is_at_work():
            return
        if self.kept is not None:
            self.kept.append(promise)
        if not self._project.owns(frame):
            return
        origin = promise._origin
        origin.frames = origin.frames or StackSummary.from_list([_summary_of(frame)])
        origin.recording = self
        self._made.append(weakref.ref(promise))
        self._running.setdefault(weakref.ref(promise.get_loop()), [])
        if len(self._made) > self._limit:
            self._limit = 100 + 2 * len(self._promises())

    def rejection_died(self, rejection: Rejection) -> None:
        """Note a rejection that dies unhandled."""
        if self._is_unhandled(rejection):
            self._unhandled.append(_unhandled(rejection))

    def loser_abandoned(self, promise: Any, loser: Any) -> None:
        if self._is_ours(promise._origin) and self._is_ours(loser._origin):
            upstream = loser._upstream
            runs = upstream if isinstance(upstream, TASKS) else loser
            self._losers.append((weakref.ref(runs), promise._origin))

    def look(self) -> None:
        """Note what is running now, on every loop that is still open."""
        loops = [(reference, reference()) for reference in self._running]
        now: dict[weakref.ref[asyncio.AbstractEventLoop], list[Leftover]]
        now = {reference: [] for reference, loop in loops if loop is not None and not loop.is_closed()}
        losers = [(runs, origin) for reference, origin in self._losers if (runs := reference()) is not None]
        for runs, origin in losers:
            if self._is_running(runs) and (loop := weakref.ref(runs.get_loop())) in now:
                now[loop].append(Leftover("losers", repr(runs), origin))
        # By id: there may be many, and a user's future may not support == or hash().
        known = {id(runs) for runs, _ in losers}
        for promise in self._promises():
            if id(promise) in known or id(promise._upstream) in known:
                continue
            if (loop := weakref.ref(promise.get_loop())) in now and self._is_running(promise):
                now[loop].append(Leftover("pending", repr(promise), promise._origin))
        self._running |= now

    def leftovers(self, kinds: Collection[str]) -> list[Leftover]:
        """Return the leftovers of these *kinds*, and mark rejections among them as reported."""
        running = [leftover for found in self._running.values() for leftover in found]
        unhandled = [*self._unhandled, *self._report_those_alive()] if "unhandled" in kinds else []
        return unhandled + [leftover for leftover in running if leftover.kind in kinds]

    def _report_those_alive(self) -> list[Leftover]:
        rejections = [promise._value for promise in self._promises() if promise._state == REJECTED]
        unhandled = [rejection for rejection in rejections if self._is_unhandled(rejection)]
        for rejection in unhandled:
            rejection._loop = None
        return [*map(_unhandled, unhandled)]

    def _promises(self) -> list[Any]:
        """Return the live ones, and drop the others."""
        alive = [(promise, reference) for reference in self._made if (promise := reference()) is not None]
        self._made = [reference for _, reference in alive]
        return [promise for promise, _ in alive]

    def _is_ours(self, origin: Origin | None) -> bool:
        return origin is not None and origin.recording is self

    def _is_unhandled(self, rejection: Rejection) -> bool:
        """Return whether it was not handled, nor reported to a listener of the test."""
        told = rejection._told or ()
        unhandled = rejection._loop is not None or (bool(told) and self._listeners.issuperset(told))
        return unhandled and self._is_ours(rejection._origin)

    def _is_running(self, work: Any) -> bool:
        """Return whether *work* is running, belongs to the test and was not cancelled."""
        if isinstance(work, TASKS):
            return not work.done() and not work.cancelling() and self._scope.may_have_begun(work)
        if not isinstance(work, Core) or work._state != PENDING:
            return False
        upstream = work._upstream
        if isinstance(upstream, Group):
            # What it alone follows; the promises of others are looked at by themselves.
            return any(self._is_running(promise) for input_, promise in upstream._inputs.items() if promise is input_)
        return isinstance(upstream, ExecutorFuture) or (isinstance(upstream, TASKS) and self._is_running(upstream))


def _calling_frame(frame: FrameType | None) -> FrameType | None:
    """Return the nearest user frame, or None if the loop called the library."""
    while frame is not None and (is_ours(frame) or package_of(frame) in _BETWEEN):
        frame = frame.f_back
    return None if frame is None or package_of(frame) in _RUNNERS else frame


def _summary_of(frame: FrameType) -> FrameSummary:
    # The text of the line is read only when shown.
    return FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, lookup_line=False)


def _unhandled(rejection: Rejection) -> Leftover:
    assert rejection._origin is not None
    reason = BaseException.with_traceback(rejection.reason, rejection.traceback)
    return Leftover("unhandled", "".join(format_exception(reason)).rstrip(), rejection._origin)
