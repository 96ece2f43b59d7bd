"""`python examples/linkcheck`: check the links of a site.

The work is done by well-known libraries; promises connect them. Whatever happens, servers are stopped and the file is
closed. To learn about promises, read `crawl` first: chains, a limit, and cleanup. Each of the modules imports only from
those listed before it, and from `aiopromise` itself:

- `addresses`: addresses, in a normal form
- `options`: the command line
- `page`: what a page refers to (selectolax)
- `web`: one address requested (httpx), if it may be (protego), again (stamina), at a limited rate (aiolimiter)
- `verdict`: what is found about a link
- `record`: what is found, and what remains to be checked (SQLite)
- `report`: the report (rich)
- `crawl`: the stream of links
- `servers`: pydoc's server, and one for a folder
- `program`: all of that together
"""

import signal
import sys
from typing import NoReturn


def main() -> int:
    """Run the program, and return its exit status."""
    try:
        # To import the libraries takes a while, and Ctrl-C may be pressed meanwhile.
        signal.signal(signal.SIGINT, interrupt_once)
        import program

        return program.main()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # while Python ends, too
        sys.stderr.write("linkcheck: stopped by Ctrl-C\n")
        return 130


def interrupt_once(*_: object) -> NoReturn:
    """Raise KeyboardInterrupt, and not again while that is handled."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
