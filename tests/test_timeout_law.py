"""`await p.timeout(s)` is ``async with asyncio.timeout(s): return await p``: one program, written both ways.

The clock is virtual. It stands still while anything can run and then jumps to the next timer, so that a program that
takes minutes is over at once and goes the same way in every run.
"""

import asyncio
import contextlib
import selectors
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest

from aiopromise import Promise
from aiopromise._engine import queue
from conftest import MODES, eager_task_factory
from helpers import turns

pytestmark = pytest.mark.slow

# --------------------------------------------------------------------------------------------- a loop without waiting


class Clock(selectors.SelectSelector):
    """The selector of a loop that never waits: it puts the clock forward."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list:
        if timeout is None:
            raise RuntimeError("the program hangs")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is that of its clock; counts the timers that are left behind."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now

    def timers(self) -> int:
        return sum(not timer.cancelled() for timer in self._scheduled)


Work = Callable[["Scene"], Any]


class Scene:
    """One run of a program: the way in which it sets its limits, and what it notes."""

    def __init__(self, limit: Callable[..., Awaitable]) -> None:
        self.limit = limit
        self.start = asyncio.get_running_loop().time()
        self.log: list[object] = []

    def note(self, what: object) -> None:
        """Note *what*, and when."""
        self.log.append((asyncio.get_running_loop().time() - self.start, what))


def by_promise(promise: Promise, seconds: float, **fallback: object) -> Awaitable:
    return promise.timeout(seconds, **fallback)


async def by_asyncio(promise: Promise, seconds: float, **fallback: object) -> object:
    came: BaseException | None = None
    try:
        async with asyncio.timeout(seconds):
            try:
                return await promise
            except BaseException as error:
                came = error
                raise
    except TimeoutError as error:
        if fallback and error is not came:
            return fallback["fallback"]
        raise
    finally:
        del came, promise


# ------------------------------------------------------------------------------------------------------------- works


async def ends(scene: Scene) -> str:
    await asyncio.sleep(3)
    return "done"


async def ends_late(scene: Scene) -> str:
    await asyncio.sleep(5)
    return "done"


async def fails(scene: Scene) -> None:
    await asyncio.sleep(3)
    raise ValueError


async def times_out_itself(scene: Scene) -> None:
    try:
        await asyncio.sleep(100)
    except CancelledError:
        raise TimeoutError("own") from None


async def is_stopped(scene: Scene) -> None:
    try:
        await asyncio.sleep(100)
    finally:
        scene.note("stopped")


async def swallows_and_ends(scene: Scene) -> str:
    try:
        await asyncio.sleep(100)
    except CancelledError:
        scene.note("swallowed")
    return "had its way"


async def swallows_and_goes_on(scene: Scene) -> str:
    for _ in range(2):
        try:
            await asyncio.sleep(3)
        except CancelledError:
            scene.note("swallowed")
    await asyncio.sleep(2)
    return "had its way"


async def replaces_the_error(scene: Scene) -> None:
    try:
        await asyncio.sleep(100)
    except CancelledError:
        await asyncio.sleep(2)
        raise ValueError from None


async def cleans_up_slowly(scene: Scene) -> None:
    try:
        await asyncio.sleep(100)
    finally:
        scene.note("cleans up")
        await asyncio.sleep(3)
        scene.note("clean")


async def cleans_up_come_what_may(scene: Scene) -> None:
    try:
        await asyncio.sleep(100)
    finally:
        for left in range(3):
            with contextlib.suppress(CancelledError):
                await asyncio.sleep(1)
                scene.note(left)


async def has_a_task_group(scene: Scene) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(cleans_up_slowly(scene))
        group.create_task(asyncio.sleep(100))


async def has_a_task_group_that_fails(scene: Scene) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(cleans_up_slowly(scene))
        group.create_task(fails(scene))


async def has_asyncio_timeout(scene: Scene) -> str:
    try:
        async with asyncio.timeout(1):
            await cleans_up_slowly(scene)
    except TimeoutError:
        scene.note("its own limit")
    await asyncio.sleep(3)
    return "done"


async def has_a_limit(scene: Scene) -> str:
    try:
        await scene.limit(Promise(cleans_up_slowly(scene)), 1)
    except TimeoutError:
        scene.note("its own limit")
    await asyncio.sleep(3)
    return "done"


async def has_a_limit_with_a_fallback(scene: Scene) -> object:
    scene.note(await scene.limit(Promise(cleans_up_slowly(scene)), 1, fallback="late"))
    await asyncio.sleep(3)
    return "done"


async def needs_no_turn(scene: Scene) -> str:
    return "at once"


async def needs_a_turn(scene: Scene) -> str:
    await asyncio.sleep(0)
    return "at once"


async def needs_some_turns(scene: Scene) -> str:
    await turns(4)
    return "soon"


async def fails_at_once(scene: Scene) -> None:
    raise ValueError


async def cancels_itself(scene: Scene) -> None:
    await asyncio.sleep(3)
    raise CancelledError


async def has_absorbed_a_cancellation(scene: Scene) -> None:
    asyncio.current_task().cancel()
    with contextlib.suppress(CancelledError):
        await asyncio.sleep(0)
    await cleans_up_slowly(scene)


async def is_asked_by_somebody_else(scene: Scene) -> None:
    asyncio.get_running_loop().call_later(2.5, asyncio.current_task().cancel)
    await cleans_up_slowly(scene)


TASKS: tuple[Work, ...] = (
    ends,
    ends_late,
    fails,
    times_out_itself,
    is_stopped,
    swallows_and_ends,
    swallows_and_goes_on,
    replaces_the_error,
    cleans_up_slowly,
    cleans_up_come_what_may,
    has_a_task_group,
    has_a_task_group_that_fails,
    has_asyncio_timeout,
    has_a_limit,
    has_a_limit_with_a_fallback,
    needs_no_turn,
    needs_a_turn,
    needs_some_turns,
    fails_at_once,
    cancels_itself,
    has_absorbed_a_cancellation,
    is_asked_by_somebody_else,
)


def resolved_later(scene: Scene) -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    asyncio.get_running_loop().call_later(3, resolve, "resolved")
    return promise


def never_resolved(scene: Scene) -> Promise:
    return Promise.with_resolvers().promise


def wanted_by_others(scene: Scene) -> Promise:
    promise = Promise(ends_late(scene))
    promise.add_done_callback(scene.note)
    return promise


def shielded(scene: Scene) -> Promise:
    return Promise(ends_late(scene)).shield()


def recovers(scene: Scene) -> Promise:
    async def recover(error: BaseException) -> str:
        await asyncio.sleep(2)
        return "recovered"

    return never_resolved(scene).catch(CancelledError, recover)


def is_closed(scene: Scene) -> Promise:
    async def close() -> None:
        scene.note("closing")
        await asyncio.sleep(2)
        scene.note("closed")

    return never_resolved(scene).finally_(close)


def awaits_a_link(scene: Scene) -> Promise:
    return Promise(cleans_up_slowly(scene)).then(lambda _: scene.note("unreached")).tap(print)


def a_handler(scene: Scene) -> Promise:
    return Promise.resolve(scene).then(cleans_up_slowly).then()


def several(scene: Scene) -> Promise:
    return Promise.all(cleans_up_slowly(scene), is_stopped(scene))


def a_race(scene: Scene) -> Promise:
    return Promise.race(cleans_up_slowly(scene), ends(scene))


def a_map(scene: Scene) -> Promise:
    return Promise.map([scene, scene], cleans_up_slowly, concurrency=1)


def settled_before(scene: Scene) -> Promise:
    return Promise.resolve("before")


def rejected_before(scene: Scene) -> Promise:
    return Promise.reject(ValueError())


PROMISES: tuple[Work, ...] = (
    resolved_later,
    never_resolved,
    wanted_by_others,
    shielded,
    recovers,
    is_closed,
    awaits_a_link,
    a_handler,
    several,
    a_race,
    a_map,
    settled_before,
    rejected_before,
)

WORKS = {work.__name__: work for work in (*TASKS, *PROMISES)}


def promise_of(scene: Scene, work: Work) -> Promise:
    return Promise.resolve(work(scene))


# ------------------------------------------------------------------------------------------------------------ shapes


async def once(scene: Scene, work: Work) -> object:
    return await scene.limit(promise_of(scene, work), 2)


async def in_a_retry_loop(scene: Scene, work: Work) -> object:
    for attempt in range(3):
        try:
            return await scene.limit(promise_of(scene, work), 2)
        except TimeoutError:
            scene.note(attempt)
    return "gave up"


async def zero_seconds(scene: Scene, work: Work) -> object:
    return await scene.limit(promise_of(scene, work), 0)


async def less_than_zero_seconds(scene: Scene, work: Work) -> object:
    return await scene.limit(promise_of(scene, work), -1)


async def with_a_fallback(scene: Scene, work: Work) -> object:
    return await scene.limit(promise_of(scene, work), 2, fallback="late")


async def with_a_fallback_at_once(scene: Scene, work: Work) -> object:
    return await scene.limit(promise_of(scene, work), 0, fallback="late")


async def with_a_fallback_in_a_loop(scene: Scene, work: Work) -> object:
    for _ in range(3):
        scene.note(await scene.limit(promise_of(scene, work), 2, fallback="late"))
    return "gave up"


async def inside_asyncio_timeout(scene: Scene, work: Work) -> object:
    async with asyncio.timeout(3.5):
        return await scene.limit(promise_of(scene, work), 2)


async def around_asyncio_timeout(scene: Scene, work: Work) -> object:
    async with asyncio.timeout(1.5):
        return await scene.limit(promise_of(scene, work), 3.5)


async def in_a_task_group(scene: Scene, work: Work) -> object:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(once(scene, work))
    return task.result()


async def in_a_task_group_that_fails(scene: Scene, work: Work) -> object:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(once(scene, work))
        failing = fails(scene)
        try:
            group.create_task(failing)
        except RuntimeError:
            failing.close()  # an eager Task has shut the group down already, and asyncio closes it from 3.13 on only
            raise
    return task.result()


async def with_a_cancellation_absorbed_before(scene: Scene, work: Work) -> object:
    asyncio.current_task().cancel()
    with contextlib.suppress(CancelledError):
        await asyncio.sleep(0)
    return await scene.limit(promise_of(scene, work), 2)


def nested(inner: float, outer: float, *fallback: str) -> Callable[[Scene, Work], Coroutine]:
    """Return a program with one limit inside another; with a fallback, that is of the inner one."""

    async def shape(scene: Scene, work: Work) -> object:
        options = {"fallback": fallback[0]} if fallback else {}
        if scene.limit is by_promise:
            return await promise_of(scene, work).timeout(inner, **options).timeout(outer)
        promise = promise_of(scene, work)
        try:
            async with asyncio.timeout(outer):
                return await by_asyncio(promise, inner, **options)
        finally:
            del promise

    return shape


async def as_a_chain(scene: Scene, work: Work) -> object:
    """What is attached below the limit is what ``await`` of it is."""

    def log(value: object) -> object:
        scene.note(value)
        return value

    if scene.limit is by_promise:
        return await promise_of(scene, work).timeout(2).then(log)
    return await Promise(by_asyncio(promise_of(scene, work), 2)).then(log)


SHAPES: dict[str, Callable[[Scene, Work], Coroutine]] = {
    "once": once,
    "in a retry loop": in_a_retry_loop,
    "zero seconds": zero_seconds,
    "less than zero seconds": less_than_zero_seconds,
    "with a fallback": with_a_fallback,
    "with a fallback, at once": with_a_fallback_at_once,
    "with a fallback, in a loop": with_a_fallback_in_a_loop,
    "inside asyncio.timeout": inside_asyncio_timeout,
    "inside asyncio.timeout, which is shorter": around_asyncio_timeout,
    "in a TaskGroup": in_a_task_group,
    "in a TaskGroup that fails": in_a_task_group_that_fails,
    "after a cancellation that was absorbed": with_a_cancellation_absorbed_before,
    "inside another limit": nested(2, 3.5),
    "inside another limit, which is shorter": nested(3.5, 2),
    "inside another limit, both at once": nested(0, 0),
    "inside another limit, with a fallback": nested(2, 3.5, "late"),
    "inside another limit, with a fallback, which is shorter": nested(3.5, 2, "late"),
    "as a chain": as_a_chain,
}


# ----------------------------------------------------------------------------------------------------------- moments


class Moment:
    """When the Task is cancelled: after this many seconds, and then this many iterations."""

    def __init__(self, *seconds: float, turns: int = 0) -> None:
        self.seconds = seconds
        self.turns = turns

    def __call__(self, task: asyncio.Task) -> None:
        for seconds in self.seconds:
            if seconds == 0:
                self._turn(task, self.turns)
            else:
                asyncio.get_running_loop().call_later(seconds, self._turn, task, self.turns)

    def _turn(self, task: asyncio.Task, left: int) -> None:
        if left == 0:
            task.cancel()
        else:
            asyncio.get_running_loop().call_soon(self._turn, task, left - 1)


MOMENTS = {
    "never": Moment(),
    "before": Moment(0),
    **{f"after {count} turns": Moment(0, turns=count) for count in range(1, 7)},
    **{f"at {step / 4}": Moment(step / 4) for step in range(1, 32, 2)},
    # The very instants at which something else is due.
    **{f"at {seconds}": Moment(seconds) for seconds in (1, 2, 3, 3.5, 4, 5)},
    **{f"at 2, after {count} turns": Moment(2, turns=count) for count in range(1, 6)},
    **{f"at {seconds}, and again": Moment(seconds, seconds + 1) for seconds in (0.75, 1.75, 2.25, 3.25)},
    "at 2.25, and again at once": Moment(2.25, 2.25),
}

# Not asked of these shapes, each for one reason. All other moments are.
#
# Ties of timers. Two limits are set in the order in which they are written: the inner one first in
# `p.timeout(2).timeout(3.5)`, and the outer one first in `async with`. Which of several timers that are due at the very
# same instant comes first is then another, too: here the limit, or the cancellation.
TIES = {shape: {2, 3.5} for shape in SHAPES if shape.startswith("inside another limit")}

# Turns. A chain that goes on after a limit is a promise, for which the equation needs a Task around it, and that takes
# turns of its own. Second for second they are the same.
BY_SECONDS = {"as a chain"}


def is_compared(shape: str, moment: Moment) -> bool:
    return TIES.get(shape, set()).isdisjoint(moment.seconds) and not (shape in BY_SECONDS and moment.turns)


# -------------------------------------------------------------------------------------------------- the results


async def played(shape: Callable, work: Work, moment: Callable, limit: Callable) -> tuple:
    """Run the program, and return all that can be seen of it."""
    loop: Any = asyncio.get_running_loop()
    reports: list[str] = []
    loop.set_exception_handler(lambda loop, context: reports.append(context["message"]))
    scene = Scene(limit)
    task = asyncio.create_task(shape(scene, work))
    moment(task)
    await asyncio.wait([task])
    scene.note("end")
    try:
        outcome: object = task.result()
    except BaseException as error:
        outcome = type(error)
    cancelling = task.cancelling()
    del task
    await asyncio.sleep(200)
    return outcome, cancelling, [repr(event) for event in scene.log], reports, loop.timers()


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Try it on a plain loop, in debug mode, and with eager Tasks."""
    return request.param


@pytest.fixture
def runner(mode: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.Runner]:
    """Return what runs a coroutine in virtual time; no drain of the library's queue is cut short by the real one."""
    with asyncio.Runner(debug=mode == "debug", loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        if mode == "eager":
            loop.set_task_factory(eager_task_factory)
        monkeypatch.setattr(queue, "monotonic", loop.time)
        yield runner


@pytest.mark.parametrize("shape", SHAPES)
def test_a_limit_is_asyncio_timeout_around_the_await(runner, mode, shape) -> None:
    """Cancelled at whatever moment, all works end alike: the outcome, what they have noted, and what is reported."""
    assert [] == runner.run(differences(shape, {"plain": 2, "eager": 3, "debug": 10}[mode]))


async def differences(shape: str, step: int) -> list[tuple]:
    """Return where the two ways differ; of the moments of a work every so many are tried, others for the next work."""
    found = []
    for number, (name, work) in enumerate(WORKS.items()):
        for when, moment in [*MOMENTS.items()][number % step :: step]:
            if is_compared(shape, moment):
                expected = await played(SHAPES[shape], work, moment, by_asyncio)
                actual = await played(SHAPES[shape], work, moment, by_promise)
                if expected != actual:
                    found.append((name, when, expected, actual))
    return found
