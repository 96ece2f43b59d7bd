"""How a cancellation request travels through promises, and where it stops."""

import asyncio
from asyncio import CancelledError
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aiopromise._engine.core import (
    Core,
    adopt_outcome,
    adopt_state,
    detach_future,
    is_caught,
    mark_handled,
    reject,
    settle,
)
from aiopromise._engine.queue import Queue
from aiopromise._engine.state import State, Upstream, has_only, settled, withdraw
from aiopromise._engine.state_codes import CANCELLED, PENDING, REJECTED
from aiopromise._engine.tasks import FUTURES, GATHERING, TASKS, cancel_requested
from aiopromise._unhandled import Cancellation

__all__ = [
    "AlreadyCancelled",
    "PassThrough",
    "Route",
    "Shield",
    "cancel",
    "cancel_each",
    "cancelled_error",
    "end",
    "tell_requested",
]


# What is cancelled immediately, not an iteration later: Tasks, and a gather(), which passes the request on to its own.
_RUNNING: Final = (*TASKS, GATHERING)


class AlreadyCancelled:
    """Tasks that a request skips, since a second cancellation would interrupt their cleanup.

    They are those that it cancelled one loop iteration earlier and, while the loop shuts down, all that were
    cancelled already, and the cleanups that started because of that:

        two Tasks await one promise, and asyncio.run() cancels both, and the Task of the promise;
        an iteration later the second of them finds itself the last consumer of the promise

    *run* is the `Queue.current_run()` in which the work to cancel began, or the request came.
    """

    __slots__ = ("_ids", "_queue", "_run", "_tasks")

    def __init__(self, queue: Queue, tasks: "list[asyncio.Future[Any]]", run: object) -> None:
        self._queue = queue
        self._tasks = tasks
        self._run = run
        # By identity, as a user's class may define __eq__; _tasks keeps the ids from being reused.
        self._ids = {id(task) for task in tasks}

    def __repr__(self) -> str:
        return f"<already cancelled: {self._tasks!r}>"  # asyncio shows the arguments of a callback

    def includes(self, promise: Core) -> bool:
        """Return whether the future that *promise* follows was cancelled already."""
        future, queue = promise._upstream, self._queue
        if id(future) in self._ids or promise in queue.cancelled_last:
            return True
        return (cancel_requested(future) or promise in queue.cleanups) and queue.is_shutting_down(self._run)


class Route:
    """The path of a cancel request: up through links with no other consumer, to what is running, if anything."""

    __slots__ = ("links", "passed", "upstream")

    def __init__(self, promise: Core) -> None:
        links = [promise]
        passed: list[PassThrough] = []
        upstream = promise._upstream
        while True:
            if isinstance(upstream, Core) and has_only(upstream, links[-1]):
                links.append(upstream)
            elif isinstance(upstream, PassThrough):
                passed.append(upstream)
                if not has_only(upstream.source, upstream):
                    break
                links.append(upstream.source)
            else:
                break
            upstream = links[-1]._upstream
        # From the promise to cancel upwards. Invariant: each is the only consumer of the next; and a route is used for
        # one request, as _cancel_route() and _interrupt() empty this list.
        self.links = links
        # The time limits between the links.
        self.passed = passed
        # The upstream of the last link.
        self.upstream: Any = upstream

    def __repr__(self) -> str:
        return f"<a request to end {self.links[0]!r}>"  # as for AlreadyCancelled

    def task(self) -> "asyncio.Future[Any] | None":
        """Return the Task that the request reaches, or the `asyncio.gather()`, which cancels its own; else None."""
        return self.upstream if isinstance(self.upstream, _RUNNING) and not self.upstream.done() else None

    def tasks(self) -> "list[asyncio.Future[Any]]":
        """Return what the request reaches, also through an `Upstream`, in the order of cancellation."""
        tasks: list[asyncio.Future[Any]] = []
        upstreams: list[Any] = [self.upstream]
        while upstreams:
            upstream = upstreams.pop()
            if isinstance(upstream, Upstream):
                sources: Any = upstream.exclusive_sources()
                upstreams.extend(Route(source).upstream for source in reversed(sources))
            elif isinstance(upstream, _RUNNING) and not upstream.done():
                tasks.append(upstream)
        return tasks

    def announce(self) -> None:
        """Notify the time limits on the route that a request is coming."""
        for limit in self.passed:
            limit.requests += 1

    def retract(self) -> None:
        """Withdraw that notification."""
        for limit in self.passed:
            limit.requests -= 1

    def store_at_first_step(self, message: Any) -> bool:
        """Store the request if it reaches a coroutine in its first step, and return whether it does.

        The request is applied once the step is over:

            promise = source.then(cancels_promise)    <-- an async handler, whose Task has not been returned yet
        """
        if self.upstream is None or isinstance(self.upstream, (*FUTURES, Upstream, Core)):
            return False
        top = self.links[-1]
        top._queue.early_requests[top] = cancelled_error(message)
        return True


def cancel(promise: Core, message: Any) -> bool:
    """Request cancellation of *promise*: see `Promise.cancel`.

    The request climbs from link to link while the next one has no other consumer:

        a = Promise(work())     <-- the Task is cancelled here,
        b = a.then(parse)           unless a has another consumer than b,
        c = b.then(store)           or b another than c:
        c.cancel()                  then the lower part is cut off, and ends at once
    """
    if promise._state != PENDING:
        return False  # like Task.cancel(): there is nothing left to cancel
    if promise._queue.debug:
        promise._queue.check_thread("cancel")
    tell_requested(promise)
    route = Route(promise)
    route.announce()
    if isinstance(route.upstream, Upstream):
        _cancel_through(route, message, None)
        return True
    return _cancel_route(route, message, None)


def end(promise: Core, message: Any, already_cancelled: AlreadyCancelled | None = None) -> bool:
    """Cancel *promise* internally: an exception from `cancel()` of its upstream rejects it instead of being raised.

    Tasks in *already_cancelled* may be in the middle of their cleanup, and are skipped.
    """
    if promise._state != PENDING:
        return False
    tell_requested(promise)
    route = Route(promise)
    route.announce()
    if isinstance(route.upstream, Upstream):
        _cancel_through(route, message, already_cancelled)
        return True
    return _cancel_or_reject(route, message, already_cancelled)


def tell_requested(promise: State) -> None:
    """Tell the tracer of a request to end *promise*."""
    if promise._origin is not None:
        promise._origin.cancel_requested(promise)


def cancelled_error(message: Any) -> CancelledError:
    """Return the error that `Task.cancel(message)` would raise."""
    return CancelledError() if message is None else CancelledError(message)


def cancel_each(promises: Iterable[State], message: Any, already_cancelled: AlreadyCancelled | None = None) -> None:
    """Cancel each of *promises*, with its upstream; an error in one does not prevent the others."""
    _cancel_all([(None, iter(promises))], message, already_cancelled)


def _cancel_through(route: Route, message: Any, already_cancelled: AlreadyCancelled | None) -> None:
    """Cancel everything that an `Upstream` waits for."""
    sources = iter(route.upstream.cancel(message))
    _cancel_all([(route, sources)], message, already_cancelled)


def _cancel_all(
    stack: list[tuple[Route | None, Iterator[State]]], message: Any, already_cancelled: AlreadyCancelled | None
) -> None:
    """Cancel the promises on the *stack*, then each route that led to them and has nothing left to wait for.

    An upstream may lead to promises with upstreams of their own, 5,000 deep, so there is no recursion:

        several = Promise.all(Promise.race(work(), timer), other)
        several.cancel()    <-- cancels work(), timer and other; race settles after the first two, then all
    """
    while stack:
        below, sources = stack[-1]
        source: Any = next(sources, None)
        if source is None:
            # Everything that it led to was cancelled. If none of that is still running, the links below settle now.
            stack.pop()
            if below is not None and not below.upstream.is_cancelling():
                _interrupt(below.links, cancelled_error(message))
        elif source._state == PENDING:
            tell_requested(source)
            route = Route(source)
            route.announce()
            if isinstance(route.upstream, Upstream):
                stack.append((route, iter(route.upstream.cancel(message))))
            else:
                _cancel_or_reject(route, message, already_cancelled)


def _cancel_or_reject(route: Route, message: Any, already_cancelled: AlreadyCancelled | None) -> bool:
    top = route.links[-1]
    try:
        return _cancel_route(route, message, already_cancelled)
    except Exception as error:
        # A future that cannot be cancelled. The others must be cancelled all the same, and this one must settle.
        detach_future(top)
        reject(top, error)
        return True


def _cancel_route(route: Route, message: Any, already_cancelled: AlreadyCancelled | None) -> bool:
    """Cancel whatever the route leads to; return False if its first link already had its outcome."""
    links, upstream = route.links, route.upstream
    top = links[-1]
    # A Future may be done before its callback has run: its outcome stands, and is not cancelled.
    if isinstance(upstream, FUTURES):
        if not upstream.done() and (already_cancelled is None or not already_cancelled.includes(top)):
            upstream.cancel(msg=message)
        if not upstream.done():
            return True  # it runs its cleanup, whose outcome passes down as usual
        # It ended within cancel(), or just before: only the links below are still to be cancelled.
        links.pop()
        adopt_outcome(top, upstream)
        if not links:
            return top._state == CANCELLED
    elif route.store_at_first_step(message):
        return True
    _interrupt(links, cancelled_error(message))
    return True


def _interrupt(links: list[Core], error: CancelledError) -> None:
    """Cancel *links*, last first, down to one whose handler handles cancellation; remove them from the list.

    A link that was already queued leaves its source's rejection unhandled, unless the library handles the outcome
    of the first of *links*:

        Promise.map(urls, lambda url: Promise(fetch(url)).then(parse))    <-- two fail in one iteration:
                                                                              map() settles, and so does a then() that
                                                                              was about to handle the other
    """
    if links and links[0]._is_handled:
        source = links[-1]._upstream
        if isinstance(source, Upstream):  # a time limit or a shield between the two
            source = source.sole_source()
        if isinstance(source, Core):
            future = source._upstream
            if isinstance(future, FUTURES) and future.done():
                adopt_outcome(source, future)  # it ended in this iteration
            if source._state == REJECTED:
                mark_handled(source)
    # From the top down, so that each link sees the outcome of the one above it, or that there is none.
    while links:
        link = links.pop()
        queued = _detach(link)
        if type(link._handlers) is tuple and _may_catch(link, error):
            # Its handler is queued, with a cancelled source of its own; the links below wait for it.
            #
            #     work.finally_(close).then(report)    <-- close() is called, and report() never is
            link._upstream = settled(link._queue, CANCELLED, Cancellation(error))
            if not queued:
                link._queue.push(link)
            return
        link._handlers = None
        settle(link, CANCELLED, Cancellation(error))


def _may_catch(link: Core, error: CancelledError) -> bool:
    _, _, catches = link._handlers
    try:
        return is_caught(error, catches)
    except Exception:
        return True  # the link is rejected with that when it reacts


def _detach(promise: Core) -> bool:
    """Detach *promise* from its upstream; return whether it was already queued."""
    upstream, promise._upstream = promise._upstream, None
    if isinstance(upstream, Core):
        withdraw(upstream, promise)
        return upstream._state != PENDING
    if isinstance(upstream, PassThrough):
        upstream.detach()
    return False


class PassThrough(Upstream):
    """An upstream between a promise and its source, which lets a request pass like a link, and counts it."""

    __slots__ = ("requests", "source", "target")

    requests: int  # how many came from below
    source: Core
    target: Core

    def sole_source(self) -> Core | None:
        return self.source

    def detach(self) -> None:
        """Stop being a consumer of the source."""
        withdraw(self.source, self)


class Shield(Upstream):
    """The upstream of a shielded promise: it passes the outcome down, but no cancellation up."""

    __slots__ = ("source", "target")

    def __init__(self, source: Core, target: Core) -> None:
        self.source = source
        self.target = target

    def __repr__(self) -> str:
        return ".shield()"

    def sole_source(self) -> Core:
        return self.source

    def cancel(self, message: Any) -> tuple[()]:
        # Nothing above is cancelled, and is_cancelling() says that there is nothing to wait for: it is cancelled
        # immediately.
        withdraw(self.source, self)
        return ()

    def _react(self) -> None:
        if self.target._upstream is self:
            adopt_state(self.target, self.source)
