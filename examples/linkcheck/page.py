"""The links of a page."""

from html.parser import HTMLParser
from typing import Final

from addresses import absolute

__all__ = ["links_of"]

# The attributes of tags that contain addresses.
_ATTRIBUTES: Final = {
    "a": "href",
    "area": "href",
    "frame": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "script": "src",
}


def links_of(url: str, text: str) -> list[str]:
    """Return the addresses to which the page *text* at *url* leads, each once, in the order of the page."""
    parser = _LinkParser(url)
    try:
        # close() is not called: unfinished markup contains no links, and would only cost time.
        parser.feed(text)
    except AssertionError:
        pass  # raised for some garbage; the links before that count
    return list(parser.links)


class _LinkParser(HTMLParser):
    """Collects the addresses in a page's tags; a ``<base>`` changes what they are relative to."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._page = self._base = url
        self.links: dict[str, None] = {}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag == "base" and (base := named.get("href")):
            self._base = absolute(self._page, base)
        elif (href := named.get(_ATTRIBUTES.get(tag, ""))) is not None:
            self.links[absolute(self._base, href)] = None
