"""Qt by way of qasync: promises on the event loop of an application that has no screen."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from aiopromise import Promise
from beside.endless import Endless
from helpers import value_or_class

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
core = pytest.importorskip("PySide6.QtCore", reason="PySide6-Essentials is not installed: see .ci/beside")
qasync = pytest.importorskip("qasync", reason="qasync is not installed: see .ci/beside")


@pytest.fixture
def loop() -> Iterator[Any]:
    """Return the loop of an application."""
    application = core.QCoreApplication.instance() or core.QCoreApplication([])
    loop = qasync.QEventLoop(application)
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_a_chain_runs_on_the_loop_of_qt(loop: Any) -> None:
    """With timers, time limits, many at a time, and a cleanup."""
    steps = []

    async def main() -> None:
        steps.append(await Promise(asyncio.sleep(0.001, 4)).then(str).finally_(lambda: steps.append("done")))
        steps.append(await Promise.delay(3600).timeout(0.001, fallback="late"))
        steps.append(await Promise.map(range(3), lambda number: asyncio.sleep(0.001, number), concurrency=2))

    loop.run_until_complete(main())
    assert ["done", "4", "late", [0, 1, 2]] == steps


def test_a_signal_of_qt_settles_a_promise(loop: Any) -> None:
    """A resolver is a slot."""

    async def main() -> str:
        promise, resolve, _ = Promise.with_resolvers()
        timer = core.QTimer(singleShot=True)
        timer.timeout.connect(lambda: resolve("rang"))
        timer.start(1)
        return await promise.then(str.upper)

    assert "RANG" == loop.run_until_complete(main())


def test_a_chain_starts_in_a_slot(loop: Any) -> None:
    """The loop is running there, although no Task is."""

    async def main() -> int:
        made: asyncio.Future[Promise] = loop.create_future()
        core.QTimer.singleShot(1, lambda: made.set_result(Promise(asyncio.sleep(0.001, 4)).then(int)))
        return await (await made)

    assert 4 == loop.run_until_complete(main())


def test_cancelling_reaches_the_work(loop: Any, endless: Endless) -> None:
    async def main() -> None:
        promise = Promise(endless()).then(print)
        await endless.started.wait()
        promise.cancel()
        assert asyncio.CancelledError is await value_or_class(promise)

    loop.run_until_complete(main())
    assert endless.cancelled.is_set()
