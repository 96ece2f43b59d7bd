"""The documentation site: it builds without a warning, and describes every public name with its docstring and types.

pip install . --group docs && python -m pytest -p no:looptime_plugin tests/test_site.py
"""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

import aiopromise
from aiopromise import Promise, inspect, testing

pytestmark = pytest.mark.slow

pytest.importorskip("sphinx", reason="the group docs is not installed")

ROOT = Path(__file__).parent.parent
NAMES = [
    *(f"aiopromise.{name}" for name in aiopromise.__all__),
    *(f"aiopromise.Promise.{name}" for name in vars(Promise) if not name.startswith("_")),
    *(f"aiopromise.inspect.{name}" for name in inspect.__all__),
    *(f"aiopromise.testing.{name}" for name in testing.__all__),
]
# Words that readers search for.
WORDS = ["abortcontrol", "settimeout", "unhandledreject", "deferred", "bluebird", "hedg", "retri", "tqdm", "semaphor"]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Build the site, as users are told to."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-qnWE", "-d", folder / "doctrees", "docs", folder / "html"]
    built = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert (0, "") == (built.returncode, built.stderr)
    return folder / "html"


@pytest.fixture(scope="module")
def reference(site: Path) -> LexborHTMLParser:
    """Return the API reference."""
    return LexborHTMLParser((site / "reference.html").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_described_by_its_docstring_and_its_types(reference: LexborHTMLParser, name: str) -> None:
    """Both stand at one anchor: the first sentence of the docstring, and what every signature of the stubs returns."""
    shown = _letters(_described(reference, name).text())
    docstring = "" if name in {"aiopromise.compiled", "aiopromise.Settled"} else _object(name).__doc__
    assert _letters(docstring.partition("\n")[0]) in shown
    assert [] == [returned for returned in _returned(name) if _letters(returned) not in shown]


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """A reader may be offline, and tells nobody what is read."""
    pages = [LexborHTMLParser(page.read_text()) for page in site.glob("*.html")]
    loaded = [node.attributes for page in pages for node in page.css("[src], link")]
    addresses = [attributes.get("src") or attributes.get("href") or "" for attributes in loaded]
    assert [] == [address for address in addresses if re.match("(https?:)?//", address)]


@pytest.mark.parametrize("word", WORDS)
def test_the_search_finds_what_readers_ask_for(site: Path, word: str) -> None:
    """The index of the search has the word."""
    assert re.search(rf'[{{,]"?{word}\w*"?:', (site / "searchindex.js").read_text())


def _described(reference: LexborHTMLParser, name: str) -> LexborNode:
    [anchor] = [node for node in reference.css("dt[id]") if node.attributes["id"] == name]
    assert anchor.parent is not None
    return anchor.parent


def _object(name: str) -> object:
    module = "aiopromise.testing" if name.startswith("aiopromise.testing.") else "aiopromise"
    found: object = importlib.import_module(module)
    for part in name.removeprefix(f"{module}.").split("."):
        found = getattr(found, part)
    return found


def _returned(name: str) -> list[str]:
    """Return what each signature of a function or method returns, read from the stubs by Python's own parser."""
    in_testing = name.startswith("aiopromise.testing.")
    stub = ROOT / "stubs" / "aiopromise" / ("testing/__init__.pyi" if in_testing else "__init__.pyi")
    path = name.removeprefix("aiopromise.").removeprefix("testing.").split(".")
    places: list[ast.AST] = [ast.parse(stub.read_text())]
    if len(path) == 2:
        owners = {"Promise", "_Chainable", "_Factories", "_PromiseType"}
        places = [node for node in ast.walk(places[0]) if isinstance(node, ast.ClassDef) and node.name in owners]
    functions = [node for place in places for node in place.body if isinstance(node, ast.FunctionDef)]
    return [ast.unparse(node.returns) for node in functions if node.name == path[-1] and node.returns]


def _letters(text: str) -> str:
    """Return *text* without what a page shows in another way: quotes, stars, spaces, underscores of the stubs."""
    return re.sub("→", "->", re.sub(r"[`*\s]|\b_(?=[A-Z])", "", text))
