"""pytest-xdist: the plugin checks the tests of every worker."""

import pytest

from beside.inner import run

pytest.importorskip("xdist", reason="pytest-xdist is not installed: see .ci/beside")
pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow


def test_leftovers_are_reported_from_the_workers(pytester: pytest.Pytester) -> None:
    """With the line that made the promise, for the test that did."""
    result = run(
        pytester,
        """
@pytest.mark.parametrize("number", range(4))
async def test_good(number):
    assert str(number) == await Promise.delay(0.001, number).then(str)

async def test_bad():
    Promise.reject(OSError("lost"))
""",
        "-n2",
    )
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*made at test_it.py:*, in test_bad: Promise.reject(OSError(*", "*OSError: lost"])
