"""Shutdown: cancel what is unfinished when a loop ends, and wait for it."""

import asyncio
import sys
import warnings
from collections.abc import AsyncGenerator
from typing import Any

from aiopromise._engine.cancellation import end
from aiopromise._engine.queue import Queue
from aiopromise._engine.state_codes import PENDING
from aiopromise._engine.tasks import FUTURES

__all__ = ["start_generator", "start_shutdown_hook"]


async def _shutdown_hook(queue: Queue) -> AsyncGenerator[None, None]:
    """Finish *queue* when the loop ends.

    A loop tracks its asynchronous generators and closes them at shutdown: after cancelling all Tasks, and while it
    can still run their cleanup. No other hook runs early enough.
    """
    try:
        yield
    finally:
        queue.is_finishing = True
        try:
            await _finish(queue)
        finally:
            # The loop may run again, and shut down again; also if this was cancelled.
            queue.mark_finished()


def start_shutdown_hook(queue: Queue) -> AsyncGenerator[None, None]:
    """Return the shutdown hook of *queue*, registered with its loop."""
    hook = _shutdown_hook(queue)
    if not getattr(queue.loop, "_asyncgens_shutdown_called", queue.has_ended):
        _start(hook, queue.loop)
        return hook
    with warnings.catch_warnings():
        # The loop warns about generators started after shutdown_asyncgens(), as that may not be called again.
        warnings.simplefilter("ignore", ResourceWarning)
        _start(hook, queue.loop)
    return hook


def start_generator(generator: AsyncGenerator[Any, None], queue: Queue) -> None:
    """Run *generator* to its first ``yield``, so that the loop's shutdown closes it."""
    _start(generator, queue.loop, queue.generators.add if queue.has_cleanup() else None)


def _start(generator: AsyncGenerator[Any, None], loop: asyncio.AbstractEventLoop, firstiter: Any = None) -> None:
    # The thread's hooks may not be the loop's: trio in guest mode sets its own, and a loop run by nest_asyncio has
    # none.
    hooks = sys.get_asyncgen_hooks()
    firstiter = firstiter or getattr(loop, "_asyncgen_firstiter_hook", hooks.firstiter)
    finalizer = getattr(loop, "_asyncgen_finalizer_hook", hooks.finalizer)
    sys.set_asyncgen_hooks(firstiter, finalizer)
    try:
        generator.asend(None).send(None)
    except StopIteration:
        pass
    finally:
        sys.set_asyncgen_hooks(*hooks)


async def _finish(queue: Queue) -> None:
    """Cancel everything pending once, wait for it to end, then close the generators that the cleanups were reading."""
    queue.keep_generators()
    # All Tasks have been cancelled by now. What is still running was started by a cleanup, so it is not cancelled
    # until the cleanups have ended.
    await _cancel_and_wait(queue, queue.pending_roots(older_than_cleanups=True))
    while True:
        cancelled = queue.cancelled_last
        if uncancelled := [one for one in (*queue.pending_roots(), *queue.running) if one not in cancelled]:
            await _cancel_and_wait(queue, uncancelled)
        elif queue.generators:
            await _close_generators(queue)
        else:
            return


async def _cancel_and_wait(queue: Queue, promises: list[Any]) -> None:
    queue.cancelled_last.update(promises)
    for promise in promises:
        end(promise, None)
    # A due handler may start a cleanup, and a finished cleanup may make handlers due: repeat until neither is left.
    while True:
        if queue.items:
            await asyncio.sleep(0)
        elif running := _awaited(queue.cleanups | queue.cancelled_last, queue):
            await asyncio.wait(running)
        else:
            return


def _awaited(promises: set[Any], queue: Queue) -> set[Any]:
    """Return what asyncio can wait for until all *promises* have settled."""
    awaited = set()
    for promise in promises:
        if promise._state == PENDING:
            if isinstance(promise._upstream, FUTURES):
                # Not the promise itself, where this would count as a consumer.
                awaited.add(promise._upstream)
            elif type(promise) is queue.promise_class:
                awaited.add(promise)
            # Otherwise it is an input that its combinator has detached.
    return awaited


async def _close_generators(queue: Queue) -> None:
    """Close, as the loop would, the generators that it did not close because a cleanup might be reading them."""
    generators = list(queue.generators)
    queue.generators.clear()
    results = await asyncio.gather(*(one.aclose() for one in generators), return_exceptions=True)
    for generator, result in zip(generators, results, strict=True):
        if isinstance(result, Exception):
            report = {
                "message": f"an error occurred during closing of asynchronous generator {generator!r}",
                "exception": result,
                "asyncgen": generator,
            }
            queue.loop.call_exception_handler(report)
