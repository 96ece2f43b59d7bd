"""A `concurrent.futures.Future` as the upstream of a promise: a job that runs in another thread or process."""

import asyncio
import concurrent.futures
from collections.abc import Callable
from contextvars import Context
from typing import Any, final

from aiopromise._engine.core import Core
from aiopromise._engine.coroutines import shown_as
from aiopromise._engine.settle import broke_off, fail, settle
from aiopromise._engine.state import FULFILLED, State, Tie
from aiopromise._errors import args_of

__all__ = ["Job"]


@final
class Job(Tie):
    """Settles its promise, on the loop of that, with the outcome of a future that knows no loop."""

    __slots__ = ("_explain", "_future", "_promise")

    def __init__(
        self,
        future: "concurrent.futures.Future[Any]",
        promise: Core,
        explain: Callable[[BaseException], object] | None = None,
    ) -> None:
        # Until one of the two has ended: its callback refers to this job.
        self._future = future
        self._promise = promise
        self._explain = explain

    def __repr__(self) -> str:
        return "a job"

    def start(self) -> None:
        """Wait for the future; its callback comes from whatever thread ran the job."""
        self._promise._upstream = self
        self._promise._queue.watch(self._promise)
        try:
            self._future.add_done_callback(self._tell)
        except BaseException as error:
            if broke_off(self._promise, error):
                raise

    def stop(self, promise: State, message: Any) -> tuple[()]:
        """Cancel the job unless it is running: then nobody can stop it, and it is not waited for."""
        self._future.cancel()
        del self._future
        return ()

    def _tell(self, future: "concurrent.futures.Future[Any]") -> None:
        queue = self._promise._queue
        try:
            queue.loop.call_soon_threadsafe(self._settle, future, context=Context())
        except RuntimeError:
            self._report_failure(future)  # the loop was closed, and nobody waits any more

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
                fail(self._promise, error)
        except BaseException as error:
            if broke_off(self._promise, error):
                raise

    def _failure(self, future: "concurrent.futures.Future[Any]") -> BaseException | None:
        if future.cancelled():
            return asyncio.CancelledError()
        error = future.exception()
        if error is not None and issubclass(type(error), concurrent.futures.CancelledError):
            return asyncio.CancelledError(*args_of(error))
        if error is not None and self._explain is not None:
            self._explain(error)
        return error

    def _report_failure(self, future: "concurrent.futures.Future[Any]") -> None:
        """Tell the loop's exception handler what can be told to nobody else."""
        error = self._failure(future)
        if error is not None and not issubclass(type(error), asyncio.CancelledError):
            message = "a job failed when nobody waited for it any more"
            self._promise._queue.loop.call_exception_handler({"message": message, "exception": error})
