"""`python examples/linkcheck`: check the links of a site, and of what it refers to.

The parts are good libraries, each called through a promise. Whatever happens in the middle, servers are stopped and the
file is closed. The other modules, in reading order; each imports only from those before it, and from the front door of
the library:

- `screen`: what is said, at once
- `interrupt`: Ctrl-C
- `addresses`: the one form in which an address is compared, and whose it is
- `options`: what the command line asks for
- `page`: what a page refers to (selectolax)
- `web`: one address asked (httpx), again (stamina), and not too often (aiolimiter)
- `manners`: what nobody is asked for (protego)
- `link`: one link, and what is found about it
- `record`: what is found, and what is still to be checked (SQLite, in a thread)
- `report`: what is told (rich)
- `crawl`: the stream of links
- `servers`: pydoc's own, and one for a folder
"""

import asyncio
import signal
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
from screen import OutputError, abandon_output, complain, prepare
from servers import DOCUMENTATION, PLANTED, ServerStartError, serve_documentation, serve_folder


def main() -> int:
    """Run the program, and return its exit status."""
    options = parse()
    try:
        prepare()
        return asyncio.run(run(options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # there is nothing left to interrupt
        complain("stopped by Ctrl-C; what was found is in the file")
        return 130
    except BrokenPipeError:
        abandon_output()
        return 141
    except OutputError as error:
        abandon_output()
        return complain(error)


async def run(options: Namespace) -> int:
    """Check what is asked for, and return the exit status."""
    cancel_on_ctrl_c()
    return await check_links(options).catch((UnreachableError, ServerStartError, RecordError), complain)


def check_links(options: Namespace) -> Promise[int]:
    """Return a promise for the exit status, after everything that was opened is closed."""

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


if __name__ == "__main__":
    sys.exit(main())
