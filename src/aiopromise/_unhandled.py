"""Rejections and cancellations, and whether anybody has handled them.

An unhandled rejection is reported when its promise is garbage-collected, or, with `on_unhandled_rejection()`, as
soon as the reaction queue has been drained.
"""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType
from typing import Any, Final, NamedTuple

from aiopromise._errors import args_of, check_callback, check_result, short, traceback_of

__all__ = ["Cancellation", "Rejection", "UnhandledRejection", "listeners", "on_unhandled_rejection"]


class UnhandledRejection(NamedTuple):
    """The argument of an `on_unhandled_rejection()` callback.

    *promise* is the rejected promise and *reason* its exception. *handled* is False when the rejection is first
    reported, and True in a second call if it is handled after all.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise, on_unhandled_rejection
        >>> async def main():
        ...     stop = on_unhandled_rejection(lambda event: print(repr(event.reason), event.handled))
        ...     lost = Promise.reject(ValueError("lost"))
        ...     await asyncio.sleep(0)
        ...     await lost.catch(lambda error: None)
        ...     stop()
        >>> asyncio.run(main())
        ValueError('lost') False
        ValueError('lost') True
    """

    promise: Any
    reason: BaseException
    handled: bool

    def __repr__(self) -> str:
        """Show the reason as in a promise's repr."""
        return f"UnhandledRejection(promise={self.promise!r}, reason={short(self.reason)}, handled={self.handled})"


listeners: Final[list[Callable[[UnhandledRejection], object]]] = []


def on_unhandled_rejection(callback: Callable[[UnhandledRejection], object], /) -> Callable[[], None]:
    """Call *callback* for every unhandled rejection; return a function that unregisters it.

    The callback gets an `UnhandledRejection` once all due handlers have run, in place of the report to the loop's
    exception handler when the promise dies; and another, with ``handled=True``, if the rejection is handled later.
    It applies to the whole process; callbacks are called in the order in which they were registered, each in the
    context (`contextvars`) of its registration. If one raises, the loop's exception handler is called.

    A promise from `Promise.as_completed()` may be handled at any later time, so callbacks are not told of its
    rejection; that is reported if the promise is dropped unhandled.

    This is the HostPromiseRejectionTracker of ECMA-262 (27.2.1.9).

    Raises:
        TypeError: *callback* is not callable, or is a coroutine function, which would never be awaited.

    Example:
        >>> from aiopromise import on_unhandled_rejection
        >>> stop = on_unhandled_rejection(lambda event: print("nobody handled", event.reason))
        >>> stop()
    """
    check_callback("on_unhandled_rejection", callback)
    context = copy_context()

    # A separate function per registration, so that a callback registered twice is removed one at a time.
    def listener(event: UnhandledRejection) -> None:
        # In a copy: a callback may handle a rejection itself, and a Context cannot be entered twice.
        check_result("on_unhandled_rejection", callback, context.copy().run(callback, event))

    listeners.append(listener)

    def remove() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return remove


class Cancellation:
    """The error of a cancelled promise, shared with those that adopt its state; handed out once, then recreated.

    Tasks do the same. A promise that kept the error would form a cycle with every frame that awaited it.
    """

    __slots__ = ("_error", "args")

    def __init__(self, error: BaseException) -> None:
        self._error: BaseException | None = error
        self.args = args_of(error)

    @property
    def reason(self) -> BaseException:
        """The error that `retrieve()` will return, to be inspected but not raised."""
        error = self._error
        if error is None:
            error = self._error = asyncio.CancelledError(*self.args)
        return error

    def retrieve(self, promise: object) -> BaseException:
        """Return the error to raise."""
        # Read once: a settled promise may be awaited by loops in several threads.
        error, self._error = self._error, None
        return asyncio.CancelledError(*self.args) if error is None else error


class Rejection:
    """The reason of one promise; reports it on dying, unless it was handled."""

    __slots__ = (
        "_is_suspended",
        "_loop",
        "_may_be_announced",
        "_origin",
        "_told",
        "from_cancelled_task",
        "propagated",
        "reason",
        "traceback",
    )

    def __init__(
        self,
        reason: BaseException,
        loop: asyncio.AbstractEventLoop | None,
        origin: Any = None,
    ) -> None:
        self.reason = reason
        # Raising an exception extends its traceback. Each time it is raised again it starts from this one.
        self.traceback: TracebackType | None = traceback_of(reason)
        # The loop to report to; None once it is handled, or if there is nothing to report.
        self._loop = loop
        # Whether it is held for a consumer that has not been given the promise yet.
        self._is_suspended = False
        # Whether listeners may be notified: not once it was suspended, as its consumer may come at any later time.
        self._may_be_announced = True
        self._origin = origin
        # The listeners that were notified, until it is handled; None if neither they nor instruments were.
        self._told: tuple[Callable[[UnhandledRejection], object], ...] | None = None
        # Whether it also propagated out of the loop, as a raised KeyboardInterrupt or SystemExit does.
        self.propagated = False
        # Whether it came from a Task that had been cancelled.
        self.from_cancelled_task = False

    def mark_propagated(self) -> None:
        """Report nothing: the code that ran the loop got the reason."""
        self.propagated = True
        self._loop = None

    def retrieve(self, promise: object) -> BaseException:
        """Return the reason to a caller, who is responsible for it from now on."""
        if self._told is not None:
            self._tell_late(promise)
        self._loop = None
        return BaseException.with_traceback(self.reason, self.traceback)

    def _tell_late(self, promise: object) -> None:
        told, self._told = self._told, None
        if self._origin is not None:
            self._origin.rejection_handled_late(promise, self.reason)
        if told:
            _tell(UnhandledRejection(promise, self.reason, handled=True))

    def suspend(self) -> None:
        """Suspend reporting, while nobody else can see the promise."""
        self._is_suspended = True
        self._may_be_announced = False

    def resume(self) -> None:
        """Resume reporting, as the promise becomes visible: it is reported if it is not handled."""
        self._is_suspended = False

    def announce_unless_handled(self, promise: object) -> None:
        """Notify the listeners, who are responsible for it from now on: it is not reported again. And instruments."""
        if self._loop is None or not self._may_be_announced:
            return
        if self._origin is not None and self._origin.observes_rejections():
            self._told = ()
            self._origin.rejection_unhandled(promise, self.reason)
        if listeners:
            told = tuple(listeners)
            _tell(UnhandledRejection(promise, self.reason, handled=False))
            self._loop = None
            self._told = told

    def __del__(self) -> None:
        # It dies with its promise.
        if self._is_suspended:
            return
        if self._origin is not None and self._origin.recording is not None and (self._loop is not None or self._told):
            self._origin.recording.rejection_died(self)
        if self._loop is not None:
            self.report(self._loop, {})

    def report(self, loop: asyncio.AbstractEventLoop, more: dict[str, Any]) -> None:
        """Report to the exception handler of *loop*, with *more* in the context."""
        report: dict[str, Any] = {
            "message": "unhandled promise rejection",
            "exception": BaseException.with_traceback(self.reason, self.traceback),
        }
        if self._origin is not None:
            report |= self._origin.report()
        loop.call_exception_handler(report | more)


def _tell(event: UnhandledRejection) -> None:
    for listener in tuple(listeners):
        try:
            listener(event)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            event.promise.get_loop().call_exception_handler(
                {
                    "message": f"exception in an on_unhandled_rejection() callback for {short(event.reason)}",
                    "exception": error,
                }
            )
