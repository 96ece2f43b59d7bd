"""Servers that the program starts: pydoc's own, with a dead link planted in it, and one for a folder."""

import asyncio
import os
import re
import sys
import sysconfig
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from threading import Thread
from typing import IO, Final, TypeVar, cast

from aiopromise import Promise, Reject, Resolve, promisify

# Its port differs each time, so it is identified by what it serves.
DOCUMENTATION: Final = f"the documentation of Python {sys.version.partition(' ')[0]}"

# Nothing listens on port 1.
PLANTED: Final = "http://127.0.0.1:1/planted"

_PYDOC: Final = f"""
import pydoc
index = pydoc.HTMLDoc.index
pydoc.HTMLDoc.index = lambda *folders: index(*folders) + '<a href="{PLANTED}">a dead link</a>'
pydoc.cli()
"""

_READY: Final = re.compile(rb"Server ready at (\S+)")

# To show a module, pydoc imports it: so only the standard library, and neither what is installed nor what is in the
# user's folder. One of its modules opens a browser.
_COMMAND: Final = [sys.executable, "-I", "-S", "-u", "-c", _PYDOC, "-n", "127.0.0.1", "-p", "0"]
_FOLDER: Final = sysconfig.get_path("stdlib")
_ENVIRONMENT: Final = os.environ | {"BROWSER": f'"{sys.executable}" -c pass %s'}

_PATIENCE: Final = 2.0

T = TypeVar("T")
Visit = Callable[[str], Promise[T]]


class ServerStartError(Exception):
    """A server did not start."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"the documentation server did not start: {reason}")


@promisify
def serve_documentation(visit: Visit[T]) -> Promise[T]:
    """Return a promise for the result of *visit* for the index's address; the server runs until that has settled."""
    # Not by asyncio, which logs a complaint if it is cancelled while starting a process. In its own session, as a
    # terminal's Ctrl-C goes to everything in the foreground. And it reads from a pipe, and exits when that is closed,
    # even if this process is killed.
    pipes = partial(Popen[bytes], stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True)
    try:
        server = pipes(_COMMAND, cwd=_FOLDER, env=_ENVIRONMENT)
    except OSError as error:
        raise ServerStartError(error) from error
    address, resolve, reject = Promise[str].with_resolvers()
    listener = Thread(target=_listen, args=(server.stdout, resolve, reject), daemon=True)
    listener.start()
    # Together with the start: a cancellation between two promises would find nothing to stop it.
    return address.then(visit).finally_(lambda: _in_thread(_stop, server, listener))


def _listen(lines: IO[bytes], resolve: Resolve[str], reject: Reject) -> None:
    # To the end, as a module may print more than fits in a pipe.
    with lines:
        for line in lines:
            if ready := _READY.match(line):
                resolve(ready[1].decode())
    reject(ServerStartError(f"{sys.executable} -m pydoc ended"))


def _stop(server: "Popen[bytes]", listener: Thread) -> None:
    server.terminate()
    with cast(IO[bytes], server.stdin):
        try:
            server.wait(_PATIENCE)
        except TimeoutExpired:
            server.kill()
            server.wait()
    listener.join(_PATIENCE)  # before the loop is closed, which it may still call


def _in_thread(fn: Callable[..., None], *arguments: object) -> Promise[None]:
    # Started immediately and shielded: a second Ctrl-C must not leave a server running, and would otherwise reach
    # to_thread(), a Task, before its first step.
    return Promise(asyncio.get_running_loop().run_in_executor(None, fn, *arguments)).shield()


@promisify
def serve_folder(folder: Path, visit: Visit[T]) -> Promise[T]:
    """Return a promise for the result of *visit* for *folder*'s address; the server runs until that has settled."""
    server = FolderServer(("127.0.0.1", 0), partial(FolderHandler, directory=str(folder)))
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    checked = visit(f"http://127.0.0.1:{server.server_port}/")
    return checked.finally_(lambda: _in_thread(server.shutdown).finally_(server.server_close))


class FolderServer(ThreadingHTTPServer):
    """Serves a folder."""

    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that closes the connection early."""


class FolderHandler(SimpleHTTPRequestHandler):
    """Answers as most servers do: for a folder only if it contains an index.html."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def list_directory(self, path: str | os.PathLike[str]) -> BytesIO | None:
        if self.path == "/":  # the start, where a list of the files is better than nothing
            return super().list_directory(path)
        self.send_error(HTTPStatus.NOT_FOUND, "No index.html")
        return None

    def log_message(self, *arguments: object, **named: object) -> None:
        """Print nothing."""
