"""Functions of the programs whose timelines are tested: each is shown by its name."""

import asyncio


async def fetch(number: int) -> int:
    """Wait a millisecond."""
    await asyncio.sleep(0.001)
    return number


async def fail(_: object) -> None:
    """Fail, a turn later."""
    await asyncio.sleep(0)
    raise ValueError("no")


def double(number: int) -> int:
    """Return at once."""
    return 2 * number
