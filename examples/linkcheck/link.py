"""One link, and what is found about it."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Literal, NoReturn

from addresses import SCHEMES, Server, is_loopback, scheme_of, server_of
from aiopromise import Promise
from page import links_of
from retry import persist
from web import FAILURES, Answer, Ask, ConnectError, fetch, follow, probe

__all__ = ["Checker", "Finding", "Link", "ServerGoneError", "Verdict"]

Verdict = Literal["alive", "dead", "skipped"]


class ServerGoneError(Exception):
    """The server of the site can no longer be reached."""


@dataclass(frozen=True, slots=True)
class Link:
    """An address, how many links it is away from the start, and the first page that led to it."""

    url: str
    depth: int
    page: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of checking a link, where it finally led, and the links found there."""

    link: Link
    verdict: Verdict
    detail: str
    place: str
    links: tuple[str, ...] = ()


class ElsewhereError(Exception):
    """The address should not be checked."""


class Checker:
    """Checks links, of which those up to *depth* away are read for further ones if they are pages of *site*."""

    def __init__(self, site: Server, depth: int, *, seconds: float, retries: int, external: bool) -> None:
        self._site = site
        self._depth = depth
        self._seconds = seconds
        self._retries = retries
        self._external = external

    def check(self, link: Link) -> Promise[Finding]:
        """Return a promise for what is found about *link*, rejected only if the site's server is gone."""
        ask = fetch if self._is_read(link, link.url) else probe
        return (
            Promise.try_(self._allow, link, link.url)
            .then(lambda _: persist(partial(self._attempt, ask, link), self._retries))
            .then(partial(self._judge, link))
            .catch(ElsewhereError, lambda error: Finding(link, "skipped", str(error), link.url))
            .catch(ConnectError, partial(self._blame, link))
            .catch(FAILURES, lambda error: Finding(link, "dead", self._in_words(error), link.url))
        )

    def _attempt(self, ask: Ask, link: Link) -> Promise[Answer]:
        return follow(ask, link.url, partial(self._allow, link)).timeout(self._seconds)

    def _allow(self, link: Link, url: str) -> None:
        if scheme_of(url) not in SCHEMES:
            raise ElsewhereError(f"{scheme_of(url)}: is not checked")
        is_ours = link.depth == 0 or server_of(url) == self._site
        if not (is_ours or self._external or is_loopback(url)):
            moved = "" if url == link.url else f"leads to {url}, "
            raise ElsewhereError(f"{moved}another host, is checked with --external")

    def _is_read(self, link: Link, url: str) -> bool:
        return link.depth < self._depth and (link.depth == 0 or is_on(self._site, url))

    async def _judge(self, link: Link, answer: Answer) -> Finding:
        moved = "" if answer.url == link.url else f", at {answer.url}"
        # A long page would block the loop.
        links = await asyncio.to_thread(links_of, answer.url, answer.text) if self._is_read(link, answer.url) else []
        return Finding(link, "alive", answer.status + moved, answer.url, tuple(links))

    def _blame(self, link: Link, error: ConnectError) -> NoReturn:
        # One dead link is a finding; but if the site's own server is gone, nothing is known about the remaining links.
        if link.depth > 0 and error.server == self._site:
            raise ServerGoneError(f"the server of the site died in the middle: {error}") from error
        raise error

    def _in_words(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._seconds:g} seconds"
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return " ".join(text.split())


def is_on(site: Server, url: str) -> bool:
    """Return whether *url* is an address of *site*."""
    try:
        return server_of(url) == site
    except ValueError:
        return False
