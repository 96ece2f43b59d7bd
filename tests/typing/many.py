"""What type many promises, and many items, give."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import assert_type

from aiopromise import Fulfilled, Promise, Rejected, Settled, all_fulfilled, is_fulfilled, is_rejected
from handlers import Row, describe, double, half, row, text, work


async def pages() -> AsyncIterator[str]:
    yield "one"


async def all_keeps_each_type(number: Promise[int], name: Promise[str], task: asyncio.Task[Row]) -> None:
    assert_type(Promise.all(), Promise[tuple[()]])
    assert_type(Promise.all(number), Promise[tuple[int]])
    assert_type(Promise.all(number, name, task), Promise[tuple[int, str, Row]])
    assert_type(Promise.all(work(), row(), losers="keep"), Promise[tuple[int, Row]])
    assert_type(Promise.all([number, number]), Promise[list[int]])
    assert_type(Promise.all(work() for _ in range(3)), Promise[list[int]])
    assert_type(Promise.all({name: 1}), Promise[list[str]])
    assert_type(Promise.all(number, number, number, number, number, number, number), Promise[tuple[int, ...]])
    assert_type(Promise.all(number, hex(7)), Promise[tuple[int, str]])
    assert_type(Promise.all(b"plain".upper(), name), Promise[tuple[bytes, str]])
    assert_type(await Promise.all(number, name), tuple[int, str])
    assert_type(Promise.all(number, name).spread(lambda count, word: word * count), Promise[str])


async def all_settled_gives_outcomes(number: Promise[int], name: Promise[str]) -> None:
    assert_type(Promise.all_settled(), Promise[tuple[()]])
    assert_type(Promise.all_settled(number, name), Promise[tuple[Settled[int], Settled[str]]])
    assert_type(Promise.all_settled([number], losers="cancel"), Promise[list[Settled[int]]])
    outcomes = await Promise.all_settled([number])
    assert_type(all_fulfilled(outcomes), list[int])
    assert_type([outcome.value for outcome in outcomes if is_fulfilled(outcome)], list[int])
    assert_type([outcome.reason for outcome in outcomes if is_rejected(outcome)], list[BaseException])
    assert_type(Promise.all_settled([number]).then(all_fulfilled), Promise[list[int]])


def an_outcome_is_matched_on(outcome: Settled[int]) -> int:
    if outcome.status == "rejected":
        assert_type(outcome, Rejected)
    match outcome:
        case Fulfilled(value):
            assert_type(value, int)
            return value
        case Rejected(reason):
            assert_type(reason, BaseException)
            return 0


async def the_first_is_one_of_them(number: Promise[int], name: Promise[str]) -> None:
    assert_type(Promise.any(number, name), Promise[int | str])
    assert_type(Promise.any(number, name, row()), Promise[int | str | Row])
    assert_type(Promise.any([number]), Promise[int])
    assert_type(Promise.race(number, asyncio.sleep(1)), Promise[int | None])
    assert_type(Promise.race((work(), number), losers="cancel"), Promise[int])
    assert_type(Promise.some(1, number, name), Promise[list[int | str]])
    assert_type(Promise.some(2, [work(), work()]), Promise[list[int]])


async def keys_keep_one_type(number: Promise[int]) -> None:
    assert_type(Promise.all_keyed({"one": number, "two": work()}), Promise[dict[str, int]])
    assert_type(Promise.all_keyed({1: row()}, losers="keep"), Promise[dict[int, Row]])
    assert_type(Promise.all_settled_keyed({"one": number, "two": work()}), Promise[dict[str, Settled[int]]])


async def as_completed_gives_settled_promises(number: Promise[int], name: Promise[str]) -> None:
    async for index, promise in Promise.as_completed(number, name):
        assert_type(index, int)
        assert_type(promise, Promise[int | str])
    async for _, each in Promise.as_completed(work() for _ in range(3)):
        assert_type(await each, int)


async def map_takes_any_function() -> None:
    assert_type(Promise.map([1, 2], double), Promise[list[int]])
    assert_type(Promise.map(range(3), text, concurrency=2), Promise[list[str]])
    assert_type(Promise.map(["a"], lambda name: len(name)), Promise[list[int]])
    assert_type(Promise.map(range(3), lambda number: describe(number)), Promise[list[str]])
    assert_type(Promise.map(pages(), len, on_progress=print), Promise[list[int]])
    async for page in Promise.map_unordered(pages(), lambda page: page.encode()):
        assert_type(page, bytes)
    async for number in Promise.map_unordered([1, 2], double, concurrency=2):
        assert_type(number, int)


async def executors_take_plain_functions(
    threads: ThreadPoolExecutor, processes: ProcessPoolExecutor, executor: Executor
) -> None:
    assert_type(Promise.map([1, 2], half, executor=threads), Promise[list[float]])
    assert_type(Promise.map(pages(), len, executor=processes, concurrency=2), Promise[list[int]])
    async for word in Promise.map_unordered([1, 2], text, executor=executor):
        assert_type(word, str)
    assert_type(Promise.submit(threads, text, 1), Promise[str])
    assert_type(Promise.submit(processes, int, "2a", base=16), Promise[int])


async def filter_reduce_and_each() -> None:
    async def add(total: float, number: int) -> float:
        return total + number

    assert_type(Promise.filter([1, 2], lambda number: number > 1), Promise[list[int]])
    assert_type(Promise.filter(pages(), str.isalpha, concurrency=2), Promise[list[str]])
    assert_type(Promise.reduce([1, 2], add, 0.5), Promise[float])
    assert_type(Promise.reduce([1, 2], lambda total, number: total + number, 0), Promise[int])
    assert_type(Promise.each(pages(), print), Promise[None])
    assert_type(Promise.each([1, 2], describe, concurrency=None, on_progress=lambda done, total: None), Promise[None])
