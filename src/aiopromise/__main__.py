"""`python -m aiopromise`: the tour of the three ways of chaining, and then a real chain at work.

That chain asks a server for a page, finds the links on it, checks each, keeps what it found in an SQLite file and
sums it up. Whatever happens in the middle, the server is stopped and the file is closed.
"""

import asyncio
import os
import sqlite3
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from aiopromise import Promise, chain, promisify
from aiopromise._program.links import Finding, Page, PageError, ServerGoneError, check, open_page
from aiopromise._program.notebook import Notebook
from aiopromise._program.screen import complain, leave_broken_pipe, prepare, say
from aiopromise._program.site import ServerStartError, serve_documentation
from aiopromise._program.tour import tour

DESCRIPTION: Final = """\
Show what promises do. First the tour: three small programs that chain coroutines by hand, with chain() and with
then(). After it the main job, one chain: ask a server for a page, find its links, check them one after another, keep
what is found in an SQLite file, and sum it up."""

EPILOG: Final = """\
A link is alive if its server answers, after redirects, with a status below 400. It is dead if the answer is an error,
or there is none: no connection, a broken answer, nothing in time. What is not of the web (mailto:, file:) is skipped.

Ctrl-C cancels the chain, stops the server and closes the file, in which all that was found until then is kept.

exit status: 0 all is well; 1 a link is dead, or the page, a server or the file could not be had; 2 wrong arguments;
130 Ctrl-C.

examples:
  python -m aiopromise
  python -m aiopromise https://www.python.org/ --limit 20
  python -m aiopromise --tour-only"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program, and return its exit status."""
    options = parse(arguments)
    prepare()
    try:
        return asyncio.run(run(options))
    except KeyboardInterrupt:
        say("Stopped by Ctrl-C: the chain is cancelled, the server and the database are closed.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return leave_broken_pipe()


def parse(arguments: Sequence[str] | None) -> Namespace:
    """Return what the command line asks for."""
    parser = ArgumentParser(
        prog="python -m aiopromise", description=DESCRIPTION, epilog=EPILOG, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "url", nargs="?", help="the page whose links are checked (default: one of pydoc's own server, started for it)"
    )
    parser.add_argument(
        "--database", metavar="PATH", default="links.sqlite3", help="where findings are kept (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=positive(float), default=10.0, help="for each request (default: 10)"
    )
    parser.add_argument(
        "--limit", metavar="COUNT", type=positive(int), default=60, help="of links to check (default: %(default)s)"
    )
    parser.add_argument("--tour-only", action="store_true", help="end after the tour")
    return parser.parse_args(arguments)


def positive(kind: type[int] | type[float]) -> Callable[[str], int | float]:
    """Return a function that makes a number of this kind of a text, and refuses what is not above 0."""

    def convert(text: str) -> int | float:
        number = kind(text)
        if not number > 0:
            raise ArgumentTypeError(f"it must be more than 0, got {text}")
        return number

    convert.__name__ = kind.__name__  # argparse names it when *text* is no number
    return convert


async def run(options: Namespace) -> int:
    """Run the tour and the main job, and return the exit status."""
    await tour()
    if options.tour_only:
        return 0
    say("\n4. The main job: page, links, findings, summary")
    status: int = await (
        main_job(options)
        .catch((PageError, ServerGoneError, ServerStartError), complain)
        .catch(sqlite3.Error, lambda error: complain(f"{options.database}: {error}"))
    )
    return status


@promisify
def main_job(options: Namespace) -> Promise[int]:
    """Return a promise for the exit status, after the notebook was closed."""
    notebook = Notebook(options.database)
    visit = partial(inspect, options, notebook)
    visited = visit(options.url) if options.url else serve_documentation(visit)
    return visited.then(lambda _: 1 if notebook.findings("dead") else 0).finally_(notebook.close)


def inspect(options: Namespace, notebook: Notebook, url: str) -> Promise[object]:
    """Return a promise that is fulfilled when the links of the page at *url* have been checked."""
    page = open_page(url, options.timeout)
    return page.tap(partial(announce, options)).then(partial(check_each, options, notebook))


def check_each(options: Namespace, notebook: Notebook, page: Page) -> Promise[object]:
    """Check the links of *page* one after another, and sum up what was found, even if the end is not reached."""

    async def examine(link: str) -> None:
        await check(link, page, options.timeout).tap(partial(notebook.add, page.url)).tap(report)

    links = page.links[: options.limit]
    return chain(*map(examine, links)).finally_(lambda: sum_up(notebook, len(links)))


def announce(options: Namespace, page: Page) -> None:
    """Say what will be checked, and where to look for it afterwards."""
    some = f", of which the first {options.limit} are checked" if len(page.links) > options.limit else ""
    say(f"Links on {page.url}: {len(page.links)}{some}")
    say(f"What is found about them goes to {os.path.abspath(options.database)}")


def report(finding: Finding) -> None:
    """Say what was found, in a line."""
    say(f"  {finding.verdict:7}  {finding.url}  {finding.detail}")


def sum_up(notebook: Notebook, expected: int) -> None:
    """Say how much was found of what was *expected*, and name the dead links once more."""
    found = {verdict: notebook.findings(verdict) for verdict in ("alive", "dead", "skipped")}
    counts = ", ".join(f"{len(findings)} {verdict}" for verdict, findings in found.items())
    say(f"Checked {sum(map(len, found.values()))} of {expected}: {counts}")
    for finding in found["dead"]:
        report(finding)


if __name__ == "__main__":
    sys.exit(main())
