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
from conftest import MODES, eager_task_factory
from helpers import turns

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


TASKS: dict[str, Work] = {
    work.__name__: work
    for work in (
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
}


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


PROMISES: dict[str, Work] = {
    work.__name__: work
    for work in (
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
}


def promise_of(scene: Scene, work: Work) -> Promise:
    return Promise.resolve(work(scene))


# ------------------------------------------------------------------------------------------------------------ shapes


async def once(scene: Scene, work: Work) -> object:
    return await scene.limit(promise_of(scene, work), 2)


async def in_a_retry_loop(scene: Scene, work: Work) -> object:
    for attempt in range(3):
        try:
            return await scene.limit(promise_of(scene, work), 2)
        except TimeoutError as error:
            scene.note((attempt, *error.args[:0]))
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
        group.create_task(fails(scene))
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
        async with asyncio.timeout(outer):
            return await by_asyncio(promise, inner, **options)

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


def never(task: asyncio.Task) -> None:
    pass


def at_once(task: asyncio.Task) -> None:
    task.cancel()


def at(*moments: float) -> Callable[[asyncio.Task], None]:
    def cancel(task: asyncio.Task) -> None:
        loop = asyncio.get_running_loop()
        for moment in moments:
            loop.call_later(moment, task.cancel)

    return cancel


def after_turns(count: int, moment: float = 0) -> Callable[[asyncio.Task], None]:
    def cancel(task: asyncio.Task) -> None:
        loop = asyncio.get_running_loop()

        def turn(left: int) -> None:
            if left == 0:
                task.cancel()
            else:
                loop.call_soon(turn, left - 1)

        if moment:
            loop.call_later(moment, turn, count)
        else:
            turn(count)

    return cancel


MOMENTS: dict[str, Callable[[asyncio.Task], None]] = {
    "never": never,
    "before": at_once,
    **{f"after {count} turns": after_turns(count) for count in range(1, 9)},
    **{f"at {moment}": at(moment) for moment in [step / 4 for step in range(1, 36)]},
    **{f"at 2, after {count} turns": after_turns(count, 2) for count in range(1, 6)},
    **{f"at {moment}, and again": at(moment, moment + 1) for moment in (0.75, 1.75, 2.25, 3.25)},
    "at 2.25, and again at once": at(2.25, 2.25),
}


# -------------------------------------------------------------------------------------------------- what comes of it


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
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """Return what runs a coroutine in virtual time, on a plain loop, in debug mode, and with eager Tasks."""
    with asyncio.Runner(debug=request.param == "debug", loop_factory=VirtualLoop) as runner:
        if request.param == "eager":
            runner.get_loop().set_task_factory(eager_task_factory)
        yield runner


# Where one limit is inside another, or a link below one, plain code has a Task or an `await` more than the promise has,
# so that within the turns of the beginning and of the end a request comes before the one and after the other. Where two
# limits are over at once, so does the end of the outer one.
HAVE_TIES = {name for name in SHAPES if name.startswith(("inside another limit", "as a chain"))}


def is_tie(shape: str, moment: str) -> bool:
    return (shape in HAVE_TIES and "turns" in moment) or shape == "inside another limit, both at once"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_limit_is_asyncio_timeout_around_the_await(runner, shape) -> None:
    """Whatever the work does, and whenever the Task is cancelled: the same outcome, requests, events and timers."""
    assert [] == runner.run(differences(shape))


async def differences(shape: str) -> list[tuple]:
    found = []
    for name, work in (TASKS | PROMISES).items():
        for when, moment in MOMENTS.items():
            if not is_tie(shape, when):
                by_both = [await played(SHAPES[shape], work, moment, limit) for limit in (by_asyncio, by_promise)]
                if by_both[0] != by_both[1]:
                    found.append((name, when, *by_both))
    return found


async def test_where_two_limits_are_over_at_once_the_time_is_up() -> None:
    for work in (asyncio.sleep(3600), asyncio.sleep(0)):
        with pytest.raises(TimeoutError):
            await Promise(work).timeout(0).timeout(0)
