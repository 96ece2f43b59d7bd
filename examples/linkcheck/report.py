"""The report: a bar and a table (rich), or JSON."""

import json
from argparse import Namespace
from typing import Final

from rich import box
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from link import Finding
from record import Site, Summary
from screen import Screen

__all__ = ["Report"]

_VERDICTS: Final = {"alive": "green", "dead": "bold red", "skipped": "yellow", "unchecked": ""}


class Report:
    """Prints what the options ask for."""

    def __init__(self, site: Site, options: Namespace) -> None:
        self.is_verbose = options.verbose
        self._site = site
        self._is_json = options.format == "json"
        self._database = options.database
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
        self._task = self._bar.add_task("", dead=0)
        self._dead = 0

    def start(self) -> None:
        if not self._is_json:
            served = f", served at {self._site.start}" if self._site.server else ""
            self._screen.say(f"Checking {self._site.name}{served}")
        self._bar.start()

    def found(self, finding: Finding) -> None:
        self._dead += finding.verdict == "dead"
        if self.is_verbose and not self._is_json:
            self._screen.say(
                f"  {finding.verdict:7}  {finding.link.url}  {finding.detail}", style=_VERDICTS[finding.verdict]
            )

    def progress(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total, dead=self._dead)

    def stop(self) -> None:
        """Remove the bar."""
        self._bar.stop()

    def sum_up(self, summary: Summary) -> None:
        if self._is_json:
            self._screen.say(json.dumps(self._as_json(summary), indent=2))
            return
        if summary.dead:
            self._screen.say("\nDead links:")
        for dead in summary.dead:
            self._screen.say(f"  {dead.url}  {dead.detail}", style=_VERDICTS["dead"])
            for page in dead.pages:
                self._screen.say(f"    on {page}")
        self._screen.say()
        self._screen.show(_table(summary))
        if summary.others:
            schemes = ", ".join(f"{scheme}: {links}" for scheme, links in summary.others.items())
            self._screen.say(f"Not checked: {schemes}")
        if not summary.has_ended:
            self._screen.say(f"The same command checks the rest. To start again, delete {self._database}")

    def _as_json(self, summary: Summary) -> dict[str, object]:
        dead = [dead._asdict() for dead in summary.dead]
        return {"site": self._site.name, **summary._asdict(), "dead": dead}


def _table(summary: Summary) -> Table:
    table = Table("", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for verdict, style in _VERDICTS.items():
        table.add_column(verdict, style=style, justify="right")
    for where, counts in summary.counts.items():
        table.add_row(where, *(str(counts.get(verdict, 0)) for verdict in _VERDICTS))
    return table
