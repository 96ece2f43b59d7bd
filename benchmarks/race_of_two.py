"""What does it cost to take the first of two coroutines, and to cancel the other?

    python -m benchmarks.race_of_two

One waits a turn of the loop, the other for ever. It has ended when the race is over.
"""

import asyncio
from contextlib import suppress

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import add_one_later


async def hang() -> int:
    await asyncio.get_running_loop().create_future()
    return 0


async def promise(times: int) -> int:
    return sum([await Promise.race(add_one_later(0), hang()) for _ in range(times)])


async def tasks(times: int) -> int:
    total = 0
    for _ in range(times):
        both = [asyncio.create_task(add_one_later(0)), asyncio.create_task(hang())]
        done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.wait(pending)
        total += sum(task.result() for task in done)
    return total


class RaceOverError(Exception):
    pass


async def task_group(times: int) -> int:
    total = 0

    async def first() -> None:
        nonlocal total
        total += await add_one_later(0)
        raise RaceOverError

    for _ in range(times):
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(first())
                group.create_task(hang())
    return total


async def promisio(times: int) -> int:
    from promisio import Promise, promisify

    total = 0
    for _ in range(times):
        loser = promisify(hang)()
        total += await Promise.race([promisify(add_one_later)(0), loser])
        loser.cancel()
    return total


async def aiostream(times: int) -> int:
    from aiostream import stream

    total = 0
    for _ in range(times):
        both = stream.merge(stream.call(add_one_later, 0), stream.call(hang))
        total += await stream.take(both, 1)
    return total


QUESTION = Question(
    name="race_of_two",
    text="`race` of two coroutines",
    size=1_000,
    each="race",
    ways=[
        Way("promise", promise),
        Cannot("await", "one after another, not together"),
        Way("futures", tasks),
        Cannot("callbacks", "one after another, not together"),
        Cannot("eager Tasks", "as the futures, whose `asyncio.wait` they need"),
        Cannot("gather", "waits for all"),
        Way("TaskGroup", task_group),
        Way("promisio", promisio, package="promisio"),
        Cannot("promise 2.3", "has no race"),
        Cannot("Twisted", "leaves it to the caller to stop the other"),
        Way("aiostream", aiostream, package="aiostream"),
        InNode("race_of_two"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
