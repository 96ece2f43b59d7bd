"""What is found, and what remains to be checked, in an SQLite file, so that an interrupted run can resume."""

import json
import sqlite3
import sys
from argparse import Namespace
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn, TypedDict

from addresses import Credentials
from verdict import Finding

# Identifies our files, at a fixed place in the header of every SQLite file.
_OURS: Final = b"link"

# The identification precedes the journal, which would hold it back from the file. Only one program may use the file:
# two would check the same links. The keys have a type, as SQLite does not use the index of a column without one to join
# it to an INTEGER.
_SETTINGS: Final = f"""
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA application_id = {int.from_bytes(_OURS, "big")};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS runs (name, options, last);
CREATE TABLE IF NOT EXISTS links (link INTEGER PRIMARY KEY, url UNIQUE, depth, verdict, detail, place);
CREATE TABLE IF NOT EXISTS refs (page INT, link INT, fragment, PRIMARY KEY (page, link, fragment)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS anchors (link INT, name, PRIMARY KEY (link, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS others (scheme PRIMARY KEY, number) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS too_deep ON links (depth) WHERE verdict IS NULL;
"""

_ADD_LINK: Final = f"INSERT OR IGNORE INTO links (url, depth) VALUES (?, {sys.maxsize})"
_ADD_REFERENCE: Final = "INSERT OR IGNORE INTO refs SELECT ?, link, ? FROM links WHERE url = ?"
_ADD_ANCHOR: Final = "INSERT OR IGNORE INTO anchors VALUES (?, ?)"
_ADD_OTHERS: Final = "INSERT INTO others VALUES (?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number"

# A page was read, so what it refers to may be nearer than it was, and so on, from page to page.
_REACH: Final = """
WITH RECURSIVE near (link, depth) AS (
    SELECT link, depth FROM links WHERE link = ?
    UNION SELECT refs.link, near.depth + 1
    FROM near JOIN refs ON page = near.link JOIN links ON links.link = refs.link WHERE links.depth > near.depth + 1
)
UPDATE links SET depth = nearest.depth
FROM (SELECT link, min(depth) AS depth FROM near GROUP BY link) AS nearest WHERE nearest.link = links.link
"""

# A verdict is NULL if the link is too deep.
_NEXT: Final = """
UPDATE links SET verdict = 'unchecked' WHERE verdict IS NULL AND depth <= (SELECT last FROM runs) RETURNING link, url
"""

# References to fragments of pages that were read, which have the anchor '', and whether each is there.
_FRAGMENTS: Final = """
SELECT DISTINCT refs.link, fragment, anchors.name NOT NULL AS is_there
FROM refs JOIN links AS pages ON pages.link = page
JOIN anchors AS top ON top.link = refs.link AND top.name = ''
LEFT JOIN anchors ON anchors.link = refs.link AND anchors.name = fragment
WHERE fragment <> '' AND pages.depth < (SELECT last FROM runs)
"""

_COUNTS: Final = f"""
SELECT iif(url LIKE ?, 'this site', 'other hosts'), verdict, count(*) FROM links WHERE verdict NOT NULL GROUP BY 1, 2
UNION ALL SELECT 'fragments', iif(is_there, 'alive', 'dead'), count(*) FROM ({_FRAGMENTS}) GROUP BY is_there
"""

# The dead, each with the pages that refer to it; the first page needs none.
_DEAD: Final = f"""
WITH dead (link, fragment, url, detail) AS (
    SELECT link, '', url, detail FROM links WHERE verdict = 'dead' UNION ALL
    SELECT link, fragment, url || '#' || fragment, 'the page has no such fragment'
    FROM ({_FRAGMENTS}) JOIN links USING (link) WHERE NOT is_there
)
SELECT DISTINCT dead.url, dead.detail, pages.place FROM dead
LEFT JOIN refs ON refs.link = dead.link AND dead.fragment IN ('', refs.fragment)
LEFT JOIN links AS pages ON pages.link = page AND pages.depth < (SELECT last FROM runs)
ORDER BY dead.fragment <> '', dead.link, dead.fragment, page
"""


class RecordError(Exception):
    """The file cannot be used."""


class Site(NamedTuple):
    """What is checked. *server* is given if it is our own, with a new port each time; *planted* is dead on purpose."""

    name: str
    start: str
    credentials: Credentials | None = None
    server: str = ""
    planted: frozenset[str] = frozenset()


class Dead(TypedDict):
    """A dead link, the reason, and the pages that refer to it."""

    url: str
    detail: str
    pages: list[str]


class Summary(NamedTuple):
    """What a run has found; *others* counts links of other schemes, and *links* are all, if they are asked for."""

    site: str
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
        self.place: str | None = None
        self._site = site
        self._options = options
        self._connection: sqlite3.Connection | None = None

    def open(self) -> list[str]:
        """Open the file, and return the links that remain of the same run, or the first of a new one.

        *place* is then the address of the first page after redirects, if it has been requested.
        """
        self._refuse_foreign()
        self._connection = sqlite3.connect(self._options.database, timeout=0)
        self._connection.executescript(_SETTINGS)
        last = sys.maxsize - 1 if self._options.depth is None else self._options.depth
        patterns = [pattern.pattern for pattern in self._options.exclude]
        run = (self._site.name, json.dumps([self._options.external, self._options.no_fragments, patterns]), last)
        if not (waiting := self._waiting()) or run != self._execute("SELECT * FROM runs").fetchone():
            with self._connection:
                for table in ("runs", "links", "refs", "anchors", "others"):
                    self._execute(f"DELETE FROM {table}")
                self._execute("INSERT INTO runs VALUES (?, ?, ?)", *run)
                first = self._short(self._site.start)
                self._execute("INSERT INTO links (url, depth, verdict) VALUES (?, 0, 'unchecked')", first)
            waiting = self._waiting()
        [place] = self._execute("SELECT place FROM links WHERE depth = 0").fetchone()
        self.place = place and self._long(place)
        return waiting

    def refuse(self, error: Exception) -> NoReturn:
        """Raise what has made the file unusable as a RecordError."""
        raise RecordError(f"{self._options.database}: {getattr(error, 'strerror', None) or error}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def add(self, finding: Finding) -> list[str]:
        """Store *finding*, and return the links that it adds to those to be checked."""
        assert self._connection is not None
        with self._connection as connection:
            found = "UPDATE links SET verdict = ?, detail = ?, place = ? WHERE url = ? RETURNING link"
            place, url = self._short(finding.place), self._short(finding.url)
            [(page,)] = self._execute(found, finding.verdict, finding.detail, place, url).fetchall()
            if finding.page is None:
                return []
            refs = [(self._short(url), fragment) for url, fragment in finding.page.references]
            anchors = () if self._options.no_fragments else finding.page.anchors
            connection.executemany(_ADD_LINK, dict.fromkeys((url,) for url, _ in refs))
            connection.executemany(_ADD_REFERENCE, [(page, fragment, url) for url, fragment in refs])
            connection.executemany(_ADD_ANCHOR, [(page, name) for name in anchors])
            connection.executemany(_ADD_OTHERS, finding.page.others.items())
            self._execute(_REACH, page)
            return [self._long(url) for _, url in sorted(self._execute(_NEXT))]

    def summary(self, origin: str) -> Summary:
        """Return what has been found; *origin* is the server of the site."""
        counts: dict[str, dict[str, int]] = {"this site": {}, "other hosts": {}, "fragments": {}}
        for where, verdict, number in self._execute(_COUNTS, self._short(f"{origin}/") + "%"):
            counts[where][verdict] = number
        others = dict(self._execute("SELECT * FROM others ORDER BY number DESC"))
        dead: dict[str, Dead] = {}
        for url, detail, page in self._execute(_DEAD):
            dead.setdefault(url, {"url": url, "detail": detail, "pages": []})["pages"] += [page] if page else []
        links = self._execute("SELECT url, verdict, detail FROM links WHERE verdict NOT NULL ORDER BY link")
        every = [dict(zip(("url", "verdict", "detail"), row, strict=True)) for row in links if self._options.verbose]
        return Summary(self._site.name, not self._waiting(), counts, others, list(dead.values()), every)

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        assert self._connection is not None
        return self._connection.execute(statement, values)

    def _waiting(self) -> list[str]:
        rows = self._execute("SELECT url FROM links WHERE verdict = 'unchecked' ORDER BY depth, link")
        return [self._long(url) for (url,) in rows]

    def _refuse_foreign(self) -> None:
        # Without SQLite, which might change the file.
        header = b""
        with suppress(FileNotFoundError), open(self._options.database, "rb") as file:
            header = file.read(100)
        if header and (header[:16], header[68:72]) != (b"SQLite format 3\0", _OURS):
            raise RecordError(f"{self._options.database} is not a file of linkcheck; name another with --database")

    # The addresses on a server of our own are stored without it.

    def _short(self, url: str) -> str:
        server = self._site.server
        return url[len(server) :] if server and url.startswith(f"{server}/") else url

    def _long(self, url: str) -> str:
        return self._site.server + url if url.startswith("/") else url
