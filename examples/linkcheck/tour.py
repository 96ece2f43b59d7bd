"""The tour: the three ways of chaining coroutines, each a small program that prints what it does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from aiopromise import Promise, chain, promisify
from screen import say

__all__ = ["tour"]

T = TypeVar("T")

# The work is a pause, which shows the order as well as a long one.
_PAUSE: Final = 0.02


async def func1() -> int:
    say(">func1()")
    return 1


async def func2() -> int:
    say(">func2()")
    return await func1() + 2


@promisify
async def func3() -> int:
    say(">func3()")
    return await func2() + 100


def manual() -> Promise[int]:
    """Await one coroutine in another; the last is promisified, so there is a promise to chain from."""
    result: Promise[int] = func3()
    return result.tap(lambda number: say(f"Main: {number}"))


def task(name: str, result: T) -> Callable[..., Awaitable[T]]:
    """Return a coroutine function that tells when it is called, and with what, and gives *result* after a pause."""

    async def work(*data: object) -> T:
        say(f">{name}()", *(f"got {one}" for one in data))
        return await asyncio.sleep(_PAUSE, result)

    return work


task1 = task("task1", 1)
task2 = task("task2", 2)
task2_sub1 = task("task2_sub1", 2.1)
task2_sub2 = task("task2_sub2", 2.2)
task3 = task("task3", 3)


def independent() -> Promise[None]:
    """Start the next only when the one before has ended; a group of steps is a step."""
    return chain(task1(), chain(task2_sub1(), task2_sub2()), task3()).then(say)


def dependent() -> Promise[int]:
    """Hand each result to the next; whoever awaits the promise learns of the end, and of the last result."""
    return Promise(task1()).then(task2).then(task3).tap(lambda _: say("Main: chain is done"))


async def tour() -> None:
    """Run the three programs, each under its headline."""
    say("1. Manual: a coroutine awaits another")
    await manual()
    say("\n2. Independent: one step after another, with chain()")
    await independent()
    say("\n3. Dependent: each step gets the result of the one before, with then()")
    await dependent()
