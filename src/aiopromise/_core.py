"""How a promise settles, and how it follows another to its outcome."""

import asyncio
from asyncio import CancelledError
from collections.abc import Callable
from contextvars import Context, copy_context
from types import CoroutineType, NoneType, TracebackType
from typing import Any, Self, final

from aiopromise._errors import close_refused, foreign_loop, short, waits_for_itself
from aiopromise._handler import Exactly, as_coroutine, is_awaitable, name_of, start
from aiopromise._rejection import Cancellation, Rejection, listeners
from aiopromise._state import CANCELLED, FULFILLED, PENDING, REJECTED, State, Tie, Types, new, trace

__all__ = ["Core", "Starting", "cancelled_error", "without_our_frames"]


@final
class Starting(Tie):
    """The upstream while an eager Task takes its first step, before anybody has the Task."""

    __slots__ = ("coroutine", "request")

    def __init__(self, coroutine: object) -> None:
        self.coroutine = coroutine
        self.request: CancelledError | None = None

    def stop(self, promise: State, message: Any) -> bool:
        self.request = cancelled_error(message)
        return True


def without_our_frames(error: BaseException) -> BaseException:
    """Let the traceback of *error* begin in the user's code."""
    frames = error.__traceback__
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    # Not `error.__traceback__ =`, which an exception that is a frozen dataclass refuses.
    return error.with_traceback(frames)


def _is_ours(frames: TracebackType) -> bool:
    module = frames.tb_frame.f_globals.get("__name__")
    return isinstance(module, str) and module.rpartition(".")[0] == "aiopromise"


def cancelled_error(message: Any) -> CancelledError:
    """Return the error that `Task.cancel(message)` would raise."""
    return CancelledError() if message is None else CancelledError(message)


class Core(State):
    """A promise that settles, calls its handlers and follows what they return."""

    __slots__ = ()

    def _link(
        self,
        on_fulfilled: Callable[[Any], Any] | None,
        on_rejected: Callable[[Any], Any] | None,
        catches: Types = Exception,
    ) -> Self:
        """Return a child whose handlers are called with the outcome of this promise."""
        queue = self._queue
        child = new(type(self))
        child._state = PENDING
        child._value = None
        child._queue = queue
        child._reactions = None
        child._upstream = self
        child._on_fulfilled = on_fulfilled
        child._on_rejected = on_rejected
        child._catches = catches
        child._context = copy_context()
        child._origin = trace(child) if queue.traced else None
        self._subscribe(child)
        return child

    def _react(self) -> None:
        """Call the handler that the outcome of the upstream asks for, and settle with what it makes of it."""
        if self._state != PENDING:
            return  # cancelled while it was in the queue
        source = self._upstream
        handler: Any = None
        argument: Any = None
        context = self._context
        try:
            if source._state == FULFILLED:
                handler = self._on_fulfilled
                argument = source._value
            elif self._on_rejected is not None and isinstance(source._value.reason, self._catches):
                handler = self._on_rejected
                argument = source._value.take(source)
            self._upstream = self._on_fulfilled = self._on_rejected = self._context = None
            if handler is None:
                self._settle_like(source)
                return
            result = context.run(handler, argument)
        except BaseException as error:
            self._raised(error)
            # The traceback refers to this frame, and would make a cycle of the promise and its reason.
            del self, source, argument, handler, context
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return
        kind = type(result)
        # The most common answers; told by identity, for a metaclass may be unable to compare or to hash.
        if (kind is NoneType or kind is str or kind is int or kind is list or kind is dict or kind is bool) and (
            self._state == PENDING
        ):
            self._settle(FULFILLED, result)
        else:
            # What the end of the loop has to wait for: the answer to a cancellation, and every finally_().
            cleanup = source._state == CANCELLED or self._catches is BaseException
            self._resolve(result, name_of(handler), context, cleanup)
            del self, source, argument, handler, context, result

    # --------------------------------------------------------------- settling

    def _settle(self, state: int, value: Any) -> None:
        self._state = state
        self._value = value
        self._upstream = None
        reactions = self._reactions
        if reactions is not None:
            self._reactions = None
            if type(reactions) is dict:
                self._queue.extend(reactions)
            else:
                self._queue.push(reactions)

    def _settle_like(self, source: "Core") -> None:
        if source._state == REJECTED:
            reason = source._value.take(source)
            if self._origin is not None and self._origin.follows:
                self._origin.add_note(reason)
            self._fail(reason)
        else:
            self._settle(source._state, source._value)

    def _fail(self, reason: BaseException) -> None:
        """Reject, or be cancelled if that is what *reason* says."""
        if isinstance(reason, CancelledError):
            self._settle(CANCELLED, Cancellation(reason))
            return
        if isinstance(reason, StopIteration):
            # No coroutine can raise it: it would look like a return (PEP 479).
            error = RuntimeError(f"a promise cannot be rejected with {short(reason)}")
            error.__cause__ = reason
            reason = error
        # These two have left the loop already; whoever stopped it knows of them.
        loud = not isinstance(reason, KeyboardInterrupt | SystemExit)
        rejection = Rejection(reason, self._queue.loop if loud else None, self._origin)
        if loud and listeners:
            self._queue.suspect(self, rejection)
        self._settle(REJECTED, rejection)

    def _raised(self, error: BaseException) -> None:
        """Reject with what a handler raised; its traceback begins in the handler."""
        if self._origin is not None:
            self._origin.add_note(error)
        if self._state == PENDING:
            self._fail(without_our_frames(error))
        else:
            message = "a handler failed after it had cancelled its own promise"
            self._queue.loop.call_exception_handler({"message": message, "exception": without_our_frames(error)})

    # -------------------------------------------------------------- following

    def _resolve(
        self, value: Any, name: str = "resolve", context: Context | None = None, cleanup: bool = False
    ) -> None:
        """Fulfil with *value*, or follow it to what ``await value`` gives."""
        kind = type(value)
        if self._state != PENDING:
            close_refused(value)
        elif kind is CoroutineType:
            self._start(value, name, context if context is not None else copy_context(), cleanup)
            del self, value
        elif issubclass(kind, Core):
            self._follow_promise(value)
        elif kind is Exactly:
            self._settle_exactly(value)
        elif issubclass(kind, asyncio.Future):
            self._follow_future(value)
        elif is_awaitable(value):
            self._start(value, name, context if context is not None else copy_context(), cleanup)
            del self, value
        else:
            self._settle(FULFILLED, value)

    def _follow_promise(self, other: "Core") -> None:
        if self._origin is not None:
            self._origin.follows = True
        if other is self or self._is_awaited_by(other):
            self._fail(waits_for_itself(self))
        elif other._state != PENDING:
            self._settle_like(other)
        elif other._queue is not self._queue:
            self._fail(foreign_loop(other, self._queue.loop))
        else:
            self._upstream = other
            other._subscribe(self)

    def _follow_future(self, future: "asyncio.Future[Any]") -> None:
        if future.done():
            self._adopt(future)
        elif future.get_loop() is not self._queue.loop:
            self._fail(foreign_loop(future, self._queue.loop))
        elif isinstance(future, asyncio.Task):
            self._wait_for(future, self._queue.works)
        else:
            self._wait_for(future, None)

    def _start(self, awaitable: Any, name: str, context: Context, cleanup: bool) -> None:
        """Run *awaitable* as a Task, from which this promise takes its outcome."""
        queue = self._queue
        coroutine = as_coroutine(awaitable)
        self._upstream = starting = Starting(coroutine)
        try:
            task = start(queue.loop, coroutine, name, context)
        except BaseException as error:
            coroutine.close()
            self._raised(error)
            del self, awaitable, coroutine, context, queue, starting
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return
        request = starting.request
        if task.done():
            if request is None or task.cancelled() or task.exception() is not None:
                self._adopt(task)
            else:
                self._fail(request)  # it cancelled its own promise: what it returned is dropped
        else:
            self._wait_for(task, queue.cleanups if cleanup else queue.works)
            if request is not None:
                task.cancel(*request.args)
        # An eager Task that failed has this frame in its traceback.
        del self, awaitable, coroutine, context, queue, starting, task

    def _wait_for(self, future: "asyncio.Future[Any]", keep: Any) -> None:
        self._upstream = future
        if keep is None:
            self._queue.watch(self)
        else:
            keep.add(self)
        future.add_done_callback(self._on_done, context=self._queue.context)

    def _on_done(self, future: "asyncio.Future[Any]") -> None:
        """Done callback of the upstream."""
        queue = self._queue
        queue.works.discard(self)
        queue.cleanups.discard(self)
        if self._upstream is future:
            queue.hold()
            try:
                self._adopt(future)
            finally:
                # A Task that is resumed by this drain, and fails, has this frame in its traceback.
                del self, future
                queue.flush()

    def _leave_future(self) -> None:
        """Follow the future no longer, and leave nothing of this promise there."""
        future = self._upstream
        if isinstance(future, asyncio.Future):
            future.remove_done_callback(self._on_done)
            self._queue.works.discard(self)
            self._upstream = None

    def _adopt(self, future: "asyncio.Future[Any]") -> None:
        """Settle as *future* did."""
        try:
            value = future.result()
        except BaseException as error:
            self._raised(error)
        else:
            if type(value) is Exactly:
                self._settle_exactly(value)
            else:
                self._settle(FULFILLED, value)

    def _settle_exactly(self, outcome: Exactly) -> None:
        if outcome.fulfilled:
            self._settle(FULFILLED, outcome.value)
        else:
            self._fail(outcome.value)
