"""What combinators, pools and streams cancel: everything, once, however deep; and what is reported."""

import asyncio
import gc
import time
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing, closing, suppress
from contextvars import ContextVar
from typing import Any
from unittest.mock import ANY

import pytest

from aiopromise import Promise, Thenable, on_unhandled_rejection, promisify
from aiopromise.testing import settle
from helpers import outcome, turns, value_or_class

pytestmark = pytest.mark.usefixtures("loop_mode")


class Stop(Exception):
    """What a call fails with."""


async def hang() -> None:
    await asyncio.Event().wait()


async def drained(iterator: AsyncIterator) -> list:
    async with aclosing(iterator):
        return [item async for item in iterator]


async def values_of(pairs: AsyncIterator) -> list:
    async with aclosing(pairs):
        return [await promise async for _, promise in pairs]


# ------------------------------------------------------------------------------------- sources that answer with an item


def failing(item: object) -> Promise:
    return Promise.reject(Stop(item))


async def left_early(items: Any) -> str:
    async with aclosing(Promise.map_unordered(items, str, concurrency=2)) as results:
        async for _ in results:
            break
    return "left"


async def cancelled(promise: Promise) -> object:
    await turns()
    promise.cancel()
    return await promise


ENDED_EARLY: dict[str, tuple[Callable[[Any], Awaitable], object]] = {
    "a failure of map()": (lambda items: Promise.map(items, failing, concurrency=2), Stop),
    "a failure of filter()": (lambda items: Promise.filter(items, failing, concurrency=2), Stop),
    "a failure of each()": (lambda items: Promise.each(items, failing, concurrency=2), Stop),
    "a failure of a stream": (lambda items: drained(Promise.map_unordered(items, failing, concurrency=2)), Stop),
    "cancel() of map()": (lambda items: cancelled(Promise.map(items, str, concurrency=2)), CancelledError),
    "cancel() of filter()": (lambda items: cancelled(Promise.filter(items, str, concurrency=2)), CancelledError),
    "cancel() of each()": (lambda items: cancelled(Promise.each(items, str)), CancelledError),
    "cancel() of reduce()": (lambda items: cancelled(Promise.reduce(items, max, 0)), CancelledError),
    "a time limit": (lambda items: Promise.map(items, str, concurrency=2).timeout(0.01), TimeoutError),
    "a stream left early": (left_early, "left"),
}


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize(("run", "expected"), ENDED_EARLY.values(), ids=ENDED_EARLY)
async def test_a_source_that_answers_the_request_to_end_with_items_is_closed(run, expected, count, reports) -> None:
    """It is asked for no more, and its cleanup is awaited."""
    events: list[str] = []

    async def source() -> AsyncIterator[int]:
        try:
            yield 0
            try:
                await hang()
            except CancelledError:
                for number in range(count):
                    events.append(f"answers {number}")
                    yield number
        finally:
            await turns(3)
            events.append("closed")

    assert expected == await asyncio.wait_for(value_or_class(run(source())), 10)
    assert "closed" == events[-1]
    assert events in (["closed"], ["answers 0", "closed"])
    assert [] == reports


async def test_a_source_that_answers_with_the_last_item_is_not_asked_again() -> None:
    """Nor is one that has no aclose(), of which nothing but the next item can be asked."""

    class Answering:
        asked = 0

        def __aiter__(self) -> "Answering":
            return self

        async def __anext__(self) -> int:
            self.asked += 1
            try:
                await hang()
            except CancelledError:
                return 1

    items = Answering()
    assert CancelledError is await asyncio.wait_for(value_or_class(cancelled(Promise.map(items, str))), 10)
    assert 1 == items.asked


# ------------------------------------------------------------------------------------------------ losers that absorb


async def absorb() -> None:
    """Absorb a cancellation without uncancel(), as code before Python 3.11 does."""
    asyncio.current_task().cancel()
    with suppress(CancelledError):
        await asyncio.sleep(0)


async def absorbs(ended: list) -> None:
    """Absorb a cancellation, and continue until cancelled again."""
    await absorb()
    try:
        await hang()
    finally:
        ended.append("ended")


async def ends() -> str:
    await turns(5)
    return "v"


async def fails() -> None:
    await turns(5)
    raise Stop


async def first_of(pairs: AsyncIterator) -> object:
    async with aclosing(pairs):
        _, promise = await anext(pairs)
        return await promise


DECIDED: dict[str, tuple[Callable[[Any], Awaitable], object]] = {
    "race": (lambda loser: Promise.race(loser, ends()), "v"),
    "any": (lambda loser: Promise.any(loser, ends()), "v"),
    "some": (lambda loser: Promise.some(1, loser, ends()), ["v"]),
    "all": (lambda loser: Promise.all(loser, fails()), Stop),
    "map": (lambda loser: Promise.map([loser, fails()], lambda work: work), Stop),
    "as_completed": (lambda loser: first_of(Promise.as_completed(loser, ends())), "v"),
    "a stream": (lambda loser: drained(Promise.map_unordered([loser, fails()], lambda work: work)), Stop),
}


@pytest.mark.parametrize(("run", "expected"), DECIDED.values(), ids=DECIDED)
async def test_a_loser_that_has_absorbed_a_cancellation_is_stopped(run, expected) -> None:
    """`Task.cancelling()` still counts that request; whoever waits for the loser's end has to ask again."""
    ended: list[str] = []
    assert expected == await asyncio.wait_for(value_or_class(run(absorbs(ended))), 10)
    assert ["ended"] == ended


async def test_work_that_two_await_is_stopped_with_them_where_all_tasks_have_absorbed_a_cancellation() -> None:
    """Both are cancelled in one iteration, so the second of them is the last consumer of the work."""

    async def work() -> None:
        await absorb()
        await hang()

    async def wait(promise: Promise) -> None:
        await promise

    async def main() -> list[bool]:
        await absorb()
        promise = Promise(work())
        tasks = [asyncio.create_task(wait(promise)) for _ in range(2)]
        await turns(5)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=10)
        promise.cancel()
        return [task.cancelled() for task in tasks]

    # All Tasks of its own loop, as the Task of this test is not cancelled.
    assert [True, True] == await asyncio.to_thread(asyncio.run, main())


# ---------------------------------------------------------------------------- a request beside a failure in a stream

STREAMS = {
    "a stream": lambda call: drained(Promise.map_unordered([0, 1], call)),
    "as_completed": lambda call: values_of(Promise.as_completed(call(0), call(1))),
    "map": lambda call: Promise.map([0, 1], call),
    "all": lambda call: Promise.all(call(0), call(1)),
}


@pytest.mark.parametrize("run", STREAMS.values(), ids=STREAMS)
async def test_a_request_that_comes_after_a_failure_is_not_lost(run) -> None:
    """One call has failed and another cleans up when the Task is cancelled: that ends any retry loop."""
    cleaning, clean = asyncio.Event(), asyncio.Event()

    async def call(number: int) -> None:
        if number == 0:
            await turns(2)
            raise Stop
        try:
            await hang()
        finally:
            cleaning.set()
            await clean.wait()

    async def retrying() -> None:
        while True:
            try:
                await run(call)
            except Stop:
                pass

    task = asyncio.create_task(retrying())
    await asyncio.wait_for(cleaning.wait(), 10)
    task.cancel()
    await turns()
    clean.set()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()


LEFT_EARLY: dict[str, Callable[[Callable], AsyncIterator]] = {
    "a stream": lambda call: Promise.map_unordered([0, 1, 2], call),
    "as_completed": lambda call: Promise.as_completed(call(0), call(1), call(2)),
}


async def fails_or_waits(number: int) -> int:
    """Return a number immediately, fail two iterations later, or wait."""
    if number == 1:
        await turns(2)
        raise Stop
    return number if number == 0 else await hang()


@pytest.mark.parametrize("absorbs", [False, True])
@pytest.mark.parametrize("begin", LEFT_EARLY.values(), ids=LEFT_EARLY)
async def test_a_failure_is_raised_where_the_iterator_is_closed(begin, absorbs) -> None:
    """Whatever cancellations the Task absorbed long ago."""

    async def leaves() -> None:
        if absorbs:
            asyncio.current_task().cancel()
            with suppress(CancelledError):
                await asyncio.sleep(0)
        async with aclosing(begin(fails_or_waits)) as results:
            async for _ in results:
                await turns()
                break

    task = asyncio.create_task(leaves())
    assert (Stop if begin is LEFT_EARLY["a stream"] else None) is await value_or_class(task)


@pytest.mark.parametrize("begin", LEFT_EARLY.values(), ids=LEFT_EARLY)
async def test_a_failure_does_not_take_the_place_of_a_request_that_closes_the_iterator(begin) -> None:
    """The request comes while the code of the loop waits."""
    waiting = asyncio.Event()

    async def leaves() -> None:
        async with aclosing(begin(fails_or_waits)) as results:
            async for _ in results:
                waiting.set()
                await hang()

    task = asyncio.create_task(leaves())
    await waiting.wait()
    await turns()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


# ------------------------------------------------------------------------------------------------ the end of the loop


def with_a_cleanup(
    events: list[str], least: int, wait: Callable[[int], Awaitable] = turns
) -> Callable[[int], Awaitable]:
    """Return work that waits, and notes whether its cleanup, which takes that many iterations, was interrupted."""

    async def work(number: int) -> None:
        try:
            await hang()
        finally:
            try:
                await wait(least + number)
                events.append("clean")
            except CancelledError:
                events.append("broken into")
                raise

    return work


def in_a_task(count: int) -> Awaitable:
    """A cleanup that waits for a Task of its own, which nobody has cancelled."""
    return asyncio.create_task(turns(count))


def run_by_hand(main: Coroutine, *, debug: bool) -> None:
    """As a program does that cancels no Task before it closes the loop."""
    with closing(asyncio.new_event_loop()) as loop:
        loop.set_debug(debug)
        loop.run_until_complete(main)
        loop.run_until_complete(loop.shutdown_asyncgens())


WAYS_TO_END = {
    "asyncio.run": (asyncio.run, turns),
    "asyncio.run, a cleanup that waits for a Task": (asyncio.run, in_a_task),
    "by hand": (run_by_hand, turns),
    "by hand, a cleanup that waits for a Task": (run_by_hand, in_a_task),
}
ways_to_end = pytest.mark.parametrize(("run", "wait"), WAYS_TO_END.values(), ids=WAYS_TO_END)


async def items_of(work: Callable[[int], Awaitable]) -> AsyncIterator[object]:
    """Yield the result of *work*, which has a cleanup."""
    yield await work(1)


ON_A_LOOP = {
    "all": lambda work: Promise.all(work(1), work(2)),
    "race": lambda work: Promise.race(work(1), work(2)),
    "any": lambda work: Promise.any(work(1), work(2)),
    "all_settled": lambda work: Promise.all_settled(work(1), work(2)),
    "map": lambda work: Promise.map([1, 2], work),
    "map, of an async source": lambda work: Promise.map(items_of(work), str),
    "a stream": lambda work: drained(Promise.map_unordered([1, 2], work)),
    "a stream of an async source": lambda work: drained(Promise.map_unordered(items_of(work), str)),
    "as_completed": lambda work: values_of(Promise.as_completed(work(1), work(2))),
    "one in another": lambda work: Promise.all(Promise.race(work(1), work(2)).then(str), work(3)),
    "below a limit": lambda work: Promise.all(work(1), work(2)).timeout(3600),
    "a promise of gather": lambda work: Promise(asyncio.gather(work(1), work(2))),
    "gather among others": lambda work: Promise.all(Promise(asyncio.gather(work(1), work(2))).then(str), work(3)),
    # No promise: what asyncio itself does, for comparison.
    "gather": lambda work: asyncio.gather(work(1), work(2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("wait", [turns, in_a_task])
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("begin", ON_A_LOOP.values(), ids=ON_A_LOOP)
def test_the_end_of_the_loop_breaks_into_no_cleanup(begin, debug, wait) -> None:
    """Tasks in the background await combinators: each coroutine is asked once, whatever asyncio.run() cancels first."""
    events: list[str] = []
    work = with_a_cleanup(events, 3, wait)

    async def background() -> None:
        await begin(work)

    async def main() -> None:
        tasks.extend(asyncio.create_task(background()) for _ in range(20))
        await settle()  # one drain may not be enough to start all of them

    tasks: list[asyncio.Task] = []
    asyncio.run(main(), debug=debug)
    assert {"clean"} == {*events}


async def answers_when_asked() -> str:
    try:
        await hang()
    except CancelledError:
        return "an answer"


BESIDE_ANOTHER: dict[str, Callable[[Awaitable], Promise]] = {
    "all, a promise": lambda work: Promise.all(work, Promise(hang())),
    "race, a link": lambda work: Promise.race(work, Promise(hang()).then(str)),
    "some, a limit": lambda work: Promise.some(2, [work, Promise(hang()).timeout(3600)]),
    "all_keyed, a Task": lambda work: Promise.all_keyed({"work": work, "task": asyncio.ensure_future(hang())}),
    "race, an answer": lambda work: Promise.race(answers_when_asked(), work),
    "any, an answer": lambda work: Promise.any(answers_when_asked(), work),
    "some, an answer": lambda work: Promise.some(1, [work, answers_when_asked()]),
    "race, an answer, the losers cancelled": lambda work: Promise.race(
        [answers_when_asked(), Promise(work)], losers="cancel"
    ),
}


@pytest.mark.slow
@ways_to_end
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("begin", BESIDE_ANOTHER.values(), ids=BESIDE_ANOTHER)
def test_the_end_of_the_loop_breaks_into_no_cleanup_beside_another(begin, debug, run, wait) -> None:
    """Whatever ends first, and even if it ends with a value, which makes the others losers: all were asked."""
    events: list[str] = []
    work = with_a_cleanup(events, 3, wait)

    async def main() -> None:
        promises.extend(begin(work(number)) for number in range(20))
        await settle()

    promises: list[Promise] = []
    run(main(), debug=debug)
    assert ["clean"] * 20 == events


async def fails_when_asked() -> None:
    try:
        await hang()
    except CancelledError:
        raise ValueError("no") from None


@ways_to_end
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("combine", [Promise.all, Promise.race], ids=["all", "race"])
def test_the_end_of_the_loop_breaks_into_no_cleanup_beside_a_failing_one(combine, debug, run, wait) -> None:
    """An input that fails when cancelled makes the others losers, which were cancelled too."""
    events: list[str] = []
    work = with_a_cleanup(events, 3, wait)

    async def main() -> None:
        promises.extend(combine(fails_when_asked(), work(number)) for number in range(20))
        await settle()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)

    promises: list[Promise] = []
    run(main(), debug=debug)
    assert ["clean"] * 20 == events


WITH_LINKS: dict[str, Callable[[Callable[[int], Promise]], Awaitable]] = {
    "all": lambda link: Promise.all(link(1), link(2), link(3)),
    "race": lambda link: Promise.race([link(1), link(2), link(3)], losers="cancel"),
    "map": lambda link: Promise.map([1, 2, 3], link),
    "map of async functions": lambda link: Promise.map([1, 2, 3], lambda number: value_or_class(link(number))),
    "a limit": lambda link: Promise.map([1, 2, 3], link).timeout(3600),
}


@ways_to_end
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("begin", WITH_LINKS.values(), ids=WITH_LINKS)
def test_the_end_of_the_loop_breaks_into_no_finally_callback_of_a_sibling(begin, debug, run, wait) -> None:
    """The callbacks start when the loop ends; the first that is over makes losers of the others."""
    released: list[int] = []

    async def release(number: int) -> None:
        await wait(3 * number)
        released.append(number)

    async def main() -> None:
        promises.append(begin(lambda number: Promise(hang()).finally_(lambda: release(number))))
        await settle()

    promises: list[Awaitable] = []
    run(main(), debug=debug)
    assert [1, 2, 3] == released


@ways_to_end
@pytest.mark.parametrize("losers", [None, "cancel"])
def test_a_combinator_that_a_cleanup_makes_when_the_loop_ends_stops_its_losers(losers, run, wait) -> None:
    """Nobody has cancelled them: neither a coroutine of its own, nor a finally_() that runs as it does at any time."""
    ended: list[str] = []

    async def clean_up(_: object = None) -> None:
        later = [Promise(absorb_and_hang()), Promise.resolve().finally_(hang)] if losers else [absorb_and_hang()]
        await Promise.race(*later, wait(3), losers=losers)
        ended.append("cleanup")

    async def work() -> None:
        try:
            await hang()
        finally:
            await clean_up()

    async def main() -> None:
        promises.extend([Promise(work()), Promise(hang()).finally_(clean_up)])
        await settle()

    promises: list[Promise] = []
    run(main(), debug=False)
    assert ["cleanup"] * 2 == ended


@pytest.mark.parametrize("wait", [turns, in_a_task])
@pytest.mark.parametrize(
    "begin",
    [
        lambda work: Promise.all(work(1), work(2), work(3)),
        lambda work: Promise.race(work(1), work(2), work(3)),
        lambda work: Promise.map([1, 2, 3], work),
    ],
    ids=["all", "race", "map"],
)
def test_what_a_link_starts_while_the_loop_ends_is_cancelled_once(begin, wait) -> None:
    """Not by asyncio.run(), which has cancelled all Tasks before, and then by the first of its siblings to end, too."""
    events: list[str] = []
    work = with_a_cleanup(events, 3, wait)

    async def main() -> None:
        begun, resolve, _ = Promise.with_resolvers()

        async def last() -> None:
            try:
                await hang()
            finally:
                resolve(None)

        promises.extend([begun.then(lambda _: begin(work)), Promise(last())])
        await settle()

    promises: list[Promise] = []
    asyncio.run(main())
    assert ["clean"] * 3 == events


@pytest.mark.parametrize("wait", [turns, in_a_task])
def test_the_end_of_the_loop_breaks_into_no_cleanup_after_an_earlier_shutdown(wait) -> None:
    events: list[str] = []
    work = with_a_cleanup(events, 3, wait)

    async def main() -> None:
        promises.append(Promise.any(answers_when_asked(), work(1)))
        await asyncio.get_running_loop().shutdown_asyncgens()
        promises.append(Promise.any(answers_when_asked(), work(2)))
        await settle()

    promises: list[Promise] = []
    asyncio.run(main())
    assert ["clean"] * 2 == events


async def absorbing_items() -> AsyncIterator[int]:
    await absorb()
    yield 1
    await hang()


async def absorb_and_hang() -> None:
    await absorb()
    await hang()


async def absorb_and_fail() -> None:
    await absorb()
    await turns()
    raise Stop


WHERE_ALL_ABSORBED: dict[str, tuple[Callable[[], Promise], type[Exception]]] = {
    "all": (lambda: Promise.all(absorb_and_hang(), absorb_and_fail()), Stop),
    "race": (lambda: Promise.race(absorb_and_hang(), absorb_and_fail()), Stop),
    "map": (lambda: Promise.map([absorb_and_hang, absorb_and_fail], lambda work: work()), Stop),
    "a source": (lambda: Promise.map(absorbing_items(), lambda item: absorb_and_fail()), Stop),
    "a limit": (lambda: Promise.each(absorbing_items(), lambda item: absorb_and_hang()).timeout(0), TimeoutError),
}


@pytest.mark.parametrize(("begin", "expected"), WHERE_ALL_ABSORBED.values(), ids=WHERE_ALL_ABSORBED)
async def test_losers_are_stopped_though_every_task_has_absorbed_a_cancellation(begin, expected) -> None:
    """Each Task of the loop was asked to end, as at the end of the loop; but it goes on."""
    await absorb()  # that of this test, too
    async with asyncio.timeout(20):
        assert expected is await value_or_class(begin())
    while asyncio.current_task().uncancel():
        pass


async def level(number: int, work: Callable[[int], Awaitable]) -> None:
    await (Promise(level(number - 1, work)) if number else work(0))


def both(shared: Promise, other: Awaitable) -> Promise:
    return Promise.all(Promise.race(shared, other), shared.then(str))


SHARED: dict[str, Callable[[Callable[[int], Awaitable]], Promise]] = {
    "work": lambda work: Promise(work(1)),
    "a link": lambda work: Promise(work(1)).then(str),
    "all": lambda work: Promise.all(work(1), work(2)),
    "an input of two": lambda work: both(Promise(work(1)), work(2)),
    "below a limit": lambda work: Promise(work(1)).timeout(3600),
    # A request is not passed on from Task to Task this often in one iteration.
    "a Task that awaits a Task, 150 times": lambda work: Promise(level(150, work)),
}


@pytest.mark.slow
@pytest.mark.parametrize("wait", [turns, in_a_task])
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("begin", SHARED.values(), ids=SHARED)
def test_the_end_of_the_loop_breaks_into_no_cleanup_of_what_two_tasks_await(begin, debug, wait) -> None:
    """An iteration after the first, the second is its last consumer; the work has been cancelled by then."""
    events: list[str] = []
    work = with_a_cleanup(events, 5, wait)

    async def main() -> None:
        for _ in range(20):
            promise = begin(work)
            tasks.extend(asyncio.create_task(value_or_class(promise)) for _ in range(2))
        await settle()

    tasks: list[asyncio.Task] = []
    asyncio.run(main(), debug=debug)
    assert {"clean"} == {*events}


def test_the_end_of_a_loop_with_many_combinators_looks_at_its_tasks_once_in_a_turn(monkeypatch) -> None:
    """And not for each of them: 10,000 would take minutes."""
    looks: list[int] = []
    all_tasks = asyncio.all_tasks

    def counting(loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task]:
        looks.append(0)
        return all_tasks(loop)

    async def work(number: int) -> None:
        try:
            await hang()
        finally:
            await turns(number)

    async def main() -> None:
        promises.extend(Promise.all(work(1), work(2), work(3)) for _ in range(200))
        await turns()

    promises: list[Promise] = []
    monkeypatch.setattr(asyncio, "all_tasks", counting)
    asyncio.run(main())
    assert [True] * 200 == [promise.cancelled() for promise in promises]
    assert len(looks) < 20


@pytest.mark.parametrize("debug", [False, True])
def test_the_end_of_the_loop_does_not_break_into_the_cleanup_of_a_source(debug) -> None:
    """As if a Task read the source with ``async for``."""
    events: list[str] = []

    async def rows() -> AsyncIterator[int]:
        try:
            yield 1
            await hang()
        finally:
            try:
                await turns(20)
                events.append("closed")
            except CancelledError:
                events.append("broken into")
                raise

    async def main() -> None:
        kept.append(Promise.map(rows(), lambda row: hang()))
        await turns(5)

    kept: list[Promise] = []
    asyncio.run(main(), debug=debug)
    assert ["closed"] == events


async def rows() -> AsyncIterator[int]:
    """Yield three items, a few turns apart."""
    for number in range(3):
        await turns()
        yield number
        await turns()


async def read(items: AsyncIterator[object], read_items: list[object]) -> None:
    async for item in items:
        await turns()
        read_items.append(item)


def from_a_thread() -> str:
    """Return after the loop has had many turns, as a rule."""
    time.sleep(0.02)
    return "flushed"


def settled_later() -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    asyncio.get_running_loop().call_later(0.01, resolve, "flushed")
    return promise


def future_set_later() -> asyncio.Future:
    future: asyncio.Future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, future.set_result, "flushed")
    return future


class SettledLater(Thenable):
    def then(self, resolve, reject, /) -> None:
        asyncio.get_running_loop().call_later(0.01, resolve, "flushed")


CLEANUPS: dict[str, tuple[Callable[[list, Executor], Awaitable], list[object]]] = {
    "reads a generator": (lambda done, _: read(rows(), done), [0, 1, 2]),
    "reads a generator by map()": (lambda done, _: Promise.map(rows(), done.append, concurrency=1), [0, 1, 2]),
    "reads a stream": (lambda done, _: read(Promise.map_unordered([4, 4], turns), done), [None, None]),
    "reads what is completed": (lambda done, _: read(Promise.as_completed(turns(), turns()), done), [ANY, ANY]),
    "waits for a job": (lambda done, threads: Promise.submit(threads, from_a_thread).then(done.append), ["flushed"]),
    "waits for a resolver": (lambda done, _: settled_later().then(done.append), ["flushed"]),
    "waits for a Future": (lambda done, _: Promise(future_set_later()).then(done.append), ["flushed"]),
    "waits for a Thenable": (lambda done, _: Promise.resolve(SettledLater()).then(done.append), ["flushed"]),
}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize(("cleanup", "expected"), CLEANUPS.values(), ids=CLEANUPS)
def test_the_end_of_the_loop_lets_a_cleanup_do_its_work(cleanup, expected, before, debug) -> None:
    """In a function or a coroutine, in whatever iteration it starts, like the ``finally`` of a Task."""
    done: list[list[object]] = [[], [], []]

    async def begun_later(number: int) -> None:
        for _ in range(before):
            await asyncio.sleep(0)
        await cleanup(done[number], threads)

    async def main() -> None:
        promises.append(Promise(hang()).finally_(lambda: cleanup(done[0], threads)))
        promises.append(Promise.delay(3600).finally_(lambda: begun_later(1)))
        promises.append(Promise(hang()).catch(CancelledError, lambda error: begun_later(2)))
        await turns()

    promises: list[Promise] = []
    with ThreadPoolExecutor(1) as threads:
        asyncio.run(main(), debug=debug)
    assert [expected] * 3 == done


def pending_for_10_seconds() -> Promise:
    """Return a promise that nobody settles, but for a test that fails, which would wait forever."""
    promise, resolve, _ = Promise.with_resolvers()
    asyncio.get_running_loop().call_later(10, resolve, "too late")
    return promise


async def made_before() -> tuple[Promise, Promise]:
    pending = pending_for_10_seconds()
    work = Promise(hang())
    await turns()
    return work, pending


async def made_after_the_last_drain() -> tuple[Promise, Promise]:
    work = Promise.with_resolvers().promise
    work.then(str)
    await Promise.resolve().then(str)
    return work, pending_for_10_seconds()


async def made_during_a_cleanup_that_is_over() -> tuple[Promise, Promise]:
    over, work = asyncio.Event(), Promise(hang())
    cleanup = Promise.resolve().finally_(over.wait)
    await turns()
    pending = pending_for_10_seconds()
    over.set()
    await cleanup
    return work, pending


@pytest.mark.parametrize("make", [made_before, made_after_the_last_drain, made_during_a_cleanup_that_is_over])
def test_what_is_pending_when_a_cleanup_begins_ends_with_the_loop(make) -> None:
    """So that a cleanup waiting for a promise that will never settle does not wait forever."""
    found: list[type] = []

    async def main() -> None:
        work, pending = await make()

        async def clean_up() -> None:
            found.append(await value_or_class(pending))

        promises.append(work.finally_(clean_up))

    promises: list[Promise] = []
    asyncio.run(main())
    assert [CancelledError] == found


def test_a_cleanup_waits_for_the_first_of_very_many_promises_that_it_made() -> None:
    """However many are pending, it is known which of them are younger than the cleanup."""
    found: list[str] = []

    async def clean_up() -> None:
        first = settled_later()
        others = [Promise.with_resolvers() for _ in range(3_000)]
        found.append(await first)
        del others

    async def main() -> None:
        promises.append(Promise(hang()).finally_(clean_up))
        await turns()

    promises: list[Promise] = []
    asyncio.run(main())
    assert ["flushed"] == found


def test_a_task_of_a_cleanup_may_begin_to_read_a_generator_late() -> None:
    """While the loop closes the generators that it knows, no other is added to them."""
    found: list[object] = []

    async def read_late() -> None:
        await turns(50)
        await read(rows(), found)

    async def clean_up() -> None:
        await asyncio.create_task(read_late())

    async def main() -> None:
        promises.append(Promise(hang()).finally_(clean_up))
        await turns()

    promises: list[Promise] = []
    asyncio.run(main())
    assert [0, 1, 2] == found


def test_what_is_made_while_a_cleanup_runs_ends_with_the_loop_however_many() -> None:
    held: list[Promise] = []

    async def main() -> None:
        Promise.resolve().finally_(hang)
        await settle()
        held.extend(Promise.with_resolvers().promise for _ in range(5000))

    asyncio.run(main())
    assert [True] * 5000 == [promise.cancelled() for promise in held]


def test_the_end_of_the_loop_lets_a_cleanup_wait_for_what_it_made_among_many() -> None:
    """Whatever number of others had been made before, and are gone."""
    ended: list[str] = []

    async def save() -> None:
        promise, resolve, _ = Promise.with_resolvers()
        others = [Promise.with_resolvers() for _ in range(400)]
        asyncio.get_running_loop().call_later(0.01, resolve, "saved")
        ended.append(await promise)
        del others

    async def main() -> None:
        for _ in range(900):
            Promise.with_resolvers()
        held.append(Promise(hang()).finally_(save))
        await settle()

    held: list[Promise] = []
    asyncio.run(main())
    assert ["saved"] == ended


def test_a_generator_that_a_cleanup_has_left_is_closed_with_the_loop() -> None:
    """And what that raises is reported as asyncio does it."""
    events: list[str] = []

    async def endless(error: Exception | None) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await turns()
            events.append("closed")
            if error is not None:
                raise error

    async def leave() -> None:
        for generator in generators:
            await anext(generator)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, report: reports.append(report))
        promises.append(Promise(hang()).finally_(leave))
        await turns()

    promises: list[Promise] = []
    generators = [endless(None), endless(ValueError("no"))]
    reports: list[dict[str, Any]] = []
    asyncio.run(main())
    assert ["closed", "closed"] == events
    assert [("ValueError('no')", generators[1])] == [(repr(one["exception"]), one["asyncgen"]) for one in reports]
    assert f"an error occurred during closing of asynchronous generator {generators[1]!r}" == reports[0]["message"]


REQUESTS: dict[str, Callable[[Promise, asyncio.Task], object]] = {
    "the promise": lambda promise, task: promise.cancel(),
    "the Task that awaits it": lambda promise, task: task.cancel(),
}


@pytest.mark.parametrize("cancel", REQUESTS.values(), ids=REQUESTS)
async def test_a_request_reaches_the_inputs_in_their_order(cancel) -> None:
    """Nested combinators or not, and whoever asks."""
    asked: list[int] = []

    async def work(number: int) -> None:
        try:
            await hang()
        except CancelledError:
            asked.append(number)
            raise

    promise = Promise.all(
        Promise.all(work(0), Promise.race(work(1), work(2))), work(3), Promise.map([4, 5], work), work(6)
    )
    task = asyncio.ensure_future(value_or_class(promise))
    await turns()
    cancel(promise, task)
    await asyncio.wait([task])
    assert [*range(7)] == asked


TWICE: dict[str, Callable[[Promise], Awaitable]] = {
    "a loser": lambda work: Promise.race(work, work, Promise.delay(0), losers="cancel"),
    "a loser of some": lambda work: Promise.some(1, [work, Promise.delay(0), work], losers="cancel"),
    "an iterator that is cancelled": lambda work: cancelled(
        Promise(values_of(Promise.as_completed(work, work, losers="cancel")))
    ),
}


@pytest.mark.parametrize("run", TWICE.values(), ids=TWICE)
async def test_what_is_an_input_twice_is_asked_once(run) -> None:
    counts: list[int] = []

    async def work() -> None:
        try:
            await hang()
        except CancelledError:
            counts.append(asyncio.current_task().cancelling())
            raise

    await value_or_class(run(Promise(work())))
    assert [1] == counts


@pytest.mark.parametrize("begin", [lambda work: work, asyncio.ensure_future], ids=["a coroutine", "a Task"])
async def test_what_is_an_input_twice_and_fails_in_its_cleanup_is_reported_once(begin, announced, reports) -> None:
    async def work() -> None:
        try:
            await hang()
        finally:
            raise Stop

    one = begin(work())
    await turns()
    await Promise.race(one, one, turns(), losers="cancel")
    await turns()
    del one
    gc.collect()
    assert ["Stop()"] == [repr(report["exception"]) for report in reports]
    assert [] == announced


# -------------------------------------------------------------------------------------------------------- deep nesting

NESTING = [Promise.all, Promise.race, Promise.any, Promise.all_settled, lambda items: Promise.some(1, items)]


def nested(promise: Promise, count: int, kinds: list = NESTING) -> Promise:
    for number in range(count):
        promise = kinds[number % len(kinds)]([promise])
    return promise


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*range(len(NESTING)), "mixed"])
async def test_combinators_nested_5000_deep_are_cancelled_by_the_outermost(kind) -> None:
    work = Promise(hang())
    promise = nested(work, 5000, NESTING if kind == "mixed" else [NESTING[kind]])
    await turns()
    promise.cancel()
    assert CancelledError is await value_or_class(promise)
    assert work.cancelled()


async def test_combinators_nested_5000_deep_that_hang_on_nothing_are_cancelled_at_once() -> None:
    promise = nested(Promise.with_resolvers().promise, 5000)
    promise.cancel()
    assert promise.cancelled()


async def test_combinators_nested_5000_deep_end_with_a_failure_of_the_innermost() -> None:
    """And stop what is beside them on every level."""
    ended: list[int] = []

    async def work(number: int) -> None:
        try:
            await hang()
        finally:
            ended.append(number)

    innermost, _, reject = Promise.with_resolvers()
    promise = innermost
    for number in range(5000):
        promise = [Promise.all, Promise.race][number % 2]([promise, work(number)] if number % 100 == 0 else [promise])
    await turns()
    reject(Stop())
    assert Stop is await value_or_class(promise)
    assert 50 == len(ended)


async def test_a_loser_that_is_5000_combinators_deep_is_stopped() -> None:
    work = Promise(hang())
    assert "v" == await Promise.race(nested(work, 5000), Promise.resolve("v"), losers="cancel")
    assert work.cancelled()


ENDINGS: dict[str, tuple[Callable[[Promise], Awaitable], type[BaseException]]] = {
    "timeout()": (lambda promise: promise.timeout(0.01), TimeoutError),
    "wait_for()": (lambda promise: asyncio.wait_for(promise, 0.01), TimeoutError),
    "cancel()": (cancelled, CancelledError),
}


@pytest.mark.slow
@pytest.mark.parametrize(("end", "expected"), ENDINGS.values(), ids=ENDINGS)
async def test_recursive_pagination_of_1000_pages_can_be_ended(end, expected) -> None:
    """Each page asks for the next one in a handler."""
    last = asyncio.Event()

    def get(page: int) -> Promise:
        if page < 1000:
            return Promise.resolve(page)
        last.set()
        return Promise(hang())

    def crawl(page: int) -> Promise:
        return get(page).then(lambda data: Promise.all([data, crawl(page + 1)]))

    pages = crawl(0)
    await last.wait()
    assert expected == await value_or_class(end(pages))


@pytest.mark.slow
@pytest.mark.parametrize("combine", [Promise, lambda work: Promise.all(work, hang())], ids=["Promise()", "all()"])
async def test_2000_tasks_that_await_promises_of_each_other_are_cancelled_by_the_outermost(combine) -> None:
    """Each is asked within the cancel() of the one before it, some hundred at a time."""
    started = asyncio.Event()

    async def level(number: int) -> None:
        if number == 0:
            started.set()
            await hang()
        else:
            await Promise.delay(0)
            await combine(level(number - 1))

    task = asyncio.create_task(level(2000))
    await started.wait()
    await turns()
    task.cancel()
    await asyncio.wait([task], timeout=30)
    assert task.cancelled()


# ----------------------------------------------------------------------------------------------------- what is reported


@pytest.fixture
def announced() -> Iterator[list]:
    """Return the list of what on_unhandled_rejection() reports."""
    events: list[tuple] = []
    stop = on_unhandled_rejection(lambda event: events.append((repr(event.reason), event.handled)))
    yield events
    stop()


async def test_a_stream_that_fails_is_announced_to_nobody(announced) -> None:
    """Its promise is the library's own; the failure is raised in the loop over the stream."""

    async def fails_soon(item: int) -> None:
        await turns(item)
        raise Stop

    assert Stop is await value_or_class(drained(Promise.map_unordered([1, 2], fails_soon)))
    assert Stop is await value_or_class(values_of(Promise.as_completed(iter_that_fails())))
    await turns()
    assert [] == announced


def iter_that_fails() -> Iterator[Awaitable]:
    yield hang()
    raise Stop


async def test_a_failure_that_waits_for_a_busy_consumer_is_announced_to_nobody(announced, reports) -> None:
    seen = []
    async for _, promise in Promise.as_completed(fails(), fails(), Promise(fails())):
        await turns(20)
        seen.append(await outcome(promise))
    assert ["Stop()"] * 3 == seen
    gc.collect()
    assert ([], []) == (announced, reports)


async def test_a_failure_that_was_still_to_be_handed_on_when_the_iterator_is_left_is_quiet(announced, reports) -> None:
    """Nobody has seen its promise."""
    async with aclosing(Promise.as_completed(fails(), fails(), hang())) as pairs:
        async for _, promise in pairs:
            await turns(20)
            assert "Stop()" == await outcome(promise)
            break
    gc.collect()
    assert ([], []) == (announced, reports)


async def test_a_failure_that_as_completed_has_handed_on_and_nobody_took_is_reported(reports) -> None:
    async for _, promise in Promise.as_completed(fails()):
        del promise
    await turns()
    gc.collect()
    assert ["Stop()"] == [repr(report["exception"]) for report in reports]


def limited(fail: Callable) -> list[Promise]:
    return [Promise(fail(number)).timeout(60) for number in range(6)]


FAILING: dict[str, Callable[[Callable], Awaitable]] = {
    "all, coroutines": lambda fail: Promise.all(*map(fail, range(6))),
    "all, promises": lambda fail: Promise.all(*[Promise(fail(number)) for number in range(6)]),
    "all, Tasks": lambda fail: Promise.all(*[asyncio.create_task(fail(number)) for number in range(6)]),
    "all, mixed": lambda fail: Promise.all(Promise(fail(0)), fail(1), asyncio.create_task(fail(2)), Promise(fail(3))),
    "all, the losers cancelled": lambda fail: Promise.all(*map(fail, range(6)), losers="cancel"),
    "all, the losers kept": lambda fail: Promise.all(*map(fail, range(6)), losers="keep"),
    "all_keyed": lambda fail: Promise.all_keyed({number: fail(number) for number in range(6)}),
    "race": lambda fail: Promise.race(*map(fail, range(6))),
    "race, limits that are cancelled": lambda fail: Promise.race(*limited(fail), losers="cancel"),
    "some": lambda fail: Promise.some(6, *map(fail, range(6))),
    "each": lambda fail: Promise.each(range(6), fail, concurrency=6),
    "map": lambda fail: Promise.map(range(6), fail),
    "filter": lambda fail: Promise.filter(range(6), fail),
    "a stream": lambda fail: drained(Promise.map_unordered(range(6), fail)),
    "all, links": lambda fail: Promise.all(*[Promise(fail(number)).then(str) for number in range(6)]),
    "all, links that are cancelled": lambda fail: Promise.all(
        *[Promise(fail(number)).then(str) for number in range(6)], losers="cancel"
    ),
    "map of a promisified function": lambda fail: Promise.map(range(6), promisify(fail)),
    "map of limits": lambda fail: Promise.map(range(6), lambda number: Promise(fail(number)).timeout(60)),
    "map of links of limits": lambda fail: Promise.map(
        range(6), lambda number: Promise(fail(number)).timeout(60, fallback=0).then(str).timeout(50)
    ),
    "map of shields": lambda fail: Promise.map(range(6), lambda number: Promise(fail(number)).shield()),
    "map of links of shields": lambda fail: Promise.map(
        range(6), lambda number: Promise(fail(number)).shield().then(str)
    ),
    "race, shields that are cancelled": lambda fail: Promise.race(
        *[Promise(fail(number)).shield() for number in range(6)], losers="cancel"
    ),
    "map of links": lambda fail: Promise.map(range(6), lambda number: Promise(fail(number)).then(str).then(str)),
    "each of a combinator": lambda fail: Promise.each(
        range(6), lambda number: Promise.all(fail(number), fail(number)), concurrency=6
    ),
    "a stream of promises": lambda fail: drained(Promise.map_unordered(range(6), lambda one: Promise(fail(one)))),
    # No promise: what asyncio itself does, for comparison.
    "gather": lambda fail: asyncio.gather(*map(fail, range(6))),
}


@pytest.mark.parametrize("run", FAILING.values(), ids=FAILING)
async def test_failures_in_the_turn_of_the_first_are_quiet(run, announced, reports) -> None:
    """An input is the combinator's to handle, as it is for gather()."""
    gate = asyncio.Event()

    async def fail(number: int) -> None:
        await gate.wait()
        raise Stop(number)

    running = asyncio.ensure_future(value_or_class(run(fail)))
    await turns()
    gate.set()
    assert await running in (Stop, ExceptionGroup)
    await turns()
    del running
    gc.collect()
    assert ([], []) == (announced, reports)


async def failing_source(fail: Callable) -> AsyncIterator[int]:
    yield 0
    await fail(1)


FAILED_ALREADY: dict[str, Callable[[Callable], Promise]] = {
    "a coroutine": lambda fail: Promise.all(fail(0), hang()),
    "a call": lambda fail: Promise.map([0], fail),
    "a source": lambda fail: Promise.map(failing_source(fail), lambda item: item),
    "a source, and a call that has to end": lambda fail: Promise.map(failing_source(fail), lambda item: hang()),
}


@pytest.mark.parametrize("begin", FAILED_ALREADY.values(), ids=FAILED_ALREADY)
async def test_what_had_failed_when_the_request_came_is_quiet(begin, reports) -> None:
    """It failed by itself, though in the same iteration as the request, so nothing was notified yet."""
    gate = asyncio.Event()

    async def fail(number: int) -> None:
        await gate.wait()
        raise Stop(number)

    async def cancel() -> None:
        await gate.wait()
        promise.cancel()

    promise = begin(fail)
    await turns()
    cancelling = asyncio.create_task(cancel())
    await turns()
    gate.set()
    assert CancelledError is await value_or_class(promise)
    await cancelling
    await turns()
    gc.collect()
    assert [] == reports


@pytest.mark.parametrize("losers", [None, "keep"])
async def test_a_failure_of_what_was_let_go_is_quiet_later_too(losers, announced, reports) -> None:
    """Also that of a caller's promise, which was passed in."""
    late, resolve, reject = Promise.with_resolvers()
    assert "v" == await Promise.race(late, Promise.resolve("v"), losers=losers)
    reject(Stop())
    await turns()
    del late, resolve, reject
    gc.collect()
    assert ([], []) == (announced, reports)


@pytest.mark.logs
@pytest.mark.parametrize(
    ("wrap", "expected"), [(asyncio.ensure_future, 1), (Promise, 0)], ids=["Task", "Promise(task)"]
)
async def test_a_task_of_the_callers_that_fails_later_is_asyncios_to_report(wrap, expected, reports) -> None:
    """Nothing of ours is left on it; a promise of it is the combinator's to handle."""
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()
        raise Stop

    task = asyncio.create_task(work())
    assert "v" == await Promise.race(wrap(task), Promise.resolve("v"))
    gate.set()
    await turns()
    del task
    gc.collect()
    assert expected == len(reports)


@pytest.mark.parametrize("wait", [0, 5], ids=["in the turn of the answer", "later"])
@pytest.mark.parametrize("combine", [Promise.race, Promise.any])
async def test_a_failure_of_work_that_was_let_go_is_quiet_whoever_has_asked_it_before(combine, wait, reports) -> None:
    """The combinator has not: it may have absorbed a request long ago."""
    answer, resolve, _ = Promise.with_resolvers()

    async def work() -> None:
        asyncio.current_task().cancel()
        with suppress(CancelledError):
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(resolve, "v")
        for _ in range(wait):
            await asyncio.sleep(0)
        raise Stop

    assert "v" == await combine(answer, work(), losers="keep")
    await turns()
    gc.collect()
    assert [] == reports


async def test_a_combinator_that_is_cancelled_hands_back_what_others_want(reports) -> None:
    shared, resolve, reject = Promise.with_resolvers()
    shared.add_done_callback(lambda promise: None)
    combined = Promise.all(shared, hang())
    combined.cancel()
    assert CancelledError is await value_or_class(combined)
    reject(Stop())
    await turns()
    del shared, resolve, reject, combined
    gc.collect()
    assert ["Stop()"] == [repr(report["exception"]) for report in reports]


async def test_in_debug_mode_the_first_reason_counts_and_names_the_others(loop_mode) -> None:
    for call, run in {
        "all": lambda fail: Promise.all(*map(fail, range(8))),
        "each": lambda fail: Promise.each(range(8), fail, concurrency=8),
    }.items():
        gate = asyncio.Event()

        async def fail(number: int, gate: asyncio.Event = gate) -> None:
            await gate.wait()
            raise Stop(number)

        promise = run(fail)
        await turns()
        gate.set()
        with pytest.raises(Stop) as caught:
            await promise
        notes = [note for note in getattr(caught.value, "__notes__", []) if "more failed" in note]
        named = "Stop(1), Stop(2), Stop(3), Stop(4), Stop(5), ..."
        expected = [f"7 more failed in Promise.{call}() after this: {named}"] if loop_mode == "debug" else []
        assert expected == notes


async def test_in_debug_mode_one_note_is_enough_whatever_the_number(loop_mode) -> None:
    """2,000 failures cost one line, and no more time than their number."""

    async def fail(number: int) -> None:
        raise Stop(number)

    with pytest.raises(Stop) as caught:
        await Promise.all(*map(fail, range(2000)))
    notes = [note for note in getattr(caught.value, "__notes__", []) if "more failed" in note]
    assert [True] * (loop_mode == "debug") == [len(note) < 200 for note in notes]


# ------------------------------------------------------------------------------------------- one context for generators

variable: ContextVar[str] = ContextVar("variable", default="unset")


@pytest.mark.parametrize("end", ["a failure", "cancel()", "all items", "on_progress", "a failure of on_progress"])
async def test_a_generator_of_items_lives_and_is_closed_in_one_context(end, reports) -> None:
    """It may set a variable when it starts, and reset it when it is closed, as an async one may."""
    closed: list[str] = []

    def items() -> Iterator[int]:
        token = variable.set("set")
        try:
            yield from range(3)
        finally:
            closed.append(variable.get())
            variable.reset(token)

    async def call(item: int) -> None:
        await turns(2)
        if end == "a failure":
            raise Stop
        if end == "cancel()":
            await hang()

    def progress(done: int, total: object) -> None:
        if end == "on_progress":
            promise.cancel()
        if end == "a failure of on_progress":
            raise Stop

    promise = Promise.map(items(), call, concurrency=1, on_progress=progress)
    await turns(5)
    if end == "cancel()":
        promise.cancel()
    expected = {"a failure": Stop, "a failure of on_progress": Stop, "all items": [None] * 3}.get(end, CancelledError)
    assert expected == await value_or_class(promise)
    assert ["set"] == closed
    assert "unset" == variable.get()
    await turns()
    assert [] == reports


# ----------------------------------------------------------------------- user code that fails after the result


def items_that_cancel(cancel: Callable[[], object]) -> Iterator[int]:
    yield 0
    cancel()
    raise Stop


def cancel_and_fail(cancel: Callable[[], object]) -> None:
    cancel()
    raise Stop


CANCELS_AND_FAILS: dict[str, Callable[[Callable], Promise]] = {
    "a generator": lambda cancel: Promise.map(items_that_cancel(cancel), str),
    "on_progress": lambda cancel: Promise.map([0, 1], str, on_progress=lambda *numbers: cancel_and_fail(cancel)),
    "on_progress, while a call runs": lambda cancel: Promise.map(
        [0, 1], lambda item: hang() if item else item, on_progress=lambda *numbers: cancel_and_fail(cancel)
    ),
}


@pytest.mark.parametrize("begin", CANCELS_AND_FAILS.values(), ids=CANCELS_AND_FAILS)
async def test_what_cancels_the_pool_and_then_fails_is_reported(begin, reports) -> None:
    """The pool is cancelled, and nothing else would report the failure."""
    pools: list[Promise] = []

    def cancel() -> None:
        pools[0].cancel()

    pools.append(begin(cancel))
    assert CancelledError is await value_or_class(pools[0])
    await turns()
    assert ["Stop()"] == [repr(report["exception"]) for report in reports]
