"""The command line options."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import Final

from addresses import normal, server_of

__all__ = ["parse"]

_DESCRIPTION: Final = """\
Check the links of a site: ask its server for the first page, follow the links on it up to a depth, keep what is found
in an SQLite file, and sum it up in a table.

Without an address it checks the whole index of pydoc, whose own server is started for it."""

_EPILOG: Final = """\
A link is alive if its server answers, after at most 5 redirects, with a status below 400. It is dead if the answer is
an error, or there is none: no connection, a broken answer, nothing in time. What is not of the web (mailto:, file:)
is skipped and, without --external, what is on another host; this machine is always asked. Only pages of the site
itself (scheme, host and port of the first page) are read for further links, of a page without end the first 4 MiB.

--depth 0 checks the first page, 1 the links on it too, 2 what is linked from there. With pydoc's server a depth of 2
has every part of every package imported, and some of them do what they are for: better is the default.

Ctrl-C cancels the chain, stops the server and closes the file; a second one spares the table. The same command goes on
where an interrupted run ended, and checks nothing twice; a run that came to its end is kept in the file, and another
begins. To begin anew before that, delete the file. A terminal shows a bar and what is dead; a pipe or a file gets a
line for every link.

exit status: 0 all is well; 1 a link is dead; 2 wrong arguments, or the check came to no end: its server or the file
could not be had; 130 Ctrl-C; 141 the reader of the output has gone.

examples:
  python examples/linkcheck
  python examples/linkcheck http://127.0.0.1:8000/ --depth 3 --concurrency 20
  python examples/linkcheck https://www.python.org/ --external --database python.sqlite3"""


def parse() -> Namespace:
    """Return what the command line asks for."""
    parser = ArgumentParser(
        prog="python examples/linkcheck",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "url", nargs="?", type=address, help="the first page (default: the index of pydoc's own server)"
    )
    parser.add_argument(
        "--depth", metavar="COUNT", type=at_least(0), default=1, help="of links to follow (default: %(default)s)"
    )
    parser.add_argument(
        # A browser opens as many to one server, and pydoc's queues no more.
        "--concurrency",
        metavar="COUNT",
        type=at_least(1),
        default=6,
        help="of links that are checked at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=above_zero, default=10.0, help="for each page (default: 10)"
    )
    parser.add_argument(
        "--retries",
        metavar="COUNT",
        type=at_least(0),
        default=2,
        help="when there is no answer, or the server has trouble (default: %(default)s)",
    )
    parser.add_argument("--external", action="store_true", help="check links to other hosts, too")
    parser.add_argument(
        "--database", metavar="PATH", default="links.sqlite3", help="where findings are kept (default: %(default)s)"
    )
    return parser.parse_args()


def address(text: str) -> str:
    """Return the address in *text*."""
    try:
        server_of(text)
        return normal(text)
    except ValueError as error:
        hint = "" if "://" in text else f"; write https://{text}"
        raise ArgumentTypeError(f"{error}{hint}") from error


def at_least(least: int) -> Callable[[str], int]:
    """Return a function that parses an integer, and rejects anything below *least*."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ArgumentTypeError(f"it must be a whole number, got {text!r}") from None
        if number < least:
            raise ArgumentTypeError(f"it must be at least {least}, got {text}")
        return number

    return convert


def above_zero(text: str) -> float:
    """Return the number in *text*."""
    try:
        number = float(text)
    except ValueError:
        raise ArgumentTypeError(f"it must be a number of seconds, got {text!r}") from None
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"it must be more than 0 and have an end, got {text}")
    return number
