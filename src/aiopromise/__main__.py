"""`python -m aiopromise`: the three ways of chaining coroutines, each a small program that prints what it does."""

import asyncio
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from aiopromise import Promise, chain

T = TypeVar("T")

# Flush each line, also into a pipe.
say: Final = partial(print, flush=True)

# The work is a pause, which shows the order as well as a long one.
_PAUSE: Final = 0.02


async def func1() -> int:
    say(">func1()")
    return 1


async def func2() -> int:
    say(">func2()")
    return await func1() + 2


async def func3() -> int:
    say(">func3()")
    return await func2() + 100


def manual() -> Promise[int]:
    """Await one coroutine in another; wrap the last in a promise, to chain from it."""
    return Promise(func3()).tap(lambda number: say(f"Main: {number}"))


def task(name: str, result: T) -> Callable[..., Awaitable[T]]:
    """Return a coroutine function that prints its call and returns *result* after a pause."""

    async def work(*data: object) -> T:
        say(f">{name}()", *(f"got {one}" for one in data))
        return await asyncio.sleep(_PAUSE, result)

    return work


task1: Final = task("task1", 1)
task2: Final = task("task2", 2)
task2_sub1: Final = task("task2_sub1", 2.1)
task2_sub2: Final = task("task2_sub2", 2.2)
task3: Final = task("task3", 3)


def independent() -> Promise[None]:
    """Start each step when the one before has finished; a group of steps is a step."""
    return chain(task1(), chain(task2_sub1(), task2_sub2()), task3()).then(say)


def dependent() -> Promise[int]:
    """Pass each result to the next step; awaiting the promise gives the last one."""
    return Promise(task1()).then(task2).then(task3).tap(lambda _: say("Main: chain is done"))


async def tour() -> None:
    """Run the three programs, each under a heading."""
    cancel_on_ctrl_c()
    say("1. Manual: a coroutine awaits another")
    await manual()
    say("\n2. Independent: one step after another, with chain()")
    await independent()
    say("\n3. Dependent: each step gets the result of the one before, with then()")
    await dependent()


def cancel_on_ctrl_c() -> None:
    """Make every Ctrl-C cancel the running Task; asyncio's second Ctrl-C would interrupt the cleanup."""
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    assert running is not None

    def ask(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(running.cancel)

    signal.signal(signal.SIGINT, ask)


def main() -> int:
    """Run the tour, and return the exit status."""
    ArgumentParser(prog="python -m aiopromise", description="Show the three ways of chaining coroutines.").parse_args()
    try:
        asyncio.run(tour())
    except (KeyboardInterrupt, asyncio.CancelledError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # there is nothing left to interrupt
        say("Stopped by Ctrl-C: the chain is cancelled.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Python flushes its output once more when it exits, and would then complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


if __name__ == "__main__":
    sys.exit(main())
