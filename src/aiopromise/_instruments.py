"""Instruments: observers of the promises of one loop."""

import logging
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from aiopromise._errors import is_async, short

__all__ = ["Instrument", "Instruments"]

logger = logging.getLogger("aiopromise")


class Instrument:
    """Base class for observers of the promises of a loop, from `add_instrument()` to `remove_instrument()`.

    Override the methods for what you want to know; each does nothing here. They are called synchronously, in the
    thread of the loop and in the middle of its work, so they must not block, must not settle, cancel or await
    promises, and should not make any. They do not count as consumers, and never change what a promise does.

    Promises made while no instrument was added are not observed. Nor are those that the library makes for its own
    use, except that every call of the function by `Promise.map()` and the like is shown as a promise.

    An instrument that raises is removed, and the exception is logged by the logger ``aiopromise``; the program goes on.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.inspect import Instrument, add_instrument, remove_instrument
        >>> class Calls(Instrument):
        ...     def handler_started(self, promise, handler):
        ...         print("calling", handler.__name__)
        ...     def promise_settled(self, promise):
        ...         print(promise)
        >>> async def main():
        ...     calls = Calls()
        ...     add_instrument(calls)
        ...     await Promise.resolve("7").then(int)
        ...     remove_instrument(calls)
        >>> asyncio.run(main())
        <Promise fulfilled '7'>
        calling int
        <Promise fulfilled 7>
    """

    __slots__ = ()

    def promise_created(self, promise: Any, call: str, parent: Any) -> None:
        """Observe a new promise, before anything has happened to it, within the call that makes it.

        *call* is the method or function that was called: for example ``"then"`` or ``"Promise.all"``. *parent* is the
        promise that it was chained from; for a call of the function by `Promise.map()`, the promise for all results;
        or None. Called in the user's code that makes the promise, whose frames are on the stack.
        """

    def handler_started(self, promise: Any, handler: Callable[..., Any]) -> None:
        """Observe that *handler*, a user's function, is about to be called; its outcome settles *promise*.

        Called in the context (`contextvars`) in which the handler runs, so what it sets is visible there.
        """

    def handler_ended(self, promise: Any, handler: Callable[..., Any]) -> None:
        """Observe that *handler* has ended: it has returned or raised or, if it is async, its Task has ended.

        A handler that returns a promise or a future has ended then. *promise* may still be pending.
        """

    def promise_settled(self, promise: Any) -> None:
        """Observe that *promise* has been fulfilled, rejected or cancelled, before its consumers run."""

    def cancel_requested(self, promise: Any) -> None:
        """Observe a request to cancel *promise*, before it has any effect.

        It may come from ``cancel()``, from the Task that awaits the promise, from a time limit or from a combinator.
        The promises above that it reaches from there are reported only once they are cancelled.
        """

    def rejection_unhandled(self, promise: Any, reason: BaseException) -> None:
        """Observe that nobody has handled a rejection by the time all due handlers have run.

        That is when callbacks of `on_unhandled_rejection()` are called. It may still be handled later; otherwise it is
        reported when *promise* dies, unless there is such a callback.
        """

    def rejection_handled_late(self, promise: Any, reason: BaseException) -> None:
        """Observe that a rejection is handled after ``rejection_unhandled()`` was called for it."""

    def loser_abandoned(self, promise: Any, loser: Any) -> None:
        """Observe that *promise*, of a combinator, has its result and leaves *loser*, one of its inputs, running."""


# The method of each instrument that observes one event, the instrument, and the name of the method.
Observers: TypeAlias = tuple[tuple[Callable[..., None], Instrument, str], ...]

_EVENTS: Final = tuple(name for name in vars(Instrument) if not name.startswith("_"))


class Instruments:
    """The instruments of one loop, in the order in which they were added.

    For each event there is an attribute of its name: those that override the method. They are told by `tell()` and its
    variants, one for each number of arguments, as `*arguments` would double the cost of an event.
    """

    __slots__ = ("added", *_EVENTS)

    promise_created: Observers
    handler_started: Observers
    handler_ended: Observers
    promise_settled: Observers
    cancel_requested: Observers
    rejection_unhandled: Observers
    rejection_handled_late: Observers
    loser_abandoned: Observers

    def __init__(self) -> None:
        self.added: list[Instrument] = []
        self._look()

    def add(self, instrument: Instrument) -> None:
        """Add *instrument*, unless it has been added already."""
        if not isinstance(instrument, Instrument):
            raise TypeError(_not_an_instrument(instrument))
        for event in _EVENTS:
            if is_async(getattr(instrument, event)):
                raise TypeError(f"{event}() of an instrument cannot be async, got {short(instrument)}")
        # By identity: an instrument may define __eq__, as a dataclass does.
        if not any(one is instrument for one in self.added):
            self.added.append(instrument)
            self._look()

    def remove(self, instrument: Instrument) -> None:
        """Remove *instrument*, or raise `KeyError`."""
        others = [one for one in self.added if one is not instrument]
        if len(others) == len(self.added):
            raise KeyError(instrument)
        self.added = others
        self._look()

    def tell(self, observers: Observers, promise: Any) -> None:
        """Call *observers*, the attribute for an event of *promise*; remove the instruments of those that raise."""
        for observe, instrument, event in observers:
            try:
                observe(promise)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self._remove_failed(instrument, event, error)

    def tell_of(self, observers: Observers, promise: Any, subject: Any) -> None:
        """Do the same for an event that has a *subject*: a handler, a reason or another promise."""
        for observe, instrument, event in observers:
            try:
                observe(promise, subject)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self._remove_failed(instrument, event, error)

    def tell_created(self, promise: Any, call: str, parent: Any) -> None:
        """Do the same for `promise_created()`."""
        for observe, instrument, event in self.promise_created:
            try:
                observe(promise, call, parent)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self._remove_failed(instrument, event, error)

    def _remove_failed(self, failed: Instrument, event: str, error: BaseException) -> None:
        self.added = [one for one in self.added if one is not failed]
        self._look()
        logger.error("%s() of an instrument failed, which is removed: %s", event, short(failed), exc_info=error)

    def _look(self) -> None:
        for event in _EVENTS:
            ignores = getattr(Instrument, event)
            # The class of a mock or a proxy may not have it.
            observers = [one for one in self.added if getattr(type(one), event, None) is not ignores]
            setattr(self, event, tuple((getattr(one, event), one, event) for one in observers))


def _not_an_instrument(value: object) -> str:
    message = f"add_instrument() needs an Instrument, got {short(value)}"
    if isinstance(value, type) and issubclass(value, Instrument):
        message += f"\n\nYou wrote the class. Write an instance: add_instrument({value.__name__}())"
    return message
