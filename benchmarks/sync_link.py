"""What does a link with a sync handler cost, in a long chain?

    python -m benchmarks.sync_link

A chain of 10,000 links is made on something pending, then that is settled with 0, and the end is awaited.
"""

import asyncio
from functools import partial

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Question, Way
from benchmarks.steps import add_one, add_one_async, eager_tasks, next_future, promise_2, task_chain, tutorial_chain


async def promise(links: int) -> int:
    last, resolve, _ = Promise.with_resolvers()
    for _ in range(links):
        last = last.then(add_one)
    resolve(0)
    return await last


async def plain_await(links: int) -> int:
    number = 0
    for _ in range(links):
        number = await add_one_async(number)
    return number


async def futures(links: int) -> int:
    first = last = asyncio.get_running_loop().create_future()
    for _ in range(links):
        last = next_future(last)
    first.set_result(0)
    return await last


async def promisio(links: int) -> int:
    from promisio import Promise

    first = last = Promise()
    for _ in range(links):
        last = last.then(add_one)
    first._resolve(0)
    return await last


async def old_promise(links: int) -> int:
    first = last = promise_2()()
    for _ in range(links):
        last = last.then(add_one)
    first.do_resolve(0)
    return await last


async def deferred(links: int) -> int:
    from twisted.internet.defer import Deferred

    chain = Deferred()
    for _ in range(links):
        chain.addCallback(add_one)
    chain.callback(0)
    return await chain


QUESTION = Question(
    name="sync_link",
    text="a sync link in a long chain",
    size=10_000,
    each="link",
    ways=[
        Way("promise", promise),
        Way("await", plain_await),
        Way("futures", futures),
        Way("callbacks", partial(tutorial_chain, add_one_async)),
        Way("eager Tasks", partial(eager_tasks, add_one_async), python=(3, 12)),
        Cannot("gather", "joins, does not chain"),
        Way("TaskGroup", partial(task_chain, add_one)),
        Way("promisio", promisio, package="promisio"),
        Way("promise 2.3", old_promise, package="promise"),
        Way("Twisted", deferred, package="twisted"),
        Cannot("aiostream", "10,000 nested maps are too deep a recursion"),
        InNode("sync_link"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
