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

# Its port is another each time, so it is known by what it serves.
SITE: Final = f"the documentation of Python {sys.version.partition(' ')[0]}"

_READY: Final = re.compile(rb"Server ready at (\S+)")

# To show a module, pydoc imports it: only those of the standard library, so neither what is installed nor what lies
# in the folder of the user. One of them opens a browser.
_COMMAND: Final = [sys.executable, "-I", "-S", "-u", "-m", "pydoc", "-n", "127.0.0.1", "-p", "0"]
_FOLDER: Final = sysconfig.get_path("stdlib")
_NO_BROWSER: Final = {"BROWSER": f'"{sys.executable}" -c pass %s'}

_PATIENCE: Final = 2.0

T = TypeVar("T")


class ServerStartError(Exception):
    """The documentation server did not start."""


@promisify
def serve_documentation(visit: Callable[[str], Promise[T]]) -> Promise[T]:
    """Return a promise for what *visit* makes of the address of the index; the server runs until that has settled."""
    server = _start()
    address, resolve, reject = Promise[str].with_resolvers()
    listener = Thread(target=_listen, args=(server.stdout, resolve, reject), daemon=True)
    listener.start()

    def stop() -> Promise[None]:
        # Begun at once and shielded: a second Ctrl-C must not leave it running, and would find to_thread(), a Task,
        # before its first step.
        return Promise(asyncio.get_running_loop().run_in_executor(None, _stop, server, listener)).shield()

    # In one breath with the start: a cancellation that came between two promises would find nobody to stop it.
    return address.catch(OSError, _refuse).then(visit).finally_(stop)


def _start() -> "Popen[bytes]":
    # Not by asyncio, which, cancelled while it starts a process, logs a complaint about that process. In a session
    # of its own, for the Ctrl-C of a terminal goes to all that is in the foreground. And it reads from a pipe, with
    # whose end it ends, even if this process is killed.
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
    # To the end, for a module may print more than a pipe holds.
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
    listener.join(_PATIENCE)  # before the loop is closed, which it may still have something to tell


def _refuse(error: OSError) -> NoReturn:
    raise ServerStartError(f"the documentation server did not start: {error}") from error
