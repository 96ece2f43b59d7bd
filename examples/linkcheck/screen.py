"""The program's output."""

import io
import os
import sys
from typing import Final, NoReturn, TextIO

from rich.console import Console
from rich.text import Text

__all__ = ["OutputError", "Screen", "abandon", "complain", "prepare", "printable"]


class OutputError(Exception):
    """The output cannot be written."""


class Screen(Console):
    """A rich console that prints text unchanged: no markup, no line breaks, no control characters."""

    def say(self, text: str = "", style: str = "") -> None:
        self.show(Text(printable(text), style))

    def show(self, thing: object) -> None:
        try:
            self.print(thing, soft_wrap=isinstance(thing, Text))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"the output cannot be written: {error.strerror}") from error

    def on_broken_pipe(self) -> NoReturn:
        raise  # noqa: PLE0704  # what is being handled, where rich would exit


def printable(text: str) -> str:
    """Return *text* with control characters escaped, as it may come from a server, which could clear the screen."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def prepare() -> None:
    """Make a terminal that lacks a character show its number instead of failing.

    Raises:
        OutputError: there is no output.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        raise OutputError("the output cannot be written: it is closed")


_errors: Final = Screen(stderr=True)


def complain(trouble: object) -> int:
    """Print *trouble* to stderr, and return the exit status for it."""
    try:
        _errors.say(f"linkcheck: {' '.join(str(trouble).split())}")
    except (OSError, OutputError):
        abandon(sys.stderr)  # then the status alone tells
    return 2


def abandon(stream: TextIO | None) -> None:
    """Write nothing more to *stream*: Python would flush what is broken again at exit, and complain."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
