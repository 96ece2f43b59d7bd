"""The ``await`` of a promise.

Each `await` of a pending promise waits through an `Awaiter` of its own, so that cancelling a Task removes one
consumer, instead of cancelling the promise for all.
"""

import asyncio
from asyncio import CancelledError
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from aiopromise._engine.cancellation import AlreadyCancelled, Route, cancelled_error, end, tell_requested
from aiopromise._engine.core import Core
from aiopromise._engine.primitives import copy_context, new, run_in, stop_iteration
from aiopromise._engine.queue import Queue, Reaction
from aiopromise._engine.rings import end_rings
from aiopromise._engine.state import has_only, subscribe, withdraw
from aiopromise._engine.state_codes import FULFILLED, PENDING

__all__ = ["wait", "wait_for_end"]


# Each cancelled Task cancels the next within its own cancel(); beyond this depth it is left to a later iteration.
_DEEPEST: Final = 100

# The progress of a cancellation of the awaiting Task.
_NONE: Final = 0  # there is none, or it was passed on and the Task gets its effect; must be false
_PASSING_ON: Final = 1  # it is being passed on
_ROUND: Final = 2  # it is being passed on, and has come back here: a cycle
_GAVE_UP: Final = 3  # it had no effect: the Task stops waiting


class Awaiter(Reaction):
    """One ``await`` of a pending promise: the future-like object that the Task waits for.

    It is its own iterator, not a generator, which would add a frame to every traceback between the `await` and the
    failure.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_promise", "_request", "_stage", "_wakeup")

    _promise: Core
    _asyncio_future_blocking: bool
    # What the Task gets if its cancellation has no effect; None if it was not cancelled during this wait.
    _request: CancelledError | None
    _stage: int
    _wakeup: Any  # the function that resumes the Task; None before it is known, and once it was called
    _context: Any  # set with the wakeup

    def __iter__(self) -> "Awaiter":
        return self

    def __next__(self) -> "Awaiter":
        promise = self._promise
        if promise._state == FULFILLED:
            stop_iteration(promise._value)
            raise StopIteration  # see there
        if promise._state != PENDING:
            raise promise._value.retrieve(promise)
        if self._wakeup is not None:
            raise RuntimeError(f"await of {promise!r} was resumed by something other than its Task")
        self._asyncio_future_blocking = True
        return self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._promise._queue.loop

    def add_done_callback(self, wakeup: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Register the Task's wakeup, and become a consumer of the promise."""
        self._wakeup = wakeup
        self._context = copy_context() if context is None else context
        subscribe(self._promise, self)

    def cancel(self, msg: Any = None) -> bool:
        """Stop waiting, and cancel the promise itself if it has no other consumer.

        Two Tasks that await the same promise:

            one = create_task(wait_for(promise))
            two = create_task(wait_for(promise))
            one.cancel()                          <-- one ends, the promise's work continues
            two.cancel()                          <-- the work is cancelled, and two waits for its cleanup

        Ctrl-C cancels a Task from a signal handler, which may interrupt this library at any point. So promises are
        changed only in a later loop iteration. If the Task is woken before that, it gets the error, and the outcome
        stays available to others.
        """
        if self._wakeup is None:
            return False  # the Task is being woken, and will see the request itself
        if self._stage != _NONE:
            if self._stage == _PASSING_ON:
                self._stage = _ROUND
            return True
        self._request = cancelled_error(msg)
        self._stage = _PASSING_ON
        queue = self._promise._queue
        if queue.cancel_depth >= _DEEPEST or not has_only(self._promise, self):
            self._withdraw_later(msg, [], None)
            return True
        # Within this call, so that asyncio.run(), which cancels one Task after another, is one request to all of them.
        queue.cancel_depth += 1
        try:
            self._pass_on(msg)
        finally:
            queue.cancel_depth -= 1
        return True

    def _pass_on(self, message: Any) -> None:
        """Cancel what the request reaches now, so that it is one with the requests of others, as of asyncio.run().

        background = create_task(wait_for(Promise.all(work(), more())))
        asyncio.run() cancels the Tasks of background, work() and more(), in any order
        """
        route = Route(self._promise)
        route.announce()
        if route.store_at_first_step(message):
            tell_requested(self._promise)
            self._stage = _NONE  # the Task gets the effect of the request
            return
        task = route.task()
        tasks = route.tasks() if task is None else [task]
        if task is None:
            handle = self._withdraw_later(message, tasks, route)  # which requests it
        else:
            handle = None
            tell_requested(self._promise)
        for one in tasks:
            one.cancel(message)
        if self._has_come_round():
            # Tasks that await each other: the request has come full circle, and ends here.
            if handle is not None:
                handle.cancel()
            self._later(_give_up)
        elif task is not None:
            self._stage = _NONE  # the Task gets the effect of the request

    def _has_come_round(self) -> bool:
        return self._stage == _ROUND

    def _withdraw_later(
        self, message: Any, cancelled: "list[asyncio.Future[Any]]", route: Route | None
    ) -> asyncio.Handle:
        queue = self._promise._queue
        return self._later(_withdraw, message, AlreadyCancelled(queue, cancelled, queue.current_run()), route)

    def _later(self, step: Callable[..., None], *arguments: Any) -> asyncio.Handle:
        queue = self._promise._queue
        return queue.loop.call_soon(step, self, *arguments, context=Context())

    def _react(self) -> None:
        context, wakeup = self._context, self._wakeup
        self._wakeup = None  # from now on no request can reach it
        # The Task calls result() of whatever it is woken with. If that raises, the error is thrown into the
        # coroutine; otherwise the coroutine continues, and takes the value from __next__().
        answer = self._promise._queue.go_on if not self._stage and self._promise._state == FULFILLED else self._failed()
        try:
            run_in(context, wakeup, answer)
        finally:
            # If the Task raises, the traceback includes this frame.
            del self, answer, context, wakeup  # breaks a reference cycle

    def _failed(self) -> "asyncio.Future[Any]":
        promise = self._promise
        if self._stage == _NONE or self._request is None:
            return _failed_future(promise, promise._value.retrieve(promise))
        return _failed_future(promise, self._request)

    def _aiopromise_sources(self) -> tuple[Core, ...]:
        """Return the promise, if a cancellation was or will be passed on to it."""
        return () if self._request is None or self._stage == _GAVE_UP else (self._promise,)

    def __repr__(self) -> str:
        return repr(self._promise)


# Functions, because asyncio reports slow callbacks by name.


def _withdraw(awaiter: Awaiter, message: Any, already_cancelled: AlreadyCancelled, route: Route | None) -> None:
    if route is not None:
        route.retract()  # it comes now; or not at all, if the promise has got another consumer since
    if awaiter._stage == _GAVE_UP:
        return
    awaiter._stage = _PASSING_ON  # a second cancellation is not a cycle
    promise = awaiter._promise
    # Checked last: while end() passes the request on, it may come back here.
    if has_only(promise, awaiter) and end(promise, message, already_cancelled) and not awaiter._has_come_round():
        awaiter._stage = _NONE  # the Task gets the effect of the request
        if promise._state == PENDING:
            _break_if_in_ring(awaiter)
    else:
        _give_up(awaiter)


def _give_up(awaiter: Awaiter) -> None:
    promise = awaiter._promise
    if promise._state == PENDING and awaiter._stage != _GAVE_UP:
        awaiter._stage = _GAVE_UP
        withdraw(promise, awaiter)
        promise._queue.push(awaiter)


def _break_if_in_ring(awaiter: Awaiter) -> None:
    """In the next iteration, make *awaiter* stop waiting if it waits for itself, directly or through others."""
    queue = awaiter._promise._queue
    if not queue.cancelled_awaiters:
        queue.loop.call_soon(_end_rings, queue, context=Context())
    queue.cancelled_awaiters.append(awaiter)


def _end_rings(queue: Queue) -> None:
    """Break each cycle of awaiters that wait for the effect of their own cancellation: one of each gives up.

    The request may not have come full circle: Tasks already cancelled are skipped, and a request through more than
    a hundred Tasks continues in later iterations.

        two Tasks await the promises of each other, a third one that of the first;
        asyncio.run() cancels all three, and each of the two finds the other cancelled, as if it were in its cleanup
    """
    cancelled_awaiters, queue.cancelled_awaiters = queue.cancelled_awaiters, []
    end_rings(cancelled_awaiters, _can_give_up, _give_up)


def _can_give_up(one: object) -> bool:
    return type(one) is Awaiter and one._stage == _NONE


def _failed_future(promise: Core, reason: BaseException) -> "asyncio.Future[Any]":
    """Return a Future that raises *reason*: being in C, it adds no frame to the traceback."""
    future: asyncio.Future[Any] = asyncio.Future(loop=promise._queue.loop)
    future.set_exception(reason)
    return future


def wait(promise: Core) -> Any:
    """Return the iterator for `await` of *promise*, which is not fulfilled."""
    # A failed Future raises immediately, and in C: the traceback leads from the line that awaits straight to the
    # line that failed.
    if promise._state != PENDING:
        return _failed_future(promise, promise._value.retrieve(promise)).__await__()
    if promise._upstream is not None and _is_result_of(promise, asyncio.current_task()):
        raise RuntimeError(f"a Task cannot await its own promise: {promise!r}")
    awaiter: Awaiter = new(Awaiter)
    awaiter._promise = promise
    awaiter._asyncio_future_blocking = False
    awaiter._request = None
    awaiter._stage = _NONE
    awaiter._wakeup = None
    return awaiter


def wait_for_end(promise: Core) -> Any:
    """Return the iterator for `await` of *promise*, which has been cancelled because its awaiter was.

    If that is what it waits for, through any number of promises, the wait ends with a `CancelledError`.
    """
    iterator = wait(promise)
    if type(iterator) is Awaiter:
        iterator._request = cancelled_error(None)
        _break_if_in_ring(iterator)
    return iterator


def _is_result_of(promise: Core, task: "asyncio.Task[Any] | None") -> bool:
    upstream = promise._upstream
    return upstream is task or (task is not None and upstream is task.get_coro())
