"""Many items through one function: `Promise.map`, `filter`, `reduce` and `each`."""

import asyncio
import contextlib
import gc
import inspect
import itertools
import sys
import traceback
from asyncio import CancelledError
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from contextvars import ContextVar
from functools import partial
from inspect import CORO_CLOSED
from typing import Any

import pytest

from aiopromise import Promise
from helpers import turns, value_or_class

pytestmark = pytest.mark.usefixtures("loop_mode")

variable: ContextVar[str] = ContextVar("variable", default="unset")


class Stop(Exception):
    """What a call fails with."""


class Countdown:
    """An iterator, and an async iterator, with no more than Python asks of one."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __next__(self) -> int:
        if self.count == 0:
            raise StopIteration
        self.count -= 1
        return self.count

    async def __anext__(self) -> int:
        if self.count == 0:
            raise StopAsyncIteration
        self.count -= 1
        return self.count


class Counting:
    def __iter__(self) -> Countdown:
        return Countdown(3)


class CountingAsync:
    def __aiter__(self) -> Countdown:
        return Countdown(3)


class Sequence:
    """What can be iterated for having a `__getitem__` alone."""

    def __getitem__(self, index: int) -> int:
        return [2, 1, 0][index]


def generator() -> Iterator[int]:
    yield from (2, 1, 0)


async def async_generator() -> AsyncIterator[int]:
    for number in (2, 1, 0):
        await asyncio.sleep(0)
        yield number


ITEMS: dict[str, Callable[[], Any]] = {
    "list": lambda: [2, 1, 0],
    "tuple": lambda: (2, 1, 0),
    "range": lambda: range(2, -1, -1),
    "dict": lambda: {2: "", 1: "", 0: ""},
    "generator": generator,
    "async generator": async_generator,
    "iterator": Counting,
    "async iterator": CountingAsync,
    "__getitem__": Sequence,
}

items_of_every_kind = pytest.mark.parametrize("items", ITEMS.values(), ids=ITEMS)


def double(number: int) -> int:
    return number * 2


async def double_async(number: int) -> int:
    return double(number)


async def double_later(number: int) -> int:
    await asyncio.sleep(0)
    return double(number)


FUNCTIONS: dict[str, Callable[[int], Any]] = {
    "sync": double,
    "async": double_async,
    "async, waiting": double_later,
    "giving a promise": lambda number: Promise.resolve(number).then(double),
    "giving a Task": lambda number: asyncio.create_task(double_later(number)),
    "giving a coroutine": partial(double_later),
}


class Calls:
    """A function whose calls wait until they are settled, and what became of them."""

    def __init__(self, cleanup: int = 3) -> None:
        self.cleanup = cleanup
        self.events: list[str] = []
        self._running: dict[Any, asyncio.Future] = {}

    @property
    def running(self) -> list[Any]:
        return list(self._running)

    def end(self, *items: Any) -> None:
        for item in items:
            self._running[item].set_result(f"result {item}")

    def fail(self, item: Any) -> None:
        self._running[item].set_exception(Stop(item))

    async def __call__(self, item: Any) -> str:
        self._running[item] = asyncio.get_running_loop().create_future()
        try:
            return await self._running[item]
        except CancelledError:
            await turns(self.cleanup)
            self.events.append(f"stopped {item}")
            raise
        finally:
            del self._running[item]

    def items(self, *items: Any) -> Iterator[Any]:
        try:
            yield from items
        finally:
            self.events.append("closed")

    async def async_items(self, *items: Any) -> AsyncIterator[Any]:
        try:
            for item in items:
                yield item
        finally:
            await turns(self.cleanup)
            self.events.append("closed")


both_generators = pytest.mark.parametrize("kind", [Calls.items, Calls.async_items], ids=["sync", "async"])


async def collected(results: AsyncIterator[Any]) -> list[Any]:
    return [result async for result in results]


# ------------------------------------------------------------------------------------------------ items and results


@items_of_every_kind
@pytest.mark.parametrize("concurrency", [None, 1, 2, 100])
async def test_map_gives_the_results_in_the_order_of_items_of_every_kind(items: Any, concurrency: int | None) -> None:
    """Whatever can be iterated, sync or async, at any limit."""
    assert [4, 2, 0] == await Promise.map(items(), double_later, concurrency=concurrency)


@items_of_every_kind
async def test_filter_reduce_and_each_take_items_of_every_kind(items: Any) -> None:
    """`filter`, `each` and the like read items as `map` does."""
    seen: list[int] = []
    assert [2, 0] == await Promise.filter(items(), lambda number: number % 2 == 0)
    assert "a210" == await Promise.reduce(items(), lambda total, number: f"{total}{number}", "a")
    assert None is await Promise.each(items(), seen.append)
    assert [2, 1, 0] == seen
    assert [4, 2, 0] == await collected(Promise.map_unordered(items(), double, concurrency=1))


@pytest.mark.parametrize("fn", FUNCTIONS.values(), ids=FUNCTIONS)
async def test_the_function_may_be_sync_or_async_and_return_any_awaitable(fn: Callable) -> None:
    """What it returns is awaited, once."""
    assert [0, 2, 4] == await Promise.map(range(3), fn, concurrency=2)
    assert [1, 2] == await Promise.filter(range(3), fn)
    assert [0, 2, 4] == sorted(await collected(Promise.map_unordered(range(3), fn)))


@pytest.mark.parametrize("add", [lambda total, number: total + number, lambda *both: asyncio.sleep(0, sum(both))])
async def test_reduce_goes_from_the_initial_value_call_by_call(add: Callable) -> None:
    """Each call is given what the one before it gave, awaited."""
    assert 106 == await Promise.reduce(range(4), add, 100)


async def test_items_that_are_awaitable_are_handed_over_as_they_are() -> None:
    """The function decides what to do with an item; `map` awaits its results."""
    task = asyncio.create_task(double_later(1))
    assert [True] == await Promise.map([task], lambda item: item is task)
    assert [task] == await Promise.filter([task], lambda item: True)
    assert [2] == await Promise.map([task], lambda item: item)


@pytest.mark.parametrize("items", [list, lambda: iter(()), lambda: Calls().items(), lambda: Calls().async_items()])
async def test_no_items_give_nothing_without_a_call(items: Callable) -> None:
    """Empty in, empty out."""
    assert [] == await Promise.map(items(), pytest.fail)
    assert [] == await Promise.filter(items(), pytest.fail)
    assert [] == await collected(Promise.map_unordered(items(), pytest.fail))
    assert None is await Promise.each(items(), pytest.fail)
    assert "initial" == await Promise.reduce(items(), pytest.fail, "initial")


async def test_results_come_in_the_order_of_the_items_whichever_call_ends_first() -> None:
    """The order of the ends is not seen in a list."""
    calls = Calls()
    mapped = Promise.map([1, 2, 3], calls)
    await turns()
    calls.end(3, 1, 2)
    assert ["result 1", "result 2", "result 3"] == await mapped


async def test_unordered_results_come_as_the_calls_end() -> None:
    """`map_unordered()` is an async iterator over what is there first."""
    calls = Calls()
    results = Promise.map_unordered([1, 2, 3], calls)
    first = asyncio.ensure_future(anext(results))
    await turns()
    calls.end(3)
    assert "result 3" == await first
    calls.end(2)
    assert "result 2" == await anext(results)
    calls.end(1)
    assert "result 1" == await anext(results)
    with pytest.raises(StopAsyncIteration):
        await anext(results)


async def test_nothing_runs_before_unordered_results_are_asked_for() -> None:
    """A stream that nobody iterates does nothing, and says nothing."""
    calls = Calls()
    results = Promise.map_unordered(calls.items(1), calls)
    await turns()
    assert [] == calls.running
    await results.aclose()
    assert [] == calls.events


async def test_the_function_is_never_called_within_map() -> None:
    """As handlers are, it is called by the loop."""
    seen: list[int] = []
    mapped = Promise.map([1], seen.append)
    assert [] == seen
    await mapped
    assert [1] == seen


# ---------------------------------------------------------------------------------------------------------- the limit


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (3, 3), (100, 10), (None, 10)])
@pytest.mark.parametrize("items", [range, lambda count: Calls().async_items(*range(count))], ids=["sync", "async"])
async def test_so_many_calls_are_unfinished_at_a_time_and_no_more(items: Any, concurrency: Any, most: int) -> None:
    """The limit is kept, and used."""
    calls = Calls()
    mapped = Promise.map(items(10), calls, concurrency=concurrency)
    seen = 0
    while not mapped.done():
        await turns()
        seen = max(seen, len(calls.running))
        calls.end(*calls.running[:1])
    assert most == seen


@pytest.mark.parametrize("ordered", [True, False])
@both_generators
async def test_an_item_is_taken_only_when_there_is_room_for_its_call(kind: Any, ordered: bool) -> None:
    """Nothing is read ahead: the next item is asked for when a call has ended."""
    calls, taken = Calls(), []

    def note(item: int) -> Awaitable:
        taken.append(item)
        return calls(item)

    produced = itertools.count()
    items = (next(produced) for _ in range(10)) if kind is Calls.items else _numbers_from(produced)
    mapped = (Promise.map if ordered else Promise.map_unordered)(items, note, concurrency=2)
    waiting = mapped if ordered else asyncio.ensure_future(anext(mapped))
    await turns()
    assert "count(2)" == repr(produced)
    calls.end(1)
    await turns()
    assert "count(3)" == repr(produced)
    assert [0, 1, 2] == taken
    waiting.cancel()
    await value_or_class(waiting)
    if not ordered:
        await mapped.aclose()


async def _numbers_from(numbers: Iterator[int]) -> AsyncIterator[int]:
    for _ in range(10):
        yield next(numbers)


async def test_results_that_nobody_took_count_against_the_limit() -> None:
    """A slow consumer slows the calls down."""
    started: list[int] = []
    async with aclosing(Promise.map_unordered(itertools.count(), started.append, concurrency=3)) as results:
        for taken in range(1, 5):
            assert None is await anext(results)
            await turns(20)
            assert taken + 3 == len(started)


async def test_calls_start_in_the_order_of_the_items() -> None:
    """Whatever ends first, the next call is for the next item."""
    calls, started = Calls(), []

    def note(item: int) -> Awaitable:
        started.append(item)
        return calls(item)

    mapped = Promise.map(range(7), note, concurrency=3)
    while not mapped.done():
        await turns()
        calls.end(*calls.running[-1:])
    assert list(range(7)) == started


async def test_each_makes_one_call_after_another_unless_told_otherwise() -> None:
    """The limit of `each` is 1, that of `map` and `filter` is none."""
    calls = Calls()
    one, two = Promise.each([1, 2], calls), Promise.each([3, 4], calls, concurrency=2)
    await turns()
    assert [1, 3, 4] == calls.running
    one.cancel()
    two.cancel()
    await turns(20)
    assert [] == calls.running


class Alive:
    """An item that is counted as long as it lives."""

    count = 0
    most = 0

    def __init__(self) -> None:
        Alive.count += 1
        Alive.most = max(Alive.most, Alive.count)

    def __del__(self) -> None:
        Alive.count -= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_long_generator_keeps_a_constant_number_of_items_alive(kind: str, loop_mode: str) -> None:
    """Back-pressure: memory does not grow with the number of items."""
    count = 200_000 if (kind, loop_mode) == ("sync", "plain") else 2_000
    Alive.count = Alive.most = 0

    async def items() -> AsyncIterator[Alive]:
        for _ in range(count):
            yield Alive()

    work = (Alive() for _ in range(count)) if kind == "sync" else items()
    await Promise.each(work, lambda item: None, concurrency=10)
    assert Alive.most <= 13
    assert 0 == Alive.count


async def test_memory_stays_flat_over_a_stream_of_results() -> None:
    """Nor does it grow with results that were taken."""
    async with aclosing(Promise.map_unordered(itertools.count(), double, concurrency=10)) as results:
        for _ in range(300):
            await anext(results)
        before = sys.getallocatedblocks()
        for _ in range(1_500):
            await anext(results)
        assert sys.getallocatedblocks() - before < 1_000


# ------------------------------------------------------------------------------------------------------------ failure


def failing(item: Any) -> None:
    raise Stop(item)


@pytest.mark.parametrize(
    "run",
    [
        partial(Promise.map, concurrency=1),
        partial(Promise.filter, concurrency=1),
        Promise.each,
        lambda items, fn: Promise.reduce(items, lambda total, item: fn(item), None),
        lambda items, fn: collected(Promise.map_unordered(items, fn, concurrency=1)),
    ],
    ids=["map", "filter", "each", "reduce", "stream"],
)
@both_generators
async def test_a_failure_is_raised_as_it_is_and_the_generator_is_closed(run: Callable, kind: Any) -> None:
    """The same exception object, not wrapped, at the user's line."""
    error, calls = Stop("no"), Calls()

    def fail(item: int) -> None:
        raise error

    with pytest.raises(Stop) as caught:
        await run(kind(calls, 1, 2), fail)
    assert error is caught.value
    assert ["closed"] == calls.events
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert "fail" == names[-1]
    assert len(names) == len(set(names)), names


@pytest.mark.parametrize("ordered", [True, False])
@both_generators
async def test_the_first_failure_stops_the_rest_waits_for_it_and_closes_the_generator(kind: Any, ordered: bool) -> None:
    """In this order: calls may use what the generator holds open until they have ended."""
    calls = Calls()
    mapped = (Promise.map if ordered else Promise.map_unordered)(kind(calls, *range(10)), calls, concurrency=3)
    running = asyncio.ensure_future(value_or_class(mapped if ordered else anext(mapped)))
    await turns()
    calls.fail(1)
    assert Stop is await running
    assert ["stopped 0", "stopped 2", "closed"] == calls.events


@pytest.mark.parametrize("cleanup", [0, 3])
async def test_an_async_generator_is_closed_in_the_middle_of_its_next_item(cleanup: int, reports: list) -> None:
    """What is being waited for is cancelled there, and its cleanup awaited."""
    calls = Calls(cleanup)

    async def items() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            await turns(cleanup)
            calls.events.append("closed")

    mapped = Promise.map(items(), calls, concurrency=2)
    await turns()
    calls.fail(1)
    assert Stop is await value_or_class(mapped)
    assert ["closed"] == calls.events
    await turns()
    assert [] == reports


async def test_no_item_is_asked_for_after_a_failure() -> None:
    """Not even while the calls that are stopped take their time; one that is on its way is not used."""
    calls, asked, going_on = Calls(cleanup=30), [], asyncio.Event()

    async def items() -> AsyncIterator[int]:
        for number in range(100):
            asked.append(number)
            if number == 2:
                await going_on.wait()
            yield number

    mapped = Promise.map(items(), calls, concurrency=3)
    await turns()
    calls.fail(0)
    await turns()
    going_on.set()
    assert Stop is await value_or_class(mapped)
    assert [0, 1, 2] == asked
    assert ["stopped 1"] == calls.events


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_failure_of_the_items_stops_the_calls(kind: str, ordered: bool) -> None:
    """What the iterator raises is a failure as any other."""
    calls, error = Calls(), Stop("items")

    def items() -> Iterator[int]:
        yield 1
        raise error

    async def async_items() -> AsyncIterator[int]:
        yield 1
        await turns(3)
        raise error

    source = items() if kind == "sync" else async_items()
    with pytest.raises(Stop) as caught:
        await (Promise.map(source, calls) if ordered else collected(Promise.map_unordered(source, calls)))
    assert error is caught.value
    assert kind == "sync" or ["stopped 1"] == calls.events
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert ["items" if kind == "sync" else "async_items"] == names[1 if ordered else -1 :]


@pytest.mark.parametrize("kind", ["__iter__", "__aiter__"])
async def test_what_the_making_of_the_iterator_raises_rejects(kind: str) -> None:
    """`map` itself raises for wrong arguments only."""
    items = type("Broken", (), {kind: lambda self: failing("iter")})()
    assert Stop is await value_or_class(Promise.map(items, double))
    assert Stop is await value_or_class(Promise.reduce(items, double, 0))


async def test_what_came_before_a_failure_is_delivered_before_it_is_raised() -> None:
    """A result is never lost to a failure that came later."""
    calls, seen = Calls(), []

    async def consume() -> None:
        async for result in Promise.map_unordered([1, 2, 3, 4], calls):
            seen.append(result)
            await turns(5)

    consuming = asyncio.ensure_future(consume())
    await turns()
    calls.end(2, 1)
    calls.fail(3)
    with pytest.raises(Stop):
        await consuming
    assert ["result 2", "result 1"] == seen
    assert ["stopped 4"] == calls.events


@both_generators
async def test_what_is_raised_while_the_rest_is_stopped_is_reported(kind: Any) -> None:
    """The first failure is the outcome; a second one, of a call or of the generator that is closed, is not lost."""
    reports: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, report: reports.append(str(report["exception"])))

    def items() -> Iterator[int]:
        try:
            yield from range(5)
        finally:
            raise Stop("closing")

    async def async_items() -> AsyncIterator[int]:
        with contextlib.closing(items()) as numbers:
            for number in numbers:
                yield number

    async def call(item: int) -> None:
        if item == 0:
            await turns(3)
            raise Stop("first")
        try:
            await asyncio.Event().wait()
        finally:
            raise Stop("cleanup")

    with pytest.raises(Stop, match="first"):
        await Promise.map(items() if kind is Calls.items else async_items(), call, concurrency=2)
    await turns()
    gc.collect()
    assert ["cleanup", "closing"] == sorted(reports)


# ------------------------------------------------------------------------------------------------------- cancellation


@pytest.mark.parametrize("run", [Promise.map, Promise.filter, Promise.each])
@both_generators
async def test_cancelling_stops_the_calls_and_closes_the_generator(run: Callable, kind: Any) -> None:
    """It ends after they have."""
    calls = Calls()
    mapped = run(kind(calls, *range(10)), calls, concurrency=2)
    await turns()
    assert mapped.cancel()
    assert not mapped.done()
    assert CancelledError is await value_or_class(mapped)
    assert ["stopped 0", "stopped 1", "closed"] == calls.events


@both_generators
async def test_cancelling_a_reduction_stops_the_call_and_closes_the_generator(kind: Any) -> None:
    """As for `map`."""
    calls = Calls()
    reduced = Promise.reduce(kind(calls, *range(10)), lambda total, item: calls(item), None)
    await turns()
    reduced.cancel()
    assert CancelledError is await value_or_class(reduced)
    assert ["stopped 0", "closed"] == calls.events


async def test_cancelling_closes_an_async_generator_in_the_middle_of_its_next_item() -> None:
    """With no call running, it is the generator that is waited for."""
    calls = Calls()

    async def items() -> AsyncIterator[int]:
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            await turns()
            calls.events.append("closed")

    mapped = Promise.map(items(), calls)
    await turns()
    mapped.cancel("enough")
    assert CancelledError is await value_or_class(mapped)
    assert ["closed"] == calls.events


async def test_the_message_of_a_cancellation_reaches_the_calls_and_the_caller() -> None:
    """As that of a Task does."""
    seen: list[str] = []

    async def call(item: int) -> None:
        try:
            await asyncio.Event().wait()
        except CancelledError as error:
            seen.extend(error.args)
            raise

    mapped = Promise.map([1], call)
    await turns()
    mapped.cancel("enough")
    with pytest.raises(CancelledError, match="enough"):
        await mapped
    assert ["enough"] == seen


@both_generators
async def test_cancelling_before_the_first_turn_starts_nothing(kind: Any) -> None:
    """No item is taken, no Task started, and no function called."""
    items, before = Calls(), asyncio.all_tasks()
    mapped = Promise.map(kind(items, 1), pytest.fail)
    mapped.cancel()
    assert CancelledError is await value_or_class(mapped)
    await turns()
    assert before == asyncio.all_tasks()
    assert [] == items.events


async def test_a_second_cancellation_is_delivered_to_the_cleanup() -> None:
    """As with Tasks: who asks twice interrupts the cleanup itself."""
    events: list[str] = []

    async def call(item: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await asyncio.Event().wait()
            finally:
                events.append("interrupted")

    mapped = Promise.map([1], call)
    await turns()
    mapped.cancel()
    await turns()
    assert not mapped.done()
    mapped.cancel()
    assert CancelledError is await value_or_class(mapped)
    assert ["interrupted"] == events


async def test_a_second_cancellation_is_delivered_to_the_generator_that_is_closed() -> None:
    """It is asked for its end last, and waited for as well."""
    events: list[str] = []

    async def items() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            try:
                await asyncio.Event().wait()
            except CancelledError:
                await turns(3)
                events.append("interrupted")

    mapped = Promise.map(items(), Calls(), concurrency=1)
    await turns()
    mapped.cancel()
    await turns()
    assert not mapped.done()
    mapped.cancel()
    assert not mapped.done()
    assert CancelledError is await value_or_class(mapped)
    assert ["interrupted"] == events


@both_generators
async def test_a_time_limit_stops_the_calls_and_closes_the_generator(kind: Any) -> None:
    """`timeout()` waits for the end of what it stops."""
    calls = Calls()
    assert "late" == await Promise.map(kind(calls, *range(5)), calls, concurrency=1).timeout(0.01, fallback="late")
    assert ["stopped 0", "closed"] == calls.events


async def test_a_call_that_is_cancelled_by_somebody_cancels_the_whole() -> None:
    """A cancelled input cancels, as it does `Promise.all`."""
    calls = Calls()

    async def call(item: int) -> None:
        if item == 1:
            raise CancelledError
        await calls(item)

    mapped = Promise.map([0, 1, 2], call)
    assert CancelledError is await value_or_class(mapped)
    assert mapped.cancelled()
    assert [] == calls.running


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_generator_may_cancel_the_promise_that_reads_it(kind: str, reports: list) -> None:
    """The item that it yields then is not used, and it is closed as soon as possible."""
    events: list[str] = []

    def items() -> Iterator[int]:
        try:
            mapped.cancel()
            yield 1
        finally:
            events.append("closed")

    async def async_items() -> AsyncIterator[int]:
        with contextlib.closing(items()) as numbers:
            for number in numbers:
                yield number

    source = items() if kind == "sync" else async_items()
    mapped = Promise.map(source, pytest.fail, concurrency=1)
    assert CancelledError is await value_or_class(mapped)
    await turns()
    assert ["closed"] == events
    assert [] == reports


@both_generators
async def test_leaving_the_loop_over_the_results_stops_the_rest(kind: Any) -> None:
    """`break` within `aclosing` waits for the end of the calls, and of the generator."""
    calls = Calls()
    async with aclosing(Promise.map_unordered(kind(calls, *range(10)), calls, concurrency=3)) as results:
        first = asyncio.ensure_future(anext(results))
        await turns()
        calls.end(1)
        assert "result 1" == await first
        await turns()
    assert ["stopped 0", "stopped 2", "stopped 3", "closed"] == calls.events
    assert [] == calls.running


async def test_leaving_the_loop_without_closing_it_stops_the_rest_soon() -> None:
    """The loop closes an async iterator that is no longer referenced."""
    calls = Calls()
    started: list[int] = []

    async def call(item: int) -> Any:
        started.append(item)
        return "first" if item == 0 else await calls(item)

    async for result in Promise.map_unordered(itertools.count(), call, concurrency=2):
        assert "first" == result
        break
    await turns(30)
    assert [f"stopped {item}" for item in started[1:]] == calls.events


@both_generators
async def test_cancelling_who_reads_the_results_stops_the_calls_first(kind: Any) -> None:
    """The consumer ends after the cleanup of what it asked for."""
    calls = Calls()
    consuming = asyncio.ensure_future(collected(Promise.map_unordered(kind(calls, 1, 2, 3), calls, concurrency=2)))
    await turns()
    consuming.cancel()
    assert CancelledError is await value_or_class(consuming)
    assert ["stopped 1", "stopped 2", "closed"] == calls.events


async def test_cancelling_who_leaves_the_loop_is_not_lost_in_the_cleanup() -> None:
    """A consumer that is cancelled while what it left ends, ends by that cancellation."""
    calls = Calls(cleanup=20)

    async def consume() -> str:
        async with aclosing(Promise.map_unordered([1, 2], lambda item: calls(item) if item == 2 else 1)) as results:
            async for _ in results:
                await turns()
                break
        return "went on"

    consuming = asyncio.ensure_future(consume())
    await turns(15)
    consuming.cancel()
    assert CancelledError is await value_or_class(consuming)
    assert [] == calls.running


# ------------------------------------------------------------------------------------- context, Tasks and the end


@pytest.mark.parametrize(
    "run",
    [Promise.map, Promise.filter, Promise.each, lambda items, fn: Promise.reduce(items, lambda _, item: fn(item), 0)],
)
@both_generators
async def test_calls_see_the_context_variables_of_the_caller(run: Callable, kind: Any) -> None:
    """Those of the moment of the call of `map`; what a call sets is its own."""
    seen: list[str] = []

    def call(item: int) -> None:
        seen.append(variable.get())
        variable.set("changed")

    variable.set("of the caller")
    running = run(kind(Calls(), 1, 2), call)
    variable.set("later")
    await running
    assert ["of the caller", "of the caller"] == seen
    assert "later" == variable.get()


async def test_an_async_generator_runs_in_one_task_and_one_context() -> None:
    """As under `async for`: a context variable, a time limit or a task group may span its items."""
    tasks: set[Any] = set()

    async def items() -> AsyncIterator[int]:
        token = variable.set("within")
        tasks.add(asyncio.current_task())
        try:
            async with asyncio.timeout(60):
                for number in range(3):
                    tasks.add(asyncio.current_task())
                    assert "within" == variable.get()
                    yield number
        finally:
            tasks.add(asyncio.current_task())
            variable.reset(token)

    assert [0, 2, 4] == await Promise.map(items(), double_later, concurrency=1)
    assert Stop is await value_or_class(Promise.map(items(), failing, concurrency=1))
    assert 2 == len(tasks)


async def test_a_time_limit_within_an_async_generator_holds_over_its_items() -> None:
    """It reaches what the generator waits for."""

    async def items() -> AsyncIterator[int]:
        async with asyncio.timeout(0.01):
            yield 1
            await asyncio.Event().wait()

    assert TimeoutError is await value_or_class(Promise.map(items(), double))


@pytest.mark.parametrize("ordered", [True, False])
@both_generators
def test_the_end_of_the_loop_closes_the_generator_and_awaits_the_cleanup(kind: Any, ordered: bool) -> None:
    """`asyncio.run` that ends in the middle leaves nothing undone, and says nothing."""
    calls = Calls(cleanup=10 if ordered else 0)

    async def main() -> None:
        mapped = (Promise.map if ordered else Promise.map_unordered)(kind(calls, *range(10)), calls, concurrency=2)
        kept.append(mapped if ordered else asyncio.ensure_future(collected(mapped)))
        await turns()

    kept: list[Any] = []
    asyncio.run(main())
    assert ["closed", "stopped 0", "stopped 1"] == sorted(calls.events)
    assert kept[0].cancelled()


def test_the_end_of_the_loop_in_the_middle_of_a_next_item() -> None:
    """The generator is closed once, by the one who reads it."""
    events: list[str] = []

    async def items() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            await turns(20)
            events.append("closed")

    async def main() -> None:
        kept.append(Promise.map(items(), double))
        kept.append(Promise.reduce(items(), lambda total, item: item, 0))
        await turns()

    kept: list[Promise] = []
    asyncio.run(main())
    assert ["closed", "closed"] == events
    assert [True, True] == [promise.cancelled() for promise in kept]


def test_the_end_of_the_loop_while_results_wait_to_be_taken() -> None:
    """A started stream that is still referenced ends with the loop."""
    calls = Calls()

    async def main() -> None:
        results = Promise.map_unordered(calls.async_items(1, 2, 3), lambda item: item, concurrency=1)
        kept.append(results)
        assert 1 == await anext(results)

    kept: list[Any] = []
    asyncio.run(main())
    assert ["closed"] == calls.events


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.enable()


SCENES: dict[str, Callable[[], Awaitable]] = {
    "map": lambda: Promise.map(range(5), double_later, concurrency=2),
    "map, async items": lambda: Promise.map(async_generator(), double_later, concurrency=2),
    "filter": lambda: Promise.filter(range(5), double_later),
    "reduce": lambda: Promise.reduce(range(5), lambda total, item: double_later(item), 0),
    "each": lambda: Promise.each(async_generator(), double_later),
    "stream": lambda: collected(Promise.map_unordered(generator(), double_later)),
    "failure": lambda: Promise.each(generator(), failing),
    "failure, async items": lambda: Promise.each(async_generator(), failing),
    "failure, stream": lambda: collected(Promise.map_unordered(async_generator(), failing, concurrency=1)),
    "time limit": lambda: Promise.map([1], lambda item: asyncio.sleep(60)).timeout(0),
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
async def test_what_is_finished_leaves_nothing_for_the_cycle_collector(scene: Callable, loop_mode: str) -> None:
    """No cycle is left of calls, items or failures."""
    await value_or_class(scene())
    await turns()
    with without_collector():
        await value_or_class(scene())
        await turns()
        assert 0 == gc.collect()


# ----------------------------------------------------------------------------------------------------------- progress


@pytest.mark.parametrize("run", [Promise.map, Promise.filter, Promise.each])
@pytest.mark.parametrize(
    ("items", "total"),
    [(lambda: range(3), 3), (generator, None), (async_generator, None)],
    ids=["range", "sync", "async"],
)
async def test_on_progress_is_told_how_many_are_done_and_how_many_there_are(run: Any, items: Any, total: Any) -> None:
    """The total is None if the items have no length."""
    seen: list[tuple] = []
    await run(items(), double_later, concurrency=2, on_progress=lambda *numbers: seen.append(numbers))
    assert [(1, total), (2, total), (3, total)] == seen


async def test_on_progress_of_a_stream_counts_what_has_come() -> None:
    """Whether it was taken or not."""
    seen: list[tuple] = []
    await collected(Promise.map_unordered([1, 2], double, on_progress=lambda *numbers: seen.append(numbers)))
    assert [(1, 2), (2, 2)] == seen


@pytest.mark.parametrize("when", [1, 3])
@pytest.mark.parametrize("ordered", [True, False])
async def test_on_progress_that_raises_rejects_as_the_function_would(when: int, ordered: bool) -> None:
    """With the exception as it is, and the calls that are unfinished stopped."""
    calls = Calls()

    def on_progress(done: int, total: int | None) -> None:
        if done == when:
            raise Stop

    mapped = (Promise.map if ordered else Promise.map_unordered)([0, 1, 2], calls, on_progress=on_progress)
    running = asyncio.ensure_future(value_or_class(mapped if ordered else collected(mapped)))
    await turns()
    calls.end(*calls.running[:when])
    assert Stop is await running
    assert [f"stopped {item}" for item in range(when, 3)] == calls.events


async def test_on_progress_may_cancel_the_promise() -> None:
    """A bar with a stop button."""
    calls = Calls()
    mapped = Promise.map(calls.items(*range(9)), calls, concurrency=2, on_progress=lambda done, total: mapped.cancel())
    await turns()
    calls.end(0)
    assert CancelledError is await value_or_class(mapped)
    assert ["stopped 1", "closed"] == calls.events


class Private:
    """Something that can be called and iterated, and fails when it is asked for what it does not have."""

    def __getattr__(self, name: str) -> object:
        asked.append(name)
        raise LookupError(name)

    def __iter__(self) -> Iterator[int]:
        return iter([1, 2])

    async def __aiter__(self) -> AsyncIterator[int]:
        for item in self:
            yield item

    async def __call__(self, item: object) -> object:
        await asyncio.sleep(0)
        return item


asked: list[str] = []


async def test_neither_the_function_nor_the_items_are_asked_for_a_name() -> None:
    """Nor whose method it is: that would run user code."""
    asked.clear()
    promise = Promise.map(Private(), Private())
    assert "<Promise pending, following Promise.map(Private)>" == repr(promise)
    assert ([1, 2], []) == (await promise, asked)


async def test_the_attributes_of_an_iterator_are_its_own_business() -> None:
    """One that happens to be called as one of a generator's is not read."""

    class Running(Countdown):
        @property
        def gi_running(self) -> bool:
            raise LookupError

        def __iter__(self) -> "Running":
            return self

    def fail(item: int) -> None:
        raise Stop

    assert Stop is await value_or_class(asyncio.wait_for(Promise.map(Running(3), fail, concurrency=1), 5))


# ---------------------------------------------------------------------------------------------------- called wrongly


async def work(*arguments: Any) -> None:
    """Stand for any coroutine function."""


@pytest.mark.parametrize("call", ["map", "filter", "each"])
@pytest.mark.parametrize(
    ("concurrency", "kind", "message"),
    [
        (0, ValueError, "needs concurrency >= 1, got 0"),
        (-1, ValueError, "needs concurrency >= 1, got -1"),
        ("3", TypeError, "needs an integer for concurrency, got '3'"),
        (True, TypeError, "needs an integer for concurrency, got True"),
        (1.5, TypeError, "needs an integer for concurrency, got 1.5"),
    ],
)
async def test_a_limit_is_a_whole_number_of_at_least_one(call: str, concurrency: Any, kind: type, message: str) -> None:
    """Anything else is refused at the call, by name."""
    with pytest.raises(kind) as caught:
        getattr(Promise, call)([1], double, concurrency=concurrency)
    assert f"Promise.{call}() {message}" == str(caught.value)


@pytest.mark.parametrize("call", ["map", "filter", "each", "reduce"])
@pytest.mark.parametrize("items", ["text", b"bytes", bytearray(b"x"), 5, None, object], ids=repr)
async def test_items_are_what_can_be_iterated_and_no_text(call: str, items: Any) -> None:
    """A string is hardly ever meant as its characters."""
    with pytest.raises(TypeError) as caught:
        getattr(Promise, call)(items, double, *([0] if call == "reduce" else []))
    message, _, hint = str(caught.value).partition("\n\n")
    assert f"Promise.{call}() needs an iterable of items, got {items!r}" == message
    assert isinstance(items, str | bytes | bytearray) == hint.startswith("To iterate ")


@pytest.mark.parametrize("call", ["map", "filter", "each", "reduce"])
@pytest.mark.parametrize("make", [work, lambda: asyncio.ensure_future(work()), lambda: Promise.resolve([1])])
async def test_items_that_are_still_to_be_awaited_are_refused(call: str, make: Callable) -> None:
    """Also a Task, which `iter()` takes; a coroutine is closed."""
    items = make()
    with pytest.raises(TypeError) as caught:
        getattr(Promise, call)(items, double, *([0] if call == "reduce" else []))
    assert str(caught.value).startswith(f"Promise.{call}() needs an iterable of items, got <")
    if asyncio.iscoroutine(items):
        assert CORO_CLOSED == inspect.getcoroutinestate(items)
    else:
        await items


@pytest.mark.parametrize("call", ["map", "filter", "each", "reduce"])
async def test_what_is_no_function_is_refused(call: str) -> None:
    """And a coroutine given in its place is closed."""
    arguments, rest = ([0], ", 0") if call == "reduce" else ([], "")
    with pytest.raises(TypeError) as caught:
        getattr(Promise, call)([1], 3, *arguments)
    assert f"Promise.{call}() needs a function, got 3" == str(caught.value)
    with pytest.raises(TypeError) as caught:
        getattr(Promise, call)([1], work(), *arguments)
    assert str(caught.value).endswith(
        f"\n\nYou wrote Promise.{call}([1], work(...){rest}). "
        f"Write Promise.{call}([1], work{rest}): it will be called when it is due."
    )


@pytest.mark.parametrize("call", ["map", "filter", "each"])
async def test_on_progress_is_a_function(call: str) -> None:
    """The argument is named."""
    with pytest.raises(TypeError) as caught:
        getattr(Promise, call)([1], double, on_progress=7)
    assert f"Promise.{call}(on_progress=) needs a function, got 7" == str(caught.value)
    with pytest.raises(TypeError) as caught:
        getattr(Promise, call)([1], double, on_progress=work(1))
    wrote, write = f"Promise.{call}(on_progress=work(...))", f"Promise.{call}(on_progress=work)"
    assert f"You wrote {wrote}. Write {write}: " in str(caught.value)


@pytest.mark.parametrize("call", ["map", "filter", "each"])
async def test_on_progress_must_not_be_async(call: str) -> None:
    """Nobody would await it: it is refused at the call, or the coroutine closed and the promise rejected."""
    coroutines = []

    def told(done: int, total: int | None) -> object:
        coroutines.append(work(done))
        return coroutines[-1]

    for callback in (work, partial(work), Recorded.tell_async):
        with pytest.raises(TypeError, match=r"\(on_progress=\) needs a plain function, got the coroutine function "):
            getattr(Promise, call)([1], double, on_progress=callback)
    with pytest.raises(TypeError, match=r"told at .*, which returned a coroutine"):
        await getattr(Promise, call)([1], double, on_progress=told)
    assert [CORO_CLOSED] == [inspect.getcoroutinestate(one) for one in coroutines]


class Recorded:
    @staticmethod
    async def tell_async(done: int, total: int | None) -> None:
        pass


class Whole:
    """An integer that is not an int, like those of NumPy."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


class Unknown:
    """An object whose __index__ raises."""

    def __index__(self) -> int:
        return 1 // 0


async def test_a_limit_may_be_whatever_can_be_an_index() -> None:
    """And has no other bound."""
    calls = Calls()
    mapped = Promise.map(range(4), calls, concurrency=Whole(2))
    await turns()
    assert [0, 1] == calls.running
    mapped.cancel()
    assert CancelledError is await value_or_class(mapped)
    with pytest.raises(ValueError, match=r"^Promise.map\(\) needs concurrency >= 1, got 0$"):
        Promise.map([1], double, concurrency=Whole(0))


# --------------------------------------------------------------------------------------- coroutines among the items


async def awaited(item: Awaitable) -> object:
    return await item


def states(coroutines: list) -> list[str]:
    return [inspect.getcoroutinestate(one) for one in coroutines]


HELD: dict[str, Callable] = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "set": set,
    "iterator of a list": iter,
    "reversed list": lambda items: reversed([*items]),
    "values of a dict": lambda items: dict(enumerate(items)).values(),
    "iterator of the values of a dict": lambda items: iter(dict(enumerate(items)).values()),
    "reversed values of a dict": lambda items: reversed(dict(enumerate(items)).values()),
    "keys of a dict": lambda items: dict.fromkeys(items).keys(),
    "reversed deque": lambda items: reversed(deque(items)),
}
MANY: dict[str, Callable] = {
    "map": Promise.map,
    "filter": Promise.filter,
    "each": partial(Promise.each, concurrency=None),
    "map, one at a time": partial(Promise.map, concurrency=1),
    "reduce": lambda items, fn: Promise.reduce(items, lambda total, item: fn(item), 0),
}


@pytest.mark.parametrize("hold", HELD.values(), ids=HELD)
@pytest.mark.parametrize("many", MANY.values(), ids=MANY)
@pytest.mark.parametrize("end", ["fails", "is cancelled", "is cancelled at once"])
async def test_coroutines_among_the_items_are_closed_when_they_are_not_reached(many, hold, end, reports) -> None:
    """None is left that was never awaited, whether its call was still to come or it was not taken at all."""
    coroutines = [asyncio.Event().wait() for _ in range(5)]

    def fn(item: Any) -> object:
        if end != "fails":
            return awaited(item)
        item.close()  # what the function is called with is its own to await
        raise Stop

    mapped = many(hold(coroutines), fn)
    if end == "is cancelled":
        await turns()
    if end != "fails":
        mapped.cancel()
    await value_or_class(mapped)
    assert ([CORO_CLOSED] * 5, []) == (states(coroutines), reports)


@pytest.mark.parametrize("hold", HELD.values(), ids=HELD)
async def test_coroutines_among_the_items_are_closed_when_a_stream_is_left(hold: Callable) -> None:
    coroutines = [work(number) for number in range(5)]
    async with aclosing(Promise.map_unordered(hold(coroutines), awaited, concurrency=1)) as results:
        async for _ in results:
            break
    assert [CORO_CLOSED] * 5 == states(coroutines)


@pytest.mark.parametrize("hold", HELD.values(), ids=HELD)
@pytest.mark.parametrize("end", ["closed", "dropped"])
async def test_coroutines_among_the_items_are_closed_when_a_stream_is_never_iterated(hold: Callable, end: str) -> None:
    coroutines = [work(number) for number in range(5)]
    results = Promise.map_unordered(hold(coroutines), awaited)
    if end == "closed":
        await results.aclose()
    del results
    await turns()
    assert [CORO_CLOSED] * 5 == states(coroutines)


async def test_nothing_more_is_taken_of_what_is_lazy() -> None:
    """A generator of coroutines is closed, and makes no more of them."""
    made = []

    def items() -> Iterator[object]:
        for number in range(5):
            made.append(work(number))
            yield made[-1]

    def fn(item: Any) -> None:
        item.close()
        raise Stop

    assert Stop is await value_or_class(Promise.map(items(), fn, concurrency=1))
    assert [CORO_CLOSED] == states(made)


async def test_a_coroutine_that_comes_too_late_is_closed() -> None:
    """Of a generator that has cancelled all this itself, or of an async one that answers a request with one more."""
    made = []

    def items() -> Iterator[object]:
        mapped.cancel()
        made.append(work())
        yield made[-1]

    async def items_async() -> AsyncIterator[object]:
        try:
            await asyncio.Event().wait()
        except CancelledError:
            made.append(work())
            yield made[-1]

    for source in (items, items_async):
        mapped = Promise.map(source(), awaited)
        await turns()
        mapped.cancel()
        assert CancelledError is await value_or_class(mapped)
    assert [CORO_CLOSED] * 2 == states(made)


REFUSED: dict[str, Callable] = {
    "no function": lambda items: Promise.map(items, 5),
    "a limit of 0": lambda items: Promise.each(items, awaited, concurrency=0),
    "no limit": lambda items: Promise.filter(items, awaited, concurrency="two"),
    "no on_progress": lambda items: Promise.map_unordered(items, awaited, on_progress=5),
    "an async on_progress": lambda items: Promise.map(items, awaited, on_progress=work),
    "no executor": lambda items: Promise.map(items, print, executor=5),
    "an async function for an executor": lambda items: Promise.map(items, awaited, executor=5),
    "a limit that fails": lambda items: Promise.map(items, awaited, concurrency=Unknown()),
    "no function to reduce": lambda items: Promise.reduce(items, 5, work()),
}


@pytest.mark.parametrize("hold", HELD.values(), ids=HELD)
@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
async def test_coroutines_among_the_items_of_a_refused_call_are_closed(call: Callable, hold: Callable) -> None:
    coroutines = [work(number) for number in range(3)]
    with pytest.raises((TypeError, ValueError, ZeroDivisionError)):
        call(hold(coroutines))
    assert [CORO_CLOSED] * 3 == states(coroutines)


@pytest.mark.parametrize("many", MANY.values(), ids=MANY)
async def test_coroutines_among_the_items_are_closed_where_no_loop_is_running(many: Callable) -> None:
    coroutines = [work(number) for number in range(3)]
    with pytest.raises(RuntimeError, match="needs a running event loop"):
        await asyncio.to_thread(many, coroutines, awaited)
    assert [CORO_CLOSED] * 3 == states(coroutines)
