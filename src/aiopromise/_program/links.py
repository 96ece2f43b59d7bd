"""The links of a page, and what is found about each of them."""

from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPException, HTTPResponse
from typing import NoReturn
from urllib.parse import urldefrag, urljoin

from aiopromise import Promise, promisify
from aiopromise._program.web import FAILURES, SCHEMES, ConnectError, fetch, probe, server_of

__all__ = ["Finding", "Page", "PageError", "ServerGoneError", "check", "open_page"]


class PageError(Exception):
    """The page whose links are to be checked could not be had."""


class ServerGoneError(Exception):
    """The server that gave the page can no longer be reached."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one link."""

    url: str
    verdict: str  # alive, dead or skipped
    detail: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was had, and the addresses that it links to, each once, in the order of the page."""

    url: str
    links: list[str]


def open_page(url: str, seconds: float) -> Promise[Page]:
    """Return a promise for the page at *url*, or rejected with `PageError`."""

    def refuse(error: Exception) -> NoReturn:
        raise PageError(f"{url} could not be had: {in_words(error, seconds)}") from error

    return fetch(url).timeout(seconds).then(_parse).catch(FAILURES, refuse)


@promisify
def check(link: str, page: Page, seconds: float) -> Finding | Promise[Finding]:
    """Return a promise for what is found about *link*, rejected only if the page's own server has gone."""
    scheme = link.partition(":")[0].lower()
    if scheme not in SCHEMES:
        return Finding(link, "skipped", f"{scheme}: is not checked")
    return (
        probe(link)
        .timeout(seconds)
        .then(lambda answer: _judge(link, answer))
        .catch(ConnectError, lambda error: _blame(page, error))
        .catch(FAILURES, lambda error: Finding(link, "dead", in_words(error, seconds)))
    )


def in_words(error: Exception, seconds: float) -> str:
    """Return why there was no answer, in one line."""
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} seconds"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())


class _LinkParser(HTMLParser):
    """Collects where the links of a page lead; a ``<base>`` changes where from."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._page = self._base = urldefrag(url).url
        self.links: dict[str, None] = {}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        href = dict(attributes).get("href")
        if tag == "base" and href:
            self._base = _join(self._page, href)
        if tag == "a" and href:
            self.links[_join(self._base, href)] = None

    def elsewhere(self) -> list[str]:
        return [link for link in self.links if link != self._page]


def _join(base: str, href: str) -> str:
    try:
        return urldefrag(urljoin(base, href.strip())).url
    except ValueError:
        return href  # no address at all, which is what will be found when it is checked


def _parse(answer: HTTPResponse) -> Page:
    if answer.status >= 400:
        raise HTTPException(_status(answer))
    parser = _LinkParser(answer.url)
    parser.feed(answer.read().decode(errors="replace"))
    parser.close()
    return Page(answer.url, parser.elsewhere())


def _judge(link: str, answer: HTTPResponse) -> Finding:
    moved = "" if answer.url == link else f", at {answer.url}"
    return Finding(link, "alive" if answer.status < 400 else "dead", _status(answer) + moved)


def _blame(page: Page, error: ConnectError) -> NoReturn:
    # One dead link is a finding; that its own server has gone says nothing about the links not yet checked.
    if error.server == server_of(page.url):
        raise ServerGoneError(f"the server of the page died in the middle: {error}") from error
    raise error


def _status(answer: HTTPResponse) -> str:
    return f"{answer.status} {answer.reason}".strip()
