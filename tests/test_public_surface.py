"""What the package shows, and how it is laid out."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import aiopromise

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "aiopromise"
ROOMS = re.findall(r"^- `(\w+)`:", aiopromise.__doc__, flags=re.MULTILINE)
OF_THE_PROGRAM = {"__init__", "__main__"}


def test_all_is_what_can_be_imported_without_an_underscore() -> None:
    """`__all__` names what the package has, no more and no less."""
    # Those with @ are pytest's: it looks at the assertions of all that comes with a plugin.
    names = [name for name in vars(aiopromise) if not name.startswith(("_", "@"))]
    modules = {path.stem for path in SOURCE.glob("*.py")}
    assert sorted(aiopromise.__all__) == sorted(set(names) - modules)


# `Settled` is no class of its own but the union of two, and `compiled` is a bool.
@pytest.mark.parametrize("name", sorted({*aiopromise.__all__} - {"Settled", "compiled"}))
def test_public_names_belong_to_the_package_and_are_explained(name: str) -> None:
    """Each public name shows the package as its module, and has a docstring."""
    thing = getattr(aiopromise, name)
    assert thing.__module__ == "aiopromise"
    assert thing.__doc__


def test_the_version_is_that_of_the_distribution() -> None:
    """The version is stated once, in pyproject.toml."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert aiopromise.__version__ == version("aiopromise") == stated


def test_the_front_door_maps_every_room() -> None:
    """The docstring of the package names each module once, and none that is not there."""
    modules = {path.stem for path in SOURCE.glob("*.py")} - OF_THE_PROGRAM
    assert sorted(ROOMS) == sorted(modules)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_before_it(room: str) -> None:
    """Data flows one way: in the order of the map."""
    before = ROOMS[: ROOMS.index(room)]
    assert [name for name in _imports(SOURCE / f"{room}.py") if name not in before] == []


@pytest.mark.parametrize("path", sorted(SOURCE.glob("*.py")), ids=lambda path: path.stem)
def test_a_module_is_small_enough_to_be_read_in_one_go(path: Path) -> None:
    """No module has more than 350 lines."""
    assert len(path.read_text().splitlines()) <= 350


# Of pickle the library knows the exception alone, by which it sees that somebody else could not pickle.
DANGEROUS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "pickle",
    "loads",
    "load",
    "dumps",
    "dump",
    "marshal",
    "shelve",
    "ctypes",
}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_runs_text_or_bytes_as_code(path: Path) -> None:
    """Nothing is evaluated, executed or unpickled, so no value that a promise carries can become code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(node.func.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update(alias.name for alias in node.names)
    assert set() == found & DANGEROUS


def test_every_package_that_the_tests_need_is_pinned_for_ci() -> None:
    """To one version, of the index that everybody has: no address, no folder, no commit."""
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()[1:]
    assert [] == [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    pinned = {re.sub("[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["test"]
    assert set() == {re.match(r"[\w-]+", requirement)[0] for requirement in needed} - pinned


def test_importing_the_package_imports_nothing_that_it_does_not_need() -> None:
    """The import costs little: no program, no metadata, no third party but typing-extensions."""
    program = "import sys, asyncio; before = set(sys.modules); import aiopromise; print(*set(sys.modules) - before)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    # typing itself is news only where asyncio does without it, from Python 3.14 on.
    expected = {"aiopromise", "typing_extensions", "typing", "_typing"}
    # What the modules of a compiled build share.
    expected |= {"aiopromise__mypyc"} if aiopromise.compiled else set()
    assert {name.partition(".")[0] for name in shown.split()} <= expected


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiopromise"):
            module = (node.module or "").partition(".")[2]
            names += [module] if module else [alias.name for alias in node.names]
    return names


def test_help_shows_no_address_of_an_object() -> None:
    """A default that stands for nothing has a name."""
    methods = [method for name, method in vars(aiopromise.Promise).items() if inspect.isfunction(method)]
    assert [] == [method for method in methods if " at 0x" in str(inspect.signature(method))]
    assert "fallback=<missing>" in str(inspect.signature(aiopromise.Promise.timeout)).replace(": Any = ", "=")
