"""Marks the examples that can run in a browser, and builds the wheel that they run with.

`_static/run.js` gives them a Run button. `run_pyodide` is the URL of a folder with the files of the npm package
`pyodide`.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import typing_extensions
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT: Final = Path(__file__).parents[2]
# WebAssembly in a browser has none of these.
ABSENT: Final = {"concurrent", "multiprocessing", "signal", "socket", "subprocess", "threading"}
PRESENT: Final = (sys.stdlib_module_names - ABSENT) | {"aiopromise", "typing_extensions"}
# As pip builds it; the hook of PEP 517 returns the name.
BUILD: Final = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


class MarkRunnable(SphinxPostTransform):
    """Give each Python block that can run in a browser the class "runs"."""

    default_priority = 5

    def run(self) -> None:
        """Mark the blocks."""
        for block in self.document.findall(nodes.literal_block):
            if block.get("language") == "python" and runs_in_browser(block.astext()):
                block["classes"].append("runs")


def runs_in_browser(code: str) -> bool:
    """Return whether *code* is a program that imports only what a browser has."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return False
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    # Without an import it is a fragment: a signature in the API reference.
    return bool(imported) and {name.partition(".")[0] for name in imported} <= PRESENT


def add_files(app: Sphinx) -> None:
    """Add what the button needs to the site: the wheel, the module that it depends on, and the script."""
    if app.builder.format != "html":
        return
    static = app.outdir / "_static"
    # A browser cannot run what a C compiler made here.
    environment = {name: value for name, value in os.environ.items() if name != "AIOPROMISE_COMPILE"}
    built = subprocess.run(
        [sys.executable, "-c", BUILD, static], check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    (static / "typing_extensions.py").write_bytes(Path(typing_extensions.__file__).read_bytes())
    app.add_js_file(
        "run.js", loading_method="defer", **{"data-pyodide": app.config.run_pyodide, "data-wheel": built.stdout.strip()}
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the transform and the files."""
    app.add_config_value("run_pyodide", "", "html", types=(str,))
    app.add_post_transform(MarkRunnable)
    app.connect("builder-inited", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
