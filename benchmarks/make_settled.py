"""What does it cost to make a fulfilled promise?

python -m benchmarks.make_settled
"""

import asyncio

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import add_one_async, promise_2


async def promise(times: int) -> int:
    for number in range(times):
        made = Promise.resolve(number)
    return await made + 1


async def futures(times: int) -> int:
    loop = asyncio.get_running_loop()
    for number in range(times):
        made = loop.create_future()
        made.set_result(number)
    return await made + 1


async def eager(times: int) -> int:
    loop = asyncio.get_running_loop()
    for number in range(times):
        made = asyncio.Task(add_one_async(number), loop=loop, eager_start=True)
    return await made


async def promisio(times: int) -> int:
    from promisio import Promise

    for number in range(times):
        made = Promise.resolve(number)
    return await made + 1


async def old_promise(times: int) -> int:
    promise = promise_2()
    for number in range(times):
        made = promise.resolve(number)
    return await made + 1


async def deferred(times: int) -> int:
    from twisted.internet.defer import succeed

    for number in range(times):
        made = succeed(number)
    return await made + 1


QUESTION = Question(
    name="make_settled",
    text="`resolve()` of a value",
    size=10_000,
    each="promise",
    ways=[
        Way("promise", promise),
        Cannot("await", "makes nothing to hold"),
        Way("futures", futures),
        Cannot("callbacks", "make nothing to hold"),
        Way("eager Tasks", eager, python=(3, 12)),
        Cannot("gather", "joins, does not make"),
        Cannot("TaskGroup", "a Task of it ends a turn later"),
        Way("promisio", promisio, package="promisio"),
        Way("promise 2.3", old_promise, package="promise"),
        Way("Twisted", deferred, package="twisted"),
        Cannot("aiostream", "a stream holds no value"),
        InNode("make_settled"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
