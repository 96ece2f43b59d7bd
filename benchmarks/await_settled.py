"""What does it cost to await a promise that has settled?

python -m benchmarks.await_settled
"""

import asyncio
from collections.abc import Awaitable

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import add_one_async, promise_2

Made = tuple[Awaitable[int], int]


async def awaited(made: Made) -> int:
    settled, times = made
    total = 0
    for _ in range(times):
        total += await settled
    return total


async def promise(times: int) -> Made:
    return Promise.resolve(1), times


async def future(times: int) -> Made:
    done = asyncio.get_running_loop().create_future()
    done.set_result(1)
    return done, times


async def eager(times: int) -> Made:
    return asyncio.Task(add_one_async(0), loop=asyncio.get_running_loop(), eager_start=True), times


async def task_group(times: int) -> Made:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(add_one_async(0))
    return task, times


async def promisio(times: int) -> Made:
    from promisio import Promise

    return Promise.resolve(1), times


async def old_promise(times: int) -> Made:
    return promise_2().resolve(1), times


async def plain_await(times: int) -> int:
    total = 0
    for _ in range(times):
        total += await add_one_async(0)
    return total


QUESTION = Question(
    name="await_settled",
    text="`await` of a settled promise",
    size=20_000,
    each="await",
    ways=[
        Way("promise", awaited, prepare=promise),
        Way("await", plain_await),
        Way("futures", awaited, prepare=future),
        Cannot("callbacks", "hold nothing that could be awaited"),
        Way("eager Tasks", awaited, prepare=eager, python=(3, 12)),
        Cannot("gather", "gives a Future"),
        Way("TaskGroup", awaited, prepare=task_group),
        Way("promisio", awaited, prepare=promisio, package="promisio"),
        Way("promise 2.3", awaited, prepare=old_promise, package="promise"),
        Cannot("Twisted", "a Deferred gives its result away once"),
        Cannot("aiostream", "a stream starts anew with each await"),
        InNode("await_settled"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
