"""The work that every alternative does: a step adds one, immediately, in a coroutine, or a loop iteration later."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

Step = Callable[[int], Any]


def add_one(number: int) -> int:
    return number + 1


async def add_one_async(number: int) -> int:
    return number + 1


async def add_one_later(number: int) -> int:
    await asyncio.sleep(0)
    return number + 1


def next_future(future: asyncio.Future[int], step: Step = add_one) -> asyncio.Future[int]:
    """Link two futures by hand: the second is settled with the result of *step* for the first."""
    following = future.get_loop().create_future()
    future.add_done_callback(partial(_settle, following, step))
    return following


def _settle(following: asyncio.Future[int], step: Step, done: asyncio.Future[int]) -> None:
    try:
        following.set_result(step(done.result()))
    except BaseException as error:
        following.set_exception(error)


async def tutorial_chain(step: Callable[[int], Coroutine[Any, Any, int]], links: int) -> int:
    """Schedule the next Task from the done callback of the one before it, and signal the end with an Event."""
    end = asyncio.Event()
    result = 0

    def go_on(task: asyncio.Task[int]) -> None:
        nonlocal result
        result = task.result()
        if result == links:
            end.set()
        else:
            asyncio.create_task(step(result)).add_done_callback(go_on)

    asyncio.create_task(step(0)).add_done_callback(go_on)
    await end.wait()
    return result


async def eager_tasks(step: Callable[[int], Coroutine[Any, Any, int]], links: int) -> int:
    """Start each step as an eager Task, and read its result immediately if it has one: Python 3.12 and later."""
    loop = asyncio.get_running_loop()
    number = 0
    for _ in range(links):
        task = asyncio.Task(step(number), loop=loop, eager_start=True)
        number = task.result() if task.done() else await task
    return number


async def task_chain(step: Step, links: int) -> int:
    """Start a Task for each link, which awaits the one before it."""
    first = asyncio.get_running_loop().create_future()
    last: asyncio.Future[int] = first
    async with asyncio.TaskGroup() as group:
        for _ in range(links):
            last = group.create_task(_link(last, step))
        first.set_result(0)
    return last.result()


async def _link(before: asyncio.Future[int], step: Step) -> int:
    result = step(await before)
    return result if isinstance(result, int) else await result


def promise_2() -> Any:
    """Return the Promise class of promise 2.3, set up for the running loop."""
    from promise import Promise, set_default_scheduler
    from promise.schedulers.asyncio import AsyncioScheduler

    set_default_scheduler(AsyncioScheduler(asyncio.get_running_loop()))
    return Promise
