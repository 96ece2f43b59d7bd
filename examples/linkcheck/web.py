"""One address requested (httpx), again after a failure (stamina), and at a limited rate (aiolimiter)."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import stamina
from aiolimiter import AsyncLimiter

from addresses import Credentials, host_of, origin_of, resolve
from aiopromise import Promise, promisify
from manners import AGENT, Manners
from page import PAGES, in_utf8

__all__ = ["FAILURES", "Answer", "ServerError", "Web"]

# How a request may fail; a ValueError means that the address is not valid.
FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError)

_MAX_REDIRECTS: Final = 10
# The rest of a longer page is not read.
_MAX_LENGTH: Final = 2**24
# If a server asks for a longer pause, its link is not tried again.
_MAX_PAUSE: Final = 30.0

# Never through a proxy, whatever the environment says.
_DIRECT: Final = dict.fromkeys(["all://localhost", "all://127.0.0.1", "all://[::1]"])


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer; *content* is empty unless it is a page of the site, and in UTF-8."""

    url: str
    code: int
    status: str
    location: str | None
    kind: str
    content: bytes


class ServerError(httpx.HTTPError):
    """The server has failed or is overloaded, which may be over in a while."""

    def __init__(self, response: httpx.Response) -> None:
        self.code = response.status_code
        self.is_busy = self.code in {429, 503}
        self.pause = _seconds(response.headers.get("Retry-After", ""))
        self.is_temporary = self.pause is None or self.pause <= _MAX_PAUSE
        super().__init__(_status(response) + ("" if self.is_temporary else f", retry after {self.pause:g} seconds"))


class Web:
    """Requests addresses; of pages of *site*, which is known once its first page has answered, also the content."""

    def __init__(self, start: str, credentials: Credentials | None, options: Namespace) -> None:
        self.site: str | None = None
        self.credentials = {origin_of(start): credentials} if credentials else {}
        self._host = host_of(start)
        self._headers = options.header
        self._timeout = options.timeout
        self._manners = Manners(start, self._fetch_robots, options)
        self._take_turn = promisify(AsyncLimiter(1, 1 / options.rate).acquire) if options.rate else Promise.resolve
        self._client = httpx.AsyncClient(
            headers={"User-Agent": AGENT},
            limits=httpx.Limits(max_connections=options.concurrency + 1),
            mounts=_DIRECT,
            timeout=None,
            verify=not options.insecure,
        )
        self.close = promisify(self._client.aclose)
        # Where HEAD fails, GET is tried next, unless the server asks for a pause.
        self._ask = {
            "GET": self._patient(options.retries, _may_change),
            "HEAD": self._patient(options.retries, _is_busy),
        }
        stamina.instrumentation.set_on_retry_hooks([])  # it would log each

    def visit(self, url: str) -> Promise[Answer]:
        """Return a promise for the answer of *url*, after redirects: only the head of it, unless it is of the site."""
        if self.is_ours(url):
            return self._follow("GET", url)
        return (
            self._follow("HEAD", url)
            .catch(FAILURES, _unless_busy)
            .then(lambda answer: answer if answer and answer.code < 400 else self._follow("GET", url))
            .then(lambda answer: self.visit(answer.url) if self.is_ours(answer.url) else answer)
        )

    def is_ours(self, url: str) -> bool:
        return self.site in {None, origin_of(url)}

    def _patient(self, retries: int, on: Callable[[Exception], bool | float]) -> Callable[[str, str], Promise[Answer]]:
        retry = stamina.retry(on=on, attempts=retries + 1, timeout=None, wait_initial=0.25, wait_jitter=0.25)
        return promisify(retry(self._request))

    def _follow(self, method: str, url: str, redirects: int = 0) -> Promise[Answer]:
        def redirect(answer: Answer) -> Answer | Promise[Answer]:
            if answer.location is None:
                return answer
            if redirects == _MAX_REDIRECTS:
                raise httpx.TooManyRedirects(f"more than {_MAX_REDIRECTS} redirects")
            return self._follow(method, answer.location, redirects + 1)

        return (
            Promise(self._manners.check(url, self.site)).then(lambda _: self._ask[method](method, url)).then(redirect)
        )

    def _fetch_robots(self, origin: str) -> Promise[str]:
        # Without an answer, or with an error instead, there are no rules.
        answer = Promise(self._request("GET", f"{origin}/robots.txt", is_read=True))
        return answer.then(lambda answer: answer.content.decode()).catch(FAILURES, lambda _: "")

    async def _request(self, method: str, url: str, *, is_read: bool = False) -> Answer:
        await self._take_turn()
        return await Promise(self._send(method, url, is_read)).timeout(self._timeout)

    async def _send(self, method: str, url: str, is_read: bool) -> Answer:
        headers = self._headers if host_of(url) == self._host else None
        request = self._client.build_request(method, url, headers=headers)
        response = await self._client.send(request, auth=self.credentials.get(origin_of(url)), stream=True)
        try:
            if response.status_code == 429 or response.status_code >= 500:
                raise ServerError(response)
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            is_read = is_read or (method == "GET" and kind in PAGES and self.is_ours(url))
            is_read = is_read and response.is_success
            content = in_utf8(await _content(response), response.charset_encoding) if is_read else b""
        finally:
            await response.aclose()
        place = response.headers["Location"] if response.has_redirect_location else None
        location = None if place is None else resolve(url, place)[0].url
        return Answer(url, response.status_code, _status(response), location, kind, content)


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > _MAX_LENGTH:
            break
    return bytes(content)


def _may_change(error: Exception) -> bool | float:
    """Return whether another attempt may help, or the pause before it."""
    if isinstance(error, ServerError):
        return error.is_temporary if error.pause is None or not error.is_temporary else error.pause
    return isinstance(error, (TimeoutError, httpx.TransportError))


def _is_busy(error: Exception) -> bool | float:
    return isinstance(error, ServerError) and error.is_busy and _may_change(error)


def _unless_busy(error: Exception) -> None:
    if isinstance(error, ServerError) and error.is_busy:
        raise error


def _seconds(text: str) -> float | None:
    """Return the seconds that the value of Retry-After stands for: it is a number or a date."""
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()
