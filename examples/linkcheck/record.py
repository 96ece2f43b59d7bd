"""What is found, and what remains to be checked, in an SQLite file, so that an interrupted run can resume."""

import json
import sqlite3
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import Final, NamedTuple, NoReturn

from addresses import Credentials
from link import Finding, Link

__all__ = ["Dead", "Record", "RecordError", "Site", "Summary"]

# Identifies our files, at a fixed place in the header of every SQLite file.
_OURS: Final = 0x6C696E6B
_MAGIC: Final = b"SQLite format 3\0"
_PLACE: Final = slice(68, 72)

# The identification precedes the journal, which would hold it back from the file. Only one program may use the file:
# two would check the same links.
_SETTINGS: Final = f"""
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA application_id = {_OURS};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS runs (name, options, has_ended);
"""

# A verdict is NULL if the link is too deep. Pages that can be referred to by fragment have the anchor ''.
_TABLES: Final = """
DELETE FROM runs;
DROP TABLE IF EXISTS links;
DROP TABLE IF EXISTS refs;
DROP TABLE IF EXISTS anchors;
DROP TABLE IF EXISTS others;
CREATE TABLE links (link INTEGER PRIMARY KEY, url UNIQUE, depth, verdict, detail, place);
CREATE TABLE refs (page, link, fragment, PRIMARY KEY (page, link, fragment)) WITHOUT ROWID;
CREATE TABLE anchors (link, name, PRIMARY KEY (link, name)) WITHOUT ROWID;
CREATE TABLE others (scheme PRIMARY KEY, number) WITHOUT ROWID;
"""

# References to fragments of pages that were read, and whether each is there.
_FRAGMENTS: Final = """
SELECT DISTINCT refs.link, fragment, (refs.link, fragment) IN (SELECT link, name FROM anchors) AS is_there
FROM refs JOIN links AS pages ON pages.link = page JOIN anchors ON anchors.link = refs.link AND name = ''
WHERE fragment <> '' AND depth < :limit
"""

# Deeper than any link that is checked.
_FAR: Final = sys.maxsize


class RecordError(Exception):
    """The file cannot be used."""


class Site(NamedTuple):
    """What is checked. *server* is given if it is our own, with a new port each time; *planted* is dead on purpose."""

    name: str
    start: str
    credentials: Credentials | None = None
    server: str = ""
    planted: frozenset[str] = frozenset()


class Dead(NamedTuple):
    """A dead link, the reason, and the pages that refer to it."""

    url: str
    detail: str
    pages: list[str]


class Summary(NamedTuple):
    """What a run has found; *others* counts links of other schemes."""

    has_ended: bool
    counts: dict[str, dict[str, int]]
    others: dict[str, int]
    dead: list[Dead]
    links: list[dict[str, str]]


class Record:
    """The links of a run. Only the thread that opens it may use it.

    A method raises sqlite3.Error or OSError if the file is in use, cannot be written, or is full.
    """

    def __init__(self, site: Site, options: Namespace) -> None:
        self._path = options.database
        self._site = site
        self._limit = _FAR - 1 if options.depth is None else options.depth
        patterns = [pattern.pattern for pattern in options.exclude]
        self._options = json.dumps([options.depth, options.external, options.no_fragments, patterns])
        self._connection: sqlite3.Connection | None = None

    def open(self) -> list[Link]:
        """Open the file, and return the links that remain of the same run, or the first of a new one."""
        self._refuse_foreign()
        self._connection = sqlite3.connect(self._path, timeout=0)
        self._connection.executescript(_SETTINGS)
        with self._connection:
            if (self._site.name, self._options, False) != self._opened.execute("SELECT * FROM runs").fetchone():
                self._begin()
        rows = self._opened.execute("SELECT link, url FROM links WHERE verdict = 'unchecked' ORDER BY depth, link")
        return [Link(number, self._long(url)) for number, url in rows]

    def refuse(self, error: Exception) -> NoReturn:
        """Raise what has made the file unusable as a RecordError."""
        raise RecordError(f"{self._path}: {getattr(error, 'strerror', None) or error}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def add(self, finding: Finding) -> list[Link]:
        """Store *finding*, and return the links that it adds to those to be checked."""
        number, page = finding.link.number, finding.page
        with self._opened as connection:
            connection.execute(
                "UPDATE links SET verdict = ?, detail = ?, place = ? WHERE link = ?",
                (finding.verdict, finding.detail, self._short(finding.place), number),
            )
            if page is None:
                return []
            refs = [(self._short(url), fragment) for url, fragment in page.references]
            connection.executemany(
                "INSERT OR IGNORE INTO links (url, depth) VALUES (?, ?)", ((url, _FAR) for url, _ in refs)
            )
            connection.executemany(
                "INSERT OR IGNORE INTO refs SELECT ?, link, ? FROM links WHERE url = ?",
                ((number, fragment, url) for url, fragment in refs),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO anchors VALUES (?, ?)", ((number, name) for name in page.anchors)
            )
            connection.executemany(
                "INSERT INTO others VALUES (?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
                page.others.items(),
            )
            return self._reach(number)

    def end(self) -> None:
        """Note that the run is complete, so that the next begins anew."""
        with self._opened as connection:
            connection.execute("UPDATE runs SET has_ended = TRUE")

    def place(self) -> str | None:
        """Return the address of the first page after redirects, if it has been requested."""
        [place] = self._opened.execute("SELECT place FROM links WHERE depth = 0").fetchone()
        return place and self._long(place)

    def summary(self, origin: str, *, links: bool) -> Summary:
        """Return what has been found, with all *links* if asked for; *origin* is the server of the site."""
        [has_ended] = self._opened.execute("SELECT has_ended FROM runs").fetchone()
        others = dict(self._opened.execute("SELECT * FROM others ORDER BY number DESC"))
        rows = self._opened.execute("SELECT url, verdict, detail FROM links WHERE verdict NOT NULL ORDER BY link")
        found = [{"url": url, "verdict": verdict, "detail": detail} for url, verdict, detail in rows if links]
        return Summary(bool(has_ended), self._counts(origin), others, list(self._dead()), found)

    @property
    def _opened(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    def _refuse_foreign(self) -> None:
        # Without SQLite, which might change the file.
        try:
            with open(self._path, "rb") as file:
                header = file.read(100)
        except FileNotFoundError:
            return
        if header and not (header.startswith(_MAGIC) and header[_PLACE] == _OURS.to_bytes(4, "big")):
            raise RecordError(f"{self._path} is not a file of linkcheck; name another with --database")

    def _begin(self) -> None:
        self._opened.executescript(_TABLES)
        self._opened.execute("INSERT INTO runs VALUES (?, ?, FALSE)", (self._site.name, self._options))
        first = "INSERT INTO links (url, depth, verdict) VALUES (?, 0, 'unchecked')"
        self._opened.execute(first, (self._short(self._site.start),))

    def _reach(self, page: int) -> list[Link]:
        """Reduce the depth of links that *page* makes nearer, and return those that are no longer too deep."""
        nearer = """UPDATE links SET depth = ?1
            WHERE depth > ?1 AND link IN (SELECT link FROM refs WHERE page = ?2) RETURNING link, url, verdict"""
        [depth] = self._opened.execute("SELECT depth FROM links WHERE link = ?", (page,)).fetchone()
        new: list[Link] = []
        pages = [(page, depth + 1)]
        for page, depth in pages:  # which grows
            for number, url, verdict in self._opened.execute(nearer, (depth, page)).fetchall():
                if verdict is None and depth <= self._limit:
                    new.append(Link(number, self._long(url)))
                elif verdict == "alive":
                    pages.append((number, depth + 1))
        numbers = ((link.number,) for link in new)
        self._opened.executemany("UPDATE links SET verdict = 'unchecked' WHERE link = ?", numbers)
        return new

    def _counts(self, origin: str) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = {"this site": {}, "other hosts": {}, "fragments": {}}
        site = self._short(f"{origin}/")
        links = """SELECT iif(substr(url, 1, :length) = :site, 'this site', 'other hosts'), verdict, count(*)
            FROM links WHERE verdict NOT NULL GROUP BY 1, 2"""
        fragments = f"""SELECT 'fragments', iif(is_there, 'alive', 'dead'), count(*)
            FROM ({_FRAGMENTS}) GROUP BY is_there"""
        values = {"site": site, "length": len(site), "limit": self._limit}
        for query in (links, fragments):
            for where, verdict, number in self._opened.execute(query, values):
                counts[where][verdict] = number
        return counts

    def _dead(self) -> Iterator[Dead]:
        links = "SELECT link, '', url, detail FROM links WHERE verdict = 'dead' ORDER BY link"
        fragments = f"""SELECT link, fragment, url || '#' || fragment, 'the page has no such fragment'
            FROM ({_FRAGMENTS}) JOIN links USING (link) WHERE NOT is_there ORDER BY link"""
        pages = """SELECT DISTINCT place FROM refs JOIN links ON links.link = page
            WHERE refs.link = ? AND ? IN ('', fragment) AND depth < ? ORDER BY page"""
        limit = {"limit": self._limit}
        for link, fragment, url, detail in [*self._opened.execute(links), *self._opened.execute(fragments, limit)]:
            places = self._opened.execute(pages, (link, fragment, self._limit))
            yield Dead(url, detail, [place for (place,) in places])

    # The addresses on a server of our own are stored without it.

    def _short(self, url: str) -> str:
        server = self._site.server
        return url[len(server) :] if server and url.startswith(f"{server}/") else url

    def _long(self, url: str) -> str:
        return self._site.server + url if url.startswith("/") else url
