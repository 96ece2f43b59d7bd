"""Jobs in another thread or process: `submit()`, and promises that follow an executor's future."""

import asyncio
import concurrent.futures
import re
from collections.abc import Callable
from contextvars import Context
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, final

from aiopromise._engine.core import Core, reject, reject_caught, settle, without_our_frames
from aiopromise._engine.coroutines import shown_as
from aiopromise._engine.state import Upstream
from aiopromise._engine.state_codes import FULFILLED
from aiopromise._engine.tasks import Wrapper
from aiopromise._errors import add_note, args_of, close_refused, needs_function, not_a_future, short, text_of
from aiopromise._loops import new_promise

if TYPE_CHECKING:
    from aiopromise._promise import Promise

__all__ = ["ExecutorFuture", "Submitted", "check_submit", "submit"]

_CANNOT_TRAVEL: Final = re.compile("pickle|serialize|local object")


@final
class ExecutorFuture(Upstream):
    """Settles a promise, on its loop, with the outcome of a `concurrent.futures.Future`."""

    __slots__ = ("_explain", "_future", "_promise")

    def __init__(
        self,
        future: "concurrent.futures.Future[Any]",
        promise: Core,
        explain: Callable[[BaseException], object] | None = None,
    ) -> None:
        # Until either has ended, as the callback refers to this job.
        self._future = future
        self._promise = promise
        self._explain = explain

    def __repr__(self) -> str:
        return "a job"

    def start(self) -> None:
        """Wait for the future; its callback runs in the thread that ran the job."""
        self._promise._upstream = self
        self._promise._queue.watch(self._promise)
        try:
            if not callable(getattr(self._future, "add_done_callback", None)):
                raise not_a_future(self._future)
            self._future.add_done_callback(self._tell)
        except BaseException as error:
            if reject_caught(self._promise, error):
                raise

    def cancel(self, message: Any) -> tuple[()]:
        """Cancel the job unless it is running: then it cannot be stopped, and is not waited for."""
        self._future.cancel()
        del self._future
        return ()

    def _tell(self, future: "concurrent.futures.Future[Any]") -> None:
        # In the job's thread: only thread-safe methods of the loop may be used.
        queue = self._promise._queue
        try:
            queue.loop.call_soon_threadsafe(self._settle, future, context=Context())
        except RuntimeError:
            self._report_failure(future)  # the loop was closed, so nobody is waiting

    @shown_as("Promise._on_job_done")
    def _settle(self, future: "concurrent.futures.Future[Any]") -> None:
        if self._promise._upstream is not self:
            self._report_failure(future)  # the promise was cancelled
            return
        del self._future
        try:
            if (error := self._failure(future)) is None:
                settle(self._promise, FULFILLED, future.result())
            else:
                reject(self._promise, error)
        except BaseException as error:
            if reject_caught(self._promise, error):
                raise

    def _failure(self, future: "concurrent.futures.Future[Any]") -> BaseException | None:
        if future.cancelled():
            return asyncio.CancelledError()
        # concurrent.futures has its own CancelledError; only asyncio's cancels a promise.
        error = future.exception()
        if error is not None and issubclass(type(error), concurrent.futures.CancelledError):
            return asyncio.CancelledError(*args_of(error))
        if error is not None and self._explain is not None:
            self._explain(error)
        return error

    def _report_failure(self, future: "concurrent.futures.Future[Any]") -> None:
        """Report a failure that nobody waits for to the loop's exception handler."""
        error = self._failure(future)
        if error is not None and not issubclass(type(error), asyncio.CancelledError):
            message = "a job failed after its promise was cancelled"
            self._promise._queue.loop.call_exception_handler({"message": message, "exception": error})


def submit(executor: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Promise[Any]":
    """Return a promise for the result of *fn* in *executor*: ``await Promise.submit(e, f, x)`` is ``f(x)``, run there.

    The executor is anything with the interface of `concurrent.futures.Executor`: threads, processes, or a Dask cluster
    (``Client.get_executor()``). The promise settles with the call's value, its exception (with the remote
    traceback) or its cancellation. Context variables are not carried over.

    Raises:
        TypeError: *executor* has no ``submit()``, or *fn* is not callable, or is a coroutine function, which would
            never be awaited.
        RuntimeError: no event loop is running.

    Cancellation:
        Cancels the executor's future. A call that is already running cannot be stopped, and is not waited for; if
        it then fails, the loop's exception handler is called.

    Example:
        >>> import asyncio
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from aiopromise import Promise
        >>> async def main():
        ...     with ThreadPoolExecutor() as threads:
        ...         return await Promise.submit(threads, pow, 2, 10)
        >>> asyncio.run(main())
        1024
    """
    check_submit("submit", executor, fn, *args, **kwargs)
    promise: Promise[Any] = new_promise("Promise.submit", (executor, fn, *args), kwargs)
    explain = partial(_explain, executor, fn, args)
    try:
        future = executor.submit(fn, *args, **kwargs)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        explain(error)
        reject(promise, without_our_frames(error))
    else:
        ExecutorFuture(future, promise, explain).start()
    try:
        return promise
    finally:
        del promise  # breaks a reference cycle


@final
class Submitted(Wrapper):
    """A function that is called in an executor."""

    __slots__ = ("_executor",)

    def __init__(self, executor: Any, fn: Callable[..., Any]) -> None:
        super().__init__(fn)
        self._executor = executor

    def __call__(self, *args: Any) -> "Promise[Any]":
        return submit(self._executor, self.handler, *args)


def check_submit(call: str, executor: Any, fn: Any, /, *args: Any, **kwargs: Any) -> None:
    """Raise unless *fn* can be called in *executor*."""
    if not callable(fn):
        raise needs_function(f"Promise.{call}", 1, executor, fn, *args, **kwargs)
    if not callable(getattr(executor, "submit", None)):
        message = f"Promise.{call}() needs an executor with submit(), got {short(executor)}"
    elif iscoroutinefunction(fn):
        message = f"Promise.{call}() needs a plain function for an executor, got the coroutine function {short(fn)}"
    else:
        return
    close_refused(*args, *kwargs.values())
    raise TypeError(message)


def _explain(executor: Any, fn: Any, args: tuple[Any, ...], error: BaseException) -> None:
    """Add what was submitted to *error*, which names only the part that could not be pickled."""
    from pickle import PicklingError

    # Pickling errors can be told only by their text: their classes vary, and are shared with other errors.
    if issubclass(type(error), PicklingError | TypeError | AttributeError) and _CANNOT_TRAVEL.search(text_of(error)):
        call = f"Promise.submit({', '.join(map(short, (executor, fn, *args)))})"
        add_note(
            error,
            f"{call}: a function, its arguments and its result are pickled to reach another process\n\n"
            "Define the function at module level, and pass it plain values.",
        )
