"""Check the links of a site, from its first page on.

It prints which are dead, and the pages that refer to them. What is found is stored in an SQLite file, so that an
interrupted run can resume.

Without an address it checks the index of pydoc, whose own server it starts, with one dead link planted in it. A folder
is served on a port of this machine while it is checked.

---

A link is alive if the status of the answer, after at most 10 redirects, is below 400, and the page has the fragment
that the link refers to, if the page is one of the site. It is dead if the answer is an error, or there is none.

It is skipped if it is excluded; if it is on another host, without --external; if that host's robots.txt disallows it;
if it is on this machine, but the site is not; or if the server answers 429, still after the retries. If a server asks
for a pause of up to 30 seconds (Retry-After), it gets that; if it asks for more, there is no retry.

Only pages and style sheets of the site (the scheme, host and port of its first page) are read for further links: the
first 16 MiB of each. A name and password in an address, and each --header, are sent only to the host that they were
given for, and are not printed or stored.

After Ctrl-C, the same command resumes the run, and any other command with the same file starts a new one. A second
Ctrl-C skips the report.

exit status: 0 no link is dead, apart from the planted one; 1 a link is dead; 2 the arguments are wrong, or the site,
the file or the output is not usable; 130 Ctrl-C; 141 the reader of the output is gone.

examples:
  python examples/linkcheck
  python examples/linkcheck build/html
  python examples/linkcheck localhost:8000 --depth 3
  python examples/linkcheck https://www.python.org/ --external --rate 5
"""

import math
import re
from argparse import ArgumentParser, ArgumentTypeError, HelpFormatter, Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from addresses import WEB, Credentials, is_loopback, resolve, scheme_of, without_credentials


class Paragraphs(HelpFormatter):
    """Wraps each paragraph to the width of the terminal, except the examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        paragraphs = text.strip().split("\n\n")
        return "\n\n".join(text if "\n  " in text else fill(text, width, indent) for text in paragraphs)


def parse() -> Namespace:
    """Return the options."""
    description, _, epilog = (__doc__ or "").partition("---")
    parser = ArgumentParser(
        prog="python examples/linkcheck",
        usage="%(prog)s [options] [start]",
        description=description,
        epilog=epilog,
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("start", nargs="?", type=start, help="the first page, or a folder (default: pydoc's own server)")
    depth = "how many links to follow from the first page (default: no limit; 1 for pydoc)"
    add("--depth", metavar="COUNT", type=whole(0), help=depth)
    # As many as browsers have to one server; more than pydoc's can queue would fail.
    concurrency = "how many links to check at a time (default: %(default)s)"
    add("--concurrency", metavar="COUNT", type=whole(1), default=6, help=concurrency)
    add("--rate", metavar="COUNT", type=positive, help="requests per second (default: no limit)")
    add("--timeout", metavar="SECONDS", type=positive, default=10.0, help="to wait for each answer (default: 10)")
    retries = "when there is no answer, or a server error (default: %(default)s)"
    add("--retries", metavar="COUNT", type=whole(0), default=2, help=retries)
    add("--external", action="store_true", help="also check links to other hosts")
    add("--no-fragments", action="store_true", help="do not check fragments")
    add("--exclude", metavar="REGEX", type=regex, action="append", default=[], help="skip addresses that contain this")
    add("--header", metavar="'NAME: VALUE'", type=header, action="append", default=[], help="send this to the site")
    add("--insecure", action="store_true", help="do not check certificates")
    add("--database", metavar="PATH", default="links.sqlite3", help="where findings are stored (default: %(default)s)")
    add("--timeline", metavar="FILE", type=timeline, help="write what ran when to this file, .html or .json")
    add("--format", choices=["text", "json"], default="text", help="of the report (default: text)")
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("-v", "--verbose", action="store_true", help="print every link")
    how_much.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    options = parser.parse_args()
    if options.start is None and options.depth is None:
        options.depth = 1
    return options


def start(text: str) -> Path | tuple[str, Credentials | None]:
    """Return the folder or address that *text* stands for; the address with its name and password."""
    if (folder := Path(text)).is_dir():
        return folder.resolve()
    has_scheme = scheme_of(text) in WEB
    shown = without_credentials(text)
    try:
        (url, _), credentials = resolve("", text if has_scheme else f"http://{text}")
    except ValueError as error:
        expected = "a valid address" if has_scheme else "a folder or an address"
        raise ArgumentTypeError(f"it must be {expected}, got {shown!r}: {error}") from error
    if not has_scheme and not is_loopback(url):
        raise ArgumentTypeError(f"it must be a folder or an address, got {shown!r}; write https://{shown}")
    return url, credentials


def whole(least: int) -> Callable[[str], int]:
    """Return a function that converts a text to a whole number of at least *least*."""

    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"it must be a whole number of at least {least}, got {text!r}")
        return int(text)

    return convert


def positive(text: str) -> float:
    """Return *text* as a positive number."""
    with suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise ArgumentTypeError(f"it must be a positive number, got {text!r}")


def regex(text: str) -> re.Pattern[str]:
    """Return *text* as a pattern."""
    try:
        return re.compile(text)
    except re.error as error:
        raise ArgumentTypeError(f"it must be a regular expression, got {text!r}: {error}") from None


def header(text: str) -> tuple[str, str]:
    """Return the name and value of a header."""
    name, colon, value = text.partition(":")
    if not re.fullmatch(r"[!#$%&'*+.^`|~\w-]+", name, re.ASCII) or not colon or not value.isprintable():
        raise ArgumentTypeError(f"it must be 'NAME: VALUE', got {text!r}")
    return name, value.strip()


def timeline(text: str) -> Path:
    """Return the file for a timeline."""
    if (file := Path(text)).suffix not in {".html", ".json"}:
        raise ArgumentTypeError(f"it must end with .html or .json, got {text!r}")
    return file
