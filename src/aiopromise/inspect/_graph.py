"""What waits for what: the pending promises of a loop, and the Tasks, futures and jobs that they hang on.

Nothing is recorded for this. The queue of a loop holds what runs and watches what is settled from outside, and from
these the consumers lead down to every pending promise.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any, Final

from aiopromise._combinators.group import Group, PrivateInput
from aiopromise._combinators.iteration import Arrival
from aiopromise._debug import Origin
from aiopromise._engine.awaiter import Awaiter
from aiopromise._engine.core import Core
from aiopromise._engine.queue import Queue
from aiopromise._engine.state import Upstream, handlers_of
from aiopromise._engine.state_codes import PENDING
from aiopromise._engine.tasks import FUTURES, GATHERING, TASKS, name_of
from aiopromise._errors import short
from aiopromise._executors import ExecutorFuture
from aiopromise._handlers import Finally, Spread, Tap
from aiopromise._thenable import ThenableJob
from aiopromise.inspect._frames import place_of_task

__all__ = ["Graph", "describe", "describe_root", "is_forgotten", "pending_of", "reachable", "seconds_of"]

_METHODS: Final = ((Finally, "finally_"), (Spread, "spread"))


class Graph:
    """Everything that waits, with an edge from each to what waits for it."""

    def __init__(self) -> None:
        self.nodes: dict[int, Any] = {}  # by id, as a user's future may not be hashable
        self.dependants: dict[int, list[Any]] = {}
        self.roots: list[Any] = []

    def add(self, start: Iterable[Any]) -> None:
        """Add all of *start*, and what they wait for."""
        waiting = [*start]
        while waiting:
            one = waiting.pop()
            if id(one) in self.nodes:
                continue
            self.nodes[id(one)] = one
            sources = sources_of(one)
            if not sources:
                self.roots.append(one)
            for source in sources:
                self.dependants.setdefault(id(source), []).append(one)
            waiting.extend(sources)

    def dependants_of(self, one: Any) -> list[Any]:
        return self.dependants.get(id(one), [])

    def below(self, starts: Iterable[Any]) -> Iterator[Any]:
        """Return *starts*, and all that waits for them, each once."""
        return reachable(starts, self.dependants_of)

    def rings(self) -> list[Any]:
        """Return one promise of each ring of those that wait for each other, which no root leads to."""
        seen = {id(one) for one in self.below(self.roots)}
        found = []
        for one in self.nodes.values():
            if isinstance(one, Core) and id(one) not in seen:
                found.append(one)
                seen.update(id(other) for other in self.below([one]))
        return found


def reachable(starts: Iterable[Any], next_of: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
    """Yield *starts*, and all that *next_of* leads to from there, each once."""
    seen: set[int] = set()  # by id, as in a graph
    waiting = [*starts]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting.extend(next_of(one))


def pending_of(queue: Queue) -> list[Any]:
    """Return the pending promises of *queue*, and the Tasks of its loop."""
    seen: dict[int, Any] = {}
    waiting = [*queue.running, *queue.cleanups, *queue.pending_roots(), *queue.items]
    while waiting:
        one = _target(waiting.pop())
        if one is not None and id(one) not in seen:
            seen[id(one)] = one
            waiting.extend(_consumers(one))
    tasks = [task for task in asyncio.all_tasks(queue.loop) if task is not asyncio.current_task(queue.loop)]
    return [*(one for one in seen.values() if not isinstance(one, PrivateInput)), *tasks]


def _target(reaction: Any) -> Any:
    """Return the pending promise that *reaction* is, or settles."""
    target = getattr(reaction, "target", None) or getattr(reaction, "promise", None)
    promise = target if isinstance(target, Core) and not isinstance(reaction, Core) else reaction
    return promise if isinstance(promise, Core) and promise._state == PENDING else None


def _consumers(promise: Any) -> Iterable[Any]:
    reactions = promise._reactions
    if isinstance(promise, PrivateInput) and promise.group is not None:
        return (promise.group.promise,)
    return tuple(reactions) if type(reactions) is dict else (reactions,)


def sources_of(one: Any) -> list[Any]:
    """Return the pending promises, Tasks and futures that *one* waits for."""
    if isinstance(one, Core):
        return _sources_of_promise(one)
    waiter = getattr(one, "_fut_waiter", None) if isinstance(one, TASKS) else one
    if isinstance(waiter, Awaiter):
        return [waiter._promise] if waiter._promise._state == PENDING else []
    if waiter is None:
        return []
    if type(waiter) is GATHERING:
        return [child for child in waiter._children if not child.done()]
    # A bare Future is a detail of what the Task calls, as of sleep(): the Task's own line says more.
    return [waiter] if waiter is not one and isinstance(waiter, TASKS) and not waiter.done() else []


def _sources_of_promise(promise: Any) -> list[Any]:
    upstream = promise._upstream
    if isinstance(upstream, Group):
        # Inputs of the library's own are passed over: what they follow is of interest.
        found: dict[int, Any] = {}
        for each in upstream._inputs.values():
            shown = sources_of(each) if isinstance(each, PrivateInput) else [each]
            found.update((id(one), one) for one in shown)
        return [*found.values()]
    if isinstance(upstream, Arrival):
        return [upstream._group.promise]
    if isinstance(upstream, Upstream):
        only = upstream.sole_source()
        return [only] if only is not None and only._state == PENDING else []
    if isinstance(upstream, Core):
        return [upstream] if upstream._state == PENDING else []
    return [upstream] if isinstance(upstream, FUTURES) and not upstream.done() else []


def is_forgotten(one: Any) -> bool:
    """Return whether nothing runs that will settle *one*: only a resolver can."""
    return isinstance(one, Core) and one._upstream is None


def describe(one: Any) -> str:
    """Return what *one*, a promise, Task or future, is."""
    if isinstance(one, Core):
        return _call_of(one) + _made_at(one._origin)
    if isinstance(one, TASKS):
        return f"Task {one.get_name()}{place_of_task(one)}"
    return f"{type(one).__name__} {short(one)}"


def describe_root(one: Any) -> str:
    """Return what has to happen before *one*, which waits for nothing that is shown, goes on."""
    if not isinstance(one, Core):
        return describe(one)
    frames = () if one._origin is None else one._origin.frames
    line = f": {frames[-1].line}" if frames and frames[-1].line else ""
    return f"{_call_of(one)}{_what_settles(one._upstream)}{_made_at(one._origin)}{line}"


def _what_settles(upstream: Any) -> str:
    if upstream is None:
        return ", until its resolver is called"
    if isinstance(upstream, ExecutorFuture):
        return f", until its job has ended: {short(getattr(upstream, '_future', None))}"
    if isinstance(upstream, ThenableJob):
        return ", until its thenable has answered"
    return ", which is due" if isinstance(upstream, Core) else ""


def seconds_of(one: Any) -> float | None:
    """Return for how long the promise *one* has been there, if that was recorded."""
    origin: Origin | None = one._origin if isinstance(one, Core) else None
    return None if origin is None else monotonic() - origin.made


def _call_of(promise: Any) -> str:
    """Return the call that made *promise*, as far as it is known."""
    origin: Origin | None = promise._origin
    if origin is not None and origin.link is not None:
        return origin.link
    upstream = promise._upstream
    if isinstance(upstream, Group):
        left = len(upstream._inputs)
        return f"{upstream!r}, with {left:,} input{'' if left == 1 else 's'} pending"
    if isinstance(upstream, Upstream) and not isinstance(upstream, ExecutorFuture | ThenableJob | Arrival):
        return repr(upstream)
    on_fulfilled, on_rejected = handlers_of(promise)
    if on_fulfilled is None and on_rejected is None:
        return "Promise" if origin is None else _written(origin.call)
    if on_fulfilled is not None and on_rejected is not None and on_rejected is not on_fulfilled:
        wrapper = getattr(on_fulfilled, "__self__", None)
        if not isinstance(wrapper, Tap):
            return f".then({name_of(on_fulfilled)}, {name_of(on_rejected)})"
    return f".{_method_of(on_fulfilled, on_rejected)}({name_of(on_fulfilled or on_rejected)})"


def _written(call: str) -> str:
    return f"{call}(...)" if call.startswith("Promise") else f".{call}(...)"


def _method_of(on_fulfilled: Any, on_rejected: Any) -> str:
    """Return the method that keeps such handlers; `catch(f)` and `then(None, f)` keep the same."""
    handler: Any = on_fulfilled or on_rejected
    handler = getattr(handler, "handler", handler) if not isinstance(handler, Spread) else handler
    wrapper = getattr(handler, "__self__", handler)
    for kind, method in _METHODS:
        if isinstance(wrapper, kind):
            return method
    is_tap = isinstance(wrapper, Tap)
    if on_fulfilled is not None:
        return "tap" if is_tap else "then"
    return "tap_catch" if is_tap else "catch"


def _made_at(origin: Origin | None) -> str:
    if origin is None or not origin.frames:
        return ""
    frame = origin.frames[-1]
    return f", made at {frame.filename}:{frame.lineno}"
