"""What the program says: each line at once, also into a pipe."""

import io
import os
import sys
from functools import partial
from typing import Final

__all__ = ["complain", "leave_broken_pipe", "prepare", "say"]

say: Final = partial(print, flush=True)


def prepare() -> None:
    """Let a screen that lacks a letter show its number instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(trouble: object) -> int:
    """Tell of *trouble* where errors are told, and return the exit status for it."""
    say(f"linkcheck: {trouble}", file=sys.stderr)
    return 2


def leave_broken_pipe() -> int:
    """Have nothing more written to a reader that has gone, as `head` does, and return the exit status for it."""
    # Python flushes its output once more when it exits, and would then complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
