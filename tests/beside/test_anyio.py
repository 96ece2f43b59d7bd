"""anyio: task groups, cancel scopes, threads and streams on its asyncio backend."""

import asyncio
from contextvars import ContextVar

import pytest

from aiopromise import Promise
from beside.endless import Endless
from helpers import value_or_class

anyio = pytest.importorskip("anyio", reason="anyio is not installed: see .ci/beside")
from_thread = pytest.importorskip("anyio.from_thread")
to_thread = pytest.importorskip("anyio.to_thread")


async def test_a_cancel_scope_reaches_the_work_of_a_promise(endless: Endless) -> None:
    """It ends when the work has ended."""
    with anyio.move_on_after(3600) as scope:
        promise = Promise(endless()).then(print)
        await_it = asyncio.ensure_future(endless.started.wait())
        await_it.add_done_callback(lambda _: scope.cancel())
        await promise
    assert scope.cancelled_caught
    assert (True, True) == (endless.cancelled.is_set(), promise.cancelled())


async def test_a_scope_that_is_cancelled_lets_a_cleanup_end() -> None:
    """A finally_() runs in a Task of its own, which no scope of its user reaches again and again."""
    steps = []

    async def cleanup() -> None:
        for step in range(3):
            await asyncio.sleep(0.001)
            steps.append(step)

    with anyio.move_on_after(0.001) as scope:
        promise = Promise.delay(3600).finally_(cleanup)
        await promise.shield()
    assert scope.cancelled_caught
    promise.cancel()
    assert asyncio.CancelledError is await value_or_class(promise)
    assert [0, 1, 2] == steps


async def test_a_time_limit_of_anyio_is_one_of_asyncio() -> None:
    with pytest.raises(TimeoutError), anyio.fail_after(0.001):
        await Promise.delay(3600)


async def test_a_shielded_scope_keeps_the_work_going() -> None:
    """The outer scope is cancelled, and the promise is awaited to the end."""
    with anyio.move_on_after(0.001), anyio.CancelScope(shield=True):
        assert 1 == await Promise.delay(0.01, 1).then(int)


async def test_tasks_of_a_group_await_promises_and_end_together(endless: Endless) -> None:
    """The failure of one cancels what the others wait for."""

    async def fails() -> None:
        await endless.started.wait()
        await Promise.reject(OSError("no"))

    async def waits() -> None:
        await Promise(endless()).then(print)

    with pytest.raises(ExceptionGroup) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(waits)
            group.start_soon(fails)
    assert ["no"] == [str(error) for error in caught.value.exceptions]
    assert endless.cancelled.is_set()


async def test_a_handler_may_use_a_task_group(endless: Endless) -> None:
    """It runs in a Task, and cancelling its promise cancels the group."""

    async def both(_: object) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(endless)
            group.start_soon(anyio.sleep_forever)

    promise = Promise.resolve().then(both)
    await endless.started.wait()
    promise.cancel()
    assert asyncio.CancelledError is await value_or_class(promise)
    assert endless.cancelled.is_set()


async def test_threads_are_links_and_settle_promises(visitor: ContextVar[str]) -> None:
    """A function in a thread sees the context variables, and may come back to the loop."""
    visitor.set("Ann")
    promise, resolve, _ = Promise.with_resolvers()

    def in_a_thread() -> str:
        resolve("from a thread")
        return from_thread.run(ask)

    async def ask() -> str:
        return await promise.then(lambda value: f"{value} of {visitor.get()}")

    assert "from a thread of Ann" == await Promise(to_thread.run_sync(in_a_thread))
    assert ["A", "B"] == await Promise.map(["a", "b"], lambda text: to_thread.run_sync(text.upper))


async def test_a_memory_stream_is_a_source_of_items() -> None:
    """And is closed when the map has ended."""
    send, receive = anyio.create_memory_object_stream[int](10)
    for number in range(4):
        send.send_nowait(number)
    send.close()
    async with receive:
        assert ["0", "1", "2", "3"] == await Promise.map(receive, str, concurrency=2)


async def test_a_capacity_limiter_guards_the_calls() -> None:
    limiter, most = anyio.CapacityLimiter(2), []

    async def call(number: int) -> int:
        async with limiter:
            most.append(limiter.borrowed_tokens)
            await asyncio.sleep(0)
            return number

    assert [*range(6)] == await Promise.map(range(6), call)
    assert 2 == max(most)
