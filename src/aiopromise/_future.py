"""What asyncio sees of a promise: it has the methods of a Future."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from reprlib import recursive_repr
from typing import Any, Self, cast, final

from aiopromise._engine.awaiter import AwaitableCore
from aiopromise._engine.state import CANCELLED, FULFILLED, PENDING, REJECTED, Tie, subscribe, withdraw
from aiopromise._engine.tasks import TASKS, name_of
from aiopromise._errors import check_callback, check_result, short

__all__ = ["FutureLike"]

# asyncio shows the callbacks of a Task by their names; of a compiled one it shows the class of the promise anyway.
with suppress(AttributeError):
    cast(Any, AwaitableCore._on_done).__qualname__ = "Promise._on_done"

_STATES = {PENDING: "pending", FULFILLED: "fulfilled", REJECTED: "rejected", CANCELLED: "cancelled"}


@final
class DoneCallback:
    """One callback of `add_done_callback()`."""

    __slots__ = ("callback", "context", "promise")

    def __init__(self, promise: "FutureLike", callback: Callable[[Any], object], context: Context | None) -> None:
        self.promise = promise
        self.callback = callback
        self.context = copy_context() if context is None else context

    def _react(self) -> None:
        try:
            result = self.context.run(self.callback, self.promise)
            if result is not None:
                check_result(".add_done_callback", self.callback, result)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.promise._queue.loop.call_exception_handler(
                {"message": f"a done callback failed: {self!r}", "exception": error, "future": self.promise}
            )

    def __repr__(self) -> str:
        return f"<done callback {name_of(self.callback)} of {self.promise!r}>"


class FutureLike(AwaitableCore):
    """A promise as asyncio knows it."""

    __slots__ = ()

    def done(self) -> bool:
        """Return True once the promise has settled: fulfilled, rejected or cancelled."""
        return self._state != PENDING

    def cancelled(self) -> bool:
        """Return True if the promise ended by cancellation."""
        return self._state == CANCELLED

    def result(self) -> Any:
        """Return the value, or raise the reason.

        Whoever asks a rejected promise answers for the rejection.

        Raises:
            asyncio.InvalidStateError: the promise is pending; write ``await promise``.
            asyncio.CancelledError: the promise was cancelled.
        """
        if self._state == FULFILLED:
            return self._value
        raise self._reason("result")

    def exception(self) -> BaseException | None:
        """Return the reason of a rejected promise, and None for a fulfilled one.

        Whoever asks a rejected promise answers for the rejection.

        Raises:
            asyncio.InvalidStateError: the promise is pending; write ``await promise``.
            asyncio.CancelledError: the promise was cancelled.
        """
        if self._state == FULFILLED:
            return None
        reason = self._reason("exception")
        if self._state == REJECTED:
            return reason
        raise reason

    def _reason(self, call: str) -> BaseException:
        if self._state == PENDING:
            return asyncio.InvalidStateError(f"{call}() came before the end of {self!r}")
        reason: BaseException = self._value.take(self)
        return reason

    def add_done_callback(self, callback: Callable[[Self], object], /, *, context: Context | None = None) -> None:
        """Call *callback* with this promise once it has settled, in its turn among the handlers.

        The callback runs in *context*, or in a copy of the current one. It is a consumer of the promise, but does
        not answer for a rejection. What it raises goes to the loop's exception handler.

        Raises:
            TypeError: *callback* is not a function, or a coroutine function, whose body nobody would await.
        """
        check_callback(".add_done_callback", callback)
        if self._queue.debug:
            self._queue.check_thread("add_done_callback")
        subscribe(self, DoneCallback(self, callback, context))

    def remove_done_callback(self, callback: Callable[[Self], object], /) -> int:
        """Remove all registrations of *callback*, and return how many there were."""
        if self._queue.debug:
            self._queue.check_thread("remove_done_callback")
        reactions = list(self._reactions) if type(self._reactions) is dict else [self._reactions]
        matching = [one for one in reactions if isinstance(one, DoneCallback) and one.callback == callback]
        for reaction in matching:
            withdraw(self, reaction)
        return len(matching)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop on which the promise was made."""
        return self._queue.loop

    # Two names that asyncio reads of a cancelled Future: `gather()` would hang without them.

    def _make_cancelled_error(self) -> BaseException:
        reason: BaseException = self._value.take(self)
        return reason

    @property
    def _cancel_message(self) -> Any:
        args = self._value.args if self._state == CANCELLED else ()
        return args[0] if args else None

    @recursive_repr("<Promise ...>")
    def __repr__(self) -> str:
        state = _STATES[self._state]
        if self._state == FULFILLED:
            return f"<Promise {state} {short(self._value)}>"
        if self._state == REJECTED:
            return f"<Promise {state} {short(self._value.reason)}>"
        return f"<Promise {state}{self._waiting_for()}>"

    def _waiting_for(self) -> str:
        upstream = self._upstream
        names = [name_of(handler) for handler in (self._on_fulfilled, self._on_rejected) if handler is not None]
        if names:
            return f", waiting to call {' or '.join(dict.fromkeys(names))}"
        if isinstance(upstream, TASKS):
            return f", running {upstream.get_name()}"
        if upstream is None:
            return ""
        if isinstance(upstream, Tie):
            return f", following {upstream!r}"
        if isinstance(upstream, AwaitableCore | asyncio.Future):
            return f", following a {type(upstream).__name__}"
        # A coroutine in its first step.
        return f", running {getattr(upstream, '__name__', type(upstream).__name__)}"
