"""What does it cost to wait for 10,000 coroutines together, each of which waits one turn?

python -m benchmarks.all_of_many
"""

import asyncio

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import add_one_later, promise_2


async def promise(size: int) -> list[int]:
    return await Promise.all(add_one_later(number) for number in range(size))


async def futures(size: int) -> list[int]:
    """Count down in the done callbacks of Tasks."""
    end = asyncio.get_running_loop().create_future()
    left = size

    def count(task: asyncio.Task[int]) -> None:
        nonlocal left
        left -= 1
        if not left:
            end.set_result(None)

    tasks = [asyncio.create_task(add_one_later(number)) for number in range(size)]
    for task in tasks:
        task.add_done_callback(count)
    await end
    return [task.result() for task in tasks]


async def eager(size: int) -> list[int]:
    loop = asyncio.get_running_loop()
    tasks = [asyncio.Task(add_one_later(number), loop=loop, eager_start=True) for number in range(size)]
    return [await task for task in tasks]


async def gather(size: int) -> list[int]:
    return await asyncio.gather(*(add_one_later(number) for number in range(size)))


async def task_group(size: int) -> list[int]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(add_one_later(number)) for number in range(size)]
    return [task.result() for task in tasks]


async def promisio(size: int) -> list[int]:
    from promisio import Promise, promisify

    return await Promise.all([promisify(add_one_later)(number) for number in range(size)])


async def old_promise(size: int) -> list[int]:
    return await promise_2().all([asyncio.ensure_future(add_one_later(number)) for number in range(size)])


async def deferred(size: int) -> list[int]:
    from twisted.internet.defer import Deferred, gatherResults

    tasks = [asyncio.ensure_future(add_one_later(number)) for number in range(size)]
    return await gatherResults([Deferred.fromFuture(task) for task in tasks]).asFuture(asyncio.get_running_loop())


async def aiostream(size: int) -> list[int]:
    from aiostream import stream

    return await stream.list(stream.map(stream.iterate(range(size)), add_one_later))


QUESTION = Question(
    name="all_of_many",
    text="`all` of 10,000 coroutines that wait one turn",
    size=10_000,
    each="input",
    expected=lambda size: list(range(1, size + 1)),
    ways=[
        Way("promise", promise),
        Cannot("await", "one after another, not together"),
        Way("futures", futures),
        Cannot("callbacks", "one after another, not together"),
        Way("eager Tasks", eager, python=(3, 12)),
        Way("gather", gather),
        Way("TaskGroup", task_group),
        Way("promisio", promisio, package="promisio"),
        Way("promise 2.3", old_promise, package="promise"),
        Way("Twisted", deferred, package="twisted"),
        Way("aiostream", aiostream, package="aiostream"),
        InNode("all_of_many"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
