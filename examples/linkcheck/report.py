"""The report: a bar and a table (rich), or JSON."""

import json
from argparse import Namespace
from typing import Final, NoReturn

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from record import Site, Summary
from verdict import Finding

_VERDICTS: Final = {"alive": "green", "dead": "bold red", "skipped": "yellow", "unchecked": ""}


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


class Report:
    """Prints what the options ask for."""

    def __init__(self, site: Site, options: Namespace) -> None:
        self._site = site
        self._options = options
        self._screen = Screen(quiet=options.quiet)
        # The bar is shown even if the output goes to a file or a pipe.
        terminal = self._screen if self._screen.is_terminal else Screen(stderr=True, quiet=options.quiet)
        self._bar = Progress(
            BarColumn(None),
            TextColumn("{task.completed} of {task.total}, {task.fields[dead]} dead"),
            TimeElapsedColumn(),
            console=terminal,
            disable=not terminal.is_terminal,
            expand=True,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", dead=0, total=0)
        self._dead = 0

    def start(self, total: int) -> None:
        self._bar.update(self._task, total=total)
        if self._options.format == "text":
            served = f", served at {self._site.start}" if self._site.server else ""
            self._screen.say(f"Checking {self._site.name}{served}")
        self._bar.start()

    def found(self, finding: Finding) -> None:
        self._dead += finding.verdict == "dead"
        if self._options.verbose and self._options.format == "text":
            line = f"  {finding.verdict:7}  {finding.url}  {finding.detail}"
            self._screen.say(line, style=_VERDICTS[finding.verdict])

    def progress(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total, dead=self._dead)

    def stop(self) -> None:
        """Remove the bar."""
        self._bar.stop()

    def sum_up(self, summary: Summary) -> None:
        if self._options.format == "json":
            self._screen.say(json.dumps(summary._asdict(), indent=2))
            return
        if summary.dead:
            self._screen.say("\nDead links:")
        for dead in summary.dead:
            self._screen.say(f"  {dead['url']}  {dead['detail']}", style=_VERDICTS["dead"])
            if dead["pages"]:
                self._screen.say("\n".join(f"    on {page}" for page in dead["pages"]))
        self._screen.say()
        self._screen.show(_table(summary))
        if summary.others:
            self._screen.say(f"Not checked: {', '.join(f'{scheme}: {n}' for scheme, n in summary.others.items())}")
        if not summary.has_ended:
            self._screen.say(f"The same command checks the rest. To start again, delete {self._options.database}")


def _table(summary: Summary) -> Table:
    table = Table("", box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for verdict, style in _VERDICTS.items():
        table.add_column(verdict, style=style, justify="right")
    for where, counts in summary.counts.items():
        table.add_row(where, *(str(counts.get(verdict, 0)) for verdict in _VERDICTS))
    return table
