"""Where a page leads to."""

from html.parser import HTMLParser
from typing import Final

from addresses import absolute

__all__ = ["links_of"]

# Where a tag says where it leads.
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
        # It is not told of the end: of what is begun and never ended, no link can be had, only time be lost.
        parser.feed(text)
    except AssertionError:
        pass  # it gives up so on some garbage; the links before that count
    return list(parser.links)


class _LinkParser(HTMLParser):
    """Collects where the tags of a page lead; a ``<base>`` changes where from."""

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
