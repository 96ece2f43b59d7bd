"""Four type checkers, run as a user runs them: a wheel, a program, and what is said about which line."""

import json
import os
import shutil
import subprocess
import sys
import venv
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
CHECKERS = ("mypy", "pyright", "ty", "pyrefly")


class Finding(NamedTuple):
    """What a checker says about a line."""

    file: str
    line: int
    code: str
    message: str


@cache
def why_absent(checker: str) -> str | None:
    """Tell why *checker* cannot run here, or return None."""
    try:
        version(checker)
    except PackageNotFoundError:
        return f"{checker} is not installed"
    tried = run(checker, "--version")
    return None if tried.returncode == 0 else f"{checker} does not run here: {(tried.stderr or tried.stdout)[-200:]}"


def findings(checker: str, folder: Path, python: Path, python_version: str) -> list[Finding]:
    """Return what *checker*, with no settings of the project, says of the programs in *folder*, for *python*."""
    files = sorted(path.name for path in folder.glob("*.py*"))
    return {"mypy": _mypy, "pyright": _pyright, "ty": _ty, "pyrefly": _pyrefly}[checker](
        folder, files, python, python_version
    )


def _mypy(folder: Path, files: list[str], python: Path, python_version: str) -> list[Finding]:
    where = ["--python-executable", str(python), "--python-version", python_version]
    settings = ["--strict", "--config-file", os.devnull, "--cache-dir", os.devnull, "--output", "json"]
    report = run("mypy", *settings, *where, *files, cwd=folder)
    assert report.returncode in (0, 1), report.stderr
    found = [json.loads(line) for line in report.stdout.splitlines() if line]
    return [
        Finding(item["file"], item["line"], item["code"], item["message"])
        for item in found
        if item["severity"] == "error"
    ]


def _pyright(folder: Path, files: list[str], python: Path, python_version: str) -> list[Finding]:
    where = ["--pythonpath", str(python), "--pythonversion", python_version]
    report = run("pyright", "--outputjson", *where, *files, cwd=folder)
    assert report.returncode in (0, 1), report.stdout + report.stderr
    return [
        Finding(Path(item["file"]).name, item["range"]["start"]["line"] + 1, item.get("rule", ""), item["message"])
        for item in json.loads(report.stdout)["generalDiagnostics"]
        if item["severity"] == "error"
    ]


def _ty(folder: Path, files: list[str], python: Path, python_version: str) -> list[Finding]:
    where = ["--python", str(python), "--python-version", python_version]
    report = run("ty", "check", "--output-format", "gitlab", "--color", "never", *where, *files, cwd=folder)
    assert report.returncode in (0, 1), report.stderr
    found: list[dict[str, Any]] = json.loads(report.stdout)
    return [
        Finding(item["location"]["path"], _line(item["location"]), item["check_name"], item["description"])
        for item in found
        if item["severity"] != "minor"  # a warning
    ]


def _line(location: dict[str, Any]) -> int:
    line: int = location["positions"]["begin"]["line"]
    return line


def _pyrefly(folder: Path, files: list[str], python: Path, python_version: str) -> list[Finding]:
    where = ["--python-interpreter-path", str(python), "--python-version", python_version]
    report = run("pyrefly", "check", "--output-format", "json", *where, *files, cwd=folder)
    assert report.returncode in (0, 1), report.stderr
    return [
        Finding(Path(item["path"]).name, item["line"], item["name"], item["description"])
        for item in json.loads(report.stdout)["errors"]
        if item["severity"] == "error"
    ]


def build(target: str, folder: Path) -> Path:
    """Build a wheel in *folder*, with what is installed here."""
    built = run("hatchling", "build", "--target", target, "--directory", str(folder), cwd=ROOT)
    assert 0 == built.returncode, built.stderr
    return next(folder.glob("*.whl"))


def install(folder: Path, wheel: Path) -> Path:
    """Install *wheel*, and nothing that it depends on, into a new environment in *folder*; return its Python."""
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    offline = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    installed = run("pip", "--python", str(python), "install", "--quiet", *offline, str(wheel))
    assert 0 == installed.returncode, installed.stderr
    return python


def alone(folder: Path, *paths: Path) -> Path:
    """Copy *paths* into *folder*, with settings that say nothing: a checker looks for none further up."""
    for path in paths:
        shutil.copy(path, folder)
    for name, nothing in (("pyrightconfig.json", "{}"), ("ty.toml", ""), ("pyrefly.toml", "")):
        (folder / name).write_text(nothing)
    return folder


def completeness(python: Path, folder: Path) -> dict[str, Any]:
    """Return what `pyright --verifytypes` says of the package in the environment of *python*."""
    # It uses the packages of the first Python on the path, whatever --pythonpath says.
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    report = run("pyright", "--verifytypes", "aiopromise", "--outputjson", cwd=folder, PATH=path)
    found: dict[str, Any] = json.loads(report.stdout)["typeCompleteness"]
    return found


def run(module: str, *arguments: str, cwd: Path | None = None, **variables: str) -> CompletedProcess[str]:
    """Run a tool of this environment, which finds only those parts of the project that *variables* name."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=cwd, env=environ(**variables), capture_output=True, text=True, check=False)


def environ(**variables: str) -> dict[str, str]:
    """Return the variables of this process, without those that lead to the project, or change how it is built."""
    without = {"AIOPROMISE_COMPILE", "MYPYPATH", "PYTHONPATH"}
    inherited = {name: value for name, value in os.environ.items() if name not in without}
    return inherited | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", **variables}
