"""The reaction queue of an event loop: first in, first out.

Every reaction to a settled promise goes through it: handlers, awaiters and done callbacks. It also tracks what is
unfinished on its loop.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context
from time import monotonic
from types import FrameType
from typing import Any, Final
from weakref import WeakSet, ref

from aiopromise._engine.primitives import weak_reference
from aiopromise._engine.state_codes import PENDING
from aiopromise._engine.tasks import cancel_requested
from aiopromise._unhandled import Rejection

__all__ = ["Queue", "Reaction"]

# Most reactions that one drain runs before I/O and timers get a turn.
_MOST: Final = 1024

# Seconds that one drain may run before I/O and timers get a turn.
_SECONDS: Final = 0.002

# The most that one finishing Task runs immediately: fewer, as many Tasks may finish in one iteration.
_MOST_ALONG: Final = 64

_NO_RUN: Final = object()

_CLOSE_RUNNER: Final = asyncio.Runner.close.__code__

# Loops of these packages raise if they are run while running.
_REFUSING: Final = {"asyncio", "uvloop"}


class Reaction:
    """A callback that runs once, after the promise that it subscribed to has settled."""

    __slots__ = ()

    def _react(self) -> None:
        raise NotImplementedError


class Queue:
    """The reaction queue of one loop."""

    __slots__ = (
        "_append",
        "_armed",
        "_context",
        "_every_task_was_cancelled",
        "_is_last_run",
        "_refuses",
        "_roots",
        "_roots_before_cleanups",
        "_roots_limit",
        "_run_seen",
        "_scheduled",
        "_start_shutdown_hook",
        "_unhandled",
        "cancel_depth",
        "cancelled_awaiters",
        "cancelled_last",
        "cleanups",
        "debug",
        "early_requests",
        "generators",
        "go_on",
        "has_ended",
        "is_finishing",
        "is_in_cleanup",
        "is_observed",
        "items",
        "loop",
        "loop_class",
        "promise_class",
        "run_forever",
        "running",
        "shutdown_hook",
        "traced",
        "tracer",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        promise_class: Any,
        tracer: Any,
        start_shutdown_hook: "Callable[[Queue], object]",
    ) -> None:
        self.loop = loop
        self.loop_class: Any = type(loop)
        # The class of this loop's promises.
        self.promise_class = promise_class
        self.debug = loop.get_debug()
        # Whether an instrument was added; the tracer clears it once there is none.
        self.is_observed = False
        # Whether the tracer is told of new promises.
        self.traced = self.debug
        # The loop holds a running Task only weakly: the promise that waits for it is held here until it ends.
        self.running: set[Any] = set()
        # The same for work started by a cancellation, which the loop's shutdown must not interrupt.
        self.cleanups: set[Any] = set()
        # Whether the handler of a cleanup is being called: coroutines that it wraps in promises must start, even if
        # cancelled first.
        self.is_in_cleanup = False
        # Async generators that a cleanup may be reading: the loop's shutdown closes them after it.
        self.generators: WeakSet[Any] = WeakSet()
        # Cancellations that reached a coroutine in its first step, by its promise.
        self.early_requests: dict[Any, Any] = {}
        # The nesting depth of cancellations passed from Task to Task.
        self.cancel_depth = 0
        # Awaiters that passed on a cancellation in this iteration, and wait for its effect.
        self.cancelled_awaiters: list[Any] = []
        # The last run of the loop that was looked at, and whether that was to shut down.
        self._run_seen: object = None
        self._is_last_run = False
        # What the shutdown hook has cancelled.
        self.cancelled_last: set[Any] = set()
        # Whether all Tasks have been cancelled, if that was computed in this iteration.
        self._every_task_was_cancelled: bool | None = None
        # The async generator whose closing, when the loop shuts down, finishes what is left.
        self.shutdown_hook: object = None
        # Whether it is doing so now.
        self.is_finishing = False
        # Whether it has done so before; the loop may run again.
        self.has_ended = False
        # The result that a Task is woken with if it is to continue: a Future that is done.
        self.go_on: asyncio.Future[None] = asyncio.Future(loop=loop)
        self.go_on.set_result(None)
        self._start_shutdown_hook = start_shutdown_hook
        # Used while traced; see `aiopromise._debug`.
        self.tracer = tracer
        self.items: deque[Reaction] = deque()
        self._append = self.items.append
        # Whether a drain is certain to come: the loop has scheduled it, or hold() was called and flush() will be.
        # Also true while one runs, unless a handler may re-enter the loop.
        self._armed = False
        self._scheduled = False
        self._context = Context()  # of its drains
        self._unhandled: list[tuple[object, Rejection]] = []
        self._roots: list[ref[Any]] = []
        self._roots_limit = 1000
        # How many of them are older than any running cleanup.
        self._roots_before_cleanups = 0
        # Whether the loop refuses to be re-entered by a handler.
        self._refuses = False
        # The method of its class that was looked at to find out: another one now means that the loop was patched.
        self.run_forever: object = None
        self.look_at_loop()

    def __repr__(self) -> str:
        return "<handlers of promises that are due>"

    def push(self, reaction: Reaction) -> None:
        """Queue *reaction* after all pushed before it; it never runs within this call."""
        # Invariant: while there is anything in the queue, a drain runs or is sure to come.
        if not self._armed:
            self._arm()
        self._append(reaction)

    def extend(self, reactions: Iterable[Reaction]) -> None:
        """Push all *reactions*, in order."""
        if not self._armed:
            self._arm()
        self.items.extend(reactions)

    def track_unhandled(self, promise: object, rejection: Rejection) -> None:
        """Report *rejection* to the listeners after the drain, unless it is handled by then."""
        if not self._armed:
            self._arm()
        self._unhandled.append((promise, rejection))

    def watch(self, root: object) -> None:
        """Cancel *root*, which is settled from outside, when the loop ends; hold it only weakly."""
        self._roots.append(weak_reference(root))
        if not (self.is_in_cleanup or self.cleanups):
            self._roots_before_cleanups = len(self._roots)
        if len(self._roots) > self._roots_limit:
            older = _still_pending(self._roots[: self._roots_before_cleanups])
            newer = _still_pending(self._roots[self._roots_before_cleanups :])
            self._roots = older + newer
            self._roots_before_cleanups = len(older)
            self._roots_limit = 1000 + 2 * len(self._roots)

    def pending_roots(self, *, older_than_cleanups: bool = False) -> list[Any]:
        """Return the watched promises that are alive and pending; or only those that no cleanup can be waiting for.

        As a rule, a cleanup waits for promises that it made itself, not for those that were pending when it started:

            connection.finally_(lambda: Promise.submit(threads, flush))    <-- the cleanup waits for this job
        """
        watched = self._roots[: self._roots_before_cleanups] if older_than_cleanups else self._roots
        roots = [root() for root in watched]
        return [root for root in roots if root is not None and root._state == PENDING]

    def has_cleanup(self) -> bool:
        """Return whether a cleanup is running."""
        return self.is_in_cleanup or bool(self.cleanups)

    def keep_generators(self) -> None:
        """Have async generators that start from now on closed after the cleanups, not with all others.

        A loop closes all that it knows as soon as its Tasks have ended, without waiting for those that started since:

            async def save():
                async for row in rows():    <-- a cleanup, which should read all of them
                    await store(row)
        """
        # Not those of another loop, or of trio as a guest of this one.
        hook = sys.get_asyncgen_hooks().firstiter
        if hook == getattr(self.loop, "_asyncgen_firstiter_hook", hook):
            sys.set_asyncgen_hooks(firstiter=self.generators.add)

    def current_run(self) -> object:
        """Return an object that identifies this run of the loop, or None if it runs only to shut down.

        If the loop is not running, the object is that of no run.
        """
        # Each run sets new bound methods as the hooks. keep_generators() replaces the firstiter hook; a guest of the
        # loop, such as trio, may replace the finalizer, which then identifies the guest's run.
        run = sys.get_asyncgen_hooks().finalizer
        if run is None:
            return _NO_RUN
        if run is not self._run_seen:
            self._run_seen = run
            self._is_last_run = _is_closing_runner()
        return None if self._is_last_run or self.is_finishing else run

    def is_shutting_down(self, run: object) -> bool:
        """Return whether all Tasks of *run*, an earlier one, have been cancelled, because the loop is shutting down."""
        now = self.current_run()
        if now is run:
            return False
        # A program may also cancel them by itself, between two runs of the loop.
        return now is None or self._was_every_task_cancelled()

    def _was_every_task_cancelled(self) -> bool:
        # Computed once per loop iteration, as each of 10,000 combinators may need it at shutdown.
        if self._every_task_was_cancelled is None:
            cleanups = {id(promise._upstream) for promise in self.cleanups}
            tasks = asyncio.all_tasks(self.loop)
            self._every_task_was_cancelled = all(cancel_requested(task) or id(task) in cleanups for task in tasks)
            self.loop.call_soon(self._forget_every_task_was_cancelled, context=Context())
        return self._every_task_was_cancelled

    def _forget_every_task_was_cancelled(self) -> None:
        self._every_task_was_cancelled = None

    def hold(self) -> bool:
        """Defer whatever is pushed until `flush()`, which saves a loop iteration.

        Return whether the first reaction pushed would run before all others, so that it may as well run directly.

        Invariant: the caller flushes, or postpones, whatever happens.

        Only for callbacks called by the loop itself: no user code is on the stack, so handlers may run before they
        return.
        """
        self._armed = True
        return self._refuses and not (self._scheduled or self.items or self.debug)

    def flush(self, ran: int) -> None:
        """Drain what was pushed since `hold()`, unless a drain is already scheduled; *ran* reactions ran directly.

        So many Tasks that end in one iteration share one drain:

            _on_done()    <-- runs 64 reactions, which is not all, and schedules a drain for the rest
            _on_done()    <-- adds to the rest
        """
        if not self._scheduled:
            if self.items or self._unhandled:
                self._drain(_MOST_ALONG - ran)
            else:
                self._armed = False

    def postpone(self) -> None:
        """Leave what is queued to a later drain, which is sure to come."""
        self._armed = self._scheduled
        if (self.items or self._unhandled) and not self._scheduled:
            self._arm()

    def check_thread(self, call: str) -> None:
        """Raise `RuntimeError` if the loop is running in another thread. For debug mode only."""
        if self.loop.is_running() and asyncio._get_running_loop() is not self.loop:
            raise RuntimeError(
                f"{call}() was called from outside its loop's thread\n\n"
                f"Use loop.call_soon_threadsafe(...); only resolve() and reject() may be called from any thread"
            )

    def mark_finished(self) -> None:
        """Record that the shutdown hook has run; later promises need a new one."""
        self.cancelled_last.clear()
        self.is_finishing = False
        self.has_ended = True
        self.shutdown_hook = None
        self.run_forever = None  # the next drain looks at the loop again

    def look_at_loop(self) -> None:
        """Set a shutdown hook if there is none, and find out whether this loop can be re-entered by a handler.

        It can under nest_asyncio, in a modal Qt dialog, or with Pyodide's `run_sync()`:

            Promise.resolve().then(lambda _: loop.run_until_complete(work()))    <-- a drain, with the loop running
            inside it

        Reactions pushed by the inner run must be drained by it, as the outer drain is blocked. On other loops this
        would cost every drain an extra iteration.
        """
        self.run_forever = run_forever = self.loop_class.run_forever
        check_running = getattr(self.loop_class, "_check_running", run_forever)
        self._refuses = _refuses_nested_run(run_forever) and _refuses_nested_run(check_running)
        if not self._refuses and self._armed and not self._scheduled:
            self._arm()  # patched by a handler, or by a Task resumed in the middle of a drain
        if self.shutdown_hook is None:
            self.shutdown_hook = self._start_shutdown_hook(self)

    def _arm(self) -> None:
        # The library's own callbacks need no context variables, and should keep no context alive. Where a handler can
        # re-enter the loop they are nested, and need a context each, as one cannot be entered twice.
        self.loop.call_soon(run_handlers, self, context=self._context if self._refuses else Context())
        self._armed = self._scheduled = True

    def _drain(self, most: int) -> None:
        self.debug = self.loop.get_debug()
        self.traced = self.debug or self.is_observed
        if self.loop_class.run_forever is not self.run_forever:
            self.look_at_loop()
        if not self.cleanups:
            self._roots_before_cleanups = len(self._roots)
        self._armed = self._refuses or self._scheduled
        if not self._armed and len(self.items) > 1:
            self._arm()  # the first may run the loop until another one has run
        try:
            self._run(most)
            if self._unhandled and not self.items:
                self._announce_unhandled()
        finally:
            # Also if a KeyboardInterrupt leaves the drain: the remaining reactions must still run.
            self.postpone()

    def _announce_unhandled(self) -> None:
        # Not in the frame of the drain: what a handler raised keeps that frame, and with it all that it holds.
        unhandled, self._unhandled = self._unhandled, []
        for promise, rejection in unhandled:
            rejection.announce_unless_handled(promise)

    def _run(self, most: int) -> None:
        """Run at most *most* reactions, for a limited time."""
        items = self.items
        popleft = items.popleft
        run_slowly = self.tracer.run if self.debug else None
        end = monotonic() + _SECONDS
        # Reading the clock costs as much as a tenth of a handler: after 1, 2, 4, 8, 16, 32 of them, then every 16, and
        # not after the last.
        look = 1
        reaction = None
        try:
            for count in range(most):
                if not items:
                    return
                if count == look:
                    if monotonic() > end:
                        return
                    look += min(count, 16)
                reaction = popleft()
                if run_slowly is None:
                    reaction._react()
                else:
                    run_slowly(reaction, self)
        finally:
            # This frame is seen from the traceback of whatever a handler raises, and would make a cycle of the
            # exception and the promise that holds it.
            del reaction  # breaks a reference cycle


def _still_pending(roots: "list[ref[Any]]") -> "list[ref[Any]]":
    return [root for root in roots if (promise := root()) is not None and promise._state == PENDING]


def run_handlers(queue: Queue) -> None:
    """Drain *queue*; a function, because asyncio reports slow callbacks by name."""
    queue._scheduled = False
    queue._drain(_MOST)


def _is_closing_runner() -> bool:
    """Return whether `asyncio.run()`, or a Runner, has cancelled all Tasks, and now runs the loop until they end."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is _CLOSE_RUNNER:
            return True
        frame = frame.f_back
    return False


def _refuses_nested_run(method: object) -> bool:
    module = getattr(method, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] in _REFUSING
