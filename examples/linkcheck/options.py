"""What the command line asks for."""

import re
from argparse import ArgumentParser, ArgumentTypeError, HelpFormatter, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Final

from addresses import WEB, Credentials, is_loopback, resolve, scheme_of

__all__ = ["parse"]

_DESCRIPTION: Final = """\
Check the links of a site: ask its server for the first page, follow what that refers to, keep what is found in an
SQLite file, and tell what is dead and where it stands.

Without an address it checks the index of pydoc, whose own server is started for it, with one dead link planted in
it. A folder is served on a port of this machine while it is checked."""

_EPILOG: Final = """\
A link is alive if its server answers, after at most 10 redirects, with a status below 400, and if a page of the site
has the fragment that is meant. It is dead if the answer is an error, or there is none. Other hosts are asked only with
--external, and as their robots.txt allows; this machine only if the first page is on it; a server that says for longer
than 30 seconds that it is too busy is left alone. All this is skipped. Only pages and style sheets of the site itself
(scheme, host and port of the first page) are read for what they refer to, of each the first 16 MiB.

Name and password in an address, and each --header, are sent to the host that they were given for, and are neither
shown nor stored.

Ctrl-C stops the check and closes the file; a second one spares the summary. The same command goes on where an
interrupted run ended. A check that came to its end is replaced by the next.

exit status: 0 all is well; 1 a link is dead (other than the planted one); 2 wrong arguments, or the check came to no
end: the site, the file or the output could not be had; 130 Ctrl-C; 141 the reader of the output has gone.

examples:
  python examples/linkcheck
  python examples/linkcheck build/html
  python examples/linkcheck localhost:8000 --depth 3
  python examples/linkcheck https://www.python.org/ --external --rate 5"""


class Paragraphs(HelpFormatter):
    """Fits each paragraph to the terminal, and leaves lines that are indented alone."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(
            paragraph if "\n  " in paragraph else fill(paragraph, width, indent) for paragraph in text.split("\n\n")
        )


def parse() -> Namespace:
    """Return what the command line asks for."""
    parser = ArgumentParser(
        prog="python examples/linkcheck",
        usage="%(prog)s [options] [start]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("start", nargs="?", type=start, help="the first page, or a folder (default: pydoc's own server)")
    add("--depth", metavar="COUNT", type=whole(0), help="of links to follow (default: all; 1 for pydoc)")
    # A browser has as many to one server, and pydoc's lets no more wait.
    add("--concurrency", metavar="COUNT", type=whole(1), default=6, help="links at a time (default: %(default)s)")
    add("--rate", metavar="COUNT", type=positive, help="requests per second at the most (default: no limit)")
    add("--timeout", metavar="SECONDS", type=positive, default=10.0, help="for each answer (default: 10)")
    retries = "when there is no answer, or the server has trouble (default: %(default)s)"
    add("--retries", metavar="COUNT", type=whole(0), default=2, help=retries)
    add("--external", action="store_true", help="check links to other hosts, too")
    add("--no-fragments", action="store_true", help="do not look for the part of a page that is meant")
    add("--exclude", metavar="REGEX", type=regex, action="append", default=[], help="skip addresses with this in them")
    add("--header", metavar="'NAME: VALUE'", type=header, action="append", default=[], help="send it to the site, too")
    add("--insecure", action="store_true", help="do not check certificates")
    add("--database", metavar="PATH", default="links.sqlite3", help="what is found goes here (default: %(default)s)")
    add("--format", choices=["text", "json"], default="text", help="of what is told at the end (default: text)")
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("-v", "--verbose", action="store_true", help="tell of every link")
    how_much.add_argument("-q", "--quiet", action="store_true", help="tell of nothing: the exit status says it")
    options = parser.parse_args()
    if options.start is None and options.depth is None:
        options.depth = 1
    return options


def start(text: str) -> Path | tuple[str, Credentials | None]:
    """Return the folder, or the address with its name and password, in *text*."""
    if (folder := Path(text)).is_dir():
        return folder.resolve()
    has_scheme = scheme_of(text) in WEB
    try:
        (url, _), credentials = resolve("", text if has_scheme else f"http://{text}")
    except ValueError as error:
        raise ArgumentTypeError(f"it cannot be read, {error}: {text!r}") from error
    if not has_scheme and not is_loopback(url):
        raise ArgumentTypeError(f"it must be a folder or an address, got {text!r}; write https://{text}")
    return url, credentials


def whole(least: int) -> Callable[[str], int]:
    """Return a function that makes a whole number of a text, and refuses what is below *least*."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ArgumentTypeError(f"it must be a whole number, got {text!r}") from None
        if number < least:
            raise ArgumentTypeError(f"it must be at least {least}, got {text}")
        return number

    return convert


def positive(text: str) -> float:
    """Return the number in *text*."""
    try:
        number = float(text)
    except ValueError:
        raise ArgumentTypeError(f"it must be a number, got {text!r}") from None
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"it must be more than 0 and have an end, got {text}")
    return number


def regex(text: str) -> re.Pattern[str]:
    """Return the pattern in *text*."""
    try:
        return re.compile(text)
    except re.error as error:
        raise ArgumentTypeError(f"it must be a regular expression, got {text!r}: {error}") from None


def header(text: str) -> tuple[str, str]:
    """Return the name and the value in *text*."""
    name, colon, value = text.partition(":")
    if not re.fullmatch(r"[!#$%&'*+.^`|~\w-]+", name, re.ASCII) or not colon or not value.isprintable():
        raise ArgumentTypeError(f"it must be 'NAME: VALUE', got {text!r}")
    return name, value.strip()
