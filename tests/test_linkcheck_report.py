"""The link checker: what it tells, to a person, to a program, and to a terminal."""

import json
import os
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from linkcheck_site import COMMAND, Page, environment, links, moved, outcome, run, serving

pytestmark = pytest.mark.slow

PAGES: dict[str, Page] = {
    "/": links("/fine", "/missing", "/page", "mailto:me@example.org"),
    "/fine": "",
    "/page": links("/missing", "/fine", "http://other.test/"),
}

REPORT = """
Dead links:
  {site}/missing  404 Not Found
    on {site}/
    on {site}/page

            alive dead skipped unchecked
────────────────────────────────────────
this site       3    1       0         0
other hosts     0    0       1         0
fragments       0    0       0         0
Not checked: mailto: 1
"""


def test_the_dead_are_told_with_every_page_that_refers_to_them_and_then_the_table(tmp_path: Path) -> None:
    """Who reads it knows what to repair, and where; all of it fits 40 columns but the addresses."""
    with serving(PAGES) as site:
        ended = run(site.address(), folder=tmp_path, COLUMNS="40")
        assert f"Checking {site.address()}\n" + REPORT.replace("{site}", site.address("")) == ended.stdout
    assert (1, "") == (ended.returncode, ended.stderr)


def test_verbose_tells_of_every_link_and_quiet_of_none(tmp_path: Path) -> None:
    """What becomes of a link is told when it is known."""
    with serving(PAGES) as site:
        verbose, quiet = (run(site.address(), how, folder=tmp_path) for how in ("-v", "-q"))
        told = [line for line in verbose.stdout.splitlines() if line.startswith(("  alive", "  dead", "  skipped"))]
        assert [
            f"  alive    {site.address()}  200 OK",
            f"  alive    {site.address('/fine')}  200 OK",
            f"  alive    {site.address('/page')}  200 OK",
            f"  dead     {site.address('/missing')}  404 Not Found",
            "  skipped  http://other.test/  another host, is checked with --external",
        ] == sorted(told)
    assert REPORT.replace("{site}", site.address("")) in verbose.stdout
    assert (1, "", "") == (quiet.returncode, quiet.stdout, quiet.stderr)


def test_a_program_is_told_as_json(tmp_path: Path) -> None:
    """One document, with every link where all is asked for."""
    with serving(PAGES) as site:
        ended = run(site.address(), "--format", "json", folder=tmp_path)
        told = json.loads(ended.stdout)
        every = outcome(site.address(), folder=tmp_path)
        pages = [site.address(), site.address("/page")]
        assert [{"url": site.address("/missing"), "detail": "404 Not Found", "pages": pages}] == told["dead"]
        assert {"alive": 3, "dead": 1} == told["counts"]["this site"]
        assert (site.address(), True, {"mailto": 1}, []) == (
            told["site"],
            told["has_ended"],
            told["others"],
            told["links"],
        )
    assert ("alive", "200 OK") == every.links["/fine"]
    assert (1, "") == (ended.returncode, ended.stderr)


def test_what_is_excluded_is_not_asked_for(tmp_path: Path) -> None:
    """Wherever it is found, as often as patterns are given."""
    with serving(PAGES | {"/page": moved("/private/page")}) as site:
        found = outcome(site.address(), "--exclude", "miss.ng$", "--exclude", "/private/", folder=tmp_path)
        assert {"/", "/fine", "/page"} == set(site.asked)
    assert {"/missing", "/page"} == {url for url, told in found.links.items() if told == ("skipped", "excluded")}
    assert 0 == found.status


def test_a_header_is_sent_to_the_site_and_to_nobody_else(tmp_path: Path) -> None:
    """It may be a secret."""
    with serving({"/": links("/one", "http://localhost:{port}/two")}) as site:
        site.pages |= {"/one": "", "/two": ""}
        run(site.address(), "--header", "X-Key: s3cr3t", "--header", "X-More:yes", folder=tmp_path)
        sent = {path: (had.get("X-Key"), had.get("X-More")) for path, had in zip(site.asked, site.headers, strict=True)}
    secret = ("s3cr3t", "yes")
    assert {"/": secret, "/one": secret, "/robots.txt": (None, None), "HEAD /two": (None, None)} == sent
    assert b"s3cr3t" not in (tmp_path / "links.sqlite3").read_bytes()


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate with openssl")
def test_a_certificate_that_nobody_has_signed_is_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    """The sentence says what is wrong with it."""
    key, certificate = str(tmp_path / "key"), str(tmp_path / "certificate")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving({"/": links("/one"), "/one": ""}) as site:
        site.socket = context.wrap_socket(site.socket, server_side=True)
        address = site.address().replace("http:", "https:")
        refused, allowed = (run(address, "--retries", "0", *more, folder=tmp_path) for more in ([], ["--insecure"]))
    assert refused.stderr.startswith(f"linkcheck: {address} cannot be reached: no connection: [SSL: CERTIFICATE_VERIFY")
    assert (2, 1) == (refused.returncode, len(refused.stderr.splitlines()))
    assert (0, "") == (allowed.returncode, allowed.stderr)


def test_the_rate_is_a_limit_for_all_together(tmp_path: Path) -> None:
    """Eleven links at five a second take two seconds at least, however many may be in flight."""
    pages = [f"/{number}" for number in range(10)]
    with serving({"/": links(*pages)} | dict.fromkeys(pages, "")) as site:
        began = time.monotonic()
        run(site.address(), "--rate", "5", folder=tmp_path)
        taken = time.monotonic() - began
        assert 11 == len(site.asked)
    assert 1.9 <= taken  # a timer may be a little early


def test_whatever_a_server_sends_does_nothing_to_the_screen(tmp_path: Path) -> None:
    """Control characters are shown as what they are."""
    reason = b"HTTP/1.1 404 \x1b[2JNot\x9b here\r\nContent-Length: 0\r\n\r\n"
    named = "<a href='\x1bmissing'> <a href='other\u202e:x'> <a href='/page#\x1b[2J'> <a href='http://[\x1b\x7f'>"
    with serving({"/": named + links("/reason"), "/reason": reason, "/page": ""}) as site:
        ended = run(site.address(), "-v", folder=tmp_path)
        told = outcome(site.address(), folder=tmp_path)
    assert [] == [letter for letter in ended.stdout if not letter.isprintable() and letter != "\n"]
    assert "\\x1b[2JNot" in ended.stdout
    assert 5 == len(told.dead)
    assert (1, "") == (ended.returncode, ended.stderr)


def shown_on_a_terminal(*arguments: str, **more: str) -> str:
    """Return what the program writes to a terminal."""
    ours, theirs = os.openpty()
    command = [*COMMAND, *arguments]
    with (
        open(ours, "rb", buffering=0) as screen,
        subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment(TERM="xterm", **more)),
    ):
        os.close(theirs)
        return b"".join(iter(lambda: read_screen(screen), b"")).decode()


def read_screen(screen: object) -> bytes:
    """Return what the program has written, and nothing after its end."""
    try:
        return screen.read(4096)
    except OSError:  # so Linux says that nobody has the terminal any more
        return b""


needs_terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")


@needs_terminal
def test_a_terminal_shows_one_bar_that_fits(tmp_path: Path) -> None:
    """In 40 columns, too; it is gone at the end, and the report is in colour."""
    pages = {f"/{number}": "" for number in range(200)} | {"/": links("/missing", *(f"/{n}" for n in range(200)))}
    with serving(pages) as site:
        shown = shown_on_a_terminal(
            site.address(), "--database", str(tmp_path / "links.sqlite3"), COLUMNS="40", LINES="20"
        )
    bars = [line for part in shown.split("\r") for line in part.split("\x1b[2K") if " dead " in line and "━" in line]
    plain = [drawn.replace("\x1b", "\n\x1b") for drawn in bars]
    widths = [sum(len(piece.partition("m")[2]) for piece in text.split("\x1b")) for text in plain]
    assert "0 of 1, 0 dead" in bars[0]  # what is known before the first page has been read
    assert "202 of 202, 1 dead" in " ".join(bars)
    assert max(widths, default=0) <= 40 + max(text.count("\n") for text in plain)
    assert "\x1b[1;31m" in shown
    assert "━" not in shown[shown.index("Dead links") :]


@needs_terminal
def test_no_color_is_heeded(tmp_path: Path) -> None:
    """As https://no-color.org says."""
    with serving(PAGES) as site:
        database = ["--database", str(tmp_path / "links.sqlite3")]
        assert "\x1b[1;31m" not in shown_on_a_terminal(site.address(), *database, NO_COLOR="1")


def test_a_screen_without_the_letters_shows_their_numbers(tmp_path: Path) -> None:
    """No check fails because a terminal cannot show it."""
    with serving({"/": "<a href='#café'>"}) as site:
        ended = run(site.address(), folder=tmp_path, PYTHONIOENCODING="ascii")
    assert r"/#caf\xe9  the page" in ended.stdout
    assert (1, "") == (ended.returncode, ended.stderr)


def test_a_timeline_shows_what_ran_when(tmp_path: Path) -> None:
    """It is written last, also if a link is dead."""
    with serving({"/": "<a href=missing>"}) as site:
        ended = run(site.address(), "--timeline", "run.html", folder=tmp_path)
    assert (1, "") == (ended.returncode, ended.stderr)
    assert "Promise.each" in (tmp_path / "run.html").read_text()


def test_a_timeline_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """As any other output."""
    with serving({"/": ""}) as site:
        ended = run(site.address(), "--timeline", "missing/run.html", folder=tmp_path)
    assert 2 == ended.returncode
    assert ended.stderr.startswith("linkcheck: the timeline cannot be written: [Errno 2] No such file or directory")


def test_help_tells_all_and_fits_the_terminal() -> None:
    """Options, exit statuses, what is dead and what Ctrl-C does are in the one text."""
    narrow, wide = (run("--help", COLUMNS=columns) for columns in ("50", "100"))
    text, _, examples = narrow.stdout.partition("examples:")
    assert max(map(len, text.splitlines())) <= 50
    assert len(wide.stdout.splitlines()) < len(narrow.stdout.splitlines())
    told = " ".join(narrow.stdout.split())
    options = {"start", "--depth", "--concurrency", "--rate", "--timeout", "--retries", "--external", "--no-fragments"}
    options |= {"--exclude", "--header", "--insecure", "--database", "--timeline", "--format", "--verbose"}
    options |= {"--quiet"}
    words = {"pydoc", "exit status", "130 Ctrl-C", "dead", "skipped", "links.sqlite3", "robots.txt"}
    assert set() == {text for text in options | words if text not in told}
    assert 4 == examples.count("python examples/linkcheck")
    assert (0, "") == (narrow.returncode, narrow.stderr)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--depth", "-1"], "argument --depth: it must be a whole number of at least 0, got '-1'"),
        (["--concurrency", "0"], "argument --concurrency: it must be a whole number of at least 1, got '0'"),
        (["--retries", "many"], "argument --retries: it must be a whole number of at least 0, got 'many'"),
        (["--timeout", "nan"], "argument --timeout: it must be a positive number, got 'nan'"),
        (["--rate", "fast"], "argument --rate: it must be a positive number, got 'fast'"),
        (["--timeline", "run.txt"], "argument --timeline: it must end with .html or .json, got 'run.txt'"),
        (["--header", "secret"], "argument --header: it must be 'NAME: VALUE', got 'secret'"),
        (["--header", "A: b\r\nC: d"], "argument --header: it must be 'NAME: VALUE', got 'A: b\\r\\nC: d'"),
        (
            ["--exclude", "("],
            "argument --exclude: it must be a regular expression, got '(': missing ), unterminated subpattern at "
            "position 0",
        ),
        (
            ["python.org"],
            "argument start: it must be a folder or an address, got 'python.org'; write https://python.org",
        ),
        (["/no/folder"], "argument start: it must be a folder or an address, got '/no/folder': no host"),
        (
            ["http://127.0.0.1:port/"],
            "argument start: it must be a valid address, got 'http://127.0.0.1:port/': Port could not be cast to "
            "integer value as 'port'",
        ),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(arguments: list[str], reason: str) -> None:
    """The exit status is 2, as for any program, and it is said what to write."""
    ended = run(*arguments)
    assert (2, "", True) == (ended.returncode, ended.stdout, ended.stderr.endswith(f"error: {reason}\n"))
