"""The link checker, on pages and servers that others of its kind have got wrong, as their public bug reports say."""

import socket
import zlib
from collections.abc import Callable, Iterator

import pytest

from linkcheck_site import Handler, Outcome, Page, links, moved, outcome, serving, status, typed

pytestmark = pytest.mark.slow

# A page, and what is dead of what it refers to; the site has /fine, whatever is asked of it.
PAGES: dict[str, tuple[str, set[str]]] = {
    # Parts of a page: lychee 1467, 1751, 1838; muffet 9, 30; htmltest 4.
    "quoted-id": ("<p id='a%3Ab'><a href='#a%3Ab'>", set()),
    "quoted-fragment": ("<p id='a:b'><a href='#a%3Ab'>", set()),
    "other-letters": ("<h2 id='まとめ'><a href='#%E3%81%BE%E3%81%A8%E3%82%81'><a href='#まとめ'>", set()),
    "dots-and-dashes": ("<p id=clear--><p id=method.detail><a href='#clear--'><a href='#method.detail'>", set()),
    "other-case": ("<p id=Part><a href='#part'>", {"/other-case/#part"}),
    "name-of-a-heading": ("<h2 name=part><a href='#part'>", {"/name-of-a-heading/#part"}),
    "top-in-any-case": ("<a href='#TOP'>", set()),
    "query-and-fragment": ("<p id=part><a href='?x=1#part'><a href='?x=2#gone'>", {"/query-and-fragment/?x=2#gone"}),
    "folder-and-fragment": ("<a href='/slash#part'><a href='/slash#gone'>", {"/slash#gone"}),
    "two-hashes": ("<p id='a#b'><a href='#a#b'>", set()),
    "empty-id": ("<p id><a href='#'>", set()),
    # The base: linkinator 108, muffet 30.
    "relative-base": ("<base href='../fine/'><a href=.><a href='../missing-1'>", {"/missing-1"}),
    "base-without-address": ("<base target=_blank><base href=/fine/><a href=x>", set()),
    "invalid-base": ("<base href='http://['><a href=/fine><a href=../missing-2>", {"/missing-2"}),
    "base-after-links": ("<a href=x><base href=/fine/>", set()),
    # Lists of pictures: linkinator 511.
    "comma-at-the-end": ("<img srcset='/fine 1x, /fine?2 2x,'>", set()),
    "data-in-a-list": ("<img srcset='data:image/png;base64,AA== 1x, /missing-3 2x'>", {"/missing-3"}),
    "list-of-lines": ("<img srcset='\n/fine 100w,\n\t/missing-4 200w\n'>", {"/missing-4"}),
    "list-without-sizes": ("<img srcset='/fine, /missing-5'>", {"/missing-5"}),
    # Addresses as people write them: muffet 9, broken-link-checker 142, LinkChecker 165.
    "space-in-a-query": ("<link rel=stylesheet href='/fine?family=Roboto:100, 200,300'>", set()),
    "parentheses": ("<a href='/fine/PIIS2215-0366(17)30328-0/fulltext'>", set()),
    "broken-over-lines": ("<a href='/mis\nsing-\n6'>", {"/missing-6"}),
    "entities": ("<a href='/echo?a=1&amp;b=2'>", set()),
    "no-entity": ("<a href='/echo?a=1&copy=2'>", set()),
    "unquoted-slash": ("<a href=/fine/>x</a>", set()),
    "capitals": ("<A HREF=/missing-7>", {"/missing-7"}),
    "without-scheme": ("<a href='//127.0.0.1:{port}/missing-8'>", {"/missing-8"}),
    "odd-letters": ("<a href='/fine/a|b[c]{{d}}^e`f'>", set()),
    "query-in-other-letters": ("<a href='/fine?q=naïve café'>", set()),
    "lone-surrogate": ("<a href='/fine?&#xD800;'>", set()),
    "zero-byte": ("<a href='/missing-9'\0>", {"/missing-9"}),
    # Schemes that are not of the web.
    "split-script": ("<a href='java\nscript:void(0)'><a href=' mailto:me@example.org'>", set()),
    "own-scheme": ("<a href='whatsapp://send?text=x'><a href='tel:+1 (2) 3'><a href='sms:1'>", set()),
    "blank-frame": ("<iframe src=about:blank></iframe><img src='blob:null/1'>", set()),
    # What is no link, and what is one.
    "conditional-comment": ("<!--[if IE]><link rel=stylesheet href=/never><![endif]-->", set()),
    "marked-section": ("<![CDATA[<a href=/never>]]>", set()),
    "without-script": ("<noscript><img src=/missing-11></noscript>", {"/missing-11"}),
    "form": ("<form action=/never><button formaction=/never></form><a href=/fine ping=/never>", set()),
    "canonical": ("<link rel='canonical' href='/missing-12'>", {"/missing-12"}),
    "nested": ("<a href=/fine><a href=/missing-13>", {"/missing-13"}),
    "unclosed": ("<div><p><table><a href=/missing-14", set()),
    "quoted-refresh": ("<meta http-equiv=refresh content=\"0; url='/missing-15'\">", {"/missing-15"}),
    "import-for-print": ("<style>@import url('/missing-16') print;</style>", {"/missing-16"}),
}


def hang_up_after(answer: bytes) -> Callable[[Handler], None]:
    """Send this, whatever the method, and end the connection."""

    def send(handler: Handler) -> None:
        handler.wfile.write(answer)
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    return send


def unless_head(code: int) -> Callable[[Handler], None]:
    """Refuse HEAD with a status."""
    return lambda handler: handler.answer(code if handler.command == "HEAD" else 200)


OTHER = "http://localhost:{port}"
ALIVE = ("alive", "200 OK")

# A server, and what is found about it.
SERVERS: dict[str, tuple[Page, tuple[str, str]]] = {
    # HEAD: broken-link-checker 114, django-linkcheck 224.
    f"{OTHER}/head-400": (unless_head(400), ALIVE),
    f"{OTHER}/head-403": (unless_head(403), ALIVE),
    f"{OTHER}/head-500": (unless_head(500), ALIVE),
    f"{OTHER}/head-501": (unless_head(501), ALIVE),
    f"{OTHER}/head-with-body": (hang_up_after(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), ALIVE),
    # Statuses: broken-link-checker 91, 231.
    "/refused": (status(999), ("dead", "999")),
    "/no-content": (b"HTTP/1.1 204 No Content\r\n\r\n", ("alive", "204 No Content")),
    "/no-reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ("alive", "200")),
    "/old": (b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<a href=/of-old>", ALIVE),
    "/of-old": ("", ALIVE),
    "/soon": (status(503, Retry_After="soon"), ("dead", "503 Service Unavailable")),
    # Redirects: linkinator 108, 529, 883.
    "/slash": (moved("/slash/"), ("alive", "200 OK, at {site}/slash/")),
    "/slash/": ("<p id=part><a href=child>", ALIVE),
    "/slash/child": ("", ALIVE),
    "/to-query": ("", ("alive", "200 OK, at {site}/to-query?yes")),
    "/to-part": (moved("/slash/#part"), ("alive", "200 OK, at {site}/slash/")),
    "/to-space": (moved("/fine/a b"), ("alive", "200 OK, at {site}/fine/a%20b")),
    "/to-mail": (moved("mailto:me@example.org"), ("dead", "For absolute URLs, path must be empty or begin with '/'")),
    # Content.
    "/loud": (typed("Text/HTML;Charset=UTF-8", "<a href=/of-loud>"), ALIVE),
    "/of-loud": ("", ALIVE),
    "/untyped": (b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<a href=/never>", ALIVE),
    "/deflated": (typed("text/html", zlib.compress(b"<a href=/of-deflated>"), Content_Encoding="deflate"), ALIVE),
    "/of-deflated": ("", ALIVE),
    "/odd-cookie": (lambda handler: handler.answer(200, Set_Cookie="=;;a=\x01; Expires=never"), ALIVE),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Outcome, str, list[str]]]:
    """Check one site that has all of them."""

    def query(handler: Handler) -> None:
        handler.answer(200 if handler.path in {"/echo?a=1&b=2", "/echo?a=1&copy=2"} else 404)

    def move_to_query(handler: Handler) -> None:
        if handler.path.endswith("?yes"):
            handler.answer()
        else:
            handler.answer(302, Location="?yes")

    pages: dict[str, Page] = {name.removeprefix(OTHER): page for name, (page, _) in SERVERS.items()}
    pages |= {f"/{name}/": page for name, (page, _) in PAGES.items()}
    pages |= {"/echo": query, "/to-query": move_to_query, "/": links(*(f"/{name}/" for name in PAGES), *SERVERS)}
    with serving(Fine(pages)) as site:
        told = outcome(site.address(), "--concurrency", "20", folder=tmp_path_factory.mktemp("found"))
        yield told, site.address(""), site.asked


class Fine(dict[str, Page]):
    """Pages, and one for each address below /fine."""

    def get(self, path: str, default: Page | None = None) -> Page | None:
        """Return the page."""
        return "" if path.startswith("/fine") else super().get(path, default)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_dead_on_a_page_is_found_and_nothing_else(name: str, found: tuple[Outcome, str, list[str]]) -> None:
    """Each of these was told of wrongly by a link checker, or not at all."""
    told, _, _ = found
    assert PAGES[name][1] == {url for url, pages in told.dead.items() if f"/{name}/" in pages}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_may_be_odd(name: str, found: tuple[Outcome, str, list[str]]) -> None:
    """What it answers is taken for what it means."""
    told, site, _ = found
    verdict, detail = SERVERS[name][1]
    assert (verdict, detail.replace("{site}", site)) == told.links[name.replace("{port}", site.rpartition(":")[2])]


def test_what_is_no_link_is_not_asked_for(found: tuple[Outcome, str, list[str]]) -> None:
    """Neither a comment, nor a form, nor what a server does not call a page."""
    assert "/never" not in found[2]
