"""The embedded documentation server: pydoc's own, in a child process."""

import asyncio
import os
import re
import sys
import sysconfig
from collections.abc import Callable
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from threading import Thread
from typing import IO, Final, NoReturn, TypeVar, cast

from aiopromise import Promise, Reject, Resolve, promisify

__all__ = ["SITE", "ServerStartError", "serve_documentation"]

# Its port differs each time, so it is identified by what it serves.
SITE: Final = f"the documentation of Python {sys.version.partition(' ')[0]}"

_READY: Final = re.compile(rb"Server ready at (\S+)")

# To show a module, pydoc imports it: so only the standard library, and neither what is installed nor what is in the
# user's folder. One of its modules opens a browser.
_COMMAND: Final = [sys.executable, "-I", "-S", "-u", "-m", "pydoc", "-n", "127.0.0.1", "-p", "0"]
_FOLDER: Final = sysconfig.get_path("stdlib")
_NO_BROWSER: Final = {"BROWSER": f'"{sys.executable}" -c pass %s'}

_PATIENCE: Final = 2.0

T = TypeVar("T")


class ServerStartError(Exception):
    """The documentation server did not start."""


@promisify
def serve_documentation(visit: Callable[[str], Promise[T]]) -> Promise[T]:
    """Return a promise for the result of *visit* for the index's address; the server runs until that has settled."""
    server = _start()
    address, resolve, reject = Promise[str].with_resolvers()
    listener = Thread(target=_listen, args=(server.stdout, resolve, reject), daemon=True)
    listener.start()

    def stop() -> Promise[None]:
        # Started immediately and shielded: a second Ctrl-C must not leave it running, and would otherwise reach
        # to_thread(), a Task, before its first step.
        return Promise(asyncio.get_running_loop().run_in_executor(None, _stop, server, listener)).shield()

    # Together with the start: a cancellation between two promises would find nothing to stop it.
    return address.catch(OSError, _refuse).then(visit).finally_(stop)


def _start() -> "Popen[bytes]":
    # Not by asyncio, which logs a complaint if it is cancelled while starting a process. In its own session, as a
    # terminal's Ctrl-C goes to everything in the foreground. And it reads from a pipe, and exits when that is
    # closed, even if this process is killed.
    try:
        return Popen(
            _COMMAND,
            cwd=_FOLDER,
            env=os.environ | _NO_BROWSER,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        _refuse(error)


def _listen(lines: IO[bytes], resolve: Resolve[str], reject: Reject) -> None:
    # To the end, as a module may print more than fits in a pipe.
    with lines:
        for line in lines:
            if ready := _READY.match(line):
                resolve(ready[1].decode())
    reject(ChildProcessError(f"{sys.executable} -m pydoc ended"))


def _stop(server: "Popen[bytes]", listener: Thread) -> None:
    server.terminate()
    with cast(IO[bytes], server.stdin):
        try:
            server.wait(_PATIENCE)
        except TimeoutExpired:
            server.kill()
            server.wait()
    listener.join(_PATIENCE)  # before the loop is closed, which it may still call


def _refuse(error: OSError) -> NoReturn:
    raise ServerStartError(f"the documentation server did not start: {error}") from error
