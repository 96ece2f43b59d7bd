"""What is printed while links are checked, and at the end."""

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

from link import Finding
from record import Count, Dead
from screen import say

__all__ = ["Bar", "Lines", "make_report", "show_counts", "show_dead"]

_WIDTH: Final = 30

_VERDICTS: Final = ("alive", "dead", "skipped", None)


class Lines:
    """A line for each finding, for later reading, or for programs."""

    def found(self, finding: Finding) -> None:
        say(f"  {finding.verdict:7}  {finding.link.url}  {finding.detail}")

    def progress(self, done: int, total: int | None) -> None:
        """Say nothing: the lines are the progress."""

    def clear(self) -> None:
        """Leave the screen as it is."""


class Bar(Lines):
    """A line that is redrawn, for a terminal; only dead links get their own lines."""

    def __init__(self) -> None:
        self._drawn = ""

    def found(self, finding: Finding) -> None:
        if finding.verdict == "dead":
            drawn = self._drawn
            self.clear()
            super().found(finding)
            self._draw(drawn)

    def progress(self, done: int, total: int | None) -> None:
        filled = "#" * (_WIDTH * done // total if total else 0)
        self._draw(f"  [{filled:.<{_WIDTH}}] {done} of {total}")

    def clear(self) -> None:
        """Clear the bar from the line."""
        self._draw("")
        say(end="\r")

    def _draw(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]
        say("\r" + text.ljust(len(self._drawn)), end="")
        self._drawn = text


def make_report() -> Lines:
    """Return the one that suits the output."""
    return Bar() if sys.stdout.isatty() else Lines()


def show_counts(counts: Sequence[Count]) -> None:
    """Print a table of how many links have which result, for each distance from the start."""
    found = Counter({(count.depth, count.verdict): count.links for count in counts})
    say("\ndepth    alive     dead  skipped  unchecked")
    for depth in sorted({count.depth for count in counts}):
        _show_row(str(depth), [found[depth, verdict] for verdict in _VERDICTS])
    totals = Counter[str | None]()
    for count in counts:
        totals[count.verdict] += count.links
    _show_row("all", [totals[verdict] for verdict in _VERDICTS])


def show_dead(dead: Sequence[Dead]) -> None:
    """Print the dead links once more, and where they are."""
    if dead:
        say("\nDead links:")
    for link in dead:
        say(f"  {link.url}  {link.detail}" + (f"\n    on {link.page}" if link.page else ""))


def _show_row(name: str, numbers: Sequence[int]) -> None:
    alive, dead, skipped, unchecked = numbers
    say(f"{name:>5} {alive:8} {dead:8} {skipped:8} {unchecked:10}")
