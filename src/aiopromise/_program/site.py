"""The embedded documentation server: pydoc's own, in a child process."""

import asyncio
import re
import sys
from collections.abc import Callable
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, Final, NoReturn, TypeVar, cast

from aiopromise import Promise, promisify

__all__ = ["ServerStartError", "serve_documentation"]

# Its pages are texts: to show one of a module, pydoc would import that module, whatever this does.
_PAGE: Final = "keywords.html"

_READY: Final = re.compile(rb"Server ready at (\S+)")

T = TypeVar("T")


class ServerStartError(Exception):
    """The documentation server did not start."""


@promisify
def serve_documentation(visit: Callable[[str], Promise[T]]) -> Promise[T]:
    """Return a promise for what *visit* makes of the address of a page; the server runs until that has settled."""
    server = _start()
    # In one breath with the start: a cancellation that came between two promises would find nobody to stop it.
    return _address_of(server).then(visit).finally_(lambda: asyncio.to_thread(_stop, server))


def _start() -> "Popen[bytes]":
    # Not by asyncio, which, cancelled while it starts a process, logs a complaint about that process. In a session
    # of its own, for the Ctrl-C of a terminal goes to all that is in the foreground. And it reads from a pipe, with
    # whose end it ends, even if this process is killed.
    try:
        return Popen(
            [sys.executable, "-u", "-m", "pydoc", "-n", "127.0.0.1", "-p", "0"],
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        _refuse(error)


def _address_of(server: "Popen[bytes]") -> Promise[str]:
    return Promise(asyncio.to_thread(_read_address, cast(IO[bytes], server.stdout))).catch(OSError, _refuse)


def _read_address(lines: IO[bytes]) -> str:
    for line in lines:
        if ready := _READY.match(line):
            return ready[1].decode() + _PAGE
    raise ChildProcessError(f"{sys.executable} -m pydoc ended")


def _stop(server: "Popen[bytes]") -> None:
    server.terminate()
    server.communicate()


def _refuse(error: OSError) -> NoReturn:
    raise ServerStartError(f"the documentation server did not start: {error}") from error
