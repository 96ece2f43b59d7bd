"""How a promise settles: with a value, as another did, or with what was raised."""

from asyncio import CancelledError
from typing import Any

from aiopromise._engine.state import CANCELLED, FULFILLED, PENDING, REJECTED, State, Types
from aiopromise._engine.tasks import Exactly
from aiopromise._errors import is_ours, short, traceback_of
from aiopromise._unhandled import Cancellation, Rejection, listeners

__all__ = [
    "broke_off",
    "cancelled_error",
    "fail",
    "is_caught",
    "leave",
    "mark_handled",
    "raised",
    "settle",
    "settle_exactly",
    "settle_like",
    "stops",
    "without_our_frames",
]


def without_our_frames(error: BaseException) -> BaseException:
    """Let the traceback of *error* begin in the user's code."""
    frames = traceback_of(error)
    while frames is not None and is_ours(frames.tb_frame):
        frames = frames.tb_next
    # Not `error.__traceback__ =`, which an exception that is a frozen dataclass refuses; nor a method of its own.
    return BaseException.with_traceback(error, frames)


def cancelled_error(message: Any) -> CancelledError:
    """Return the error that `Task.cancel(message)` would raise."""
    return CancelledError() if message is None else CancelledError(message)


def is_caught(reason: BaseException, types: Types) -> bool:
    """Tell whether *reason* is one of *types*: of its class, as `except` does, unless that of the types is to tell."""
    if issubclass(type(reason), types):
        return True
    if type(types) is tuple:
        return any(type(one) is not type and isinstance(reason, one) for one in types)
    return type(types) is not type and isinstance(reason, types)


def settle(promise: State, state: int, value: Any) -> None:
    """End the wait of all consumers; *value* is the value, or the Rejection."""
    promise._state = state
    promise._value = value
    promise._upstream = None
    reactions = promise._reactions
    if reactions is not None:
        promise._reactions = None
        if type(reactions) is dict:
            promise._queue.extend(reactions)
        else:
            promise._queue.push(reactions)


def settle_like(promise: State, source: State) -> None:
    """Settle as *source* did, and answer for its reason."""
    if source._state == REJECTED:
        reason = source._value.take(source)
        fail(promise, reason)
        if promise._origin is not None and promise._origin.follows:
            promise._origin.add_note(reason)
        if source._value.has_left:
            leave(promise)
    else:
        settle(promise, source._state, source._value)


def settle_exactly(promise: State, outcome: Exactly) -> None:
    """Settle as a handler of the library says, and follow nothing."""
    if outcome.fulfilled:
        settle(promise, FULFILLED, outcome.value)
    else:
        fail(promise, outcome.value)


def fail(promise: State, reason: BaseException) -> None:
    """Reject, or be cancelled if that is what *reason* says.

    As `except` does, this asks no code of the exception, which may fail: not for its class either.
    """
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
    if listeners and not promise._is_handled:
        promise._queue.suspect(promise, rejection)
    settle(promise, REJECTED, rejection)


def raised(promise: State, error: BaseException) -> None:
    """Reject with what a handler raised; its traceback begins in the handler."""
    was_pending = promise._state == PENDING
    if was_pending:
        fail(promise, without_our_frames(error))
    if promise._origin is not None:
        promise._origin.add_note(error)
    if not was_pending:
        message = "a handler failed after it had cancelled its own promise"
        promise._queue.loop.call_exception_handler({"message": message, "exception": without_our_frames(error)})


def stops(error: BaseException) -> bool:
    """Tell whether *error* stops the program: it leaves the loop, as it would from a Task."""
    return issubclass(type(error), (KeyboardInterrupt, SystemExit))


def broke_off(promise: State, error: BaseException) -> bool:
    """Settle with what came instead of an outcome; True: it is to leave the loop, too."""
    raised(promise, error)
    if not stops(error):
        return False
    leave(promise)
    return True


def leave(promise: State) -> None:
    """Know that the reason, a KeyboardInterrupt or SystemExit, leaves the loop as well."""
    if promise._state == REJECTED:
        promise._value.leave()


def mark_handled(promise: State) -> None:
    """Answer for a rejection of *promise*, whether it has come already or is still to come."""
    promise._is_handled = True
    if promise._state == REJECTED:
        promise._value.take(promise)
