"""`promise.settled()`: how a promise ends, as a value; and what it does not swallow."""

import asyncio
from asyncio import CancelledError

import pytest

from aiopromise import Fulfilled, Promise, on_unhandled_rejection
from helpers import outcome, turns

pytestmark = pytest.mark.usefixtures("loop_mode")


async def test_a_value_is_fulfilled_and_a_reason_rejected(timing) -> None:
    error = ValueError("no")
    assert Fulfilled("value") == await timing.fulfilled("value").settled()
    assert error is (await timing.rejected(error).settled()).reason


async def test_a_cancellation_from_elsewhere_is_rejected_as_in_all_settled(timing) -> None:
    settled, [one] = await timing.cancelled().settled(), await Promise.all_settled([timing.cancelled()])
    assert "Rejected(CancelledError())" == repr(settled) == repr(one)


async def test_a_value_that_can_be_awaited_passes_unawaited() -> None:
    inner = Promise.resolve("inner")
    source, resolve, _ = Promise.with_resolvers()
    future = asyncio.get_running_loop().create_future()
    future.set_result(inner)
    resolve(future)
    assert Fulfilled(inner) == await source.settled()


async def test_the_failure_is_handled(reports) -> None:
    """Nobody is told of it, now or later."""
    events: list = []
    remove = on_unhandled_rejection(events.append)
    settled = Promise.reject(ValueError("no")).settled()
    await turns()
    remove()
    assert ("[]", "[]", "Rejected(ValueError('no'))") == (repr(events), repr(reports), repr(await settled))


async def test_a_map_goes_on_after_failures() -> None:
    found = await Promise.map(["1", "x", "3"], lambda text: Promise.try_(int, text).settled(), concurrency=1)
    assert ["fulfilled", "rejected", "fulfilled"] == [one.status for one in found]


@pytest.mark.parametrize("links", [0, 1])
async def test_cancelling_it_cancels_the_work_and_itself(links) -> None:
    """It ends after the work's cleanup; a value would make a cancelled Task go on."""
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("work")

    source = Promise(work())
    tip = source.settled()
    for _ in range(links):
        tip = tip.then()
    await turns(2)
    tip.cancel()
    assert ("CancelledError()", ["work"], True) == (await outcome(tip), ended, source.cancelled())


async def test_a_cancelled_task_that_awaits_it_does_not_go_on() -> None:
    async def waits() -> object:
        return await Promise(asyncio.Event().wait()).settled()

    task = asyncio.create_task(waits())
    await turns(3)
    task.cancel()
    assert "CancelledError()" == await outcome(task)


async def test_a_time_limit_around_it_is_not_swallowed() -> None:
    with pytest.raises(TimeoutError):
        await Promise.delay(3600).settled().timeout(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await Promise.delay(3600).settled()


async def test_work_that_answers_a_request_with_a_value_gives_the_value() -> None:
    """As through any link."""

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except CancelledError:
            return "all the same"
        return "never"

    settled = Promise(stubborn()).settled()
    await turns(2)
    settled.cancel()
    assert Fulfilled("all the same") == await settled


async def test_a_source_with_another_consumer_goes_on() -> None:
    source, resolve, _ = Promise.with_resolvers()
    other, settled = source.then(), source.settled()
    settled.cancel()
    assert (True, False) == (settled.cancelled(), source.done())
    resolve("value")
    assert "value" == await other


async def test_one_that_is_cancelled_while_the_outcome_is_due_stays_cancelled() -> None:
    source, resolve, _ = Promise.with_resolvers()
    settled = source.settled()
    resolve("value")
    settled.cancel()
    await turns()
    assert (True, "value") == (settled.cancelled(), await source)


async def test_a_promise_that_follows_its_own_outcome_is_rejected() -> None:
    source, resolve, _ = Promise.with_resolvers()
    settled = source.settled()
    resolve(settled)
    assert "Rejected(TypeError(" in repr(await settled)
