"""Small helpers that tests import."""

import asyncio
import re
import subprocess
import sys
from asyncio import CancelledError
from collections.abc import Awaitable
from typing import Any

import pytest


async def turns(count: int = 10) -> None:
    """Let the loop turn *count* times, so that what is due has run: never to order one thing before another."""
    for _ in range(count):
        await asyncio.sleep(0)


async def outcome(awaitable: Awaitable) -> object:
    """Return the value, or the repr of what was raised."""
    try:
        return await awaitable
    except (Exception, CancelledError) as error:
        return repr(error)
    finally:
        del awaitable  # the traceback of what was raised refers to this frame


async def value_or_class(awaitable: Awaitable) -> Any:
    """Return the value, or the class of what was raised."""
    try:
        return await awaitable
    except (Exception, CancelledError) as error:
        return type(error)
    finally:
        del awaitable


def without_address(value: object) -> str:
    """Return the repr without addresses: for all processes of a run, a test has the same name."""
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))


def pstree(program: str) -> str:
    """Return what ``python -m asyncio pstree`` shows of *program*, once that has printed "running"."""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "running\n" == process.stdout.readline()
            command = [sys.executable, "-m", "asyncio", "pstree", str(process.pid)]
            shown = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            process.kill()
    if "PermissionError" in shown.stderr or "Operation not permitted" in shown.stderr:
        pytest.skip("this machine does not let one program look at another")
    return shown.stdout
