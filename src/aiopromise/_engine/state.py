"""The state of a promise, what it waits for, and who waits for it.

A pending promise waits for its *upstream*, which is one of six things:

- ``None``: nothing runs; a resolver will settle it, or its own handler is running right now;
- another promise, pending: this one is among its reactions;
- another promise, settled: this one is in the queue, its handler not yet called;
- a coroutine: its Task takes its first step, and nobody has the Task yet;
- a future: a Task of ours or somebody's Future, whose done callback settles this promise;
- an `Upstream`: something else that settles it later.

Following a promise is a link without handlers. The children of a promise are themselves its reactions, so a link
costs one object.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from aiopromise._engine.primitives import new
from aiopromise._engine.queue import Queue, Reaction
from aiopromise._engine.state_codes import PENDING
from aiopromise._errors import closed_loop

__all__ = [
    "State",
    "Types",
    "Upstream",
    "begin",
    "handlers_of",
    "has_only",
    "is_awaited_by",
    "pending",
    "settled",
    "subscribe",
    "withdraw",
]

Types = type[BaseException] | tuple[type[BaseException], ...]


class State(Reaction):
    """The state of a promise, its upstream and its reactions.

    A struct: its operations are module functions, here and in `core` and `cancellation`, so that the compiled
    engine calls them directly.
    """

    # Invariant: attributes are written only on the loop's thread. Outside of the engine, code sets the `_upstream` of a
    # pending promise, and a group makes and marks its own inputs; how a promise settles is written by `settle()` alone.
    __slots__ = (
        "__weakref__",
        "_handlers",
        "_is_handled",
        "_origin",
        "_queue",
        "_reactions",
        "_state",
        "_upstream",
        "_value",
    )

    _state: int
    # While pending, the Context that the handlers run in, or None; then the value, the Rejection or the Cancellation.
    _value: Any
    _queue: Queue
    # The consumers: None, one Reaction, or an ordered dict of two or more. Most promises have one, and a dict for
    # each would be half the cost of a link. Invariant: a settled promise has none.
    _reactions: Any
    # What it waits for: see above. Invariant: a settled promise has no upstream.
    _upstream: Any
    # What is called with the outcome of the upstream: None; a handler for a value, which is all that most links have;
    # or a tuple of one for a value, one for a reason, and the exceptions that this one handles.
    _handlers: Any
    # Whether a rejection, past or future, counts as handled (ECMA-262, [[PromiseIsHandled]]).
    _is_handled: bool
    _origin: Any  # what a tracer knows of it, in debug mode or while it is observed; else None


class Upstream(Reaction):
    """An upstream that is neither a promise nor a future."""

    __slots__ = ()

    has_many_sources: ClassVar[bool] = False

    def sole_source(self) -> "State | None":
        """Return the promise that it waits for, if there is exactly one."""
        return None

    def exclusive_sources(self) -> Sequence[State]:
        """Return the sources with no other consumer: those that `cancel()` would return."""
        return ()

    def cancel(self, message: Any) -> Iterable[State]:
        """Handle cancellation of the promise; return the promises to cancel with it."""
        return ()

    def is_cancelling(self) -> bool:
        """Finish the cancellation; return whether the promise settles later. If not, the caller cancels it now.

        Called once, after everything that `cancel()` returned has been cancelled. It may run user code: a group
        closes its generator of items.
        """
        return False


def pending(queue: Queue, call: str, parent: State | None = None) -> Any:
    """Return a new pending promise without an upstream, made by *call*, from *parent* if there is one."""
    promise: State = new(queue.promise_class)
    begin(promise, queue, call, parent)
    return promise


# link(), and private_input() of a group, set all attributes themselves: they are too hot to call this first.
def begin(promise: State, queue: Queue, call: str, parent: State | None = None) -> None:
    """Give a bare object the state of a pending promise without an upstream."""
    promise._state = PENDING
    promise._value = None
    promise._queue = queue
    promise._reactions = None
    promise._upstream = None
    promise._handlers = None
    promise._is_handled = False
    promise._origin = queue.tracer.trace(promise, call, parent) if queue.traced else None


def settled(queue: Queue, state: int, value: Any) -> Any:
    """Return a new settled promise, which the tracer is not told of."""
    promise: State = new(queue.promise_class)
    promise._state = state
    promise._value = value
    promise._queue = queue
    promise._reactions = promise._upstream = promise._handlers = promise._origin = None
    promise._is_handled = False
    return promise


def subscribe(promise: State, reaction: Reaction, call: str | None = None) -> None:
    """Run *reaction* once *promise* has settled; until then it is a consumer.

    *call* names the user's call, for the error if the promise's loop has been closed.
    """
    reactions = promise._reactions
    if promise._state != PENDING:
        # Never called here: the code that registers a handler continues first, as in JavaScript.
        #
        #     promise.then(print)    <-- promise is fulfilled already, and this is
        #     print("first")         <-- printed after this
        try:
            promise._queue.push(reaction)
        except RuntimeError:
            if call is not None and promise._queue.loop.is_closed():
                raise closed_loop(call, promise) from None
            raise
    elif reactions is None:
        promise._reactions = reaction
    elif type(reactions) is dict:
        reactions[reaction] = None
    else:
        promise._reactions = {reactions: None, reaction: None}


def handlers_of(promise: State) -> list[Any]:
    """Return what is called with a value, and what with a reason."""
    handlers = promise._handlers
    return [*handlers[:2]] if type(handlers) is tuple else [handlers, None]


def withdraw(promise: State, reaction: Reaction) -> None:
    """Remove *reaction* from the consumers."""
    # One that is already queued stays there, and does nothing when it is run.
    reactions = promise._reactions
    if type(reactions) is dict:
        reactions.pop(reaction, None)
        if not reactions:
            promise._reactions = None
    elif reactions is reaction:
        promise._reactions = None


def has_only(promise: State, reaction: Reaction) -> bool:
    """Return whether *reaction* is the only consumer."""
    reactions = promise._reactions
    return reactions is reaction or (type(reactions) is dict and len(reactions) == 1 and reaction in reactions)


def is_awaited_by(promise: State, other: State) -> bool:
    """Return whether *other* waits, through any number of promises, for *promise*.

    Searches up from *other* and down from *promise* in alternating steps, and stops with the shorter search:
    linking 10,000 promises into a chain takes linear time from either end.
    """
    # Neither search suffices alone: an `Upstream` with many sources is not climbed, and some consumers do not
    # reveal for whom they wait.
    above: Any = other
    below = [iter((promise,))]
    while below:
        if isinstance(above, State) and above._state == PENDING:
            if above is promise:
                return True
            above = above._upstream
        elif not isinstance(above, Upstream):
            return False  # the search upwards is complete
        elif not above.has_many_sources:  # where it branches, only the search downwards can tell
            above = above.sole_source()
        child = next(below[-1], None)
        if child is other:
            return True
        if child is None:
            below.pop()
        else:
            below.append(_children_of(child))
    return False


def _children_of(promise: State) -> Iterator[State]:
    reactions = promise._reactions if type(promise._reactions) is dict else (promise._reactions,)
    for reaction in reactions:
        child = getattr(reaction, "target", reaction)
        if isinstance(child, State):
            yield child
