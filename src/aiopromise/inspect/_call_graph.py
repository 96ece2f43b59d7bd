"""What Tasks wait for through promises, in asyncio's own call graph, which knows only of futures and Tasks."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary, ref

from aiopromise._engine.awaiter import Awaiter
from aiopromise._engine.core import Core
from aiopromise._engine.tasks import TASKS
from aiopromise._loops import running_loop
from aiopromise.inspect._graph import reachable, sources_of

__all__ = ["update_call_graph"]

# A Task, and one that waits for it, by their ids: a user's class of Tasks may define __eq__.
Edges: TypeAlias = dict[tuple[int, int], tuple[Any, Any]]

# What was added to the graph of each loop.
_added: Final["WeakKeyDictionary[asyncio.AbstractEventLoop, list[tuple[ref[Any], ref[Any]]]]"] = WeakKeyDictionary()

# Functions of Python 3.14.
_add: Final[Any] = getattr(asyncio, "future_add_to_awaited_by", None)
_discard: Final[Any] = getattr(asyncio, "future_discard_from_awaited_by", None)


def update_call_graph() -> None:
    """Show in asyncio's call graph which Tasks of the running loop wait for which others through promises, as of now.

    A Task that awaits a promise is then shown as waiting for the Tasks that the promise depends on, through any
    number of links and combinators: in ``python -m asyncio pstree PID``, ``asyncio.print_call_graph()`` and
    ``asyncio.capture_call_graph()``. What an earlier call added, if it is no longer true, is removed.

    Nothing else keeps the graph up to date, so it costs nothing until you call this: do so just before you look. The
    call graph came with Python 3.14; before that, this does nothing.

    Raises:
        RuntimeError: no event loop is running.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.inspect import update_call_graph
        >>> async def fetch():
        ...     update_call_graph()  # asyncio.print_call_graph() shows now that main() waits for this
        ...     return "7"
        >>> async def main():
        ...     print(await Promise(fetch()).then(int))
        >>> asyncio.run(main())
        7
    """
    loop = running_loop("update_call_graph")
    if _add is None:
        return
    before, now = _alive(_added.get(loop, [])), _edges(loop)
    for key, (task, waiter) in before.items():
        if key not in now and not _has_other_callbacks(task):
            _discard(task, waiter)
    # What asyncio has added itself, for a TaskGroup say, is not ours to remove.
    ours = [edge for key, edge in now.items() if key in before or edge[1] not in (edge[0]._asyncio_awaited_by or ())]
    for task, waiter in ours:
        _add(task, waiter)
    _added[loop] = [(ref(task), ref(waiter)) for task, waiter in ours]


def _has_other_callbacks(task: Any) -> bool:
    """Return whether anything but promises waits for *task*: `await` and `gather()` may have added the same edge."""
    callbacks = task._callbacks or ()
    return any(not isinstance(getattr(callback, "__self__", callback), Core) for callback, _ in callbacks)


def _alive(edges: "list[tuple[ref[Any], ref[Any]]]") -> Edges:
    pairs = [(task(), waiter()) for task, waiter in edges]
    return {(id(task), id(waiter)): (task, waiter) for task, waiter in pairs if task is not None and waiter is not None}


def _edges(loop: asyncio.AbstractEventLoop) -> Edges:
    """Return each Task with each that waits for it through promises."""
    edges: Edges = {}
    for waiter in asyncio.all_tasks(loop):
        awaiter = getattr(waiter, "_fut_waiter", None)
        if isinstance(awaiter, Awaiter):
            for task in _tasks_above(awaiter._promise):
                edges[id(task), id(waiter)] = task, waiter
    return edges


def _tasks_above(promise: Any) -> Iterator[Any]:
    """Return the Tasks that *promise* waits for through promises only."""
    found = reachable([promise], lambda one: [] if isinstance(one, TASKS) else sources_of(one))
    return (one for one in found if isinstance(one, TASKS))
