"""Where findings are kept: a table in an SQLite file, to which each run adds its own."""

import sqlite3
from datetime import UTC, datetime

from aiopromise._program.links import Finding

__all__ = ["Notebook"]


class Notebook:
    """The findings of this run; each is committed when it is added."""

    def __init__(self, path: str) -> None:
        self._run = datetime.now(UTC).isoformat()
        self._connection = sqlite3.connect(path)
        try:
            # Nobody must wait for the disk, least of all the loop: only a machine that goes down loses findings.
            self._connection.execute("PRAGMA synchronous = OFF")
            self._write("CREATE TABLE IF NOT EXISTS findings (run, page, url, verdict, detail)")
        except sqlite3.Error:
            self.close()
            raise

    def add(self, page: str, finding: Finding) -> None:
        row = (self._run, page, finding.url, finding.verdict, finding.detail)
        self._write("INSERT INTO findings VALUES (?, ?, ?, ?, ?)", *row)

    def findings(self, verdict: str) -> list[Finding]:
        """Return what was found to be *verdict*."""
        query = "SELECT url, verdict, detail FROM findings WHERE run = ? AND verdict = ? ORDER BY rowid"
        return [Finding(*row) for row in self._connection.execute(query, (self._run, verdict))]

    def close(self) -> None:
        self._connection.close()

    def _write(self, statement: str, *values: str) -> None:
        with self._connection:
            self._connection.execute(statement, values)
