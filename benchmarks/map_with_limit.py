"""What does it cost to call a coroutine function on 10,000 items, 100 at a time?

    python -m benchmarks.map_with_limit

Each call waits one turn. The rows of asyncio are those that people write: `gather` with a semaphore, and a TaskGroup
of 100 workers that share an iterator, which is the least that the work can cost.
"""

import asyncio

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import add_one_later

LIMIT = 100


async def promise(size: int) -> list[int]:
    return await Promise.map(range(size), add_one_later, concurrency=LIMIT)


async def gather(size: int) -> list[int]:
    semaphore = asyncio.Semaphore(LIMIT)

    async def limited(number: int) -> int:
        async with semaphore:
            return await add_one_later(number)

    return await asyncio.gather(*(limited(number) for number in range(size)))


async def task_group(size: int) -> list[int]:
    results = [0] * size
    items = iter(range(size))

    async def work() -> None:
        for number in items:
            results[number] = await add_one_later(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(LIMIT):
            group.create_task(work())
    return results


async def deferred(size: int) -> list[int]:
    from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults

    semaphore = DeferredSemaphore(LIMIT)

    def call(number: int) -> Deferred:
        return Deferred.fromFuture(asyncio.ensure_future(add_one_later(number)))

    results = [semaphore.run(call, number) for number in range(size)]
    return await gatherResults(results).asFuture(asyncio.get_running_loop())


async def aiostream(size: int) -> list[int]:
    from aiostream import stream

    return await stream.list(stream.map(stream.iterate(range(size)), add_one_later, task_limit=LIMIT))


QUESTION = Question(
    name="map_with_limit",
    text="`map` of 10,000 items, 100 at a time",
    size=10_000,
    each="item",
    expected=lambda size: list(range(1, size + 1)),
    ways=[
        Way("promise", promise),
        Cannot("await", "one after another, not together"),
        Cannot("futures", "have no limit"),
        Cannot("callbacks", "one after another, not together"),
        Cannot("eager Tasks", "have no limit"),
        Way("gather", gather),
        Way("TaskGroup", task_group),
        Cannot("promisio", "has no limit"),
        Cannot("promise 2.3", "has no limit"),
        Way("Twisted", deferred, package="twisted"),
        Way("aiostream", aiostream, package="aiostream"),
        InNode("map_with_limit"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
