"""Tasks that wait for each other through promises: giving up one wait breaks the cycle."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aiopromise._engine.tasks import GATHERING, TASKS

__all__ = ["end_rings"]


def end_rings(starts: Sequence[Any], can_give_up: Callable[[Any], bool], give_up: Callable[[Any], None]) -> None:
    """In each cycle reachable from *starts*, call *give_up* with the last member for which *can_give_up* is true.

    A depth-first search without recursion, as a cycle may have thousands of members. After a wait is given up, the
    nodes after it on the path are visited again: each may be in another cycle that avoids that wait.
    """
    looked_at: set[int] = set()  # by id, as nothing is freed in the meantime
    path: list[Any] = []  # from a start to where the search is
    places: dict[int, int] = {}  # the position of each node on the path
    stack: list[Iterator[Any]] = [iter(starts)]
    while stack:
        one: Any = next(stack[-1], None)
        if one is None:
            stack.pop()
            if path:
                del places[id(path.pop())]
        elif id(one) not in looked_at:
            looked_at.add(id(one))
            places[id(one)] = len(path)
            path.append(one)
            stack.append(iter(_waited_for(one)))
        elif id(one) in places:
            ring = range(places[id(one)], len(path))
            last = next((place for place in reversed(ring) if can_give_up(path[place])), None)
            if last is not None:
                give_up(path[last])
                for other in path[last + 1 :]:
                    looked_at.discard(id(other))
                    del places[id(other)]
                del path[last + 1 :], stack[last + 2 :]
                stack[-1] = iter(())


def _waited_for(one: Any) -> Sequence[Any]:
    """Return what *one* waits for, if a cancellation would reach it; or nothing, or only None."""
    kind = type(one)
    if issubclass(kind, TASKS):
        return (getattr(one, "_fut_waiter", None),)
    if kind is GATHERING:
        return tuple(one._children)
    # By name, as a cycle may pass through promises of another copy of the library.
    sources = getattr(kind, "_aiopromise_sources", None)
    return () if sources is None else sources(one)
