"""`python examples/linkcheck`: check the links of a site, page by page.

Whatever happens in the middle, the server is stopped and the file is closed. The other modules, in reading order; each
imports only from those before it, and from the front door of the library:

- `screen`: what is said, at once
- `interrupt`: Ctrl-C
- `addresses`: the one form in which an address is compared, and whose it is
- `options`: what the command line asks for
- `page`: where a page leads to
- `retry`: the same again, after a pause
- `web`: one address asked, and its answer
- `link`: one link, and what is found about it
- `record`: what is found, and what is still to be checked, in an SQLite file
- `report`: what is told while links are checked, and at the end
- `crawl`: a site, level by level
- `documentation`: the embedded documentation server
"""

import asyncio
import signal
import sqlite3
import sys
from argparse import Namespace
from functools import partial

from aiopromise import Promise
from crawl import Crawl
from documentation import SITE, ServerStartError, serve_documentation
from interrupt import cancel_on_ctrl_c
from link import ServerGoneError
from options import parse
from screen import complain, leave_broken_pipe, prepare, say


def main() -> int:
    """Run the program, and return its exit status."""
    options = parse()
    prepare()
    try:
        return asyncio.run(run(options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # there is nothing left to interrupt
        say("Stopped by Ctrl-C: the chain is cancelled, the server and the database are closed.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return leave_broken_pipe()


async def run(options: Namespace) -> int:
    """Check what the options ask for, and return the exit status."""
    cancel_on_ctrl_c()
    status: int = await (
        check_links(options)
        .catch((ServerGoneError, ServerStartError), complain)
        .catch(sqlite3.Error, lambda error: complain(f"{options.database}: {error}"))
    )
    return status


def check_links(options: Namespace) -> Promise[int]:
    """Return a promise for the exit status, once the file has been closed."""
    crawl = Crawl(options)

    def check(_: None) -> Promise[int]:
        if options.url is None:
            return serve_documentation(partial(crawl.run, SITE))
        return crawl.run(options.url, options.url)

    return crawl.open().then(check).finally_(crawl.close)


if __name__ == "__main__":
    sys.exit(main())
