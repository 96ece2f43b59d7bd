"""The link checker: what a page refers to, how far that is followed, and what other hosts do not want."""

import threading
from pathlib import Path

import pytest

from linkcheck_site import Handler, Page, links, outcome, run, serving, typed

pytestmark = pytest.mark.slow

# Each of these refers to something of its own name.
REFERRING = """
<a href=/a><area href=/area><script src=/script></script><iframe src=/iframe></iframe>
<img src=/img srcset='/img-1x 1x, /img-2x,b 2x,/img-3x'><object data=/object></object><embed src=/embed>
<video src=/video poster=/poster><source src=/source><track src=/track></video><audio src=/audio></audio>
<picture><source srcset='/small 100w, /large 200w'></picture>
<link rel=stylesheet href=/style.css><link rel=icon href=/icon><link rel='alternate' href=/alternate>
<style>@import '/imported.css'; p { background: url( "/in-style" ) }</style><p style='background:url(/in-attribute)'>
<meta http-equiv=Refresh content='5; URL=/refreshed'>
"""
STYLE = """
@charset 'utf-8'; @namespace svg url(http://www.w3.org/2000/svg); /* url(/never) */
@font-face { src: url('fonts/one.woff') format("woff"), url(fonts/two.woff); fill: url(#gradient) }
"""
REFERRED = {
    *("/a", "/area", "/script", "/iframe", "/img", "/img-1x", "/img-2x,b", "/img-3x", "/object", "/embed", "/video"),
    *("/poster", "/source", "/track", "/audio", "/small", "/large", "/style.css", "/icon", "/alternate"),
    *("/imported.css", "/in-style", "/in-attribute", "/refreshed", "/fonts/one.woff", "/fonts/two.woff"),
}
UNREAD = """
<link rel='preconnect' href=/never><link rel=dns-prefetch href=/never><a><a href><img src=''>
<meta http-equiv=refresh content=5><meta http-equiv=refresh content='5; url='>
<a href='mailto:me@example.org'><a href='tel:1'><a href='MAILTO:you@example.org'>
<img src='data:image/gif;base64,R0lGODlh'><a href='javascript:void(0)'><p style='background:url(data:,x)'>
"""


def test_everything_that_a_browser_would_ask_for_is_checked(tmp_path: Path) -> None:
    """Links, pictures, programs, styles, frames and media die alike."""
    pages: dict[str, Page] = dict.fromkeys(REFERRED, typed("image/gif"))
    with serving(pages | {"/": REFERRING, "/style.css": typed("text/css", STYLE), "/imported.css": ""}) as site:
        alive = outcome(site.address(), folder=tmp_path)
        site.pages = {"/": REFERRING, "/style.css": typed("text/css", STYLE)}
        dead = outcome(site.address(), folder=tmp_path)
    assert {"/", *REFERRED} == set(alive.links)
    assert 0 == alive.status
    assert REFERRED - {"/style.css"} == set(dead.dead)
    assert ["/style.css"] == dead.dead["/fonts/one.woff"]


MANY = 100_000


@pytest.mark.parametrize(
    "trap",
    [
        f"<img srcset='/a{',' * MANY}'>",
        f"<img srcset='/a{',' * MANY} 1x, {' ,' * MANY}'>",
        f"<meta http-equiv=refresh content='5{' ' * MANY}x{' ' * MANY}&#10;'>",
        f"<meta http-equiv=refresh content='{'5' * MANY}'>",
        f"<style>{'/* ' * MANY}</style>",
        f"<style>{'@namespace ' * MANY}</style>",
        f"<style>{'url(' * MANY}</style>",
        f"<a href='http://[{' ' * MANY}'>",
        "<p style='background: url(/a)'>" * (MANY // 10),
        "".join(f"<a id=part{number} href='/missing#{number}'>" for number in range(MANY)),
    ],
    ids=lambda trap: trap[:30],
)
def test_no_page_takes_forever(trap: str, tmp_path: Path) -> None:
    """However it is made: to read it, and to sum up, takes time in proportion to its length."""
    with serving({"/": trap + links("/end"), "/end": ""}) as site:
        assert "/end" in outcome(site.address(), folder=tmp_path).links  # in less than a minute


def test_a_site_takes_time_in_proportion_to_its_links(tmp_path: Path) -> None:
    """What a page refers to is looked up, and not searched for in all that is known."""
    pages: dict[str, Page] = {f"/{page}": links(*(f"/{page}/{link}" for link in range(300))) for page in range(200)}
    with serving({"/": links(*pages)} | pages) as site:
        found = outcome(site.address(), "--depth", "1", folder=tmp_path)  # in less than a minute
    assert {"/", *pages} == set(found.links)


def test_frames_are_pages(tmp_path: Path) -> None:
    """What is linked there is followed."""
    frames = "<html><frameset><frame src=/frame></frameset></html>"
    with serving({"/": frames, "/frame": links("/missing")}) as site:
        assert {"/missing": ["/frame"]} == outcome(site.address(), folder=tmp_path).dead


def test_what_is_not_of_the_web_is_counted_and_neither_told_nor_stored(tmp_path: Path) -> None:
    """Nor is what only prepares a browser for what may come."""
    with serving({"/": UNREAD}) as site:
        found = outcome(site.address(), folder=tmp_path)
        ended = run(site.address(), "-v", folder=tmp_path)
    assert ["/"] == list(found.links)
    assert {"mailto": 2, "data": 2, "tel": 1, "javascript": 1} == found.told["others"]
    assert "Not checked: " in ended.stdout
    stored = (tmp_path / "links.sqlite3").read_bytes().decode(errors="replace")
    assert [] == [text for text in ("example.org", "R0lGODlh", "void(0)") if text in ended.stdout or text in stored]


PLACES = """
<a href='#here'><a href='#top'><a href='#'><a href='/other#there'><a href='/other#there%20too'><a href='/other#old'>
<a href='/other#:~:text=some'><a href='/other#!/script'><a href='/picture#any'><a id=here>
<a href='#nowhere'><a href='/other#nowhere'><a href='/moved#there'><a href='/moved#gone'>
"""


def test_the_part_of_a_page_that_is_meant_must_be_there(tmp_path: Path) -> None:
    """A heading that was renamed is a dead link, too; a redirect leads to the same part."""
    pages: dict[str, Page] = {
        "/": PLACES,
        "/again": links("/other#nowhere"),
        "/other": "<h1 id=there><h1 id='there too'><a name=old>" + links("/again"),
        "/picture": typed("image/svg+xml", "<svg/>"),
        "/moved": lambda handler: handler.answer(301, Location="/other"),
    }
    with serving(pages) as site:
        found = outcome(site.address(), folder=tmp_path)
        without = outcome(site.address(), "--no-fragments", folder=tmp_path)
        ended = run(site.address(), folder=tmp_path)
    assert {"/#nowhere": ["/"], "/other#nowhere": ["/", "/again"], "/moved#gone": ["/"]} == found.dead
    assert {"alive": 5, "dead": 3} == found.told["counts"]["fragments"]
    assert ({}, 0, 1) == (without.dead, without.status, found.status)
    assert "/other#nowhere  the page has no such fragment\n" in ended.stdout


def test_one_page_is_asked_for_once_however_its_links_are_written(tmp_path: Path) -> None:
    """Fragments, dots, capitals and quoting make no other page."""
    same = links("/one", "one#two", "./one", "/x/../one", "HTTP:/one", "//127.0.0.1:{port}/one", "/caf%C3%A9", "/café")
    with serving({"/": same, "/one": "<p id=two>", "/caf%C3%A9": ""}) as site:
        assert 0 == run(site.address(), folder=tmp_path).returncode
        assert ["/", "/caf%C3%A9", "/one"] == sorted(site.asked)


def test_a_page_that_is_not_slow_does_not_wait_for_one_that_is(tmp_path: Path) -> None:
    """Six levels have a slow leaf each, and all six are asked for at the same time."""
    together = threading.Barrier(6)

    def leaf(handler: Handler) -> None:
        together.wait(30)
        handler.answer()

    pages: dict[str, Page] = {f"/{level}": links(f"/leaf{level}", f"/{level + 1}") for level in range(6)}
    pages |= {f"/leaf{level}": leaf for level in range(6)} | {"/6": "the end"}
    with serving(pages) as site:
        found = outcome(site.address("/0"), "--concurrency", "8", folder=tmp_path)
    assert ({}, 13) == (found.dead, len(found.links))


@pytest.mark.parametrize("depth", [[], ["--depth", "100000"]])
def test_a_check_ends_when_nothing_is_left(depth: list[str], tmp_path: Path) -> None:
    """However far it might go: a ring of pages is walked once."""
    with serving({f"/{page}": links(f"/{(page + 1) % 5}") for page in range(5)}) as site:
        assert 0 == run(site.address("/0"), *depth, folder=tmp_path).returncode
        assert [f"/{page}" for page in range(5)] == site.asked


@pytest.mark.parametrize(("depth", "checked"), [(0, {"/0"}), (2, {"/0", "/1", "/slow", "/2", "/near"}), (3, {"*"})])
def test_how_far_a_page_is_away_is_counted_on_its_shortest_way(depth: int, checked: set[str], tmp_path: Path) -> None:
    """Even if that is found last: the short way to a page is held until the long one has been gone."""
    gone = threading.Event()

    def slow(handler: Handler) -> None:
        if depth == 3:
            gone.wait(30)
        handler.answer(200, links("/near"))

    def near(handler: Handler) -> None:
        gone.set()
        handler.answer(200, links("/last"))

    pages: dict[str, Page] = {"/0": links("/slow", "/1"), "/1": links("/2"), "/2": links("/near", "/missing#part")}
    with serving(pages | {"/slow": slow, "/near": near, "/last": links("/beyond")}) as site:
        found = outcome(site.address("/0"), "--depth", str(depth), folder=tmp_path)
    every = {"/0", "/1", "/slow", "/2", "/near", "/missing", "/last"}
    assert (every if checked == {"*"} else checked) == set(found.links)


def test_other_hosts_are_asked_as_their_robots_txt_allows(tmp_path: Path) -> None:
    """The site's own is for others: who checks a site has been asked to."""
    pages: dict[str, Page] = {
        "http://site.test/": links(
            "/own", "http://site.test:81/", "http://other.test/open", "http://other.test/closed/1", "http://any.test/"
        ),
        "http://site.test:81/": "",
        "http://site.test/own": "",
        "http://site.test/robots.txt": typed("text/plain", "User-agent: *\nDisallow: /"),
        "http://other.test/robots.txt": typed("application/octet-stream", "User-agent: *\nDisallow: /*/1"),
        "http://other.test/open": "",
        "http://other.test/closed/1": "",
        "http://any.test/": "",
    }
    with serving(pages) as site:
        found = outcome("http://site.test/", "--external", folder=tmp_path, HTTP_PROXY=site.address())
        robots = [path for path in site.asked if "robots" in path]
    alive = ("/own", "http://site.test:81/", "http://other.test/open", "http://any.test/")
    assert ("skipped", "disallowed by robots.txt") == found.links["http://other.test/closed/1"]
    assert {"alive"} == {found.links[url][0] for url in alive}
    assert ["http://any.test/robots.txt", "http://other.test/robots.txt"] == sorted(robots)
