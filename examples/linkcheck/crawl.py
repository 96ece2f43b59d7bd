"""The check of a site: one stream of links, to which each page adds."""

import asyncio
import sqlite3
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from addresses import origin_of
from aiopromise import Promise
from page import PAGES, read
from record import Record, RecordError, Site, Summary
from report import Report
from verdict import Finding, explain
from web import FAILURES, Answer, SkippedError, Web

P = ParamSpec("P")
T = TypeVar("T")


class Frontier:
    """The links to check, as an async iterable that ends when none is left and none is being checked."""

    def __init__(self) -> None:
        self._waiting = asyncio.Queue[str | None]()
        self._unfinished = 0
        self.total = 0

    def add(self, links: Sequence[str]) -> None:
        self._unfinished += len(links)
        self.total += len(links)
        for link in links:
            self._waiting.put_nowait(link)

    def finish_one(self, links: Sequence[str]) -> None:
        """Count a link as checked, and add those that it has led to."""
        self.add(links)
        self._unfinished -= 1
        if not self._unfinished:
            self._waiting.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield each link in the order in which they were found."""
        while self._unfinished and (link := await self._waiting.get()):
            yield link


class Crawl:
    """The check of one site, with its record in a file."""

    def __init__(self, site: Site, options: Namespace) -> None:
        self._site = site
        self._concurrency = options.concurrency
        self._frontier = Frontier()
        self._record = Record(site, options)
        # SQLite waits for the disk, and must be called from one thread.
        self._thread = ThreadPoolExecutor(1, "record")
        self._report = Report(site, options)
        self._web = Web(site.start, site.credentials, options)
        self._status = 0

    def run(self) -> Promise[int]:
        """Return a promise for the exit status, once all links have been checked and the file has been closed."""
        return (
            self._in_thread(self._record.open)
            .then(self._check_all)
            .finally_(self._sum_up)
            .then(lambda _: self._status)
            .finally_(self._web.close)
            .finally_(lambda: self._in_thread(self._record.close).finally_(self._thread.shutdown))
        )

    def _check_all(self, waiting: Sequence[str]) -> Promise[None]:
        self._frontier.add(waiting)
        self._arrive(self._record.place)
        self._report.start(self._frontier.total)
        return Promise.each(self._frontier, self._check, concurrency=self._concurrency, on_progress=self._progress)

    def _check(self, link: str) -> Promise[None]:
        return (
            self._web.visit(link)
            .then(lambda answer: self._judge(link, answer))
            .catch((SkippedError, *FAILURES), lambda error: explain(link, error, self._web.site))
            .then(self._keep)
            .then(self._frontier.finish_one)
        )

    def _judge(self, link: str, answer: Answer) -> Finding:
        if answer.is_error:
            return Finding(link, "dead", answer.status, link)
        page = None
        if answer.kind in PAGES and self._web.is_ours(answer.url):
            page = read(answer.url, answer.kind, answer.content, answer.charset)
            self._web.credentials = page.credentials | self._web.credentials
        moved = "" if answer.url == link else f", at {answer.url}"
        return Finding(link, "alive", answer.status + moved, answer.url, page)

    def _keep(self, finding: Finding) -> Promise[list[str]]:
        self._arrive(finding.place)
        # Stored before it is told: what has been told is not checked again.
        return self._in_thread(self._record.add, finding).tap(lambda _: self._report.found(finding))

    def _arrive(self, place: str | None) -> None:
        """Take the server of the first *place* for the site's."""
        if self._web.site is None and place is not None:
            self._web.site = origin_of(place)

    def _progress(self, done: int, _: int | None) -> None:
        self._report.progress(done, self._frontier.total)

    def _sum_up(self) -> Promise[None] | None:
        self._report.stop()
        if self._web.site is None:  # nothing has been found
            return None
        return self._in_thread(self._record.summary, self._web.site).tap(self._set_status).then(self._report.sum_up)

    def _set_status(self, summary: Summary) -> None:
        self._status = int({dead["url"] for dead in summary.dead} != self._site.planted)

    def _in_thread(self, fn: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Promise[T]:
        job = Promise.submit(self._thread, fn, *arguments, **named)
        done = job.catch((OSError, sqlite3.Error), self._record.refuse)
        # A second link, which nobody cancels: so Ctrl-C, however often, prevents neither what was found from being
        # stored nor the file from being closed; and a failure after Ctrl-C is not reported as unhandled.
        done.catch(RecordError, lambda _: None)
        return done
