"""How a request to end travels through promises, and where it stops."""

import asyncio
from asyncio import CancelledError
from collections.abc import Iterable
from typing import Any, final

from aiopromise._compat import mypyc_attr
from aiopromise._engine.core import (
    Core,
    adopt_outcome,
    adopt_state,
    cancelled_error,
    detach_future,
    is_caught,
    mark_handled,
    reject,
    settle,
)
from aiopromise._engine.queue import Queue
from aiopromise._engine.state import CANCELLED, PENDING, State, Upstream, has_only, settled, withdraw
from aiopromise._engine.tasks import FUTURES, TASKS, was_asked
from aiopromise._unhandled import Cancellation

__all__ = [
    "Passage",
    "Shield",
    "Spared",
    "ask_each",
    "cancel",
    "end",
    "retract",
    "running_tasks",
    "store_request",
    "task_to_ask",
]


@final
class Spared:
    """Tasks that a request leaves alone, for it would be the second one, and break into their cleanup.

    They are those that it has asked in the turn before and, where the loop ends, all that were asked already:

        two Tasks await one promise, and asyncio.run() cancels both, and the Task of the promise;
        a turn later the second of them finds itself the last that wants the promise

    The loop *may end* if the request came while it did not run, or nobody knows when it came.
    """

    __slots__ = ("_ids", "_may_end", "_queue", "_tasks")

    def __init__(self, queue: Queue, tasks: "list[asyncio.Task[Any]]", may_end: bool) -> None:
        self._queue = queue
        self._tasks = tasks
        self._may_end = may_end
        # By identity: a class of the user's may have an __eq__ of its own.
        self._ids = {id(task) for task in tasks}

    def __repr__(self) -> str:
        return f"<spared: {self._tasks!r}>"  # asyncio shows the arguments of a callback

    def has(self, future: "asyncio.Future[Any]") -> bool:
        if id(future) in self._ids:
            return True
        return self._may_end and was_asked(future) and self._queue.every_task_was_asked()


def cancel(promise: Core, message: Any) -> bool:
    """Ask for *promise* to end: see `Promise.cancel`.

    The request climbs from link to link as long as nobody else wants what is above:

        a = Promise(work())     <-- the Task is cancelled here,
        b = a.then(parse)           unless a has another consumer than b,
        c = b.then(store)           or b another than c:
        c.cancel()                  then the lower part is cut off, and ends at once
    """
    if promise._state != PENDING:
        return False
    if promise._queue.debug:
        promise._queue.check_thread("cancel")
    path, upstream, passages = _climb(promise)
    if isinstance(upstream, Upstream):
        ask_each((promise,), message)
        return True
    _tell(passages)
    return _ask(path, upstream, message, None)


def end(promise: Core, message: Any, spared: Spared | None = None) -> bool:
    """Do as `cancel()` where nobody has called that: what it would raise is what the promise ends with.

    What is *spared* was asked already, and may be in the middle of its cleanup.
    """
    if promise._state != PENDING:
        return False
    path, upstream, passages = _climb(promise)
    if isinstance(upstream, Upstream):
        ask_each((promise,), message, spared)
        return True
    _tell(passages)
    return _ask_or_fail(path, upstream, message, spared)


def ask_each(promises: Iterable[State], message: Any, spared: Spared | None = None) -> None:
    """Ask all of *promises* to end, and all that they hang on: what one of them raises keeps none from being asked.

    An upstream may lead to promises with upstreams of their own, 5,000 deep, so there is no recursion:

        several = Promise.all(Promise.race(work(), timer), other)
        several.cancel()    <-- asked are work(), timer and other; race ends after the first two, then all
    """
    path: list[Core] = []
    asked: Upstream | None = None
    stack = [(path, asked, iter(promises))]
    while stack:
        path, asked, sources = stack[-1]
        source: Any = next(sources, None)
        if source is None:
            stack.pop()
            if asked is not None and not asked.is_cancelling():
                _interrupt(path, cancelled_error(message))
        elif source._state == PENDING:
            path, upstream, passages = _climb(source)
            _tell(passages)
            if isinstance(upstream, Upstream):
                stack.append((path, upstream, iter(upstream.cancel(path[-1], message))))
            else:
                _ask_or_fail(path, upstream, message, spared)


def _ask_or_fail(path: list[Core], upstream: Any, message: Any, spared: Spared | None) -> bool:
    top = path[-1]
    try:
        return _ask(path, upstream, message, spared)
    except Exception as error:
        # A future that cannot be cancelled. The others are to be asked all the same, and this one has to end.
        detach_future(top)
        reject(top, error)
        return True


def _ask(path: list[Core], upstream: Any, message: Any, spared: Spared | None) -> bool:
    """Ask *upstream*: a future, a promise or nothing. False: the first of *path* had its outcome already."""
    top = path.pop()
    if isinstance(upstream, FUTURES):
        if not upstream.done() and (spared is None or not spared.has(upstream)):
            upstream.cancel(msg=message)
        if not upstream.done():
            return True  # it runs its cleanup; what comes of that travels down as any outcome does
        adopt_outcome(top, upstream)
        if not path:
            return top._state == CANCELLED
    elif upstream is None or isinstance(upstream, Core):
        path.append(top)
    else:
        _store_request(top, message)
        return True
    _interrupt(path, cancelled_error(message))
    return True


def task_to_ask(promise: Core) -> "tuple[asyncio.Task[Any] | None, list[Passage]]":
    """Return the one Task that a request to end *promise* reaches, and what it passes, which is told that it comes."""
    _, upstream, passages = _climb(promise)
    _tell(passages)
    return upstream if isinstance(upstream, TASKS) and not upstream.done() else None, passages


def retract(passages: "list[Passage]") -> None:
    """Tell them that the request that was to come does not."""
    for passage in passages:
        passage.requests -= 1


def running_tasks(promise: Core) -> "list[asyncio.Task[Any]]":
    """Return the Tasks that a request to end *promise* would reach through an `Upstream`; nothing is changed by asking.

    They come in the order in which `ask_each()` asks them.
    """
    tasks: list[asyncio.Task[Any]] = []
    promises: list[Any] = [promise]
    while promises:
        upstream: Any = _climb(promises.pop())[1]
        if isinstance(upstream, Upstream):
            promises.extend(reversed(upstream.wanted_alone()))
        elif isinstance(upstream, TASKS) and not upstream.done():
            tasks.append(upstream)
    return tasks


def store_request(promise: Core, message: Any) -> bool:
    """Tell whether a request to end *promise* would reach a coroutine in its first step, and leave it there if so."""
    path, upstream, _ = _climb(promise)
    if upstream is None or isinstance(upstream, (*FUTURES, Upstream, Core)):
        return False
    _store_request(path[-1], message)
    return True


def _store_request(promise: Core, message: Any) -> None:
    promise._value = cancelled_error(message)  # `_run()` takes it up when the step is over


def _climb(promise: Core) -> "tuple[list[Core], Any, list[Passage]]":
    """Return the links from *promise* up to where a request ends, what that hangs on, and the passages between."""
    path = [promise]
    passages: list[Passage] = []
    upstream = promise._upstream
    while True:
        if isinstance(upstream, Core) and has_only(upstream, path[-1]):
            path.append(upstream)
        elif isinstance(upstream, Passage):
            passages.append(upstream)
            if not has_only(upstream.source, upstream):
                break
            path.append(upstream.source)
        else:
            break
        upstream = path[-1]._upstream
    return path, upstream, passages


def _tell(passages: "list[Passage]") -> None:
    for passage in passages:
        passage.requests += 1


def _interrupt(path: list[Core], error: CancelledError) -> None:
    """Cancel the links of *path*, its last one first, down to one whose handler is for cancellations.

    A link that was in the queue leaves a rejection to whoever else wants it; but to nobody if the library answers for
    what the first of *path* ends with:

        Promise.map(urls, lambda url: Promise(fetch(url)).then(parse))    <-- two fail in one turn: map() ends, and so
                                                                              does a then() that was to take the other
    """
    is_handled = bool(path) and path[0]._is_handled
    while path:
        link = path.pop()
        source = link._upstream
        queued = _detach(link)
        if queued and is_handled:
            mark_handled(source)
        if link._on_rejected is not None and _may_catch(link, error):
            link._upstream = settled(link._queue, CANCELLED, Cancellation(error))
            if not queued:
                link._queue.push(link)
            return
        link._on_fulfilled = link._on_rejected = link._context = None
        settle(link, CANCELLED, Cancellation(error))


def _may_catch(link: Core, error: CancelledError) -> bool:
    try:
        return is_caught(error, link._catches)
    except Exception:
        return True  # it is rejected with that when it is asked again in its turn


def _detach(promise: Core) -> bool:
    """Leave the upstream, and tell whether it was in the queue already."""
    upstream, promise._upstream = promise._upstream, None
    if isinstance(upstream, Core):
        withdraw(upstream, promise)
        return upstream._state != PENDING
    if isinstance(upstream, Passage):
        upstream.detach()
    return False


@mypyc_attr(allow_interpreted_subclasses=True)
class Passage(Upstream):
    """What stands between a promise and its source: a request passes it as it passes a link, and is known there."""

    __slots__ = ("requests", "source", "target")

    requests: int  # how many came from below
    source: Core
    target: Core

    def detach(self) -> None:
        """Be no consumer of the source any more."""
        withdraw(self.source, self)

    def _react(self) -> None:
        raise NotImplementedError


@final
class Shield(Upstream):
    """What a shielded promise hangs on: it hears of the outcome, and no request climbs through it."""

    __slots__ = ("source", "target")

    def __init__(self, source: Core, target: Core) -> None:
        self.source = source
        self.target = target

    def __repr__(self) -> str:
        return ".shield()"

    def cancel(self, promise: State, message: Any) -> tuple[()]:
        withdraw(self.source, self)
        return ()

    def _react(self) -> None:
        if self.target._upstream is self:
            adopt_state(self.target, self.source)
