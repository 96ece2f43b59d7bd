"""What a type checker sees of the wheel: the typed face, complete, in step with the code, and strict.

Each checker reads the programs of `typing/` against the wheel, in an environment of its own: as Python 3.11 where the
tests run on 3.11 or 3.12, else as Python 3.14, for reading them twice everywhere would take too long. What a checker
cannot do is listed in `typing/ratchet.toml`: a case that gets worse fails, and so does one that gets better. The
programs also run, and each value is looked at: is it of the type that the checkers were told?
"""

import ast
import asyncio
import inspect
import itertools
import os
import re
import runpy
import sys
import tomllib
import typing
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePath
from typing import Any, NamedTuple, get_type_hints
from zipfile import ZipFile

import pytest

import aiopromise
from type_checkers import CHECKERS, Finding, alone, build, completeness, findings, install, run, why_absent
from typed_values import is_of, values_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(__file__).parent / "typing"
ALLOWED = PROGRAMS / "stubtest_allowlist.txt"
RATCHET = tomllib.loads((PROGRAMS / "ratchet.toml").read_text())
MISTAKES = ROOT / "docs" / "typing.md"
EXAMPLE = ROOT / "examples" / "linkcheck"

PYTHONS = ["3.14" if sys.version_info >= (3, 13) else "3.11"]
# The share of all cases that each of them gets right, at the least.
FLOORS = {"mypy": 0.98, "pyright": 0.985, "ty": 0.89, "pyrefly": 0.99}


class Case(NamedTuple):
    """An `assert_type` of a program: its location, and its name in the ratchet."""

    file: str
    function: str
    lines: range
    name: str


def _cases_of(path: Path) -> Iterator[Case]:
    for function in ast.parse(path.read_text()).body:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "assert_type":
                of, lines = getattr(function, "name", ""), range(node.lineno, (node.end_lineno or 0) + 1)
                yield Case(path.name, of, lines, f"{path.stem}.{of}: {ast.unparse(node.args[0])}")


ACCEPTED = [path for path in sorted(PROGRAMS.glob("*.py")) if not path.stem.startswith("refused_")]
REFUSED = sorted(PROGRAMS.glob("refused_*.py"))
CASES = [case for path in ACCEPTED for case in _cases_of(path)]

each_checker = pytest.mark.parametrize("checker", CHECKERS)
each_python = pytest.mark.parametrize("python_version", PYTHONS)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, as an installer does."""
    return build("wheel", tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a fresh environment, and return its Python."""
    return install(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the programs to a place without the project's settings."""
    return alone(tmp_path_factory.mktemp("programs"), *PROGRAMS.glob("*.py"))


@pytest.fixture(scope="module")
def said(environment: Path, programs: Path) -> Callable[[str, str], list[Finding]]:
    """Return what a checker says of all programs; it is asked once."""
    known: dict[tuple[str, str], list[Finding]] = {}

    def ask(checker: str, python_version: str) -> list[Finding]:
        if reason := why_absent(checker):
            pytest.skip(reason)
        if (checker, python_version) not in known:
            known[checker, python_version] = findings(checker, programs, environment, python_version)
        return known[checker, python_version]

    return ask


def test_the_wheel_holds_the_modules_and_their_typed_face(wheel: Path) -> None:
    """The stubs and `py.typed` lie beside the modules, where each type checker finds them; nothing else is there."""
    source = ROOT / "src" / "aiopromise"
    modules = {path.relative_to(source).as_posix() for suffix in ("py", "html") for path in source.rglob(f"*.{suffix}")}
    stubs = ROOT / "stubs" / "aiopromise"
    face = {path.relative_to(stubs).as_posix() for path in stubs.rglob("*") if path.is_file()}
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    # Beside the package lies what pytest imports when it starts, so that it need not import the package.
    assert {f"aiopromise/{name}" for name in modules | face} | {"_aiopromise_pytest.py"} == names
    assert {"__init__.pyi", "py.typed"} <= face


def test_the_wheel_holds_no_part_of_the_link_checker(wheel: Path) -> None:
    """Neither a module of its own nor what it alone needs: a library of promises knows no database and no web."""
    with ZipFile(wheel) as archive:
        modules = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
    own = {path.name for path in EXAMPLE.glob("*.py")} - {"__main__.py"}
    assert {"crawl.py", "record.py", "web.py"} <= own
    assert set() == own & {PurePath(name).name for name in modules}
    assert [] == [name for name, text in modules.items() if re.search(r"\b(sqlite3|pydoc|http|urllib)\b", text)]


@each_checker
def test_the_typed_face_is_strict_by_itself(checker: str, environment: Path, tmp_path: Path) -> None:
    """No overload hides another, none is unsafe; a checker never says so of a package that is merely installed."""
    if reason := why_absent(checker):
        pytest.skip(reason)
    folder = alone(tmp_path)
    for path in (ROOT / "stubs" / "aiopromise").rglob("*.pyi"):
        assert "ignore" not in path.read_text()
        (folder / f"face_{path.parent.name}.pyi").write_text(path.read_text())
    assert [] == findings(checker, tmp_path, environment, "3.11")


@each_python
@each_checker
def test_users_programs_are_inferred_as_promised(
    checker: str, python_version: str, said: Callable[[str, str], list[Finding]]
) -> None:
    """Every `assert_type` holds, and no other line has an error, but for what the ratchet lists."""
    wrong = {_case_of(finding) for finding in said(checker, python_version) if not _is_refusal(finding)}
    assert _listed(checker, "infers") | _listed(checker, "narrower") == wrong


@each_python
@each_checker
def test_wrong_programs_are_refused_as_promised(
    checker: str, python_version: str, said: Callable[[str, str], list[Finding]]
) -> None:
    """Every line marked `refused:` gets its error, and no other line gets one, but for what the ratchet lists."""
    refused = {_line_of(finding) for finding in said(checker, python_version) if _is_refusal(finding)}
    assert _listed(checker, "accepts") == {name for name, _ in _marked()} - refused
    assert set() == refused - {name for name, _ in _marked()}


@each_python
def test_mypy_names_the_kind_of_each_error(python_version: str, said: Callable[[str, str], list[Finding]]) -> None:
    """Behind each `refused:` stand the codes that an ignore would have to name."""
    found: dict[str, list[str]] = {}
    for finding in said("mypy", python_version):
        if _is_refusal(finding):
            found.setdefault(_line_of(finding), []).append(finding.code)
    assert dict(_marked()) == {name: sorted(codes) for name, codes in found.items()}


@each_checker
def test_a_checker_is_right_in_nearly_all_cases(checker: str, capsys: pytest.CaptureFixture[str]) -> None:
    """There are at least 300 cases, and the share that a checker gets right does not sink below its floor."""
    names = [case.name for case in CASES] + [name for name, _ in _marked()]
    wrong = _listed(checker, "infers") | _listed(checker, "accepts")
    with capsys.disabled():
        print(f"\n{checker}: {len(names) - len(wrong)} of {len(names)} cases right ({1 - len(wrong) / len(names):.1%})")
        for group, count in Counter(name.partition(".")[0] for name in names).items():
            print(f"    {group}: {count - sum(name.startswith(f'{group}.') for name in wrong)} of {count}")
    assert len(CASES) >= 300
    assert 1 - len(wrong) / len(names) >= FLOORS[checker]


def test_the_ratchet_knows_each_case_by_one_name() -> None:
    """No two cases have the same name, and none is listed that is not there, or twice, or without a reason."""
    assert [] == [name for name, count in Counter(case.name for case in CASES).items() if count > 1]
    entries = [(checker, kind, entry) for checker, kinds in RATCHET.items() for kind in kinds for entry in kinds[kind]]
    listed = Counter((checker, kind, case) for checker, kind, entry in entries for case in entry["cases"])
    known = {case.name for case in CASES} | {name for path in ACCEPTED + REFUSED for name in _lines(path)}
    assert [] == [place for place, count in listed.items() if count > 1 or place[2] not in known]
    assert all(entry["why"] for _, _, entry in entries)


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_each_value_is_of_the_type_that_was_asserted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs run, and the value of each `assert_type` is of that type, also when awaited."""
    seen: list[tuple[int, Any, Any]] = []

    def record(value: Any, wanted: Any) -> Any:
        seen.append((sys._getframe(1).f_lineno, value, wanted))
        return value

    monkeypatch.syspath_prepend(PROGRAMS)
    monkeypatch.setattr(typing, "assert_type", record)
    program = runpy.run_path(str(path))
    cases = [case for case in CASES if case.file == path.name]
    for name in dict.fromkeys(case.function for case in cases):
        perform(program[name], seen)
    assert [] == [case.name for case in cases if {line for line, *_ in seen}.isdisjoint(case.lines)]


def test_the_typed_face_and_the_code_are_in_step(wheel: Path, tmp_path: Path) -> None:
    """stubtest finds one difference, the one that is made here: so it did read this stub, and compared it."""
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    with (tmp_path / "aiopromise" / "__init__.pyi").open("a") as face:
        face.write("\ndef only_in_the_stub() -> None: ...\n")
    options = ["--concise", "--allowlist", str(ALLOWED)]
    compared = run("mypy.stubtest", "aiopromise", *options, PYTHONPATH=str(tmp_path))
    assert ["aiopromise.only_in_the_stub is not present at runtime"] == compared.stdout.splitlines(), compared.stdout


@pytest.mark.parametrize("program", [["-m", "aiopromise.__main__"], [str(EXAMPLE)]], ids=["tour", "link checker"])
def test_the_programs_that_come_along_are_typed_as_any_users(program: list[str], wheel: Path, tmp_path: Path) -> None:
    """`python -m aiopromise` and `python examples/linkcheck` hold against the typed face of the library."""
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    options = ["--strict", "--config-file", os.devnull, "--cache-dir", os.devnull]
    checked = run("mypy", *options, *program, MYPYPATH=str(tmp_path))
    assert 0 == checked.returncode, checked.stdout


def test_every_public_symbol_has_a_known_type(
    environment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """pyright finds the types of the installed package complete, and what it exports is what the package has."""
    if reason := why_absent("pyright"):
        pytest.skip(reason)
    found = completeness(environment, alone(tmp_path))
    counts = found["exportedSymbolCounts"]
    with capsys.disabled():
        print(f"\npyright --verifytypes: {counts['withKnownType']} exported symbols, {found['completenessScore']:.0%}")
    exported = {symbol["name"] for symbol in found["symbols"] if symbol["isExported"]}
    assert (1, 0, 0) == (found["completenessScore"], counts["withAmbiguousType"], counts["withUnknownType"])
    assert {f"aiopromise.{name}" for name in aiopromise.__all__} <= exported


@each_checker
def test_a_checker_accepts_what_the_page_says_to_write(checker: str, environment: Path, tmp_path: Path) -> None:
    """The programs before the mistakes are inferred as they say; ty gives up on the lambda of the first."""
    if reason := why_absent(checker):
        pytest.skip(reason)
    advice = MISTAKES.read_text().partition("\n### ")[0]
    shown = re.findall(r"^```python\n(.*?)^```$", advice, flags=re.MULTILINE | re.DOTALL)
    for number, program in enumerate(shown):
        (alone(tmp_path) / f"advice_{number}.py").write_text(program)
    assert len(shown) >= 3
    refused = {finding.file for finding in findings(checker, tmp_path, environment, "3.11")}
    assert ({"advice_0.py"} if checker == "ty" else set()) == refused


@each_checker
def test_the_page_on_mistakes_says_what_a_checker_says(checker: str, environment: Path, tmp_path: Path) -> None:
    """Each mistake of docs/typing.md is named by the checker in the words that are shown there, or not at all."""
    if reason := why_absent(checker):
        pytest.skip(reason)
    shown = {}
    for number, mistake in enumerate(MISTAKES.read_text().split("\n### ")[1:]):
        code, words = (
            mistake.split("```")[1],
            re.search(rf"^- {checker}: (`*) ?(.+?) ?\1$", mistake, flags=re.MULTILINE),
        )
        assert words, mistake
        (alone(tmp_path) / f"mistake_{number}.py").write_text(code.removeprefix("python\n"))
        shown[f"mistake_{number}.py"] = words[2]
    said = dict.fromkeys(shown, "")
    for finding in findings(checker, tmp_path, environment, "3.11"):
        said[finding.file] += " ".join(finding.message.split())
    assert len(shown) >= 10
    assert {} == {name: said[name] for name, words in shown.items() if words not in (said[name] or "nothing")}


@each_checker
def test_an_editable_install_is_typed_too(checker: str, tmp_path: Path) -> None:
    """Who works on the library, or has a checkout of it installed, sees the same types."""
    if reason := why_absent(checker):
        pytest.skip(reason)
    # What `pip install --editable` builds, and then installs.
    python = install(tmp_path / "environment", build("wheel:editable", tmp_path / "dist"))
    (folder := tmp_path / "program").mkdir()
    (alone(folder) / "program.py").write_text(
        "from typing import assert_type\n"
        "from aiopromise import Promise\n"
        "async def main(promise: Promise[int]) -> None:\n"
        "    assert_type(promise.then(hex), Promise[str])\n"
        "    assert_type(promise.then(hex), Promise[int])\n"
    )
    assert [5] == [finding.line for finding in findings(checker, folder, python, "3.11")]


def perform(function: Callable[..., Any], seen: list[tuple[int, Any, Any]]) -> None:
    """Call *function* with values of the types of its parameters, and look at all that it was said to have."""
    hints = get_type_hints(function)
    hints.pop("return", None)
    if not hints and not inspect.iscoroutinefunction(function):
        function()  # it makes a loop of its own
        return

    async def main() -> None:
        before = len(seen)
        for arguments in itertools.product(*map(values_of, hints.values())):
            made = function(*arguments)
            if asyncio.iscoroutine(made):
                await made
        for line, value, wanted in seen[before:]:
            async with asyncio.timeout(10):
                assert await is_of(value, wanted), f"line {line}: {value!r} is not of the type {wanted}"

    asyncio.run(main())


def _is_refusal(finding: Finding) -> bool:
    return finding.file.startswith("refused_")


def _case_of(finding: Finding) -> str:
    for case in CASES:
        if case.file == finding.file and finding.line in case.lines:
            return case.name
    return _line_of(finding)


def _line_of(finding: Finding) -> str:
    return _lines(PROGRAMS / finding.file)[finding.line - 1]


@cache
def _lines(path: Path) -> list[str]:
    """Return a name for each line of a program: its location, and its text."""
    names, place = [], ""
    for line in path.read_text().splitlines():
        if found := re.match(r"(?:async )?(?:def|class) (\w+)", line):
            place = found[1]
        names.append(f"{path.stem}.{place}: {line.partition('  # refused:')[0].strip()}")
    return names


def _marked() -> list[tuple[str, list[str]]]:
    """Return the lines that are to be refused, and the codes that stand behind them."""
    found = []
    for path in REFUSED:
        for name, line in zip(_lines(path), path.read_text().splitlines(), strict=True):
            if marked := re.search(r"# refused: (.+)$", line):
                found.append((name, sorted(marked[1].split(", "))))
    return found


def _listed(checker: str, kind: str) -> set[str]:
    return {case for entry in RATCHET.get(checker, {}).get(kind, []) for case in entry["cases"]}
