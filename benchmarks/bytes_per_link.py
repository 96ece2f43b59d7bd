"""How many bytes does a pending link hold?

    python -m benchmarks.bytes_per_link

Traced by tracemalloc; in Node, the growth of the heap. The handler is one function for all links.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import add_one, next_future, promise_2

Finish = Callable[[], Awaitable[int]]


async def promise(links: int) -> Finish:
    last, resolve, _ = Promise.with_resolvers()
    for _ in range(links):
        last = last.then(add_one)

    async def finish() -> int:
        resolve(0)
        return await last

    return finish


async def futures(links: int) -> Finish:
    first = last = asyncio.get_running_loop().create_future()
    for _ in range(links):
        last = next_future(last)

    async def finish() -> int:
        first.set_result(0)
        return await last

    return finish


async def link(before: asyncio.Future[int]) -> int:
    return add_one(await before)


async def eager(links: int) -> Finish:
    loop = asyncio.get_running_loop()
    return await linked_tasks(links, lambda steps: asyncio.Task(steps, loop=loop, eager_start=True))


async def tasks(links: int) -> Finish:
    """Hold the Tasks that a TaskGroup makes, without the group."""
    return await linked_tasks(links, asyncio.create_task)


async def linked_tasks(links: int, start: Callable[..., asyncio.Task[int]]) -> Finish:
    first = last = asyncio.get_running_loop().create_future()
    for _ in range(links):
        last = start(link(last))
    await asyncio.sleep(0)

    async def finish() -> int:
        first.set_result(0)
        return await last

    return finish


async def promisio(links: int) -> Finish:
    from promisio import Promise

    first = last = Promise()
    for _ in range(links):
        last = last.then(add_one)

    async def finish() -> int:
        first._resolve(0)
        return await last

    return finish


async def old_promise(links: int) -> Finish:
    first = last = promise_2()()
    for _ in range(links):
        last = last.then(add_one)

    async def finish() -> int:
        first.do_resolve(0)
        return await last

    return finish


async def deferred(links: int) -> Finish:
    from twisted.internet.defer import Deferred

    chain = Deferred()
    for _ in range(links):
        chain.addCallback(add_one)

    async def finish() -> int:
        chain.callback(0)
        return await chain

    return finish


QUESTION = Question(
    name="bytes_per_link",
    text="bytes of a pending link",
    size=10_000,
    each="link",
    unit="byte",
    ways=[
        Way("promise", promise),
        Cannot("await", "one link exists at a time"),
        Way("futures", futures),
        Cannot("callbacks", "one link exists at a time"),
        Way("eager Tasks", eager, python=(3, 12)),
        Cannot("gather", "joins, does not chain"),
        Way("TaskGroup", tasks),
        Way("promisio", promisio, package="promisio"),
        Way("promise 2.3", old_promise, package="promise"),
        Way("Twisted", deferred, package="twisted"),
        Cannot("aiostream", "10,000 nested maps are too deep a recursion"),
        InNode("bytes_per_link"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
