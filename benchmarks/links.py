"""What does a link cost, against the ways that do without promises?

    python benchmarks/links.py

Each way passes a number through a chain of 20,000 steps that add one, and is checked by what comes out. All are tried
in turn, seven times in one run, and the fastest try of each is printed: nanoseconds per link, and the ratio to plain
futures or to the tutorial's callbacks. Then the bytes that one pending link holds, and the milliseconds of the import.
"""

import asyncio
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from typing import Any

from aiopromise import Promise

LINKS = 20_000
TRIES = 7


def add_one(number: int) -> int:
    return number + 1


async def add_one_async(number: int) -> int:
    return number + 1


async def add_one_later(number: int) -> int:
    await asyncio.sleep(0)
    return number + 1


def promise_links(step: Callable[[int], Any]) -> Callable[[], Awaitable[int]]:
    async def run() -> int:
        first, resolve, _ = Promise.with_resolvers()
        last = linked_promises(first, step)
        resolve(0)
        return await last

    return run


def linked_promises(last: Promise, step: Callable[[int], Any]) -> Promise:
    for _ in range(LINKS):
        last = last.then(step)
    return last


async def future_links() -> int:
    first = asyncio.get_running_loop().create_future()
    last = linked_futures(first)
    first.set_result(0)
    return await last


def linked_futures(last: asyncio.Future) -> asyncio.Future:
    for _ in range(LINKS):
        last = next_future(last)
    return last


def next_future(future: asyncio.Future) -> asyncio.Future:
    following = future.get_loop().create_future()

    def settle(done: asyncio.Future) -> None:
        try:
            following.set_result(add_one(done.result()))
        except BaseException as error:
            following.set_exception(error)

    future.add_done_callback(settle)
    return following


def callback_links(step: Callable[[int], Coroutine[Any, Any, int]]) -> Callable[[], Awaitable[int]]:
    """Schedule the next Task from the done callback of the one before it, as the tutorial does."""

    async def run() -> int:
        end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def go_on(task: asyncio.Task) -> None:
            if task.result() == LINKS:
                end.set_result(task.result())
            else:
                asyncio.create_task(step(task.result())).add_done_callback(go_on)

        asyncio.create_task(step(0)).add_done_callback(go_on)
        return await end

    return run


async def plain_awaits() -> int:
    number = 0
    for _ in range(LINKS):
        number = await add_one_async(number)
    return number


WAYS: dict[str, tuple[Callable[[], Awaitable[int]], str]] = {
    "futures, sync handler": (future_links, "futures, sync handler"),
    "promise, sync handler": (promise_links(add_one), "futures, sync handler"),
    "tutorial's callbacks, async step": (callback_links(add_one_async), "tutorial's callbacks, async step"),
    "promise, async handler": (promise_links(add_one_async), "tutorial's callbacks, async step"),
    "tutorial's callbacks, a turn each": (callback_links(add_one_later), "tutorial's callbacks, a turn each"),
    "promise, a turn each": (promise_links(add_one_later), "tutorial's callbacks, a turn each"),
    "plain await": (plain_awaits, "futures, sync handler"),
}


async def seconds_of(way: Callable[[], Awaitable[int]]) -> float:
    start = perf_counter()
    assert LINKS == await way()
    return perf_counter() - start


async def bytes_per_link(link: Callable[[], Any]) -> float:
    tracemalloc.start()
    last = link()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    last.cancel()
    return size / LINKS


async def weigh() -> None:
    future = asyncio.get_running_loop().create_future()
    promise = Promise.with_resolvers().promise
    print(f"{await bytes_per_link(lambda: linked_promises(promise, add_one)):8.0f} bytes  pending promise link")
    print(f"{await bytes_per_link(lambda: linked_futures(future)):8.0f} bytes  pending future link")


def time_import() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import asyncio, aiopromise"]
    tries = [subprocess.run(command, capture_output=True, text=True, check=True).stderr for _ in range(TRIES)]
    times = [re.search(r"(\d+) \| aiopromise$", text, re.MULTILINE) for text in tries]
    print(f"{min(int(found[1]) for found in times if found) / 1000:8.1f} ms     import, after asyncio")


def main() -> None:
    best: dict[str, float] = {}
    for _ in range(TRIES):
        for name, (way, _) in WAYS.items():
            best[name] = min(asyncio.run(seconds_of(way)), best.get(name, 1e9))
    for name, (_, anchor) in WAYS.items():
        print(f"{best[name] / LINKS * 1e9:8.0f} ns  {best[name] / best[anchor]:5.2f}  {name}")
    asyncio.run(weigh())
    time_import()


if __name__ == "__main__":
    main()
