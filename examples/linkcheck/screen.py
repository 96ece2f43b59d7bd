"""The program's output: each line is flushed, also into a pipe."""

import io
import os
import sys
from functools import partial
from typing import Final

__all__ = ["complain", "leave_broken_pipe", "prepare", "say"]

say: Final = partial(print, flush=True)


def prepare() -> None:
    """Make a terminal that lacks a character show its number instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def complain(trouble: object) -> int:
    """Print *trouble* to stderr, and return the exit status for it."""
    say(f"linkcheck: {trouble}", file=sys.stderr)
    return 2


def leave_broken_pipe() -> int:
    """Write nothing more to a reader that is gone, such as `head`, and return the exit status for it."""
    # Python flushes its output again at exit, and would then complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
