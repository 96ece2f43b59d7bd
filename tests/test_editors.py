"""What editors show of the wheel: a docstring and a signature for every public name, and what may follow a dot."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from pydoc import locate
from typing import NamedTuple
from zipfile import ZipFile

import pytest

import aiopromise
import aiopromise.inspect
import aiopromise.testing
from aiopromise import Promise
from language_servers import SERVERS, Editor, why_no_server
from type_checkers import alone, build

pytestmark = pytest.mark.slow

# A type alias and a constant have no docstring.
NAMES = [
    f"{module.__name__}.{name}"
    for module in (aiopromise, aiopromise.inspect, aiopromise.testing)
    for name in module.__all__
    if name not in {"Settled", "compiled"}
]
METHODS = [f"Promise.{name}" for name in dir(Promise) if not name.startswith("_")]
FACTORIES = {name for name, method in vars(Promise).items() if isinstance(method, staticmethod)}
LINES = [
    "import aiopromise.inspect, aiopromise.testing",
    "from aiopromise import Promise",
    *NAMES,
    "def use(promise: Promise[tuple[int, str]]) -> None:",
    *(f"    {name if name.partition('.')[2] in FACTORIES else name.lower()}(...)" for name in METHODS),
    # What may follow these?
    "    Promise.",
    "    promise.",
]
# Pyrefly and jedi do not look at the methods of a metaclass, and jedi prefers `with_resolvers = ...` in the source.
NOT_SHOWN = {
    "pyrefly": {"Promise.map", "Promise.map_unordered"},
    "jedi": {"Promise.map", "Promise.map_unordered", "Promise.with_resolvers"},
}


class Shown(NamedTuple):
    """What an editor shows of each name, and what it offers behind ``Promise.`` and ``promise.``."""

    of: dict[str, str]
    on_class: set[str]
    on_promise: set[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the wheel beside a program that uses each name."""
    folder = alone(tmp_path_factory.mktemp("program"))
    with ZipFile(build("wheel", tmp_path_factory.mktemp("dist"))) as archive:
        archive.extractall(folder)
    (folder / "program.py").write_text("\n".join(LINES) + "\n")
    return folder


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """Return the name of a language server that runs here."""
    if reason := why_no_server(request.param):
        pytest.skip(reason)
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def shown(server: str, folder: Path) -> Shown:
    """Ask a language server everything, once."""
    with Editor(server, folder / "program.py") as editor:
        hovers = {name: editor.hover(line, column) for name, line, column in places()}
        on_class, on_promise = (editor.completions(len(LINES) - back, len(LINES[-back])) for back in (2, 1))
        return Shown(hovers, on_class, on_promise)


def test_each_public_name_shows_its_docstring(shown: Shown) -> None:
    """In all three modules."""
    assert [] == [name for name in NAMES if summary(name) not in plain(shown.of[name])]


def test_each_method_of_a_promise_shows_its_docstring(server: str, shown: Shown) -> None:
    """Where it is called."""
    missing = {name for name in METHODS if summary(f"aiopromise.{name}") not in plain(shown.of[name])}
    assert NOT_SHOWN.get(server, set()) == missing


def test_each_method_of_a_promise_shows_its_signature(server: str, shown: Shown) -> None:
    """As it is called, and not as a variable of a private type."""
    signature = r"\b{}(\[[\w, *]+\])?\s*\("
    without = {name for name in METHODS if not re.search(signature.format(name.partition(".")[2]), shown.of[name])}
    assert (NOT_SHOWN["jedi"] if server == "jedi" else set()) == without


def test_completion_offers_what_there_is(server: str, shown: Shown) -> None:
    """All on the class; on a promise, what a promise has."""
    names = {name.partition(".")[2] for name in METHODS}
    assert ({"map", "map_unordered"} if server == "pyrefly" else set()) == names - shown.on_class
    assert set() == names - FACTORIES - shown.on_promise


def places() -> Iterator[tuple[str, int, int]]:
    """Yield each name, and where its last part stands in the program."""
    for number, line in enumerate(LINES):
        if found := re.fullmatch(r" *([\w.]+\.)\w+(?:\(\.\.\.\))?", line):
            name = line.strip().removesuffix("(...)").replace("promise.", "Promise.") if "(" in line else line
            yield name, number, found.end(1)


def summary(name: str) -> str:
    """Return the first line of a docstring, in letters."""
    return plain((inspect.getdoc(locate(name)) or "").partition("\n")[0])


def plain(text: str) -> str:
    """Return the letters of *text*: servers change spaces and markup."""
    return re.sub(r"&\w+;|[\W_]+", "", text)
