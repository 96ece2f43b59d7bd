"""What a page refers to, and the anchors on it (selectolax)."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from addresses import WEB, Credentials, Reference, origin_of, resolve, scheme_of, without_credentials

__all__ = ["PAGES", "Page", "in_utf8", "read"]

_CSS: Final = "text/css"

# The content types that are read for references.
PAGES: Final = frozenset({"text/html", "application/xhtml+xml", _CSS})

# The attributes that refer to something, by element.
_ATTRIBUTES: Final = {
    "a": ["href"],
    "area": ["href"],
    "audio": ["src"],
    "embed": ["src"],
    "frame": ["src"],
    "iframe": ["src"],
    "img": ["src", "srcset"],
    "link": ["href"],
    "object": ["data"],
    "script": ["src"],
    "source": ["src", "srcset"],
    "track": ["src"],
    "video": ["src", "poster"],
}
_REFERRING: Final = ",".join([*_ATTRIBUTES, "meta[http-equiv]", "style", "[style]"])

# These links only name a host, and request nothing.
_HINTS: Final = {"preconnect", "dns-prefetch"}

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

_CHARSET: Final = re.compile(r"charset\s*=\s*['\"]?([\w.:-]+)", re.IGNORECASE)
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(slots=True)
class Page:
    """What a page refers to, its anchors, and how many of its links have other schemes than http and https."""

    references: dict[Reference, None] = field(default_factory=dict)
    anchors: set[str] = field(default_factory=set)
    others: Counter[str] = field(default_factory=Counter)
    credentials: dict[str, Credentials] = field(default_factory=dict)

    def add(self, base: str, href: str) -> None:
        try:
            reference, found = resolve(base, href)
        except ValueError:
            self.references[Reference(without_credentials(href))] = None  # so that it is reported as dead
            return
        if scheme_of(reference.url) not in WEB:
            self.others[scheme_of(reference.url)] += 1
            return
        self.references[reference] = None
        if found:
            self.credentials[origin_of(reference.url)] = found


def read(url: str, kind: str, content: bytes, *, fragments: bool) -> Page:
    """Return the page at *url* with this *content*, in UTF-8; with *fragments* it has its anchors, '' among them."""
    page = Page()
    if kind == _CSS:
        base, hrefs = url, dict.fromkeys(_in_css(content.decode()))
    else:
        base, hrefs, anchors = _in_html(url, content)
        if fragments:
            page.anchors = anchors
    for href in hrefs:
        page.add(base, href)
    return page


def _in_html(url: str, content: bytes) -> tuple[str, dict[str, None], set[str]]:
    # Apart, so that the tree, which is ten times as large as the content, is gone before the page is made.
    tree = LexborHTMLParser(content)
    hrefs = dict.fromkeys(href for node in tree.css(_REFERRING) for href in _in_element(node))
    named = {node.attributes["name"] for node in tree.css("a[name]")}
    return _base_of(tree, url), hrefs, {name or "" for name in named.union(node.id for node in tree.css("[id]"))} | {""}


def in_utf8(content: bytes, charset: str | None) -> bytes:
    """Return *content* in UTF-8, decoded according to its byte order mark, the server's *charset*, or its own."""
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    try:
        return content.decode(marked or charset or _stated(content) or "utf-8", errors="replace").encode()
    except LookupError:
        return content.decode(errors="replace").encode()


def _stated(content: bytes) -> str | None:
    for meta in LexborHTMLParser(content[:1024]).css("meta"):
        if stated := _CHARSET.search(meta.html or ""):
            # A page in UTF-16 could not be read as far as this, so browsers take it for a mistake.
            return None if stated[1].lower().startswith("utf-16") else stated[1]
    return None


def _base_of(tree: LexborHTMLParser, url: str) -> str:
    base = tree.css_first("base[href]")
    try:
        return url if base is None else resolve(url, base.attributes["href"] or "")[0].url
    except ValueError:
        return url


def _in_element(node: LexborNode) -> Iterator[str]:
    attributes = node.attributes
    yield from _in_css(attributes.get("style") or "")
    if node.tag == "style":
        yield from _in_css(node.text())
    elif node.tag == "meta":
        refresh = _REFRESH.match((attributes.get("content") or "").strip())
        if refresh and (attributes["http-equiv"] or "").lower() == "refresh":
            yield refresh[refresh.lastindex or 0]
    elif node.tag != "link" or _HINTS.isdisjoint((attributes.get("rel") or "").lower().split()):
        for name in _ATTRIBUTES.get(node.tag or "", ()):
            value = (attributes.get(name) or "").strip()
            if name == "srcset":
                yield from _CANDIDATE.findall(value.rstrip(", \t\n\f\r"))
            elif value:
                yield value


def _in_css(text: str) -> Iterator[str]:
    for found in _ADDRESS.findall(_NO_ADDRESS.sub("", text)) if text else ():
        href = "".join(found)
        # A fragment alone refers to the document that is styled.
        if href and not href.startswith("#"):
            yield href
