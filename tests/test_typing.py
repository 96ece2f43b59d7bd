"""What a type checker sees of the wheel: the typed face, complete, in step with the code, and strict."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(__file__).parent / "typing"
ALLOWED = PROGRAMS / "stubtest_allowlist.txt"

Errors = dict[tuple[str, int], list[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, as an installer does."""
    folder = tmp_path_factory.mktemp("dist")
    built = run("hatchling", "build", "--target", "wheel", "--directory", str(folder), cwd=ROOT)
    assert 0 == built.returncode, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the wheel where nothing but it is found: that is what installing a pure wheel does."""
    folder = tmp_path_factory.mktemp("site")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_holds_the_modules_and_their_typed_face(wheel: Path) -> None:
    """The stubs and `py.typed` lie beside the modules, where each type checker finds them; nothing else is there."""
    source = ROOT / "src" / "aiopromise"
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    face = {path.name for path in (ROOT / "stubs" / "aiopromise").iterdir()}
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    # Beside the package lies what pytest imports when it starts, so that it need not import the package.
    assert {f"aiopromise/{name}" for name in modules | face} | {"_aiopromise_pytest.py"} == names
    assert {"__init__.pyi", "py.typed"} <= face


def test_the_typed_face_is_strict_by_itself() -> None:
    """No overload hides another, none is unsafe; mypy never says so of a package that is merely installed."""
    face = ROOT / "stubs" / "aiopromise"
    assert {} == mypy(*map(str, sorted(face.glob("*.pyi"))), cwd=ROOT)


def test_users_programs_are_inferred_and_refused_as_promised(site: Path) -> None:
    """Every `assert_type` holds; every line marked `refused:` gets its error, and no other line gets one."""
    files = sorted(path.name for path in PROGRAMS.glob("*.py*"))
    assert promised_errors() == mypy(*files, cwd=PROGRAMS, path=site)


def test_the_typed_face_and_the_code_are_in_step(site: Path, tmp_path: Path) -> None:
    """stubtest finds one difference, the one that is made here: so it did read this stub, and compared it."""
    shutil.copytree(site, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "aiopromise" / "__init__.pyi").open("a") as face:
        face.write("\ndef only_in_the_stub() -> None: ...\n")
    compared = run("mypy.stubtest", "aiopromise", "--concise", "--allowlist", str(ALLOWED), path=tmp_path)
    assert ["aiopromise.only_in_the_stub is not present at runtime"] == compared.stdout.splitlines(), compared.stdout


def promised_errors() -> Errors:
    """Read the codes behind each `refused:` of the files in typing/."""
    found: Errors = {}
    for path in sorted(PROGRAMS.glob("*.py")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if marked := re.search(r"# refused: (.+)$", line):
                found[path.name, number] = sorted(marked[1].split(", "))
    return found


def mypy(*arguments: str, cwd: Path, path: Path | None = None) -> Errors:
    """Return the codes of the errors that mypy reports, by file and line; the project's own settings do not count."""
    settings = ["--strict", "--config-file", os.devnull, "--cache-dir", os.devnull, "--hide-error-context"]
    report = run("mypy", *settings, "--no-error-summary", *arguments, cwd=cwd, path=path)
    found: Errors = {}
    for line in report.stdout.splitlines():
        if ": note: " in line:
            continue
        error = re.fullmatch(r"(.+?):(\d+): error: .*\[([a-z-]+)\]", line)
        assert error, report.stdout
        found.setdefault((error[1], int(error[2])), []).append(error[3])
    assert bool(found) == bool(report.returncode), report.stderr
    return {place: sorted(codes) for place, codes in found.items()}


def run(module: str, *arguments: str, cwd: Path | None = None, path: Path | None = None) -> CompletedProcess[str]:
    """Run a tool of this environment that finds the packages in *path* first, and nothing else of the project."""
    environment = {name: value for name, value in os.environ.items() if name not in {"MYPYPATH", "PYTHONPATH"}}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
