"""The directive of the API reference: `.. api:: Promise.then` describes a public name.

The types come from `stubs/`, read by griffe, and the docstrings from the library, which has to be installed. The build
fails if a public name is not described.
"""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from pydoc import locate
from typing import Any, ClassVar, Final

import griffe
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import getLogger

STUBS: Final = Path(__file__).parents[2] / "stubs"
MODULES: Final = ("aiopromise", "aiopromise.inspect", "aiopromise.testing")
# A signature in a block that is longer has a line for each parameter.
WIDTH: Final = 80
SECTION: Final = re.compile(r"^(Raises|Cancellation|Example):\n((?:    .*\n|\n)+)", flags=re.MULTILINE)
QUOTED: Final = re.compile(r"(?<![`\w])`([^`]+)`(?!`)")
# What a docstring may name that is of JavaScript.
ELSEWHERE: Final = {"Promise.try"}
LOGGER: Final = getLogger(__name__)


class Api(SphinxDirective):
    """Describe a public name, and the members of it that are listed."""

    required_arguments = 1
    option_spec: ClassVar = {"module": directives.unchanged, "members": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the description."""
        module, name = self.options.get("module", "aiopromise"), self.arguments[0]
        lines = [f".. py:currentmodule:: {module}", "", *_description(module, name)]
        for member in self.options.get("members", "").split():
            lines += _indented(_description(module, f"{name}.{member}"))
        described = nodes.container()
        self.state.nested_parse(StringList(lines, source=__file__), self.content_offset, described)
        return described.children


def public_names() -> set[str]:
    """Return what has to be described: every public name, and every method of Promise."""
    names = {f"{module}.{name}" for module in MODULES for name in importlib.import_module(module).__all__}
    promise = importlib.import_module("aiopromise").Promise
    return names | {f"aiopromise.Promise.{name}" for name in vars(promise) if not name.startswith("_")}


def check_complete(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that are not described."""
    missing = public_names() - set(env.domains.python_domain.objects)
    if missing:
        LOGGER.warning("the API reference does not describe %s", ", ".join(sorted(missing)))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("api", Api)
    app.connect("env-check-consistency", check_complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# One name, in reStructuredText.


def _description(module: str, name: str) -> Iterator[str]:
    thing: Any = locate(f"{module}.{name}")
    found = _signatures(module, name)
    kind, options = _kind(module, name, thing)
    shown = _without_types(thing, found) if len(found) > 1 else [_typed(one) for one in found]
    head = f".. py:{kind}:: "
    for place, one in enumerate(shown or [""]):
        yield (head if place == 0 else " " * len(head)) + name + one
    yield from _indented([*options, ""])
    if kind != "data":
        yield from _indented(_text(module, name, inspect.getdoc(thing) or ""))
    if len(found) > 1:
        yield from _indented(_folded(name.rpartition(".")[2], found))
    yield ""


def _kind(module: str, name: str, thing: Any) -> tuple[str, list[str]]:
    owner, _, last = name.rpartition(".")
    if inspect.isclass(thing):
        return "class", []
    if callable(thing) and not owner:
        return "function", [":async:"] if inspect.iscoroutinefunction(thing) else []
    if callable(thing):
        is_static = isinstance(inspect.getattr_static(locate(f"{module}.{owner}"), last), staticmethod)
        return "method", [":staticmethod:"] if is_static else []
    member = _member(module, name)
    if owner:
        return "property", [f":type: {_public(member.annotation)}"]
    return "data", [f":type: {_public(member.annotation if member.value is None else member.value)}"]


def _text(module: str, name: str, docstring: str) -> list[str]:
    """Return a docstring with its sections as fields, and links from the names in it."""

    def section(match: re.Match[str]) -> str:
        # An exception and its reason, or text.
        body = re.sub(r"^    ([\w.]+(?:, [\w.]+)*): ", r"    | ``\1``: ", match[2], flags=re.MULTILINE)
        return f":{match[1]}:\n{body}\n"

    def reference(match: re.Match[str]) -> str:
        target = _target(module, name, match[1])
        return f":py:obj:`{match[1]} <{target}>`" if target else f"``{match[1]}``"

    prose, marker, example = QUOTED.sub(reference, docstring + "\n").partition("\nExample:")
    return SECTION.sub(section, prose + marker + example).splitlines()


def _target(module: str, name: str, quoted: str) -> str | None:
    """Return the public name that a docstring means by *quoted*, if it is one of ours."""
    plain = re.sub(r"\(.*\)$", "", quoted)
    places = [f"aiopromise.{plain}", f"{module}.{plain}", f"{module}.{name.partition('.')[0]}.{plain}", plain]
    if found := [place for place in places if place in public_names()]:
        return found[0]
    if locate(plain) is None and plain not in ELSEWHERE:
        LOGGER.warning("the docstring of %s.%s refers to %r, which does not exist", module, name, quoted)
    return None


def _folded(last: str, found: list[griffe.Function]) -> Iterator[str]:
    yield from ["", ".. raw:: html", "", f"   <details><summary>{len(found)} typed signatures</summary>", ""]
    yield from [".. code-block:: python", ""]
    for one in found:
        yield from _indented(_wrapped(last if one.name == "__init__" else f"def {last}", one))
    yield from ["", ".. raw:: html", "", "   </details>", ""]


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"   {line}" if line else "" for line in lines)


# The types, as the stubs have them.


@cache
def _stubs() -> Any:
    return griffe.GriffeLoader(search_paths=[STUBS], allow_inspection=False).load("aiopromise")


def _member(module: str, name: str) -> Any:
    path = f"{module}.{name}".strip(".").removeprefix("aiopromise").lstrip(".")
    return _stubs()[path] if path else _stubs()


def _signatures(module: str, name: str) -> list[griffe.Function]:
    """Return the overloads of what is called *name*, or its only signature; nothing for a value."""
    owner, _, last = name.rpartition(".")
    place = _member(module, owner)
    for candidate in (place, *_private_types(place)):
        if candidate.overloads.get(last):
            return list(candidate.overloads[last])
        if last in candidate.members:
            return _calls(candidate.members[last])
    return []


def _private_types(place: Any) -> Iterator[Any]:
    """Yield the private bases of a class, and its metaclass, which griffe does not report."""
    for base in (*getattr(place, "bases", ()), f"_{place.name}Type"):
        name = str(getattr(base, "left", base))
        if name.startswith("_") and name in place.module.members:
            yield place.module[name]


def _calls(member: Any) -> list[griffe.Function]:
    if member.is_function:
        return [member]
    if not member.is_class:
        return []
    only = [member.members["__init__"]] if "__init__" in member.members else []
    return list(member.overloads.get("__init__") or only)


def _public(annotation: object) -> str:
    """Return an annotation without the underscores of what is private in the stubs."""
    return re.sub(r"\b_(?=[A-Z])", "", str(annotation))


def _typed(one: griffe.Function) -> str:
    returned = "" if one.name == "__init__" else f" -> {_public(one.returns)}"
    return f"({', '.join(_parameters(one, typed=True))}){returned}"


def _wrapped(head: str, one: griffe.Function) -> list[str]:
    line = head + _typed(one)
    if len(line) <= WIDTH:
        return [line]
    returned = _typed(one).rpartition(")")[2] if one.name == "__init__" else f" -> {_public(one.returns)}"
    return [f"{head}(", *(f"    {parameter}," for parameter in _parameters(one, typed=True)), f"){returned}"]


def _without_types(thing: Any, found: list[griffe.Function]) -> list[str]:
    """Return the ways to call, each once: those that only spell out types by the number of arguments are left out."""
    plain: dict[tuple[str, ...], str] = {}
    for one in found:
        names = [parameter.name for parameter in one.parameters if parameter.name not in {"self", "cls"}]
        keywords_only = all(parameter.kind is griffe.ParameterKind.keyword_only for parameter in one.parameters)
        if not any(name[-1].isdigit() for name in names) and not keywords_only:
            way = f"({', '.join(_parameters(one, typed=False))})"
            # Of those that take the same parameters, the one that demands the fewest.
            if way.count("=") >= plain.get(tuple(names), "").count("="):
                plain[tuple(names)] = way
    if plain:
        return list(plain.values())
    signature = inspect.signature(thing)
    untyped = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    return [str(signature.replace(parameters=untyped, return_annotation=signature.empty))]


def _parameters(one: griffe.Function, *, typed: bool) -> Iterator[str]:
    kinds = griffe.ParameterKind
    before = None
    starred = False
    for parameter in one.parameters:
        if before is kinds.positional_only and parameter.kind is not before:
            yield "/"
        if parameter.kind is kinds.keyword_only and not starred:
            yield "*"
            starred = True
        before = parameter.kind
        starred |= parameter.kind is kinds.var_positional
        if parameter.name not in {"self", "cls"}:
            yield _parameter(parameter, typed=typed)
    if before is kinds.positional_only and list(one.parameters)[-1].name not in {"self", "cls"}:
        yield "/"


def _parameter(parameter: griffe.Parameter, *, typed: bool) -> str:
    kinds = griffe.ParameterKind
    stars = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(parameter.kind, "")
    annotation = f": {_public(parameter.annotation)}" if typed and parameter.annotation else ""
    equals = " = " if annotation else "="
    has_default = parameter.default is not None and not stars
    return f"{stars}{parameter.name}{annotation}{equals + str(parameter.default) if has_default else ''}"
