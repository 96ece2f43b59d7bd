"""One web address, requested over asyncio's streams: cancelling the request closes its connection."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException, HTTPResponse, IncompleteRead
from io import BytesIO
from typing import Final
from urllib.parse import SplitResult, urlsplit

from addresses import Server, absolute, server_of
from aiopromise import Promise
from retry import FinalError

__all__ = ["FAILURES", "Answer", "ConnectError", "fetch", "follow", "probe"]

# What a request may be rejected with: a ValueError means that the address is invalid.
FAILURES: Final = (OSError, HTTPException, ValueError)

# How much is read of an endless page.
_LONGEST: Final = 2**22

_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_MOST_REDIRECTS: Final = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's response for an address."""

    url: str
    status: str
    location: str | None
    text: str


class ConnectError(OSError):
    """No server could be reached there."""

    def __init__(self, server: Server, error: OSError) -> None:
        _, host, port = server
        super().__init__(f"no connection to {host}:{port}: {_reason(error)}")
        self.server = server


Ask = Callable[[str], Promise[Answer]]


def fetch(url: str) -> Promise[Answer]:
    """Return a promise for the response of *url*, with its text if it is a page; rejected if it is an error."""
    return Promise(_exchange(_LONGEST, url))


def probe(url: str) -> Promise[Answer]:
    """Return a promise for the response headers of *url*, without any text; rejected if it is an error."""
    return Promise(_exchange(0, url))


def follow(ask: Ask, url: str, allow: Callable[[str], None], redirects: int = _MOST_REDIRECTS) -> Promise[Answer]:
    """Return a promise for the response of *url* after redirects; *allow* raises if one is not allowed."""

    def redirect(answer: Answer) -> Answer | Promise[Answer]:
        if answer.location is None:
            return answer
        if redirects == 0:
            raise FinalError(f"more than {_MOST_REDIRECTS} redirects")
        allow(answer.location)
        return follow(ask, answer.location, allow, redirects - 1)

    return ask(url).then(redirect)


async def _exchange(longest: int, url: str) -> Answer:
    reader, writer = await _connect(url)
    try:
        writer.write(_request(urlsplit(url)))
        head = await _head(reader)
        answer = _parsed(head)
        _refuse_error(answer)
        if longest and answer.headers.get_content_type() in _PAGES:
            text = _text(head + await _body(reader, answer, longest), longest)
        else:
            text = ""
    finally:
        writer.transport.abort()
    return Answer(url, _status(answer), _location(url, answer), text)


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    server = server_of(url)
    scheme, host, port = server
    try:
        return await asyncio.open_connection(host, port, ssl=_certificates() if scheme == "https" else None)
    except ssl.SSLError:
        raise  # there is a server
    except OSError as error:
        raise ConnectError(server, error) from error


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()


def _request(address: SplitResult) -> bytes:
    target = (address.path or "/") + (address.query and f"?{address.query}")
    host = address.netloc.rpartition("@")[2].encode("idna")
    fields = b"Host: %b\r\nUser-Agent: linkcheck\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close"
    return b"GET %b HTTP/1.1\r\n%b\r\n\r\n" % (target.encode("ascii"), fields % host)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        raise HTTPException("the head of the answer has no end") from error


async def _body(reader: asyncio.StreamReader, answer: HTTPResponse, longest: int) -> bytes:
    expected = longest if answer.length is None else min(answer.length, longest)
    try:
        return await reader.readexactly(expected)
    except asyncio.IncompleteReadError as error:
        if answer.length is not None:
            raise IncompleteRead(error.partial, expected - len(error.partial)) from None
        return error.partial


class _Received:
    """The socket that HTTPResponse expects, with all received data in it."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._received)


def _parsed(received: bytes) -> HTTPResponse:
    answer = HTTPResponse(_Received(received), method="GET")  # type: ignore[arg-type]  # it calls only makefile()
    answer.begin()
    return answer


def _text(received: bytes, longest: int) -> str:
    answer = _parsed(received)
    try:
        content = answer.read(longest)
    except IncompleteRead as error:
        if len(received) < longest:
            raise
        content = error.partial
    try:
        return content.decode(answer.headers.get_content_charset("utf-8"), errors="replace")
    except LookupError:
        return content.decode(errors="replace")


def _refuse_error(answer: HTTPResponse) -> None:
    if answer.status >= 500 or answer.status == 429:  # it is overloaded, and may be less so later
        raise HTTPException(_status(answer))
    if answer.status >= 400:
        raise FinalError(_status(answer))


def _status(answer: HTTPResponse) -> str:
    return f"{answer.status} {answer.reason}".strip()


def _location(url: str, answer: HTTPResponse) -> str | None:
    location = answer.headers["Location"] if answer.status in _REDIRECTS else None
    return None if location is None else absolute(url, location)


def _reason(error: OSError) -> str:
    if error.errno is not None and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    # asyncio tried several addresses, and lists them all.
    return "none of its addresses answers" if type(error) is OSError else error.strerror or str(error)
