"""One address requested (httpx), if that is allowed (protego), again (stamina), and at a limited rate (aiolimiter)."""

from argparse import Namespace
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, partial
from typing import Final, NamedTuple

import httpx
import stamina
from aiolimiter import AsyncLimiter
from protego import Protego

from addresses import Credentials, host_of, is_loopback, origin_of, resolve
from aiopromise import Promise, promisify
from page import PAGES

# How a request may fail; a ValueError means that the address is not valid.
FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError)

_AGENT: Final = "linkcheck"
_MAX_REDIRECTS: Final = 10
# The rest of a longer page is not read.
_MAX_LENGTH: Final = 2**24
# If a server asks for a longer pause, its link is not tried again.
MAX_PAUSE: Final = 30.0
# Never through a proxy, whatever the environment says.
_DIRECT: Final = dict.fromkeys(["all://localhost", "all://127.0.0.1", "all://[::1]"])


class SkippedError(Exception):
    """This address is not to be requested."""


class Answer(NamedTuple):
    """A server's answer: *content* is empty unless it is a page of the site."""

    url: str
    is_error: bool
    status: str
    redirect: str | None
    kind: str
    charset: str | None
    content: bytes


class Web:
    """Requests addresses; of pages of *site*, which is known once its first page has answered, also the content."""

    def __init__(self, start: str, credentials: Credentials | None, options: Namespace) -> None:
        self.site: str | None = None
        self.credentials = {origin_of(start): credentials} if credentials else {}
        self._start = start
        self._options = options
        self._take_turn = promisify(AsyncLimiter(1, 1 / options.rate).acquire) if options.rate else Promise.resolve
        # One promise per server, however many links wait for it.
        self._robots = cache(self._fetch_robots)
        retry = stamina.retry(
            on=_pause, attempts=options.retries + 1, timeout=None, wait_initial=0.25, wait_jitter=0.25
        )
        self._try = promisify(retry(self._try_once))
        self._client = httpx.AsyncClient(
            headers={"User-Agent": _AGENT},
            limits=httpx.Limits(max_connections=options.concurrency + 1),
            mounts=_DIRECT,
            timeout=None,
            verify=not options.insecure,
        )
        self.close = promisify(self._client.aclose)
        stamina.instrumentation.set_on_retry_hooks([])  # it would log each

    def visit(self, url: str, redirects: int = 0) -> Promise[Answer]:
        """Return a promise for the answer of *url*, after redirects, each of which must be allowed itself."""

        def follow(answer: Answer) -> Answer | Promise[Answer]:
            if answer.redirect is None:
                return answer
            if redirects == _MAX_REDIRECTS:
                raise httpx.TooManyRedirects(f"more than {_MAX_REDIRECTS} redirects")
            return self.visit(answer.redirect, redirects + 1)

        return Promise(self._allow(url)).then(lambda _: self._try(url)).then(follow)

    def is_ours(self, url: str) -> bool:
        return self.site in {None, origin_of(url)}

    async def _allow(self, url: str) -> None:
        resolve("", url)  # raises ValueError
        if is_loopback(url) and not is_loopback(self._start):
            raise SkippedError("on this machine, which is requested only if the site is on it")
        if self.site is None:
            return
        if any(pattern.search(url) for pattern in self._options.exclude):
            raise SkippedError("excluded")
        if host_of(url) == host_of(self.site):
            return
        if not self._options.external and not is_loopback(url):
            raise SkippedError("another host, is checked with --external")
        if not (await self._robots(origin_of(url))).can_fetch(url, _AGENT):
            raise SkippedError("disallowed by robots.txt")

    def _fetch_robots(self, origin: str) -> Promise[Protego]:
        # Without an answer, or with an error instead, there are no rules.
        text = self._request("GET", f"{origin}/robots.txt").then(lambda answer: answer.content.decode())
        return text.catch(FAILURES, lambda _: "").then(Protego.parse)

    async def _try_once(self, url: str) -> Answer:
        get = partial(self._request, "GET", url)
        if self.is_ours(url):
            return await get()
        head = self._request("HEAD", url).catch(FAILURES, _unless_busy)
        return await head.then(lambda answer: get() if answer is None or answer.is_error else answer)

    def _request(self, method: str, url: str) -> Promise[Answer]:
        return self._take_turn().then(lambda _: Promise(self._send(method, url)).timeout(self._options.timeout))

    async def _send(self, method: str, url: str) -> Answer:
        headers = self._options.header if host_of(url) == host_of(self._start) else None
        request = self._client.build_request(method, url, headers=headers)
        response = await self._client.send(request, auth=self.credentials.get(origin_of(url)), stream=True)
        async with aclosing(response):
            status = f"{response.status_code} {response.reason_phrase}".strip()
            if _is_busy(response):
                raise httpx.HTTPStatusError(status, request=request, response=response)
            is_lost = response.status_code in {301, 302, 303, 307, 308} and not response.next_request
            if is_lost:
                status += ", without a Location"
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            is_read = (kind in PAGES and self.is_ours(url)) or request.url.path == "/robots.txt"
            content = await _content(response) if is_read and response.is_success and method == "GET" else b""
        redirect = resolve(url, str(response.next_request.url))[0].url if response.next_request else None
        is_error = response.status_code >= 400 or is_lost  # some servers answer 999
        return Answer(url, is_error, status, redirect, kind, response.charset_encoding, content)


def _is_busy(response: httpx.Response) -> bool:
    """Return whether the same request may be answered otherwise later."""
    return response.status_code == 429 or response.status_code >= 500


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > _MAX_LENGTH:
            break
    return bytes(content)


def _pause(error: Exception) -> bool | float:
    """Return whether another attempt may help, or the seconds to wait before it."""
    if not isinstance(error, httpx.HTTPStatusError):
        return isinstance(error, (TimeoutError, httpx.TransportError))
    pause = retry_after(error.response)
    return True if pause is None else pause <= MAX_PAUSE and pause


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that the server asks to wait: it sends a number or a date."""
    text = response.headers.get("Retry-After", "")
    with suppress(TypeError, ValueError):
        if text.strip().isdigit():
            return float(text)
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return None


def _unless_busy(error: Exception) -> None:
    """Raise *error* again if the server asks for a pause, so that GET is not tried instead."""
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in {429, 503}:
        raise error
