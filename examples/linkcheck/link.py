"""One link, and what is found about it."""

import os
import socket
import ssl
from argparse import Namespace
from dataclasses import dataclass
from functools import partial
from typing import Literal

import httpx

from addresses import origin_of, resolve
from aiopromise import Promise
from manners import Manners, SkippedError
from page import PAGES, Page, read
from web import FAILURES, Answer, BusyError, Web

__all__ = ["Checker", "Finding", "Link", "UnreachableError", "Verdict"]

Verdict = Literal["alive", "dead", "skipped"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class UnreachableError(Exception):
    """The server of the site cannot be reached, so nothing can be said of its links."""


@dataclass(frozen=True, slots=True)
class Link:
    """An address, and how many links it is away from the start; the number is that of the record."""

    number: int
    url: str
    depth: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a link, where it led in the end, and what the page there refers to."""

    link: Link
    verdict: Verdict
    detail: str
    place: str
    page: Page | None = None


class Checker:
    """Checks links: pages of the site are read, of everything else only the head is asked for."""

    def __init__(self, web: Web, options: Namespace) -> None:
        self._web = web
        self._manners = Manners(web, options)
        self._seconds = options.timeout
        self._has_fragments = not options.no_fragments

    def check(self, link: Link) -> Promise[Finding]:
        """Return a promise for what is found about *link*, rejected only if the server of the site is out of reach."""
        return (
            Promise.try_(self._ask, link.url)
            .then(partial(self._judge, link))
            .catch(SkippedError, lambda error: Finding(link, "skipped", str(error), link.url))
            .catch(FAILURES, partial(self._explain, link))
        )

    def _ask(self, url: str) -> Promise[Answer]:
        resolve("", url)  # what is no address is not to be asked for
        if self._is_ours(url):
            return self._web.get(url, self._manners.allow)
        return self._web.head(url, self._manners.allow).then(self._come_home)

    def _come_home(self, answer: Answer) -> Answer | Promise[Answer]:
        """Read a page of the site also where another host has led to it."""
        return self._web.get(answer.url, self._manners.allow) if self._is_ours(answer.url) else answer

    def _is_ours(self, url: str) -> bool:
        return self._web.site in {None, origin_of(url)}

    def _judge(self, link: Link, answer: Answer) -> Finding:
        if answer.code >= 400:
            return Finding(link, "dead", answer.status, answer.url)
        if answer.code in _REDIRECTS:
            return Finding(link, "dead", f"{answer.status}, but it does not say where to", answer.url)
        if not self._is_ours(answer.url) or answer.kind not in PAGES:
            page = None
        else:
            page = read(answer.url, answer.kind, answer.text)
            if not self._has_fragments:
                page.anchors = None
            self._web.credentials = page.credentials | self._web.credentials
        moved = "" if answer.url == link.url else f", at {answer.url}"
        return Finding(link, "alive", answer.status + moved, answer.url, page)

    def _explain(self, link: Link, error: Exception) -> Finding:
        if isinstance(error, BusyError) and error.code == 429:  # somebody is there
            return Finding(link, "skipped", str(error), link.url)
        # One dead link is a finding. That the site's own server does not answer says nothing about those left over.
        if self._web.site is None and not isinstance(error, BusyError):
            raise UnreachableError(f"{link.url} cannot be reached: {self._in_words(error)}") from error
        if isinstance(error, httpx.ConnectError) and origin_of(str(error.request.url)) == self._web.site:
            raise UnreachableError(f"the server of the site died in the middle: {self._in_words(error)}") from error
        return Finding(link, "dead", self._in_words(error), link.url)

    def _in_words(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._seconds:g} seconds"
        if isinstance(error, httpx.ConnectError):
            return f"no connection: {_reason(error)}"
        return " ".join(str(error).split()) or type(error).__name__


def _reason(error: BaseException) -> str:
    """Return what the system said: httpx and its transport each wrap it once more."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, OSError) and error.errno and not isinstance(error, (ssl.SSLError, socket.gaierror)):
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)
