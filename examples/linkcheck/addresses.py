"""Addresses, resolved as browsers do, in a normal form in which they can be compared."""

import re
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from socket import AI_NUMERICHOST, getaddrinfo
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

WEB: Final = {"http": ":80", "https": ":443"}

# Browsers strip these from both ends, and remove those everywhere.
_BLANKS: Final = "".join(map(chr, range(33)))
_BREAKS: Final = dict.fromkeys(map(ord, "\t\n\r"))

# Characters with a meaning in an address, and % of what is already quoted.
_UNQUOTED: Final = "/?&=%:+,;@!$'()*~|[]"

_CREDENTIALS: Final = re.compile(r"^\s*+((?:https?:)?[/\\]*+)[^/\\?#]*@", re.IGNORECASE)

Credentials = tuple[str, str]


class Reference(NamedTuple):
    """An address, without name and password, and a fragment of the page there."""

    url: str
    fragment: str = ""


def resolve(base: str, href: str) -> tuple[Reference, Credentials | None]:
    """Return the address that *href* on the page *base* refers to, and the name and password in it.

    Raises:
        ValueError: it is not a valid address.
    """
    place, _, fragment = href.strip(_BLANKS).translate(_BREAKS).partition("#")
    url, credentials = _join(base, place)
    return Reference(url, _anchor(unquote(fragment))), credentials


@lru_cache(1024)
def _join(base: str, href: str) -> tuple[str, Credentials | None]:
    # Cached, as an index refers to many parts of each page.
    path, question, query = href.partition("?")
    address = urlsplit(urljoin(base, path.replace("\\", "/") + question + query))
    if address.scheme not in WEB:
        return href, None
    if not address.hostname or address.port == 0:  # the port raises ValueError if it is not a number
        raise ValueError("no host")
    host = address.netloc.rpartition("@")[2].lower().removesuffix(WEB[address.scheme])
    place, query = (quote(part, safe=_UNQUOTED) for part in (address.path or "/", address.query))
    credentials = (unquote(address.username), unquote(address.password or "")) if address.username else None
    return urlunsplit((address.scheme, host, place, query, "")), credentials


def _anchor(fragment: str) -> str:
    """Return the id that *fragment* refers to, or nothing: if it is the top, a text to find, or a script's route."""
    fragment = fragment.partition(":~:")[0]
    return "" if fragment.lower() == "top" or fragment.startswith(("/", "!")) else fragment


def scheme_of(url: str) -> str:
    """Return what is before the colon, in lower case."""
    return url.partition(":")[0].lower()


def origin_of(url: str) -> str:
    """Return the scheme, host and port of *url*, which identify its server."""
    return "/".join(url.split("/", 3)[:3])


def host_of(url: str) -> str:
    """Return the host of *url*."""
    return urlsplit(url).hostname or ""


def is_loopback(url: str) -> bool:
    """Return whether the host of *url* is this machine, in any of the forms that resolvers accept."""
    host = host_of(url).removesuffix(".")
    with suppress(OSError, ValueError):  # it is not a number, such as 127.1, 0x7f.1 or 2130706433
        address = ip_address(getaddrinfo(host, None, flags=AI_NUMERICHOST)[0][4][0])
        address = getattr(address, "ipv4_mapped", None) or address
        return address.is_loopback or address.is_unspecified
    return host == "localhost" or host.endswith(".localhost")


def without_credentials(text: str) -> str:
    """Return *text*, which need not be a valid address, without the name and password in it."""
    return _CREDENTIALS.sub(r"\1", text)
