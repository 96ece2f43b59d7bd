"""The link checker: what is alive, what is dead, and what is not asked for, by real servers over real sockets."""

import base64
import gzip
import socket
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from linkcheck_site import Handler, Outcome, Page, Site, links, moved, outcome, run, serving, status, typed

pytestmark = pytest.mark.slow


def once(first: Callable[[Handler], None], then: Page = "a page") -> Callable[[Handler], None]:
    """Answer the first time with one thing, later with another."""
    seen: set[str] = set()

    def answer(handler: Handler) -> None:
        if handler.path not in seen:
            seen.add(handler.path)
            first(handler)
        else:
            handler.answer(200, then)

    return answer


def only_get(refuse: Callable[[Handler], None]) -> Callable[[Handler], None]:
    """Answer GET alone."""
    return lambda handler: handler.answer() if handler.command == "GET" else refuse(handler)


def hang_up(handler: Handler) -> None:
    """End the connection without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def hop(handler: Handler) -> None:
    """Send on, and in the end let in who still has what was given on the way."""
    number = int(handler.path.rpartition("/")[2])
    if number:
        handler.answer(302, Location=f"{number - 1}", Set_Cookie=f"hop{number}=yes; Path=/")
    else:
        handler.answer(200 if "hop1=yes" in handler.headers.get("Cookie", "") else 403)


def in_parts(*parts: bytes) -> bytes:
    """Return an answer in chunks."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks


OTHER = "http://localhost:{port}"

# What is asked for, how it answers, and what is then said of it: a page of the site that is not listed here is missing.
CASES: dict[str, tuple[Page, tuple[str, str]]] = {
    "/fine": ("a page", ("alive", "200 OK")),
    "/missing": (status(404), ("dead", "404 Not Found")),
    "/broken": (status(500), ("dead", "500 Internal Server Error")),
    "/gone": (status(410), ("dead", "410 Gone")),
    "/moved": (moved("/fine"), ("alive", "200 OK, at {site}/fine")),
    "/interim-dead": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        ("dead", "404 Not Found"),
    ),
    "/interim-alive": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ("alive", "200 OK"),
    ),
    "/nowhere": (status(302), ("dead", "302 Found, without a Location")),
    "/endless": (moved("/endless"), ("dead", "more than 10 redirects")),
    "/hops/10": (hop, ("alive", "200 OK, at {site}/hops/0")),
    "/hops/11": (hop, ("dead", "more than 10 redirects")),
    "/busy": (once(status(429, Retry_After="1")), ("alive", "200 OK")),
    "/busy-until": (once(status(503, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT")), ("alive", "200 OK")),
    "/tired": (
        status(503, Retry_After="3600"),
        ("dead", "503 Service Unavailable, retry after 3600 seconds"),
    ),
    "/annoyed": (
        status(429, Retry_After="3600"),
        ("skipped", "429 Too Many Requests, retry after 3600 seconds"),
    ),
    "/flaky": (once(hang_up), ("alive", "200 OK")),
    "/silent": (hang_up, ("dead", "Server disconnected without sending a response.")),
    "/babbling": (b"good morning\r\n\r\n", ("dead", "illegal status line: bytearray(b'good morning')")),
    "/cut": (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nshort",
        ("dead", "peer closed connection without sending complete message body (received 5 bytes, expected 100)"),
    ),
    "/in-parts": (in_parts(b"<a hr", b"ef=/of-parts>", b""), ("alive", "200 OK")),
    "/of-parts": (typed("text/plain"), ("alive", "200 OK")),
    "/zipped": (
        typed("text/html", gzip.compress(b"<a href=/of-zipped>"), Content_Encoding="gzip"),
        ("alive", "200 OK"),
    ),
    "/of-zipped": ("", ("alive", "200 OK")),
    "/badly-zipped": (
        typed("text/html", b"<a href=/never>", Content_Encoding="gzip"),
        ("dead", "Error -3 while decompressing data: incorrect header check"),
    ),
    "/plain.txt": (typed("text/plain", "<a href=/never>"), ("alive", "200 OK")),
    "/base": ("<base href=/first/><base href=/second/><a href=in-base>", ("alive", "200 OK")),
    "/first/in-base": ("", ("alive", "200 OK")),
    "/twice": ("<a href=/first-of-two href=/never>", ("alive", "200 OK")),
    "/first-of-two": ("", ("alive", "200 OK")),
    "/told": (typed("text/html; charset=latin-1", "<a href='/tőld'>".encode("iso-8859-2")), ("alive", "200 OK")),
    "/t%C3%B5ld": ("", ("alive", "200 OK")),
    "/tagged": (
        typed("text/html", "<meta charset=cp1251><a href='/тег'>".encode("cp1251")),
        ("alive", "200 OK"),
    ),
    "/%D1%82%D0%B5%D0%B3": ("", ("alive", "200 OK")),
    "/tagged-loudly": (
        typed(
            "text/html",
            "<META HTTP-EQUIV=Content-Type CONTENT='Text/HTML; CHARSET=cp1251; x=y'><a href='/тег'>".encode("cp1251"),
        ),
        ("alive", "200 OK"),
    ),
    # What can be read as far as this is not UTF-16, as browsers know.
    "/tagged-wrongly": (typed("text/html", "<meta charset=utf-16><a href='/žluť'>".encode()), ("alive", "200 OK")),
    "/%C5%BElu%C5%A5": ("", ("alive", "200 OK")),
    "/marked": (
        typed("text/html; charset=latin-1", b"\xff\xfe" + "<a href='/mårked'>".encode("utf-16-le")),
        ("alive", "200 OK"),
    ),
    "/m%C3%A5rked": ("", ("alive", "200 OK")),
    "/unknown": (typed("text/html; charset=klingon", "<a href='/qapla'>"), ("alive", "200 OK")),
    "/qapla": ("", ("alive", "200 OK")),
    "/no-links": (
        "<title><a href=/never></title><textarea><a href=/never></textarea><!-- <a href=/never> --><script>"
        "'<a href=/never>'</script><template><a href=/never></template>",
        ("alive", "200 OK"),
    ),
    "/odd": (
        r"<a href='\back\slash?a\b'> <a href=' /with space '> <a href='/new&#10;line'> <a href='x/../dots'>",
        ("alive", "200 OK"),
    ),
    "/back/slash?a%5Cb": ("", ("alive", "200 OK")),
    "/with%20space": ("", ("alive", "200 OK")),
    "/newline": ("", ("alive", "200 OK")),
    "/dots": ("", ("alive", "200 OK")),
    "/torn": ("<a href=/of-torn><![garbage[ <a href=/of-torn>" + "<!--" * 10_000, ("alive", "200 OK")),
    "/of-torn": ("", ("alive", "200 OK")),
    f"{OTHER}/elsewhere": (only_get(status(405)), ("alive", "200 OK")),
    f"{OTHER}/rude": (only_get(hang_up), ("alive", "200 OK")),
    f"{OTHER}/forgetful": (only_get(status(404)), ("alive", "200 OK")),
    f"{OTHER}/polite": ("", ("alive", "200 OK")),
    f"{OTHER}/busy-elsewhere": (once(status(503, Retry_After="1")), ("alive", "200 OK")),
    f"{OTHER}/annoyed-elsewhere": (
        status(429, Retry_After="3600"),
        ("skipped", "429 Too Many Requests, retry after 3600 seconds"),
    ),
    f"{OTHER}/missing": (status(404), ("dead", "404 Not Found")),
    f"{OTHER}/detour": (moved("http://127.0.0.1:{port}/of-detour"), ("alive", "200 OK, at {site}/of-detour")),
    "http://[wrong": ("", ("dead", "Invalid IPv6 URL")),
    "http://127.0.0.1:port/": ("", ("dead", "Port could not be cast to integer value as 'port'")),
    "http://127.0.0.1:1/": ("", ("dead", "no connection: Connection refused")),
}
# Where a case is told of without a link on the first page: another page has led there.
FOUND = {
    *("/of-parts", "/of-zipped", "/first/in-base", "/first-of-two", "/t%C3%B5ld", "/%D1%82%D0%B5%D0%B3"),
    *(
        "/%C5%BElu%C5%A5",
        "/m%C3%A5rked",
        "/qapla",
        "/back/slash?a%5Cb",
        "/with%20space",
        "/newline",
        "/dots",
        "/of-torn",
    ),
}


class Checked:
    """The site with all cases, and what was found there."""

    def __init__(self, site: Site, found: Outcome, times: list[float]) -> None:
        self.site = site
        self.found = found
        self.times = times


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    """Check one site that has all cases."""
    times: list[float] = []

    def timed(handler: Handler) -> None:
        times.append(time.monotonic())
        CASES["/busy"][0](handler)

    pages: dict[str, Page] = {name.removeprefix(OTHER).partition("?")[0]: page for name, (page, _) in CASES.items()}
    pages |= {f"/hops/{number}": hop for number in range(12)}
    pages |= {"/": links(*(set(CASES) - FOUND)), "/busy": timed, "/missing": status(404)}
    pages |= {"/of-detour": links("/of-the-other"), "/of-the-other": ""}
    with serving(pages) as site:
        folder = tmp_path_factory.mktemp("checked")
        yield Checked(site, outcome(site.address(), "--concurrency", "20", folder=folder), times)


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_is_what_a_browser_would_find(name: str, checked: Checked) -> None:
    """Each verdict comes with its reason."""
    verdict, detail = CASES[name][1]
    told = (verdict, detail.replace("{site}", checked.site.address("")))
    assert told == checked.found.links[checked.site.filled(name)]


def test_what_is_dead_is_named_and_makes_the_status(checked: Checked) -> None:
    """Whoever reads no more than the status knows that something is to be repaired."""
    dead = {checked.site.filled(name) for name, (_, (verdict, _)) in CASES.items() if verdict == "dead"}
    assert dead == set(checked.found.dead)
    assert 1 == checked.found.status


def test_nothing_is_asked_for_that_is_no_link(checked: Checked) -> None:
    """Titles, text fields, comments, scripts and second attributes are none, and other kinds of text are not read."""
    assert "/never" not in checked.site.asked


def test_head_is_asked_first_elsewhere_and_get_where_that_is_refused(checked: Checked) -> None:
    """A server that does not know HEAD, or forgets its pages for it, has no dead links."""
    asked = checked.site.asked
    for path in ("/elsewhere", "/rude", "/forgetful"):
        assert [f"HEAD {path}", path] == [one for one in asked if one.endswith(path)]
    assert ["HEAD /polite"] == [one for one in asked if one.endswith("/polite")]


def test_a_page_of_the_site_is_read_also_where_another_host_leads_to_it(checked: Checked) -> None:
    """What it links to is followed."""
    assert "/of-the-other" in checked.found.links


def test_a_busy_server_is_given_the_time_that_it_wants(checked: Checked) -> None:
    """It is asked again after Retry-After, and not before; one that wants hours is asked once."""
    assert [True] == [later - earlier >= 1 for earlier, later in pairwise(checked.times)]
    assert [1, 1] == [checked.site.asked.count(path) for path in ("/tired", "/annoyed")]
    head = "HEAD /busy-elsewhere"
    elsewhere = [one for one in checked.site.asked if "elsewhere" in one and one.partition("-")[1]]
    assert sorted([head, head, "HEAD /annoyed-elsewhere"]) == sorted(elsewhere)


def test_what_fails_is_tried_again_what_is_missing_is_not(checked: Checked) -> None:
    """A server in trouble gets two more chances."""
    assert [3, 3, 1] == [checked.site.asked.count(path) for path in ("/broken", "/silent", "/gone")]


def test_connections_stay_open(tmp_path: Path) -> None:
    """A page has ended where its length says so; the next one comes by the same connection."""
    ports: set[int] = set()

    def page(handler: Handler) -> None:
        ports.add(handler.client_address[1])
        handler.answer(200, links("/1", "/2", "/3"))

    with serving(dict.fromkeys(("/", "/1", "/2", "/3"), page)) as site:
        found = outcome(site.address(), "--concurrency", "1", folder=tmp_path)
        assert (0, 4, 1) == (found.status, len(found.links), len(ports))


def test_no_retries_means_none(tmp_path: Path) -> None:
    """The first failure counts."""
    with serving({"/": links("/broken"), "/broken": status(500)}) as site:
        assert ["/broken"] == list(outcome(site.address(), "--retries", "0", folder=tmp_path).dead)
        assert ["/", "/broken"] == site.asked


def test_an_answer_that_does_not_come_in_time_is_none(tmp_path: Path) -> None:
    """The limit is for each answer."""
    with serving({"/": links("/slow")}) as site:
        site.pages["/slow"] = site.hold
        found = outcome(site.address(), "--timeout", "3", "--retries", "0", folder=tmp_path)
        assert ("dead", "timed out after 3.0 seconds") == found.links["/slow"]


def test_name_and_password_are_sent_and_neither_shown_nor_stored(tmp_path: Path) -> None:
    """They go to the server that they were given for, and nowhere else."""
    expected = f"Basic {base64.b64encode(b'me:s3cr3t').decode()}"

    def guarded(handler: Handler) -> None:
        known = handler.headers.get("Authorization") == expected
        handler.answer(200 if known else 401, links("/more", "http://localhost:{port}/other"))

    with serving({"/": guarded, "/more": guarded, "/other": ""}) as site:
        ended = run(site.address().replace("://", "://me:s3cr3t@"), "-v", folder=tmp_path)
        assert (0, "") == (ended.returncode, ended.stderr)
        sent = dict(zip(site.asked, site.headers, strict=True))
        assert ["/", "/more"] == [path for path in sent if "Authorization" in sent[path]]
        assert {"/", "/more", "/robots.txt", "HEAD /other"} == set(sent)
    assert "s3cr3t" not in ended.stdout
    assert b"s3cr3t" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_name_and_a_password_in_a_link_are_used_too(tmp_path: Path) -> None:
    """As a browser does, and as quietly."""
    with serving({"/": "<a href='http://you:s3cr3t@localhost:{port}/guarded'>"}) as site:
        site.pages["/guarded"] = lambda handler: handler.answer(200 if "Authorization" in handler.headers else 401)
        found = outcome(site.address(), folder=tmp_path)
        assert ("alive", "200 OK") == found.links[f"http://localhost:{site.server_port}/guarded"]
    assert b"s3cr3t" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("start", ["http://me:s3cr3t@127.0.0.1:port/", "me:s3cr3t@example.org"])
def test_an_address_that_is_refused_is_shown_without_its_password(start: str) -> None:
    """What is printed may be kept in a log."""
    ended = run(start)
    assert (2, "") == (ended.returncode, ended.stdout)
    assert "s3cr3t" not in ended.stderr
    assert start.rpartition("@")[2] in ended.stderr


def test_a_password_in_an_invalid_link_is_neither_shown_nor_stored(tmp_path: Path) -> None:
    """The link is told of all the same."""
    with serving({"/": links("http://me:s3cr3t@[wrong", r"http:\\me:s3cr3t@127.0.0.1:port")}) as site:
        found = outcome(site.address(), folder=tmp_path)
    assert {"http://[wrong", r"http:\\127.0.0.1:port"} == set(found.dead)
    assert b"s3cr3t" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("http://127.0.0.1:1/", "http://127.0.0.1:1/ cannot be reached: no connection: Connection refused"),
        ("SITE", "SITE cannot be reached: timed out after 0.2 seconds"),
    ],
)
def test_a_start_that_cannot_be_reached_is_no_finding(start: str, reason: str, tmp_path: Path) -> None:
    """It is said in a sentence, and the exit status is 2."""
    with serving({}) as site:
        site.pages["/"] = site.hold
        start, reason = (text.replace("SITE", site.address()) for text in (start, reason))
        ended = run(start, "--retries", "0", "--timeout", "0.2", folder=tmp_path)
    assert (2, f"linkcheck: {reason}\n") == (ended.returncode, ended.stderr)


def test_a_start_that_is_missing_is_a_dead_link(tmp_path: Path) -> None:
    """Somebody has answered."""
    with serving({}) as site:
        found = outcome(site.address("/missing"), folder=tmp_path)
    assert (1, {"/missing": []}) == (found.status, found.dead)


def test_this_machine_needs_no_scheme(tmp_path: Path) -> None:
    """`localhost:8000` is what a server has printed."""
    with serving({"/": ""}) as site:
        ended = run(f"localhost:{site.server_port}", folder=tmp_path)
    assert (0, f"Checking http://localhost:{site.server_port}/") == (ended.returncode, ended.stdout.splitlines()[0])


# Every way to write it that a resolver understands.
LOOPBACK = [
    "127.0.0.1",
    "0.0.0.0",
    "127.1",
    "0x7f.1",
    "2130706433",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::]",
    "localhost.",
]

# What is asked of other hosts goes through a proxy, which is the server of the test.
WORLD: dict[str, Page] = {
    "http://site.test/": links(*(f"http://{host}:{{port}}/inner" for host in LOOPBACK), "http://other.test/1", "2"),
    "http://site.test/away": moved("http://localhost:{port}/inner"),
    "http://site.test/2": moved("http://localhost:{port}/inner"),
    "http://site.test/robots.txt": typed("text/plain", "User-agent: *\nDisallow: /"),
    "http://other.test/1": links("http://other.test/never"),
    "/inner": "",
}


def test_this_machine_is_not_asked_for_the_sake_of_another(tmp_path: Path) -> None:
    """A page of the web cannot make the checker look at what is behind the firewall."""
    with serving(WORLD) as site:
        found = outcome("http://site.test/", "--external", folder=tmp_path, HTTP_PROXY=site.address())
        reason = "on this machine, which is requested only if the site is on it"
        inner = [f"http://{host}:{site.server_port}/inner" for host in LOOPBACK]
        assert {("skipped", reason)} == {found.links[url] for url in (*inner, "/2")}
        assert not [path for path in site.asked if "inner" in path]
    assert 0 == found.status


def test_a_start_that_leads_to_this_machine_is_not_followed(tmp_path: Path) -> None:
    """Nothing has been checked then, which is no success."""
    with serving(WORLD) as site:
        ended = run("http://site.test/away", folder=tmp_path, HTTP_PROXY=site.address())
        assert ["http://site.test/away"] == site.asked
    reason = "on this machine, which is requested only if the site is on it"
    assert (2, f"linkcheck: http://site.test/away cannot be reached: {reason}\n") == (ended.returncode, ended.stderr)


def test_a_start_that_does_not_want_to_be_asked_is_no_success(tmp_path: Path) -> None:
    """Nothing has been checked then, either."""
    with serving({"/": status(429, Retry_After="3600")}) as site:
        ended = run(site.address(), folder=tmp_path)
    reason = f"{site.address()} cannot be reached: 429 Too Many Requests, retry after 3600 seconds"
    assert (2, f"linkcheck: {reason}\n") == (ended.returncode, ended.stderr)


def test_other_hosts_are_asked_only_if_that_is_asked_for(tmp_path: Path) -> None:
    """Their pages are not read."""
    with serving(WORLD) as site:
        without, asking = (
            outcome("http://site.test/", *more, folder=tmp_path, HTTP_PROXY=site.address())
            for more in ([], ["--external"])
        )
        assert ("skipped", "another host, is checked with --external") == without.links["http://other.test/1"]
        assert ("alive", "200 OK") == asking.links["http://other.test/1"]
        assert "http://other.test/never" not in asking.links
