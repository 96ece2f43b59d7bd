"""One address of the web, asked for by httpx; stamina asks again, and aiolimiter keeps the pace."""

from argparse import Namespace
from collections.abc import Awaitable, Callable, Container
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import stamina
from aiolimiter import AsyncLimiter

from addresses import Credentials, host_of, origin_of, resolve
from aiopromise import Promise, promisify
from page import PAGES, decoded

__all__ = ["AGENT", "FAILURES", "Answer", "BusyError", "Web"]

Ask = Callable[[str, str], Promise["Answer"]]
Allow = Callable[[str], Awaitable[None]]

AGENT: Final = "linkcheck"

# What a request may be rejected with; a ValueError says that the address is none.
FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError)

_MOST_REDIRECTS: Final = 10

# Of a page without end this much is read.
_LONGEST: Final = 2**24

# A server that wants to be left alone for longer is left alone.
_PATIENCE: Final = 30.0

_DIRECT: Final = dict.fromkeys(["all://localhost", "all://127.0.0.1", "all://[::1]"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server has to say about an address."""

    url: str
    code: int
    status: str
    location: str | None
    kind: str
    text: str


class BusyError(httpx.HTTPError):
    """The server has too much to do, or is in trouble, and may have less later."""

    def __init__(self, answer: httpx.Response) -> None:
        self.code = answer.status_code
        self.wait = _seconds(answer.headers.get("Retry-After", ""))
        wants_rest = self.wait is not None and self.wait > _PATIENCE
        super().__init__(_status(answer) + (f", and wants {self.wait:g} seconds of rest" if wants_rest else ""))


class Web:
    """Asks servers, reads pages of *site* once it is known, and sends to the host of the start what is meant for it."""

    def __init__(self, start: str, credentials: Credentials | None, options: Namespace) -> None:
        self.site: str | None = None
        self.credentials = {origin_of(start): credentials} if credentials else {}
        self._host = host_of(start)
        self._headers = options.header
        self._patience = options.timeout
        self._pace = AsyncLimiter(1, 1 / options.rate) if options.rate else nullcontext()
        self._client = httpx.AsyncClient(
            headers={"User-Agent": AGENT},
            limits=httpx.Limits(max_connections=options.concurrency + 1),
            mounts=_DIRECT,
            timeout=None,
            verify=not options.insecure,
        )
        retry = stamina.retry(
            on=_may_change, attempts=options.retries + 1, timeout=None, wait_initial=0.25, wait_jitter=0.25
        )
        self._persist = promisify(retry(self.ask))
        stamina.instrumentation.set_on_retry_hooks([])  # the report tells what is to be told
        self.close = promisify(self._client.aclose)

    def get(self, url: str, allow: Allow) -> Promise[Answer]:
        """Return a promise for the answer of *url*, after redirects to where *allow* does not raise."""
        return self._follow(self._persist, "GET", url, allow)

    def head(self, url: str, allow: Allow) -> Promise[Answer]:
        """Return a promise for the answer of *url* without its content; where HEAD is refused, GET is asked for."""
        return (
            self._follow(promisify(self.ask), "HEAD", url, allow)
            .catch(FAILURES, lambda _: None)
            .then(lambda answer: answer if answer and answer.code < 400 else self.get(url, allow))
        )

    def _follow(self, ask: Ask, method: str, url: str, allow: Allow, redirects: int = 0) -> Promise[Answer]:
        def redirect(answer: Answer) -> Answer | Promise[Answer]:
            if answer.location is None:
                return answer
            if redirects == _MOST_REDIRECTS:
                raise httpx.TooManyRedirects(f"more than {_MOST_REDIRECTS} redirects")
            return self._follow(ask, method, answer.location, allow, redirects + 1)

        return Promise.resolve(allow(url)).then(lambda _: ask(method, url)).then(redirect)

    async def ask(self, method: str, url: str, kinds: Container[str] = ()) -> Answer:
        """Return the answer of *url*, asked once, with the content of pages of the site, and of *kinds*.

        Raises:
            BusyError: the server has too much to do, or has failed.
            TimeoutError: it has taken too long.
        """
        async with self._pace:
            pass
        return await Promise(self._exchange(method, url, kinds)).timeout(self._patience)

    async def _exchange(self, method: str, url: str, kinds: Container[str]) -> Answer:
        origin = origin_of(url)
        is_ours = self.site in {None, origin}
        request = self._client.build_request(method, url, headers=self._headers if host_of(url) == self._host else None)
        response = await self._client.send(request, auth=self.credentials.get(origin), stream=True)
        try:
            if response.status_code == 429 or response.status_code >= 500:
                raise BusyError(response)
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            is_read = method == "GET" and response.is_success and (kind in kinds or (is_ours and kind in PAGES))
            text = decoded(await _beginning(response), response.charset_encoding) if is_read else ""
        finally:
            await response.aclose()
        return Answer(url, response.status_code, _status(response), self._location(url, response), kind, text)

    def _location(self, url: str, response: httpx.Response) -> str | None:
        if not response.has_redirect_location:
            return None
        return resolve(url, response.headers["Location"])[0].url


async def _beginning(response: httpx.Response) -> bytes:
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > _LONGEST:
            break
    return bytes(content[:_LONGEST])


def _may_change(error: Exception) -> bool | float:
    """Return whether asking again may help, or after how many seconds."""
    if isinstance(error, BusyError):
        return error.wait is None or (error.wait <= _PATIENCE and error.wait)
    return isinstance(error, (TimeoutError, httpx.TransportError))


def _seconds(text: str) -> float | None:
    """Return what *text*, the value of Retry-After, is in seconds: it may be a number or a date."""
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()
