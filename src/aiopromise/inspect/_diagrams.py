"""The same as diagrams: text for documents."""

from collections.abc import Iterator
from typing import Any

from aiopromise.inspect._graph import Graph, describe, describe_root
from aiopromise.inspect._tree import graph_of

__all__ = ["to_dot", "to_mermaid"]


def to_mermaid(promise: Any = None, /) -> str:
    """Return what `tree()` shows as a Mermaid flowchart, with an arrow from each promise to what waits for it.

    Raises:
        As for `tree()`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.inspect import to_mermaid
        >>> async def main():
        ...     answer, resolve, reject = Promise.with_resolvers()
        ...     number = answer.then(int)
        ...     print(to_mermaid(number))
        >>> asyncio.run(main())
        flowchart TD
            n0["Promise, until its resolver is called"]
            n1[".then(int)"]
            n0 --> n1
    """
    graph = graph_of(promise, "to_mermaid")
    nodes = [f'    {name}["{_in_mermaid(text)}"]' for name, text in _nodes(graph)]
    return "\n".join(["flowchart TD", *nodes, *(f"    {one} --> {other}" for one, other in _arrows(graph))])


def to_dot(promise: Any = None, /) -> str:
    """Return what `tree()` shows as a Graphviz graph, with an arrow from each promise to what waits for it.

    Raises:
        As for `tree()`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.inspect import to_dot
        >>> async def main():
        ...     answer, resolve, reject = Promise.with_resolvers()
        ...     number = answer.then(int)
        ...     print(to_dot(number))
        >>> asyncio.run(main())
        digraph promises {
            n0 [label="Promise, until its resolver is called"];
            n1 [label=".then(int)"];
            n0 -> n1;
        }
    """
    graph = graph_of(promise, "to_dot")
    nodes = [f'    {name} [label="{_in_dot(text)}"];' for name, text in _nodes(graph)]
    return "\n".join(["digraph promises {", *nodes, *(f"    {one} -> {other};" for one, other in _arrows(graph)), "}"])


def _names(graph: Graph) -> dict[int, str]:
    roots = [id(root) for root in graph.roots]
    return {key: f"n{number}" for number, key in enumerate(dict.fromkeys([*roots, *graph.nodes]))}


def _nodes(graph: Graph) -> Iterator[tuple[str, str]]:
    roots = {id(root) for root in graph.roots}
    for key, name in _names(graph).items():
        yield name, (describe_root if key in roots else describe)(graph.nodes[key])


def _arrows(graph: Graph) -> Iterator[tuple[str, str]]:
    names = _names(graph)
    for key, name in names.items():
        for dependant in graph.dependants.get(key, ()):
            yield name, names[id(dependant)]


def _in_mermaid(text: str) -> str:
    # Mermaid's own escapes; what looks like HTML would be taken as such.
    escapes = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "\n": " "}
    return "".join(escapes.get(character, character) for character in text)


def _in_dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
