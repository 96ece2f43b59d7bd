"""What does a short chain cost: make a promise, four links, and await the end?

python -m benchmarks.short_chain
"""

import asyncio

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import (
    add_one,
    add_one_async,
    eager_tasks,
    next_future,
    promise_2,
    task_chain,
    tutorial_chain,
)


async def promise(chains: int) -> int:
    total = 0
    for _ in range(chains):
        total += await Promise.resolve(0).then(add_one).then(add_one).then(add_one).then(add_one)
    return total // 4


async def plain_await(chains: int) -> int:
    total = 0
    for _ in range(chains):
        number = 0
        for _ in range(4):
            number = await add_one_async(number)
        total += number
    return total // 4


async def futures(chains: int) -> int:
    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(chains):
        first = loop.create_future()
        first.set_result(0)
        total += await next_future(next_future(next_future(next_future(first))))
    return total // 4


async def callbacks(chains: int) -> int:
    return sum([await tutorial_chain(add_one_async, 4) for _ in range(chains)]) // 4


async def eager(chains: int) -> int:
    return sum([await eager_tasks(add_one_async, 4) for _ in range(chains)]) // 4


async def task_group(chains: int) -> int:
    return sum([await task_chain(add_one, 4) for _ in range(chains)]) // 4


async def promisio(chains: int) -> int:
    from promisio import Promise

    total = 0
    for _ in range(chains):
        total += await Promise.resolve(0).then(add_one).then(add_one).then(add_one).then(add_one)
    return total // 4


async def old_promise(chains: int) -> int:
    promise = promise_2()
    total = 0
    for _ in range(chains):
        total += await promise.resolve(0).then(add_one).then(add_one).then(add_one).then(add_one)
    return total // 4


async def deferred(chains: int) -> int:
    from twisted.internet.defer import succeed

    total = 0
    for _ in range(chains):
        chain = succeed(0).addCallback(add_one).addCallback(add_one).addCallback(add_one).addCallback(add_one)
        total += await chain
    return total // 4


async def aiostream(chains: int) -> int:
    from aiostream import stream

    total = 0
    for _ in range(chains):
        steps = stream.just(0)
        for _ in range(4):
            steps = stream.map(steps, add_one)
        total += await steps
    return total // 4


QUESTION = Question(
    name="short_chain",
    text="a chain of 4 links, made and awaited",
    size=1_000,
    each="chain",
    ways=[
        Way("promise", promise),
        Way("await", plain_await),
        Way("futures", futures),
        Way("callbacks", callbacks),
        Way("eager Tasks", eager, python=(3, 12)),
        Cannot("gather", "joins, does not chain"),
        Way("TaskGroup", task_group),
        Way("promisio", promisio, package="promisio"),
        Way("promise 2.3", old_promise, package="promise"),
        Way("Twisted", deferred, package="twisted"),
        Way("aiostream", aiostream, package="aiostream"),
        InNode("short_chain"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
