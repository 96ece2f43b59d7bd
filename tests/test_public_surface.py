"""What the package shows, and how it is laid out."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import aiopromise

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "aiopromise"
EXAMPLE = ROOT / "examples" / "linkcheck"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in SOURCE.rglob("*.py")
}

# The places of the package, modules and folders, from the bottom up. A place imports only from layers below its own.
LAYERS = [
    {"_compat", "_errors"},
    {"_instruments", "_settled", "_unhandled"},
    {"_engine"},
    {"_debug", "_handlers", "_resolvers", "_settlement", "_timeout"},
    {"_shutdown"},
    {"_loops"},
    {"_executors", "_factories", "_thenable"},
    {"_combinators"},
    {"_promise"},
    {"_chain"},
    {"__init__"},
    {"_pytest", "inspect", "testing"},
    {"__main__"},
]
# What may not, though it stands on a higher layer.
FORBIDDEN = {"_engine": {"_settled"}}


def test_all_is_what_can_be_imported_without_an_underscore() -> None:
    """`__all__` names what the package has, no more and no less."""
    # Those with @ are pytest's: it looks at the assertions of all that comes with a plugin.
    names = [name for name in vars(aiopromise) if not name.startswith(("_", "@"))]
    modules = {path.stem for path in SOURCE.iterdir()}
    assert sorted(aiopromise.__all__) == sorted(set(names) - modules)


# `Settled` is not a class but a union of two, and `compiled` is a bool.
@pytest.mark.parametrize("name", sorted({*aiopromise.__all__} - {"Settled", "compiled"}))
def test_public_names_belong_to_the_package_and_are_explained(name: str) -> None:
    """Each public name shows the package as its module, and has a docstring."""
    thing = getattr(aiopromise, name)
    # A compiled class has the name of its own module.
    assert thing.__module__ == "aiopromise" or (aiopromise.compiled and not inspect.isfunction(thing))
    assert thing.__doc__


def test_the_version_is_that_of_the_distribution() -> None:
    """The version is stated once, in pyproject.toml."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert aiopromise.__version__ == version("aiopromise") == stated


def _place(module: str) -> str:
    return module.partition(".")[0]


def _layer(module: str) -> int:
    [number] = [number for number, places in enumerate(LAYERS) if _place(module) in places]
    return number


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_from_its_own_folder_and_from_layers_below(module: str) -> None:
    """A reader who starts at the bottom never needs what comes later."""
    others = [name for name in _imports(MODULES[module]) if _place(name) != _place(module)]
    assert [] == [name for name in others if _layer(name) >= _layer(module)]
    assert [] == [name for name in others if _place(name) in FORBIDDEN.get(_place(module), ())]


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Within a folder neither."""
    imports = {module: [name for name in _imports(path) if name in MODULES] for module, path in MODULES.items()}
    assert list(TopologicalSorter(imports).static_order())


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"_loops"}))
def test_only_the_loops_put_the_class_of_promises_the_tracer_and_the_queue_together(module: str) -> None:
    """Everything else is given its queue."""
    calls = {node.func.id for node in _nodes(MODULES[module], ast.Call) if isinstance(node.func, ast.Name)}
    assert set() == calls & {"Queue", "Tracer"}


def test_the_example_uses_the_library_from_its_front_door() -> None:
    """It imports nothing that its reader might not import as well."""
    imports = [node for path in EXAMPLE.glob("*.py") for node in _nodes(path, ast.Import, ast.ImportFrom)]
    assert set() == {alias.name for node in imports for alias in node.names if alias.name.startswith("aiopromise")}
    from_ours = [node for node in imports if (getattr(node, "module", None) or "").startswith("aiopromise")]
    assert {"aiopromise", "aiopromise.inspect"} == {node.module for node in from_ours}
    for node in from_ours:
        assert {alias.name for alias in node.names} <= {*importlib.import_module(node.module).__all__}


def test_the_example_is_read_from_the_beginning_to_the_end() -> None:
    """Its first page lists the modules, and each imports only from those before it; none hides one of Python's own."""
    page = ast.get_docstring(ast.parse((EXAMPLE / "__main__.py").read_text()))
    listed = re.findall(r"^- `(\w+)`: ", page, flags=re.MULTILINE)
    assert sorted([*listed, "__main__"]) == sorted(path.stem for path in EXAMPLE.iterdir() if path.suffix == ".py")
    for number, name in enumerate(listed):
        imported = {node.module for node in _nodes(EXAMPLE / f"{name}.py", ast.ImportFrom)}
        assert set() == imported & {*listed[number:], "__main__"}
    assert set() == {*listed} & sys.stdlib_module_names


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


SHIPPED = sorted([*SOURCE.rglob("*.py"), *EXAMPLE.glob("*.py")])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
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
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    needed = {need for group in ("test", "release", "wheels") for need in groups[group]}
    assert set() == {need for need in needed if re.match(r"[\w-]+", need)[0] not in pinned}
    made_of = (EXAMPLE / "requirements.txt").read_text().splitlines()[1:]
    assert [] == [need for need in made_of if need not in groups["test"]]


def test_importing_the_package_imports_nothing_that_it_does_not_need() -> None:
    """The import costs little: no program, no metadata, no third party but typing-extensions."""
    program = "import sys, asyncio; before = set(sys.modules); import aiopromise; print(*set(sys.modules) - before)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    # asyncio itself imports typing before Python 3.14.
    expected = {"aiopromise", "typing_extensions", "typing", "_typing"}
    # What the modules of a compiled build share.
    if aiopromise.compiled:
        shown = re.sub(r"\b_?cython_\w+", "", shown)
    assert {name.partition(".")[0] for name in shown.split()} <= expected


def _nodes(path: Path, *kinds: type[ast.AST]) -> Iterator[Any]:
    """Return the nodes of these kinds that are there at run time."""
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    for node in nodes:  # which grows
        if isinstance(node, kinds):
            yield node
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            nodes.extend(ast.iter_child_nodes(node))


def _imports(path: Path) -> list[str]:
    names = []
    for node in _nodes(path, ast.ImportFrom):
        if node.module == "aiopromise" or (node.module or "").startswith("aiopromise."):
            module = node.module.partition(".")[2]
            for alias in node.names:
                full = f"{module}.{alias.name}".removeprefix(".")
                names.append(full if full in MODULES else module or "__init__")
    return names


def test_help_shows_no_address_of_an_object() -> None:
    """A default that stands for nothing has a name."""
    methods = [method for name, method in vars(aiopromise.Promise).items() if inspect.isfunction(method)]
    assert [] == [method for method in methods if " at 0x" in str(inspect.signature(method))]
    shown = str(inspect.signature(aiopromise.Promise.timeout)).replace("'", "")
    assert "fallback: Any = <missing>" in shown
