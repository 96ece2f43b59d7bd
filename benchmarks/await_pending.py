"""What does it cost to make a promise, to await it while it is pending, and to settle it in the next turn?

python -m benchmarks.await_pending
"""

import asyncio

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import add_one_later, promise_2


async def promise(times: int) -> int:
    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(times):
        pending, resolve, _ = Promise.with_resolvers()
        loop.call_soon(resolve, 1)
        total += await pending
    return total


async def plain_await(times: int) -> int:
    total = 0
    for _ in range(times):
        total += await add_one_later(0)
    return total


async def futures(times: int) -> int:
    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(times):
        pending = loop.create_future()
        loop.call_soon(pending.set_result, 1)
        total += await pending
    return total


async def events(times: int) -> int:
    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(times):
        end = asyncio.Event()
        loop.call_soon(end.set)
        total += await end.wait()
    return total


async def eager(times: int) -> int:
    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(times):
        total += await asyncio.Task(add_one_later(0), loop=loop, eager_start=True)
    return total


async def gather(times: int) -> int:
    total = 0
    for _ in range(times):
        total += sum(await asyncio.gather(add_one_later(0)))
    return total


async def task_group(times: int) -> int:
    total = 0
    for _ in range(times):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(add_one_later(0))
        total += task.result()
    return total


async def promisio(times: int) -> int:
    from promisio import Promise

    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(times):
        pending = Promise()
        loop.call_soon(pending._resolve, 1)
        total += await pending
    return total


async def old_promise(times: int) -> int:
    promise = promise_2()
    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(times):
        pending = promise()
        loop.call_soon(pending.do_resolve, 1)
        total += await pending
    return total


async def deferred(times: int) -> int:
    from twisted.internet.defer import Deferred

    loop = asyncio.get_running_loop()
    total = 0
    for _ in range(times):
        pending = Deferred()
        loop.call_soon(pending.callback, 1)
        total += await pending.asFuture(loop)
    return total


QUESTION = Question(
    name="await_pending",
    text="making and awaiting a pending promise",
    size=3_000,
    each="await",
    ways=[
        Way("promise", promise),
        Way("await", plain_await),
        Way("futures", futures),
        Way("callbacks", events),
        Way("eager Tasks", eager, python=(3, 12)),
        Way("gather", gather),
        Way("TaskGroup", task_group),
        Way("promisio", promisio, package="promisio"),
        Way("promise 2.3", old_promise, package="promise"),
        Way("Twisted", deferred, package="twisted"),
        Cannot("aiostream", "a stream starts its own work, nobody settles it"),
        InNode("await_pending"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
