"""pytest-timeout: a test that waits for a promise forever is ended, and the next one runs."""

import pytest

from beside.inner import run

pytest.importorskip("pytest_timeout", reason="pytest-timeout is not installed: see .ci/beside")
pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow


def test_a_promise_that_never_settles_fails_its_test(pytester: pytest.Pytester) -> None:
    """Its work is cancelled when the loop of the test ends, with its cleanup."""
    result = run(
        pytester,
        """
steps = []

@pytest.mark.timeout(0.3, func_only=True)
async def test_hangs():
    await Promise(endless()).finally_(lambda: steps.append("cleaned up"))

async def test_next():
    assert ["cleaned up"] == steps
    assert 1 == await Promise.delay(0.001, 1)
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Timeout (>0.3s) from pytest-timeout*"])
