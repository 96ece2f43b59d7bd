"""Web addresses: the form in which they are compared, and the site that they belong to."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

__all__ = ["SCHEMES", "Server", "absolute", "is_loopback", "normal", "scheme_of", "server_of"]

SCHEMES: Final = {"http": 80, "https": 443}

# Characters with a meaning in an address, and what is already quoted.
_UNQUOTED: Final = "/?&=%:+,;@!$'()*~"

Server = tuple[str, str, int]


def scheme_of(url: str) -> str:
    """Return the scheme, in lower case."""
    return url.partition(":")[0].lower()


def server_of(url: str) -> Server:
    """Return the scheme, the host and the port that *url* names.

    Raises:
        ValueError: it is not an address of the web.
    """
    address = urlsplit(url)
    if address.scheme not in SCHEMES or not address.hostname:
        raise ValueError(f"an address begins with http:// or https:// and a host, got {url!r}")
    return address.scheme, address.hostname, address.port or SCHEMES[address.scheme]


def is_loopback(url: str) -> bool:
    """Return whether *url* leads to this machine, so that a request does not leave it."""
    host = server_of(url)[1]
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def absolute(base: str, href: str) -> str:
    """Return the address to which *href* leads from *base*, or *href* itself if that is not an address."""
    try:
        return normal(urljoin(base, href.strip()))
    except ValueError:
        return href.strip()


def normal(url: str) -> str:
    """Return *url* as it is compared: without fragment, quoted, the host in lower case, without a default port.

    Raises:
        ValueError: it cannot be read.
    """
    address = urlsplit(url)
    if address.scheme not in SCHEMES:
        return url
    host = address.netloc.lower().removesuffix(f":{SCHEMES[address.scheme]}")
    return urlunsplit((address.scheme, host, _quoted(address.path or "/"), _quoted(address.query), ""))


def _quoted(text: str) -> str:
    return quote(text, safe=_UNQUOTED)
