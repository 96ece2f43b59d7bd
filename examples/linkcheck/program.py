"""What the program does, from its options to its exit status."""

import asyncio
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path

from aiopromise import Promise
from crawl import Crawl
from interrupt import cancel_on_ctrl_c
from link import UnreachableError
from options import parse
from record import RecordError, Site
from screen import OutputError, abandon, complain, prepare
from servers import DOCUMENTATION, PLANTED, ServerStartError, serve_documentation, serve_folder

__all__ = ["main"]


def main() -> int:
    """Check what the command line asks for, and return the exit status.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    options = parse()
    try:
        prepare()
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
    cancel_on_ctrl_c()
    return await check_links(options).catch((UnreachableError, ServerStartError, RecordError), complain)


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
