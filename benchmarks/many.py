"""What do many promises cost, against gather, task groups, a semaphore and aiostream?

    python benchmarks/many.py

`all` waits for 10,000 inputs, that have settled or that sleep for a turn of the loop; `map` calls an async function
with 10,000 items, 100 at a time. Each way is checked by what comes out. All are tried in turn, seven times in one run,
and the fastest try of each is printed: microseconds per input, and the ratio to the first of its kind. Then, from a
pass of its own, the bytes per input at the peak. Where aiostream is not installed its row says so.
"""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from time import perf_counter

from aiopromise import Promise

try:
    import aiostream
except ImportError:
    aiostream = None

COUNT = 10_000
LIMIT = 100
TRIES = 7

Way = Callable[[], Awaitable[list[int]]]


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


def settled_futures() -> list[asyncio.Future[int]]:
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(COUNT)]
    for number, future in enumerate(futures):
        future.set_result(number * 2)
    return futures


async def gather_settled() -> list[int]:
    return await asyncio.gather(*settled_futures())


async def all_settled_futures() -> list[int]:
    return await Promise.all(settled_futures())


async def all_settled_promises() -> list[int]:
    return await Promise.all(Promise.resolve(number * 2) for number in range(COUNT))


async def gather_sleeping() -> list[int]:
    return await asyncio.gather(*(double(number) for number in range(COUNT)))


async def group_sleeping() -> list[int]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(double(number)) for number in range(COUNT)]
    return [task.result() for task in tasks]


async def all_sleeping() -> list[int]:
    return await Promise.all(double(number) for number in range(COUNT))


async def semaphore_by_hand() -> list[int]:
    semaphore = asyncio.Semaphore(LIMIT)

    async def limited(number: int) -> int:
        async with semaphore:
            return await double(number)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(limited(number)) for number in range(COUNT)]
    return [task.result() for task in tasks]


async def map_limited() -> list[int]:
    return await Promise.map(range(COUNT), double, concurrency=LIMIT)


async def map_stream() -> list[int]:
    return sorted([result async for result in Promise.map_unordered(range(COUNT), double, concurrency=LIMIT)])


async def map_aiostream() -> list[int]:
    return await aiostream.stream.list(
        aiostream.stream.map(aiostream.stream.iterate(range(COUNT)), double, task_limit=LIMIT)
    )


WAYS: dict[str, dict[str, Way | None]] = {
    "settled": {
        "asyncio.gather of futures": gather_settled,
        "Promise.all of futures": all_settled_futures,
        "Promise.all of promises": all_settled_promises,
    },
    "sleeping": {
        "asyncio.gather": gather_sleeping,
        "TaskGroup": group_sleeping,
        "Promise.all": all_sleeping,
    },
    f"limit of {LIMIT}": {
        "semaphore by hand": semaphore_by_hand,
        "Promise.map": map_limited,
        "Promise.map_unordered": map_stream,
        "aiostream.map": None if aiostream is None else map_aiostream,
    },
}


async def seconds_of(way: Way) -> float:
    start = perf_counter()
    found = await way()
    seconds = perf_counter() - start
    assert [number * 2 for number in range(COUNT)] == found
    return seconds


def peak_of(way: Way) -> int:
    async def run() -> int:
        tracemalloc.start()
        await way()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    return asyncio.run(run())


def main() -> None:
    ways = [way for kind in WAYS.values() for way in kind.values() if way is not None]
    best = dict.fromkeys(ways, 1e9)
    for _ in range(TRIES):
        for way in ways:
            best[way] = min(best[way], asyncio.run(seconds_of(way)))
    for kind, named in WAYS.items():
        anchor = best[next(iter(named.values()))]
        for name, way in named.items():
            if way is None:
                print(f"{'not installed':>31}  {kind}: {name}")
            else:
                costs = (
                    f"{best[way] / COUNT * 1e6:7.2f} us  {best[way] / anchor:5.2f}  {peak_of(way) / COUNT:6.0f} bytes"
                )
                print(f"{costs:>31}  {kind}: {name}")


if __name__ == "__main__":
    main()
