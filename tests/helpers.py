"""Small helpers that tests import."""

import asyncio


async def turns(count: int = 10) -> None:
    """Let the loop turn *count* times, so that what is due has run: never to order one thing before another."""
    for _ in range(count):
        await asyncio.sleep(0)
