"""What a promise has of asyncio's Future, and where asyncio's own types take one."""

import asyncio
from contextvars import copy_context
from typing import assert_type

from aiopromise import Promise, UnhandledRejection, on_unhandled_rejection
from handlers import Row, row


def a_promise_has_what_a_future_has(promise: Promise[int]) -> None:
    assert_type(promise.done(), bool)
    assert_type(promise.cancelled(), bool)
    assert_type(promise.result(), int)
    assert_type(promise.exception(), BaseException | None)
    assert_type(promise.cancel(), bool)
    assert_type(promise.cancel("enough"), bool)
    assert_type(promise.cancel(msg="enough"), bool)
    assert_type(promise.get_loop(), asyncio.AbstractEventLoop)


def done_callbacks_are_given_the_promise(promise: Promise[int]) -> None:
    def when_done(done: Promise[int]) -> None:
        assert_type(done.result(), int)

    promise.add_done_callback(when_done)
    promise.add_done_callback(lambda done: done.result().bit_length())
    promise.add_done_callback(print, context=copy_context())
    assert_type(promise.remove_done_callback(when_done), int)


async def asyncio_takes_a_promise(promise: Promise[int]) -> None:
    assert_type(await asyncio.gather(promise, row(), promise.then(str)), tuple[int, Row, str])
    assert_type(await asyncio.wait_for(promise, 1), int)
    assert_type(await asyncio.shield(promise), int)
    for first in asyncio.as_completed([promise, promise]):
        assert_type(await first, int)
    assert_type(await asyncio.ensure_future(promise), int)
    # For asyncio's types it makes a Future of a promise; when it runs, it returns the promise itself.
    future: asyncio.Future[int] = asyncio.ensure_future(promise)
    assert_type(future.result(), int)
    done, _ = await asyncio.wait([asyncio.ensure_future(promise)])
    assert_type([one.result() for one in done], list[int])
    print(asyncio.isfuture(promise))


async def rejections_that_nobody_took() -> None:
    def report(event: UnhandledRejection) -> None:
        assert_type(event.promise, Promise[object])
        assert_type(event.reason, BaseException)
        assert_type(event.handled, bool)

    stop = on_unhandled_rejection(report)
    Promise.reject(OSError("gone"))
    await asyncio.sleep(0)
    assert_type(stop(), None)
