"""Debug mode's warning about a promise that a handler made and dropped: as a rule, it forgot to return it."""

import logging
import sys
from types import MethodType
from typing import Any, Final
from weakref import ref

from aiopromise._engine.queue import Reaction
from aiopromise._engine.state import State, handlers_of
from aiopromise._engine.state_codes import FULFILLED, PENDING
from aiopromise._engine.tasks import Wrapper

__all__ = ["HandlerCalls"]

logger = logging.getLogger("aiopromise")


class HandlerCalls:
    """Follows the calls of handlers on one loop, and the promises that each of them makes."""

    def __init__(self) -> None:
        self._made: list[ref[Any]] = []
        # The lines that were warned about, once each.
        self._told: set[tuple[str, int | None]] = set()

    def add(self, promise: State) -> None:
        """Record that the running handler, if any, has made *promise*."""
        self._made.append(ref(promise))

    def begin(self, reaction: Reaction) -> "HandlerCall":
        """Record that *reaction* is about to run; it may run within another, which re-enters the loop."""
        call = HandlerCall(reaction, self._made)
        self._made = []
        return call

    def end(self, call: "HandlerCall") -> None:
        """Log the promises that were dropped in *call*, which has ended."""
        made, self._made = self._made, call.outer
        if call.returned_nothing():
            for reference in made:
                self._look_at(call, reference)

    def _look_at(self, call: "HandlerCall", reference: "ref[Any]") -> None:
        if not _is_dropped(reference):
            return
        promise: Any = reference()
        place = promise._origin.frames[-1]
        if (place.filename, place.lineno) not in self._told:
            self._told.add((place.filename, place.lineno))
            message = "%s dropped %s, %s\n\nReturn it from the handler, so that the chain waits for it; or keep it"
            logger.warning(message, call.link._origin.links()[-1], repr(promise), promise._origin.links()[-1])


class HandlerCall:
    """The run of one reaction, which may be a link that calls its handler."""

    def __init__(self, reaction: Reaction, outer: "list[ref[Any]]") -> None:
        self.link: Any = None
        self.outer = outer
        if isinstance(reaction, State) and reaction._state == PENDING and reaction._origin is not None:
            handlers = [handler for handler in handlers_of(reaction) if handler is not None]
            # Whatever the handler of tap() or finally_() returns is discarded, unless it is awaited.
            self._is_effect = any(isinstance(_object_of(handler), Wrapper) for handler in handlers)
            self.link = reaction if handlers and reaction._origin.link is not None else None

    def returned_nothing(self) -> bool:
        """Return whether a handler was called that has returned None, or nothing that is awaited."""
        if self.link is None or self.link._state == PENDING:
            return False
        return self._is_effect or (self.link._state == FULFILLED and self.link._value is None)


def _object_of(method: object) -> object:
    return method.__self__ if isinstance(method, MethodType) else None


def _is_dropped(reference: "ref[Any]") -> bool:
    """Return whether the promise is pending, and nobody waits for it or holds it but what will settle it."""
    promise = reference()
    if promise is None or promise._state != PENDING or promise._reactions is not None or promise._is_handled:
        return False
    if not promise._origin.frames:
        return False  # made by a library, perhaps this one
    # Its upstream, which will settle it; and the queue, while a Task runs for it.
    holders = 1 + (promise in promise._queue.running or promise in promise._queue.cleanups)
    del promise
    return _references(reference) == _ONE_REFERENCE + holders - 1


def _references(reference: "ref[Any]") -> int:
    """Return the reference count of the object in a call of this function, which depends on the Python version."""
    found = reference()
    return sys.getrefcount(found)


class _Thing:
    """An object with one reference, its name."""


_thing = _Thing()
_ONE_REFERENCE: Final = _references(ref(_thing))
