"""Nothing is lost between threads: eight of them run loops, sixteen settle what those wait for, and four do jobs.

It runs for some seconds, in CI on each build; AIOPROMISE_HAMMER=3600 python -m pytest tests/test_threads_hammer.py runs
it for an hour. On a free-threaded CPython nothing but the library itself keeps its threads apart.
"""

import asyncio
import itertools
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import Any

import pytest

from aiopromise import Fulfilled, Promise, Rejected

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("AIOPROMISE_HAMMER", "15"))
# New threads after each minute at most, as pytest ends a test that takes longer than five.
ROUNDS = max(1, round(SECONDS / 60))

LOOPS, SETTLERS, WORKERS = 8, 16, 4
PROMISES = 40

# How many promises each kind of work has seen settle.
Tally = Counter[str]


class Later:
    """An awaitable that gives its value a turn later; unlike a coroutine, one that nobody awaits goes unnoticed."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, int]:
        yield from asyncio.sleep(0).__await__()
        return self._value


class Settlers:
    """Threads that call what they are given, in any order, and drop it; whoever is too late is told by an error."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]] | None] = SimpleQueue()
        self._threads = ThreadPoolExecutor(SETTLERS)
        self._work = [self._threads.submit(self._call_all) for _ in range(SETTLERS)]

    def soon(self, fn: Callable[..., object], *args: Any) -> None:
        """Have one of them call *fn*."""
        self._calls.put((fn, args))

    def drop(self, *things: Any) -> None:
        """Have one of them be the last to refer to *things*."""
        self._calls.put((lambda *args: None, things))

    def _call_all(self) -> int:
        done = 0
        while (call := self._calls.get()) is not None:
            fn, args = call
            del call
            try:
                fn(*args)
            except RuntimeError as error:
                if "was called after the loop" not in str(error):
                    raise
            del fn, args
            done += 1
        return done

    def close(self) -> int:
        """Return how many calls were made, once all were; raise what one of them raised."""
        for _ in range(SETTLERS):
            self._calls.put(None)
        done = sum(work.result(timeout=60) for work in self._work)
        self._threads.shutdown()
        return done


class Hammer:
    """What the loops of a round share."""

    def __init__(self, settlers: Settlers, executor: Executor, settled: list[Promise]) -> None:
        self.settlers = settlers
        self.executor = executor
        # A fulfilled, a rejected and a cancelled promise of a loop that has ended.
        self.settled = settled


@contextmanager
def hammer() -> Iterator[Hammer]:
    """Start the threads that settle and those that do jobs, and wait for them in the end."""

    async def settle_each_way() -> list[Promise]:
        settled = [
            Promise.resolve("value"),
            Promise.reject(KeyError("reason")),
            Promise.reject(asyncio.CancelledError()),
        ]
        await asyncio.wait(settled)
        return settled

    settlers = Settlers()
    with ThreadPoolExecutor(WORKERS) as executor:
        try:
            yield Hammer(settlers, executor, asyncio.run(settle_each_way()))
        finally:
            settlers.close()


async def sums(hammer: Hammer, random: random.Random) -> int:
    """Each value arrives once, whoever brings it, and in its place."""
    here, calls = threading.get_ident(), []
    sources = [Promise[int].with_resolvers() for _ in range(PROMISES)]
    tips = [source.promise.then(lambda value: calls.append(threading.get_ident()) or value + 1) for source in sources]
    for number in random.sample(range(PROMISES), PROMISES):
        hammer.settlers.soon(sources[number].resolve, number)
    assert list(range(1, PROMISES + 1)) == await Promise.all(tips)
    assert [here] * PROMISES == calls
    return PROMISES


async def orders(hammer: Hammer, random: random.Random) -> int:
    """What one thread settles is handled in the order of its calls, whatever the others do meanwhile."""
    sources = [Promise[int].with_resolvers() for _ in range(PROMISES)]
    handled: list[int] = []
    tips = [source.promise.then(handled.append) for source in sources]
    order = random.sample(range(PROMISES), PROMISES)
    hammer.settlers.soon(lambda: [sources[number].resolve(number) for number in order])
    await Promise.all(tips)
    assert order == handled
    return PROMISES


async def contests(hammer: Hammer, random: random.Random) -> int:
    """Of several threads that settle one promise, one wins, and everybody who waits sees the same outcome."""
    for _ in range(PROMISES // 4):
        promise, resolve, reject = Promise[int].with_resolvers()
        handled: list[Any] = []
        tip = promise.then(handled.append, handled.append)
        calls: list[Any] = [(resolve, 1), (reject, KeyError(2)), (resolve, Later(3)), (reject, KeyError(4))]
        for fn, argument in random.sample(calls, len(calls)):
            hammer.settlers.soon(fn, argument)
        seen = await asyncio.gather(promise, promise.then(), return_exceptions=True)
        await tip
        assert seen[0] is seen[1] is handled[0]
        assert [str(seen[0])] in (["1"], ["2"], ["3"], ["4"])
        assert 1 == len(handled)
    return PROMISES // 4


async def jobs(hammer: Hammer, random: random.Random) -> int:
    """What an executor does for all loops at once comes back to who asked for it."""
    base = random.randrange(1000)
    powers = [Promise.submit(hammer.executor, pow, base + number, 2).then(float) for number in range(PROMISES // 2)]
    texts = Promise.map(range(PROMISES // 2), str, executor=hammer.executor, concurrency=3)
    assert [float((base + number) ** 2) for number in range(PROMISES // 2)] == await Promise.all(powers)
    assert [str(number) for number in range(PROMISES // 2)] == await texts
    return 2 * (PROMISES // 2)


async def cancellations(hammer: Hammer, random: random.Random) -> int:
    """A promise that is cancelled while others settle it ends once, and so does its cleanup."""
    cleaned: list[int] = []

    async def after(value: int) -> int:
        await asyncio.sleep(0)
        return value

    sources = [Promise[int].with_resolvers() for _ in range(PROMISES)]
    links = [source.promise.then(after) for source in sources]
    tips = [link.finally_(partial(cleaned.append, number)) for number, link in enumerate(links)]
    for number, source in enumerate(sources):
        if random.random() < 0.5:
            hammer.settlers.soon(source.resolve, number)
        else:
            hammer.settlers.soon(source.reject, KeyError(number))
    for number in random.sample(range(PROMISES), PROMISES // 2):
        if random.random() < 0.5:
            await asyncio.sleep(0)
        tips[number].cancel()
    for number, outcome in enumerate(await Promise.all_settled(tips)):
        match outcome:
            case Fulfilled(value):
                assert number == value
            case Rejected(KeyError() as reason):
                assert (number,) == reason.args
            case Rejected(reason):
                assert isinstance(reason, asyncio.CancelledError)
    assert list(range(PROMISES)) == sorted(cleaned)
    # A tip that was cancelled left a rejection to the promise that it came from.
    await Promise.all_settled([*links, *(source.promise for source in sources)])
    return PROMISES


async def drops(hammer: Hammer, random: random.Random) -> int:
    """A promise may die in any thread, pending or not, and tells its loop of a rejection that nobody handled."""
    reported: SimpleQueue[int] = SimpleQueue()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.put(context["exception"].args[0]))
    for number in range(PROMISES):
        hammer.settlers.drop(Promise.with_resolvers(), Promise.resolve(number).then(str))
        hammer.settlers.drop(Promise.reject(KeyError(number)))
    # A free-threaded CPython may leave it to the thread that made an object to destroy it, when that runs again: so an
    # event that is set by the report would never be.
    while reported.qsize() < PROMISES:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    told = [reported.get() for _ in range(PROMISES)]
    assert list(range(PROMISES)) == sorted(told)
    loop.set_exception_handler(None)
    return PROMISES


async def visits(hammer: Hammer, random: random.Random) -> int:
    """Loops in several threads await the same settled promises at once."""
    fulfilled, rejected, cancelled = hammer.settled
    for _ in range(PROMISES):
        assert "value" == await fulfilled
        with pytest.raises(KeyError, match="reason"):
            await rejected
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    return PROMISES


async def ends(hammer: Hammer, random: random.Random) -> int:
    """A loop may end while others settle what it made: they are told, or it was in time."""
    late = [Promise.with_resolvers() for _ in range(PROMISES)]
    for source in late:
        hammer.settlers.soon(source.resolve, 1)
    await asyncio.sleep(0)
    return PROMISES


KINDS: list[Callable[[Hammer, random.Random], Coroutine[Any, Any, int]]]
KINDS = [sums, orders, contests, jobs, cancellations, drops, visits, ends]


def run_loops(hammer: Hammer, seed: int, end: float) -> Tally:
    """Run one loop after another until *end*, each for a few kinds of work."""
    chance, tally = random.Random(seed), Tally()

    async def main() -> None:
        for kind in [*chance.sample(KINDS[:-1], 3), ends]:
            async with asyncio.timeout(60):
                tally[kind.__name__] += await kind(hammer, chance)

    while monotonic() < end:
        asyncio.run(main())
    return tally


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_eight_loops_and_sixteen_threads_lose_nothing(round_number: int) -> None:
    """Sums and orders are right, whichever threads settle, cancel, work and drop at once."""
    end = monotonic() + SECONDS / ROUNDS
    total = Tally()
    with hammer() as shared, ThreadPoolExecutor(LOOPS) as loops:
        seeds = itertools.count(1000 * round_number)
        running = [loops.submit(run_loops, shared, next(seeds), end) for _ in range(LOOPS)]
        for run in running:
            total += run.result(timeout=SECONDS / ROUNDS + 120)
    assert {kind.__name__ for kind in KINDS} == {*total}
