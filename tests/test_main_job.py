"""`python -m aiopromise`: the tour, and the main job on real servers, which may die, and on a real Ctrl-C."""

import os
import re
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

import pytest

SECONDS = 60

# Whatever was left open is complained of on stderr, which is looked at.
COMMAND = [sys.executable, "-W", "always::ResourceWarning", "-m", "aiopromise"]

TUTORIAL = [
    [">func3()", ">func2()", ">func1()", "Main: 103"],
    [">task1()", ">task2_sub1()", ">task2_sub2()", ">task3()", "[1, [2.1, 2.2], 3]"],
    [">task1()", ">task2() got 1", ">task3() got 2", "Main: chain is done"],
]

# A slow link is waited for longer than a test is.
PATIENTLY = ["--timeout", "600"]

STOPPED = "Stopped by Ctrl-C: the chain is cancelled, the server and the database are closed.\n"

# Each page links to what LINKS names. It ends, as pydoc's server does, with its input.
DOCUMENTATION_SERVER = """
import os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/fatal":
            self.server.socket.close()
            os._exit(1)
        if self.path == "/slow":
            threading.Event().wait()
        self.send_response(200)
        self.end_headers()
        self.wfile.write("".join(f"<a href='/{link}'>" for link in os.environ["LINKS"].split()).encode())

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open("group", "w") as file:
    file.write(str(os.getpgrp() if sys.platform != "win32" else 0))
print(f"Server ready at http://127.0.0.1:{server.server_port}/", flush=True)
sys.stdin.read()
os._exit(0)
"""


PAGES = {
    "/every.html": """
        <a href='/fine'> <a href='fine#part'> <a href='#here'> <a href='/every.html'> <a name='x'> <a href>
        <a href='/moved'> <a href='/missing'> <a href='/endless'> <a href='/slow'>
        <a href='/large'> <a href='/silent'> <a href='/babbling'> <a href='/boundless'>
        <a href='mailto:me@example.org'> <a href='FILE:/etc'> <a href='http://[wrong'>
        <a href='http://127.0.0.1:{closed}/'> <a href='https://127.0.0.1:{port}/tls'>
        <A HREF=" &#x2f;café &amp; more?q=1&amp;r=2 ">""",
    "/based.html": "<base href='/below/'><a href='one'>",
    "/many.html": "".join(f"<a href='/{number}'>" for number in range(1, 8)),
    "/dead.html": "<a href='/missing'>",
    "/letters.html": "<a href='/café'>",
    "/waiting.html": "<a href='/slow'>",
}

RAW = {
    "/silent": b"",
    "/babbling": b"good morning\r\n\r\n",
    "/boundless": b"HTTP/1.1 200 OK\r\nName: " + b"x" * 200_000,
    "/broken": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
}

MOVED = {"/moved": "/fine", "/endless": "/endless"}


class Site(ThreadingHTTPServer):
    """A server with links of every kind."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.released = threading.Event()
        # A port that is taken, and on which nobody listens.
        self.unheard = socket.socket()
        self.unheard.bind(("127.0.0.1", 0))
        self.closed: int = self.unheard.getsockname()[1]
        self.asked: list[str] = []

    def address(self, path: str) -> str:
        """Return the whole address of *path*."""
        return f"http://127.0.0.1:{self.server_port}{path}"

    def text(self, path: str) -> bytes:
        """Return the page at *path*, or a few words."""
        page = PAGES.get(path, "a page without links")
        return page.replace("{closed}", str(self.closed)).replace("{port}", str(self.server_port)).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers for the site."""

    server: Site

    def do_GET(self) -> None:
        """Answer as the path says."""
        self.server.asked.append(self.path)
        if self.path in RAW:
            self.wfile.write(RAW[self.path])
            return
        if self.path == "/slow":
            self.server.released.wait(SECONDS)
        self.send_response(404 if self.path == "/missing" else 302 if self.path in MOVED else 200)
        self.send_header("Location", MOVED.get(self.path, ""))
        self.end_headers()
        if self.path == "/large":
            self.server.released.wait(SECONDS)
        self.wfile.write(self.server.text(self.path))

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


@pytest.fixture
def documentation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a server of ours, which can be slow and can die, in the place of pydoc's."""
    modules = folder / "modules"
    modules.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(modules), prepend=os.pathsep)
    program = modules / "pydoc.py"
    program.write_text(DOCUMENTATION_SERVER)
    return program


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run([*COMMAND, *arguments], check=False, capture_output=True, text=True, timeout=SECONDS)


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


def stored(path: Path) -> list[tuple[str, str, str]]:
    """Return what the database has of the links: address, verdict, detail."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT url, verdict, detail FROM findings ORDER BY rowid").fetchall()


def accepts_connections(address: str) -> bool:
    """Tell whether somebody listens at *address*."""
    parts = urlsplit(address)
    with socket.socket() as one:
        return one.connect_ex((parts.hostname, parts.port)) == 0


def test_the_tour_prints_the_lines_of_the_tutorial_exactly(folder: Path) -> None:
    """Under three headlines stands what the three programs print."""
    ended = run("--tour-only")
    programs = [part.splitlines() for part in re.split(r"^\d\. .*\n", ended.stdout, flags=re.MULTILINE)[1:]]
    assert TUTORIAL == [[line for line in lines if line] for lines in programs]
    assert (0, "") == (ended.returncode, ended.stderr)


def test_the_main_job_checks_a_page_of_pydocs_own_server(folder: Path) -> None:
    """Without arguments all links of a real page are found alive and stored, and the server is stopped."""
    ended = run()
    found = re.search(r"^Links on (http://\S+): (\d+)$", ended.stdout, re.MULTILINE)
    assert found is not None
    address, count = found[1], int(found[2])
    assert 30 <= count <= 60
    assert ended.stdout.endswith(f"Checked {count} of {count}: {count} alive, 0 dead, 0 skipped\n")
    assert [("alive", "200 OK")] * count == [row[1:] for row in stored(folder / "links.sqlite3")]
    assert str(folder / "links.sqlite3") in ended.stdout
    assert (0, "", False) == (ended.returncode, ended.stderr, accepts_connections(address))


def test_each_link_is_told_of_and_stored_with_its_reason(site: Site, folder: Path) -> None:
    """What became of a link, whatever its kind, stands on the screen and in the file."""
    ended = run(site.address("/every.html"), "--timeout", "0.5", "--database", "found.sqlite3")
    found = stored(folder / "found.sqlite3")
    tls = next(detail for url, _, detail in found if url.startswith("https:"))
    assert "SSL" in tls
    assert [
        (site.address("/fine"), "alive", "200 OK"),
        (site.address("/moved"), "alive", f"200 OK, at {site.address('/fine')}"),
        (site.address("/missing"), "dead", "404 Not Found"),
        (site.address("/endless"), "dead", "more than 5 redirects"),
        (site.address("/slow"), "dead", "no answer within 0.5 seconds"),
        (site.address("/large"), "alive", "200 OK"),
        (site.address("/silent"), "dead", "Remote end closed connection without response"),
        (site.address("/babbling"), "dead", "good morning"),
        (site.address("/boundless"), "dead", "the head of the answer has no end"),
        ("mailto:me@example.org", "skipped", "mailto: is not checked"),
        ("FILE:/etc", "skipped", "file: is not checked"),
        ("http://[wrong", "dead", "Invalid IPv6 URL"),
        (f"http://127.0.0.1:{site.closed}/", "dead", f"no connection to 127.0.0.1:{site.closed}: Connection refused"),
        (f"https://127.0.0.1:{site.server_port}/tls", "dead", tls),
        (site.address("/café & more?q=1&r=2"), "alive", "200 OK"),
    ] == found
    assert [f"  {verdict:7}  {url}  {detail}" for url, verdict, detail in found] == ended.stdout.splitlines()[-25:-10]
    assert "Checked 15 of 15: 4 alive, 9 dead, 2 skipped" == ended.stdout.splitlines()[-10]
    assert 6 == site.asked.count("/endless")
    assert (1, "") == (ended.returncode, ended.stderr)


def test_a_page_may_name_the_base_of_its_links(site: Site, folder: Path) -> None:
    """Links are followed from there; if all are alive the exit status is 0."""
    ended = run(site.address("/based.html"))
    assert ["/based.html", "/below/one"] == site.asked
    assert (0, "") == (ended.returncode, ended.stderr)


def test_a_limit_is_stated_with_what_it_leaves_out(site: Site, folder: Path) -> None:
    """Whoever has only some links checked is told how many there are."""
    ended = run(site.address("/many.html"), "--limit", "3")
    assert ": 7, of which the first 3 are checked\n" in ended.stdout
    assert ended.stdout.endswith("Checked 3 of 3: 3 alive, 0 dead, 0 skipped\n")
    assert ["/many.html", "/1", "/2", "/3"] == site.asked


def test_each_run_adds_its_findings_to_the_file(site: Site, folder: Path) -> None:
    """Nothing that was stored is lost, and a run sums up its own alone."""
    runs = [run(site.address("/dead.html")), run(site.address("/based.html"))]
    assert [site.address("/missing"), site.address("/below/one")] == [
        url for url, _, _ in stored(folder / "links.sqlite3")
    ]
    assert [1, 0] == [ended.returncode for ended in runs]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("SITE/missing", "404 Not Found"),
        ("SITE/slow", "no answer within 0.5 seconds"),
        ("SITE/broken", "IncompleteRead(5 bytes read, 95 more expected)"),
        ("SITE/silent", "Remote end closed connection without response"),
        ("http://127.0.0.1:CLOSED/", "no connection to 127.0.0.1:CLOSED: Connection refused"),
        ("python.org", "an address begins with http:// or https:// and a host, got 'python.org'"),
        ("http://127.0.0.1:port/", "Port could not be cast to integer value as 'port'"),
    ],
)
def test_a_page_that_cannot_be_had_is_told_in_one_line(address: str, reason: str, site: Site, folder: Path) -> None:
    """There is no traceback, and the exit status is 1."""
    address, reason = (
        text.replace("SITE", site.address("")).replace("CLOSED", str(site.closed)) for text in (address, reason)
    )
    ended = run(address, "--timeout", "0.5")
    assert f"aiopromise: {address} could not be had: {reason}\n" == ended.stderr
    assert 1 == ended.returncode


def test_a_server_that_is_killed_in_the_middle_is_told_in_words(
    documentation: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain ends there; what was found before is summed up and stored, and the rest is not called dead."""
    monkeypatch.setenv("LINKS", "first fatal third fourth")
    with started([sys.executable, str(documentation)], stdin=subprocess.PIPE) as server:
        address = read_until(server, "ready").split()[-1]
        ended = run(address)
    assert [(f"{address}first", "alive"), (f"{address}fatal", "dead")] == [
        row[:2] for row in stored(folder / "links.sqlite3")
    ]
    assert "Checked 2 of 4: 1 alive, 1 dead, 0 skipped" in ended.stdout
    assert re.fullmatch(
        r"aiopromise: the server of the page died in the middle: no connection to \S+: Connection refused\n",
        ended.stderr,
    )
    assert 1 == ended.returncode


def test_the_embedded_server_may_die_as_any_other(
    documentation: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it is our own child makes no difference to what is said, and it leaves no noise behind."""
    monkeypatch.setenv("LINKS", "first fatal third fourth")
    ended = run()
    assert "Checked 2 of 4: 1 alive, 1 dead, 0 skipped" in ended.stdout
    assert ended.stderr.startswith("aiopromise: the server of the page died in the middle: ")
    assert (1, 1) == (ended.returncode, len(ended.stderr.splitlines()))


def test_an_embedded_server_that_does_not_start_is_told_in_words(documentation: Path) -> None:
    """A Python without a working pydoc is no reason for a traceback."""
    documentation.write_text("raise SystemExit('no')")
    ended = run()
    reason = f"{sys.executable} -m pydoc ended"
    assert f"aiopromise: the documentation server did not start: {reason}\n" == ended.stderr
    assert 1 == ended.returncode


def test_a_database_that_cannot_be_used_is_told_in_words(site: Site, folder: Path) -> None:
    """Neither a folder nor a text is a database, and no server is asked for anything then."""
    (folder / "letter").write_text("Dear reader, " * 100)
    said = [run(site.address("/dead.html"), "--database", name).stderr for name in (".", "letter")]
    assert ["aiopromise: .: unable to open database file\n", "aiopromise: letter: file is not a database\n"] == said
    assert [] == site.asked


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to a group of processes")
class TestCtrlC:
    """A real SIGINT, sent when a line on the screen says that the program is in the middle."""

    def test_it_cancels_the_chain_and_keeps_what_was_found(
        self, documentation: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The program ends with status 130 and one line, without waiting for the slow link."""
        monkeypatch.setenv("LINKS", "first slow third")
        with (
            started([sys.executable, str(documentation)], stdin=subprocess.PIPE) as server,
            started([*COMMAND, address := read_until(server, "ready").split()[-1], *PATIENTLY]) as process,
        ):
            read_until(process, "/first")
            shown, said = press_ctrl_c(process)
        assert (130, STOPPED) == (process.returncode, said)
        assert "Checked 1 of 3: 1 alive, 0 dead, 0 skipped\n" == shown
        assert [(f"{address}first", "alive", "200 OK")] == stored(folder / "links.sqlite3")

    def test_it_stops_the_embedded_server(
        self, documentation: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The child is gone when the program has ended; it is not in the group that hears of the signal."""
        monkeypatch.setenv("LINKS", "first slow third")
        with started([*COMMAND, *PATIENTLY]) as process:
            address = read_until(process, "Links on").split()[2].rstrip(":")
            read_until(process, "/first")
            assert accepts_connections(address)
            _, said = press_ctrl_c(process)
        assert (130, STOPPED, False) == (process.returncode, said, accepts_connections(address))
        assert process.pid != int((folder / "group").read_text())

    @pytest.mark.parametrize("line", [">func3()", ">task1()", "4. The main job", "Links on", "What is found"])
    def test_it_may_come_at_any_time(self, line: str, documentation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tour, start of the server, page or links: the end is the same."""
        monkeypatch.setenv("LINKS", "slow")
        with started([*COMMAND, *PATIENTLY]) as process:
            read_until(process, line)
            _, said = press_ctrl_c(process)
        assert (130, STOPPED) == (process.returncode, said)


def test_a_killed_program_leaves_no_server_behind(documentation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends with its input, even where nobody is left to stop it."""
    monkeypatch.setenv("LINKS", "first slow third")
    with started([*COMMAND, *PATIENTLY]) as process:
        address = read_until(process, "Links on").split()[2].rstrip(":")
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


def test_a_reader_that_leaves_early_gets_no_traceback(site: Site, folder: Path) -> None:
    """`python -m aiopromise | head` is quiet."""
    with started([*COMMAND, site.address("/waiting.html")]) as process:
        read_until(process, "What is found")
        assert process.stdout is not None
        process.stdout.close()
        site.released.set()
        assert process.stderr is not None
        said = process.stderr.read()
        assert (1, "") == (process.wait(SECONDS), said)


def test_a_screen_without_the_letters_shows_their_numbers(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No link fails because a terminal cannot show it."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = run(site.address("/letters.html"))
    assert site.address(r"/caf\xe9") in ended.stdout
    assert (0, "") == (ended.returncode, ended.stderr)


def test_help_tells_all() -> None:
    """Options, exit statuses, what is dead and what Ctrl-C does are in the one text."""
    ended = run("--help")
    options = {"url", "--database PATH", "--timeout SECONDS", "--limit COUNT", "--tour-only"}
    told = {"pydoc", "exit status", "130", "Ctrl-C", "dead", "skipped", "links.sqlite3", "examples"}
    assert set() == {text for text in options | told if text not in ended.stdout}
    assert (0, "") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--limit", "0"], "argument --limit: it must be more than 0, got 0"),
        (["--limit", "many"], "argument --limit: invalid int value: 'many'"),
        (["--timeout", "nan"], "argument --timeout: it must be more than 0, got nan"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(arguments: list[str], reason: str) -> None:
    """The exit status is 2, as for any program."""
    ended = run(*arguments)
    assert (2, "", True) == (ended.returncode, ended.stdout, ended.stderr.endswith(f"error: {reason}\n"))
