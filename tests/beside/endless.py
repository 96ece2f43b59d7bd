"""Work that only a cancellation ends."""

import asyncio
from typing import NoReturn


class Endless:
    """Work that ends only when it is cancelled, and tells when it started and when it ended."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, *_: object) -> NoReturn:
        """Wait forever."""
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        raise AssertionError("nobody sets the event")
