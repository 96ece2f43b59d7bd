"""What `aiopromise.testing` offers to a project's tests."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aiopromise import Promise
from aiopromise.testing import (
    Deferred,
    DeferredFunction,
    assert_cancelled,
    assert_fulfilled,
    assert_pending,
    assert_rejected,
    settle,
)


async def forever(number: object = None) -> None:
    """Stand for work that ends only when it is cancelled."""
    await asyncio.Event().wait()


def run_on(loop_factory: Callable[[], asyncio.AbstractEventLoop], main: Coroutine) -> Any:
    """Run *main* on a loop of its own."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main)


def uvloop_factory() -> asyncio.AbstractEventLoop:
    """Make a loop that is not asyncio's own."""
    import uvloop

    return uvloop.new_event_loop()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop_factory], ids=["asyncio", "uvloop"])
def on_loop(request: pytest.FixtureRequest) -> Callable[[Coroutine], Any]:
    """Run the coroutine that it is given on asyncio's loop, and on uvloop."""
    if request.param is uvloop_factory:
        pytest.importorskip("uvloop")  # here, where no coroutine has been made yet
    return lambda main: run_on(request.param, main)


# ------------------------------------------------------------- the loop at rest


async def test_settle_lets_every_handler_run_that_is_due(loop_mode: str) -> None:
    """Sync and async handlers, however long the chain and however often they give way."""
    seen = []

    async def note(value: int) -> int:
        for _ in range(3):
            await asyncio.sleep(0)
        seen.append(value)
        return value + 1

    promise = Promise.resolve(0)
    for _ in range(20):
        promise = promise.then(note).then(lambda value: value + 1)
    await settle()
    assert list(range(0, 40, 2)) == seen
    assert_fulfilled(promise, 40)


def test_settle_lets_tasks_run_that_have_nothing_to_do_with_promises(on_loop: Callable) -> None:
    """It is about the loop: two Tasks that hand a token to each other are done with it afterwards."""

    async def play(mine: asyncio.Queue, other: asyncio.Queue) -> None:
        while (rounds := await mine.get()) > 0:
            other.put_nowait(rounds - 1)

    async def main() -> int:
        left: asyncio.Queue = asyncio.Queue()
        right: asyncio.Queue = asyncio.Queue()
        players = [asyncio.ensure_future(play(left, right)), asyncio.ensure_future(play(right, left))]
        left.put_nowait(51)
        await settle()
        return sum(player.done() for player in players)

    assert 1 == on_loop(main())


def test_settle_does_not_wait_for_a_timer(on_loop: Callable) -> None:
    """What sleeps for an hour is left asleep, and a timer that is due has been served."""

    async def main() -> None:
        asleep = Promise.delay(3600)
        due: Promise = Deferred().promise.timeout(0, fallback="due")
        await settle()
        assert_pending(asleep)
        assert_fulfilled(due, "due")

    on_loop(main())


def test_settle_serves_input_that_is_there(on_loop: Callable) -> None:
    """A peer that has sent is heard; one that has not is not waited for."""

    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        heard: list[bytes] = []
        with here, there:
            here.setblocking(False)
            loop.add_reader(here, lambda: heard.append(here.recv(10)))
            # Only when settle() has run the loop, and only the answer is outstanding.
            loop.call_soon(there.send, b"hello")
            await settle()
            loop.remove_reader(here)
        return heard

    assert [b"hello"] == on_loop(main())


def test_settle_names_a_task_that_polls(on_loop: Callable) -> None:
    """Work that never goes idle is named, after a bounded number of iterations."""

    async def poll() -> None:
        while True:  # noqa: ASYNC110 - this is what settle() must bear
            await asyncio.sleep(0)

    async def main() -> str:
        poller = asyncio.create_task(poll(), name="the poller")
        with pytest.raises(RuntimeError) as caught:
            await settle(turns=50)
        poller.cancel()
        return str(caught.value)

    first, _, rest = on_loop(main()).partition("\n")
    assert first.startswith("settle() ran the loop 50 times, and it is still busy: <Task ")
    assert "name='the poller'" in first
    assert rest == ("\nIf it does finish, raise settle(turns=...); if it polls, make it wait for an event instead")


def test_settle_names_the_handler_of_a_chain_without_end(on_loop: Callable) -> None:
    """A chain that always adds a link to itself is found by the name of the handler."""
    stopped = []

    def again(value: object) -> Promise | None:
        return None if stopped else Promise.resolve().then(again)

    async def main() -> str:
        Promise.resolve().then(again)
        with pytest.raises(RuntimeError) as caught:
            await settle(turns=5)
        stopped.append(True)
        await settle()
        return str(caught.value).splitlines()[0]

    assert on_loop(main()).endswith("still busy: <Promise pending, waiting to call again>")


def test_settle_leaves_the_loop_as_it_was(on_loop: Callable) -> None:
    """Nothing of it stays on the loop, whether it came to an end or not."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = set(vars(loop))
        await settle()
        with pytest.raises(RuntimeError):
            await settle(turns=0)
        assert before == set(vars(loop))

    on_loop(main())


def test_settle_takes_as_many_turns_as_it_is_allowed(on_loop: Callable) -> None:
    """Work that needs more than the thousand turns of the default is waited for when the test says so."""

    async def slow() -> str:
        for _ in range(1500):
            await asyncio.sleep(0)
        return "done"

    async def main() -> None:
        promise = Promise(slow())
        with pytest.raises(RuntimeError, match="1000 times"):
            await settle()
        await settle(turns=2000)
        assert_fulfilled(promise, "done")

    on_loop(main())


def test_a_second_settle_is_refused_while_one_lets_the_loop_turn(on_loop: Callable) -> None:
    """Each would wait for the other; the first continues, and another may be called afterwards."""

    async def main() -> list:
        ended = await asyncio.gather(settle(), settle(), return_exceptions=True)
        await settle()
        return ended

    first, second = on_loop(main())
    assert first is None
    assert isinstance(second, RuntimeError)
    assert str(second) == (
        "settle() was called while another settle() is running on this loop\n\nCall it once, in the test itself"
    )


# --------------------------------------------------------------- deferreds


async def test_a_deferred_ends_as_the_test_says() -> None:
    """Fulfilled, following what it is given, or rejected."""
    fulfilled, followed, rejected = Deferred(), Deferred(), Deferred()
    inner = Deferred()
    fulfilled.resolve(1)
    followed.resolve(inner.promise)
    inner.resolve(2)
    rejected.reject(KeyError("no"))
    await settle()
    assert [1, 2] == [assert_fulfilled(fulfilled.promise), assert_fulfilled(followed.promise)]
    assert_rejected(rejected.promise, KeyError)


async def test_a_second_decision_about_a_deferred_is_a_mistake() -> None:
    """The resolvers of a promise ignore it, but here the test fails; even while the first still follows something."""
    deferred: Deferred = Deferred("x", page=3)
    deferred.resolve(Deferred().promise)
    with pytest.raises(RuntimeError) as caught:
        deferred.reject(ValueError("late"))
    assert str(caught.value) == (
        "reject(ValueError('late')) came too late: the deferred was already resolved: "
        "<Deferred('x', page=3) of <Promise pending, following a Promise>>"
    )


async def test_a_decision_about_a_cancelled_deferred_is_a_mistake() -> None:
    """The code under test has given up, and a test that continues regardless does not test what it seems to."""
    deferred: Deferred = Deferred()
    deferred.promise.cancel()
    with pytest.raises(RuntimeError) as caught:
        deferred.resolve(forever())  # closed, or it would warn
    assert str(caught.value).startswith("resolve(<coroutine object forever")
    assert str(caught.value).endswith(
        "came too late: the deferred has already settled: <Deferred() of <Promise cancelled>>"
    )


async def test_a_refused_reason_is_no_decision() -> None:
    """A non-exception is refused as by any resolver, and the deferred can still be settled."""
    deferred: Deferred = Deferred()
    with pytest.raises(TypeError, match=r"reject\(\) needs an exception, got 'no'"):
        deferred.reject("no")
    deferred.resolve(1)
    assert_fulfilled(deferred.promise, 1)


async def test_a_deferred_function_shows_how_it_was_called_and_ends_each_call_by_itself() -> None:
    """Arguments, order and number at a time are what a test of concurrency looks at."""
    fetch: DeferredFunction[str] = DeferredFunction("fetch")
    pages = Promise.map(["a", "b", "c"], fetch, concurrency=2)
    await settle()
    assert [("a",), ("b",)] == [call.args for call in fetch.calls]
    fetch.calls[1].resolve("B")
    await settle()
    assert [("a",), ("b",), ("c",)] == [call.args for call in fetch.calls]
    fetch.calls[0].resolve("A")
    fetch.calls[2].resolve("C")
    assert ["A", "B", "C"] == await pages
    fetch("d", encoding="utf-8")
    assert {"encoding": "utf-8"} == fetch.calls[3].kwargs
    assert "<DeferredFunction fetch with 4 calls>" == repr(fetch)


async def test_a_deferred_function_hears_of_cancellation() -> None:
    """A test sees that the code under test cancelled what it no longer needs."""
    fetch: DeferredFunction[str] = DeferredFunction("fetch")
    race = Promise.race([fetch(1).then(str), forever()])
    race.cancel()
    await settle()
    assert_cancelled(fetch.calls[0].promise)


async def test_reprs_and_tasks_show_the_name_of_a_deferred_function() -> None:
    """It reads as the function that it stands for."""
    assert "<Promise pending, waiting to call fetch>" == repr(Deferred().promise.then(DeferredFunction("fetch")))


# -------------------------------------------------------------- assertions

ASSERTIONS = [assert_pending, assert_fulfilled, assert_rejected, assert_cancelled]


def in_each_state() -> dict[Callable, Promise]:
    """Return a promise that stands as each of the assertions says."""
    cancelled = Promise.reject(asyncio.CancelledError())
    rejected = Promise.reject(ValueError("no"))
    return dict(zip(ASSERTIONS, [Deferred().promise, Promise.resolve(5), rejected, cancelled], strict=True))


@pytest.mark.parametrize("assertion", ASSERTIONS, ids=lambda assertion: assertion.__name__)
async def test_an_assertion_holds_for_its_state_alone(assertion: Callable) -> None:
    """It passes in one state, and in each other fails with what it found."""
    hint = "\n\nWrite `await settle()` first to run everything that is ready, or `await promise` to wait for it"
    for right, promise in in_each_state().items():
        if right is assertion:
            assertion(promise)
        else:
            with pytest.raises(AssertionError) as caught:
                assertion(promise)
            text = f"{assertion.__name__}() got {promise!r}{hint if right is assert_pending else ''}"
            assert text == str(caught.value)
            assert (caught.value.__cause__ is None) == (right is not assert_rejected)


@pytest.mark.parametrize("assertion", ASSERTIONS, ids=lambda assertion: assertion.__name__)
def test_an_assertion_needs_a_promise(assertion: Callable) -> None:
    """A coroutine is not taken for one, and is closed."""
    with pytest.raises(TypeError) as caught:
        assertion(forever())
    assert str(caught.value).startswith(f"{assertion.__name__}() needs a promise, got <coroutine object forever")


async def test_assert_fulfilled_compares_and_returns_the_value() -> None:
    """So that the test can go on with it."""
    nan = float("nan")
    assert_fulfilled(Promise.resolve(nan), nan)
    assert_fulfilled(Promise.resolve(None), None)
    assert [1] == assert_fulfilled(Promise.resolve([1]))
    with pytest.raises(AssertionError) as caught:
        assert_fulfilled(Promise.resolve(5), None)
    assert "assert_fulfilled() expected None, got 5" == str(caught.value)


async def test_assert_rejected_compares_type_and_text_and_returns_the_reason() -> None:
    """The reason is the cause of the failure, with its traceback."""
    reason = KeyError("name")
    assert reason is assert_rejected(Promise.reject(reason), (KeyError, OSError), match="na.e")
    with pytest.raises(AssertionError) as caught:
        assert_rejected(Promise.reject(reason), (ValueError, OSError))
    assert "assert_rejected() expected ValueError or OSError, got KeyError('name')" == str(caught.value)
    assert reason is caught.value.__cause__
    with pytest.raises(AssertionError) as caught:
        assert_rejected(Promise.reject(reason), KeyError, match="^other")
    assert "assert_rejected() expected '^other' in \"'name'\"" == str(caught.value)
    assert reason is caught.value.__cause__


async def test_assert_rejected_takes_the_rejection(reports: list[dict]) -> None:
    """What a test has asserted is handled, and not reported when the promise dies."""
    assert_rejected(Promise.reject(ValueError("expected")))
    assert [] == reports
