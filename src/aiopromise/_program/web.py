"""One address of the web, asked over asyncio's streams: to cancel the request is to close its connection."""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from aiopromise import Promise

__all__ = ["FAILURES", "SCHEMES", "ConnectError", "fetch", "probe", "server_of"]

SCHEMES: Final = {"http": 80, "https": 443}

# What a request may be rejected with: a ValueError says that the address is none.
FAILURES: Final = (OSError, HTTPException, ValueError)

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_MOST_REDIRECTS: Final = 5

Receive = Callable[[asyncio.StreamReader], Awaitable[bytes]]


Server = tuple[str, int]


class ConnectError(OSError):
    """No server could be reached there."""

    def __init__(self, server: Server, error: OSError) -> None:
        super().__init__(f"no connection to {server[0]}:{server[1]}: {_reason(error)}")
        self.server = server


def server_of(url: str) -> Server:
    """Return the host and the port that *url* names.

    Raises:
        ValueError: it is not an address of the web.
    """
    address = urlsplit(url)
    if address.scheme not in SCHEMES or not address.hostname:
        raise ValueError(f"an address begins with http:// or https:// and a host, got {url!r}")
    return address.hostname, address.port or SCHEMES[address.scheme]


def fetch(url: str) -> Promise[HTTPResponse]:
    """Return a promise for the whole answer of *url*, after redirects; its ``url`` is the last."""
    return _follow(asyncio.StreamReader.read, _MOST_REDIRECTS, url)


def probe(url: str) -> Promise[HTTPResponse]:
    """Return a promise for the head of the answer of *url*, after redirects; the body is not waited for."""
    return _follow(_head, _MOST_REDIRECTS, url)


def _follow(receive: Receive, redirects: int, url: str) -> Promise[HTTPResponse]:
    return Promise(_exchange(receive, url)).then(partial(_redirect, receive, redirects))


def _redirect(receive: Receive, redirects: int, answer: HTTPResponse) -> HTTPResponse | Promise[HTTPResponse]:
    location = answer.headers["Location"] if answer.status in _REDIRECTS else None
    if location is None:
        return answer
    if redirects == 0:
        raise HTTPException(f"more than {_MOST_REDIRECTS} redirects")
    return _follow(receive, redirects - 1, urljoin(answer.url, location))


async def _exchange(receive: Receive, url: str) -> HTTPResponse:
    reader, writer = await _connect(url)
    try:
        writer.write(_request(urlsplit(url)))
        received = await receive(reader)
    finally:
        writer.transport.abort()
    return _parse(url, received)


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    server = server_of(url)
    try:
        return await asyncio.open_connection(*server, ssl=urlsplit(url).scheme == "https" or None)
    except ssl.SSLError:
        raise  # somebody is there
    except OSError as error:
        raise ConnectError(server, error) from error


def _request(address: SplitResult) -> bytes:
    target = (address.path or "/") + (address.query and f"?{address.query}")
    host = address.netloc.rpartition("@")[2].encode("idna")
    head = b"GET %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: aiopromise\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    return head % (quote(target, safe="/?&=%:+,;@!$'()*~").encode(), host)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        raise HTTPException("the head of the answer has no end") from error


class _Received:
    """The socket that HTTPResponse expects, with all in it that has come."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._received)


def _parse(url: str, received: bytes) -> HTTPResponse:
    answer = HTTPResponse(_Received(received), method="GET")  # type: ignore[arg-type]  # it calls only makefile()
    answer.begin()
    answer.url = url
    return answer


def _reason(error: OSError) -> str:
    if error.errno is not None and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    # asyncio tried several addresses, and says so at length.
    return "none of its addresses answers" if type(error) is OSError else error.strerror or str(error)
