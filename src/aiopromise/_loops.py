"""The queue of each event loop: assembled from promise class, tracer and shutdown hook; and its instruments."""

import asyncio
import os
from asyncio import _get_running_loop
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final
from weakref import ref

from aiopromise._debug import Tracer
from aiopromise._engine.queue import Queue
from aiopromise._engine.state import State, pending
from aiopromise._errors import needs_loop, needs_running_loop
from aiopromise._instruments import Instrument
from aiopromise._shutdown import start_shutdown_hook

__all__ = [
    "instruments_of_all",
    "is_promise",
    "known_queue",
    "new_promise",
    "observe",
    "observe_all",
    "running_loop",
    "running_queue",
    "stop_observing_all",
    "use_promise_class",
]

# Specific to this copy of the library: an earlier copy, since purged, may have a queue on the same loop.
_ATTRIBUTE: Final = f"_aiopromise_queue_{os.urandom(8).hex()}"

# The loops that have a queue, and the instruments that a new one starts with: those of a test harness.
_loops: Final[set[ref[asyncio.AbstractEventLoop]]] = set()
instruments_of_all: Final[list[Instrument]] = []

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

# Set by _promise.py, which is imported after this module.
_promise_class: type[State] = State


def use_promise_class(promise_class: type[State]) -> None:
    """Set the promise class, for loops that have no queue yet."""
    global _promise_class  # noqa: PLW0603  # it is set once, when the package is imported
    _promise_class = promise_class


def is_promise(value: object) -> bool:
    """Return whether *value* is a promise of this copy of the library; compiled copies share the engine's classes."""
    return type(value) is _promise_class


def new_promise(call: str, arguments: tuple[Any, ...] = (), named: Mapping[str, Any] = _NOTHING) -> Any:
    """Return a pending promise on the running loop; the call is what the user wrote, for the error if there is none."""
    return pending(running_queue(call, arguments, named), call)


def running_queue(call: str, arguments: tuple[Any, ...] = (), named: Mapping[str, Any] = _NOTHING) -> Queue:
    """Return the queue of the running loop, made on first use.

    It is an attribute of the loop, so that they live equally long: the queue refers to the loop, so an entry in a
    WeakKeyDictionary would never be freed.
    """
    loop = _get_running_loop()
    if loop is None:
        raise needs_loop(call, *arguments, **named)
    queue: Queue | None = getattr(loop, _ATTRIBUTE, None)
    if queue is None:
        queue = Queue(loop, _promise_class, Tracer(), start_shutdown_hook)
        setattr(loop, _ATTRIBUTE, queue)
        _loops.add(ref(loop, _loops.discard))  # first: another thread may be adding an instrument
        for instrument in instruments_of_all:
            observe(queue, instrument)
    elif queue.loop_class.run_forever is not queue.run_forever:
        queue.look_at_loop()
    return queue


def running_loop(call: str, *arguments: object) -> asyncio.AbstractEventLoop:
    """Return the running loop, for a call that makes no promise, but is about those of the loop."""
    loop = _get_running_loop()
    if loop is None:
        raise needs_running_loop(call, *arguments)
    return loop


def known_queue(loop: asyncio.AbstractEventLoop) -> Queue | None:
    """Return the queue of *loop*, or None if it has had no promise yet."""
    return getattr(loop, _ATTRIBUTE, None)


def observe(queue: Queue, instrument: Instrument) -> None:
    """Add *instrument* to the loop of *queue*."""
    queue.tracer.instruments.add(instrument)
    queue.is_observed = queue.traced = True


def observe_all(instrument: Instrument) -> None:
    """Add *instrument* to every loop, also to those to come."""
    instruments_of_all.append(instrument)
    for queue in _queues():
        observe(queue, instrument)


def stop_observing_all(instrument: Instrument) -> None:
    """Remove *instrument* from every loop; from some it may have been removed already."""
    instruments_of_all.remove(instrument)
    for queue in _queues():
        with suppress(KeyError):
            queue.tracer.instruments.remove(instrument)


def _queues() -> list[Queue]:
    loops = [loop for reference in tuple(_loops) if (loop := reference()) is not None]
    return [queue for loop in loops if (queue := known_queue(loop)) is not None]
