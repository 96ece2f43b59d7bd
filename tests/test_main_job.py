"""The programs that come along: the tour, and the check of real sites, which may die, and on a real Ctrl-C."""

import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from linkcheck_site import (
    COMMAND,
    PROGRAM,
    PYTHON,
    SECONDS,
    environment,
    links,
    outcome,
    query,
    run,
    serving,
    started,
)

pytestmark = pytest.mark.slow

TOUR = [*PYTHON, "-m", "aiopromise"]

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs groups of processes, terminals and a shell")

TUTORIAL = [
    [">func3()", ">func2()", ">func1()", "Main: 103"],
    [">task1()", ">task2_sub1()", ">task2_sub2()", ">task3()", "[1, [2.1, 2.2], 3]"],
    [">task1()", ">task2() got 1", ">task3() got 2", "Main: chain is done"],
]

# A slow link is waited for longer than a test is.
PATIENTLY = ["-v", "--timeout", "600"]
ONE_BY_ONE = ["--concurrency", "1"]

STOPPED = "linkcheck: stopped by Ctrl-C\n"
GO_ON = "The same command checks the rest. To start again, delete links.sqlite3\n"

# Each page links to what LINKS names. It ends, as pydoc's server does, with its input.
DOCUMENTATION_SERVER = """
import os, signal, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/fatal":
            os._exit(1)
        if self.path == "/slow" and not os.environ.get("QUICK"):
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

# Imported by the program: Ctrl-C is pressed, and again as soon as something is done about it.
IMPATIENT_MODULE = """
import os, signal
install = signal.signal

def press_again_and_install(*arguments):
    signal.signal = install
    os.kill(os.getpid(), signal.SIGINT)
    return install(*arguments)

signal.signal = press_again_and_install
os.kill(os.getpid(), signal.SIGINT)
"""

# The program, in which Ctrl-C is pressed while the file is opened, which fails when that has been noticed.
LOCKED_FILE = f"""
import asyncio, os, runpy, signal, sqlite3, threading
noticed = threading.Event()
install = signal.signal

def connect(*arguments, **named):
    os.kill(os.getpid(), signal.SIGINT)
    noticed.wait({SECONDS})
    raise sqlite3.OperationalError("database is locked")

def install_and_note(number, handler):
    def note(*arguments):
        handler(*arguments)
        asyncio.get_running_loop().call_soon_threadsafe(noticed.set)

    return install(number, note if callable(handler) else handler)

signal.signal = install_and_note
sqlite3.connect = connect
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


def accepts_connections(address: str) -> bool:
    """Return whether somebody listens at *address*."""
    parts = urlsplit(address)
    with socket.socket() as one:
        return one.connect_ex((parts.hostname, parts.port)) == 0


def served_at(process: "subprocess.Popen[str]") -> str:
    """Return where the site is that the program serves itself."""
    return read_until(process, "served at").split()[-1]


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
        ended = subprocess.run(
            TOUR, check=False, stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=SECONDS, env=environment()
        )
    assert (141, "") == (ended.returncode, ended.stderr)


def test_the_tour_takes_no_arguments(folder: Path) -> None:
    """Whoever looks for the link checker there is not shown something else."""
    ended = run("http://127.0.0.1/", command=TOUR)
    assert (2, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.endswith("error: unrecognized arguments: http://127.0.0.1/\n")


def test_the_check_of_no_site_finds_the_dead_link_that_was_planted_in_pydoc(folder: Path) -> None:
    """That it is found, and nothing else, is what the exit status says; the server is stopped."""
    (folder / "mine.py").write_text("raise SystemExit('somebody has run my program')")
    ended = run("--exclude", "/[a-z]+[.]html")
    address = ended.stdout.split("\n")[0].split()[-1]
    assert "\n  http://127.0.0.1:1/planted  no connection: Connection refused\n    on /\n" in ended.stdout
    assert 200 <= query("SELECT count(*) FROM links WHERE url LIKE '/%.html'")[0][0]
    assert [] == query("SELECT * FROM links WHERE url LIKE '%mine%' OR url LIKE '%127.0.0.1%' AND verdict <> 'dead'")
    assert (0, "", False) == (ended.returncode, ended.stderr, accepts_connections(address))


def test_a_folder_is_served_and_checked(folder: Path) -> None:
    """Its pages are named by their place in it; a folder in it has a page only if there is one."""
    (site := folder / "site").mkdir()
    (site / "index.html").write_text(links("page.html#part", "with", "with/", "without/", "missing.html"))
    (site / "page.html").write_text("<h1 id=part>" + links("with/caf%C3%A9 1.txt", "/../../outside"))
    for name in ("with", "without"):
        (site / name).mkdir()
    (site / "with" / "index.html").write_text("<img src=picture.png>")
    (site / "with" / "café 1.txt").write_text("a text")
    (folder / "outside").write_text("not of the site")
    found = outcome("site", folder=folder)
    missing = {"/missing.html": ["/index.html", "/"], "/without/": ["/"], "/with/picture.png": ["/with/"]}
    dead = {url: set(pages) for url, pages in found.dead.items()}
    assert {"/missing.html", "/without/", "/with/picture.png", "/outside"} == set(dead)
    assert set(missing["/with/picture.png"]) == dead["/with/picture.png"]
    assert ("alive", "200 OK") == found.links["/with/caf%C3%A9%201.txt"]
    assert (1, str(site)) == (found.status, found.told["site"])


def test_a_folder_without_a_first_page_is_checked_by_its_list(folder: Path) -> None:
    """A heap of pages is as good as a site."""
    (folder / "one.html").write_text(links("two.html"))
    found = outcome(".", "--database", str(folder.parent / f"{folder.name}.sqlite3"), folder=folder)
    assert ({"/", "/one.html", "/two.html"}, {"/two.html": ["/one.html"]}) == (set(found.links), found.dead)


def test_a_complete_run_is_replaced_by_the_next(folder: Path) -> None:
    """Everything is checked again, and the file does not grow; a run with other options is another."""
    counts = []
    with serving({"/": links("/fine#part", "/missing"), "/fine": "<p id=part>"}) as site:
        for options in ([], [], ["--depth", "0"]):
            ended = run(site.address(), *options)
            rows = [query(f"SELECT count(*) FROM {table}")[0][0] for table in ("runs", "links", "refs", "anchors")]
            counts.append((ended.returncode, *rows))
        assert ["/", "/fine", "/missing"] * 2 + ["/"] == [*sorted(site.asked[:3]), *sorted(site.asked[3:6]), "/"]
    # The links of a page that is too deep to follow are stored, but not checked.
    assert [(1, 1, 3, 2, 3), (1, 1, 3, 2, 3), (0, 1, 3, 2, 1)] == counts


def test_a_site_whose_server_dies_is_no_dead_link(
    documentation: Documentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence says so; what was found before is summed up and stored, and the rest can be gone on with."""
    monkeypatch.setenv("LINKS", "first fatal third fourth")
    with started([sys.executable, str(documentation.server)], stdin=subprocess.PIPE) as server:
        address = read_until(server, "ready").split()[-1]
        ended = run(address, *ONE_BY_ONE)
    assert [("alive",), ("alive",), ("unchecked",), ("unchecked",), ("unchecked",)] == query(
        "SELECT verdict FROM links ORDER BY link"
    )
    assert "this site       2    0       0         3\n" in ended.stdout
    assert ended.stdout.endswith(GO_ON)
    assert "linkcheck: the server of the site died in the middle: no connection: Connection refused\n" == ended.stderr
    assert 2 == ended.returncode


@needs_posix
def test_the_embedded_server_may_die_with_many_links_in_flight(
    documentation: Documentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it is our own child makes no difference to what is said, and it leaves no noise behind."""
    monkeypatch.setenv("LINKS", " ".join([*(f"page{number}" for number in range(100)), "fatal", "third"]))
    ended = run("--concurrency", "30", command=documentation.command)
    assert ended.stdout.endswith(GO_ON)
    assert "linkcheck: the server of the site died in the middle: no connection: Connection refused\n" == ended.stderr
    assert 2 == ended.returncode


@needs_posix
def test_an_embedded_server_that_does_not_start_is_told_in_words(documentation: Documentation) -> None:
    """A Python without a working pydoc is no reason for a traceback."""
    documentation.server.write_text("raise SystemExit('no')")
    ended = run(command=documentation.command)
    reason = f"{documentation.python} -m pydoc ended"
    assert f"linkcheck: the documentation server did not start: {reason}\n" == ended.stderr
    assert 2 == ended.returncode


def test_a_file_that_is_not_ours_is_refused_untouched(folder: Path) -> None:
    """Neither a text nor the database of another program, and no server is asked for anything then."""
    (folder / "letter").write_text("Dear reader, " * 100)
    with closing(sqlite3.connect("theirs")) as database, database:
        database.execute("CREATE TABLE links (url)")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with serving({"/": ""}) as site:
        ended = [run(site.address(), "--database", name) for name in ("letter", "theirs", ".")]
        assert [] == site.asked
    told = [f"linkcheck: {name.name} is not a file of linkcheck; name another with --database\n" for name in before]
    assert sorted(told) == sorted(one.stderr for one in ended[:2])
    assert "linkcheck: .: Is a directory\n" == ended[2].stderr
    assert [2, 2, 2] == [one.returncode for one in ended]
    assert before == {path: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder in which nobody can write, not even root")
def test_a_folder_that_cannot_be_written_to_is_told_in_words(folder: Path) -> None:
    """No server is asked for anything then."""
    with serving({"/": ""}) as site:
        ended = run(site.address(), folder=Path("/proc/self"))
        assert [] == site.asked
    assert (2, "linkcheck: links.sqlite3: unable to open database file\n") == (ended.returncode, ended.stderr)


@needs_posix
def test_a_disk_that_fills_in_the_middle_is_told_in_words(folder: Path) -> None:
    """What is in the file is whole, and can be gone on with."""
    with serving({"/": links(*map(str, range(5000)))}) as site:
        ended = run(command=["sh", "-c", f"ulimit -f 200; exec {shlex.join([*COMMAND, site.address()])}"])
    assert (2, 1) == (ended.returncode, len(ended.stderr.splitlines())), ended.stderr
    assert ended.stderr.startswith("linkcheck: links.sqlite3: d")
    assert [("ok",)] == query("PRAGMA integrity_check")


def test_two_runs_do_not_share_a_database(folder: Path) -> None:
    """The second says so, and asks for nothing, for the first checks the same."""
    with serving({"/": links("/slow")}) as site:
        site.pages["/slow"] = site.hold
        with started([*COMMAND, site.address(), *PATIENTLY]):
            site.wait_for("/slow")
            ended = run(site.address())
            assert (2, "linkcheck: links.sqlite3: database is locked\n") == (ended.returncode, ended.stderr)
            assert ["/", "/slow"] == site.asked


def test_a_file_that_another_program_has_locked_is_refused_untouched(folder: Path) -> None:
    """No server is asked for anything then, and afterwards the file is as good as before."""
    with serving({"/": ""}) as site:
        run(site.address())
        before = (folder / "links.sqlite3").read_bytes()
        with closing(sqlite3.connect("links.sqlite3", isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            ended = run(site.address())
            assert before == (folder / "links.sqlite3").read_bytes()
        assert (2, "linkcheck: links.sqlite3: database is locked\n") == (ended.returncode, ended.stderr)
        assert 0 == run(site.address()).returncode
        assert ["/", "/"] == site.asked


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
@pytest.mark.parametrize("how", [[], ["-v"], ["--format", "json"]])
def test_an_output_that_is_full_is_told_in_words(how: list[str], folder: Path) -> None:
    """What was found is kept: only the telling has failed."""
    with serving({"/": links("/fine"), "/fine": ""}) as site, open("/dev/full", "w") as full:
        ended = subprocess.run(
            [*COMMAND, site.address(), *how],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            env=environment(),
        )
        reason = "linkcheck: the output cannot be written: No space left on device\n"
        assert (2, reason) == (ended.returncode, ended.stderr)
        assert 0 == run(site.address()).returncode


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_the_status_is_right_even_where_nothing_can_be_said(folder: Path) -> None:
    """Not that of a dead link, if no site was reached, and stderr is full."""
    command = f"exec {shlex.join([*COMMAND, 'http://127.0.0.1:1/', '--retries', '0'])} 2>/dev/full"
    assert 2 == run(command=["sh", "-c", command]).returncode


@needs_posix
def test_an_output_that_is_closed_is_told_in_words(folder: Path) -> None:
    """Before anything is asked for: nobody would hear of it."""
    with serving({"/": ""}) as site:
        command = f"exec {shlex.join([*COMMAND, site.address()])} >&-"
        ended = run(command=["sh", "-c", command])
        assert [] == site.asked
    assert (2, "linkcheck: the output cannot be written: it is closed\n") == (ended.returncode, ended.stderr)


@needs_posix
class TestCtrlC:
    """A real SIGINT, sent when a line on the screen says that the program is in the middle."""

    def test_what_was_found_is_kept_and_the_same_command_checks_the_rest(self, folder: Path) -> None:
        """The program ends with status 130, without waiting for the slow link; then no page is asked for twice."""
        with serving({"/": links("/1", "/2", "/slow", "/3", "/4"), "/1": "", "/2": "", "/3": "", "/4": ""}) as site:
            site.pages["/slow"] = site.hold
            command = [site.address(), *PATIENTLY, *ONE_BY_ONE]
            with started([*COMMAND, *command]) as process:
                read_until(process, "/2")
                site.wait_for("/slow")
                shown, said = press_ctrl_c(process)
            assert (130, STOPPED) == (process.returncode, said)
            assert "this site       3    0       0         3\n" in shown
            assert shown.endswith(GO_ON)
            before = site.asked.copy()
            site.released.set()
            ended = run(*command)
            assert ["/", "/1", "/2", "/slow"] == before
            assert ["/slow", "/3", "/4"] == site.asked[len(before) :]
        assert "this site       6    0       0         0\n" in ended.stdout
        assert (0, "") == (ended.returncode, ended.stderr)

    def test_the_check_of_pydoc_is_gone_on_with_on_another_port(
        self, documentation: Documentation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its pages are known by what they are, and none is asked for twice."""
        monkeypatch.setenv("LINKS", "first slow third")
        with started([*documentation.command, *PATIENTLY, *ONE_BY_ONE]) as process:
            first = served_at(process)
            read_until(process, "/first")
            press_ctrl_c(process)
        monkeypatch.setenv("QUICK", "yes")
        ended = run("-v", *ONE_BY_ONE, command=documentation.command)
        assert first not in ended.stdout
        assert ["/slow", "/third"] == re.findall(r"alive    http://[\d.:]+(/\w*)", ended.stdout)
        assert [(4,)] == query("SELECT count(*) FROM links")

    def test_it_stops_the_embedded_server(self, documentation: Documentation, monkeypatch: pytest.MonkeyPatch) -> None:
        """The child is gone when the program has ended; it is not in the group that hears of the signal."""
        monkeypatch.setenv("LINKS", "first slow third")
        with started([*documentation.command, *PATIENTLY, *ONE_BY_ONE]) as process:
            address = served_at(process)
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

    @pytest.mark.parametrize("line", ["Checking", "200 OK", "/first"])
    def test_it_may_come_at_any_time(
        self, line: str, documentation: Documentation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Page or links: the end is the same, and the file is whole."""
        monkeypatch.setenv("LINKS", "first slow")
        with started([*documentation.command, *PATIENTLY]) as process:
            read_until(process, line)
            _, said = press_ctrl_c(process)
        assert (130, STOPPED) == (process.returncode, said)
        assert [("ok",)] == query("PRAGMA integrity_check")

    def test_it_may_come_while_the_program_is_being_loaded(self, folder: Path) -> None:
        """That takes half a second, and is told in the same words."""
        (folder / "stamina.py").write_text("import signal; signal.raise_signal(signal.SIGINT)")
        ended = run("http://127.0.0.1/", PYTHONPATH=os.pathsep.join([str(folder), *sys.path]))
        assert (130, "", STOPPED) == (ended.returncode, ended.stdout, ended.stderr)

    def test_it_may_be_pressed_twice_while_the_program_is_being_loaded(self, folder: Path) -> None:
        """The second comes while the program sees to it that there is no other."""
        (folder / "stamina.py").write_text(IMPATIENT_MODULE)
        ended = run("http://127.0.0.1/", PYTHONPATH=os.pathsep.join([str(folder), *sys.path]))
        assert (130, "", STOPPED) == (ended.returncode, ended.stdout, ended.stderr)

    def test_it_may_come_when_the_file_turns_out_to_be_unusable(self, folder: Path) -> None:
        """That is nobody's concern any more."""
        ended = run("http://127.0.0.1:1/", command=[*PYTHON, "-c", LOCKED_FILE])
        assert (130, "", STOPPED) == (ended.returncode, ended.stdout, ended.stderr)

    def test_it_stops_the_server_of_a_folder(self, folder: Path) -> None:
        """Its thread ends with the check."""
        (folder / "site").mkdir()
        (folder / "site" / "index.html").write_text(links(*map(str, range(2000))))
        with started([*COMMAND, "site", "-v"]) as process:
            read_until(process, "/7")
            _, said = press_ctrl_c(process)
        assert (130, STOPPED) == (process.returncode, said)

    def test_a_timeline_is_written_all_the_same(self, folder: Path) -> None:
        """A check that takes too long is one to be looked at."""
        with serving({"/": links("/slow")}) as site:
            site.pages["/slow"] = site.hold
            with started([*COMMAND, site.address(), *PATIENTLY, "--timeline", "run.html"]) as process:
                site.wait_for("/slow")
                _, said = press_ctrl_c(process)
            site.released.set()
        assert (130, STOPPED) == (process.returncode, said)
        assert "<title>" in (folder / "run.html").read_text()

    def test_a_second_one_is_no_worse(self, documentation: Documentation, monkeypatch: pytest.MonkeyPatch) -> None:
        """It may interrupt the waiting for a server that does not want to end, which then is killed."""
        monkeypatch.setenv("LINKS", "first slow")
        monkeypatch.setenv("STUBBORN", "yes")
        with started([*documentation.command, *PATIENTLY]) as process:
            address = served_at(process)
            read_until(process, "/first")
            os.killpg(process.pid, signal.SIGINT)
            read_until(process, "The same command")
            _, said = press_ctrl_c(process)
        assert (130, STOPPED, False) == (process.returncode, said, accepts_connections(address))
        assert [("ok",)] == query("PRAGMA integrity_check")


@needs_posix
def test_a_killed_program_leaves_no_server_behind(
    documentation: Documentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends with its input, even where nobody is left to stop it."""
    monkeypatch.setenv("LINKS", "first slow third")
    with started([*documentation.command, *PATIENTLY]) as process:
        address = served_at(process)
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


def test_a_killed_run_can_be_gone_on_with(folder: Path) -> None:
    """What was told of is in the file, even if nobody has closed it."""
    with serving({"/": links("/1", "/2", "/slow", "/3"), "/1": "", "/2": "", "/3": ""}) as site:
        site.pages["/slow"] = site.hold
        command = [site.address(), *PATIENTLY, *ONE_BY_ONE]
        with started([*COMMAND, *command]) as process:
            site.wait_for("/slow")
            process.kill()
        site.released.set()
        ended = run(*command)
        assert ["/", "/1", "/2", "/slow", "/slow", "/3"] == site.asked
    assert (0, "") == (ended.returncode, ended.stderr)


def test_a_reader_that_leaves_early_gets_no_traceback(folder: Path) -> None:
    """`python examples/linkcheck | head` is quiet."""
    with serving({"/": links("/slow")}) as site:
        site.pages["/slow"] = site.hold
        with started([*COMMAND, site.address(), *PATIENTLY]) as process:
            site.wait_for("/slow")
            assert process.stdout is not None
            process.stdout.close()
            site.released.set()
            assert process.stderr is not None
            said = process.stderr.read()
            assert (141, "") == (process.wait(SECONDS), said)
