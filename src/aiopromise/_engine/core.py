"""How a promise settles, how it reacts to the outcome of another, and how it follows one."""

import asyncio
from asyncio import CancelledError
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import CoroutineType, FrameType
from typing import Any, Final, TypeVar, cast

from aiopromise._engine import coroutines
from aiopromise._engine.apart import apart
from aiopromise._engine.coroutines import TapCoroutine, as_cleanup, as_coroutine
from aiopromise._engine.primitives import copy_context, new, run_in
from aiopromise._engine.state import State, Types, Upstream, is_awaited_by, subscribe
from aiopromise._engine.state_codes import CANCELLED, FULFILLED, PENDING, REJECTED
from aiopromise._engine.tasks import (
    FUTURES,
    GATHERING,
    TASKS,
    Outcome,
    cancel_requested,
    is_awaitable,
    name_of,
    new_task,
    start,
)
from aiopromise._errors import close_refused, foreign_loop, is_ours, short, traceback_of, waits_for_itself
from aiopromise._unhandled import Cancellation, Rejection, listeners

__all__ = [
    "Core",
    "adopt_outcome",
    "adopt_state",
    "call",
    "detach_future",
    "fulfil_or_follow",
    "is_caught",
    "link",
    "mark_handled",
    "mark_propagated",
    "must_propagate",
    "reject",
    "reject_caught",
    "reject_raised",
    "resolve_with",
    "settle",
    "settle_with",
    "start_or_follow",
    "without_our_frames",
]


# Looked up once, as a link is short.
_Future: Final = asyncio.Future
_Task: Final = asyncio.Task

# Generators and coroutines may have been resumed since; clearing the frame would close them.
_IS_GENERATOR: Final = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR


def without_our_frames(error: BaseException) -> BaseException:
    """Trim the traceback of *error* to start in the user's code, and release the frames before it."""
    # Only the start is cut: frames between two user frames show how one led to the other.
    frames = first = traceback_of(error)
    while frames is not None and is_ours(frames.tb_frame):
        # The user's frame keeps its caller alive. The first frame caught the error, and is still running.
        if frames is not first and not frames.tb_frame.f_code.co_flags & _IS_GENERATOR:
            _empty(frames.tb_frame)
        frames = frames.tb_next
    # Not `error.__traceback__ =`, which an exception that is a frozen dataclass refuses; nor a method of its own.
    return BaseException.with_traceback(error, frames)


def _empty(frame: FrameType) -> None:
    with suppress(RuntimeError):  # it is still running
        frame.clear()


def is_caught(reason: BaseException, types: Types) -> bool:
    """Return whether *reason* matches *types*: by class, as `except` does, or by a metaclass's `__instancecheck__`."""
    if issubclass(type(reason), types):
        return True
    if type(types) is tuple:
        return any(type(one) is not type and isinstance(reason, one) for one in types)
    return type(types) is not type and isinstance(reason, types)


def settle(promise: State, state: int, value: Any) -> None:
    """Settle *promise* and queue its consumers; *value* is the value, the Rejection or the Cancellation."""
    # Invariant: a promise leaves PENDING here and nowhere else (`settled()` makes one that nobody has seen pending), so
    # it settles once, and the caller has seen it pending. The outcome is complete before the first reaction is pushed,
    # and none of them runs in here.
    promise._value = value  # before the state, which another thread may be looking at
    promise._state = state
    promise._upstream = None
    reactions = promise._reactions
    if reactions is not None:
        promise._reactions = None
        if type(reactions) is dict:
            promise._queue.extend(reactions)
        else:
            promise._queue.push(reactions)
    if promise._origin is not None:
        promise._origin.settled(promise)


def adopt_state(promise: State, source: State) -> None:
    """Settle like *source*, and take over responsibility for its reason."""
    if source._state == REJECTED:
        # Responsibility moves to *promise*: if that is dropped it is reported, and the source is not.
        reason = source._value.retrieve(source)
        reject(promise, reason)
        if promise._origin is not None and promise._origin.follows:
            promise._origin.add_note(reason)
        if source._value.propagated:
            mark_propagated(promise)
    else:
        settle(promise, source._state, source._value)


def settle_with(promise: State, outcome: Outcome) -> None:
    """Settle with *outcome* as is, following nothing."""
    if outcome.fulfilled:
        settle(promise, FULFILLED, outcome.value)
    else:
        reject(promise, outcome.value)


def reject(promise: State, reason: BaseException) -> None:
    """Reject *promise*, or cancel it if *reason* is a `CancelledError`.

    Like `except`, this runs no code of the exception, which may fail, not even `__class__`.
    """
    # A cancellation is not a rejection: it need not be handled, and is not reported.
    kind = type(reason)
    if issubclass(kind, CancelledError):
        settle(promise, CANCELLED, Cancellation(reason))
        return
    if issubclass(kind, StopIteration):
        # No coroutine can raise it: it would look like a return (PEP 479).
        error = RuntimeError(f"a promise cannot be rejected with {short(reason)}")
        error.__cause__ = reason
        reason = error
    rejection = Rejection(reason, None if promise._is_handled else promise._queue.loop, promise._origin)
    if not promise._is_handled and (listeners or _observes_rejections(promise)):
        promise._queue.track_unhandled(promise, rejection)
    settle(promise, REJECTED, rejection)


def _observes_rejections(promise: State) -> bool:
    return promise._origin is not None and promise._origin.observes_rejections()


def reject_raised(promise: State, error: BaseException) -> None:
    """Reject with what a handler raised, with a traceback that starts in the handler."""
    # It is not pending if the handler cancelled its own promise, and failed after that.
    was_pending = promise._state == PENDING
    if was_pending:
        reject(promise, without_our_frames(error))
    if promise._origin is not None:
        promise._origin.add_note(error)
    if not was_pending:
        message = "a handler failed after cancelling its own promise"
        promise._queue.loop.call_exception_handler({"message": message, "exception": without_our_frames(error)})


def must_propagate(error: BaseException) -> bool:
    """Return whether *error* must propagate out of the loop, as from a Task."""
    return issubclass(type(error), (KeyboardInterrupt, SystemExit))


def reject_caught(promise: State, error: BaseException) -> bool:
    """Reject with *error*; return True if it must also propagate out of the loop."""
    reject_raised(promise, error)
    if not must_propagate(error):
        return False
    mark_propagated(promise)
    return True


def mark_propagated(promise: State) -> None:
    """Mark the reason, a KeyboardInterrupt or SystemExit, as propagated out of the loop."""
    if promise._state == REJECTED:
        promise._value.mark_propagated()


def mark_handled(promise: State) -> None:
    """Mark any rejection of *promise* as handled, past or future."""
    promise._is_handled = True
    if promise._state == REJECTED:
        promise._value.retrieve(promise)


CoreT = TypeVar("CoreT", bound="Core")


class Core(State):
    """A promise that reacts: to another promise, and as a future's done callback."""

    __slots__ = ()

    def _react(self) -> None:
        """Call the handler for the upstream's outcome, and settle with its result."""
        if self._state != PENDING:
            return  # cancelled while it was in the queue
        # Invariant: a link that is still pending when it reacts has a settled upstream.
        source: Core = self._upstream
        handler: Any = self._handlers
        argument: Any = source._value
        context = self._value
        cleanup = False
        try:
            if type(handler) is tuple:
                handler, argument, cleanup = _chosen(handler, source)
            elif source._state != FULFILLED:
                handler = None  # the one there is, if any, is for a value
            # From here it has no upstream: a handler that cancels its own promise settles it at once, and its
            # result is discarded.
            self._upstream = self._handlers = self._value = None
            if handler is None:
                adopt_state(self, source)
                return
            if cleanup:
                self._queue.is_in_cleanup = True
            try:
                result = (
                    run_in(context, handler, argument)
                    if self._origin is None
                    else self._origin.run(self, handler, argument, context)
                )
            finally:
                if cleanup:
                    self._queue.is_in_cleanup = False
        except BaseException as error:
            propagates = reject_caught(self, error)
            # The traceback refers to this frame, and would make a cycle of the promise and its reason.
            del self, source, argument, handler, context  # breaks a reference cycle
            if propagates:
                raise
            return
        kind = type(result)
        # The most common answers; by identity, as a metaclass may not support == or hash().
        if (result is None or kind is str or kind is int or kind is list or kind is dict or kind is bool) and (
            self._state == PENDING
        ):
            settle(self, FULFILLED, result)
        else:
            resolve_with(self, result, handler, context, cleanup)
            del self, source, argument, handler, context, result  # breaks a reference cycle

    def _aiopromise_sources(self) -> Sequence[Any]:
        """Return what this waits for, for `end_rings()`: of several promises, those that would be cancelled with it."""
        if self._state != PENDING:
            return ()
        upstream = self._upstream
        if not isinstance(upstream, Upstream):
            return (upstream,)
        source = upstream.sole_source()
        return upstream.exclusive_sources() if source is None else (source,)

    def _on_done(self, future: "asyncio.Future[Any]") -> None:
        """Done callback of the upstream."""
        # Also called if the promise has detached since: a scheduled callback is not withdrawn.
        queue = self._queue
        queue.running.discard(self)
        queue.cleanups.discard(self)
        if self._upstream is future:
            # The handlers run in this loop iteration, and not in the next one:
            #
            #     await Promise(read()).then(parse).then(store)    <-- read() ends: parse and store run immediately
            queue.hold()
            try:
                adopt_outcome(self, future)
            finally:
                # If a Task resumed by this drain fails, its traceback includes this frame.
                del self, future  # breaks a reference cycle
                queue.flush(0)


def _chosen(handlers: tuple[Any, Any, Any], source: State) -> tuple[Any, Any, bool]:
    """Return the one of *handlers* for the outcome of *source*, or None; its argument; and whether it is a cleanup."""
    on_fulfilled, on_rejected, catches = handlers
    # The loop's shutdown has to wait for handlers of a cancellation, and for every finally_().
    cleanup = source._state == CANCELLED or catches is BaseException
    if source._state == FULFILLED:
        return on_fulfilled, source._value, cleanup
    reason = source._value.reason
    if issubclass(type(reason), catches) or is_caught(reason, catches):
        return on_rejected, source._value.retrieve(source), cleanup
    return None, None, cleanup


def link(
    promise: CoreT,
    method: str,
    on_fulfilled: Callable[[Any], Any] | None,
    on_rejected: Callable[[Any], Any] | None,
    catches: Types = Exception,
) -> CoreT:
    """Return a child whose handlers get the outcome of *promise*; *method* is the one the user called."""
    queue = promise._queue
    child: CoreT = new(queue.promise_class)
    # Like begin(), without the call.
    child._state = PENDING
    child._value = copy_context()
    child._queue = queue
    child._reactions = None
    child._upstream = promise
    child._handlers = on_fulfilled if on_rejected is None else (on_fulfilled, on_rejected, catches)
    child._is_handled = False
    child._origin = queue.tracer.trace(child, method, promise) if queue.traced else None
    subscribe(promise, child, method)
    return child


def call(promise: Core, handler: Callable[[Any], Any], argument: Any, context: Context) -> None:
    """Settle *promise*, which has no upstream, with ``handler(argument)``."""
    try:
        result = (
            run_in(context, handler, argument)
            if promise._origin is None
            else promise._origin.run(promise, handler, argument, context)
        )
    except BaseException as error:
        propagates = reject_caught(promise, error)
        # As in _react().
        del promise, handler, argument, context  # breaks a reference cycle
        if propagates:
            raise
        return
    resolve_with(promise, result, handler, context)
    del promise, handler, argument, context, result  # breaks a reference cycle


def resolve_with(
    promise: Core, value: Any, handler: Any = None, context: Context | None = None, cleanup: bool = False
) -> None:
    """Fulfil with *value*, as returned by *handler*, or if it is awaitable, settle as ``await value`` does.

    If anything fails on the way, in a method of the value or the task factory, *promise* is rejected with that.
    """
    # By identity or issubclass(), the most common first: isinstance() may run the value's own code.
    kind = type(value)
    try:
        if promise._state != PENDING:
            close_refused(value)
        elif kind is CoroutineType:
            _run(promise, value, handler, context, cleanup)
        elif issubclass(kind, Core):
            _resolve_with_promise(promise, value, handler, context, cleanup)
        elif kind is Outcome:
            settle_with(promise, value)
        elif not is_awaitable(value):
            settle(promise, FULFILLED, value)
        elif issubclass(kind, FUTURES):
            # The methods of any other class may be the user's.
            follow = _resolve_with_future if kind is _Future or kind is _Task else _resolve_apart
            follow(promise, value, handler, context, cleanup)
        elif kind is TapCoroutine and _waits_for(value.awaited, promise):
            _settle_at_once(promise, value)
        else:
            _resolve_with_awaitable(promise, value, handler, context, cleanup)
    except BaseException as error:
        if reject_caught(promise, error):
            raise
    finally:
        del promise, value, handler, context  # breaks a reference cycle


def _resolve_with_promise(promise: Core, other: Core, handler: Any, context: Context | None, cleanup: bool) -> None:
    if promise._origin is not None:
        promise._origin.follows = True
    if is_awaited_by(promise, other):
        reject(promise, waits_for_itself(promise))
    elif other._state != PENDING:
        adopt_state(promise, other)
    elif other._queue.loop is not promise._queue.loop:  # not the queues: a second copy of the library has its own
        reject(promise, foreign_loop(other, promise._queue.loop))
    elif cleanup:
        # A Task waits for it, so that the loop's shutdown sees a cleanup to wait for.
        _run(promise, as_coroutine(other), handler, context, cleanup)
    else:
        # Like a link, but without handlers, so that a request climbs through both.
        promise._upstream = other
        subscribe(other, promise)


def _resolve_with_future(
    promise: Core, future: "asyncio.Future[Any]", handler: Any, context: Context | None, cleanup: bool
) -> None:
    try:
        if future.done():
            adopt_outcome(promise, future)
        elif _waits_for(future, promise):
            _answer_for(future)
            reject(promise, waits_for_itself(promise))
        elif future.get_loop() is not promise._queue.loop:
            reject(promise, foreign_loop(future, promise._queue.loop))
        elif cleanup:
            _run(promise, as_coroutine(future), handler, context, cleanup)
        elif isinstance(future, TASKS):
            follow_future(promise, future, promise._queue.running)
        else:
            follow_future(promise, future, None)
    finally:
        del promise  # breaks a reference cycle


def _resolve_apart(*arguments: Any) -> None:
    apart(_resolve_with_future, *arguments)


def _waits_for(awaitable: Any, promise: Core) -> bool:
    """Return whether *awaitable*, a promise or an `asyncio.gather()`, waits for *promise*."""
    gathered = [awaitable]
    for one in gathered:  # which grows
        if type(one) is GATHERING:
            gathered.extend(one._children)
        elif issubclass(type(one), Core) and is_awaited_by(promise, one):
            return True
    return False


def _settle_at_once(promise: Core, tap: TapCoroutine) -> None:
    """Settle with the tap's outcome immediately, as its effect would wait for *promise* itself."""
    tap.close()
    if tap.awaited is not promise:
        _answer_for(tap.awaited)
    settle_with(promise, cast(Outcome, tap.outcome))


def _answer_for(waiting: Any) -> None:
    """Suppress the report of *waiting*, which waits for the very promise that it would settle."""
    if issubclass(type(waiting), Core):
        mark_handled(waiting)
    else:
        waiting.add_done_callback(_retrieve)


def _retrieve(future: "asyncio.Future[Any]") -> None:
    """Retrieve the exception of *future*, so that asyncio does not report it."""
    if not future.cancelled():
        future.exception()


def _resolve_with_awaitable(promise: Core, value: Any, handler: Any, context: Context | None, cleanup: bool) -> None:
    try:
        if cleanup or not coroutines.follow_thenable(promise, value, context):
            _run(promise, as_coroutine(value), handler, context, cleanup)
    finally:
        del promise, value  # breaks a reference cycle


def _run(promise: Core, coroutine: Any, handler: Any, context: Context | None, cleanup: bool) -> None:
    """Run *coroutine* as a Task, and settle *promise* with its outcome."""
    queue = promise._queue
    if context is None:
        context = copy_context()
    if cleanup or queue.is_in_cleanup:
        coroutine = as_cleanup(coroutine, queue)
    # During the first step the Task has not been returned yet, and a request is stored in early_requests.
    #
    #     async def handler(value):
    #         promise.cancel()      <-- here there is no Task to cancel
    #         await fetch(value)    <-- it is cancelled when it gets here
    promise._upstream = coroutine
    if cleanup:
        queue.is_in_cleanup = True  # the first step is part of it
    try:
        if handler is None:
            # Called from user code, which may have a name for the promise.
            task = apart(start, queue.loop, coroutine, "resolve", context)
        else:
            task = start(queue.loop, coroutine, name_of(handler), context)
    except BaseException:
        queue.early_requests.pop(promise, None)
        _close(coroutine, queue.loop)
        raise
    finally:
        if cleanup:
            queue.is_in_cleanup = False
    promise._upstream = task  # first, so that a request from a signal handler right now is not lost
    request = queue.early_requests.pop(promise, None) if queue.early_requests else None
    if task.done():
        if request is None or task.cancelled() or task.exception() is not None:
            adopt_outcome(promise, task)
        else:
            reject(promise, request)  # it cancelled its own promise: its result is discarded
    else:
        follow_future(promise, task, queue.cleanups if cleanup else queue.running)
        if request is not None:
            task.cancel(*request.args)
    # If an eager Task failed, its traceback includes this frame.
    del promise, coroutine, handler, context, queue, task  # breaks a reference cycle


def _close(coroutine: Any, loop: asyncio.AbstractEventLoop) -> None:
    try:
        coroutine.close()
    except Exception as error:
        # The promise is rejected with the reason why no Task was made.
        loop.call_exception_handler({"message": f"{short(coroutine)} could not be closed", "exception": error})


def follow_future(promise: Core, future: "asyncio.Future[Any]", keep: Any) -> None:
    """Follow *future*, and hold *promise* in the set *keep*; if that is None, the loop cancels it at its end."""
    # Set first: a user's Future class may call back within add_done_callback().
    promise._upstream = future
    if keep is None:
        promise._queue.watch(promise)
    else:
        # The loop holds its Tasks only weakly, and nothing holds the promise: the set holds both until the Task ends.
        keep.add(promise)
    try:
        future.add_done_callback(promise._on_done, context=Context())
    except BaseException:
        if keep is not None:
            keep.discard(promise)
        raise


def fulfil_or_follow(promise: Core, value: Any) -> None:
    """Fulfil a new *promise* with *value*, or make it follow that if it is awaitable."""
    try:
        follows = is_awaitable(value)
    except BaseException as error:
        if reject_caught(promise, error):
            raise
    else:
        if follows:
            start_or_follow(promise, value)
        else:
            settle(promise, FULFILLED, value)


def start_or_follow(promise: Core, awaitable: Any) -> None:
    """Make a new *promise* follow *awaitable*; a coroutine becomes a Task, as by `asyncio.create_task`."""
    kind, queue = type(awaitable), promise._queue
    if kind is not CoroutineType:
        if issubclass(kind, Core) or issubclass(kind, FUTURES):
            resolve_with(promise, awaitable)
            return
        if coroutines.follow_thenable(promise, awaitable, None):
            return
    coroutine = awaitable if kind is CoroutineType else as_coroutine(awaitable)
    if queue.is_in_cleanup:
        coroutine = as_cleanup(coroutine, queue)
    if promise._origin is not None:
        promise._origin.name = awaitable.__name__ if kind is CoroutineType else name_of(awaitable)
    # Unlike the result of a handler it is not started eagerly: Promise(coroutine) is create_task(coroutine).
    try:
        task = new_task(queue.loop, coroutine)
    except BaseException:
        coroutine.close()
        raise
    try:
        if task.done():
            adopt_outcome(promise, task)
        else:
            follow_future(promise, task, queue.running)
    except BaseException as error:
        if reject_caught(promise, error):
            raise


def detach_future(promise: Core) -> None:
    """Stop following the future, and remove the done callback."""
    future = promise._upstream
    if isinstance(future, FUTURES):
        # First our own state, then a method that may be the user's, and may raise.
        queue = promise._queue
        queue.running.discard(promise)
        promise._upstream = None
        try:
            future.remove_done_callback(promise._on_done)
        except Exception as error:
            # Nobody waits for this: the outcome of the future is ignored from now on.
            report = {"message": f"could not remove a done callback from {short(future)}", "exception": error}
            queue.loop.call_exception_handler(report)


def adopt_outcome(promise: Core, future: "asyncio.Future[Any]") -> None:
    """Settle *promise* like *future*, which is done."""
    try:
        value = future.result()
    except BaseException as error:
        reject_raised(promise, error)
        # A Task has also raised it out of the loop; a plain Future has only stored it.
        if must_propagate(error) and isinstance(future, TASKS):
            mark_propagated(promise)
        if promise._state == REJECTED and cancel_requested(future):
            promise._value.from_cancelled_task = True
        del promise  # breaks a reference cycle
    else:
        if type(value) is Outcome:
            settle_with(promise, value)
        else:
            settle(promise, FULFILLED, value)
