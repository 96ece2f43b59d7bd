"""The real Promises/A+ suite, run by Node against this library, and the proof that it can fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import runner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.conformance,
    pytest.mark.skipif(os.name == "nt", reason="Node and Python talk over pipes that Windows does not hand down"),
]


@pytest.fixture(scope="module")
def run():
    """Run the suite, on a machine that has what it takes; an install that fails is a failure."""
    if missing := runner.missing_tools():
        pytest.skip(missing)
    runner.installed_suite()
    return runner.run


def test_all_of_promises_aplus_holds(run):
    """Every one of the suite's 872 tests passes."""
    report = run()
    assert (872, 0) == (report.passed, report.failed), "\n".join(report.failures)


@pytest.mark.parametrize(
    ("engine", "pattern", "clause"),
    [
        ("handlers-at-once", "2.2.[45]", "2.2.4"),
        ("self-resolution-unseen", "2.3.[14]:", "2.3.1"),
        ("then-read-twice", "2.3.3.(1:.* is a function|4:)", "2.3.3.1"),
        ("last-call-wins", "2.3.3.3.(2:.* synchronously|3:.* .resolvePromise. twice synchronously)", "2.3.3.3.3"),
    ],
)
def test_a_broken_engine_is_caught_at_its_clause(run, engine, pattern, clause):
    """An engine that breaks one clause fails tests of that clause, and passes those of its neighbour."""
    report = run(engine=engine, pattern=pattern)
    assert ({clause}, True) == (report.clauses, report.passed > 0)


def test_an_engine_that_dies_is_an_error(run):
    """A crash of the library's process is reported as such."""
    with pytest.raises(runner.ConformanceError) as caught:
        run(engine="dying")
    assert "engine.py ended with status 1" == str(caught.value)


def test_an_engine_that_hangs_is_given_up(run):
    """A library that never answers costs the time it was given, and no more."""
    with pytest.raises(subprocess.TimeoutExpired):
        run(engine="hanging", seconds=1)


def test_no_process_is_left_behind():
    """Whatever goes wrong around it, a process that the runner started has ended."""
    forever = [sys.executable, "-c", "import signal; signal.pause()"]
    with pytest.raises(ZeroDivisionError), runner.child(forever) as child:
        _ = 1 / 0
    assert child.returncode is not None


@pytest.mark.parametrize(("installed", "named"), [([], "node and npm"), (["npm"], "node"), (["node"], "npm")], ids=str)
def test_what_is_missing_is_said(tmp_path, installed, named):
    """Without Node the reason for skipping says what to install."""
    for tool in installed:
        script(tmp_path / tool, "exit 0")
    expected = f"{named} not found on PATH: install Node.js with npm to run the Promises/A+ suite"
    assert expected == runner.missing_tools(str(tmp_path))


def test_nothing_is_missing_where_both_are_there(tmp_path):
    """With node and npm on PATH nothing is skipped."""
    script(tmp_path / "node", "exit 0")
    script(tmp_path / "npm", "exit 0")
    assert "" == runner.missing_tools(str(tmp_path))


def test_an_install_that_fails_is_an_error_with_what_npm_said(tmp_path, monkeypatch):
    """Where npm is there but cannot install, nothing is skipped."""
    script(tmp_path / "npm", "echo no such package; exit 3")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(runner.ConformanceError) as caught:
        runner.npm_install(str(tmp_path))
    assert str(caught.value).endswith("ended with status 3:\nno such package\n")


def script(path: Path, command: str) -> None:
    """Put a program there that a shell runs."""
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
