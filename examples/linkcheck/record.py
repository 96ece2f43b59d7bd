"""The findings, and what is still to be checked: an SQLite file, with the data of each run."""

import sqlite3
from datetime import UTC, datetime
from typing import Final, NamedTuple

from link import Finding, Link

__all__ = ["Count", "Dead", "Record", "Run"]

# One program at a time, as two would check the same links; and nothing is lost, even if the machine crashes.
_SETTINGS: Final = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, site, start, depth, external, begun, ended);
CREATE TABLE IF NOT EXISTS links (run, url, depth, page, verdict, detail, place, UNIQUE (run, url));
"""


class Run(NamedTuple):
    """What is checked: the name of the site, the address of its first page, and how far links are followed."""

    site: str
    start: str
    depth: int
    external: bool


class Count(NamedTuple):
    """How many links of one depth have which result; None: not checked yet."""

    depth: int
    verdict: str | None
    links: int


class Dead(NamedTuple):
    """A dead link, the reason, and the page that it is on."""

    url: str
    detail: str
    page: str


class Record:
    """The links of one run. To be used only in the thread that opens it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._run = 0
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, and lock it until it is closed."""
        self._connection = sqlite3.connect(self._path, timeout=0)
        self._connection.executescript(_SETTINGS + _TABLES)

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._connection is not None:
            self._connection.close()

    def begin(self, run: Run) -> int:
        """Continue the same run if it was interrupted, otherwise start one; return how many links it has checked."""
        query = "SELECT run, start FROM runs WHERE (site, depth, external) = (?, ?, ?) AND ended IS NULL"
        with self._opened as connection:
            found = connection.execute(query, (run.site, run.depth, run.external)).fetchone()
            if found is None:
                self._run = self._insert(run)
            else:
                self._run, start = found
                self._move(start, run.start)
        return sum(count.links for count in self.counts() if count.verdict is not None)

    def add(self, finding: Finding) -> None:
        """Store *finding*, and its new links, to be checked: both or, if the machine crashes, neither."""
        found = (finding.verdict, finding.detail, finding.place, self._run, finding.link.url)
        new = [(self._run, url, finding.link.depth + 1, finding.place, url) for url in finding.links]
        with self._opened as connection:
            connection.execute("UPDATE links SET (verdict, detail, place) = (?, ?, ?) WHERE (run, url) = (?, ?)", found)
            connection.executemany("INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?, NULL, NULL, ?)", new)

    def end(self) -> None:
        """Make the next run start over."""
        with self._opened as connection:
            connection.execute("UPDATE runs SET ended = ? WHERE run = ?", (_now(), self._run))

    def place(self) -> str:
        """Return where the first page is, after redirects."""
        query = "SELECT place FROM links WHERE run = ? AND depth = 0"
        [place] = self._opened.execute(query, (self._run,)).fetchone()
        return str(place)

    def waiting(self, depth: int) -> list[Link]:
        """Return what is still to be checked of the links that are *depth* away from the first page."""
        query = "SELECT url, depth, page FROM links WHERE (run, depth) = (?, ?) AND verdict IS NULL ORDER BY rowid"
        return [Link(*row) for row in self._opened.execute(query, (self._run, depth))]

    def counts(self) -> list[Count]:
        """Return how many links of each depth have which result."""
        query = "SELECT depth, verdict, count(*) FROM links WHERE run = ? GROUP BY depth, verdict ORDER BY depth"
        return [Count(*row) for row in self._opened.execute(query, (self._run,))]

    def dead(self) -> list[Dead]:
        """Return the dead links, the first page's first."""
        query = "SELECT url, detail, page FROM links WHERE run = ? AND verdict = 'dead' ORDER BY depth, rowid"
        return [Dead(*row) for row in self._opened.execute(query, (self._run,))]

    @property
    def _opened(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    def _insert(self, run: Run) -> int:
        row = self._opened.execute("INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, NULL)", (*run, _now())).lastrowid
        assert row is not None
        first = (row, run.start, 0, "", run.start)
        self._opened.execute("INSERT INTO links VALUES (?, ?, ?, ?, NULL, NULL, ?)", first)
        return row

    def _move(self, old: str, new: str) -> None:
        """Replace the start *old* of addresses by *new*: the embedded server has a different port each time."""
        if old == new:
            return
        self._opened.execute("UPDATE runs SET start = ? WHERE run = ?", (new, self._run))
        for column in ("url", "page", "place"):
            self._opened.execute(
                f"UPDATE links SET {column} = ? || substr({column}, ?) WHERE run = ? AND substr({column}, 1, ?) = ?",
                (new, len(old) + 1, self._run, len(old), old),
            )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
