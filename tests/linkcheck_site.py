"""A server with whatever pages a test wants, and the link checker, run on it as its users run it."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PROGRAM = str(Path(__file__).parent.parent / "examples" / "linkcheck")

SECONDS = 60

# Whatever was left open is complained of on stderr, which is looked at.
PYTHON = [sys.executable, "-W", "always::ResourceWarning"]
COMMAND = [*PYTHON, PROGRAM]

# The libraries that it is made of may be missing on a Python that is too new for them.
for library in ("httpx", "protego", "selectolax", "stamina"):
    pytest.importorskip(library)


class Handler(BaseHTTPRequestHandler):
    """Answers for the site."""

    server: "Site"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer as the site says: with a page, with bytes as they are, or with whatever a function does."""
        path = self.path
        self.server.note(self)
        page = self.server.pages.get(path.partition("?")[0])
        if page is None:
            self.answer(404)
        elif callable(page):
            page(self)
        elif isinstance(page, bytes):
            self.wfile.write(page)
            self.close_connection = True
        else:
            self.answer(body=page)

    do_HEAD = do_GET  # noqa: N815  # so it is called from outside

    def answer(self, status: int = 200, body: str | bytes = "", kind: str = "text/html", **headers: str) -> None:
        """Send a whole answer, and keep the connection open."""
        content = self.server.filled(body).encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), self.server.filled(value))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


Page = str | bytes | Callable[[Handler], None]


def moved(place: str, **headers: str) -> Callable[[Handler], None]:
    """Answer that the page is elsewhere."""
    return lambda handler: handler.answer(302, Location=place, **headers)


def status(code: int, **headers: str) -> Callable[[Handler], None]:
    """Answer with a status."""
    return lambda handler: handler.answer(code, **headers)


def typed(kind: str, body: str | bytes = "", **headers: str) -> Callable[[Handler], None]:
    """Answer with content of some kind."""
    return lambda handler: handler.answer(200, body, kind, **headers)


def links(*hrefs: str) -> str:
    """Return a page with these links."""
    return "".join(f"<a href='{href}'>" for href in hrefs)


class Site(ThreadingHTTPServer):
    """A server of pages, which remembers what it was asked for."""

    daemon_threads = True
    request_queue_size = 50

    def __init__(self, pages: dict[str, Page]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = pages
        self.released = threading.Event()
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.changed = threading.Condition()

    def address(self, path: str = "/") -> str:
        """Return the whole address of *path*."""
        return f"http://127.0.0.1:{self.server_port}{path}"

    def filled(self, text: str) -> str:
        """Return *text* with the port in it."""
        return text.replace("{port}", str(self.server_port))

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that did not wait for its answer."""

    def note(self, handler: Handler) -> None:
        """Remember what is asked for."""
        with self.changed:
            self.asked.append(handler.path if handler.command == "GET" else f"{handler.command} {handler.path}")
            self.headers.append(dict(handler.headers))
            self.changed.notify_all()

    def wait_for(self, path: str) -> None:
        """Wait until *path* is asked for."""
        with self.changed:
            assert self.changed.wait_for(lambda: path in self.asked, SECONDS), self.asked

    def hold(self, handler: Handler) -> None:
        """Answer when the test says so."""
        self.released.wait(SECONDS)
        handler.answer()


@contextmanager
def serving(pages: dict[str, Page]) -> Iterator[Site]:
    """Run a server of *pages*."""
    with Site(pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join(SECONDS)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a program: with the library that is tested here, and no settings of whoever tests."""
    spared = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    for name in ("PYTHONUNBUFFERED", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        spared.pop(name, None)
    return spared | {"PYTHONPATH": os.pathsep.join(sys.path), **more}


def run(
    *arguments: str, command: list[str] = COMMAND, folder: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [*command, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=folder,
        env=environment(**more),
    )


@contextmanager
def started(command: list[str], stdin: int = subprocess.DEVNULL, **more: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a program, as the leader of a group of processes, as a terminal does; it cannot outlive its time."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=stdin, stdout=pipe, stderr=pipe, text=True, start_new_session=True, env=environment(**more)
    ) as process:
        guard = threading.Timer(SECONDS, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.kill()


class Outcome:
    """What a run has told as JSON; addresses of the site are named by their path."""

    def __init__(self, ended: "subprocess.CompletedProcess[str]") -> None:
        assert "" == ended.stderr
        self.status = ended.returncode
        self.told = json.loads(ended.stdout)
        server = "/".join(self.told["site"].split("/", 3)[:3])

        def short(url: str) -> str:
            return url.removeprefix(server) if url.startswith(f"{server}/") else url

        self.links = {short(row["url"]): (row["verdict"], row["detail"]) for row in self.told["links"]}
        self.dead = {short(row["url"]): [short(page) for page in row["pages"]] for row in self.told["dead"]}


def outcome(*arguments: str, folder: Path, **more: str) -> Outcome:
    """Run the program to its end, and return what it has found."""
    return Outcome(run(*arguments, "--format", "json", "-v", folder=folder, **more))


def query(statement: str, path: str = "links.sqlite3") -> list[tuple]:
    """Return what the database has to say."""
    with closing(sqlite3.connect(path)) as database, database:
        return database.execute(statement).fetchall()
