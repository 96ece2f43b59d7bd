"""pytest-rerunfailures: each run of a test is checked by itself."""

import pytest

from beside.inner import run

pytest.importorskip("pytest_rerunfailures", reason="pytest-rerunfailures is not installed: see .ci/beside")
pytest_plugins = ["pytester"]


def test_a_test_that_passes_the_second_time_passes(pytester: pytest.Pytester) -> None:
    """What the first run left behind is not held against the second."""
    result = run(
        pytester,
        """
runs = []

@pytest.mark.flaky(reruns=2)
async def test_flaky():
    runs.append(Promise(endless()))
    assert len(runs) == 2
    runs[1].cancel()
""",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*1 passed, 1 rerun*"])


def test_a_test_that_always_leaves_something_behind_is_an_error(pytester: pytest.Pytester) -> None:
    """However often it runs."""
    result = run(
        pytester,
        """
@pytest.mark.flaky(reruns=1)
async def test_bad():
    Promise.reject(OSError("lost"))
""",
    )
    assert 1 <= result.parseoutcomes()["errors"]
    result.stdout.fnmatch_lines(["*left behind: unhandled test_it.py:*"])
