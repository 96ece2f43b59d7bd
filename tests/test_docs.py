"""Every block of the README and of the docs runs, and every example of a docstring."""

import contextlib
import doctest
import importlib
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import stamina

import aiopromise

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
SOURCE = ROOT / "src" / "aiopromise"
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if not re.match("_pytest|__main__|__init__", str(path.relative_to(SOURCE)))
)

# What is in the group for the docs: its plugin for pytest changes how every test runs.
PACKAGES_OF_THE_DOCS = ["looptime"]


@pytest.fixture(autouse=True)
def retries_are_not_logged() -> Iterator[None]:
    """A retry is printed where structlog is installed, as it is here for a page that shows that."""
    stamina.instrumentation.set_on_retry_hooks([])
    yield
    stamina.instrumentation.set_on_retry_hooks(None)


class Block(NamedTuple):
    """One fenced block, and the text that is printed below it."""

    place: str
    language: str
    code: str
    output: str | None


def _blocks() -> list[Block]:
    blocks: list[Block] = []
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
            place = f"{page.name}:{text[: match.start()].count(chr(10)) + 1}"
            if match[1] == "text":
                blocks[-1] = blocks[-1]._replace(output=match[2])
            else:
                blocks.append(Block(place, match[1], match[2], None))
    return blocks


def _parameters(language: str) -> list:
    return [pytest.param(block, id=block.place) for block in _blocks() if block.language == language]


def test_every_block_is_of_a_kind_that_is_run() -> None:
    """Every block that a reader could copy has been run."""
    assert {"python", "sh", "js"} == {block.language for block in _blocks()}


@pytest.mark.parametrize("block", _parameters("python"))
def test_a_python_block_prints_what_stands_below_it(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program runs as it stands, and its output is shown to the letter."""
    monkeypatch.chdir(tmp_path)  # some write a file
    for package in PACKAGES_OF_THE_DOCS:
        if f"import {package}" in block.code:
            pytest.importorskip(package, reason="it is installed with what the docs are built with")
    printed = _printed(block)
    assert (printed if block.output is None else block.output) == printed


def _printed(block: Block) -> str:
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen):
        exec(compile(block.code, block.place, "exec"), {"__name__": "__main__"})
    # Python calls a class of C by its full name, wherever it names an operand.
    return screen.getvalue().replace("aiopromise._promise.Promise", "Promise")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")
@pytest.mark.parametrize("block", _parameters("js"))
def test_a_javascript_block_prints_what_stands_below_it(block: Block) -> None:
    """What a page compares with really does what the page says."""
    ended = subprocess.run(["node", "-"], check=True, input=block.code, capture_output=True, text=True)
    assert block.output == ended.stdout


@pytest.mark.parametrize("block", _parameters("sh"))
def test_a_command_works_in_a_fresh_clone(block: Block, tmp_path: Path) -> None:
    """Each command is complete: nothing has to be there but Python and pip, and for the compiled build a C compiler.

    The tests are only collected here, for they would never end if they ran themselves.
    """
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".*", "__pycache__", "node_modules", "*.sqlite3"))
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment["PYTEST_ADDOPTS"] = "--collect-only -q -p no:cacheprovider"
    ended = subprocess.run(
        block.code, check=False, shell=True, cwd=clone, env=environment, capture_output=True, text=True
    )
    assert (0, "") == (ended.returncode, "" if ended.returncode == 0 else ended.stdout[-3000:] + ended.stderr[-3000:])


def test_every_test_that_the_design_page_names_exists() -> None:
    """A law is held by the test that stands beside it."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "design.md").read_text())
    assert [] == [name for name in named if f"def {name}(" not in tests]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_run(name: str) -> None:
    """Each example prints what it says."""
    module = importlib.import_module(f"aiopromise.{name}")
    runner = doctest.DocTestRunner()
    for test in _examples(module):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def _examples(module: object) -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder()
    found = []
    for name in dir(module):
        thing = getattr(module, name)
        # The package claims its public names as its own, so the finder would pass them over.
        if getattr(thing, "__module__", None) in {"aiopromise", getattr(module, "__name__", None)}:
            found += finder.find(thing, f"{name}", module=False, globs={})
    return found


def test_every_public_function_has_an_example() -> None:
    """A reader of help() sees a program that runs."""
    promise = aiopromise.Promise
    own = [name for name in vars(promise) if not name.startswith("_") and callable(getattr(promise, name))]
    functions = [(name, getattr(promise, name)) for name in own]
    public = {*aiopromise.__all__} - {"Chain", "Resolvers", "Settled", "compiled"}
    functions += [(name, getattr(aiopromise, name)) for name in public]
    assert [name for name, function in functions if ">>>" not in (function.__doc__ or "")] == []
