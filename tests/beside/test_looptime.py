"""looptime: an hour of a promise's time passes at once."""

import time

import pytest

from beside.inner import run

pytest.importorskip("looptime", reason="looptime is not installed: see .ci/beside")
pytest_plugins = ["pytester"]


def test_delays_and_time_limits_take_no_time(pytester: pytest.Pytester) -> None:
    """And the clock of the loop shows how long they would have taken."""
    started = time.monotonic()
    result = run(
        pytester,
        """
pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

async def test_delay(looptime):
    assert 1 == await Promise.delay(3600, 1)
    assert 3600 == looptime

async def test_timeout(looptime):
    assert "late" == await Promise(endless()).timeout(60, fallback="late")
    assert 60 == looptime

async def test_map(looptime):
    await Promise.map(range(6), lambda number: Promise.delay(10), concurrency=2)
    assert 30 == looptime
""",
    )
    result.assert_outcomes(passed=3)
    assert time.monotonic() - started < 60
