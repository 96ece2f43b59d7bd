"""The documentation site: it builds without a warning, describes every public name, and its examples run in a browser.

pip install . --group docs && python -m pytest -p no:looptime_plugin tests/test_site.py
"""

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

import aiopromise
from aiopromise import Promise, inspect, testing
from browser import needs_browser, result_of
from conformance import runner

pytestmark = pytest.mark.slow

pytest.importorskip("sphinx", reason="the group docs is not installed")

ROOT = Path(__file__).parent.parent
NAMES = [
    *(f"aiopromise.{name}" for name in aiopromise.__all__),
    *(f"aiopromise.Promise.{name}" for name in vars(Promise) if not name.startswith("_")),
    *(f"aiopromise.inspect.{name}" for name in inspect.__all__),
    *(f"aiopromise.testing.{name}" for name in testing.__all__),
]
# Words that readers search for, and the page that answers; in the index each is cut to its stem.
WORDS = {
    "abortcontrol": "from-javascript",
    "settimeout": "from-javascript",
    "eager": "from-javascript",
    "constructor": "promises",
    "unhandledreject": "from-javascript",
    "rethrow": "errors",
    "return_except": "errors",
    "gather": "from-other-libraries",
    "run_in_executor": "from-other-libraries",
    "call_soon_threadsaf": "promises",
    "isinst": "faults",
    "perform": "benchmarks",
    "defer": "from-other-libraries",
    "asyncioreactor": "from-other-libraries",
    "bluebird": "from-other-libraries",
    "semaphor": "many",
    "tqdm": "many",
    "backpressur": "many",
    "processpoolexecutor": "many",
    "hedg": "recipes",
    "retri": "recipes",
    "backoff": "recipes",
    "throttl": "recipes",
    "jupyt": "beside",
    "asyncmock": "testing",
    "flushpromis": "testing",
    "leak": "testing",
}


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


@pytest.mark.parametrize(("word", "page"), WORDS.items())
def test_the_search_finds_what_readers_ask_for(site: Path, word: str, page: str) -> None:
    """The index of the search leads from the word to the page that answers."""
    text = (site / "searchindex.js").read_text()
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    found = [index[table].get(word, []) for table in ("terms", "titleterms")]
    numbers = {number for one in found for number in ([one] if isinstance(one, int) else one)}
    assert page in {index["docnames"][number] for number in numbers}


# Presses the Run buttons of pages, one after another: what is printed, and the text that stands below the example. A
# program that has said that it never ends is stopped.
PRESS = """
<!DOCTYPE html>
<img src="/loading" alt="">
<iframe></iframe>
<pre id="result"></pre>
<script type="module">
const frame = document.querySelector("iframe");
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));
const found = [];
for (const page of PAGES) {
  frame.src = page;
  await new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  const shown = frame.contentDocument;
  shown.querySelector("script[data-pyodide]").dataset.pyodide = "/pyodide/";
  const blocks = [...shown.querySelectorAll("[class*=highlight-]")];
  for (const button of shown.querySelectorAll("button.run")) {
    const block = button.closest(".runs");
    const output = block.querySelector(".run-output");
    button.click();
    while (button.textContent === "Stop") {
      await turn();
      if (output.textContent.includes("for ever")) button.click();
    }
    const below = blocks[blocks.indexOf(block) + 1];
    const expected = below?.matches(".highlight-text") ? below.innerText : null;
    found.push([block.querySelector(".highlight").innerText, expected, output.textContent]);
  }
}
document.getElementById("result").textContent = JSON.stringify(found);
await fetch("/loaded");
</script>
"""

# Each with what it prints.
PROGRAMS = [
    ("while True:\n    print('for ever')\n", re.compile("(for ever\n)+Stopped.\n")),
    ("def f():\n    1 / 0\n\n\nf()\n", re.compile(r"Traceback.*:\n  File \"example.py\", line 5.*\n    f\(\)")),
    ("import asyncio\n\nasyncio.run(asyncio.Event().wait())\n", re.compile("(?s)Traceback.*that cannot happen\n")),
    ("import asyncio\n\nprint(asyncio.run(asyncio.sleep(0.01, 'slept')))\n", re.compile("slept\n")),
]


class Handler(SimpleHTTPRequestHandler):
    """Serves files, and an image that is missing until a page says that it is done: only then has the page loaded."""

    done = Event()

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/loaded":
            self.done.set()
        elif self.path == "/loading":
            self.done.wait()
            self.done.clear()
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        """Write no log."""


@pytest.fixture(scope="module")
def served(site: Path, tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """Serve a folder with the site, and with the Python that its configuration names."""
    if shutil.which("npm") is None:
        pytest.skip("npm, which fetches Python for the browser, is not on PATH")
    folder = tmp_path_factory.mktemp("served")
    [version] = re.findall(r"pyodide@([\d.]+)", (ROOT / "docs" / "conf.py").read_text())
    (folder / "package.json").write_text(json.dumps({"dependencies": {"pyodide": version}}))
    runner.npm_install(str(folder))
    (folder / "pyodide").symlink_to(folder / "node_modules" / "pyodide")
    (folder / "site").symlink_to(site)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        Thread(target=server.serve_forever).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        Handler.done.set()
        server.shutdown()


def pressed(served: tuple[Path, str], pages: list[str]) -> list[tuple[str, str | None, str]]:
    """Press the buttons of *pages*; return the code of each, the text below it, and what was printed."""
    folder, address = served
    (folder / "press.html").write_text(PRESS.replace("PAGES", json.dumps(pages)))
    return result_of(f"{address}/press.html", seconds=240)


@needs_browser
def test_an_example_prints_in_the_browser_what_stands_below_it(site: Path, served: tuple[Path, str]) -> None:
    """Every Run button of every page."""
    found = pressed(served, [f"/site/{page.name}" for page in sorted(site.glob("*.html"))])
    assert [] == [one for one in found if one[1] != one[2] and (one[1] is not None or "Traceback" in one[2])]
    assert len(found) > 50


@needs_browser
def test_a_program_in_the_browser_can_be_stopped_and_tells_why_it_failed(site: Path, served: tuple[Path, str]) -> None:
    """A page stays responsive while a program runs, and what comes after runs, too."""
    [script] = re.findall("<script[^>]*data-pyodide[^>]*>", (site / "start.html").read_text())
    blocks = [f'<div class="runs"><div class="highlight"><pre>{code}</pre></div></div>' for code, _ in PROGRAMS]
    page = "".join(blocks) + script.replace('src="', 'src="/site/') + "</script>"
    (served[0] / "programs.html").write_text(f"<!DOCTYPE html>{page}")
    printed = [output for _, _, output in pressed(served, ["/programs.html"])]
    assert [] == [one for one, (_, expected) in zip(printed, PROGRAMS, strict=True) if not expected.match(one)]


@pytest.mark.parametrize(
    ("code", "runs"),
    [
        ("import asyncio", True),
        ("from aiopromise.testing import assert_rejected", True),
        ("import asyncio, httpx", False),
        ("import concurrent.futures", False),
        ("from threading import Thread", False),
        ("def then(on_fulfilled): ...", False),
        ("import asyncio\n\ndef then(on_fulfilled) -> ", False),
    ],
)
def test_an_example_has_a_run_button_if_a_browser_has_what_it_imports(
    code: str, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A button that would fail is not there; what is no program has none."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "_extensions")
    assert runs == importlib.import_module("run_button").runs_in_browser(code)


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
