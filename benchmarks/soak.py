"""Does anything grow, however long it runs?

    python benchmarks/soak.py                  # ten million links and a million cancellations
    python benchmarks/soak.py --minutes 1
    python benchmarks/soak.py --links 200_000

Rounds of mixed load run on one loop: chains of sync and async handlers, branches, failures, time limits, shields,
combinators, executors, other threads, and cancellations of all of these. After the first tenth of the run, and at its
end, it counts what is there. It prints both counts and a verdict, and exits with 1 when something grew.
"""

import argparse
import asyncio
import concurrent.futures
import gc
import os
import sys
import threading
from asyncio import CancelledError
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from aiopromise import Promise, chain

LINKS = 10_000_000

# How much more there may be at the end. A loop keeps up to 100 cancelled timers, and the library up to 1,000 weak
# references to dead promises. A leak of one object per hundred links exceeds that in a short run.
ALLOWED = {
    "bytes resident": 8 << 20,
    "objects": 1_500,
    "blocks": 5_000,
    "tasks": 0,
    "timers": 0,
    "files": 0,
    "threads": 0,
}


class Load:
    """What the scenes share, and a count of what they have done."""

    def __init__(self, threads: concurrent.futures.Executor) -> None:
        self.threads = threads
        self.done: Counter[str] = Counter()
        # It stays pending all the time: others follow it and detach, and are never its last consumer.
        self.forever = Promise.with_resolvers().promise
        self.forever.add_done_callback(forget)

    def cancel(self, promise: Promise[Any]) -> None:
        promise.cancel()
        self.done["cancellations"] += 1

    def links(self, count: int) -> None:
        self.done["links"] += count


Scene = Callable[[Load], Awaitable[object]]


def same(value: Any) -> Any:
    return value


async def at_once(value: Any) -> Any:
    return value


async def later(value: Any = None) -> Any:
    await asyncio.sleep(0)
    return value


def fails(value: Any = None) -> Any:
    raise ValueError(value)


async def fails_later() -> None:
    await asyncio.sleep(0)
    raise ValueError


def forget(*arguments: Any) -> None:
    """Accept anything, and keep nothing."""


# --------------------------------------------------------------------------- the load


async def lines(load: Load) -> None:
    """Chained links: sync, async, and async ones that wait."""
    for handler, count in ((same, 2_000), (at_once, 200), (later, 100)):
        first, resolve, _ = Promise.with_resolvers()
        last = first
        for _ in range(count):
            last = last.then(handler)
        resolve(1)
        await last
        load.links(count)


async def trees(load: Load) -> None:
    """Branches of branches, some of which are cancelled."""
    root, resolve, _ = Promise.with_resolvers()
    leaves = [root]
    for _ in range(9):
        leaves = [leaf.then(same) for leaf in leaves for _ in range(2)]
    for leaf in leaves[::4]:
        load.cancel(leaf)
    resolve(1)
    await Promise.all_settled(*leaves)
    load.links(2**10 + len(leaves))


async def failures(load: Load) -> None:
    """Rejections that pass through, that are inspected, that are replaced and that are handled."""
    for _ in range(50):
        promise = Promise.try_(fails, 1).then(same).finally_(later).tap_catch(forget)
        await promise.catch(KeyError, same).catch(fails).catch(ValueError, forget).spread(same).then(None, forget)
        load.links(8)


async def limits(load: Load) -> None:
    """Timeouts that are met, that expire and that are cancelled."""
    for _ in range(25):
        await Promise(later(1)).timeout(3600).then(same)
        await load.forever.timeout(0, fallback=2)
        waiting = Promise(asyncio.sleep(3600)).timeout(3600).finally_(later)
        load.cancel(waiting)
        await waiting.catch(CancelledError, forget)
        load.links(6)


async def requests(load: Load) -> None:
    """Cancellations of running work, of promises without an upstream, and of those that follow a promise which
    continues."""
    for number in range(100):
        work = Promise(asyncio.sleep(3600)).then(same).finally_(later if number % 2 else forget)
        idle = Promise.with_resolvers().promise.then(same).then(same)
        for promise in (work, idle, load.forever.then(same), load.forever.shield(), load.forever.finally_(forget)):
            load.cancel(promise)
        await asyncio.wait([work])
        load.links(7)


async def awaiters(load: Load) -> None:
    """Tasks that await one promise; all but the last are cancelled."""
    promise = Promise(asyncio.sleep(0.001, 1))
    tasks = [asyncio.create_task(later(promise)) for _ in range(2)]
    tasks += [asyncio.create_task(awaited(promise)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[2:-1]:
        task.cancel()
        load.done["cancellations"] += 1
    await asyncio.wait(tasks)
    load.links(len(tasks))


async def awaited(promise: Promise[Any]) -> Any:
    return await promise


async def followers(load: Load) -> None:
    """Promises that follow promises."""
    first, resolve, _ = Promise.with_resolvers()
    last = first
    for _ in range(200):
        following, follow, _ = Promise.with_resolvers()
        follow(last)
        last = following
    again = first.then(lambda value: Promise(later(value)).then(at_once))
    load.cancel(last.then(same))
    resolve(1)
    await again
    load.links(203)


async def combined(load: Load) -> None:
    """Combinators, with losers that are cancelled and losers that are kept running."""
    for _ in range(10):
        await Promise.all(later(1), Promise.resolve(2).then(same), load.forever.timeout(0, fallback=3))
        await Promise.race(later(1), asyncio.sleep(3600), load.forever)
        await Promise.any(fails_later(), later(1), load.forever)
        await Promise.all(later(1), fails_later(), asyncio.sleep(3600), load.forever).catch(forget)
        waiting = Promise.all(asyncio.sleep(3600), load.forever)
        load.cancel(waiting)
        await Promise.all_settled(waiting, later(1))
        await Promise.map(range(20), later, concurrency=5)
        async for _ in Promise.as_completed(later(1), Promise.resolve(2)):
            pass
        await Promise(chain(later(1), chain(later(2), later(3)))).then(same)
        load.links(60)


async def elsewhere(load: Load) -> None:
    """Jobs of other threads, and resolvers called in them."""
    for _ in range(5):
        promise, resolve, _ = Promise.with_resolvers()
        load.threads.submit(resolve, 1)
        await promise.then(same)
        given_up = Promise.submit(load.threads, same, 1).then(same)
        load.cancel(given_up)
        await Promise.all_settled(given_up, Promise.submit(load.threads, same, 1).then(same))
        load.links(3)


SCENES: Sequence[Scene] = (lines, trees, failures, limits, *[requests] * 3, awaiters, followers, combined, elsewhere)


# ------------------------------------------------------------------------ the counting


async def count() -> dict[str, int]:
    """Return how much of each kind there is now."""
    # Wait until nothing is outstanding: neither callbacks of the loop, nor Tasks that have just been cancelled.
    for _ in range(10):
        await asyncio.sleep(0)
    loop: Any = asyncio.get_running_loop()
    timers = sum(not timer.cancelled() for timer in getattr(loop, "_scheduled", ()))
    for _ in range(3):
        gc.collect()
    return {
        "bytes resident": resident(),
        "objects": len(gc.get_objects()),
        "blocks": sys.getallocatedblocks(),
        "tasks": len(asyncio.all_tasks()),
        "timers": timers,
        "files": open_files(),
        "threads": threading.active_count(),
    }


def resident() -> int:
    """Return the resident memory of this process, or 0 if the system does not provide it."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def open_files() -> int:
    """Return the number of open files of this process, or 0 if the system does not provide it."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


class Result(NamedTuple):
    """What was done, and what was there before and after."""

    done: dict[str, int]
    before: dict[str, int]
    after: dict[str, int]
    seconds: float

    @property
    def grown(self) -> list[str]:
        """Name whatever exceeds its limit."""
        return [name for name, most in ALLOWED.items() if self.after[name] - self.before[name] > most]

    def __str__(self) -> str:
        lines = [f"{count:>14,} {name}" for name, count in self.done.items()]
        lines += [f"{self.seconds:>14,.0f} seconds", f"{'':16}{'before':>14}{'after':>14}{'growth':>12}{'allowed':>12}"]
        for name, most in ALLOWED.items():
            before, after = self.before[name], self.after[name]
            lines.append(f"{name:16}{before:>14,}{after:>14,}{after - before:>12,}{most:>12,}")
        lines.append(f"GREW: {', '.join(self.grown)}" if self.grown else "flat")
        return "\n".join(lines)


async def soak(links: int, seconds: float, scenes: Sequence[Scene] = SCENES) -> Result:
    """Run rounds of *scenes* until that many links have been made, or that many seconds have passed."""
    start = perf_counter()
    before = None
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        await start_all(threads)
        load = Load(threads)
        while (part := max(load.done["links"] / links, (perf_counter() - start) / seconds)) < 1:
            if before is None and part >= 0.1:
                before = await count()
            for scene in scenes:
                await scene(load)
        after = await count()
        load.forever.cancel()
    return Result(dict(load.done), before or after, after, perf_counter() - start)


async def start_all(threads: concurrent.futures.ThreadPoolExecutor) -> None:
    """Make sure that both threads exist from the start."""
    both = threading.Barrier(2)
    await Promise.all(Promise.submit(threads, both.wait), Promise.submit(threads, both.wait))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", type=int, default=None, help="end after so many links")
    parser.add_argument("--minutes", type=float, default=None, help="end after so many minutes")
    given = parser.parse_args()
    links = given.links or (LINKS if given.minutes is None else sys.maxsize)
    result = asyncio.run(soak(links, float("inf") if given.minutes is None else given.minutes * 60))
    print(result)
    return 1 if result.grown else 0


if __name__ == "__main__":
    sys.exit(main())
