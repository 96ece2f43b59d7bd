"""Small helpers that tests import."""

import asyncio
import re
from asyncio import CancelledError
from collections.abc import Awaitable
from typing import Any


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
