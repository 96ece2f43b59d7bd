"""Ctrl-C: a cancellation, however often it is pressed."""

import asyncio
import signal

__all__ = ["cancel_on_ctrl_c"]


def cancel_on_ctrl_c() -> None:
    """Make every Ctrl-C from now on cancel the running Task.

    asyncio does so with the first alone; the second raises KeyboardInterrupt wherever the program happens to be, which
    tears the very cleanup that the first has asked for.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def ask(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    signal.signal(signal.SIGINT, ask)
