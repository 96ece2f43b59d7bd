"""`python examples/linkcheck`: check the links of a site.

The work is done by well-known libraries; promises connect them. Whatever happens, servers are stopped and the file is
closed. The other modules, in reading order (each imports only from those before it, and from `aiopromise` itself):

- `screen`: the output
- `interrupt`: Ctrl-C
- `addresses`: addresses, in a normal form
- `options`: the command line
- `page`: what a page refers to (selectolax)
- `manners`: what may be requested (protego)
- `web`: one address requested (httpx), again (stamina), at a limited rate (aiolimiter)
- `link`: one link, and the verdict on it
- `record`: what is found, and what remains to be checked (SQLite)
- `report`: the report (rich)
- `crawl`: the stream of links
- `servers`: pydoc's server, and one for a folder
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
        complain("stopped by Ctrl-C")
        return 130
    except BrokenPipeError:
        abandon_output()
        return 141
    except OutputError as error:
        abandon_output()
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


if __name__ == "__main__":
    sys.exit(main())
