"""10,000 chains that are always busy, with promises and with plain Tasks; and how late other work is alongside them.

A chain takes its steps, begins anew, and so on, until the load is told to stop. The loop is never idle then, so all
is timed by the processor's clock: what other programs take of the wall's time is nobody's lateness here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import process_time

from aiopromise import Promise
from benchmarks.steps import Step, add_one, add_one_async, add_one_later

CHAINS = 10_000

# What the chains of each load do in a round.
LOADS: dict[str, tuple[Step, ...]] = {
    "4 sync steps": (add_one, add_one, add_one, add_one),
    "4 steps that wait a turn": (add_one_later, add_one_later, add_one_later, add_one_later),
    "a step that waits, 4 sync steps": (add_one_later, add_one, add_one, add_one, add_one),
}


@dataclass
class Load:
    """All chains of one kind; counts their rounds."""

    steps: tuple[Step, ...]
    rounds: int = 0
    stopped: bool = False
    running: int = 0
    end: asyncio.Event = field(default_factory=asyncio.Event)

    def promises(self) -> None:
        for _ in range(CHAINS):
            self.running += 1
            self._begin(0)

    def _begin(self, number: int) -> None:
        self.rounds += 1
        if self.stopped:
            self._ended()
            return
        chain = Promise.resolve(0)
        for step in self.steps:
            chain = chain.then(step)
        chain.then(self._begin)

    def tasks(self) -> None:
        steps = tuple(add_one_async if step is add_one else step for step in self.steps)
        self._tasks = [asyncio.create_task(self._work(steps)) for _ in range(CHAINS)]

    async def _work(self, steps: tuple[Step, ...]) -> None:
        self.running += 1
        # Without a pause in each round the first Task would block the loop forever.
        pause = add_one_later not in steps
        while not self.stopped:
            number = 0
            for step in steps:
                number = await step(number)
            self.rounds += 1
            if pause:
                await asyncio.sleep(0)
        self._ended()

    def _ended(self) -> None:
        self.running -= 1
        if not self.running:
            self.end.set()

    async def stop(self) -> None:
        self.stopped = True
        await self.end.wait()


@dataclass(frozen=True)
class Lateness:
    """How late a timer of 1 ms fired, how long an echo took: sorted seconds; and the rounds of all chains a second."""

    timer: list[float]
    echo: list[float]
    rounds: float


async def measure(begin: Callable[[Load], None] | None, steps: tuple[Step, ...], seconds: float) -> Lateness:
    """Start a load, or none, and watch a timer and an echo alongside it."""
    load = Load(steps)
    if begin is not None:
        begin(load)
        await asyncio.sleep(0.3)
    start, rounds = process_time(), load.rounds
    timer, echo = await asyncio.gather(_timer(seconds), _echo(seconds))
    speed = (load.rounds - rounds) / (process_time() - start)
    if begin is not None:
        await load.stop()
    return Lateness(sorted(timer), sorted(echo), speed)


async def _timer(seconds: float) -> list[float]:
    loop = asyncio.get_running_loop()
    end, late = loop.create_future(), []
    stop = process_time() + seconds

    def fire(due: float) -> None:
        now = process_time()
        late.append(max(0.0, now - due))
        if now < stop:
            loop.call_later(0.001, fire, process_time() + 0.001)
        else:
            end.set_result(None)

    loop.call_later(0.001, fire, process_time() + 0.001)
    await end
    return late


async def _echo(seconds: float) -> list[float]:
    trips = []
    async with _echo_server() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stop = process_time() + seconds
        while (start := process_time()) < stop:
            writer.write(b"?")
            await reader.readexactly(1)
            trips.append(process_time() - start)
            await asyncio.sleep(0.001)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return trips


@asynccontextmanager
async def _echo_server() -> AsyncIterator[int]:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1):
        writer.write(data)
    writer.close()


def p99(values: list[float]) -> float:
    return values[int(len(values) * 0.99)]
