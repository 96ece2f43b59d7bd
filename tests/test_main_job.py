"""The programs that come along: the tour, and the check of real sites, which may die, and on a real Ctrl-C."""

import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

PROGRAM = str(Path(__file__).parent.parent / "examples" / "linkcheck")

SECONDS = 60

# Whatever was left open is complained of on stderr, which is looked at.
PYTHON = [sys.executable, "-W", "always::ResourceWarning"]
COMMAND = [*PYTHON, PROGRAM]
TOUR = [*PYTHON, "-m", "aiopromise"]

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs groups of processes, terminals and a shell")

TUTORIAL = [
    [">func3()", ">func2()", ">func1()", "Main: 103"],
    [">task1()", ">task2_sub1()", ">task2_sub2()", ">task3()", "[1, [2.1, 2.2], 3]"],
    [">task1()", ">task2() got 1", ">task3() got 2", "Main: chain is done"],
]

# A slow link is waited for longer than a test is.
PATIENTLY = ["--timeout", "600"]
ONE_BY_ONE = ["--concurrency", "1"]
AT_ONCE = ["--retries", "0"]

STOPPED = "Stopped by Ctrl-C: the chain is cancelled, the server and the database are closed.\n"
GO_ON = "\nThe same command checks the rest. To begin anew, delete links.sqlite3\n"
HEADLINE = "\ndepth    alive     dead  skipped  unchecked\n"

# Each page links to what LINKS names. It ends, as pydoc's server does, with its input.
DOCUMENTATION_SERVER = """
import os, signal, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/fatal":
            self.server.socket.close()
            os._exit(1)
        if self.path == "/slow":
            threading.Event().wait()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write("".join(f"<a href='/{link}'>" for link in os.environ["LINKS"].split()).encode())

    def log_message(self, *arguments):
        pass

if os.environ.get("STUBBORN"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(os.environ["GROUP"], "w") as file:
    file.write(str(os.getpgrp() if sys.platform != "win32" else 0))
if not os.environ.get("MUTE"):
    print(f"Server ready at http://127.0.0.1:{server.server_port}/", flush=True)
print("x" * 200_000, flush=True)
sys.stdin.read()
os._exit(0)
"""

# The program, run by a Python whose pydoc is ours.
LAUNCHER = f"""
import runpy, sys
sys.executable = sys.argv.pop(1)
runpy.run_path({PROGRAM!r}, run_name="__main__")
"""

# The tour, whose steps have no end, and in which Ctrl-C is pressed once more while the loop ends.
ENDLESS_TOUR = """
import asyncio, runpy, signal
sleep, end = asyncio.sleep, asyncio.BaseEventLoop.shutdown_asyncgens

def shutdown_asyncgens(loop):
    ending = end(loop)
    signal.raise_signal(signal.SIGINT)
    return ending

asyncio.sleep = lambda *_: sleep(3600)
asyncio.BaseEventLoop.shutdown_asyncgens = shutdown_asyncgens
runpy.run_module("aiopromise", run_name="__main__", alter_sys=True)
"""

PAGES = {
    "/every.html": """
        <a href='/fine'> <a href='fine#part'> <a href='#here'> <a href='/every.html'> <a name='x'> <a href>
        <a href='/moved'> <a href='/missing'> <a href='/endless'>
        <a href='/large'> <a href='/silent'> <a href='/babbling'> <a href='/boundless'>
        <a href='mailto:me@example.org'> <a href='FILE:/etc'> <a href='http://[wrong'>
        <a href='http://127.0.0.1:{closed}/'> <a href='https://127.0.0.1:{port}/tls'>
        <A HREF=" &#x2f;café &amp; more?q=1&amp;r=2 ">""",
    "/based.html": "<base href='/below/'><a href='one'>",
    "/many.html": "".join(f"<a href='/{number}'>" for number in range(1, 9)),
    "/crowd.html": "".join(f"<a href='/crowd/{number}'>" for number in range(1, 9)),
    "/dead.html": "<a href='/missing'>",
    "/late.html": "<a href='/slow'>",
    "/letters.html": "<a href='news:café'>",
    "/waiting.html": "<a href='/1'><a href='/2'><a href='/slow'><a href='/3'><a href='/4'>",
    "/first.html": "<a href='/quick.html'><a href='/second.html'>",
    "/quick.html": "<a href='/detour.html'>",
    "/detour.html": "<a href='/third.html'>",
    "/second.html": "<a href='/third.html'>",
    "/third.html": "<a href='/fourth.html'>",
    "/same.html": """<a href='/one'> <a href='one#two'> <a href='./one'> <a href='/x/../one'> <a href='HTTP:/one'>
        <a href='//127.0.0.1:{port}/one'> <a href='/caf%C3%A9'> <a href='/café'>""",
    "/parts.html": """<img src='/picture'> <script src='/program'></script> <link rel=stylesheet href='/style'>
        <iframe src='/frame'></iframe> <area href='/area'>""",
    "/other.html": "<a href='http://localhost:{port}/first.html'>",
    "/outside.html": "<a href='http://0.0.0.0:{port}/fine'> <a href='/leave'>",
    "/flaky.html": "<a href='/flaky'> <a href='/broken'> <a href='/missing'>",
    "/odd.html": """<a href='/plain.txt'> <a href='/chunked'> <a href='/flood'> <a href='/unknown'>
        <a href='/torn.html'> <a href='/cut'> <a href='/cut-chunks'>""",
    "/plain.txt": "<a href='/never'>",
    "/unknown": "<a href='/of-unknown'>",
    "/torn.html": "<a href='/of-torn'><![garbage[ <a href='/never'>" + "<!--" * 100_000,
}

RAW = {
    "/silent": b"",
    "/babbling": b"good morning\r\n\r\n",
    "/boundless": b"HTTP/1.1 200 OK\r\nName: " + b"x" * 200_000,
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nshort",
    "/chunked": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\n<a hr\r\n10\r\nef='/of-chunked'\r\n1\r\n>\r\n0\r\n\r\n",
    "/flood": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"14\r\n<a href='/of-flood'>\r\n",
    "/cut-chunks": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort",
}

MOVED = {"/moved": "/fine", "/endless": "/endless", "/leave": "http://0.0.0.0:{port}/fine"}

STATUS = {"/missing": 404, "/broken": 500} | dict.fromkeys(MOVED, 302)


class Site(ThreadingHTTPServer):
    """A server with links of every kind."""

    daemon_threads = True
    request_queue_size = 50

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.released = threading.Event()
        # A port that is taken, and on which nothing listens.
        self.unheard = socket.socket()
        self.unheard.bind(("127.0.0.1", 0))
        self.closed: int = self.unheard.getsockname()[1]
        self.asked: list[str] = []
        self.changed = threading.Condition()
        self.in_flight = self.most = 0

    def address(self, path: str) -> str:
        """Return the whole address of *path*."""
        return f"http://127.0.0.1:{self.server_port}{path}"

    def filled(self, text: str) -> str:
        """Return *text* with the ports in it."""
        return text.replace("{closed}", str(self.closed)).replace("{port}", str(self.server_port))

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that did not wait for its answer."""

    def is_asked(self, path: str) -> int:
        """Note that *path* is asked for, and return how often it is now."""
        with self.changed:
            self.asked.append(path)
            self.changed.notify_all()
            return self.asked.count(path)

    def wait_for(self, path: str) -> None:
        """Wait until *path* is asked for."""
        with self.changed:
            assert self.changed.wait_for(lambda: path in self.asked, SECONDS)

    def hold(self) -> None:
        """Wait with one of a crowd until all may go."""
        with self.changed:
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            self.changed.notify_all()
        self.released.wait(SECONDS)
        with self.changed:
            self.in_flight -= 1


class Handler(BaseHTTPRequestHandler):
    """Answers for the site."""

    server: Site

    def do_GET(self) -> None:
        """Answer as the path says."""
        times = self.server.is_asked(self.path)
        if self.path in RAW:
            self.wfile.write(RAW[self.path])
            while self.path == "/flood":
                self.wfile.write(b"2710\r\n" + b"-" * 10_000 + b"\r\n")
            return
        if self.path == "/slow":
            self.server.released.wait(SECONDS)
        if self.path.startswith("/crowd/"):
            self.server.hold()
        self.send_response(503 if self.path == "/flaky" and times < 3 else STATUS.get(self.path, 200))
        self.send_header("Location", self.server.filled(MOVED.get(self.path, "")))
        self.send_header("Content-Type", self.content_type())
        self.end_headers()
        if self.path == "/large":
            self.server.released.wait(SECONDS)
        self.wfile.write(self.server.filled(PAGES.get(self.path, "a page without links")).encode())

    def content_type(self) -> str:
        """Return what the path shows."""
        charset = "; charset=klingon" if self.path == "/unknown" else ""
        return "text/plain" if self.path.endswith(".txt") else f"text/html{charset}"

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    """Run the server with links of every kind."""
    with Site() as server, server.unheard:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join(SECONDS)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the library that is tested here, by a Python that holds back what goes into a pipe, as it does by itself."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Documentation:
    """A server of ours, which can be slow and can die."""

    def __init__(self, folder: Path) -> None:
        self.group = folder / "group"
        self.server = folder / "server.py"
        self.server.write_text(DOCUMENTATION_SERVER)
        self.launcher = folder / "launcher.py"
        self.launcher.write_text(LAUNCHER)
        self.python = folder / "python"
        self.python.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(self.server))}\n")
        self.python.chmod(0o755)
        # The program, with this server in the place of pydoc's.
        self.command = [*PYTHON, str(self.launcher), str(self.python)]


@pytest.fixture
def documentation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Documentation:
    """Write a server of ours that runs by itself, or in the place of pydoc's."""
    monkeypatch.setenv("GROUP", str(folder / "group"))
    return Documentation(folder)


def run(*arguments: str, command: list[str] = COMMAND) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run([*command, *arguments], check=False, capture_output=True, text=True, timeout=SECONDS)


@contextmanager
def started(command: list[str], stdin: int = subprocess.DEVNULL) -> Iterator["subprocess.Popen[str]"]:
    """Start a program, as the leader of a group of processes, as a terminal does; it cannot outlive its time."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=stdin, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        guard = threading.Timer(SECONDS, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.kill()


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    """Return the line that has *text* in it, as soon as it is printed."""
    assert process.stdout is not None
    line = next((line for line in process.stdout if text in line), "")
    assert text in line
    return line


def press_ctrl_c(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Send what a terminal sends, to all that is in the foreground; return what is printed until the end."""
    os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=SECONDS)


def query(statement: str, path: str = "links.sqlite3") -> list[tuple]:
    """Return what the database has to say."""
    with closing(sqlite3.connect(path)) as database, database:
        return database.execute(statement).fetchall()


def stored(path: str = "links.sqlite3") -> list[tuple[str, str | None, str]]:
    """Return what the database has of the links: address, verdict, detail."""
    return query("SELECT url, verdict, detail FROM links ORDER BY rowid", path)


def table(*rows: str) -> str:
    """Return the table with these *rows*, whatever the space between their numbers."""
    return HEADLINE + "".join("{:>5} {:>8} {:>8} {:>8} {:>10}\n".format(*row.split()) for row in rows)


def accepts_connections(address: str) -> bool:
    """Return whether something listens at *address*."""
    parts = urlsplit(address)
    with socket.socket() as one:
        return one.connect_ex((parts.hostname, parts.port)) == 0


def test_the_tour_prints_the_lines_of_the_tutorial_exactly(folder: Path) -> None:
    """Under three headlines stands what the three programs print."""
    ended = run(command=TOUR)
    programs = [part.splitlines() for part in re.split(r"^\d\. .*\n", ended.stdout, flags=re.MULTILINE)[1:]]
    assert TUTORIAL == [[line for line in lines if line] for lines in programs]
    assert (0, "") == (ended.returncode, ended.stderr)


@needs_posix
@pytest.mark.parametrize("line", [">func3()", "2. Independent", ">task1()"])
def test_the_tour_stops_at_ctrl_c(line: str, folder: Path) -> None:
    """It ends with status 130 and a sentence, without waiting for a step; a second one adds nothing to that."""
    with started([*PYTHON, "-X", "dev", "-c", ENDLESS_TOUR]) as process:
        read_until(process, line)
        _, said = press_ctrl_c(process)
    assert (130, "Stopped by Ctrl-C: the chain is cancelled.\n") == (process.returncode, said)


@needs_posix
def test_the_tour_leaves_a_reader_that_has_left(folder: Path) -> None:
    """`python -m aiopromise | head` is quiet."""
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "wb") as nobody:
        ended = subprocess.run(TOUR, check=False, stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=SECONDS)
    assert (141, "") == (ended.returncode, ended.stderr)


def test_the_tour_takes_no_arguments(folder: Path) -> None:
    """Whoever looks for the link checker there is not shown something else."""
    ended = run("http://127.0.0.1/", command=TOUR)
    assert (2, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.endswith("error: unrecognized arguments: http://127.0.0.1/\n")


def test_the_check_says_what_it_does(site: Site, folder: Path) -> None:
    """It starts immediately, and names the first page and the file."""
    ended = run(site.address("/fine"))
    assert ended.stdout.startswith(f"Checking {site.address('/fine')}, and links up to 1 away from it\n")
    assert f"What is found goes to {folder / 'links.sqlite3'}\n" in ended.stdout


def test_the_check_of_no_site_asks_pydocs_own_server(folder: Path) -> None:
    """Without arguments the index is had, and the server is stopped."""
    ended = run("--depth", "0")
    [(address, verdict, detail)] = stored()
    assert ("alive", "200 OK") == (verdict, detail)
    assert ended.stdout.endswith(table("0 1 0 0 0", "all 1 0 0 0"))
    assert (0, "", False) == (ended.returncode, ended.stderr, accepts_connections(address))


def test_each_link_is_told_of_and_stored_with_its_reason(site: Site, folder: Path) -> None:
    """What became of a link, whatever its kind, stands on the screen and in the file."""
    options = [*PATIENTLY, *AT_ONCE, *ONE_BY_ONE, "--database", "found.sqlite3"]
    ended = run(site.address("/every.html"), *options)
    found = stored("found.sqlite3")
    tls = next(detail for url, _, detail in found if url.startswith("https:"))
    assert "SSL" in tls
    assert [
        (site.address("/every.html"), "alive", "200 OK"),
        (site.address("/fine"), "alive", "200 OK"),
        (site.address("/moved"), "alive", f"200 OK, at {site.address('/fine')}"),
        (site.address("/missing"), "dead", "404 Not Found"),
        (site.address("/endless"), "dead", "more than 5 redirects"),
        (site.address("/large"), "alive", "200 OK"),
        (site.address("/silent"), "dead", "Remote end closed connection without response"),
        (site.address("/babbling"), "dead", "good morning"),
        (site.address("/boundless"), "dead", "the head of the answer has no end"),
        ("mailto:me@example.org", "skipped", "mailto: is not checked"),
        ("FILE:/etc", "skipped", "file: is not checked"),
        ("http://[wrong", "dead", "Invalid IPv6 URL"),
        (f"http://127.0.0.1:{site.closed}/", "dead", f"no connection to 127.0.0.1:{site.closed}: Connection refused"),
        (f"https://127.0.0.1:{site.server_port}/tls", "dead", tls),
        (site.address("/caf%C3%A9%20&%20more?q=1&r=2"), "alive", "200 OK"),
    ] == found
    lines = [line for line in ended.stdout.splitlines() if re.match("  (alive|dead|skipped) ", line)]
    assert [f"  {verdict:7}  {url}  {detail}" for url, verdict, detail in found] == lines
    assert 6 == site.asked.count("/endless")
    assert (1, "") == (ended.returncode, ended.stderr)


def test_a_link_without_an_answer_in_time_is_dead(site: Site, folder: Path) -> None:
    """The limit is long enough for the page, whatever else the machine does."""
    ended = run(site.address("/late.html"), "--timeout", "3", *AT_ONCE)
    assert ("dead", "no answer within 3 seconds") == stored()[1][1:]
    assert (1, "") == (ended.returncode, ended.stderr)


def test_the_table_at_the_end_counts_and_the_dead_are_named_with_their_page(site: Site, folder: Path) -> None:
    """Who has read nothing else knows what to repair, and where."""
    ended = run(site.address("/dead.html"))
    end = table("0 1 0 0 0", "1 0 1 0 0", "all 1 1 0 0")
    dead = f"\nDead links:\n  {site.address('/missing')}  404 Not Found\n    on {site.address('/dead.html')}\n"
    assert ended.stdout.endswith(end + dead)
    assert (1, "") == (ended.returncode, ended.stderr)


def test_a_page_may_name_the_base_of_its_links(site: Site, folder: Path) -> None:
    """Links are followed from there; if all are alive the exit status is 0."""
    ended = run(site.address("/based.html"))
    assert ["/based.html", "/below/one"] == site.asked
    assert (0, "") == (ended.returncode, ended.stderr)


def test_a_link_is_what_a_browser_would_ask_for(site: Site, folder: Path) -> None:
    """Pictures, programs, styles and frames die like any link."""
    run(site.address("/parts.html"), *ONE_BY_ONE)
    assert ["/parts.html", "/picture", "/program", "/style", "/frame", "/area"] == site.asked


def test_one_page_is_asked_for_once_however_its_links_are_written(site: Site, folder: Path) -> None:
    """Fragments, dots, capitals and quoting make no other page."""
    ended = run(site.address("/same.html"), *ONE_BY_ONE)
    assert ["/same.html", "/one", "/caf%C3%A9"] == site.asked
    assert 0 == ended.returncode


@pytest.mark.parametrize(
    ("depth", "asked"),
    [
        ("0", ["/first.html"]),
        ("2", ["/first.html", "/quick.html", "/second.html", "/detour.html", "/third.html"]),
        ("3", ["/first.html", "/quick.html", "/second.html", "/detour.html", "/third.html", "/fourth.html"]),
    ],
)
def test_links_are_followed_to_the_depth_and_no_further(depth: str, asked: list[str], site: Site, folder: Path) -> None:
    """The distance of a page is that of the shortest path, and the next depth starts when one is done."""
    ended = run(site.address("/first.html"), "--depth", depth, *ONE_BY_ONE)
    assert asked == site.asked
    assert ended.stdout.endswith(f"\n  all {len(asked):8}        0        0          0\n")
    assert (0, "") == (ended.returncode, ended.stderr)


def test_another_site_on_this_machine_is_checked_and_not_followed(site: Site, folder: Path) -> None:
    """Another name is another site."""
    run(site.address("/other.html"), "--depth", "3")
    assert ["/other.html", "/first.html"] == site.asked


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 0.0.0.0 does not lead to this machine")
def test_other_hosts_are_asked_only_if_that_is_asked_for(site: Site, folder: Path) -> None:
    """They are counted as skipped, even if a redirect leads there."""
    runs = [run(site.address("/outside.html"), *ONE_BY_ONE, *more) for more in ([], ["--external"])]
    assert ["/outside.html", "/leave", "/outside.html", "/fine", "/leave", "/fine"] == site.asked
    there = f"http://0.0.0.0:{site.server_port}/fine"
    assert [
        (there, "skipped", "another host, is checked with --external"),
        (site.address("/leave"), "skipped", f"leads to {there}, another host, is checked with --external"),
        (there, "alive", "200 OK"),
        (site.address("/leave"), "alive", f"200 OK, at {there}"),
    ] == [row for row in stored() if row[0] != site.address("/outside.html")]
    assert [0, 0] == [ended.returncode for ended in runs]


def test_so_many_pages_are_in_flight_and_no_more(site: Site, folder: Path) -> None:
    """Four are asked for at a time and, while none is answered, no fifth; the others follow."""
    with started([*COMMAND, site.address("/crowd.html"), "--concurrency", "4", *PATIENTLY]) as process:
        with site.changed:
            assert site.changed.wait_for(lambda: site.in_flight == 4, SECONDS)
        # It is accepted after whatever the program has asked for until now.
        with urlopen(site.address("/fine")) as answer:
            answer.read()
        assert 4 == site.in_flight
        site.released.set()
        _, said = process.communicate(timeout=SECONDS)
    assert 4 == site.most
    assert 8 == sum(path.startswith("/crowd/") for path in site.asked)
    assert (0, "") == (process.returncode, said)


def test_what_fails_is_tried_again_what_is_missing_is_not(site: Site, folder: Path) -> None:
    """A server in trouble gets as many more chances as were asked for."""
    ended = run(site.address("/flaky.html"), "--retries", "2")
    assert [3, 3, 1] == [site.asked.count(path) for path in ("/flaky", "/broken", "/missing")]
    assert ["200 OK", "200 OK", "500 Internal Server Error", "404 Not Found"] == [row[2] for row in stored()]
    assert 1 == ended.returncode


def test_without_retries_the_first_failure_counts(site: Site, folder: Path) -> None:
    """Each page is asked for once."""
    run(site.address("/flaky.html"), *AT_ONCE)
    assert [1, 1, 1] == [site.asked.count(path) for path in ("/flaky", "/broken", "/missing")]
    assert [(site.address("/flaky"), "dead", "503 Service Unavailable")] == stored()[1:2]


def test_no_page_is_too_odd(site: Site, folder: Path) -> None:
    """Anything but a page is not read; an endless, torn, chunked or oddly encoded page is read as far as possible."""
    ended = run(site.address("/odd.html"), "--depth", "2", *ONE_BY_ONE, *AT_ONCE)
    found = {url.removeprefix(site.address("")): (verdict, detail) for url, verdict, detail in stored()}
    assert ("dead", "IncompleteRead(5 bytes read, 95 more expected)") == found.pop("/cut")
    assert "dead" == found.pop("/cut-chunks")[0]
    followed = {"/of-chunked", "/of-flood", "/of-unknown", "/of-torn"}
    read = {"/odd.html", "/plain.txt", "/chunked", "/flood", "/unknown", "/torn.html"}
    assert dict.fromkeys(read | followed, ("alive", "200 OK")) == found
    assert (1, "") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize(
    ("address", "limit", "reason"),
    [
        ("SITE/missing", PATIENTLY, "404 Not Found"),
        ("SITE/slow", ["--timeout", "0.5"], "no answer within 0.5 seconds"),
        ("http://127.0.0.1:CLOSED/", PATIENTLY, "no connection to 127.0.0.1:CLOSED: Connection refused"),
    ],
)
def test_a_first_page_that_cannot_be_had_is_a_dead_link(
    address: str, limit: list[str], reason: str, site: Site, folder: Path
) -> None:
    """There is no traceback, and the exit status is 1."""
    address, reason = (
        text.replace("SITE", site.address("")).replace("CLOSED", str(site.closed)) for text in (address, reason)
    )
    ended = run(address, *limit, *AT_ONCE)
    assert ended.stdout.endswith(table("0 0 1 0 0", "all 0 1 0 0") + f"\nDead links:\n  {address}  {reason}\n")
    assert (1, "") == (ended.returncode, ended.stderr)


def test_a_run_that_came_to_its_end_is_kept_and_another_begins(site: Site, folder: Path) -> None:
    """All is checked again, and a run sums up its own alone."""
    runs = [run(site.address("/dead.html")) for _ in range(2)]
    assert ["/dead.html", "/missing"] * 2 == site.asked
    assert [1, 1, 2, 2] == [row[0] for row in query("SELECT run FROM links ORDER BY rowid")]
    assert [1, 1] == [ended.returncode for ended in runs]
    assert runs[0].stdout == runs[1].stdout


def test_a_site_whose_server_dies_is_no_dead_link(
    documentation: Documentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain ends there; what was found before is summed up and stored, and the rest can be resumed."""
    monkeypatch.setenv("LINKS", "first fatal third fourth")
    with started([sys.executable, str(documentation.server)], stdin=subprocess.PIPE) as server:
        address = read_until(server, "ready").split()[-1]
        ended = run(address, *ONE_BY_ONE)
    assert [(address, "alive"), (f"{address}first", "alive"), (f"{address}fatal", None)] == [
        row[:2] for row in stored()[:3]
    ]
    assert ended.stdout.endswith(table("0 1 0 0 0", "1 1 0 0 3", "all 2 0 0 3") + GO_ON)
    reason = f"no connection to {urlsplit(address).netloc}: Connection refused"
    assert f"linkcheck: the server of the site died in the middle: {reason}\n" == ended.stderr
    assert 2 == ended.returncode


@needs_posix
def test_the_embedded_server_may_die_as_any_other(
    documentation: Documentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it is our own child makes no difference to what is said, and it leaves no noise behind."""
    monkeypatch.setenv("LINKS", "first fatal third fourth")
    ended = run(*ONE_BY_ONE, command=documentation.command)
    assert ended.stdout.endswith(table("0 1 0 0 0", "1 1 0 0 3", "all 2 0 0 3") + GO_ON)
    assert ended.stderr.startswith("linkcheck: the server of the site died in the middle: ")
    assert (2, 1) == (ended.returncode, len(ended.stderr.splitlines()))


@needs_posix
def test_an_embedded_server_that_does_not_start_is_told_in_words(documentation: Documentation) -> None:
    """A Python without a working pydoc causes no traceback."""
    documentation.server.write_text("raise SystemExit('no')")
    ended = run(command=documentation.command)
    reason = f"{documentation.python} -m pydoc ended"
    assert f"linkcheck: the documentation server did not start: {reason}\n" == ended.stderr
    assert 2 == ended.returncode


def test_a_database_that_cannot_be_used_is_told_in_words(site: Site, folder: Path) -> None:
    """Neither a folder nor a text is a database, and no server is asked for anything then."""
    (folder / "letter").write_text("Dear reader, " * 100)
    ended = [run(site.address("/dead.html"), "--database", name) for name in (".", "letter")]
    assert ["linkcheck: .: unable to open database file\n", "linkcheck: letter: file is not a database\n"] == [
        one.stderr for one in ended
    ]
    assert [2, 2] == [one.returncode for one in ended]
    assert [] == site.asked


def test_two_runs_do_not_share_a_database(site: Site, folder: Path) -> None:
    """The second says so, and requests nothing, as the first checks the same."""
    with started([*COMMAND, site.address("/waiting.html"), *PATIENTLY]):
        site.wait_for("/slow")
        asked = len(site.asked)
        ended = run(site.address("/waiting.html"))
        assert (2, "linkcheck: links.sqlite3: database is locked\n") == (ended.returncode, ended.stderr)
        assert asked <= len(site.asked) <= 6


@needs_posix
class TestCtrlC:
    """A real SIGINT, sent when a line on the screen says that the program is in the middle."""

    def test_what_was_found_is_kept_and_the_same_command_checks_the_rest(self, site: Site, folder: Path) -> None:
        """The program ends with status 130, without waiting for the slow link; then no page is asked for twice."""
        command = [site.address("/waiting.html"), *PATIENTLY, *ONE_BY_ONE]
        with started([*COMMAND, *command]) as process:
            read_until(process, "/2")
            site.wait_for("/slow")
            shown, said = press_ctrl_c(process)
        assert (130, STOPPED) == (process.returncode, said)
        assert table("0 1 0 0 0", "1 2 0 0 3", "all 3 0 0 3") + GO_ON == shown
        before = site.asked.copy()
        site.released.set()
        ended = run(*command)
        assert ["/waiting.html", "/1", "/2", "/slow"] == before
        assert ["/slow", "/3", "/4"] == site.asked[len(before) :]
        assert "An earlier run was interrupted, and is gone on with: 3 links are checked already\n" in ended.stdout
        assert ended.stdout.endswith(table("0 1 0 0 0", "1 5 0 0 0", "all 6 0 0 0"))
        assert (0, "") == (ended.returncode, ended.stderr)

    def test_the_check_of_pydoc_is_gone_on_with_on_another_port(self, folder: Path) -> None:
        """Its whole index was noted, and nothing of the folder in which the user works."""
        (folder / "mine.py").write_text("raise SystemExit('somebody has run my program')")
        with started(COMMAND) as process:
            read_until(process, "__future__.html")
            press_ctrl_c(process)
        noted = {url.rpartition("/")[2] for url, *_ in stored()}
        assert {"os.html", "zlib.html", "asyncio.html", "turtle.html"} <= noted
        assert 200 <= len(noted)
        assert "mine.html" not in noted
        query("UPDATE links SET verdict = CASE WHEN url LIKE '%/zlib.html' THEN NULL ELSE 'alive' END")
        ended = run()
        assert f"{len(noted) - 1} links are checked already\n" in ended.stdout
        assert ["  alive    zlib.html  200 OK"] == re.findall(
            "  alive    .*html .*", re.sub(r"http://127.0.0.1:\d+/", "", ended.stdout)
        )
        assert (0, "") == (ended.returncode, ended.stderr)
        assert 1 == len({urlsplit(url).netloc for url, *_ in stored()})

    def test_it_stops_the_embedded_server(self, documentation: Documentation, monkeypatch: pytest.MonkeyPatch) -> None:
        """The child is gone when the program has ended; it is not in the group that gets the signal."""
        monkeypatch.setenv("LINKS", "first slow third")
        with started([*documentation.command, *PATIENTLY, *ONE_BY_ONE]) as process:
            address = read_until(process, "Checking").split()[1].rstrip(",")
            read_until(process, "/first")
            assert accepts_connections(address)
            _, said = press_ctrl_c(process)
        assert (130, STOPPED, False) == (process.returncode, said, accepts_connections(address))
        assert process.pid != int(documentation.group.read_text())

    def test_it_may_come_before_the_embedded_server_is_ready(
        self, documentation: Documentation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its address is not known yet, and it is stopped like any other."""
        monkeypatch.setenv("MUTE", "yes")
        os.mkfifo(documentation.group)
        with started(documentation.command) as process:
            group = int(documentation.group.read_text())  # waits until the server writes it
            shown, said = press_ctrl_c(process)
        assert (130, "", STOPPED) == (process.returncode, shown, said)
        with pytest.raises(ProcessLookupError):
            os.killpg(group, 0)

    @pytest.mark.parametrize("line", ["Checking", "What is found", "first"])
    def test_it_may_come_at_any_time(
        self, line: str, documentation: Documentation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Page or links: the end is the same."""
        monkeypatch.setenv("LINKS", "first slow")
        with started([*documentation.command, *PATIENTLY]) as process:
            read_until(process, line)
            _, said = press_ctrl_c(process)
        assert (130, STOPPED) == (process.returncode, said)

    def test_a_second_one_is_no_worse(self, documentation: Documentation, monkeypatch: pytest.MonkeyPatch) -> None:
        """It may interrupt the wait for a server that does not end, which is then killed."""
        monkeypatch.setenv("LINKS", "first slow")
        monkeypatch.setenv("STUBBORN", "yes")
        with started([*documentation.command, *PATIENTLY]) as process:
            address = read_until(process, "Checking").split()[1].rstrip(",")
            read_until(process, "/first")
            os.killpg(process.pid, signal.SIGINT)
            read_until(process, "The same command")
            _, said = press_ctrl_c(process)
        assert (130, STOPPED, False) == (process.returncode, said, accepts_connections(address))


@needs_posix
def test_a_killed_program_leaves_no_server_behind(
    documentation: Documentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends with its input, even if nothing is left to stop it."""
    monkeypatch.setenv("LINKS", "first slow third")
    with started([*documentation.command, *PATIENTLY]) as process:
        address = read_until(process, "Checking").split()[1].rstrip(",")
        read_until(process, "/first")
        parts = urlsplit(address)
        with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
            connection.sendall(b"GET /slow HTTP/1.0\r\n\r\n")
            process.kill()
            # The end of the connection is the end of the process that serves it.
            try:
                assert b"" == connection.recv(1)
            except ConnectionResetError:
                pass


def test_a_killed_run_can_be_gone_on_with(site: Site, folder: Path) -> None:
    """What was reported is in the file, even if it was never closed."""
    command = [site.address("/waiting.html"), *PATIENTLY, *ONE_BY_ONE]
    with started([*COMMAND, *command]) as process:
        read_until(process, "/2")
        site.wait_for("/slow")
        process.kill()
    site.released.set()
    ended = run(*command)
    assert ["/waiting.html", "/1", "/2", "/slow", "/slow", "/3", "/4"] == site.asked
    assert (0, "") == (ended.returncode, ended.stderr)


def test_a_reader_that_leaves_early_gets_no_traceback(site: Site, folder: Path) -> None:
    """`python examples/linkcheck | head` is quiet."""
    with started([*COMMAND, site.address("/waiting.html")]) as process:
        read_until(process, "What is found")
        site.wait_for("/slow")
        assert process.stdout is not None
        process.stdout.close()
        site.released.set()
        assert process.stderr is not None
        said = process.stderr.read()
        assert (141, "") == (process.wait(SECONDS), said)


@needs_posix
def test_a_terminal_shows_a_bar_and_the_dead(site: Site, folder: Path) -> None:
    """A pipe gets lines, see above; here what is alive only moves the bar, which is gone at the end."""
    ours, theirs = os.openpty()
    with (
        open(ours, "rb", buffering=0) as screen,
        subprocess.Popen([*COMMAND, site.address("/flaky.html"), *AT_ONCE], stdout=theirs, stderr=theirs) as process,
    ):
        os.close(theirs)
        shown = b"".join(iter(lambda: read_screen(screen), b"")).decode()
    assert "  [####################..........] 2 of 3" in shown
    assert "  [##############################] 3 of 3" in shown
    assert f"  dead     {site.address('/missing')}  404 Not Found\r\n" in shown
    assert "alive    http" not in shown
    left = [line.rstrip("\r").rpartition("\r")[2] for line in shown.split("\n")]
    assert not [line for line in left if "###" in line]
    assert 1 == process.returncode


def read_screen(screen: object) -> bytes:
    """Return what the program has written, and nothing after its end."""
    try:
        return screen.read(4096)
    except OSError:  # how Linux reports that nothing has the terminal open any more
        return b""


def test_a_pipe_gets_lines_and_no_bar(site: Site, folder: Path) -> None:
    """Nothing is drawn over, for who reads it is a program."""
    ended = run(site.address("/many.html"))
    assert 9 == len(re.findall(r"^  alive    http://\S+  200 OK$", ended.stdout, flags=re.MULTILINE))
    assert "\r" not in ended.stdout
    assert "#" not in ended.stdout


def test_a_screen_without_the_letters_shows_their_numbers(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No link fails because a terminal cannot show it."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = run(site.address("/letters.html"))
    assert r"news:caf\xe9" in ended.stdout
    assert (0, "") == (ended.returncode, ended.stderr)


def test_help_tells_all() -> None:
    """Options, exit statuses, what is dead and what Ctrl-C does are in the one text."""
    ended = run("--help")
    options = {"url", "--database PATH", "--timeout SECONDS", "--depth COUNT", "--concurrency COUNT", "--retries COUNT"}
    told = {"pydoc", "exit status", "130", "Ctrl-C", "dead", "skipped", "links.sqlite3", "examples", "goes on"}
    named = options | told | {"--external"}
    assert set() == {text for text in named if text not in ended.stdout}
    assert (0, "") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--depth", "-1"], "argument --depth: it must be at least 0, got -1"),
        (["--concurrency", "0"], "argument --concurrency: it must be at least 1, got 0"),
        (["--retries", "many"], "argument --retries: it must be a whole number, got 'many'"),
        (["--timeout", "nan"], "argument --timeout: it must be more than 0 and have an end, got nan"),
        (["--timeout", "soon"], "argument --timeout: it must be a number of seconds, got 'soon'"),
        (
            ["python.org"],
            "argument url: an address begins with http:// or https:// and a host, got 'python.org'; "
            "write https://python.org",
        ),
        (["http://127.0.0.1:port/"], "argument url: Port could not be cast to integer value as 'port'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(arguments: list[str], reason: str) -> None:
    """The exit status is 2, as for any program, and it is said what to write."""
    ended = run(*arguments)
    assert (2, "", True) == (ended.returncode, ended.stdout, ended.stderr.endswith(f"error: {reason}\n"))
