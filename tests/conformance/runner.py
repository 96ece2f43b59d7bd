"""Run the Promises/A+ suite (npm promises-aplus-tests, unmodified) against the library, in three processes.

This one installs the suite and starts the two others: Node with the suite and adapter.js, and Python with engine.py,
which talk over two pipes. By hand: `python tests/conformance/runner.py [PATTERN]`, where PATTERN is a regular
expression that is looked for in the titles of the tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import aiopromise

HERE = Path(__file__).resolve().parent
STORE = HERE / "node_modules"
SUITE = "promises-aplus-tests"


class ConformanceError(Exception):
    """The suite could not be installed, or did not come to its end."""


@dataclass(frozen=True)
class Report:
    """What the suite found: how many tests passed, and which failed and how."""

    passed: int
    failures: list[str]

    @property
    def failed(self) -> int:
        """Return how many tests failed."""
        return len(self.failures)

    @property
    def clauses(self) -> set[str]:
        """Return the clauses of Promises/A+ that were seen broken, by their full numbers."""
        return {max(re.findall(r"\b2(?:\.\d+)+", failure), key=len) for failure in self.failures}


def missing_tools(path: str | None = None) -> str:
    """Return what has to be installed before the suite can run, or nothing."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool, path=path) is None]
    if not missing:
        return ""
    return f"{' and '.join(missing)} not found on PATH: install Node.js with npm to run the Promises/A+ suite"


def run(*, pattern: str = ".", engine: str = "sound", seconds: float = 120) -> Report:
    """Run the tests whose titles match *pattern* against the engine of that name in engine.py."""
    # The suite's program splits its options at spaces. By itself it waits 200 ms, which a busy machine may take.
    options = ["--reporter", "json", "--timeout", "2000", "--grep", pattern.replace(" ", r"\s")]
    suite = [installed_suite(), "adapter.js", *options]
    engine_reads, node_writes = os.pipe()
    node_reads, engine_writes = os.pipe()
    with (
        TemporaryFile() as output,
        linked_child([sys.executable, "engine.py", engine], engine_reads, engine_writes) as python,
        linked_child(["node", *suite], node_reads, node_writes, stdout=output) as node,
    ):
        node.wait(seconds)
        if python.wait(seconds) != 0:
            raise ConformanceError(f"engine.py ended with status {python.returncode}")
        output.seek(0)
        return read_report(output.read())


def read_report(output: bytes) -> Report:
    """Return what mocha's JSON reporter tells at the end."""
    try:
        found = json.loads(output)
    except ValueError:
        raise ConformanceError(f"the suite did not come to its end, but said: {output.decode()!r}") from None
    failures = [f"{test['fullTitle']} -> {test['err'].get('message')}" for test in found["failures"]]
    return Report(found["stats"]["passes"], failures)


@contextmanager
def linked_child(command: Sequence[str], reads: int, writes: int, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that takes over two ends of pipes, named in its environment."""
    environment = {
        **os.environ,
        "AIOPROMISE_PIPES": f"{reads},{writes}",
        # The library that is tested here, wherever pytest found it.
        "PYTHONPATH": str(Path(aiopromise.__file__).parents[1]),
    }
    with child(command, cwd=HERE, env=environment, pass_fds=(reads, writes), **options) as process:
        # A reader sees that the other side has ended only when nobody else holds the writing end.
        os.close(reads)
        os.close(writes)
        yield process


@contextmanager
def child(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that never outlives the block."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def installed_suite() -> str:
    """Return the suite's program, which npm installs the first time."""
    version = json.loads((HERE / "package.json").read_text())["dependencies"][SUITE]
    home = STORE / version / "node_modules"
    if not home.exists():
        install(home)
    return str(home / SUITE / "lib" / "cli.js")


def install(home: Path) -> None:
    """Let npm put what package.json names into *home*: all of it, or nothing."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=STORE) as workshop:
        shutil.copy(HERE / "package.json", workshop)
        npm_install(workshop)
        try:
            (Path(workshop) / "node_modules").rename(home)
        except OSError:
            # Another run was faster; a rename never replaces a folder that is not empty.
            if not home.exists():
                raise


def npm_install(folder: str, seconds: float = 180) -> None:
    """Run npm where package.json is. No lock file: it would name the registry that one machine happens to use."""
    command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    with child(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as npm:
        output, _ = npm.communicate(timeout=seconds)
    if npm.returncode != 0:
        raise ConformanceError(f"{' '.join(command)} ended with status {npm.returncode}:\n{output.decode()}")


if __name__ == "__main__":
    found = run(pattern=" ".join(sys.argv[1:]) or ".")
    print(*found.failures, f"{found.passed} passed, {found.failed} failed", sep="\n")
    sys.exit(found.failed > 0)
