"""The state of a promise, what it hangs on, and who waits for it.

A pending promise hangs on its *upstream*, which is one of five things:

- ``None``: nothing runs; a resolver will settle it, or its own handler is running right now;
- another promise, pending: this one is among its reactions;
- another promise, settled: this one is in the queue, its handler not yet called;
- a future: a Task of ours or somebody's Future, whose done callback settles this promise;
- a `Tie`: something else that will speak up later.

To follow a promise is to hang on it without a handler. The children of a promise are its own reactions, so a link
costs one object.
"""

import traceback
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any, ClassVar, Final, TypeVar

from aiopromise._origin import Origin
from aiopromise._queue import Queue, Reaction
from aiopromise._recorder import recorders

__all__ = [
    "CANCELLED",
    "FULFILLED",
    "PENDING",
    "REJECTED",
    "State",
    "Tie",
    "begin",
    "new",
    "pending",
    "settled",
    "trace",
]

PENDING: Final = 0
FULFILLED: Final = 1
REJECTED: Final = 2
CANCELLED: Final = 3

Types = type[BaseException] | tuple[type[BaseException], ...]
StateT = TypeVar("StateT", bound="State")

new: Final = object.__new__

_OURS: Final = __file__.removesuffix("_state.py")


class Tie:
    """An upstream that is neither promise nor future."""

    __slots__ = ()

    has_many_sources: ClassVar[bool] = False

    def stop(self, promise: "State", message: Any) -> bool:
        """Be told that *promise* is to end; return True to settle it later, False to be just let go."""
        return False

    def is_stopping(self) -> bool:
        """Tell whether it was asked to end and has not ended yet."""
        return False


def pending(kind: type[StateT], queue: Queue) -> StateT:
    """Return a new pending promise that hangs on nothing."""
    promise = new(kind)
    begin(promise, queue)
    return promise


def begin(promise: "State", queue: Queue) -> None:
    """Give a bare object the state of a pending promise that hangs on nothing."""
    promise._state = PENDING
    promise._value = None
    promise._queue = queue
    promise._reactions = None
    promise._upstream = None
    promise._on_fulfilled = None
    promise._on_rejected = None
    promise._catches = Exception
    promise._context = None
    promise._origin = trace(promise) if queue.traced else None


def settled(kind: type[StateT], queue: Queue, state: int, value: Any) -> StateT:
    """Return a new promise that has settled so."""
    promise = pending(kind, queue)
    promise._state = state
    promise._value = value
    return promise


def trace(promise: "State") -> Origin | None:
    """Tell the recorders of a new *promise*, and return where it was made, if that is to be known."""
    queue = promise._queue
    origin = Origin.of(promise, _here(queue)) if queue.debug else None
    for recorder in tuple(recorders):
        origin = recorder.made(promise, origin)
    return origin


def _here(queue: Queue) -> traceback.StackSummary:
    """Return where the user's code is now, without the frames of the library: on the loop's own thread."""
    stack = traceback.StackSummary.extract(traceback.walk_stack(None), limit=16, lookup_lines=False)
    ours = [frame.name for frame in takewhile(_is_ours, stack)]
    queue.check_thread("Promise" if ours[-1] == "__init__" else ours[-1])
    return traceback.StackSummary.from_list([frame for frame in reversed(stack) if not _is_ours(frame)])


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_OURS)


class State:
    """The state of a promise, its upstream and its reactions."""

    __slots__ = (
        "__weakref__",
        "_catches",
        "_context",
        "_on_fulfilled",
        "_on_rejected",
        "_origin",
        "_queue",
        "_reactions",
        "_state",
        "_upstream",
        "_value",
    )

    _state: int
    _value: Any  # the value, or the Rejection
    _queue: Queue
    _reactions: Any  # None, one Reaction, or a dict of them in order: the consumers
    _upstream: Any
    _on_fulfilled: Callable[[Any], Any] | None
    _on_rejected: Callable[[Any], Any] | None
    _catches: Types  # what _on_rejected is for
    _context: Any  # the Context that the handlers run in; None where there are none
    _origin: Origin | None  # where the promise was made; in debug mode, or if recorded

    def _subscribe(self, reaction: Reaction) -> None:
        reactions = self._reactions
        if self._state != PENDING:
            self._queue.push(reaction)
        elif reactions is None:
            self._reactions = reaction
        elif type(reactions) is dict:
            reactions[reaction] = None
        else:
            self._reactions = {reactions: None, reaction: None}

    def _withdraw(self, reaction: Reaction) -> None:
        if self._reactions is reaction:
            self._reactions = None
        elif type(self._reactions) is dict:
            self._reactions.pop(reaction, None)

    def _has_only(self, reaction: Reaction) -> bool:
        reactions = self._reactions
        return reactions is reaction or (type(reactions) is dict and len(reactions) == 1 and reaction in reactions)

    def _is_awaited_by(self, other: "State") -> bool:
        """Tell whether *other* waits, through any number of promises, for this one.

        Looks upwards from *other* and downwards from this promise, a step each in turn, and ends with the
        shorter of the two ways: to tie 10,000 promises into a line takes linear time whichever end comes first.
        """
        above: Any = other
        below = [iter((self,))]
        while below:
            if isinstance(above, State) and above._state == PENDING:
                if above is self:
                    return True
                above = _source_of(above)
            elif not (isinstance(above, Tie) and above.has_many_sources):
                return False  # the whole way up was looked at; where it branches, only the way down tells
            child = next(below[-1], None)
            if child is other:
                return True
            if child is None:
                below.pop()
            else:
                below.append(_children_of(child))
        return False


def _source_of(promise: State) -> Any:
    upstream = promise._upstream
    return getattr(upstream, "source", upstream)


def _children_of(promise: State) -> Iterator[State]:
    reactions = promise._reactions if type(promise._reactions) is dict else (promise._reactions,)
    for reaction in reactions:
        child = getattr(reaction, "target", reaction)
        if isinstance(child, State):
            yield child
