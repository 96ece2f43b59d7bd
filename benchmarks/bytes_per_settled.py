"""How many bytes does a settled promise hold, besides its value?

python -m benchmarks.bytes_per_settled
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import add_one_async, promise_2


def hold(settled: list[Awaitable[int]]) -> Callable[[], Awaitable[int]]:
    async def finish() -> int:
        return sum([await one for one in settled])

    return finish


async def promise(size: int) -> Any:
    return hold([Promise.resolve(1) for _ in range(size)])


async def futures(size: int) -> Any:
    loop = asyncio.get_running_loop()
    done = [loop.create_future() for _ in range(size)]
    for future in done:
        future.set_result(1)
    return hold(done)


async def eager(size: int) -> Any:
    loop = asyncio.get_running_loop()
    return hold([asyncio.Task(add_one_async(0), loop=loop, eager_start=True) for _ in range(size)])


async def tasks(size: int) -> Any:
    done = [asyncio.create_task(add_one_async(0)) for _ in range(size)]
    await asyncio.wait(done)
    return hold(done)


async def promisio(size: int) -> Any:
    from promisio import Promise

    return hold([Promise.resolve(1) for _ in range(size)])


async def old_promise(size: int) -> Any:
    promise = promise_2()
    return hold([promise.resolve(1) for _ in range(size)])


async def deferred(size: int) -> Any:
    from twisted.internet.defer import succeed

    return hold([succeed(1) for _ in range(size)])


QUESTION = Question(
    name="bytes_per_settled",
    text="bytes of a settled promise",
    size=10_000,
    each="promise",
    unit="byte",
    ways=[
        Way("promise", promise),
        Cannot("await", "holds nothing"),
        Way("futures", futures),
        Cannot("callbacks", "hold nothing"),
        Way("eager Tasks", eager, python=(3, 12)),
        Cannot("gather", "gives a Future"),
        Way("TaskGroup", tasks),
        Way("promisio", promisio, package="promisio"),
        Way("promise 2.3", old_promise, package="promise"),
        Way("Twisted", deferred, package="twisted"),
        Cannot("aiostream", "holds nothing"),
        InNode("bytes_per_settled"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
