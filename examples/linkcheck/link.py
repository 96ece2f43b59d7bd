"""One link, and what is found about it."""

import os
import socket
import ssl
from argparse import Namespace
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import httpx

from addresses import origin_of, resolve
from aiopromise import Promise
from manners import SkippedError
from page import PAGES, Page, read
from web import FAILURES, Answer, ServerError, Web

__all__ = ["Checker", "Finding", "Link", "UnreachableError", "Verdict"]

Verdict = Literal["alive", "dead", "skipped"]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class UnreachableError(Exception):
    """The server of the site does not answer, so its links cannot be checked."""


@dataclass(frozen=True, slots=True)
class Link:
    """An address to check, and its number in the record."""

    number: int
    url: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on a link, the address after redirects, and the page there, if it is one of the site."""

    link: Link
    verdict: Verdict
    detail: str
    place: str
    page: Page | None = None


class Checker:
    """Checks links, and reads the pages of the site."""

    def __init__(self, web: Web, options: Namespace) -> None:
        self._web = web
        self._timeout = options.timeout
        self._fragments = not options.no_fragments

    def check(self, link: Link) -> Promise[Finding]:
        """Return a promise for what is found about *link*, rejected only if the server of the site is unreachable."""
        return (
            Promise.try_(resolve, "", link.url)  # rejects an invalid address
            .then(lambda _: self._web.visit(link.url))
            .then(partial(self._judge, link))
            .catch((SkippedError, *FAILURES), partial(self._explain, link))
        )

    def _judge(self, link: Link, answer: Answer) -> Finding:
        if answer.code >= 400:
            return Finding(link, "dead", answer.status, answer.url)
        if answer.code in _REDIRECTS:
            return Finding(link, "dead", f"{answer.status}, without a Location", answer.url)
        page = None
        if answer.kind in PAGES and self._web.is_ours(answer.url):
            page = read(answer.url, answer.kind, answer.content, fragments=self._fragments)
            self._web.credentials = page.credentials | self._web.credentials
        moved = "" if answer.url == link.url else f", at {answer.url}"
        return Finding(link, "alive", answer.status + moved, answer.url, page)

    def _explain(self, link: Link, error: Exception) -> Finding:
        detail = self._in_words(error)
        if isinstance(error, ServerError) and error.code != 429:
            return Finding(link, "dead", detail, link.url)
        if self._web.site is None:
            raise UnreachableError(f"{link.url} cannot be reached: {detail}") from error
        if isinstance(error, (SkippedError, ServerError)):
            return Finding(link, "skipped", detail, link.url)
        # This is not about the one link: all others would be dead, too.
        if isinstance(error, httpx.ConnectError) and origin_of(str(error.request.url)) == self._web.site:
            raise UnreachableError(f"the server of the site died in the middle: {detail}") from error
        return Finding(link, "dead", detail, link.url)

    def _in_words(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout:g} seconds"
        if isinstance(error, httpx.ConnectError):
            return f"no connection: {_reason(error)}"
        return " ".join(str(error).split()) or type(error).__name__


def _reason(error: BaseException) -> str:
    """Return the message of the operating system, which httpx and its transport have wrapped."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, OSError) and error.errno and not isinstance(error, (ssl.SSLError, socket.gaierror)):
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)
