"""Tasks that wait for each other, through promises: a ring ends as soon as one of its waits is given up."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aiopromise._engine.tasks import GATHERING, TASKS

__all__ = ["end_rings"]


def end_rings(starts: Sequence[Any], can_give_up: Callable[[Any], bool], give_up: Callable[[Any], None]) -> None:
    """Call *give_up* with the last of each ring that *can_give_up*; the rings are those to which *starts* lead.

    A search in depth, without recursion, for a ring may be of thousands. When a wait is given up, those behind it on
    the path are looked at anew: each may be in another ring, with what does not lead through that wait.
    """
    looked_at: set[int] = set()  # by identity, for nothing of it goes away meanwhile
    path: list[Any] = []  # from a start to where the search is
    places: dict[int, int] = {}  # of what is on the path
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
    """Return what *one* waits for, as far as a request to end goes there."""
    kind = type(one)
    if issubclass(kind, TASKS):
        return (getattr(one, "_fut_waiter", None),)
    if kind is GATHERING:
        return tuple(one._children)
    # By name: a ring may lead through promises of another copy of the library.
    sources = getattr(kind, "_aiopromise_sources", None)
    return () if sources is None else sources(one)
