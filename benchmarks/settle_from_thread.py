"""What does it cost to await a promise that another thread settles?

    python -m benchmarks.settle_from_thread

The thread is started before; it is told of each one by a queue.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Any

from aiopromise import Promise
from benchmarks.measure import Cannot, Question, Way

Settle = Callable[[], Any]


@contextmanager
def other_thread() -> Iterator[Callable[[Settle], None]]:
    """Provide a function that makes another thread call its argument."""
    calls: SimpleQueue[Settle | None] = SimpleQueue()

    def work() -> None:
        while (call := calls.get()) is not None:
            call()

    thread = Thread(target=work)
    thread.start()
    try:
        yield calls.put
    finally:
        calls.put(None)
        thread.join()


async def promise(times: int) -> int:
    total = 0
    with other_thread() as hand_over:
        for _ in range(times):
            pending, resolve, _ = Promise.with_resolvers()
            hand_over(lambda resolve=resolve: resolve(1))
            total += await pending
    return total


async def futures(times: int) -> int:
    loop = asyncio.get_running_loop()
    total = 0
    with other_thread() as hand_over:
        for _ in range(times):
            pending = loop.create_future()
            hand_over(lambda pending=pending: loop.call_soon_threadsafe(pending.set_result, 1))
            total += await pending
    return total


async def events(times: int) -> int:
    loop = asyncio.get_running_loop()
    total = 0
    with other_thread() as hand_over:
        for _ in range(times):
            end = asyncio.Event()
            hand_over(lambda end=end: loop.call_soon_threadsafe(end.set))
            total += await end.wait()
    return total


async def promisio(times: int) -> int:
    from promisio import Promise

    loop = asyncio.get_running_loop()
    total = 0
    with other_thread() as hand_over:
        for _ in range(times):
            pending = Promise()
            hand_over(lambda pending=pending: loop.call_soon_threadsafe(pending._resolve, 1))
            total += await pending
    return total


QUESTION = Question(
    name="settle_from_thread",
    text="`await` of what a thread settles, with its making",
    size=1_000,
    each="await",
    ways=[
        Way("promise", promise),
        Cannot("await", "makes nothing that a thread could settle"),
        Way("futures", futures),
        Way("callbacks", events),
        Cannot("eager Tasks", "end by themselves"),
        Cannot("gather", "joins, does not make"),
        Cannot("TaskGroup", "has Tasks, which end by themselves"),
        Way("promisio", promisio, package="promisio"),
        Cannot("promise 2.3", "has locks of its own, and no way into a loop"),
        Cannot("Twisted", "needs a reactor"),
        Cannot("aiostream", "a stream starts its own work"),
        Cannot("Node", "its threads send messages"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
