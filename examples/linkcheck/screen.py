"""What the program says: in colour on a terminal, and never anything that a server has smuggled in."""

import io
import os
import sys
from typing import Final, NoReturn

from rich.console import Console
from rich.text import Text

__all__ = ["OutputError", "Screen", "abandon_output", "complain", "prepare", "printable"]


class OutputError(Exception):
    """Nothing can be written any more."""


class Screen(Console):
    """A console of rich that prints text as it is, in lines as long as they are."""

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
        raise  # noqa: PLE0704  # called where it was caught; rich would exit here, in the middle of everything


def printable(text: str) -> str:
    """Return *text* with its control characters escaped: a server could clear the screen with them."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def prepare() -> None:
    """Let a screen that lacks a letter show its number instead of failing.

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
    """Tell of *trouble* where errors are told, and return the exit status for it."""
    _errors.say(f"linkcheck: {' '.join(str(trouble).split())}")
    return 2


def abandon_output() -> None:
    """Have nothing more written to an output that fails: Python would try once more when it exits, and complain."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
