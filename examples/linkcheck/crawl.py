"""A site, level by level: the first page, its links, and their links.

The levels follow one another, so that a link is as deep as its shortest way, whichever page is the fastest.
"""

import os
from argparse import Namespace
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from addresses import server_of
from aiopromise import Promise
from link import Checker, Finding, Link
from record import Count, Dead, Record, Run
from report import make_report, show_counts, show_dead
from screen import say

__all__ = ["Crawl"]

P = ParamSpec("P")
T = TypeVar("T")


class Crawl:
    """The check of one site, with its record in a file."""

    def __init__(self, options: Namespace) -> None:
        self._options = options
        self._record = Record(options.database)
        # SQLite waits for the disk, and must be called from one thread; nothing else waits for it.
        self._thread = ThreadPoolExecutor(1, "record")
        self._report = make_report()

    def open(self) -> Promise[None]:
        """Return a promise that is fulfilled when the file is open."""
        return self._in_thread(self._record.open)

    def close(self) -> Promise[None]:
        """Return a promise that is fulfilled when the file is closed, after pending writes."""
        # Shielded: a second Ctrl-C must not leave it open.
        return self._in_thread(self._record.close).shield().finally_(self._thread.shutdown)

    def run(self, site: str, start: str) -> Promise[int]:
        """Return a promise for the exit status, once the links from *start* on have been checked and summarized."""
        run = Run(site, start, self._options.depth, self._options.external)
        return self._in_thread(self._record.begin, run).tap(partial(self._announce, start)).then(self._check_all)

    def _in_thread(self, fn: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Promise[T]:
        return Promise.submit(self._thread, fn, *arguments, **named)

    def _announce(self, start: str, checked: int) -> None:
        say(f"Checking {start}, and links up to {self._options.depth} away from it")
        say(f"What is found goes to {os.path.abspath(self._options.database)}")
        if checked:
            say(f"An earlier run was interrupted, and is gone on with: {checked} links are checked already")

    def _check_all(self, _: int) -> Promise[int]:
        return (
            Promise.each(range(self._options.depth + 1), self._check_level)
            .then(lambda _: self._in_thread(self._record.end))
            .finally_(self._sum_up)
            .then(lambda _: self._in_thread(self._record.dead))
            .then(lambda dead: 1 if dead else 0)
        )

    def _check_level(self, depth: int) -> Promise[None]:
        place = self._in_thread(self._record.place)
        waiting = self._in_thread(self._record.waiting, depth)
        return Promise.all(place, waiting).spread(self._check_links).finally_(self._report.clear)

    def _check_links(self, place: str, links: Sequence[Link]) -> Promise[None]:
        options = self._options
        checker = Checker(
            server_of(place),
            options.depth,
            seconds=options.timeout,
            retries=options.retries,
            external=options.external,
        )

        def check(link: Link) -> Promise[Finding]:
            return checker.check(link).tap(self._keep).tap(self._report.found)

        return Promise.each(links, check, concurrency=options.concurrency, on_progress=self._report.progress)

    def _keep(self, finding: Finding) -> Promise[None]:
        # Shielded: findings are stored even if nobody waits for them any more.
        return self._in_thread(self._record.add, finding).shield()

    def _sum_up(self) -> Promise[None]:
        counts = self._in_thread(self._record.counts)
        dead = self._in_thread(self._record.dead)
        return Promise.all(counts, dead).spread(self._sum_up_in_words)

    def _sum_up_in_words(self, counts: Sequence[Count], dead: Sequence[Dead]) -> None:
        show_counts(counts)
        show_dead(dead)
        if any(count.verdict is None for count in counts):
            say(f"\nThe same command checks the rest. To begin anew, delete {self._options.database}")
