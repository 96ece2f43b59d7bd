"""What does a timeout cost around something that is ready?

python -m benchmarks.timeout_of_ready
"""

import asyncio

from aiopromise import Promise
from benchmarks.measure import Cannot, Question, Way
from benchmarks.steps import add_one_async


async def promise(times: int) -> int:
    return sum([await Promise.resolve(1).timeout(60) for _ in range(times)])


async def plain_await(times: int) -> int:
    total = 0
    for _ in range(times):
        async with asyncio.timeout(60):
            total += await add_one_async(0)
    return total


async def futures(times: int) -> int:
    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(times):
        done = loop.create_future()
        done.set_result(1)
        total += await asyncio.wait_for(done, 60)
    return total


async def aiostream(times: int) -> int:
    from aiostream import stream

    return sum([await stream.timeout(stream.just(1), 60) for _ in range(times)])


QUESTION = Question(
    name="timeout_of_ready",
    text="`timeout()` of what is ready, with its making",
    size=3_000,
    each="limit",
    ways=[
        Way("promise", promise),
        Way("await", plain_await),
        Way("futures", futures),
        Cannot("callbacks", "a timer by hand, and nothing that it could stop"),
        Cannot("eager Tasks", "as the futures"),
        Cannot("gather", "has no limit"),
        Cannot("TaskGroup", "has no limit"),
        Cannot("promisio", "has no limit"),
        Cannot("promise 2.3", "has no limit"),
        Cannot("Twisted", "needs a reactor"),
        Way("aiostream", aiostream, package="aiostream"),
        Cannot("Node", "has no limit"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
