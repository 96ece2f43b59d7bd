"""Addresses of the web, read as browsers read them, in the one form in which they are compared."""

from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

__all__ = ["WEB", "Credentials", "Reference", "host_of", "is_loopback", "origin_of", "resolve", "scheme_of"]

WEB: Final = {"http": ":80", "https": ":443"}

# What browsers strip from both ends, and what they leave out wherever it stands.
_BLANKS: Final = "".join(map(chr, range(33)))
_BREAKS: Final = dict.fromkeys(map(ord, "\t\n\r"))

# What has a meaning in an address, and what is quoted already.
_UNQUOTED: Final = "/?&=%:+,;@!$'()*~|[]"

Credentials = tuple[str, str]


class Reference(NamedTuple):
    """An address, to be shown and stored, and the place on the page there that is meant."""

    url: str
    fragment: str = ""


def resolve(base: str, href: str) -> tuple[Reference, Credentials | None]:
    """Return where *href* leads from *base*, and the name and the password that were in it.

    Raises:
        ValueError: it is an address that cannot be read.
    """
    href, _, fragment = href.strip(_BLANKS).translate(_BREAKS).partition("#")
    path, question, query = href.partition("?")
    address = urlsplit(urljoin(base, path.replace("\\", "/") + question + query))
    if address.scheme not in WEB:
        return Reference(href), None
    if not address.hostname or address.port == 0:  # which fails, too, if it is no number
        raise ValueError("the address names no host")
    host = address.netloc.rpartition("@")[2].lower().removesuffix(WEB[address.scheme])
    url = urlunsplit((address.scheme, host, _quoted(address.path or "/"), _quoted(address.query), ""))
    credentials = (unquote(address.username), unquote(address.password or "")) if address.username else None
    return Reference(url, _place(unquote(fragment))), credentials


def scheme_of(url: str) -> str:
    """Return what stands before the colon, in small letters."""
    return url.partition(":")[0].lower()


def origin_of(url: str) -> str:
    """Return the scheme, the host and the port of *url*, which name the server that is asked for it."""
    return "/".join(url.split("/", 3)[:3])


def host_of(url: str) -> str:
    """Return the host in *url*, whatever the scheme and the port."""
    return urlsplit(url).hostname or ""


def is_loopback(url: str) -> bool:
    """Return whether *url* leads to this machine by one of its own names."""
    host = host_of(url)
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _place(fragment: str) -> str:
    """Return what is to be found on a page: not its top, nor text to look for, nor what a script has names for."""
    fragment = fragment.partition(":~:")[0]
    return "" if fragment.lower() == "top" or fragment.startswith(("/", "!")) else fragment


def _quoted(text: str) -> str:
    return text if text.isascii() and text.isalnum() else quote(text, safe=_UNQUOTED)
