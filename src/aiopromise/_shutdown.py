"""Shutdown: cancel what is unfinished when a loop ends, and wait for it."""

import asyncio
import sys
import warnings
from collections.abc import AsyncGenerator
from typing import Any

from aiopromise._engine.cancellation import end
from aiopromise._engine.queue import Queue

__all__ = ["guarded", "start_generator"]


async def _guard(queue: Queue) -> AsyncGenerator[None, None]:
    """Finish *queue* when the loop ends.

    A loop tracks its asynchronous generators and closes them at shutdown: after cancelling all Tasks, and while it
    can still run their cleanup. No other hook runs early enough.
    """
    try:
        yield
    finally:
        await _finish(queue)
        # The loop may go on, and end once more.
        queue.end()


def guarded(queue: Queue) -> AsyncGenerator[None, None]:
    """Return a guard of *queue*, registered with its loop."""
    guard = _guard(queue)
    if not getattr(queue.loop, "_asyncgens_shutdown_called", queue.has_ended):
        _start(guard, queue.loop, None)
        return guard
    with warnings.catch_warnings():
        # The loop warns of generators that come after shutdown_asyncgens(), for it may not be called again.
        warnings.simplefilter("ignore", ResourceWarning)
        _start(guard, queue.loop, None)
    return guard


def start_generator(generator: AsyncGenerator[Any, None], queue: Queue) -> None:
    """Run *generator* to its first ``yield``, so that the loop's shutdown closes it."""
    _start(generator, queue.loop, queue.generators.add if queue.has_cleanup() else None)


def _start(generator: AsyncGenerator[Any, None], loop: asyncio.AbstractEventLoop, firstiter: Any) -> None:
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
    """Cancel all that is pending, once, wait until it has ended, and close what the cleanups have read."""
    queue.keep_generators()
    asked: set[Any] = set()
    # All Tasks have been cancelled by now. What runs still was begun by a cleanup, so it is left alone until the
    # cleanups have ended.
    await _cancel_and_wait(queue, queue.pending_roots(older_than_cleanups=True), asked)
    while True:
        if unasked := [one for one in (*queue.pending_roots(), *queue.works) if one not in asked]:
            await _cancel_and_wait(queue, unasked, asked)
        elif queue.generators:
            await _close_generators(queue)
        else:
            return


async def _cancel_and_wait(queue: Queue, unasked: list[Any], asked: set[Any]) -> None:
    asked.update(unasked)
    for promise in unasked:
        end(promise, None)
    # A handler that is due may begin a cleanup, and a cleanup that ends may make others due: until neither is left.
    while True:
        running = queue.cleanups | {promise for promise in asked if not promise.done()}
        if queue.items:
            await asyncio.sleep(0)
        elif running:
            await asyncio.wait(running)
        else:
            return


async def _close_generators(queue: Queue) -> None:
    """Close the generators that the loop did not close, for a cleanup might have read them, as the loop would."""
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
