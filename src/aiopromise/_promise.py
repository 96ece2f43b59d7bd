"""The promise that users hold: ways to make one of an awaitable or an executor, and to chain from it."""

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar, final

from aiopromise._engine.cancellation import Shield, cancel
from aiopromise._engine.core import Core, link, resolve_with, take_outcome, wait_for
from aiopromise._engine.coroutines import as_coroutine
from aiopromise._engine.queue import Queue
from aiopromise._engine.settle import broke_off
from aiopromise._engine.state import begin, pending, subscribe
from aiopromise._engine.tasks import FUTURES, is_awaitable, new_task
from aiopromise._errors import check_seconds, close_refused, needs_function, needs_loop, short
from aiopromise._executor import check_executor, execute
from aiopromise._executors import Job
from aiopromise._future import FutureLike
from aiopromise._handlers import Effect, FinalEffect, Spread, checked
from aiopromise._loops import queue_of
from aiopromise._timeout import MISSING, Deadline

__all__ = ["Promise", "adopt", "new_promise"]

T_co = TypeVar("T_co", covariant=True)

Handler = Callable[[Any], Any]


@final
class Promise(FutureLike, Awaitable[T_co]):
    """Make a promise of an awaitable, or of an executor that is called now.

    - An awaitable is started (a coroutine, as `asyncio.create_task` does) or followed (a Task, a Future, another
      promise, anything with ``__await__``), and also a `concurrent.futures.Future`. The promise settles as
      ``await source`` would: ``await Promise(source) == await source``.
    - An executor is a function ``executor(resolve, reject)``, called before ``Promise()`` returns. What it raises
      before it has called either of them rejects the promise (ECMA-262 27.2.3.1).

    A promise belongs to the event loop on which it was made. It is kept alive while its work is running.

    Raises:
        TypeError: *source* is neither; or the executor is a coroutine function, whose body nobody would await.
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

    __slots__ = ("__weakref__",)

    def __init__(self, source: Any, /) -> None:
        if issubclass(type(source), concurrent.futures.Future):
            begin(self, _running_queue("Promise", source))
            Job(source, self).start()
        elif is_awaitable(source):
            begin(self, _running_queue("Promise", source))
            adopt(self, source)
        else:
            check_executor(source)
            begin(self, _running_queue("Promise", source))
            execute(self, source)
            del self, source  # this frame is seen from the traceback of what an executor has raised

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError(f"Promise cannot be subclassed, as {cls.__name__} does: write a function that returns one")

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a promise cannot be pickled or copied, it belongs to its event loop: {self!r}")

    def then(self, on_fulfilled: Handler | None = None, on_rejected: Handler | None = None) -> "Promise[Any]":
        """Return a promise for what *on_fulfilled* makes of the value: ``await p.then(f)`` is ``f(await p)``.

        One of the handlers is called, once, with one argument: *on_fulfilled* with the value, *on_rejected* with
        the reason if that is an `Exception`. Neither is called on cancellation. Without a handler for it the
        outcome passes through unchanged, the same exception object.

        A handler may be sync or async, and may return a value or any awaitable, which is awaited once. It is never
        called within ``then()``, but from the loop, in the context (`contextvars`) in which ``then()`` was called;
        an async one runs as a Task that bears its name (ECMA-262 27.2.5.4; Promises/A+ 2.2).

        Raises:
            TypeError: a handler is not a function; a coroutine given by mistake is closed.

        Cancellation:
            Cancelling the new promise asks this one to end too, unless somebody else wants its outcome.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.resolve("7").then(int).then(lambda number: number * 6)
            >>> asyncio.run(main())
            42
        """
        if on_fulfilled is not None and not callable(on_fulfilled):
            raise needs_function(".then", on_fulfilled, on_rejected)
        if on_rejected is not None and not callable(on_rejected):
            raise needs_function(".then", on_rejected)
        return link(self, on_fulfilled, on_rejected)

    def catch(self, *types_and_handler: Any) -> "Promise[Any]":
        """Return a promise for what the handler makes of the reason; a value passes through.

        - ``catch(on_rejected)`` sees every `Exception`, and never a cancellation.
        - ``catch(KeyError, on_rejected)`` and ``catch((KeyError, OSError), on_rejected)`` see only those.
        - ``catch(asyncio.CancelledError, on_cancelled)`` recovers from a cancellation.

        The handler is called with the exception, as in `then()`.

        Raises:
            TypeError: the handler is missing or not a function, or the types are not exception classes.

        Cancellation:
            As for `then()`; a handler for `asyncio.CancelledError` is called, and awaited, first.

        Example:
            >>> import asyncio
            >>> from aiopromise import Promise
            >>> async def main():
            ...     return await Promise.try_(int, "x").catch(ValueError, lambda error: 0)
            >>> asyncio.run(main())
            0
        """
        types, handler = checked("catch", types_and_handler)
        return link(self, None, handler, types)

    def finally_(self, on_settled: Callable[[], object], /) -> "Promise[T_co]":
        """Return a promise for the same outcome, after *on_settled* was called, and awaited, whatever it was.

        The function gets no argument. What it returns is awaited and then dropped; what it raises replaces the
        outcome, with the old reason as ``__context__`` (ECMA-262 27.2.5.3).

        Raises:
            TypeError: *on_settled* is not a function.

        Cancellation:
            The function is called, and awaited, when the promise is cancelled, too. A second ``cancel()`` is
            delivered to what it awaits, as to a Task. When the loop ends, it is still waited for.

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
            raise needs_function(".finally_", on_settled)
        effect = FinalEffect(on_settled)
        return link(self, effect.on_fulfilled, effect.on_rejected, BaseException)

    def tap(self, on_fulfilled: Callable[[T_co], object], /) -> "Promise[T_co]":
        """Return a promise for the same value, after *on_fulfilled* was called with it, and awaited.

        What it returns is dropped; what it raises rejects the new promise. A rejection passes by.

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
            raise needs_function(".tap", on_fulfilled)
        return link(self, Effect(on_fulfilled).on_fulfilled, None)

    def tap_catch(self, *types_and_handler: Any) -> "Promise[T_co]":
        """Return a promise for the same outcome, after the handler was called with the reason, and awaited.

        Takes exception types first, as `catch()` does. What the handler returns is dropped: the rejection goes on.
        What it raises replaces the reason, with the old one as ``__context__``.

        Raises:
            TypeError: the handler is missing or not a function, or the types are not exception classes.

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
        types, handler = checked("tap_catch", types_and_handler)
        return link(self, None, Effect(handler).on_rejected, types)

    def spread(self, on_fulfilled: Callable[..., Any], /) -> "Promise[Any]":
        """Return a promise for ``on_fulfilled(*value)``: the elements of a tuple become arguments.

        Otherwise as `then()`. A value that cannot be unpacked rejects with `TypeError`.

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
            raise needs_function(".spread", on_fulfilled)
        return link(self, Spread(on_fulfilled), None)

    def timeout(self, seconds: float | None, *, fallback: Any = MISSING) -> "Promise[Any]":
        """Return a promise for the same outcome if it comes within *seconds*, and else reject with `TimeoutError`.

        It is ``async with asyncio.timeout(seconds): return await p``. When the time is up the work is cancelled, as
        by `cancel()`, and the new promise settles after it has ended. With *fallback* it is then fulfilled with
        that value. ``None`` sets no limit.

        Raises:
            TypeError: *seconds* is not a number, or *fallback* is an awaitable (a coroutine is closed).
            ValueError: *seconds* is not a number that can be waited for (NaN).

        Cancellation:
            As for `then()`. The timer goes with the promise.

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
            return link(self, None, None)
        check_seconds("timeout", seconds)
        promise: Promise[Any] = pending(self._queue)
        Deadline(self, promise, seconds, fallback).start()
        return promise

    def shield(self) -> "Promise[T_co]":
        """Return a promise for the same outcome whose cancellation stops there: this one goes on.

        Cancellation:
            Cancels the new promise at once, and nothing else. Compare `asyncio.shield`.

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
        promise: Promise[T_co] = pending(self._queue)
        promise._upstream = Shield(self, promise)
        subscribe(self, promise._upstream)
        return promise

    def cancel(self, msg: Any = None) -> bool:
        """Ask for this promise to end, and return False if it has settled already.

        The request goes up through every promise that nobody else wants, to whatever is running now: a Task, the
        Task of a handler, the awaitable that is followed. That is cancelled once, and its outcome travels down as
        any other does: a value fulfils, a failing cleanup rejects, ``catch(CancelledError, f)`` recovers, and
        `asyncio.CancelledError` cancels. With nothing running the promise is cancelled at once.

        A promise is wanted by its pending children, awaiters, followers and done callbacks; a variable does not
        count. *msg* becomes the argument of the `asyncio.CancelledError`.

        Cancellation:
            Cancelling a Task that awaits a promise is such a request too, if it is the last consumer; ``cancel()``
            itself ends the promise whoever awaits it. A second request is delivered, too, as with Tasks.

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


def new_promise(call: str, *arguments: Any, **named: Any) -> "Promise[Any]":
    """Return a pending promise on the running loop; the call is what the user wrote, should there be none."""
    promise: Promise[Any] = pending(_running_queue(call, *arguments, **named))
    return promise


def adopt(promise: "Promise[Any]", awaitable: Any) -> None:
    """Let a new *promise* follow *awaitable*; a coroutine becomes a Task as `asyncio.create_task` makes one."""
    if issubclass(type(awaitable), Core) or issubclass(type(awaitable), FUTURES):
        resolve_with(promise, awaitable)
        return
    queue = promise._queue
    coroutine = as_coroutine(awaitable)
    try:
        task = new_task(queue.loop, coroutine)
    except BaseException:
        coroutine.close()
        raise
    try:
        if task.done():
            take_outcome(promise, task)
        else:
            wait_for(promise, task, queue.works)
    except BaseException as error:
        if broke_off(promise, error):
            raise


def _running_queue(call: str, *arguments: Any, **named: Any) -> Queue:
    loop = asyncio._get_running_loop()
    if loop is not None:
        return queue_of(loop, Promise)
    raise needs_loop(call, *arguments, **named)
