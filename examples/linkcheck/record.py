"""What is found, and what is still to be checked, in an SQLite file: from there the next run can go on."""

import json
import sqlite3
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import Final, NamedTuple

from addresses import Credentials
from link import Finding, Link

__all__ = ["Dead", "Found", "Record", "RecordError", "Site", "Summary"]

# By this our files are known; it stands at a fixed place in the head of every SQLite file.
_OURS: Final = 0x6C696E6B
_MAGIC: Final = b"SQLite format 3\0"
_PLACE: Final = slice(68, 72)

# The mark before the journal, so that it is in the file itself from the beginning. One program at a time: two would
# check the same links.
_SETTINGS: Final = f"""
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA application_id = {_OURS};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, site, options, has_ended DEFAULT FALSE);
CREATE TABLE IF NOT EXISTS links (
    link INTEGER PRIMARY KEY, run, url, depth, verdict, detail, place, has_anchors DEFAULT FALSE, UNIQUE (run, url));
CREATE TABLE IF NOT EXISTS refs (page, link, fragment, PRIMARY KEY (page, link, fragment)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS anchors (link, name, PRIMARY KEY (link, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS others (run, scheme, links, PRIMARY KEY (run, scheme)) WITHOUT ROWID;
"""

# What refers to a place on a page that was read, from pages near enough.
_MEANT: Final = """
FROM refs JOIN links page ON page.link = refs.page JOIN links target ON target.link = refs.link
WHERE page.run = :run AND page.depth < :limit AND refs.fragment <> '' AND target.has_anchors"""
_MISSING: Final = " AND NOT EXISTS (SELECT 1 FROM anchors WHERE (link, name) = (refs.link, refs.fragment))"

# Farther than any link that is to be checked.
_FAR: Final = sys.maxsize


class RecordError(Exception):
    """The file cannot be used."""


class Site(NamedTuple):
    """What is checked: its name, and its first page.

    The *server* of that is named if it is one of our own, whose port is another each time; *planted* is what is dead
    there on purpose.
    """

    name: str
    start: str
    credentials: Credentials | None = None
    server: str = ""
    planted: frozenset[str] = frozenset()


class Found(NamedTuple):
    """A link, and what became of it."""

    url: str
    verdict: str
    detail: str


class Dead(NamedTuple):
    """A dead link, why it is, and the pages that refer to it."""

    url: str
    detail: str
    pages: list[str]


class Summary(NamedTuple):
    """What a run has found: how many links of which kind are what, and how many are not of the web, by their scheme."""

    has_ended: bool
    counts: dict[str, dict[str, int]]
    others: dict[str, int]
    dead: list[Dead]
    links: list[Found]


class Record:
    """The links of one run. It is for one thread, whichever opens it."""

    def __init__(self, site: Site, options: Namespace) -> None:
        self._path = options.database
        self._site = site
        self._limit = _FAR - 1 if options.depth is None else options.depth
        # Another check of the same site has a run of its own.
        patterns = [pattern.pattern for pattern in options.exclude]
        self._options = json.dumps([options.depth, options.external, options.no_fragments, patterns])
        self._run = 0
        self._connection: sqlite3.Connection | None = None

    def open(self) -> list[Link]:
        """Open the file, and return the links that wait: those of the last run, if it was interrupted, or the first.

        Raises:
            RecordError: the file is of somebody else, in use, or cannot be written.
        """
        try:
            self._refuse_foreign()
            self._connection = sqlite3.connect(self._path, timeout=0)
            self._connection.executescript(_SETTINGS)
            with self._connection:
                self._begin()
            return self._waiting()
        except (OSError, sqlite3.Error) as error:
            raise RecordError(f"{self._path}: {getattr(error, 'strerror', None) or error}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def add(self, finding: Finding) -> list[Link]:
        """Keep *finding*, and return the links that are now to be checked: both or, if the machine stops, neither."""
        link, page = finding.link, finding.page
        with self._opened as connection:
            connection.execute(
                "UPDATE links SET (verdict, detail, place) = (?, ?, ?) WHERE link = ?",
                (finding.verdict, finding.detail, self._short(finding.place), link.number),
            )
            if page is None:
                return []
            urls = [(self._short(url), fragment) for url, fragment in page.references]
            connection.executemany(
                "INSERT OR IGNORE INTO links (run, url, depth) VALUES (?, ?, ?)",
                ((self._run, url, _FAR) for url, _ in urls),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO refs SELECT ?, link, ? FROM links WHERE (run, url) = (?, ?)",
                ((link.number, fragment, self._run, url) for url, fragment in urls),
            )
            connection.executemany(
                "INSERT INTO others VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET links = links + excluded.links",
                ((self._run, scheme, number) for scheme, number in page.others.items()),
            )
            if page.anchors is not None:
                anchors = ((link.number, name) for name in page.anchors)
                connection.executemany("INSERT OR IGNORE INTO anchors VALUES (?, ?)", anchors)
                connection.execute("UPDATE links SET has_anchors = TRUE WHERE link = ?", (link.number,))
            return self._come_nearer(link.number)

    def end(self) -> None:
        """Have the next run begin anew."""
        with self._opened as connection:
            connection.execute("UPDATE runs SET has_ended = TRUE WHERE run = ?", (self._run,))

    def place(self) -> str | None:
        """Return where the first page is, after redirects, if it was read."""
        query = "SELECT place FROM links WHERE run = ? AND depth = 0 AND place IS NOT NULL"
        return next((self._long(place) for (place,) in self._opened.execute(query, (self._run,))), None)

    def summary(self, origin: str, *, whole: bool) -> Summary:
        """Return what was found, the *whole* of it with each link; *origin* is the server of the site."""
        dead = list(self._dead())
        links = list(self._found()) if whole else []
        return Summary(self._has_ended(), self._counts(origin), self._others(), dead, links)

    def _found(self) -> Iterator[Found]:
        query = "SELECT url, verdict, detail FROM links WHERE run = ? AND verdict IS NOT NULL ORDER BY link"
        return (Found(*row) for row in self._opened.execute(query, (self._run,)))

    def _has_ended(self) -> bool:
        [has_ended] = self._opened.execute("SELECT has_ended FROM runs WHERE run = ?", (self._run,)).fetchone()
        return bool(has_ended)

    def _counts(self, origin: str) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = {"this site": {}, "other hosts": {}, "fragments": {}}
        ours = self._short(f"{origin}/")
        query = """SELECT CASE substr(url, 1, ?) WHEN ? THEN 'this site' ELSE 'other hosts' END, verdict, count(*)
            FROM links WHERE run = ? AND verdict IS NOT NULL GROUP BY 1, 2"""
        for where, verdict, number in self._opened.execute(query, (len(ours), ours, self._run)):
            counts[where][verdict] = number
        [meant, missing] = [
            self._select(f"SELECT count(*) FROM (SELECT DISTINCT refs.link, fragment {which})").fetchone()[0]
            for which in (_MEANT, _MEANT + _MISSING)
        ]
        counts["fragments"] = {"alive": meant - missing, "dead": missing}
        return counts

    def _others(self) -> dict[str, int]:
        query = "SELECT scheme, links FROM others WHERE run = ? ORDER BY links DESC"
        return dict(self._opened.execute(query, (self._run,)))

    def _dead(self) -> Iterator[Dead]:
        links = """SELECT target.link, '', url, detail FROM links target WHERE run = :run AND verdict = 'dead'
            ORDER BY link"""
        places = f"SELECT DISTINCT refs.link, fragment, target.url, '' {_MEANT + _MISSING} ORDER BY refs.link, fragment"
        pages = """SELECT DISTINCT page.place FROM refs JOIN links page ON page.link = refs.page
            WHERE refs.link = ? AND ? IN ('', fragment) AND page.depth < ? ORDER BY page.link"""
        for link, fragment, url, detail in [*self._select(links), *self._select(places)]:
            found = [place for (place,) in self._opened.execute(pages, (link, fragment, self._limit))]
            if fragment:
                yield Dead(f"{url}#{fragment}", "the page is there, but has no such part", found)
            else:
                yield Dead(url, detail, found)

    @property
    def _opened(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    def _select(self, query: str) -> sqlite3.Cursor:
        return self._opened.execute(query, {"run": self._run, "limit": self._limit})

    def _refuse_foreign(self) -> None:
        """Look without SQLite, which might tidy up in a file that is not ours."""
        try:
            with open(self._path, "rb") as file:
                head = file.read(100)
        except FileNotFoundError:
            return
        if head and not (head.startswith(_MAGIC) and head[_PLACE] == _OURS.to_bytes(4, "big")):
            raise RecordError(f"{self._path} is a file of something else; name another with --database")

    def _begin(self) -> None:
        key = (self._site.name, self._options)
        ended = "SELECT link FROM links JOIN runs USING (run) WHERE (site, options, has_ended) = (?, ?, TRUE)"
        self._opened.execute(f"DELETE FROM refs WHERE page IN ({ended})", key)
        self._opened.execute(f"DELETE FROM anchors WHERE link IN ({ended})", key)
        for table in ("links", "others", "runs"):
            runs = "SELECT run FROM runs WHERE (site, options, has_ended) = (?, ?, TRUE)"
            self._opened.execute(f"DELETE FROM {table} WHERE run IN ({runs})", key)
        run = self._opened.execute("SELECT run FROM runs WHERE (site, options) = (?, ?)", key).fetchone()
        if run is None:
            run = (self._opened.execute("INSERT INTO runs (site, options) VALUES (?, ?)", key).lastrowid,)
            first = "INSERT INTO links (run, url, depth, verdict) VALUES (?, ?, 0, 'unchecked')"
            self._opened.execute(first, (*run, self._short(self._site.start)))
        [self._run] = run

    def _waiting(self) -> list[Link]:
        query = "SELECT link, url, depth FROM links WHERE run = ? AND verdict = 'unchecked' ORDER BY depth, link"
        return [
            Link(number, self._long(url), depth) for number, url, depth in self._opened.execute(query, (self._run,))
        ]

    def _come_nearer(self, page: int) -> list[Link]:
        """Correct the depth of what can now be reached on a shorter way, and return what is thereby near enough."""
        [depth] = self._opened.execute("SELECT depth FROM links WHERE link = ?", (page,)).fetchone()
        nearer = """UPDATE links SET depth = ?1
            WHERE depth > ?1 AND link IN (SELECT link FROM refs WHERE page = ?2) RETURNING link, url, verdict"""
        new: list[Link] = []
        pages = [(page, depth + 1)]
        for page, depth in pages:  # which grows
            for number, url, verdict in self._opened.execute(nearer, (depth, page)).fetchall():
                if verdict is None and depth <= self._limit:
                    new.append(Link(number, self._long(url), depth))
                elif verdict == "alive":
                    pages.append((number, depth + 1))
        marked = ((link.number,) for link in new)
        self._opened.executemany("UPDATE links SET verdict = 'unchecked' WHERE link = ?", marked)
        return new

    def _short(self, url: str) -> str:
        server = self._site.server
        return url[len(server) :] if server and url.startswith(f"{server}/") else url

    def _long(self, url: str) -> str:
        return self._site.server + url if url.startswith("/") else url
