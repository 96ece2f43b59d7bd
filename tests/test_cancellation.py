"""Cancellation: a request that climbs to the work, is counted on its way, and waits for what it stops."""

import asyncio
import concurrent.futures
import contextlib
import gc
import sys
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine

import pytest

from aiopromise import Promise, promisify
from helpers import outcome, turns, value_or_class

pytestmark = pytest.mark.usefixtures("loop_mode")


class Work:
    """Work that never ends by itself; records every cancellation, and then does what *ends* does."""

    def __init__(self, ends: Callable[[], object] | None = None) -> None:
        self.ends = ends
        self.started = asyncio.Event()
        self.requests: list[tuple] = []
        self.asked = 0

    async def __call__(self, *arguments: object) -> object:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except CancelledError as error:
            self.requests.append(error.args)
            self.asked = asyncio.current_task().cancelling()
            if self.ends is None:
                raise
            result = self.ends()
            return await result if isinstance(result, Awaitable) else result


class Cleanup(Work):
    """Work whose end waits for `finish`."""

    def __init__(self) -> None:
        super().__init__(self.clean_up)
        self.begun = asyncio.Event()
        self.finish = asyncio.Event()

    async def clean_up(self) -> None:
        self.begun.set()
        async with asyncio.timeout(10):  # so that a test that fails before it sets the event ends
            await self.finish.wait()
        raise CancelledError


class Wrapped:
    """An awaitable that is neither coroutine nor Future."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __await__(self):
        return self.work().__await__()


def fail(reason: BaseException) -> None:
    raise reason


def unreached(*arguments: object) -> None:
    raise AssertionError(f"a handler was called with {arguments}")


async def awaiting(awaitable: Awaitable) -> object:
    return await awaitable


def followed_by_a_new_promise(source: Promise) -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    resolve(source)
    return promise


# ----------------------------------------------------------------------------------------------------- a request

RUNNING = {
    "a coroutine": lambda work: Promise(work()),
    "a Task": lambda work: Promise(asyncio.create_task(work())),
    "any awaitable": lambda work: Promise(Wrapped(work)),
    "what try_ called": Promise.try_,
    "what resolve was given": lambda work: Promise(lambda resolve, reject: resolve(work())),
    "the promise that resolve was given": lambda work: followed_by_a_new_promise(Promise(work())),
    "a then handler": lambda work: Promise.resolve().then(work),
    "a catch handler": lambda work: Promise.reject(ValueError()).catch(work),
    "a finally_ callback": lambda work: Promise.resolve().finally_(work),
    "a tap handler": lambda work: Promise.resolve().tap(work),
    "the promise that a handler returned": lambda work: Promise.resolve().then(lambda _: Promise(work()).then()),
    "the Task that a handler returned": lambda work: Promise.resolve().then(lambda _: asyncio.create_task(work())),
}


@pytest.mark.parametrize("begin", RUNNING.values(), ids=RUNNING)
async def test_a_request_climbs_from_the_tip_to_what_is_running_which_gets_it_once(begin) -> None:
    work = Work()
    tip = begin(work).then(unreached, unreached).catch(unreached).timeout(3600).tap(unreached)
    await work.started.wait()
    assert tip.cancel("enough")
    assert ("CancelledError('enough')", [("enough",)], 1) == (await outcome(tip), work.requests, work.asked)


async def test_a_request_reaches_the_future_that_is_followed() -> None:
    future = asyncio.get_running_loop().create_future()
    tip = Promise(future).then(unreached)
    tip.cancel("enough")
    assert (True, "CancelledError('enough')") == (future.cancelled(), await outcome(tip))


async def test_a_request_that_ends_a_future_at_once_ends_its_promise_and_the_links_at_once() -> None:
    """A Future has no cleanup to wait for."""
    alone, source = [Promise(asyncio.get_running_loop().create_future()) for _ in range(2)]
    tip = source.then(unreached)
    assert (True, True) == (alone.cancel(), tip.cancel())
    assert [True, True, True] == [promise.cancelled() for promise in (alone, source, tip)]


async def test_a_request_reaches_the_future_of_an_executor() -> None:
    job: concurrent.futures.Future = concurrent.futures.Future()
    tip = Promise(job).then(unreached)
    tip.cancel()
    assert "CancelledError()" == await outcome(tip)
    await turns()
    assert job.cancelled()


IDLE = {
    "resolvers": lambda: Promise.with_resolvers().promise,
    "an executor": lambda: Promise(lambda resolve, reject: None),
    "a thenable": lambda: Promise.from_thenable(type("Silent", (), {"then": lambda self, resolve, reject: None})()),
    "a shield": lambda: Promise(Work()()).shield(),
    "a settled promise": Promise.resolve,
}


@pytest.mark.parametrize("make", IDLE.values(), ids=IDLE)
async def test_with_nothing_running_the_promise_is_cancelled_at_once(make) -> None:
    root = make()
    tip = root.then(unreached, unreached).then(unreached)
    assert (True, True) == (tip.cancel(), tip.cancelled())
    await turns()


async def test_all_promises_that_a_request_climbs_through_are_cancelled() -> None:
    root = Promise.with_resolvers().promise
    link = root.then(unreached)
    link.then(unreached).cancel()
    assert (True, True) == (root.cancelled(), link.cancelled())


TRAVELS = {
    "a value fulfils": (lambda: 20, lambda p: p.then(lambda value: value + 1), 21),
    "a failing cleanup rejects": (lambda: fail(ValueError("torn")), lambda p: p.then(unreached), "ValueError('torn')"),
    "a rejection is caught": (lambda: fail(ValueError("torn")), lambda p: p.catch(repr), "ValueError('torn')"),
    "CancelledError cancels": (lambda: fail(CancelledError("own")), lambda p: p.then(), "CancelledError('own')"),
    "catch(CancelledError) recovers": (None, lambda p: p.catch(CancelledError, repr).then(len), 16),
    "catch does not": (None, lambda p: p.catch(unreached), "CancelledError()"),
    "then does not": (None, lambda p: p.then(unreached, unreached), "CancelledError()"),
}


@pytest.mark.parametrize(("ends", "link", "expected"), TRAVELS.values(), ids=TRAVELS)
async def test_what_comes_of_a_request_travels_down_like_any_outcome(ends, link, expected) -> None:
    work = Work(ends)
    tip = link(Promise(work()))
    await work.started.wait()
    tip.cancel()
    assert expected == await outcome(tip)


async def repr_later(value: object) -> str:
    await turns(2)
    return repr(value)


@pytest.mark.parametrize("recover", [repr, repr_later])
async def test_a_catch_for_cancellation_recovers_where_nothing_runs(recover) -> None:
    tip = Promise.with_resolvers().promise.then(unreached).catch(CancelledError, recover).then(len)
    tip.cancel("why")
    assert len("CancelledError('why')") == await tip


async def test_awaiting_a_cancelled_promise_ends_after_the_cleanup_and_the_finally_callbacks() -> None:
    log: list[str] = []

    async def clean_up() -> None:
        await turns(2)
        log.append("cleanup")
        raise CancelledError

    async def close() -> None:
        await turns(2)
        log.append("finally_")

    work = Work(clean_up)
    tip = Promise(work()).finally_(close).finally_(lambda: log.append("finally_ again")).then(unreached)
    await work.started.wait()
    tip.cancel()
    await outcome(tip)
    assert ["cleanup", "finally_", "finally_ again"] == log


async def test_cancel_says_whether_there_was_anything_to_end() -> None:
    pending = Promise.with_resolvers().promise
    assert (True, False, False) == (pending.cancel(), pending.cancel(), Promise.resolve(1).cancel())


@pytest.mark.parametrize("begin", [lambda work: Promise(work()), lambda work: Promise.with_resolvers().promise])
@pytest.mark.parametrize(
    "cancel", [lambda p: p.cancel("why"), lambda p: p.cancel(msg="why")], ids=["by position", "msg"]
)
async def test_the_message_of_cancel_becomes_the_argument_of_the_error(begin, cancel) -> None:
    work = Work()
    promise = begin(work)
    await turns(1)
    cancel(promise)
    with pytest.raises(CancelledError) as caught:
        await promise.then(unreached)
    assert ("why",) == caught.value.args


# ------------------------------------------------------------------------------------------------------- counted


def _child(promise: Promise) -> Callable[[], object]:
    return promise.then(lambda value: value).cancel


def _awaiter(promise: Promise) -> Callable[[], object]:
    return asyncio.create_task(awaiting(promise)).cancel


def _follower(promise: Promise) -> Callable[[], object]:
    return followed_by_a_new_promise(promise).cancel


def _handler_that_returned_it(promise: Promise) -> Callable[[], object]:
    return Promise.resolve().then(lambda _: promise).cancel


def _done_callback(promise: Promise) -> Callable[[], object]:
    def callback(promise: Promise) -> None:
        pass

    promise.add_done_callback(callback)
    return lambda: promise.remove_done_callback(callback)


CONSUMERS = {
    "a child": _child,
    "an awaiter": _awaiter,
    "a follower": _follower,
    "a handler that returned it": _handler_that_returned_it,
    "a done callback": _done_callback,
    "a shield": lambda promise: promise.shield().cancel,
    "an outcome": lambda promise: promise.settled().cancel,
    "a timeout": lambda promise: promise.timeout(3600).cancel,
}


@pytest.mark.parametrize("consume", CONSUMERS.values(), ids=CONSUMERS)
async def test_a_request_does_not_pass_a_promise_that_somebody_else_consumes(consume) -> None:
    promise, resolve, _ = Promise.with_resolvers()
    tip = promise.then(unreached).then(unreached)
    consume(promise)
    await turns()
    tip.cancel()
    assert (True, False) == (tip.cancelled(), promise.done())
    resolve("done")
    assert "done" == await promise


@pytest.mark.parametrize("consume", CONSUMERS.values(), ids=CONSUMERS)
async def test_a_consumer_that_has_left_is_not_counted(consume) -> None:
    work = Work()
    promise = Promise(work())
    tip = promise.then(unreached)
    leave = consume(promise)
    await work.started.wait()
    await turns()
    leave()
    await turns()
    assert [] == work.requests
    tip.cancel()
    assert ("CancelledError()", [()]) == (await outcome(tip), work.requests)


async def test_a_variable_is_not_a_consumer() -> None:
    held = Promise.with_resolvers().promise
    held.then(unreached).cancel()
    assert held.cancelled()


async def test_a_consumer_that_has_settled_is_not_counted() -> None:
    source, resolve, _ = Promise.with_resolvers()
    work = Work()
    promise = source.then(work)
    await promise.shield().then().timeout(0, fallback=None)
    resolve()
    await work.started.wait()
    promise.then(unreached).cancel()
    await turns()
    assert (True, [()]) == (promise.cancelled(), work.requests)


async def test_a_cancelled_branch_leaves_its_siblings_and_their_source_alone() -> None:
    source, resolve, _ = Promise.with_resolvers()
    older, branch, younger = (source.then(lambda value, add=add: value + add) for add in (1, 2, 3))
    branch.cancel()
    resolve(10)
    assert [10, 11, "CancelledError()", 13] == [await outcome(p) for p in (source, older, branch, younger)]


async def test_a_cancelled_branch_runs_its_own_finally_at_once() -> None:
    log: list[str] = []
    source = Promise.with_resolvers().promise
    source.then(unreached)
    branch = source.then(unreached).finally_(lambda: log.append("closed"))
    branch.cancel()
    assert ("CancelledError()", ["closed"], False) == (await outcome(branch), log, source.done())


@pytest.mark.parametrize(("ends", "expected"), [(lambda: "saved", "SAVED"), (None, "CancelledError('stop')")])
async def test_a_child_attached_after_the_request_joins_what_comes(ends, expected) -> None:
    work = Work(ends)
    promise = Promise(work())
    await work.started.wait()
    promise.cancel("stop")
    assert not promise.done()
    assert (expected, 1) == (await outcome(promise.then(str.upper)), len(work.requests))


async def test_cancelling_awaiters_reaches_the_work_with_the_last_of_them() -> None:
    work = Cleanup()
    promise = Promise(work())
    first, last = (asyncio.create_task(awaiting(promise)) for _ in range(2))
    await work.started.wait()
    await turns()
    first.cancel("first")
    assert ("CancelledError('first')", []) == (await outcome(first), work.requests)
    last.cancel("last")
    await work.begun.wait()
    assert ([("last",)], False) == (work.requests, last.done())
    work.finish.set()
    assert ("CancelledError()", True) == (await outcome(last), promise.cancelled())


async def test_an_awaiter_is_cancelled_while_others_stay_however_often_it_is_asked() -> None:
    promise, resolve, _ = Promise.with_resolvers()
    stays, leaves = (asyncio.create_task(awaiting(promise)) for _ in range(2))
    await turns()
    leaves.cancel()
    leaves.cancel("again")  # as with a Future: it has its cancellation already
    assert "CancelledError()" == await outcome(leaves)
    resolve("done")
    assert "done" == await stays


async def test_an_awaiter_goes_on_with_what_the_work_made_of_the_request() -> None:
    work = Work(lambda: "saved")
    task = asyncio.create_task(awaiting(Promise(work()).then(str.upper)))
    await work.started.wait()
    await turns()
    task.cancel()
    assert "SAVED" == await task


async def test_an_awaiter_goes_on_with_what_a_handler_made_of_the_request_however_often_it_is_asked() -> None:
    """Nothing was running: the handler is called, and the Task waits for its result."""
    promise = Promise.with_resolvers().promise.catch(CancelledError, lambda error: error.args)
    task = asyncio.create_task(awaiting(promise))
    await turns()
    assert (True, True) == (task.cancel("once"), task.cancel("twice"))
    assert ("once",) == await task


async def test_a_task_that_is_cancelled_while_it_is_woken_ends_by_that(monkeypatch) -> None:
    """By a signal handler, in the middle of the library; as with a Future that has ended already."""
    promise, _, reject = Promise.with_resolvers()
    task = asyncio.create_task(awaiting(promise))
    future = asyncio.Future

    def interrupted(**named: object) -> asyncio.Future:
        task.cancel()
        return future(**named)

    # What the Task is woken with, if the promise was rejected.
    monkeypatch.setattr(asyncio, "Future", interrupted)
    await turns()
    reject(ValueError())
    assert "CancelledError()" == await outcome(task)


@pytest.mark.parametrize("links", [0, 2])
async def test_an_awaiter_that_the_handler_ends_in_its_first_step_ends_the_handler(links) -> None:
    """As in any later step: what it returns is dropped, and what is behind it is cancelled with it."""
    promise, resolve, _ = Promise.with_resolvers()

    async def handler(_: object) -> str:
        waiting.cancel()
        return "dropped"

    tip = promise.then(handler)
    for _ in range(links):
        tip = tip.then(unreached)
    waiting = asyncio.create_task(awaiting(tip))
    await turns()
    resolve(None)
    await asyncio.wait([waiting], timeout=5)
    assert (True, True) == (waiting.cancelled(), tip.cancelled())


async def test_an_awaiter_that_the_handler_ends_in_its_first_step_goes_on_with_what_that_makes_of_it() -> None:
    """The handler waits on, is cancelled there, and recovers."""
    promise, resolve, _ = Promise.with_resolvers()
    work = Work(lambda: "recovered")

    async def handler(_: object) -> object:
        waiting.cancel("enough")
        return await work()

    waiting = asyncio.create_task(awaiting(promise.then(handler)))
    await turns()
    resolve(None)
    await asyncio.wait([waiting], timeout=5)
    assert (False, [("enough",)]) == (waiting.cancelled(), work.requests)
    assert "recovered" == waiting.result()


async def test_an_awaiter_of_one_branch_ends_with_that_alone() -> None:
    """It does not wait for the source, which others want."""
    work = Work()
    source = Promise(work())
    branch, sibling = source.then(unreached), source.then(unreached)
    waiting = asyncio.create_task(awaiting(branch))
    await work.started.wait()
    await turns()
    waiting.cancel()
    await asyncio.wait([waiting], timeout=5)
    assert (True, True, False) == (waiting.cancelled(), branch.cancelled(), sibling.done())


async def test_asyncio_timeout_around_the_last_await_ends_the_work_and_waits_for_its_cleanup() -> None:
    log: list[str] = []
    promise = Promise(Work()()).finally_(lambda: turns(3)).finally_(lambda: log.append("closed"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await promise
    assert (["closed"], True) == (log, promise.cancelled())


async def test_asyncio_timeout_around_one_of_several_awaits_leaves_the_work_alone() -> None:
    promise, resolve, _ = Promise.with_resolvers()
    child = promise.then(lambda value: value + 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await promise
    resolve(1)
    assert 2 == await child


async def test_wait_for_ends_a_shared_promise_only_where_python_cancels_it() -> None:
    """Up to Python 3.11 wait_for() calls cancel() of what it waits for; later it is one awaiter of several."""
    promise = Promise.with_resolvers().promise
    child = promise.then(unreached)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(promise, 0.001)
    ended = sys.version_info < (3, 12)
    assert (ended, ended) == (promise.cancelled(), child.cancelled())


async def test_cancel_ends_a_promise_whoever_consumes_it() -> None:
    promise = Promise.with_resolvers().promise
    task = asyncio.create_task(awaiting(promise))
    child = promise.then(unreached)
    await turns()
    promise.cancel("over")
    assert ["CancelledError('over')"] * 2 == [await outcome(task), await outcome(child)]


async def test_cancelling_gather_ends_its_promises_whoever_consumes_them() -> None:
    promises = [Promise.with_resolvers().promise for _ in range(2)]
    children = [promise.then(unreached) for promise in promises]
    gathered = asyncio.gather(*promises)
    gathered.cancel()
    assert ["CancelledError()"] * 3 == [await outcome(one) for one in (gathered, *children)]


@pytest.mark.parametrize("last", [Promise.resolve, lambda: Promise.reject(ValueError()), lambda: Promise.delay(3600)])
async def test_a_gather_of_failures_too_is_cancelled_though_its_last_promise_has_settled(last) -> None:
    """It asks the last of what it waits for which error to raise, whatever became of that."""
    gathered = asyncio.gather(asyncio.sleep(3600), last(), return_exceptions=True)
    await turns()
    gathered.cancel("over")
    await asyncio.wait([gathered], timeout=10)
    assert gathered.done()
    assert CancelledError is await value_or_class(gathered)


@pytest.mark.parametrize("wrap", [Promise, lambda work: Promise(asyncio.gather(work))], ids=["work", "gather"])
async def test_a_task_that_was_cancelled_waits_for_the_cleanup_though_another_comes_to_await_the_promise(wrap) -> None:
    """What it awaits was asked already, and the Task gets what comes of that."""
    work = Cleanup()
    promise = wrap(work())
    first = asyncio.create_task(value_or_class(promise))
    await work.started.wait()
    first.cancel()
    second = asyncio.create_task(value_or_class(promise))
    await work.begun.wait()
    await turns()
    assert (False, False) == (first.done(), second.done())
    work.finish.set()
    assert [CancelledError, CancelledError] == [await first, await second]


async def test_the_cancellation_of_a_shield_stops_there() -> None:
    source, resolve, _ = Promise.with_resolvers()
    tip = source.shield().then(unreached)
    tip.cancel()
    assert tip.cancelled()
    resolve("done")
    assert "done" == await source


@pytest.mark.parametrize(
    ("settle", "expected"),
    [
        (lambda resolve, reject: resolve(1), 1),
        (lambda resolve, reject: reject(ValueError("no")), "ValueError('no')"),
        (lambda resolve, reject: reject(CancelledError("gone")), "CancelledError('gone')"),
    ],
    ids=["fulfilled", "rejected", "cancelled"],
)
async def test_a_shield_gives_the_outcome_that_is_behind_it(settle, expected) -> None:
    source, *resolvers = Promise.with_resolvers()
    shield = source.shield()
    settle(*resolvers)
    assert [expected] * 2 == [await outcome(shield), await outcome(source.shield())]


# ------------------------------------------------------------------------- a second request, and one's own promise


async def test_a_second_cancel_is_delivered_to_a_running_finally() -> None:
    close = Work()
    tip = Promise.with_resolvers().promise.finally_(close).then(unreached)
    tip.cancel("first")
    await close.started.wait()
    assert [] == close.requests
    tip.cancel("second")
    assert ("CancelledError('second')", [("second",)]) == (await outcome(tip), close.requests)


async def test_a_finally_that_was_asked_to_end_is_waited_for() -> None:
    """It may need some time for that, as any Task."""
    cleanup = Cleanup()
    promise = Promise.resolve("value").finally_(cleanup)
    await cleanup.started.wait()
    promise.cancel()
    await cleanup.begun.wait()
    assert not promise.done()
    cleanup.finish.set()
    assert "CancelledError()" == await outcome(promise)


async def test_an_effect_that_is_cancelled_before_its_first_step_is_closed() -> None:
    """A Task that does not start eagerly may never start: then nothing warns that its coroutine was never awaited."""
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    work = Work()

    def cancelled(loop: asyncio.AbstractEventLoop, coroutine: Coroutine, **_: object) -> asyncio.Task:
        loop.set_task_factory(factory)
        task = asyncio.Task(coroutine, loop=loop)
        task.cancel()
        return task

    loop.set_task_factory(cancelled)
    ended = await outcome(Promise.resolve().tap(work))
    assert ("CancelledError()", False) == (ended, work.started.is_set())


def lazy(loop: asyncio.AbstractEventLoop, coroutine: Coroutine, **_: object) -> asyncio.Task:
    """Make Tasks that start in a later iteration, as all do on Python 3.11."""
    return asyncio.Task(coroutine, loop=loop)


ANSWERS = {
    "finally_": lambda promise, clean_up: promise.finally_(clean_up),
    "tap_catch": lambda promise, clean_up: promise.tap_catch(CancelledError, lambda error: clean_up()),
    "catch": lambda promise, clean_up: promise.catch(CancelledError, lambda error: clean_up()),
    "catch of everything": lambda promise, clean_up: promise.catch(BaseException, lambda error: clean_up()),
}

GIVEN = {
    "a coroutine": lambda work: work(),
    "an awaitable": Wrapped,
    "a promise": lambda work: Promise(work()),
    "a promise that is resolved": lambda work: Promise(lambda resolve, reject: resolve(work())),
    "a link of a promise": lambda work: Promise.resolve(work()).then(str),
    "a promisified function": lambda work: promisify(work)(),
    "a combinator": lambda work: Promise.all(work()),
}


@pytest.fixture(params=["the loop's own Tasks", "Tasks that begin later"])
async def begins(request: pytest.FixtureRequest, loop_mode: str) -> None:
    """Run the test with the Tasks that the loop makes, and with a factory whose Tasks are not eager."""
    if request.param == "Tasks that begin later":
        asyncio.get_running_loop().set_task_factory(lazy)


@pytest.mark.usefixtures("begins")
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize("link", ANSWERS.values(), ids=ANSWERS)
async def test_a_cleanup_that_is_asked_to_end_before_its_first_step_begins(link, given) -> None:
    """The request reaches whatever its first step led to, once, like one that came an iteration later."""
    work = Work()
    promise = link(Promise.with_resolvers().promise, lambda: given(work))
    promise.cancel("first")
    await turns(1)
    promise.cancel("second")
    ended = await outcome(promise)
    assert ("CancelledError('second')", [("second",)], 1) == (ended, work.requests, work.asked)


@pytest.mark.parametrize("link", ANSWERS.values(), ids=ANSWERS)
async def test_every_request_that_came_before_the_first_step_is_counted(link) -> None:
    """`Task.cancelling()` says how often it was asked."""
    asyncio.get_running_loop().set_task_factory(lazy)
    work = Work()
    promise = link(Promise.with_resolvers().promise, work)
    promise.cancel()
    await turns(1)
    promise.cancel("second")
    promise.cancel("third")
    await outcome(promise)
    assert ([("third",)], 2) == (work.requests, work.asked)


async def _ends_at_once(log: list[str]) -> None:
    log.append("ended")


async def _gives_way(log: list[str]) -> None:
    try:
        await asyncio.sleep(0)
    except CancelledError:
        log.append("asked")
        await asyncio.sleep(0)
    log.append("ended")


async def _waits_for_a_promise(log: list[str]) -> None:
    try:
        await Promise.delay(3600).finally_(lambda: _ends_at_once(log))
    except CancelledError:
        log.append("asked")


async def _waits_within_a_limit(log: list[str]) -> None:
    try:
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()
    except CancelledError:
        log.append("asked")


async def _waits_in_a_group(log: list[str]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            await asyncio.sleep(3600)
    except CancelledError:
        log.append("asked")


async def _fails_at_once(log: list[str]) -> None:
    log.append("failed")
    raise ValueError("no cleanup")


FIRST_STEPS = [
    (_ends_at_once, "CancelledError('first')", ["ended"]),
    (_gives_way, "CancelledError('first')", ["asked", "ended"]),
    (_waits_for_a_promise, "CancelledError('first')", ["ended", "asked"]),
    (_waits_within_a_limit, "CancelledError('first')", ["asked"]),
    (_waits_in_a_group, "CancelledError('first')", ["asked"]),
    (_fails_at_once, "ValueError('no cleanup')", ["failed"]),
]


@pytest.mark.usefixtures("begins")
@pytest.mark.parametrize(("clean_up", "expected", "expected_log"), FIRST_STEPS)
async def test_a_request_before_the_first_step_comes_right_after_it(clean_up, expected, expected_log) -> None:
    """Where that was the last one too, its outcome stands, as that of any Task that was asked too late."""
    log: list[str] = []
    promise = Promise.with_resolvers().promise.finally_(lambda: clean_up(log))
    promise.cancel("first")
    await turns(1)
    promise.cancel("second")
    assert (expected, expected_log) == (await outcome(promise), log)


@pytest.mark.parametrize("factory", [None, lazy], ids=["the loop's own Tasks", "Tasks that begin later"])
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize("link", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("count", range(4))
def test_the_end_of_the_loop_lets_a_cleanup_begin(link, given, factory, count) -> None:
    """It cancels all Tasks, also those that have not taken their first step."""
    log: list[str] = []

    async def clean_up() -> None:
        log.append("begun")
        try:
            await asyncio.sleep(0)
        finally:
            log.append("ended")

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        promise = link(Promise.with_resolvers().promise, lambda: given(clean_up))
        promise.cancel()
        await turns(count)

    asyncio.run(main())
    assert ["begun", "ended"] == log


async def test_a_second_cancel_is_delivered_to_a_running_cleanup() -> None:
    work = Cleanup()
    promise = Promise(work())
    await work.started.wait()
    promise.cancel()
    await work.begun.wait()
    promise.cancel("hurry")
    assert "CancelledError('hurry')" == await outcome(promise)


async def own_work(value: object) -> None:
    raise AssertionError("what a handler returned after cancelling its own promise was run")


@pytest.mark.parametrize("returned", [lambda: 5, lambda: own_work(5), lambda: Promise.resolve(5)])
@pytest.mark.parametrize("link", [Promise.then, Promise.finally_], ids=["then", "finally_"])
async def test_what_a_sync_handler_returns_after_cancelling_its_own_promise_is_dropped(link, returned) -> None:
    def handler(*arguments: object) -> object:
        promise.cancel("own")
        return returned()

    promise = link(Promise.resolve(), handler)
    assert "CancelledError('own')" == await outcome(promise.then(unreached))


async def _returns(promise: Promise) -> int:
    promise.cancel("own")
    return 5


async def _waits(promise: Promise) -> None:
    promise.cancel("own")
    await asyncio.Event().wait()


async def _waits_before(promise: Promise) -> None:
    await asyncio.sleep(0)
    promise.cancel("own")
    await asyncio.Event().wait()


@pytest.mark.parametrize("body", [_returns, _waits, _waits_before])
@pytest.mark.parametrize("link", [Promise.then, Promise.finally_], ids=["then", "finally_"])
async def test_an_async_handler_that_cancels_its_own_promise_is_cancelled_as_a_task_that_cancels_itself(
    link, body
) -> None:
    promise = link(Promise.resolve(), lambda *arguments: body(promise))
    assert "CancelledError('own')" == await outcome(promise.then(unreached))


@pytest.mark.parametrize("error", [ValueError("torn"), CancelledError("other")], ids=repr)
@pytest.mark.parametrize("link", [Promise.then, Promise.finally_], ids=["then", "finally_"])
async def test_an_async_handler_that_fails_after_cancelling_its_own_promise_ends_it_with_its_error(link, error) -> None:
    """As a Task that cancels itself and then raises something else: nothing of it is lost."""

    async def handler(*arguments: object) -> None:
        promise.cancel("own")
        raise error

    promise = link(Promise.resolve(), handler)
    assert repr(error) == await outcome(promise.then(unreached))


async def test_an_async_handler_can_recover_from_its_own_request() -> None:
    async def handler(value: object) -> str:
        promise.cancel()
        return await outcome(asyncio.sleep(0))

    promise = Promise.resolve().then(handler)
    assert "CancelledError()" == await promise


# ------------------------------------------------------------------------------------------ between two moments


@pytest.mark.parametrize("make", [lambda: Promise.resolve(1), lambda: Promise.reject(ValueError())])
async def test_a_promise_cancelled_while_its_handler_is_due_does_not_call_it(make) -> None:
    source = make()
    branch = source.then(unreached, unreached)
    tip = branch.then(unreached, unreached)
    tip.cancel()
    assert (True, True) == (branch.cancelled(), tip.cancelled())
    await outcome(source)


async def test_a_shield_cancelled_while_its_outcome_is_due_stays_cancelled() -> None:
    source = Promise.resolve("value")
    shield = source.shield()
    shield.cancel()
    await turns()
    assert (True, "value") == (shield.cancelled(), await source)


async def test_a_finally_cancelled_while_it_is_due_is_called_once() -> None:
    log: list[str] = []
    promise = Promise.resolve("value").finally_(lambda: log.append("closed"))
    promise.cancel("first")
    promise.cancel("second")
    assert ("CancelledError('second')", ["closed"]) == (await outcome(promise), log)


async def test_a_catch_recovers_from_a_request_that_came_while_it_was_due() -> None:
    promise = Promise.resolve("value").catch(CancelledError, repr)
    promise.cancel()
    assert "CancelledError()" == await promise


async def test_a_request_that_comes_after_the_work_has_ended_is_too_late_for_its_promise() -> None:
    """The outcome is kept and cancel() returns False, even if the promise has not been notified yet."""
    future = asyncio.get_running_loop().create_future()
    promise = Promise(future)
    future.set_result("done")
    assert (False, "done") == (promise.cancel(), await promise)


async def test_a_request_that_comes_after_the_work_has_ended_still_cancels_the_links() -> None:
    future = asyncio.get_running_loop().create_future()
    promise = Promise(future)
    tip = promise.then(unreached).then(unreached)
    future.set_result("done")
    assert (True, True) == (tip.cancel(), tip.cancelled())
    assert "done" == await promise


@pytest.mark.parametrize("awaited", [lambda future: future, Promise, lambda future: Promise(future).then()])
async def test_an_awaiter_is_cancelled_though_what_it_awaits_ends_after_that_in_the_same_turn(awaited) -> None:
    """As with a Future, which is ended by the request itself."""
    future = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(awaiting(awaited(future)))
    await turns()
    task.cancel("enough")
    if not future.done():
        future.set_result("done")
    assert "CancelledError('enough')" == await outcome(task)


# ------------------------------------------------------------------------------------------------------- timeout


async def test_timeout_rejects_and_ends_the_work() -> None:
    work = Work()
    promise = Promise(work())
    await work.started.wait()
    with pytest.raises(TimeoutError) as caught:
        await promise.timeout(0)
    assert "timed out after 0 seconds" == str(caught.value)
    assert [()] == work.requests


async def test_an_outcome_that_is_there_is_the_outcome_whatever_the_time() -> None:
    """What the promise has settled with already is not too late, as ``await`` of it waits for nothing."""
    assert "in time" == await Promise.resolve("in time").timeout(0)
    assert "ValueError('no')" == await outcome(Promise.reject(ValueError("no")).timeout(-1))


async def test_an_outcome_that_comes_in_the_turn_in_which_the_time_is_up_is_too_late() -> None:
    """Like `asyncio.timeout`, whose Task has been cancelled by then."""

    async def by_asyncio(promise: Promise) -> object:
        async with asyncio.timeout(0):
            return await promise

    for limit in (by_asyncio, lambda promise: promise.timeout(0)):
        promise, resolve, _ = Promise.with_resolvers()
        limited = Promise.resolve(limit(promise))
        await asyncio.sleep(0)
        resolve("too late")
        assert TimeoutError is await value_or_class(limited)


FALLBACKS = pytest.mark.parametrize("fallback", [{}, {"fallback": "too late"}], ids=["TimeoutError", "fallback"])


@FALLBACKS
async def test_a_task_that_is_cancelled_while_the_work_cleans_up_after_its_time_is_cancelled(fallback) -> None:
    """A retry loop must see it, or it continues forever."""
    work = Cleanup()

    async def try_again() -> None:
        for _ in range(3):
            with contextlib.suppress(TimeoutError):
                await Promise(work()).timeout(0, **fallback)

    task = asyncio.create_task(try_again())
    await work.begun.wait()
    task.cancel()
    await asyncio.wait([task], timeout=1)
    assert task.cancelled()


FROM_BELOW = {
    "itself": lambda limited: limited,
    "a link": lambda limited: limited.then(unreached).tap(unreached),
    "another limit": lambda limited: limited.timeout(3600, fallback="too late"),
    "a follower": followed_by_a_new_promise,
    "a combinator": Promise.all,
    "a Task": lambda limited: asyncio.create_task(awaiting(limited)),
    "a Task that awaits a link": lambda limited: asyncio.create_task(awaiting(limited.then(unreached))),
}


@FALLBACKS
@pytest.mark.parametrize("below", FROM_BELOW.values(), ids=FROM_BELOW)
class TestARequestThatComesThroughALimit:
    """It is never turned into a timeout, wherever it comes from."""

    async def test_while_the_work_cleans_up_after_its_time(self, below, fallback) -> None:
        work = Cleanup()
        tip = below(Promise(work()).timeout(0, **fallback))
        await work.begun.wait()
        tip.cancel()
        assert "CancelledError()" == await outcome(tip)

    async def test_before_the_time_is_up_which_then_asks_once_more(self, below, fallback) -> None:
        work = Cleanup()
        tip = below(Promise(work()).timeout(0.1, **fallback))
        await work.started.wait()
        tip.cancel()
        await work.begun.wait()
        assert "CancelledError()" == await outcome(tip)

    async def test_where_nothing_runs(self, below, fallback) -> None:
        promise = Promise.with_resolvers().promise
        tip = below(promise.timeout(3600, **fallback))
        await turns()
        tip.cancel()
        assert ("CancelledError()", True) == (await outcome(tip), promise.cancelled())


async def test_a_request_of_the_first_step_of_a_handler_to_its_own_awaiter_is_no_timeout() -> None:
    """It is stored for the coroutine, which cannot be cancelled before its first step is over."""
    work = Cleanup()

    async def handler(_: object) -> None:
        task.cancel()
        await work()

    source, resolve, _ = Promise.with_resolvers()
    limited = source.then(handler).timeout(0.05)
    task = asyncio.create_task(awaiting(limited))
    await turns()
    resolve()
    assert ("CancelledError()", True) == (await outcome(task), limited.cancelled())


@pytest.mark.parametrize("on_settled", [int, lambda: 1 / 0], ids=["returns", "raises"])
async def test_what_is_made_after_a_cleanup_is_no_part_of_it(on_settled: Callable) -> None:
    """It need not begin if it is cancelled before its first step, as a cleanup must."""
    begun = []

    async def work() -> None:
        begun.append(True)

    async def cancel_at_once() -> tuple[object, int]:
        begun.clear()
        promise = Promise(work())
        promise.cancel()
        return await outcome(promise), len(begun)

    usual = await cancel_at_once()
    await outcome(Promise.resolve().finally_(on_settled))
    assert usual == await cancel_at_once()


async def test_a_request_that_does_not_come_after_all_leaves_the_timeout_to_others() -> None:
    """The Task only withdraws, as in that very iteration another consumer has appeared."""
    promise = Promise.with_resolvers().promise
    limited = promise.timeout(0.2)
    task = asyncio.create_task(awaiting(limited))
    await turns()
    task.cancel()
    other = limited.then()
    expected = ["CancelledError()", "TimeoutError('timed out after 0.2 seconds')"]
    assert expected == [await outcome(task), await outcome(other)]


async def test_a_timeout_whose_awaiter_is_cancelled_before_it_comes_is_not_reported(reports) -> None:
    """The work has ended, and the Task is cancelled before the time limit is notified."""
    tasks: list[asyncio.Task] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            asyncio.get_running_loop().call_soon(tasks[0].cancel)

    tasks.append(asyncio.create_task(awaiting(Promise(work()).timeout(0.01))))
    await asyncio.wait(tasks)
    assert tasks.pop().cancelled()
    gc.collect()
    assert [] == reports


async def test_a_request_of_somebody_else_to_the_work_leaves_it_to_the_limit_that_its_time_is_up() -> None:
    """Who waits for the limit was not asked: `asyncio.timeout` knows of no other request either."""
    work = Cleanup()
    promise = Promise(work())
    limited = promise.timeout(0)
    await work.begun.wait()
    promise.cancel()
    assert "TimeoutError('timed out after 0 seconds')" == await outcome(limited)


async def test_a_limit_of_what_nothing_runs_for_is_cancelled_at_once() -> None:
    promise = Promise.with_resolvers().promise
    tip = promise.timeout(3600).timeout(3600, fallback=0).then(unreached)
    assert (True, True, True) == (tip.cancel(), tip.cancelled(), promise.cancelled())


async def test_a_cancelled_error_that_is_a_value_is_no_request() -> None:
    """The race has its answer, and still waits for its loser."""
    work = Cleanup()
    loser = Promise(work())
    await work.started.wait()
    limited = Promise.race(loser, Promise.resolve(CancelledError()), losers="cancel").timeout(0.01)
    await work.begun.wait()
    assert "TimeoutError('timed out after 0.01 seconds')" == await outcome(limited)


async def test_a_task_that_has_ignored_a_cancellation_times_out_as_any_other() -> None:
    """`Task.cancelling()` counts it forever, but nothing is cancelled now."""

    async def poll() -> None:
        asyncio.current_task().cancel()
        with contextlib.suppress(CancelledError):
            await asyncio.sleep(0)
        await asyncio.Event().wait()

    assert "TimeoutError('timed out after 0.01 seconds')" == await outcome(Promise(poll()).timeout(0.01))
    assert "too late" == await Promise(poll()).timeout(0.01, fallback="too late")


def limited_by_2000(promise: Promise) -> Promise:
    for _ in range(2000):
        promise = promise.timeout(3600)
    return promise


async def test_limits_nest_without_recursion() -> None:
    """They pass on a value, a request from below, and that of one whose time is up."""
    fulfilled, cancelled, late = Work(lambda: "value"), Work(), Work()
    promises = [Promise(work()) for work in (fulfilled, cancelled, late)]
    tips = [limited_by_2000(promise) for promise in promises]
    tips[2] = tips[2].timeout(0)
    await late.started.wait()
    promises[0].cancel()
    tips[1].cancel()
    expected = ["value", "CancelledError()", "TimeoutError('timed out after 0 seconds')"]
    assert expected == [await outcome(tip) for tip in tips]
    assert [[()]] * 3 == [work.requests for work in (fulfilled, cancelled, late)]


async def test_limits_without_work_nest_without_recursion() -> None:
    promise, resolve, _ = Promise.with_resolvers()
    tips = [limited_by_2000(promise), limited_by_2000(Promise.with_resolvers().promise)]
    resolve("value")
    tips[1].cancel()
    assert ["value", "CancelledError()"] == [await outcome(tip) for tip in tips]


def test_the_end_of_the_loop_is_one_request_for_the_work_below_a_limit(run) -> None:
    """asyncio.run() asks all Tasks: the one that awaits the limit, which asks the work, and that itself."""
    work = Cleanup()
    ended: list[str] = []
    tasks: list[asyncio.Task] = []

    async def clean_up() -> None:
        try:
            await turns(5)
            ended.append("clean")
        finally:
            raise CancelledError

    work.ends = clean_up

    async def main() -> None:
        limits = [Promise(work()).then().timeout(3600).timeout(3600) for _ in range(2)]
        tasks[:] = [asyncio.create_task(awaiting(limit)) for limit in limits]
        await work.started.wait()
        await turns()

    run(main)
    assert (["clean"] * 2, [(), ()]) == (ended, work.requests)


@pytest.mark.parametrize("fallback", ["too late", None])
async def test_timeout_with_a_fallback_fulfils_with_it(fallback) -> None:
    work = Work()
    promise = Promise(work())
    await work.started.wait()
    assert fallback == await promise.timeout(0, fallback=fallback)
    assert [()] == work.requests


@pytest.mark.parametrize(("after", "expected"), [(0, TypeError), (1, TypeError), (2, TimeoutError), (3, TimeoutError)])
async def test_a_limit_that_has_stopped_waiting_makes_no_cycle(after, expected) -> None:
    """Once its time is up, and others wait for the source, it waits for nothing: so the source may follow it."""
    first, resolve, _ = Promise.with_resolvers()
    source = first.then(str)
    other, limit = source.then(str), source.timeout(0)
    await turns(after)
    resolve(limit)
    assert expected is await value_or_class(first)
    assert TimeoutError is await value_or_class(limit)
    assert expected is await value_or_class(other)


async def test_a_time_limit_that_the_loop_refuses_leaves_nothing_behind(reports) -> None:
    """In debug mode it refuses another thread; what was started for the limit ends silently."""
    promise, resolve, _ = Promise.with_resolvers()
    asyncio.get_running_loop().set_debug(True)
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(promise.timeout, 3600)
    resolve("value")
    await turns()
    gc.collect()
    assert ("value", []) == (await promise, reports)


async def test_timeout_settles_after_the_work_it_has_stopped() -> None:
    log: list[str] = []
    work = Promise.resolve().then(Work()).finally_(lambda: turns(3)).finally_(lambda: log.append("closed"))
    assert ("too late", ["closed"]) == (await work.timeout(0, fallback="too late"), log)


async def test_timeout_leaves_work_alone_that_somebody_else_wants() -> None:
    source, resolve, _ = Promise.with_resolvers()
    child = source.then(lambda value: value + 1)
    assert "too late" == await source.timeout(0, fallback="too late")
    resolve(1)
    assert 2 == await child


@pytest.mark.parametrize("limit", [{"seconds": 3600, "fallback": 0}, {"seconds": None}], ids=["in time", "no limit"])
@pytest.mark.parametrize(
    ("settle", "expected"),
    [
        (lambda resolve, reject: resolve(1), 1),
        (lambda resolve, reject: reject(TimeoutError("own")), "TimeoutError('own')"),
        (lambda resolve, reject: reject(CancelledError("own")), "CancelledError('own')"),
    ],
    ids=["fulfilled", "rejected", "cancelled"],
)
async def test_timeout_passes_on_what_comes_in_time(settle, expected, limit) -> None:
    source, *resolvers = Promise.with_resolvers()
    promise = source.timeout(**limit)
    settle(*resolvers)
    assert expected == await outcome(promise)


class RecordingLoop(asyncio.SelectorEventLoop):
    """A loop that keeps its timers to be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[asyncio.TimerHandle] = []

    def call_at(self, *arguments, **options) -> asyncio.TimerHandle:
        self.timers.append(super().call_at(*arguments, **options))
        return self.timers[-1]

    def to_fire(self) -> list[asyncio.TimerHandle]:
        return [timer for timer in self.timers if not timer.cancelled() and timer.when() > self.time()]


@pytest.fixture
def run(loop_mode: str) -> Callable[..., None]:
    """Return a function that runs *main* on a loop of its own, in the loop mode, to its end."""

    def run(main: Callable[[], Awaitable], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        with asyncio.Runner(debug=loop_mode == "debug", loop_factory=loop_factory) as runner:
            runner.get_loop().slow_callback_duration = 60
            if loop_mode == "eager":
                runner.get_loop().set_task_factory(asyncio.eager_task_factory)
            runner.run(main())

    return run


def _is_cancelled(source: Promise) -> Promise:
    promise = source.timeout(3600)
    promise.cancel()
    return promise


def _is_cut_off(source: Promise) -> Promise:
    source.then()
    return _is_cancelled(source)


def _is_delayed(source: Promise) -> Promise:
    promise = Promise.delay(3600)
    asyncio.get_running_loop().call_soon(promise.cancel)
    return promise


def _settled_soon(method: str, outcome: object) -> asyncio.Future:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(getattr(future, method), outcome)
    return future


TIMED = {
    "fulfilled in time": lambda source: Promise(_settled_soon("set_result", 1)).timeout(3600),
    "rejected in time": lambda source: Promise(_settled_soon("set_exception", ValueError())).timeout(3600),
    "settled later": lambda source: Promise(asyncio.sleep(0)).timeout(3600),
    "ended by a shorter limit": lambda source: source.timeout(3600).timeout(0),
    "cancelled": _is_cancelled,
    "cancelled alone": _is_cut_off,
    "a delay that is cancelled": _is_delayed,
}


@pytest.mark.parametrize("end", TIMED.values(), ids=TIMED)
def test_no_timer_is_left_behind(run, end) -> None:
    left: list[asyncio.TimerHandle] = [None]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await outcome(end(Promise.with_resolvers().promise))
        assert loop.timers
        left[:] = loop.to_fire()

    run(main, RecordingLoop)
    assert [] == left


# ----------------------------------------------------------------------------------------------- the end of the loop

PENDING = {
    "a coroutine": lambda: Promise(Work()()),
    "a coroutine of an executor": lambda: Promise(lambda resolve, reject: resolve(Work()())),
    "a handler": lambda: Promise.resolve().then(Work()),
    "a future": lambda: Promise(asyncio.get_running_loop().create_future()),
    "a delay": lambda: Promise.delay(3600),
    **{name: make for name, make in IDLE.items() if name != "a settled promise"},
}


async def _closes(log: list[str]) -> None:
    await turns(30)
    log.append("closed")


async def _closes_and_cancels(log: list[str]) -> None:
    await _closes(log)
    raise CancelledError


async def _closes_with_promises(log: list[str]) -> None:
    await Promise(turns(30)).then(lambda _: turns(30))
    log.append("closed")


def _in_a_thread(call: Callable[[], object]) -> asyncio.Future:
    return asyncio.get_running_loop().run_in_executor(None, call)


CLEANUPS = {
    "sync": lambda log: log.append("closed"),
    "async": _closes,
    "async, awaiting promises": _closes_with_promises,
    "sync, returning a promise": lambda log: Promise(turns(30)).then(lambda _: _closes(log)),
    "sync, returning a Task": lambda log: asyncio.create_task(_closes(log)),
    "sync, returning the future of a thread": lambda log: _in_a_thread(lambda: log.append("closed")),
}


@pytest.mark.parametrize("begin", PENDING.values(), ids=PENDING)
def test_the_end_of_the_loop_cancels_whatever_is_pending_and_awaits_its_finally_callbacks(run, begin) -> None:
    log: list[str] = []
    held: list[Promise] = []

    async def main() -> None:
        held.append(begin().finally_(lambda: _closes(log)).finally_(lambda: log.append("end")))
        await turns(3)

    run(main)
    assert (["closed", "end"], True) == (log, held[0].cancelled())


@pytest.mark.parametrize("clean_up", CLEANUPS.values(), ids=CLEANUPS)
@pytest.mark.parametrize("begin", ["a coroutine", "resolvers"])
def test_the_end_of_the_loop_awaits_finally_callbacks_of_every_kind(run, begin, clean_up) -> None:
    log: list[str] = []
    held: list[Promise] = []

    async def main() -> None:
        held.append(PENDING[begin]().finally_(lambda: clean_up(log)))
        await turns(3)

    run(main)
    assert (["closed"], True) == (log, held[0].cancelled())


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (lambda promise: promise.finally_(lambda: fail(ValueError("torn"))), "ValueError('torn')"),
        (lambda promise: promise.catch(CancelledError, lambda error: "saved"), "saved"),
    ],
    ids=["rejected", "fulfilled"],
)
def test_the_end_of_the_loop_awaits_finally_callbacks_whatever_came_of_the_request(run, before, expected) -> None:
    log: list[str] = []
    held: list[Promise] = []

    async def main() -> None:
        held.append(before(Promise.with_resolvers().promise).finally_(lambda: _closes(log)).catch(repr))

    run(main)
    assert (["closed"], expected) == (log, held[0].result())


@pytest.mark.parametrize("begin", PENDING.values(), ids=PENDING)
def test_the_end_of_the_loop_awaits_the_handlers_for_its_cancellation(run, begin) -> None:
    """A catch() for it is called because of the shutdown, and is not interrupted by it."""
    log: list[str] = []
    held: list[Promise] = []

    async def main() -> None:
        held.append(begin().catch(CancelledError, lambda error: _closes(log)))
        await turns(3)

    run(main)
    assert (["closed"], None) == (log, held[0].result())


def _job(work: Coroutine) -> asyncio.Future:
    """Return a Future that is not a Task, and that the work settles."""
    future = asyncio.get_running_loop().create_future()
    Promise(work).finally_(lambda: future.set_result(None))
    return future


RETURNED = {
    "a coroutine": lambda work: work,
    "an awaitable": lambda work: Wrapped(lambda: work),
    "a promise": Promise,
    "a chain": lambda work: Promise(work).then(repr),
    "a Task": asyncio.ensure_future,
    "a Future": _job,
}


@pytest.mark.parametrize("returned", RETURNED.values(), ids=RETURNED)
@pytest.mark.parametrize("link", ANSWERS.values(), ids=ANSWERS)
def test_the_end_of_the_loop_awaits_whatever_a_cleanup_returns(link, returned) -> None:
    """The function need not be async: what it returns is what the promise waits for."""
    log: list[str] = []
    held: list[Promise] = []

    async def main() -> None:
        held.append(link(Promise.with_resolvers().promise, lambda: returned(_closes(log))))

    asyncio.run(main())
    assert (["closed"], True) == (log, held[0].done())


@pytest.mark.parametrize("end", [None, ValueError(), KeyboardInterrupt(), SystemExit()], ids=repr)
def test_finally_callbacks_are_awaited_however_the_main_coroutine_ends(end) -> None:
    log: list[str] = []
    held: list[Promise] = []

    async def main() -> None:
        held.append(Promise.with_resolvers().promise.finally_(lambda: _closes(log)))
        if end is not None:
            raise end

    with contextlib.nullcontext() if end is None else pytest.raises(type(end)):
        asyncio.run(main())
    assert ["closed"] == log


def test_a_loop_that_is_ended_by_hand_awaits_finally_callbacks_in_shutdown_asyncgens() -> None:
    log: list[str] = []
    held: list[Promise] = []

    async def main() -> None:
        work = Promise.resolve().then(Work(lambda: _closes_and_cancels(log)))
        held.extend([work.finally_(lambda: _closes(log)), Promise.with_resolvers().promise])
        await turns(3)

    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(main())
        assert [] == log
        loop.run_until_complete(loop.shutdown_asyncgens())
    assert ["closed", "closed"] == log


def test_a_loop_that_is_ended_by_hand_ends_though_a_combinator_lets_go_of_a_task_in_its_cleanup() -> None:
    """The race has ended before the Task, which is the caller's, and then nothing tells how that ended."""
    held: list[asyncio.Future] = []

    async def work(least: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await turns(least)

    async def main() -> None:
        held.append(asyncio.create_task(work(20)))
        held.append(Promise.race(held[0], work(3)))
        await turns(3)

    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(main())
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), 20))
        assert held[1].cancelled()
        loop.run_until_complete(asyncio.wait(held[:1]))


def test_a_promise_that_is_pending_between_two_runs_of_a_runner_goes_on() -> None:
    async def begin() -> Promise:
        return Promise(turns(3)).then(lambda _: "done")

    with asyncio.Runner() as runner:
        promise = runner.run(begin())
        assert "done" == runner.run(awaiting(promise))


@pytest.mark.parametrize("debug", [False, True], ids=["without debug mode", "in debug mode"])
def test_a_promise_may_be_cancelled_between_two_runs_of_a_runner(debug) -> None:
    """No thread runs the loop then, so debug mode takes none for the wrong one."""

    async def begin() -> Promise:
        return Promise.with_resolvers().promise

    with asyncio.Runner(debug=debug) as runner:
        promise = runner.run(begin())
        assert (True, True) == (promise.cancel(), promise.cancelled())


def test_the_end_of_the_loop_waits_for_no_timer(run) -> None:
    """What is due then runs as soon as it can."""
    loops: list[RecordingLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        loops[0].held = Promise.with_resolvers().promise.finally_(lambda: None).finally_(lambda: None)

    run(main, RecordingLoop)
    assert [] == loops[0].timers


def test_the_end_of_the_loop_reaches_each_of_many_promises(run) -> None:
    held: list[Promise] = []
    closed: list[int] = []

    async def main() -> None:
        for number in range(3000):
            Promise.with_resolvers().promise.cancel()
            held.append(Promise.with_resolvers().promise.finally_(lambda number=number: closed.append(number)))

    run(main)
    assert list(range(3000)) == closed


@pytest.mark.parametrize("begin", PENDING.values(), ids=PENDING)
@pytest.mark.parametrize("first", ["a coroutine", "resolvers"])
def test_a_promise_that_a_cleanup_leaves_behind_is_cancelled_too(run, first, begin) -> None:
    left: list[Promise] = []

    async def main() -> None:
        left.append(PENDING[first]().finally_(lambda: left.append(begin())))
        await turns(3)

    run(main)
    assert [True, True] == [promise.cancelled() for promise in left]


@pytest.mark.parametrize("begin", PENDING.values(), ids=PENDING)
def test_the_end_of_the_loop_ends_a_cleanup_that_waits_for_what_is_pending(run, begin) -> None:
    held: list[Promise] = []

    async def main() -> None:
        pending = begin()
        held.extend([pending, Promise(Work()()).finally_(lambda: pending)])
        await turns(3)

    run(main)
    assert [True, True] == [promise.cancelled() for promise in held]


# ------------------------------------------------------------------------------------------------------------- quiet


def _never_awaited(work: Work) -> None:
    Promise(work()).then(unreached).cancel()


def _settled_too_late(work: Work) -> None:
    promise, resolve, reject = Promise.with_resolvers()
    promise.then(unreached).cancel()
    resolve(1)
    resolve(own_work(1))
    reject(ValueError())


def _settled_in_time(work: Work) -> None:
    future = asyncio.get_running_loop().create_future()
    tip = Promise(future).then(unreached)
    future.set_result(1)
    tip.cancel()


def _thenable_that_answers(work: Work) -> None:
    class Late:
        def then(self, resolve: Callable, reject: Callable) -> None:
            asyncio.get_running_loop().call_soon(promise.cancel)
            asyncio.get_running_loop().call_soon(resolve, 1)

    promise = Promise.from_thenable(Late())


def _twice(work: Work) -> None:
    promise = Promise(work()).finally_(lambda: turns(3))
    asyncio.get_running_loop().call_soon(promise.cancel)
    asyncio.get_running_loop().call_later(0, promise.cancel)


def _awaiters(work: Work) -> None:
    promise = Promise(work())
    for task in [asyncio.create_task(awaiting(promise)) for _ in range(3)]:
        asyncio.get_running_loop().call_soon(task.cancel)
        asyncio.get_running_loop().call_soon(task.cancel)


def _gathered(work: Work) -> None:
    gathered = asyncio.gather(Promise(work()), Promise(work()).then(unreached), return_exceptions=True)
    asyncio.get_running_loop().call_soon(gathered.cancel)
    # A cancelled gather() that nobody awaits is reported by asyncio itself, with Tasks too.
    gathered.add_done_callback(asyncio.Future.exception)


def _before_the_first_step(work: Work) -> None:
    promise = Promise.with_resolvers().promise.finally_(work).then(unreached)
    promise.cancel()
    Promise.resolve().then(lambda _: promise.cancel())


SCENES = [
    _never_awaited,
    _settled_too_late,
    _settled_in_time,
    _thenable_that_answers,
    _twice,
    _awaiters,
    _gathered,
    _before_the_first_step,
]


@pytest.mark.parametrize("scene", SCENES)
async def test_cancelling_is_quiet(scene, reports) -> None:
    scene(Work())
    await turns(20)
    gc.collect()
    assert [] == reports


def test_at_the_end_of_the_loop_work_that_is_awaited_is_cancelled_once() -> None:
    """asyncio cancels the Task that awaits and the Task of the work: the work's cleanup is interrupted only once."""
    ended: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await turns()
            ended.append(number)

    async def wait_for(promise: Promise) -> None:
        await promise

    tasks = []

    async def main() -> None:
        # Many, as asyncio cancels them in the order of a set.
        tasks.extend(asyncio.create_task(wait_for(Promise(work(number)))) for number in range(20))
        await turns()

    asyncio.run(main())
    assert list(range(20)) == sorted(ended)
    assert all(task.cancelled() for task in tasks)
