"""What is found about a link."""

import os
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

import httpx

from addresses import origin_of
from page import Page
from web import MAX_PAUSE, SkippedError, retry_after

Verdict = Literal["alive", "dead", "skipped"]


class UnreachableError(Exception):
    """The server of the site does not answer, so its links cannot be checked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on a link, the address after redirects, and the page there, if it is one of the site."""

    url: str
    verdict: Verdict
    detail: str
    place: str
    page: Page | None = None


def explain(url: str, error: Exception, site: str | None) -> Finding:
    """Return the verdict on *url*, a link of *site*, which could not be visited because of *error*.

    Raises:
        UnreachableError: the server of the site could not be reached, which is not about the one link.
    """
    detail = _in_words(error)
    status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
    if status not in {None, 429}:
        return Finding(url, "dead", detail, url)
    if site is None:
        raise UnreachableError(f"{url} cannot be reached: {detail}") from error
    if status or isinstance(error, SkippedError):
        return Finding(url, "skipped", detail, url)
    if isinstance(error, httpx.ConnectError) and origin_of(str(error.request.url)) == site:
        raise UnreachableError(f"the server of the site died in the middle: {detail}") from error
    return Finding(url, "dead", detail, url)


def _in_words(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError):
        return f"no connection: {_reason(error)}"
    text = " ".join(str(error).split()) or type(error).__name__
    pause = retry_after(error.response) if isinstance(error, httpx.HTTPStatusError) else None
    return text if pause is None or pause <= MAX_PAUSE else f"{text}, retry after {pause:g} seconds"


def _reason(error: BaseException) -> str:
    """Return the message of the operating system, which httpx and its transport have wrapped."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, OSError) and error.errno and not isinstance(error, (ssl.SSLError, socket.gaierror)):
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)
