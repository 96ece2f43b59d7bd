"""What all tests share: the three loop modes, the three timings, and silence."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterator

import pytest

from aiopromise import Promise

OTHER_MODES = ["debug", *(["eager"] if sys.version_info >= (3, 12) else [])]
# The quick tests run on a plain loop.
MODES = ["plain", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHER_MODES)]


@pytest.fixture(autouse=True, scope="module")
def frozen() -> None:
    """Spare ``gc.collect()`` what pytest holds: among its 15,000 tests, that takes longer than most of them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=MODES)
async def loop_mode(request: pytest.FixtureRequest) -> str:
    """Run the test on a plain loop, in debug mode, and under the eager task factory."""
    loop = asyncio.get_running_loop()
    if request.param == "debug":
        loop.set_debug(True)
        loop.slow_callback_duration = 60  # slow machines are not a finding
    if request.param == "eager":
        loop.set_task_factory(eager_task_factory)
    return request.param


def eager_task_factory(loop: asyncio.AbstractEventLoop, coroutine: Coroutine, **how: object) -> asyncio.Future:
    """Do as asyncio's, whose early releases do not know the argument by which uvloop asks for an eager start."""
    how.pop("eager_start", None)
    return asyncio.eager_task_factory(loop, coroutine, **how)


class Timing:
    """Makes promises that settle at the time that the test is tried for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fulfilled(self, value: object) -> Promise:
        """Return a promise that is, or will be, fulfilled with *value*."""
        return self._settled(lambda resolve, reject: resolve(value))

    def rejected(self, reason: BaseException) -> Promise:
        """Return a promise that is, or will be, rejected with *reason*."""
        return self._settled(lambda resolve, reject: reject(reason))

    def cancelled(self) -> Promise:
        """Return a promise that is, or will be, cancelled."""
        return self.rejected(asyncio.CancelledError())

    def _settled(self, settle: Callable[..., object]) -> Promise:
        promise, resolve, reject = Promise.with_resolvers()
        self._later({"already": 0, "immediately": 1, "eventually": 5}[self.name], settle, resolve, reject)
        return promise

    def _later(self, turns: int, settle: Callable[..., object], *resolvers: object) -> None:
        if turns == 0:
            settle(*resolvers)
        else:
            asyncio.get_running_loop().call_soon(self._later, turns - 1, settle, *resolvers)

    def __repr__(self) -> str:
        return self.name


@pytest.fixture(params=["already", "immediately", "eventually"])
def timing(request: pytest.FixtureRequest) -> Timing:
    """Try the law on a promise that has settled, that settles in the next turn, and that settles later."""
    return Timing(request.param)


@pytest.fixture
async def reports() -> list[dict]:
    """Return the list of what reaches the exception handler of the running loop from now on."""
    found: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: found.append(context))
    return found


@pytest.fixture(autouse=True)
def silence(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test that makes asyncio or the library log a line which it did not ask for with @pytest.mark.logs."""
    yield
    if request.node.get_closest_marker("logs") is None:
        lines = [
            record.getMessage()
            for record in (*caplog.get_records("call"), *caplog.get_records("teardown"))
            if record.levelno >= logging.WARNING
            and record.name.partition(".")[0] in {"asyncio", "aiopromise"}
            # Slow machines are not a finding.
            and not str(record.msg).endswith("took %.3f seconds")
        ]
        assert [] == lines


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run all on the loop that the environment variable LOOP names: asyncio (the default), uvloop, eager or debug."""
    name = os.environ.get("LOOP", "asyncio")
    return {name: {"asyncio": asyncio.new_event_loop, "uvloop": uvloop, "eager": eager, "debug": debug}[name]}


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run everything on asyncio if anyio's plugin runs the tests: -o asyncio_mode=strict -o anyio_mode=auto."""
    return "asyncio"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """If anyio's plugin runs the tests, make it run the async fixtures of plain functions too."""
    if config.getini("anyio_mode") == "auto":
        for item in items:
            if isinstance(item, pytest.Function) and not {"loop_mode", "reports"}.isdisjoint(item.fixturenames):
                item.fixturenames.insert(0, "anyio_backend")


def uvloop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop."""
    import uvloop

    return uvloop.new_event_loop()


def eager() -> asyncio.AbstractEventLoop:
    """Return a loop whose Tasks all start eagerly."""
    loop = asyncio.new_event_loop()
    loop.set_task_factory(eager_task_factory)
    return loop


def debug() -> asyncio.AbstractEventLoop:
    """Return a loop in debug mode."""
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 60  # slow machines are not a finding
    return loop
