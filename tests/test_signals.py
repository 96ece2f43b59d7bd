"""Ctrl-C at any moment: each cleanup ends, nothing is reported, and `asyncio.run()` raises KeyboardInterrupt.

It runs for some seconds, in CI on each build; AIOPROMISE_SIGNALS=3600 python -m pytest tests/test_signals.py runs it
for an hour.
"""

import asyncio
import os
import random
import signal
from collections.abc import Coroutine, Iterator
from time import monotonic

import pytest

from aiopromise import Promise

SECONDS = float(os.environ.get("AIOPROMISE_SIGNALS", "15"))
# A test of its own for each minute at most, as pytest ends one that takes longer than five.
ROUNDS = max(1, round(SECONDS / 60))

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no setitimer() here")


class Work:
    """An async function that counts how often it has begun, and how often its cleanup has ended."""

    def __init__(self) -> None:
        self.begun = self.ended = 0

    async def __call__(self, _: object = None) -> int:
        self.begun += 1
        try:
            for _ in range(3):
                await asyncio.sleep(0)
        finally:
            try:
                await asyncio.sleep(0)
            finally:
                self.ended += 1
        return self.begun


async def do_all(work: Work) -> None:
    """Use promises in each way once."""
    await Promise(work()).then(work).then(str).finally_(work)
    await Promise.all(work(), work(), Promise.race([work(), work()]))
    await Promise(work()).timeout(5)
    await Promise.map(range(6), work, concurrency=2)
    async for _ in Promise.map_unordered(range(3), work, concurrency=2):
        pass


class Keyboard:
    """Presses Ctrl-C after some time, but for the end of a program."""

    def __init__(self) -> None:
        self.pressed = 0
        self.is_over = False

    def __call__(self, _signal: int, _frame: object) -> None:
        # In the main thread, between any two instructions of what runs there.
        if not self.is_over:
            self.pressed += 1
            signal.raise_signal(signal.SIGINT)

    async def interrupt(self, work: Coroutine, delay: float) -> None:
        self.is_over = False
        signal.setitimer(signal.ITIMER_REAL, delay)
        await work
        # A request that is too late for the work is for the Task's last wait.
        self.is_over = True
        await asyncio.sleep(0)
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture
def keyboard() -> Iterator[Keyboard]:
    keyboard = Keyboard()
    before = signal.signal(signal.SIGALRM, keyboard)
    yield keyboard
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_ctrl_c_may_come_at_any_moment(seed: int, keyboard: Keyboard, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the library is doing just then."""
    random_ = random.Random(seed)
    start = monotonic()
    asyncio.run(do_all(Work()))
    usual = monotonic() - start
    interrupted = 0
    while monotonic() < start + SECONDS / ROUNDS:
        work = Work()
        try:
            asyncio.run(keyboard.interrupt(do_all(work), random_.uniform(1e-6, usual)))
        except KeyboardInterrupt:
            interrupted += 1
        assert (work.begun, keyboard.pressed) == (work.ended, interrupted)
    assert interrupted
    assert "" == caplog.text
