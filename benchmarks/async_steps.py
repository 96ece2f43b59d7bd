"""The ways to link handlers that are coroutine functions, for async_link.py and async_link_waiting.py."""

import asyncio
from functools import partial

from aiopromise import Promise
from benchmarks.measure import Cannot, InNode, Way
from benchmarks.steps import Step, add_one_later, eager_tasks, promise_2, task_chain, tutorial_chain


async def promise(step: Step, links: int) -> int:
    last, resolve, _ = Promise.with_resolvers()
    for _ in range(links):
        last = last.then(step)
    resolve(0)
    return await last


async def plain_await(step: Step, links: int) -> int:
    number = 0
    for _ in range(links):
        number = await step(number)
    return number


async def futures(step: Step, links: int) -> int:
    first = last = asyncio.get_running_loop().create_future()
    for _ in range(links):
        last = _next_future(last, step)
    first.set_result(0)
    return await last


async def promisio(step: Step, links: int) -> int:
    from promisio import Promise, promisify

    first = last = Promise()
    for _ in range(links):
        last = last.then(promisify(step))
    first._resolve(0)
    return await last


async def old_promise(step: Step, links: int) -> int:
    promise = promise_2()
    first = last = promise()
    for _ in range(links):
        last = last.then(lambda number: promise.resolve(asyncio.ensure_future(step(number))))
    first.do_resolve(0)
    return await last


async def deferred(step: Step, links: int) -> int:
    from twisted.internet.defer import Deferred, ensureDeferred

    def call(number: int) -> Deferred:
        # Only a Task can wait for asyncio's awaitables.
        if step is add_one_later:
            return Deferred.fromFuture(asyncio.ensure_future(step(number)))
        return ensureDeferred(step(number))

    chain = Deferred()
    for _ in range(links):
        chain.addCallback(call)
    chain.callback(0)
    return await chain.asFuture(asyncio.get_running_loop())


def _next_future(before: asyncio.Future[int], step: Step) -> asyncio.Future[int]:
    """Link two futures by hand, with the Task of *step* between them."""
    following = before.get_loop().create_future()

    def start(done: asyncio.Future[int]) -> None:
        asyncio.ensure_future(step(done.result())).add_done_callback(settle)

    def settle(task: asyncio.Task[int]) -> None:
        try:
            following.set_result(task.result())
        except BaseException as error:
            following.set_exception(error)

    before.add_done_callback(start)
    return following


def ways(step: Step, in_node: str) -> list[Way | Cannot | InNode]:
    """Return the ways to make a long chain of *step*, a coroutine function."""
    return [
        Way("promise", partial(promise, step)),
        Way("await", partial(plain_await, step)),
        Way("futures", partial(futures, step)),
        Way("callbacks", partial(tutorial_chain, step)),
        Way("eager Tasks", partial(eager_tasks, step), python=(3, 12)),
        Cannot("gather", "joins, does not chain"),
        Way("TaskGroup", partial(task_chain, step)),
        Way("promisio", partial(promisio, step), package="promisio"),
        Way("promise 2.3", partial(old_promise, step), package="promise"),
        Way("Twisted", partial(deferred, step), package="twisted"),
        Cannot("aiostream", "10,000 nested maps are too deep a recursion"),
        InNode(in_node),
    ]
