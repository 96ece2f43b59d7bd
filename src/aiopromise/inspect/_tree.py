"""The text of a tree: what pending promises hang on, and what waits for them."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final, NamedTuple

from aiopromise._engine.queue import Queue
from aiopromise._engine.state_codes import PENDING
from aiopromise._errors import short
from aiopromise._loops import is_promise, known_queue, running_loop
from aiopromise.inspect._graph import Graph, describe, describe_root, is_forgotten, pending_of, seconds_of

__all__ = ["Tree", "graph_of", "tree"]

# Of a longer run of links the middle is left out; and of more branches, the last.
_MOST_LINKS: Final = 12
_MOST_BRANCHES: Final = 12

# Beyond this depth, branches are counted and not shown.
_DEEPEST: Final = 12

# The default names of Tasks differ by their number only.
_NUMBER: Final = re.compile(r"\b(Task Task-)\d+")


class Line(NamedTuple):
    """One line: how deep it stands, its text and style, how many it stands for, and the seconds of the oldest."""

    depth: int
    text: str
    style: str = ""
    times: int = 1
    seconds: float | None = None

    def __str__(self) -> str:
        times = f"{self.times:,} x " if self.times > 1 else ""
        since = "" if self.seconds is None else f", for {self.seconds:.1f} s"
        return f"{'  ' * self.depth}{times}{self.text}{since}"

    def looks(self) -> tuple[int, str, str]:
        """Return what is alike in lines that are shown once."""
        return self.depth, self.text, self.style


class Tree(str):
    """The text of a tree; printed by rich, it is coloured."""

    __slots__ = ("_lines",)

    _lines: tuple[Line, ...]

    def __rich__(self) -> str:
        """Return the text with the markup of rich."""
        escaped = [(str(line).replace("\\", "\\\\").replace("[", r"\["), line.style) for line in self._lines]
        return "\n".join(f"[{style}]{text}[/]" if style else text for text, style in escaped)


def tree(promise: Any = None, /) -> Tree:
    """Return a text that shows what *promise* waits for and what waits for it; or all pending promises of the loop.

    Each paragraph starts with something that has to happen: a resolver that has to be called, a Task with the line
    where it is, a job, a future. Below that is what waits for it, directly or through others: promises by the call
    that made them, and Tasks. The paragraphs with the most waiters come first; among equals, those with a resolver, as
    nothing is running that would call it. The links of a chain are listed one below the other, branches are indented,
    and equal lines are shown once, with a count. A promise that waits for several things is shown below the first.

    In debug mode, or while an instrument is added, each promise is shown with the seconds since it was made; and in
    debug mode with the line that made it. Settled promises are left out.

    Nothing is recorded for this: it costs only when called.

    Raises:
        TypeError: *promise* is not a promise.
        RuntimeError: no promise is given, and no event loop is running.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.inspect import tree
        >>> async def main():
        ...     answer, resolve, reject = Promise.with_resolvers()
        ...     answer.then(len).then(int)
        ...     print(tree())
        >>> asyncio.run(main())
        3 pending promises
        <BLANKLINE>
        Promise, until its resolver is called (2 wait for it)
          .then(len)
          .then(int)
    """
    graph = graph_of(promise, "tree")
    lines = [*_lines(graph)]
    text = Tree("\n".join(map(str, lines)))
    text._lines = tuple(lines)
    return text


def graph_of(promise: Any, call: str) -> Graph:
    """Return the graph of *promise*, or of all pending ones of the running loop; *call* is for the error."""
    graph = Graph()
    if promise is not None:
        if not is_promise(promise):
            raise TypeError(f"{call}() needs a promise, or nothing for all of the running loop, got {short(promise)}")
        queue: Queue | None = promise._queue
    else:
        queue = known_queue(running_loop(call))
    found = [] if queue is None else pending_of(queue)
    graph.add(found)
    if promise is None:
        return graph
    related = Graph()
    if promise._state == PENDING:
        related.add([*graph.below([promise])])
    return related


def _lines(graph: Graph) -> Iterator[Line]:
    roots = [(root, [*graph.below(graph.dependants_of(root))]) for root in graph.roots]
    roots = [(root, below) for root, below in roots if any(map(is_promise, [root, *below]))]
    pending = {id(one): one for root, below in roots for one in (root, *below) if is_promise(one)}
    rings = graph.rings()
    total = len(pending) + sum(is_promise(one) for one in graph.below(rings))
    yield Line(0, f"{total:,} pending promise{'' if total == 1 else 's'}", style="bold")
    roots.sort(key=lambda entry: (-len(entry[1]), not is_forgotten(entry[0])))
    shown: dict[int, None] = {}
    paragraphs = [_paragraph(graph, root, len(below), shown) for root, below in roots]
    paragraphs += [_paragraph(graph, one, 0, shown, "a ring of promises that wait for each other: ") for one in rings]
    groups = [(next(alike), 1 + sum(1 for _ in alike)) for _, alike in groupby(paragraphs, _looks)]
    for paragraph, count in groups[:_MOST_BRANCHES]:
        yield Line(0, "")
        yield paragraph[0]._replace(times=count)
        yield from paragraph[1:]
    if more := sum(count for _, count in groups[_MOST_BRANCHES:]):
        yield Line(0, "")
        yield Line(0, f"... and {more:,} more that something waits for", style="dim")


def _looks(paragraph: list[Line]) -> list[tuple[Any, ...]]:
    return [(*line.looks(), line.times) for line in paragraph]


def _paragraph(graph: Graph, root: Any, waiting: int, shown: dict[int, None], start: str = "") -> list[Line]:
    shown[id(root)] = None
    text = f"{start}{describe_root(root)}"
    if waiting:
        text += f" ({waiting:,} wait{'s' if waiting == 1 else ''} for it)"
    first = Line(0, _alike(text), "bold red" if is_forgotten(root) else "bold", seconds=seconds_of(root))
    return [first, *_fold(_below(graph, root, shown))]


def _below(graph: Graph, root: Any, shown: dict[int, None]) -> Iterator[Line]:
    """Return a line for each that waits for *root*, without recursion: a chain may be 100,000 links long."""
    stack: list[tuple[int, list[Any]]] = []

    def push(depth: int, waiting: Iterable[Any]) -> None:
        branches = _branches(graph, waiting)
        # What stands below one of several branches is indented; a chain goes straight down.
        deeper = min(depth + (len(branches) > 1), _DEEPEST)
        stack.extend((deeper, alike) for alike in reversed(branches))

    push(1, [root])
    while stack:
        depth, alike = stack.pop()
        text = _alike(describe(alike[0]))
        new = [one for one in alike if id(one) not in shown]
        if len(new) < len(alike):
            yield Line(depth, f"{text}, shown above", "dim", len(alike) - len(new))
        if new:
            shown.update(dict.fromkeys(map(id, new)))
            yield Line(depth, text, "", len(new), max((seconds_of(one) or 0.0 for one in new), default=0.0) or None)
            push(depth, new)


def _branches(graph: Graph, waiting: Iterable[Any]) -> list[list[Any]]:
    """Return what waits for any of *waiting*, each once, with those together that look alike."""
    dependants = {id(one): one for source in waiting for one in graph.dependants_of(source)}
    branches: dict[str, list[Any]] = {}
    for one in dependants.values():
        branches.setdefault(_alike(describe(one)), []).append(one)
    return [*branches.values()]


def _fold(lines: Iterator[Line]) -> Iterator[Line]:
    """Show runs of equal lines once, and of many that differ the first and the last."""
    runs = [_as_one([*alike]) for _, alike in groupby(lines, Line.looks)]
    if len(runs) <= 2 * _MOST_LINKS:
        yield from runs
        return
    yield from runs[:_MOST_LINKS]
    left = sum(line.times for line in runs[_MOST_LINKS:-_MOST_LINKS])
    yield Line(1, f"... {left:,} more ...", style="dim")
    yield from runs[-_MOST_LINKS:]


def _as_one(lines: list[Line]) -> Line:
    seconds = [line.seconds for line in lines if line.seconds is not None]
    return lines[0]._replace(times=sum(line.times for line in lines), seconds=max(seconds, default=None))


def _alike(text: str) -> str:
    """Return *text* without the number in the default name of a Task, so that Tasks at the same line are alike."""
    return _NUMBER.sub(r"\1N", text)
