"""What the program does, from its options to its exit status."""

import asyncio
import io
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TextIO

from aiopromise import Promise
from aiopromise.inspect import record
from crawl import Crawl
from options import parse
from record import RecordError, Site
from report import OutputError, Screen
from servers import DOCUMENTATION, PLANTED, ServerStartError, serve_documentation, serve_folder
from verdict import UnreachableError


def main() -> int:
    """Check what the command line asks for, and return the exit status.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    options = parse()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # shows the number of a character that a terminal lacks
    try:
        if sys.stdout is None:
            raise OutputError("the output cannot be written: it is closed")
        return asyncio.run(run(options))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        abandon(sys.stdout)
        return 141
    except OutputError as error:
        abandon(sys.stdout)
        return complain(error)


async def run(options: Namespace) -> int:
    """Check what the options ask for, and return the exit status."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    # Every Ctrl-C cancels the Task, and so what it awaits. asyncio does so with the first alone; the second raises
    # KeyboardInterrupt wherever the program happens to be, which tears the very cleanup that the first has asked for.
    signal.signal(signal.SIGINT, lambda *_: None if loop.is_closed() else loop.call_soon_threadsafe(task.cancel))
    with nullcontext() if options.timeline is None else timeline(options.timeline):
        return await check_links(options).catch((UnreachableError, ServerStartError, RecordError), complain)


@contextmanager
def timeline(file: Path) -> Iterator[None]:
    """Write to *file* what ran when within the block, even if Ctrl-C ends it."""
    with record() as recording:
        try:
            yield
        finally:
            try:
                recording.save(file)
            except OSError as error:
                raise OutputError(f"the timeline cannot be written: {error}") from error


def check_links(options: Namespace) -> Promise[int]:
    """Return a promise for the exit status, once everything has been closed."""

    def check(name: str, planted: frozenset[str], start: str) -> Promise[int]:
        return Crawl(Site(name, start, server=start.rstrip("/"), planted=planted), options).run()

    match options.start:
        case None:
            return serve_documentation(partial(check, DOCUMENTATION, frozenset({PLANTED})))
        case Path() as folder:
            return serve_folder(folder, partial(check, str(folder), frozenset()))
        case _:
            url, credentials = options.start
            return Crawl(Site(url, url, credentials), options).run()


def complain(trouble: object) -> int:
    """Print *trouble* to stderr, and return the exit status for it."""
    try:
        Screen(stderr=True).say(f"linkcheck: {' '.join(str(trouble).split())}")
    except (OSError, OutputError):
        abandon(sys.stderr)  # then the status alone tells
    return 2


def abandon(stream: TextIO | None) -> None:
    """Write nothing more to *stream*: Python would flush what is broken again at exit, and complain."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
