"""One test, two subjects: a promise and a Task, or a Future; if the two differ, the difference is asserted."""

import asyncio
import contextlib
import contextvars
import functools
import sys
from asyncio import CancelledError, InvalidStateError
from collections.abc import Awaitable, Callable, Coroutine

import anyio
import pytest

from aiopromise import Promise, chain
from helpers import outcome, turns

pytestmark = pytest.mark.usefixtures("loop_mode")

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture(params=[asyncio.create_task, Promise], ids=["Task", "Promise"])
def start(request: pytest.FixtureRequest) -> Callable:
    """Start a coroutine: as a Task, and as a promise."""
    return request.param


def _future() -> tuple:
    future = asyncio.get_running_loop().create_future()
    return future, future.set_result, future.set_exception


@pytest.fixture(params=[_future, Promise.with_resolvers], ids=["Future", "Promise"])
def pending(request: pytest.FixtureRequest) -> tuple:
    """Make something pending, and the two functions that settle it: a Future, and a promise."""
    return request.param


class Work:
    """Work that never ends by itself; records every cancellation, and then does what *ends* does."""

    def __init__(self, ends: Callable[[], object] | None = None) -> None:
        self.ends = ends
        self.started = asyncio.Event()
        self.requests = 0

    async def __call__(self) -> object:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except CancelledError:
            self.requests += 1
            if self.ends is None:
                raise
            return self.ends()


async def give(value: object, after: int = 1) -> object:
    await turns(after)
    return value


async def fail(reason: BaseException, after: int = 1) -> None:
    await turns(after)
    raise reason


async def awaiting(awaitable: Awaitable) -> object:
    return await awaitable


def raised(call: Callable[..., object], *arguments: object, **options: object) -> type[BaseException]:
    """Return the class of what *call* raises."""
    with pytest.raises(BaseException) as caught:
        call(*arguments, **options)
    return caught.type


# --------------------------------------------------------------------------------------------- what takes a Future


async def test_isfuture_and_ensure_future_take_it_for_a_future(start) -> None:
    it = start(give("done"))
    assert (True, it, it) == (asyncio.isfuture(it), asyncio.ensure_future(it), asyncio.wrap_future(it))
    assert "done" == await it


async def test_ensure_future_refuses_it_for_another_loop(start) -> None:
    it = start(give("done"))
    with contextlib.closing(asyncio.new_event_loop()) as other:
        assert ValueError is raised(asyncio.ensure_future, it, loop=other)
    await it


async def test_wait_gives_back_the_very_objects(start) -> None:
    ends = {start(give(1)), start(give(2)), start(fail(ValueError()))}
    assert (ends, set()) == await asyncio.wait(ends)
    assert 1 == sum(one.exception() is not None for one in ends)


async def test_wait_for_the_first_leaves_the_others_running(start) -> None:
    first, second = start(give(1)), start(give(2, after=20))
    assert ({first}, {second}) == await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
    assert 2 == await second


async def test_wait_for_the_first_exception_passes_over_a_cancellation(start) -> None:
    cancelled, failing, slow = start(give(0)), start(fail(ValueError(), after=5)), start(give(1, after=20))
    cancelled.cancel()
    done, left = await asyncio.wait([cancelled, failing, slow], return_when=asyncio.FIRST_EXCEPTION)
    assert ({cancelled, failing}, {slow}, "ValueError()") == (done, left, repr(failing.exception()))
    await slow


async def test_wait_with_a_timeout_ends_nothing(start) -> None:
    it = start(give("done", after=20))
    assert (set(), {it}) == await asyncio.wait([it], timeout=0)
    assert "done" == await it


async def test_gather_gives_the_values_in_order(start) -> None:
    slow, quick = start(give("slow", after=10)), start(give("quick"))
    assert ["slow", "quick", "slow"] == await asyncio.gather(slow, quick, slow)


async def test_gather_raises_the_first_failure_and_lets_the_others_run_on(start) -> None:
    reason, other = ValueError("no"), start(give("done", after=20))
    with pytest.raises(ValueError, match="no") as caught:
        await asyncio.gather(start(fail(reason)), other)
    assert (reason, "done") == (caught.value, await other)


async def test_gather_of_a_cancelled_one_is_a_cancellation_with_its_message(pending) -> None:
    it, *_ = pending()
    it.cancel("why")
    assert ["CancelledError('why')"] * 2 == [await outcome(asyncio.gather(it)) for _ in range(2)]


async def test_gather_of_one_that_is_cancelled_later_is_a_cancellation(start) -> None:
    it = start(Work()())
    gathered = asyncio.gather(it, start(give("done")))
    it.cancel()
    assert "CancelledError()" == await outcome(gathered)


@pytest.mark.parametrize(("arguments", "message"), [(("why",), "why"), ((), "")], ids=["message", "no message"])
async def test_gather_returns_exceptions_and_cancellations(pending, arguments, message) -> None:
    cancelled, rejected, fulfilled = (pending() for _ in range(3))
    reason = ValueError("no")
    cancelled[0].cancel(*arguments)
    rejected[2](reason)
    fulfilled[1](5)
    found = await asyncio.gather(cancelled[0], rejected[0], fulfilled[0], return_exceptions=True)
    assert [f"CancelledError({message!r})", reason, 5] == [repr(found[0]), *found[1:]]


async def test_the_message_of_a_cancellation_with_several_arguments_is_the_first() -> None:
    """asyncio knows of one."""
    promise = Promise.reject(CancelledError("why", "since when"))
    assert "[CancelledError('why')]" == repr(await asyncio.gather(promise, return_exceptions=True))


async def test_cancelling_gather_cancels_every_one(start) -> None:
    works = [Work(), Work()]
    them = [start(work()) for work in works]
    await works[1].started.wait()
    gathered = asyncio.gather(*them)
    gathered.cancel()
    assert ("CancelledError()", [True, True], [1, 1]) == (
        await outcome(gathered),
        [one.cancelled() for one in them],
        [work.requests for work in works],
    )


async def test_wait_for_gives_the_outcome_in_time(start) -> None:
    assert "done" == await asyncio.wait_for(start(give("done")), 3600)
    assert "ValueError('no')" == await outcome(asyncio.wait_for(start(fail(ValueError("no"))), 3600))


ENDINGS = {
    "cancelled": (None, "TimeoutError"),
    "a value": (lambda: "saved", "saved"),
    "a failure": (lambda: 1 // 0, "ZeroDivisionError"),
}


@pytest.mark.parametrize("seconds", [0, 0.001])
@pytest.mark.parametrize(("ends", "expected"), ENDINGS.values(), ids=ENDINGS)
async def test_wait_for_that_is_over_ends_the_work_and_tells_what_came_of_that(start, ends, expected, seconds) -> None:
    work = Work(ends)
    it = start(work())
    await work.started.wait()
    assert str(await outcome(asyncio.wait_for(it, seconds))).startswith(expected)
    assert 1 == work.requests


async def test_shield_keeps_a_cancellation_from_it(start) -> None:
    it = start(give("done", after=5))
    shielded = asyncio.shield(it)
    shielded.cancel()
    assert ("CancelledError()", "done") == (await outcome(shielded), await it)


@pytest.mark.parametrize(
    ("work", "expected"),
    [(lambda: give("done"), "done"), (lambda: fail(ValueError("no")), "ValueError('no')")],
    ids=["fulfilled", "rejected"],
)
async def test_shield_gives_its_outcome(start, work, expected) -> None:
    assert expected == await outcome(asyncio.shield(start(work())))


async def test_shield_is_cancelled_with_it(start) -> None:
    it = start(Work()())
    shielded = asyncio.shield(it)
    it.cancel()
    assert "CancelledError(" == (await outcome(shielded))[:15]


async def test_as_completed_gives_the_first_to_settle_first(start) -> None:
    them = [start(give("slow", after=20)), start(fail(ValueError("no"), after=10)), start(give("quick"))]
    assert ["quick", "ValueError('no')", "slow"] == [await outcome(one) for one in asyncio.as_completed(them)]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="as_completed() is no async iterator before Python 3.13")
async def test_as_completed_gives_back_the_very_objects(start) -> None:
    slow, quick = start(give("slow", after=20)), start(give("quick"))
    assert [quick, slow] == [one async for one in asyncio.as_completed([slow, quick])]


@pytest.mark.parametrize(
    ("work", "expected"),
    [(lambda: give("done", 5), "done"), (lambda: fail(ValueError("no"), 5), "ValueError('no')")],
    ids=["fulfilled", "rejected"],
)
def test_run_until_complete_runs_until_it_has_settled(start, work, expected) -> None:
    async def begin() -> list:
        return [start(work())]

    with contextlib.closing(asyncio.new_event_loop()) as loop:
        [it] = loop.run_until_complete(begin())
        try:
            found = loop.run_until_complete(it)
        except ValueError as error:
            found = repr(error)
    assert expected == found


async def test_a_task_group_awaits_it_and_a_failing_sibling_ends_it(start) -> None:
    work = Work()
    it = start(work())
    await work.started.wait()
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            first = group.create_task(awaiting(start(give("done"))))
            group.create_task(awaiting(it))
            group.create_task(fail(ValueError(), after=5))
    assert ("done", True, 1) == (first.result(), it.cancelled(), work.requests)


async def test_what_demands_a_coroutine_refuses_it_and_takes_a_chain_of_it(start) -> None:
    it = start(give("done"))
    assert TypeError is raised(asyncio.create_task, it)
    async with asyncio.TaskGroup() as group:
        assert TypeError is raised(group.create_task, it)
        task = group.create_task(chain(it))
    assert ["done"] == task.result()


# ------------------------------------------------------------------------------------------- the methods of a Future


async def test_a_pending_one_has_no_outcome_to_ask_for(pending) -> None:
    it, *_ = pending()
    assert (False, False) == (it.done(), it.cancelled())
    assert (InvalidStateError, InvalidStateError) == (raised(it.result), raised(it.exception))


async def test_a_fulfilled_one_has_a_result_and_no_exception(pending) -> None:
    it, fulfil, _ = pending()
    fulfil(5)
    assert (True, False, 5, None) == (it.done(), it.cancelled(), it.result(), it.exception())


async def test_a_rejected_one_raises_and_tells_the_very_exception(pending) -> None:
    it, _, reject = pending()
    reason = ValueError("no")
    reject(reason)
    with pytest.raises(ValueError, match="no") as caught:
        it.result()
    assert (True, False, reason, reason) == (it.done(), it.cancelled(), it.exception(), caught.value)


async def test_a_cancelled_one_raises_the_message_from_result_and_exception(pending) -> None:
    it, *_ = pending()
    assert (True, True, True) == (it.cancel(msg="why"), it.done(), it.cancelled())
    for ask in (it.result, it.exception):
        with pytest.raises(CancelledError, match="why"):
            ask()


async def test_one_that_has_settled_cannot_be_cancelled(pending) -> None:
    it, fulfil, _ = pending()
    fulfil(5)
    assert (False, False, 5) == (it.cancel(), it.cancelled(), await it)


async def test_get_loop_is_the_running_loop(pending) -> None:
    assert asyncio.get_running_loop() is pending()[0].get_loop()


async def test_done_callbacks_get_it_later_in_the_order_of_registration(pending) -> None:
    it, fulfil, _ = pending()
    calls: list[object] = []
    it.add_done_callback(lambda it: calls.append((1, it)))
    it.add_done_callback(lambda it: calls.append((2, it)))
    fulfil(5)
    it.add_done_callback(lambda it: calls.append((3, it)))
    assert [] == calls
    await turns()
    assert [(1, it), (2, it), (3, it)] == calls


async def test_done_callbacks_run_in_the_context_given_or_in_the_one_of_their_registration(pending) -> None:
    it, fulfil, _ = pending()
    seen: list[str] = []
    given = contextvars.Context()
    given.run(variable.set, "given")
    variable.set("registration")
    it.add_done_callback(lambda it: seen.append(variable.get()))
    it.add_done_callback(lambda it: seen.append(variable.get()), context=given)
    variable.set("later")
    fulfil(5)
    it.add_done_callback(lambda it: seen.append(variable.get()), context=given)
    await turns()
    assert ["registration", "given", "given"] == seen


async def test_remove_done_callback_removes_every_registration_and_counts_them(pending) -> None:
    it, fulfil, _ = pending()
    kept: list[object] = []
    removed: list[object] = []
    for callback in (removed.append, kept.append, removed.append):
        it.add_done_callback(callback)
    assert (2, 0) == (it.remove_done_callback(removed.append), it.remove_done_callback(removed.append))
    fulfil(5)
    await turns()
    assert ([it], []) == (kept, removed)


async def test_remove_done_callback_of_the_only_one(pending) -> None:
    it, fulfil, _ = pending()
    removed: list[object] = []
    it.add_done_callback(removed.append)
    assert 1 == it.remove_done_callback(removed.append)
    fulfil(5)
    await turns()
    assert [] == removed


async def test_remove_done_callback_comes_too_late_once_it_has_settled(pending) -> None:
    it, fulfil, _ = pending()
    calls: list[object] = []
    it.add_done_callback(calls.append)
    fulfil(5)
    assert 0 == it.remove_done_callback(calls.append)
    await turns()
    assert [it] == calls


async def test_it_can_be_awaited_often_and_raises_the_same_exception_each_time(pending) -> None:
    it, _, reject = pending()
    reason = ValueError("no")
    tasks = [asyncio.create_task(awaiting(it)) for _ in range(2)]
    await turns()
    reject(reason)
    found = await asyncio.gather(*tasks, it, return_exceptions=True)
    assert [reason] * 3 == found


# ----------------------------------------------------------------------------------------------- where they differ


async def test_a_promise_is_no_asyncio_future_and_cannot_be_settled_through_itself(pending) -> None:
    it, *_ = pending()
    is_future = not isinstance(it, Promise)
    names = ("set_result", "set_exception")
    assert [is_future] * 3 == [isinstance(it, asyncio.Future), *(hasattr(it, name) for name in names)]


async def test_cancelling_one_of_two_awaiters_ends_a_task_and_leaves_a_promise_to_the_other(start) -> None:
    it = start(give("done", after=10))
    leaves, stays = (asyncio.create_task(awaiting(it)) for _ in range(2))
    await turns(2)
    leaves.cancel()
    expected = "done" if isinstance(it, Promise) else "CancelledError()"
    assert ("CancelledError()", expected) == (await outcome(leaves), await outcome(stays))


async def test_asyncio_timeout_around_one_of_two_awaits_ends_a_task_and_leaves_a_promise_to_the_other(start) -> None:
    it = start(give("done", after=30))
    stays = asyncio.create_task(awaiting(it))
    await turns(2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await it
    assert ("done" if isinstance(it, Promise) else "CancelledError()") == await outcome(stays)


async def _asyncio_timeout(seconds: float, promise: Promise) -> object:
    async with asyncio.timeout(seconds):
        return await promise


def _promise_timeout(seconds: float, promise: Promise) -> Promise:
    return promise.timeout(seconds)


LIMITS = pytest.mark.parametrize("limit", [_asyncio_timeout, _promise_timeout], ids=["asyncio.timeout", "timeout()"])


@LIMITS
@pytest.mark.parametrize(("ends", "expected"), ENDINGS.values(), ids=ENDINGS)
async def test_a_time_limit_that_is_over_tells_what_came_of_the_work(limit, ends, expected) -> None:
    work = Work(ends)
    promise = Promise(work())
    await work.started.wait()
    assert str(await outcome(limit(0, promise))).startswith(expected)


@LIMITS
async def test_a_cancellation_stays_one_when_the_time_runs_out_during_the_cleanup(limit) -> None:
    started = asyncio.Event()

    async def ends_at_the_second_request() -> None:
        started.set()
        with contextlib.suppress(CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    promise = Promise(ends_at_the_second_request())
    await started.wait()
    limited = asyncio.ensure_future(limit(0.05, promise))
    await turns(2)
    limited.cancel()
    assert "CancelledError()" == await outcome(limited)


# ------------------------------------------------------------------------------------- loops, task factories, names


async def _scene(log: list[object], held: list[Promise]) -> None:
    """Do a little of everything, and leave something pending."""

    async def double(value: int) -> tuple:
        await asyncio.sleep(0)
        return value * 2, variable.get(), asyncio.current_task() is not None

    loop = asyncio.get_running_loop()
    variable.set("seen")
    log.append(await Promise(give(20)).then(lambda value: value + 1).then(double))
    log.append(await Promise.try_(int, "x").catch(ValueError, lambda error: "caught"))
    log.append(await Promise.delay(3600).timeout(0.001, fallback="too late"))
    threaded, resolve, _ = Promise.with_resolvers()
    await loop.run_in_executor(None, resolve, "from a thread")
    log.append(await threaded)
    log.append(await asyncio.gather(Promise.resolve(1), Promise(give(2))))
    held.append(Promise.with_resolvers().promise.finally_(lambda: turns(3)).finally_(lambda: log.append("closed")))


EVERYTHING = [(42, "seen", True), "caught", "too late", "from a thread", [1, 2], "closed"]


def _on_uvloop(main: Callable) -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _with_task_factory(factory: Callable, main: Callable) -> None:
    async def with_factory() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        await main()

    asyncio.run(with_factory())


def _with_eager_tasks(main: Callable) -> None:
    if sys.version_info < (3, 12):
        pytest.skip("there is no eager_task_factory before Python 3.12")
    _with_task_factory(asyncio.eager_task_factory, main)


def _factory_that_knows_no_context(loop: asyncio.AbstractEventLoop, coroutine: Coroutine) -> asyncio.Task:
    return asyncio.Task(coroutine, loop=loop)


RUNS = {
    "asyncio": lambda main: asyncio.run(main()),
    "debug mode": lambda main: asyncio.run(main(), debug=True),
    "uvloop": _on_uvloop,
    "eager tasks": _with_eager_tasks,
    "a task factory": functools.partial(_with_task_factory, _factory_that_knows_no_context),
    "anyio": lambda main: anyio.run(main, backend="asyncio"),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_promise_is_the_same_wherever_it_runs(run) -> None:
    log: list[object] = []
    held: list[Promise] = []
    run(lambda: _scene(log, held))
    assert EVERYTHING == log


async def test_an_anyio_cancel_scope_ends_what_nobody_else_wants(start) -> None:
    work = Work()
    it = start(work())
    await work.started.wait()
    with anyio.move_on_after(0) as scope:
        await it
    assert (True, True, True) == (scope.cancelled_caught, it.cancelled(), work.requests > 0)


async def test_an_anyio_cancel_scope_around_one_of_two_awaits_leaves_the_promise_to_the_other() -> None:
    promise = Promise(give("done", after=30))
    stays = asyncio.create_task(awaiting(promise))
    await turns(2)
    with anyio.move_on_after(0) as scope:
        await promise
    assert (True, "done") == (scope.cancelled_caught, await stays)


class Handlers:
    """Handlers of every kind that has a name."""

    async def method(self, *arguments: object) -> None:
        await asyncio.Event().wait()

    async def __call__(self, *arguments: object) -> None:
        await asyncio.Event().wait()


async def function(*arguments: object) -> None:
    await asyncio.Event().wait()


NAMED = {
    "then": (lambda: Promise.resolve().then(function), "function"),
    "a method": (lambda: Promise.resolve().then(Handlers().method), "method"),
    "a callable object": (lambda: Promise.resolve().then(Handlers()), "Handlers"),
    "a partial": (lambda: Promise.resolve().then(functools.partial(function, 1)), "function"),
    "a lambda": (lambda: Promise.resolve().then(lambda value: function()), "<lambda>"),
    "catch": (lambda: Promise.reject(ValueError()).catch(function), "function"),
    "finally_": (lambda: Promise.resolve().finally_(Handlers().method), "method"),
    "finally_ after a failure": (lambda: Promise.reject(ValueError()).finally_(function).catch(id), "function"),
    "tap": (lambda: Promise.resolve().tap(function), "function"),
    "spread": (lambda: Promise.resolve((1, 2)).spread(function), "function"),
}


@pytest.mark.parametrize(("begin", "name"), NAMED.values(), ids=NAMED)
async def test_the_task_that_a_link_starts_bears_the_name_of_its_handler(begin, name) -> None:
    before = asyncio.all_tasks()
    promise = begin()
    await turns(3)
    [task] = asyncio.all_tasks() - before
    assert name == task.get_name()
    promise.cancel()
    await outcome(promise)
