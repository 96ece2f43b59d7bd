"""The `Promise` class: make one from an awaitable or an executor, and chain from it."""

import asyncio
import concurrent.futures
from asyncio import CancelledError
from collections.abc import Callable, Generator
from contextlib import suppress
from contextvars import Context
from reprlib import recursive_repr
from typing import Any, ClassVar, NoReturn, Self, TypeVar, cast

from aiopromise import _executors, _factories, _thenable
from aiopromise._combinators import combinators, mapping
from aiopromise._compat import AwaitableBase
from aiopromise._engine.awaiter import wait
from aiopromise._engine.cancellation import Shield, cancel
from aiopromise._engine.core import Core, link, start_or_follow
from aiopromise._engine.coroutines import give
from aiopromise._engine.state import Upstream, begin, handlers_of, pending, subscribe, withdraw
from aiopromise._engine.state_codes import CANCELLED, FULFILLED, PENDING, REJECTED
from aiopromise._engine.tasks import TASKS, is_awaitable, name_of
from aiopromise._errors import check_callback, check_seconds, close_refused, needs_function, short
from aiopromise._executors import ExecutorFuture
from aiopromise._handlers import DoneCallback, Finally, Spread, Tap, split_types
from aiopromise._loops import running_queue, use_promise_class
from aiopromise._resolvers import check_executor, execute
from aiopromise._settled import Settled
from aiopromise._settlement import Settlement
from aiopromise._timeout import MISSING, Deadline

__all__ = ["Promise"]

T_co = TypeVar("T_co", covariant=True)

Handler = Callable[[Any], Any]

_STATES = {PENDING: "pending", FULFILLED: "fulfilled", REJECTED: "rejected", CANCELLED: "cancelled"}


class ClassOnly:
    """A static method that raises on instances, where it would silently make an unrelated promise."""

    __slots__ = ("__func__",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__func__ = function

    # So that isinstance() takes it for what it is, as help(), mocks, Sphinx and stubtest ask.
    @property  # type: ignore[misc]  # nobody sets it
    def __class__(self) -> Any:
        return staticmethod

    def __set_name__(self, owner: type, name: str) -> None:
        # So that help() and tracebacks show Promise.all, not all_.
        self.__func__.__name__ = name
        self.__func__.__qualname__ = f"{owner.__name__}.{name}"

    def __get__(self, instance: object, owner: type) -> Callable[..., Any]:
        if instance is None:
            return self.__func__
        name = self.__func__.__name__
        raise AttributeError(
            f"a promise has no method {name}()\n\n"
            f"You wrote promise.{name}(...), which would create an unrelated promise. Write Promise.{name}(...)"
        )


class Promise(Core, AwaitableBase[T_co]):
    """Make a promise from an awaitable, or from an executor, which is called immediately.

    - A coroutine is started, as by `asyncio.create_task`; a Task, a Future, another promise, anything else with
      ``__await__``, and a `concurrent.futures.Future` are followed. The promise settles as
      ``await source`` would: ``await Promise(source) == await source``.
    - An executor is a function ``executor(resolve, reject)``, called before ``Promise()`` returns. If it raises
      before calling either, that rejects the promise (ECMA-262 27.2.3.1).

    A promise belongs to the event loop it was made on. It stays alive while its work is running.

    Raises:
        TypeError: *source* is neither, or the executor is a coroutine function, which would never be awaited.
        RuntimeError: no event loop is running.

    Cancellation:
        See `cancel()`.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> async def main():
        ...     later = Promise(asyncio.sleep(0, 20)).then(lambda value: value + 1)
        ...     now = Promise(lambda resolve, reject: resolve(2))
        ...     return await later * await now
        >>> asyncio.run(main())
        42
    """

    __slots__ = ()

    # asyncio treats anything with this attribute as a Future; only an Awaiter ever sets it.
    _asyncio_future_blocking: ClassVar[bool] = False

    def __init__(self, source: Any, /) -> None:
        # Callable and awaitable counts as awaitable. Each branch validates before begin(): if __init__ raises,
        # nothing has seen the object yet.
        if issubclass(type(source), concurrent.futures.Future):
            begin(self, running_queue("Promise", (source,)), "Promise")
            ExecutorFuture(source, self).start()
        elif is_awaitable(source):
            begin(self, running_queue("Promise", (source,)), "Promise")
            start_or_follow(self, source)
        else:
            check_executor(source)
            begin(self, running_queue("Promise", (source,)), "Promise")
            execute(self, source)
            del self, source  # breaks a reference cycle

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a promise cannot be pickled or copied; it belongs to its event loop: {self!r}")

    def then(self, on_fulfilled: Handler | None = None, on_rejected: Handler | None = None) -> "Promise[Any]":
        """Return a promise for the result of *on_fulfilled*: ``await p.then(f)`` is ``f(await p)``.

        At most one handler is called, once, with one argument: *on_fulfilled* with the value, or *on_rejected* with
        the reason, if it is an `Exception`. Neither is called on cancellation. An outcome with no handler passes
        through unchanged, as the same object.

        A handler may be sync or async, and may return a value or any awaitable, which is awaited once. It is never
        called within ``then()``, but from the loop, in the context (`contextvars`) in which ``then()`` was called;
        an async one runs as a Task with its name (ECMA-262 27.2.5.4; Promises/A+ 2.2).

        Raises:
            TypeError: a handler is not callable; a coroutine passed by mistake is closed.

        Cancellation:
            Cancelling the new promise cancels this one too, unless it has another consumer.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.resolve("7").then(int).then(lambda number: number * 6)
            >>> asyncio.run(main())
            42
        """
        if on_fulfilled is not None and not callable(on_fulfilled):
            raise needs_function(".then", 0, on_fulfilled, *(() if on_rejected is None else (on_rejected,)))
        if on_rejected is not None and not callable(on_rejected):
            raise needs_function(".then", 1, on_fulfilled, on_rejected)
        return link(self, "then", on_fulfilled, on_rejected)

    def catch(self, *types_and_handler: Any) -> "Promise[Any]":
        """Return a promise for the handler's result if this one is rejected; a value passes through.

        - ``catch(on_rejected)`` handles every `Exception`, but never a cancellation.
        - ``catch(KeyError, on_rejected)`` and ``catch((KeyError, OSError), on_rejected)`` handle only those.
        - ``catch(asyncio.CancelledError, on_cancelled)`` recovers from a cancellation.

        The handler is called with the exception, as in `then()`. What it raises does not have that as its
        ``__context__``: write ``raise ... from error`` where the traceback is to show both.

        Raises:
            TypeError: the handler is missing or not callable, or the types are not exception classes.

        Cancellation:
            As for `then()`; a handler for `asyncio.CancelledError` is called and awaited first.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.try_(int, "x").catch(ValueError, lambda error: 0)
            >>> asyncio.run(main())
            0
        """
        types, handler = split_types("catch", types_and_handler)
        return link(self, "catch", None, handler, types)

    def finally_(self, on_settled: Callable[[], object], /) -> "Promise[T_co]":
        """Return a promise for the same outcome, whatever it is, once *on_settled* has been called and awaited.

        The function takes no arguments. Its result is awaited and discarded; if it raises, that replaces the
        outcome, with the old reason as ``__context__`` (ECMA-262 27.2.5.3).

        Raises:
            TypeError: *on_settled* is not a function.

        Cancellation:
            The function is called and awaited on cancellation too. A second ``cancel()`` reaches whatever it is
            awaiting, as in a Task. When the loop shuts down, it is still awaited.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.resolve("done").finally_(lambda: print("closed"))
            >>> asyncio.run(main())
            closed
            'done'
        """
        if not callable(on_settled):
            raise needs_function(".finally_", 0, on_settled)
        effect = Finally(on_settled)
        return link(self, "finally_", effect.on_fulfilled, effect.on_rejected, BaseException)

    def tap(self, on_fulfilled: Callable[[T_co], object], /) -> "Promise[T_co]":
        """Return a promise for the same value, once *on_fulfilled* has been called with it and awaited.

        Its result is discarded; if it raises, the new promise is rejected. A rejection passes through.

        Raises:
            TypeError: *on_fulfilled* is not a function.

        Cancellation:
            As for `then()`.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.resolve(42).tap(print)
            >>> asyncio.run(main())
            42
            42
        """
        if not callable(on_fulfilled):
            raise needs_function(".tap", 0, on_fulfilled)
        return link(self, "tap", Tap(on_fulfilled).on_fulfilled, None)

    def tap_catch(self, *types_and_handler: Any) -> "Promise[T_co]":
        """Return a promise for the same outcome, once the handler has been called with the reason and awaited.

        Takes exception types first, as `catch()` does. The handler's result is discarded and the rejection passes
        on. If it raises, that replaces the reason, with the old one as ``__context__``.

        Raises:
            TypeError: the handler is missing or not callable, or the types are not exception classes.

        Cancellation:
            As for `catch()`.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.try_(int, "x").tap_catch(print).catch(lambda error: 0)
            >>> asyncio.run(main())
            invalid literal for int() with base 10: 'x'
            0
        """
        types, handler = split_types("tap_catch", types_and_handler)
        return link(self, "tap_catch", None, Tap(handler).on_rejected, types)

    def spread(self, on_fulfilled: Callable[..., Any], /) -> "Promise[Any]":
        """Return a promise for ``on_fulfilled(*value)``: the elements of a tuple become arguments.

        Otherwise like `then()`. If the value cannot be unpacked, the new promise is rejected with `TypeError`.

        Raises:
            TypeError: *on_fulfilled* is not a function.

        Cancellation:
            As for `then()`.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.resolve((7, 2)).spread(divmod)
            >>> asyncio.run(main())
            (3, 1)
        """
        if not callable(on_fulfilled):
            raise needs_function(".spread", 0, on_fulfilled)
        return link(self, "spread", Spread(on_fulfilled), None)

    def timeout(self, seconds: float | None, *, fallback: Any = MISSING) -> "Promise[Any]":
        """Return a promise for the same outcome, or rejected with `TimeoutError` after *seconds*.

        It behaves like ``async with asyncio.timeout(seconds): return await p``. On timeout the work is cancelled,
        as by `cancel()`, and the new promise settles once it has finished; with *fallback*, it is fulfilled with
        that. ``None`` means no limit.

        Raises:
            TypeError: *seconds* is not a number, or *fallback* is an awaitable (a coroutine is closed).
            ValueError: *seconds* is NaN.

        Cancellation:
            As for `then()`. The timer is cancelled too.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.delay(3600).timeout(0.01, fallback="too late")
            >>> asyncio.run(main())
            'too late'
        """
        if is_awaitable(fallback):
            close_refused(fallback)
            raise TypeError(f"timeout(fallback=) needs a plain value, got {short(fallback)}")
        if seconds is None:
            return link(self, "timeout", None, None)
        check_seconds("timeout", seconds)
        if self._queue.debug:
            self._queue.check_thread("timeout")
        promise: Promise[Any] = pending(self._queue, "timeout", self)
        Deadline(self, promise, seconds, fallback).start()
        return promise

    def shield(self) -> "Promise[T_co]":
        """Return a promise for the same outcome; cancelling it leaves this one running.

        Cancellation:
            Cancels the new promise immediately, and nothing else. Compare `asyncio.shield`.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     work = Promise(asyncio.sleep(0, "done"))
            ...     work.shield().cancel()
            ...     return await work
            >>> asyncio.run(main())
            'done'
        """
        if self._queue.debug:
            self._queue.check_thread("shield")
        promise: Promise[T_co] = pending(self._queue, "shield", self)
        promise._upstream = Shield(self, promise)
        subscribe(self, promise._upstream, "shield")
        return promise

    def settled(self) -> "Promise[Settled[T_co]]":
        """Return a promise for how this one ends: `Fulfilled` with the value, or `Rejected` with the reason.

        A failure does not reject it, and counts as handled. If this promise is cancelled, that is
        ``Rejected(CancelledError())``, as in `Promise.all_settled`.

        Cancellation:
            As for `then()`: cancelling the new promise, or a Task that awaits it, cancels this one too, unless it
            has another consumer; and then the new promise is cancelled.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.map(["7", "x"], lambda text: Promise.try_(int, text).settled())
            >>> asyncio.run(main())
            [Fulfilled(7), Rejected(ValueError("invalid literal for int() with base 10: 'x'"))]
        """
        if self._queue.debug:
            self._queue.check_thread("settled")
        promise: Promise[Any] = pending(self._queue, "settled", self)
        Settlement(self, promise).start()
        return promise

    def cancel(self, msg: Any = None) -> bool:
        """Request cancellation; return False if the promise has already settled.

        The request passes up through promises with no other consumer to whatever is running: a Task, a handler's
        Task, or the awaitable being followed. That is cancelled once, and its outcome passes down as usual: a value
        fulfils, a failing cleanup rejects, ``catch(CancelledError, f)`` recovers, and `asyncio.CancelledError`
        cancels. If nothing is running, the promise is cancelled immediately.

        Pending children, awaiters, followers and done callbacks are consumers; a variable is not. *msg* becomes the
        argument of the `asyncio.CancelledError`.

        Cancellation:
            Cancelling a Task that awaits a promise makes the same request if it is the last consumer; ``cancel()``
            makes it even if somebody is waiting. A second request is delivered too, as with Tasks.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     work = Promise.delay(3600).finally_(lambda: print("cleaned up"))
            ...     work.cancel()
            ...     return await work.catch(asyncio.CancelledError, lambda error: "cancelled")
            >>> asyncio.run(main())
            cleaned up
            'cancelled'
        """
        return cancel(self, msg)

    # The methods of a Future, which asyncio calls.

    def done(self) -> bool:
        """Return True once the promise has settled: fulfilled, rejected or cancelled.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return Promise.resolve(1).done(), Promise.delay(1).done()
            >>> asyncio.run(main())
            (True, False)
        """
        return self._state != PENDING

    def cancelled(self) -> bool:
        """Return True if the promise was cancelled.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return Promise.reject(asyncio.CancelledError()).cancelled()
            >>> asyncio.run(main())
            True
        """
        return self._state == CANCELLED

    def result(self) -> Any:
        """Return the value, or raise the reason.

        Asking a rejected promise marks its rejection as handled.

        Raises:
            asyncio.InvalidStateError: the promise is pending; write ``await promise``.
            asyncio.CancelledError: the promise was cancelled.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return Promise.resolve(42).result()
            >>> asyncio.run(main())
            42
        """
        if self._state == FULFILLED:
            return self._value
        raise self._reason("result")

    def exception(self) -> BaseException | None:
        """Return the reason of a rejected promise, or None if it was fulfilled.

        Asking a rejected promise marks its rejection as handled.

        Raises:
            asyncio.InvalidStateError: the promise is pending; write ``await promise``.
            asyncio.CancelledError: the promise was cancelled.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return Promise.reject(ValueError("no")).exception()
            >>> asyncio.run(main())
            ValueError('no')
        """
        if self._state == FULFILLED:
            return None
        reason = self._reason("exception")
        if self._state == REJECTED:
            return reason
        raise reason

    def _reason(self, call: str) -> BaseException:
        if self._state == PENDING:
            return asyncio.InvalidStateError(f"{call}() called while pending: {self!r}")
        reason: BaseException = self._value.retrieve(self)
        return reason

    def add_done_callback(self, callback: Callable[[Self], object], /, *, context: Context | None = None) -> None:
        """Call *callback* with this promise once it has settled, in order with its handlers.

        The callback runs in *context*, or in a copy of the current one. It is a consumer of the promise, but does
        not handle a rejection. What it raises goes to the loop's exception handler.

        Raises:
            TypeError: *callback* is not callable, or is a coroutine function, which would never be awaited.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     Promise.resolve(42).add_done_callback(print)
            >>> asyncio.run(main())
            <Promise fulfilled 42>
        """
        check_callback(".add_done_callback", callback)
        if self._queue.debug:
            self._queue.check_thread("add_done_callback")
        subscribe(self, DoneCallback(self, callback, context), "add_done_callback")

    def remove_done_callback(self, callback: Callable[[Self], object], /) -> int:
        """Remove *callback* wherever it was added, and return the number removed.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     promise = Promise.delay(0.01)
            ...     promise.add_done_callback(print)
            ...     return promise.remove_done_callback(print)
            >>> asyncio.run(main())
            1
        """
        if self._queue.debug:
            self._queue.check_thread("remove_done_callback")
        reactions = list(self._reactions) if type(self._reactions) is dict else [self._reactions]
        matching = [one for one in reactions if isinstance(one, DoneCallback) and one.callback == callback]
        for reaction in matching:
            withdraw(self, reaction)
        return len(matching)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop that the promise belongs to.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return Promise.resolve().get_loop() is asyncio.get_running_loop()
            >>> asyncio.run(main())
            True
        """
        return self._queue.loop

    # asyncio reads these two; without them `gather()` would hang.

    def _make_cancelled_error(self) -> BaseException:
        if self._state != CANCELLED:
            return CancelledError()  # a cancelled gather() asks its last child for it, however that ended
        reason: BaseException = self._value.retrieve(self)
        return reason

    @property
    def _cancel_message(self) -> Any:
        args = self._value.args if self._state == CANCELLED else ()
        return args[0] if args else None

    def __repr__(self) -> str:
        return _described(self)

    def __await__(self) -> Generator[Any, Any, T_co]:
        # Awaiting a fulfilled promise does not suspend, like a coroutine that never suspends.
        iterator: Generator[Any, Any, T_co] = give(self._value) if self._state == FULFILLED else wait(self)
        return iterator

    # Other ways to make a promise; each is documented in the module that defines it.

    resolve = ClassOnly(_factories.resolve)
    reject = ClassOnly(_factories.reject)
    try_ = ClassOnly(_factories.try_)
    with_resolvers = ClassOnly(_factories.with_resolvers)
    delay = ClassOnly(_factories.delay)
    from_thenable = ClassOnly(_thenable.from_thenable)
    submit = ClassOnly(_executors.submit)

    all = ClassOnly(combinators.all_)
    all_settled = ClassOnly(combinators.all_settled)
    all_keyed = ClassOnly(combinators.all_keyed)
    all_settled_keyed = ClassOnly(combinators.all_settled_keyed)
    any = ClassOnly(combinators.any_)
    race = ClassOnly(combinators.race)
    some = ClassOnly(combinators.some)
    as_completed = ClassOnly(combinators.as_completed)

    map = ClassOnly(mapping.map_)
    map_unordered = ClassOnly(mapping.map_unordered)
    filter = ClassOnly(mapping.filter_)
    reduce = ClassOnly(mapping.reduce_)
    each = ClassOnly(mapping.each)


@recursive_repr("<Promise ...>")
def _described(promise: Promise[Any]) -> str:
    state = _STATES[promise._state]
    if promise._state == FULFILLED:
        return f"<Promise {state} {short(promise._value)}>"
    if promise._state == REJECTED:
        return f"<Promise {state} {short(promise._value.reason)}>"
    return f"<Promise {state}{_waiting_for(promise)}>"


def _waiting_for(promise: Promise[Any]) -> str:
    # In the user's terms: the handler, the Task, or the call that it waits for.
    upstream = promise._upstream
    names = [name_of(handler) for handler in handlers_of(promise) if handler is not None]
    if names:
        return f", waiting to call {' or '.join(dict.fromkeys(names))}"
    if isinstance(upstream, TASKS):
        return f", running {upstream.get_name()}"
    if upstream is None:
        return ""
    if isinstance(upstream, Upstream):
        return f", following {upstream!r}"
    if isinstance(upstream, Core | asyncio.Future):
        return f", following a {type(upstream).__name__}"
    # A coroutine in its first step.
    return f", running {getattr(upstream, '__name__', type(upstream).__name__)}"


def _refuse_subclass(cls: type) -> NoReturn:
    raise TypeError(f"{cls.__name__} cannot subclass Promise: write a function that returns one")


use_promise_class(Promise)

# A compiled class is final anyway, and cannot have a method meant for subclasses.
with suppress(TypeError):
    cast(Any, Promise).__init_subclass__ = classmethod(_refuse_subclass)

# asyncio shows the callbacks of a Task by their names; for compiled ones it shows the promise's class anyway.
with suppress(AttributeError):
    cast(Any, Core._on_done).__qualname__ = "Promise._on_done"
