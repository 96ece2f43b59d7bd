"""A run of pytest within a test, in a process of its own, with the plugin of the library on."""

import pytest

SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
aiopromise = strict
"""

HEAD = """
import asyncio
import pytest
from aiopromise import Promise

async def endless(_=None):
    await asyncio.Event().wait()
"""


def run(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    """Run the tests in *tests*."""
    pytester.makefile(".ini", pytest=SETTINGS)
    pytester.makepyfile(test_it=HEAD + tests)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=240)
