"""What does it cost to cancel a chain of 10,000 pending links by its end, down to the work that it waits for?

    python -m benchmarks.cancel_links

The chain waits for a coroutine that never ends by itself; the clock runs from `cancel()` until all have ended. What
asyncio has are 10,000 Tasks that know nothing of each other, cancelled together.
"""

import asyncio
from contextlib import suppress
from typing import Any

from aiopromise import Promise
from benchmarks.measure import Cannot, Question, Way
from benchmarks.steps import add_one


class Work:
    """Something that never ends by itself; it counts its cancellations."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.ended = asyncio.Event()

    async def wait(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.cancelled += 1
            self.ended.set()


async def promise_links(links: int) -> tuple[Work, list[Any]]:
    work = Work()
    chain = [Promise(work.wait())]
    for _ in range(links):
        chain.append(chain[-1].then(add_one))
    await asyncio.sleep(0)
    return work, chain[1:]


async def promise(made: tuple[Work, list[Any]]) -> int:
    work, chain = made
    chain[-1].cancel()
    await asyncio.wait(chain[-1:])
    return work.cancelled * sum(link.cancelled() for link in chain)


async def started(size: int) -> tuple[Work, list[Any]]:
    work = Work()
    tasks = [asyncio.create_task(work.wait()) for _ in range(size)]
    await asyncio.sleep(0)
    return work, tasks


async def gather(made: tuple[Work, list[Any]]) -> int:
    work, tasks = made
    together = asyncio.gather(*tasks)
    together.cancel()
    with suppress(asyncio.CancelledError):
        await together
    return work.cancelled


async def started_eagerly(size: int) -> tuple[Work, list[Any]]:
    work = Work()
    loop = asyncio.get_running_loop()
    return work, [asyncio.Task(work.wait(), loop=loop, eager_start=True) for _ in range(size)]


async def each_task(made: tuple[Work, list[Any]]) -> int:
    work, tasks = made
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return work.cancelled


async def started_group(size: int) -> tuple[Work, asyncio.Task[None]]:
    work = Work()

    async def group() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(size):
                group.create_task(work.wait())

    task = asyncio.create_task(group())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return work, task


async def task_group(made: tuple[Work, asyncio.Task[None]]) -> int:
    work, task = made
    task.cancel()
    await asyncio.wait([task])
    return work.cancelled


async def deferred_links(links: int) -> tuple[Work, Any, int]:
    from twisted.internet.defer import Deferred

    work = Work()
    chain = Deferred.fromFuture(asyncio.ensure_future(work.wait()))
    for _ in range(links):
        chain.addCallback(add_one)
    await asyncio.sleep(0)
    return work, chain, links


async def deferred(made: tuple[Work, Any, int]) -> int:
    work, chain, links = made
    end = asyncio.get_running_loop().create_future()
    chain.addBoth(end.set_result)
    chain.cancel()
    await end
    await work.ended.wait()
    return work.cancelled * links


QUESTION = Question(
    name="cancel_links",
    text="cancel of 10,000 links by the last",
    size=10_000,
    each="link",
    ways=[
        Way("promise", promise, prepare=promise_links),
        Cannot("await", "one link exists at a time"),
        Cannot("futures", "cancelling the last leaves the work running"),
        Cannot("callbacks", "nobody holds what runs"),
        Way("eager Tasks", each_task, prepare=started_eagerly, python=(3, 12)),
        Way("gather", gather, prepare=started),
        Way("TaskGroup", task_group, prepare=started_group),
        Cannot("promisio", "cancelling the last leaves the work running"),
        Cannot("promise 2.3", "has no cancellation"),
        Way("Twisted", deferred, prepare=deferred_links, package="twisted"),
        Cannot("aiostream", "10,000 nested maps are too deep a recursion"),
        Cannot("Node", "has no cancellation"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
