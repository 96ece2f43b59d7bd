"""What a page refers to, and the anchors on it (selectolax)."""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser

from addresses import WEB, Credentials, Reference, origin_of, resolve, scheme_of, without_credentials

# The content types that are read for references.
PAGES: Final = frozenset({"text/html", "application/xhtml+xml", "text/css"})

_MARKS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

# A page may be made to take forever to read: nothing is looked at again (*+), and what has no end ends with the text.
_CANDIDATE: Final = re.compile(r"[\s,]*+(\S*[^\s,])(?:,|\s[^,]*|$)")
_REFRESH: Final = re.compile(
    r"""[\s\d.]++[;,]?+\s*+(?:url\s*+=\s*+)?+(?:"([^"]*)|'([^']*)|([^"'].*))""", re.IGNORECASE | re.DOTALL
)
# A namespace looks like an address, but is not requested.
_NO_ADDRESS: Final = re.compile(r"/\*.*?(?:\*/|$)|@namespace[^;]*", re.DOTALL | re.IGNORECASE)
_ADDRESS: Final = re.compile(
    r"""\burl\(\s*(?:"([^"]*)"|'([^']*)'|([^\s"')]+))|@import\s+(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE
)


def _whole(text: str) -> list[str]:
    return [text]


def _in_srcset(text: str) -> list[str]:
    return _CANDIDATE.findall(text.rstrip(", \t\n\f\r"))


def _in_refresh(text: str) -> list[str]:
    return ["".join(found.groups("")) for found in [_REFRESH.match(text)] if found]


def _in_css(text: str) -> list[str]:
    # A fragment alone refers to the document that is styled.
    hrefs = map("".join, _ADDRESS.findall(_NO_ADDRESS.sub("", text)))
    return [href for href in hrefs if not href.startswith("#")]


# Which attributes refer to something, of which elements, and how to find the addresses in them. A preconnect or
# dns-prefetch only names a host, and requests nothing.
_REFERRING: Final[list[tuple[str, str, Callable[[str], Iterable[str]]]]] = [
    ("a, area, link:not([rel~=preconnect i], [rel~=dns-prefetch i])", "href", _whole),
    ("script, img, iframe, frame, source, video, audio, track, embed", "src", _whole),
    ("object", "data", _whole),
    ("video", "poster", _whole),
    ("img, source", "srcset", _in_srcset),
    ("meta[http-equiv=refresh i]", "content", _in_refresh),
    ("[style]", "style", _in_css),
]


@dataclass(slots=True)
class Page:
    """What a page refers to, its anchors, '' among them, and how many links have other schemes than http and https."""

    references: dict[Reference, None] = field(default_factory=dict)
    anchors: set[str] = field(default_factory=set)
    others: Counter[str] = field(default_factory=Counter)
    credentials: dict[str, Credentials] = field(default_factory=dict)

    def add(self, base: str, href: str) -> None:
        try:
            reference, credentials = resolve(base, href)
        except ValueError:
            self.references[Reference(without_credentials(href))] = None  # so that it is reported as dead
            return
        if (scheme := scheme_of(reference.url)) not in WEB:
            self.others[scheme] += 1
            return
        self.references[reference] = None
        if credentials:
            self.credentials[origin_of(reference.url)] = credentials


def read(url: str, kind: str, content: bytes, charset: str | None) -> Page:
    """Return the page at *url*; *charset* is what its server states, and its byte order mark precedes that."""
    text: str | bytes = content
    with suppress(LookupError):
        if charset := next((name for mark, name in _MARKS.items() if content.startswith(mark)), charset):
            text = content.decode(charset, errors="replace")
    page = Page()
    if kind == "text/css":
        hrefs = _in_css(text if isinstance(text, str) else text.decode(errors="replace"))
    else:
        url, hrefs, page.anchors = _parse(url, text)
    for href in filter(None, map(str.strip, dict.fromkeys(hrefs))):
        page.add(url, href)
    return page


def _parse(url: str, text: str | bytes) -> tuple[str, list[str], set[str]]:
    """Return the base address of a page, its links, and its anchors, without the tree, ten times as large."""
    tree = LexborHTMLParser(text, encoding=True)
    values = [(node.attributes.get(name), find) for query, name, find in _REFERRING for node in tree.css(query)]
    values += [(node.text(), _in_css) for node in tree.css("style")]
    hrefs = [href for value, find in values if value for href in find(value)]
    with suppress(ValueError):
        if base := tree.css_first("base[href]"):
            url = resolve(url, base.attributes["href"] or "")[0].url
    named = {node.id for node in tree.css("[id]")} | {node.attributes["name"] for node in tree.css("a[name]")}
    anchors = {anchor for anchor in named if anchor}
    # Browsers look for a fragment as it is written, too, so an id may be quoted itself.
    return url, hrefs, anchors | {unquote(anchor) for anchor in anchors if "%" in anchor} | {""}
