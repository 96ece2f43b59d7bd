"""The thirteen laws of a promise, a class for each; those of cancellation have a file of their own.

The long lines of law 2 and what a finished chain leaves behind (law 10) are in test_leaks.py, the clauses that laws 1,
3 and 5 share with Promises/A+ in test_aplus.py, and what a handler may be in test_then_catch_finally.py.
"""

import asyncio
import contextlib
import contextvars
import dataclasses
import functools
import gc
import inspect
import re
import socket
import sys
import threading
import time
import traceback
import types
import weakref
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from aiopromise import Promise, Thenable, UnhandledRejection, on_unhandled_rejection
from helpers import turns
from model import MOST, MOST_ALONG

all_modes = pytest.mark.usefixtures("loop_mode")


class Reason(Exception):
    """What promises of this file are rejected with."""


class Grave(BaseException):
    """An exception that is not an Exception."""


async def wait_for(awaitable: Any) -> Any:
    """Await, as any coroutine does."""
    return await awaitable


def future() -> asyncio.Future:
    """Return a new Future of the running loop."""
    return asyncio.get_running_loop().create_future()


def reason_of(promise: Promise) -> Promise:
    """Return a promise for what *promise* is rejected or cancelled with."""
    return promise.catch(BaseException, lambda reason: reason)


def raising(error: BaseException) -> Callable[..., Any]:
    """Return a handler that raises *error*."""

    def handler(*arguments: object, **named: object) -> None:
        raise error

    return handler


def raising_async(error: BaseException) -> Callable[..., Any]:
    """Return an async handler that raises *error* before it waits for anything."""

    async def handler(*arguments: object) -> None:
        raise error

    return handler


def raising_later(error: BaseException) -> Callable[..., Any]:
    """Return an async handler that raises *error* after it has waited."""

    async def handler(*arguments: object) -> None:
        await asyncio.sleep(0)
        raise error

    return handler


FAILING = [raising, raising_async, raising_later]


@pytest.fixture(params=["plain", "debug", *(["eager"] if sys.version_info >= (3, 12) else [])])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """Return a runner whose loop a test may leave and enter again."""
    with asyncio.Runner(debug=request.param == "debug") as runner:
        runner.get_loop().slow_callback_duration = 60
        if request.param == "eager":
            runner.get_loop().set_task_factory(asyncio.eager_task_factory)
        yield runner


@all_modes
class TestLaw1FirstResolutionWins:
    """Resolved is not settled: a promise resolved to something follows it."""

    @pytest.mark.parametrize("kind", [lambda it: it, Promise, wait_for, lambda it: asyncio.create_task(wait_for(it))])
    @pytest.mark.parametrize("second", ["resolve", "reject"])
    @pytest.mark.parametrize("when", ["at once", "while it waits", "when the other has just ended"])
    async def test_later_calls_are_ignored_by_a_promise_that_follows(self, kind, second, when, reports) -> None:
        """Once resolve(other) was called nothing but the end of the other counts."""
        promise, resolve, reject = Promise.with_resolvers()
        other = future()
        resolve(kind(other))
        if when == "while it waits":
            await turns()
        if when == "when the other has just ended":
            other.set_result("first")
        resolve("second") if second == "resolve" else reject(Reason())
        if not other.done():
            await turns()
            other.set_result("first")
        assert ("first", []) == (await promise, reports)

    async def test_a_promise_that_follows_is_pending_and_can_be_cancelled(self) -> None:
        """Resolved with what never ends, it still ends when it is asked to."""
        promise, resolve, _ = Promise.with_resolvers()
        resolve(Promise.with_resolvers().promise)
        before = promise.done()
        promise.cancel()
        assert (False, True) == (before, promise.cancelled())

    @pytest.mark.parametrize("late", ["resolve", "reject"])
    async def test_the_resolvers_of_a_cancelled_promise_are_ignored(self, late, reports) -> None:
        """Who settles it too late need not know that it was cancelled."""
        promise, resolve, reject = Promise.with_resolvers()
        promise.cancel()
        resolve("late") if late == "resolve" else reject(Reason())
        await turns()
        assert (True, []) == (promise.cancelled(), reports)


def done_future(value: object) -> asyncio.Future:
    """Return a Future that has this value."""
    made = future()
    made.set_result(value)
    return made


async def give(value: object) -> object:
    """Return *value*, as it is."""
    return value


def ring_of(count: int) -> list[Promise]:
    """Return promises each of which follows the next, and the last the first."""
    line = [Promise.with_resolvers() for _ in range(count)]
    for one, following in zip(line, [*line[1:], line[0]], strict=True):
        one.resolve(following.promise)
    return [one.promise for one in line]


@all_modes
class TestLaw2FlatteningIsOneAwait:
    """A promise has exactly the outcome of ``await`` of the awaitable."""

    @pytest.mark.parametrize("wrap", [done_future, give, lambda value: asyncio.create_task(give(value))])
    @pytest.mark.parametrize(
        "follow",
        [
            Promise,
            Promise.resolve,
            lambda awaitable: Promise.resolve().then(lambda _: awaitable),
            lambda awaitable: Promise(lambda resolve, reject: resolve(awaitable)),
        ],
        ids=["Promise()", "Promise.resolve()", "then()", "resolve()"],
    )
    async def test_what_an_awaitable_gives_is_not_awaited_again(self, follow, wrap) -> None:
        """``await`` unpacks once, and so does a promise: the inner one is the value."""
        inner = Promise.resolve("inner")
        assert inner is await follow(wrap(inner))

    @pytest.mark.parametrize(
        "link",
        [
            lambda promise: promise.then(),
            lambda promise: promise.catch(print),
            lambda promise: promise.shield(),
            lambda promise: promise.timeout(60),
            Promise,
            Promise.resolve,
            lambda promise: Promise.resolve().then(lambda _: promise),
        ],
    )
    async def test_a_value_that_can_be_awaited_passes_unawaited(self, link) -> None:
        """What ``await`` gave stays the value, through every promise that hands it on."""
        inner = Promise.resolve("inner")
        assert inner is await link(Promise(done_future(inner)))

    async def test_a_handler_is_called_with_a_value_that_can_be_awaited(self) -> None:
        """``await p.then(f)`` is ``f(await p)`` there too."""
        inner = Promise.resolve("inner")
        assert inner is await Promise(done_future(inner)).then(done_future)

    @pytest.mark.parametrize("count", [1, 2, 3, 1000])
    async def test_a_ring_is_rejected(self, count) -> None:
        """Promises that follow one another in a cycle cannot settle by themselves: TypeError for all of them."""
        reasons = [await reason_of(promise) for promise in ring_of(count)]
        assert [TypeError] * count == [type(reason) for reason in reasons]

    @pytest.mark.parametrize(
        "descend",
        [
            lambda promise: promise.then(),
            lambda promise: promise.then().finally_(int).catch(KeyError, print),
            lambda promise: promise.shield(),
            lambda promise: promise.timeout(60),
            lambda promise: Promise.resolve(promise).tap(print).shield().then(),
        ],
    )
    @pytest.mark.parametrize("siblings", [0, 3])
    async def test_following_a_promise_that_waits_for_this_one_is_rejected(self, descend, siblings) -> None:
        """A cycle of links and followers is one too, whoever else waits for them."""
        promise, resolve, _ = Promise.with_resolvers()
        others = [promise.then() for _ in range(siblings)]
        tip = descend(promise)
        resolve(tip)
        reasons = [await reason_of(one) for one in (promise, tip, *others)]
        assert [TypeError] * (2 + siblings) == [type(reason) for reason in reasons]

    @pytest.mark.parametrize(
        "gather",
        [
            asyncio.gather,
            lambda promise: asyncio.gather(promise.then(), asyncio.sleep(0)),
            lambda promise: asyncio.gather(asyncio.gather(promise.shield())),
        ],
        ids=["itself", "a link of it", "in another gather()"],
    )
    async def test_following_a_gather_of_itself_is_rejected(self, gather, reports) -> None:
        """A cycle through asyncio; awaiting the gather() raises too."""
        promise, resolve, _ = Promise.with_resolvers()
        gathered = gather(promise)
        resolve(gathered)
        assert isinstance(await reason_of(promise), TypeError)
        assert isinstance(await reason_of(Promise(gathered)), TypeError)
        child = Promise.resolve().then(lambda _: gather(child))
        assert isinstance(await reason_of(child), TypeError)
        await turns()
        gc.collect()
        assert [] == reports

    async def test_following_a_gather_of_others_gives_their_values(self) -> None:
        """As awaiting it."""
        promise, resolve, _ = Promise.with_resolvers()
        resolve(asyncio.gather(Promise.resolve(1), asyncio.sleep(0, 2), asyncio.gather(asyncio.sleep(0, 3))))
        assert [1, 2, [3]] == await promise

    @pytest.mark.parametrize("kind", ["an attribute", "a property that raises"])
    async def test_the_attributes_of_a_future_are_its_own_business(self, kind) -> None:
        """An attribute that happens to have the name of one of the library's makes no cycle, and is not read."""
        promise, resolve, _ = Promise.with_resolvers()
        names = ("source", "target", "has_many_sources")
        value = promise if kind == "an attribute" else property(raising(Reason()))
        future = type("Telling", (asyncio.Future,), dict.fromkeys(names, value))(loop=asyncio.get_running_loop())
        follower = Promise(future)
        resolve(follower)
        future.set_result("value")
        assert "value" == await promise

    async def test_a_handler_that_returns_a_descendant_of_its_own_promise_is_rejected(self, timing) -> None:
        """The same if the handler closes the cycle."""
        child = timing.fulfilled("value").then(lambda _: tip)
        tip = child.then().then()
        assert isinstance(await reason_of(tip), TypeError)

    @pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
    async def test_an_async_handler_cannot_await_its_own_promise(self, later) -> None:
        """It raises, as in a Task that awaits itself, and does not wait forever."""

        async def handler(_: object) -> None:
            if later:
                await asyncio.sleep(0)
            await child

        child = Promise.resolve().then(handler)
        child.add_done_callback(lambda _: None)  # so that it could be cancelled if it did wait
        await asyncio.wait([child], timeout=1)
        assert child.done()
        assert isinstance(child.exception(), RuntimeError)

    @pytest.mark.parametrize(
        "reject",
        [
            Promise.reject,
            lambda reason: Promise(lambda resolve, reject: reject(reason)),
            lambda reason: Promise.resolve().then(raising(reason)),
        ],
        ids=["Promise.reject()", "reject()", "raise"],
    )
    async def test_reject_never_unwraps(self, reject) -> None:
        """A reason that could be awaited is the reason."""

        class AwaitableReason(Reason):
            def __await__(self) -> Any:
                raise AssertionError("nobody should await this")

        reason = AwaitableReason()
        promise = reject(reason)
        await asyncio.wait([promise])
        assert reason is promise.exception()


@all_modes
class TestLaw3Order:
    """One first-in-first-out queue per loop holds handlers, awaiters and done callbacks."""

    @pytest.mark.parametrize("end", ["fulfilled", "rejected"])
    async def test_consumers_of_every_kind_go_in_the_order_of_their_registration(self, end) -> None:
        """Handlers, awaiting Tasks and done callbacks of one promise wait in one line."""
        promise, resolve, reject = Promise.with_resolvers()
        order: list[int] = []

        async def awaiting(number: int) -> None:
            with contextlib.suppress(Reason):
                await promise
            order.append(number)

        def register(number: int) -> Any:
            note = functools.partial(lambda number, _: order.append(number), number)
            match number % 4:
                case 0:
                    return promise.then(note, note)
                case 1:
                    return promise.add_done_callback(note)
                case 2:
                    return asyncio.create_task(awaiting(number))
            return promise.finally_(lambda: order.append(number)).catch(Reason, print)

        held = []
        for number in range(12):
            held.append(register(number))
            await turns()
        resolve("value") if end == "fulfilled" else reject(Reason())
        await turns()
        assert list(range(12)) == order

    async def test_promises_answer_in_the_order_in_which_they_settled(self) -> None:
        """It is the settling that counts, not the registration."""
        order: list[str] = []
        first, second = Promise.with_resolvers(), Promise.with_resolvers()
        ends = [second.promise.then(order.append), first.promise.then(order.append), second.promise.then(order.append)]
        first.resolve("first")
        second.resolve("second")
        await asyncio.wait(ends)
        assert ["first", "second", "second"] == order

    async def test_chains_side_by_side_take_turns(self, timing) -> None:
        """Two chains of the same promise go on link by link."""
        promise = timing.fulfilled(None)
        order: list[str] = []

        def chain_of(name: str) -> Promise:
            tip = promise
            for number in range(3):
                tip = tip.then(lambda _, step=f"{name}{number}": order.append(step))
            return tip

        await asyncio.wait([chain_of("a"), chain_of("b")])
        assert ["a0", "b0", "a1", "b1", "a2", "b2"] == order

    @pytest.mark.parametrize("settle", ["before", "within"])
    async def test_a_settled_promise_answers_later(self, settle) -> None:
        """Neither then() nor add_done_callback() nor the resolver runs anything before it returns."""
        promise, resolve, _ = Promise.with_resolvers()
        order: list[str] = []
        if settle == "before":
            resolve(None)
            await turns()
        promise.add_done_callback(lambda _: order.append("callback"))
        promise.then(lambda _: order.append("handler"))
        resolve(None)
        order.append("caller")
        await turns()
        assert ["caller", "callback", "handler"] == order


@pytest.fixture
async def ready() -> AsyncIterator[Callable[[Callable[[], int]], dict[str, int]]]:
    """Return a function that makes a timer and a socket ready, and notes when they are served."""
    loop = asyncio.get_running_loop()
    reader, writer = socket.socketpair()
    served: dict[str, int] = {}

    def watch(clock: Callable[[], int]) -> dict[str, int]:
        def read() -> None:
            loop.remove_reader(reader)
            served["socket"] = clock()

        loop.add_reader(reader, read)
        writer.send(b"ready")
        loop.call_later(0, lambda: served.update(timer=clock()))
        return served

    with reader, writer:
        yield watch
        loop.remove_reader(reader)


def be_busy(seconds: float) -> None:
    """Keep the loop waiting, as parsing would."""
    time.sleep(seconds)


class Endless:
    """Three ways of never yielding to the loop; each ends after *most* steps, or on demand."""

    def __init__(self, most: int) -> None:
        self.steps = 0
        self.most = most
        self.stop: Callable[[], bool] = bool

    def _goes_on(self) -> bool:
        self.steps += 1
        return self.steps < self.most and not self.stop()

    def handlers(self, _: object = None) -> Promise | None:
        """Each handler returns a promise with the same handler."""
        return Promise.resolve().then(self.handlers) if self._goes_on() else None

    async def awaits(self) -> None:
        """Each await is of a new promise, which settles immediately."""
        while self._goes_on():
            await Promise.resolve().then()

    async def callbacks(self) -> None:
        """Each done callback registers the next."""
        ended = asyncio.Event()

        def again(_: object) -> None:
            Promise.resolve().add_done_callback(again) if self._goes_on() else ended.set()

        again(None)
        await ended.wait()


class TestLaw4SameTurnYetFair:
    """A drain takes one loop iteration, as long as nothing is starved."""

    @all_modes
    async def test_a_chain_settles_in_one_turn(self) -> None:
        """After yielding to the loop once, the whole chain is done."""
        done = []
        while not any(done) and len(done) < 10:  # a busy machine may stretch a drain beyond its time
            tip, resolve, _ = Promise.with_resolvers()
            for _ in range(20):
                tip = tip.then(lambda value: value + 1)
            resolve(0)
            await asyncio.sleep(0)
            done.append(tip.done())
        assert any(done)

    @all_modes
    async def test_a_future_that_ends_brings_its_chain_along(self) -> None:
        """The handlers do not queue behind what the loop was given later."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        order: list[str] = []
        Promise(future).then(lambda _: order.append("handler"))
        future.set_result(None)
        loop.call_soon(order.append, "later")
        await turns()
        assert ["handler", "later"] == order

    async def test_a_ready_timer_and_a_ready_socket_are_served_during_a_long_chain(self, ready) -> None:
        """A hundred thousand links give way many times."""
        done = 0

        def step(_: object) -> None:
            nonlocal done
            done += 1

        promise, resolve, _ = Promise.with_resolvers()
        tip = promise
        for _ in range(100_000):
            tip = tip.then(step)
        served = ready(lambda: done)
        resolve(None)
        await tip
        assert {"socket", "timer"} == {name for name, at in served.items() if at < 10_000}

    @all_modes
    @pytest.mark.parametrize("kind", ["handlers", "awaits", "callbacks"])
    async def test_a_ready_timer_and_a_ready_socket_are_served_during_an_endless_recursion(self, kind, ready) -> None:
        """An endless chain does not starve the rest."""
        endless = Endless(most=20_000)
        served = ready(lambda: endless.steps)
        endless.stop = lambda: len(served) == 2
        await Promise.resolve().then(lambda _: getattr(endless, kind)())
        assert {"socket", "timer"} == set(served)

    @all_modes
    async def test_many_tasks_that_end_in_one_turn_share_one_drain(self) -> None:
        """Each has a thousand handlers waiting: they do not all run before the loop continues."""
        gate = asyncio.get_running_loop().create_future()
        calls_in_turn = [0]

        def count(_: object) -> None:
            calls_in_turn[-1] += 1

        promises = [Promise(wait_for(gate)) for _ in range(20)]
        links = [promise.then(count) for promise in promises for _ in range(1_000)]
        await turns()
        gate.set_result(None)
        while not links[-1].done():
            calls_in_turn.append(0)
            await asyncio.sleep(0)
        assert 20_000 == sum(calls_in_turn)
        assert max(calls_in_turn) <= 2_000

    @pytest.mark.parametrize(("way", "most"), [("resolver", MOST), ("future", MOST_ALONG)])
    async def test_a_drain_runs_as_many_reactions_as_the_model_has_it_and_no_more(self, way: str, most: int) -> None:
        """A smaller bound costs speed and a larger one makes timers late, and no other test would notice.

        The random programs of test_model.py seldom fill a drain, so the model and the library could have different
        numbers. Less than the most is right where the time of a drain is over: the fullest of many drains counts.
        """
        loop = asyncio.get_running_loop()
        counts: list[int] = []
        while max(counts, default=0) < most and len(counts) < 100:
            order: list[object] = []
            ended = asyncio.Event()
            future = loop.create_future()
            promise, resolve, _ = Promise.with_resolvers()
            if way == "future":
                promise, resolve = Promise(future), future.set_result
            for _ in range(2 * most):
                promise.add_done_callback(order.append)
            promise.add_done_callback(lambda _, ended=ended: ended.set())
            resolve(None)
            loop.call_soon(order.append, "what was due next")
            await ended.wait()
            counts.append(order.index("what was due next"))
        assert most == max(counts)

    @all_modes
    async def test_slow_handlers_give_way_after_a_few(self, ready) -> None:
        """A drain is bounded by time as well."""
        calls: list[None] = []

        def slow(_: object) -> None:
            be_busy(0.001)
            calls.append(None)

        tip = Promise.resolve()
        for _ in range(100):
            tip = tip.then(slow)
        served = ready(lambda: len(calls))
        await tip
        assert {"socket", "timer"} == {name for name, at in served.items() if at < 50}

    LINKS = types.MappingProxyType(
        {
            "then": lambda stop: Promise.resolve().then(stop),
            "catch": lambda stop: Promise.reject(Reason()).catch(stop),
            "finally_": lambda stop: Promise.resolve().finally_(stop),
            "finally_ of a rejection": lambda stop: Promise.reject(Reason()).finally_(stop),
            "tap": lambda stop: Promise.resolve().tap(stop),
            "spread": lambda stop: Promise.resolve(()).spread(stop),
        }
    )

    # Nobody can retrieve the exception of a Task that fails in its first step, so asyncio logs it.
    @pytest.mark.parametrize("failing", [raising, pytest.param(raising_async, marks=pytest.mark.logs), raising_later])
    @pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
    def test_what_stops_the_loop_settles_its_promise_and_leaves_nobody_waiting(
        self, runner, link, failing, error
    ) -> None:
        """KeyboardInterrupt leaves the loop immediately; when the loop runs again, everything is in order."""
        promises = []

        async def begin() -> None:
            promises.append(link(failing(error)))
            promises.extend(Promise.resolve(number).then(str) for number in range(3))
            await asyncio.sleep(3600)

        async def go_on() -> list[str]:
            return [await asyncio.wait_for(promise, 5) for promise in promises[1:]]

        with pytest.raises(type(error)) as caught:
            runner.run(begin())
        assert (error, ["0", "1", "2"]) == (caught.value, runner.run(go_on()))
        assert error is promises[0].exception()

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
    def test_what_has_stopped_the_loop_is_not_reported_once_more(self, runner, error) -> None:
        """Whoever ran the loop has got it already."""
        reports: list[dict] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda loop, report: reports.append(report))
            Promise.resolve().then(raising(error))
            await asyncio.sleep(3600)

        with pytest.raises(type(error)):
            runner.run(main())
        gc.collect()
        assert [] == reports

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    @pytest.mark.parametrize("consumer", ["done callback", "awaiting Task", "listener"])
    def test_what_stops_the_loop_from_elsewhere_leaves_nobody_waiting(self, runner, consumer, error) -> None:
        """The same if it is not a handler that raises."""
        stop = raising(error())
        promises, removers = [], []

        async def await_and_stop(promise: Promise) -> None:
            await promise
            stop()

        async def begin() -> None:
            promise, resolve, _ = Promise.with_resolvers()
            if consumer == "done callback":
                promise.add_done_callback(stop)
            elif consumer == "awaiting Task":
                promises.append(asyncio.create_task(await_and_stop(promise)))
            else:
                removers.append(on_unhandled_rejection(stop))
                promises.append(promise.then(raising(Reason())))
            await turns()
            promises.append(promise.then(str))
            resolve("behind")
            await asyncio.sleep(3600)

        async def go_on() -> str:
            return await asyncio.wait_for(promises[-1].then(str.upper), 5)

        with pytest.raises(error):
            runner.run(begin())
        for remove in removers:
            remove()
        assert "BEHIND" == runner.run(go_on())
        promises[0].exception()

    @all_modes
    async def test_a_failing_done_callback_is_reported_and_the_drain_goes_on(self, timing, reports) -> None:
        """An exception goes to the loop's exception handler, and affects nothing else."""
        promise = timing.fulfilled("value")
        errors = [Reason(), CancelledError(), Grave()]
        for error in errors:
            promise.add_done_callback(raising(error))
        assert "value" == await promise.then()
        assert errors == [report["exception"] for report in reports]

    @pytest.mark.logs
    @pytest.mark.parametrize("end", [None, Reason, KeyboardInterrupt])
    def test_a_slow_handler_is_named_in_debug_mode(self, caplog, end) -> None:
        """The log shows what made the loop late, however the handler ended."""

        def slow_parser(_: object) -> None:
            be_busy(0.02)
            if end is not None:
                raise end

        async def main() -> None:
            asyncio.get_running_loop().slow_callback_duration = 0.01
            await Promise.resolve().then(slow_parser).catch(repr)

        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(main(), debug=True)
        assert 1 == sum("slow_parser" in line for line in self.slow(caplog))

    @pytest.mark.logs
    def test_each_of_two_slow_handlers_is_named_in_debug_mode(self, caplog) -> None:
        """Also the one whose turn comes when the drain has had its time."""

        def slow_reader(_: object) -> None:
            be_busy(0.02)

        def slow_writer(_: object) -> None:
            be_busy(0.02)

        async def main() -> None:
            asyncio.get_running_loop().slow_callback_duration = 0.01
            source = Promise.resolve()
            await Promise.all([source.then(slow_reader), source.then(slow_writer)])

        asyncio.run(main(), debug=True)
        lines = "".join(self.slow(caplog))
        assert (True, True) == ("slow_reader" in lines, "slow_writer" in lines)

    @pytest.mark.logs
    def test_a_slow_async_handler_is_named_in_debug_mode(self, caplog) -> None:
        """The same for a step of its Task, whoever of the loop and the library takes it."""

        async def slow_fetcher(_: object) -> None:
            be_busy(0.02)

        async def main() -> None:
            asyncio.get_running_loop().slow_callback_duration = 0.01
            await Promise.resolve().then(slow_fetcher)

        asyncio.run(main(), debug=True)
        assert any("slow_fetcher" in line for line in self.slow(caplog))

    def slow(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        """Return the lines about something slow."""
        return [line for line in caplog.messages if re.search(r"took \d+\.\d+ seconds", line)]


@all_modes
class TestLaw5Then:
    """At most one of the two handlers runs, and an async one runs as a Task."""

    @pytest.mark.parametrize("failing", FAILING)
    async def test_what_one_handler_raises_is_not_for_the_other(self, timing, failing) -> None:
        """``then(f, g)`` is not ``then(f).catch(g)``."""
        error, seen = Reason(), []
        child = timing.fulfilled("value").then(failing(error), seen.append)
        assert (error, []) == (await reason_of(child), seen)

    async def test_neither_handler_runs_on_cancellation(self, timing) -> None:
        """A cancellation passes both, and stays one."""
        seen: list[object] = []
        child = timing.cancelled().then(seen.append, seen.append)
        await asyncio.wait([child])
        assert (True, []) == (child.cancelled(), seen)

    @pytest.mark.parametrize("error", [Grave(), GeneratorExit()], ids=repr)
    async def test_what_is_no_exception_passes_both_handlers(self, timing, error) -> None:
        """Like ``except Exception``: the same object passes through."""
        seen: list[object] = []
        child = timing.rejected(error).then(seen.append, seen.append)
        await asyncio.wait([child])
        assert (error, []) == (child.exception(), seen)

    @pytest.mark.parametrize("links", [1, 3])
    async def test_a_cancellation_passes_as_the_same_object(self, timing, links) -> None:
        """Its message and its traceback are still there at the end."""
        error = CancelledError("for a reason")
        tip = timing.rejected(error)
        for _ in range(links):
            tip = tip.then(print, print)
        assert error is await reason_of(tip)

    @pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
    async def test_an_async_handler_is_a_task_of_its_own(self, timing, later) -> None:
        """``asyncio.current_task()`` is the handler's own Task."""

        async def handler(_: object) -> asyncio.Task | None:
            if later:
                await asyncio.sleep(0)
            return asyncio.current_task()

        promise = timing.fulfilled(None)
        tasks = [await promise.then(handler), await promise.then(handler), asyncio.current_task()]
        assert (True, 3) == (all(isinstance(task, asyncio.Task) for task in tasks), len(set(tasks)))

    async def test_asyncio_timeout_works_in_an_async_handler(self, timing) -> None:
        """It cancels the Task of the handler, and nothing else."""

        async def handler(_: object) -> str:
            try:
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            except TimeoutError:
                return "too late"
            return "in time"

        assert "too late" == await timing.fulfilled(None).then(handler)

    async def test_a_task_group_works_in_an_async_handler(self, timing) -> None:
        """Its Tasks are awaited, and their failure ends the handler."""

        async def handler(_: object) -> int:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(asyncio.sleep(0, number)) for number in (1, 2)]
            return sum(task.result() for task in tasks)

        async def failing(_: object) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(raising_later(Reason())())
                await asyncio.Event().wait()

        promise = timing.fulfilled(None)
        assert (3, ExceptionGroup) == (await promise.then(handler), type(await reason_of(promise.then(failing))))


class TestLaw5TaskFactories:
    """How the Task of an async handler comes to be."""

    @pytest.mark.parametrize(
        "link",
        [
            lambda handler: Promise.resolve().then(handler),
            lambda handler: Promise.reject(Reason()).catch(handler),
            lambda handler: Promise.resolve().finally_(handler),
            lambda handler: Promise.resolve().tap(handler),
        ],
        ids=["then", "catch", "finally_", "tap"],
    )
    async def test_it_goes_through_the_task_factory_of_the_loop(self, link) -> None:
        """Code that counts or wraps Tasks sees those of handlers too."""
        made: list[asyncio.Task] = []

        class Traced(asyncio.Task):
            pass

        def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **arguments: Any) -> asyncio.Task:
            made.append(Traced(coroutine, loop=loop, **arguments))
            return made[-1]

        ran = []

        async def handler(*arguments: object) -> None:
            await asyncio.sleep(0)
            ran.append(asyncio.current_task())

        asyncio.get_running_loop().set_task_factory(factory)
        await link(handler)
        assert (1, made) == (len(made), ran)

    async def test_a_factory_that_knows_nothing_of_names_and_contexts_will_do(self) -> None:
        """The least that asyncio asks of a factory is two arguments; some loops pass more."""
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

        async def handler(_: object) -> str:
            await asyncio.sleep(0)
            return variable.get()

        variable.set("of then")
        asyncio.get_running_loop().set_task_factory(lambda loop, coroutine, **_: asyncio.Task(coroutine, loop=loop))
        child = Promise.resolve().then(handler)
        variable.set("later")
        assert "of then" == await child

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 has no eager Tasks")
    async def test_it_starts_at_once_where_python_can_do_that(self) -> None:
        """Without a factory its first step runs in order with the handlers, not a loop iteration later."""
        order: list[str] = []

        async def handler(_: object) -> None:
            order.append("first step")
            await asyncio.sleep(0)
            order.append("second step")

        promise = Promise.resolve()
        ends = [promise.then(handler), promise.then(lambda _: order.append("next handler"))]
        await asyncio.wait(ends)
        assert ["first step", "next handler", "second step"] == order


@all_modes
class TestLaw6Catch:
    """catch(f) is ``except Exception``: which types it may name is in test_then_catch_finally.py."""

    async def test_it_sees_every_exception(self, timing) -> None:
        """The handler gets the very reason."""
        reason = Reason()
        assert reason is await timing.rejected(reason).catch(lambda seen: seen)

    @pytest.mark.parametrize("error", [CancelledError(), Grave(), GeneratorExit()], ids=repr)
    async def test_it_never_sees_a_cancellation_nor_what_else_is_no_exception(self, timing, error) -> None:
        """Those pass, the same object."""
        seen: list[object] = []
        child = timing.rejected(error).catch(seen.append)
        assert (error, []) == (await reason_of(child), seen)


OUTCOMES = ["fulfilled", "rejected", "cancelled"]


def settled(timing: Any, outcome: str) -> tuple[Promise, object]:
    """Return a promise with that outcome, and what `reason_of()` gives for it."""
    if outcome == "fulfilled":
        return timing.fulfilled("kept"), "kept"
    reason = Reason() if outcome == "rejected" else CancelledError()
    return timing.rejected(reason), reason


@all_modes
@pytest.mark.parametrize("outcome", OUTCOMES)
class TestLaw7Finally:
    """finally_(f) is ``finally``: it runs whatever the outcome, which then passes on."""

    @pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
    async def test_it_is_called_without_arguments_and_the_outcome_passes(self, timing, outcome, waits) -> None:
        """What it returns is awaited, then dropped."""
        promise, expected = settled(timing, outcome)
        calls: list[tuple] = []

        def clean_up(*arguments: object) -> Any:
            calls.append(arguments)
            return asyncio.sleep(0, "dropped") if waits else "dropped"

        assert (expected, [()]) == (await reason_of(promise.finally_(clean_up)), calls)

    async def test_what_it_awaits_is_waited_for(self, timing, outcome) -> None:
        """The new promise settles after the cleanup, on cancellation too."""
        promise, expected = settled(timing, outcome)
        gate = future()
        child = promise.finally_(lambda: gate)
        await turns()
        before = child.done()
        gate.set_result(None)
        assert (False, expected) == (before, await reason_of(child))

    @pytest.mark.parametrize("failing", [*FAILING, lambda error: lambda: Promise.reject(error)])
    async def test_what_it_raises_replaces_the_outcome_and_remembers_it(self, timing, outcome, failing) -> None:
        """The old reason is the ``__context__`` of the new one, as in a ``finally`` block."""
        promise, before = settled(timing, outcome)
        error = Reason("of the cleanup")
        raised = await reason_of(promise.finally_(failing(error)))
        assert (error, None if outcome == "fulfilled" else before) == (raised, raised.__context__)

    async def test_a_cancellation_raised_by_it_cancels(self, timing, outcome) -> None:
        """CancelledError is such a replacement too."""
        promise, _ = settled(timing, outcome)
        child = promise.finally_(raising(CancelledError()))
        await asyncio.wait([child])
        assert child.cancelled()


def fail(*arguments: object) -> None:
    """Raise, here."""
    raise Reason


async def async_fail(*arguments: object) -> None:
    """Raise, here, before anything was waited for."""
    raise Reason


async def late_fail(*arguments: object) -> None:
    """Raise, here, after a while."""
    await asyncio.sleep(0)
    raise Reason


def frames(error: BaseException) -> list[str]:
    """Return the names of the functions that the traceback goes through."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


async def catching(promise: Promise) -> BaseException:
    """Return what awaiting raises."""
    try:
        await promise
    except (Exception, CancelledError) as error:
        return error
    raise AssertionError("nothing was raised")


# How a promise is rejected when one of the functions above raises.
FAILURES: dict[str, Callable[[Callable], Promise]] = {
    "try_": Promise.try_,
    "then": lambda fails: Promise.resolve().then(fails),
    "then of a rejection": lambda fails: Promise.reject(KeyError()).then(None, fails),
    "catch": lambda fails: Promise.reject(KeyError()).catch(fails),
    "finally_": lambda fails: Promise.resolve().finally_(fails),
    "finally_ of a rejection": lambda fails: Promise.reject(KeyError()).finally_(fails),
    "tap": lambda fails: Promise.resolve().tap(fails),
    "tap_catch": lambda fails: Promise.reject(KeyError()).tap_catch(fails),
    "spread": lambda fails: Promise.resolve(()).spread(fails),
    "links below": lambda fails: Promise.try_(fails).then(print).catch(KeyError, print).then(),
    "finally_ below": lambda fails: Promise.try_(fails).finally_(int).finally_(lambda: asyncio.sleep(0)),
    "tap_catch below": lambda fails: Promise.try_(fails).tap_catch(repr).tap_catch(lambda _: asyncio.sleep(0)),
    "shield and timeout below": lambda fails: Promise.try_(fails).shield().timeout(60),
    "a promise that a handler returns": lambda fails: Promise.resolve().then(lambda _: Promise.try_(fails)),
}

# The same where only a coroutine, or only a function, will do.
COROUTINES: dict[str, Callable[[Callable], Promise]] = {
    "Promise()": lambda fails: Promise(fails()),
    "Promise() of a Task": lambda fails: Promise(asyncio.create_task(fails())),
    "resolve()": lambda fails: Promise(lambda resolve, reject: resolve(fails())),
}
FUNCTIONS: dict[str, Callable[[Callable], Promise]] = {
    "executor": Promise,
    "thenable": lambda fails: Promise.from_thenable(types.SimpleNamespace(then=fails)),
}


FAILURES_OF = {fail: FAILURES | FUNCTIONS, async_fail: FAILURES | COROUTINES, late_fail: FAILURES | COROUTINES}

failures = pytest.mark.parametrize(
    ("make", "fails"),
    [
        pytest.param(make, fails, id=f"{name}-{fails.__name__}")
        for fails, ways in FAILURES_OF.items()
        for name, make in ways.items()
    ],
)


@all_modes
class TestLaw8Exceptions:
    """The exception that is raised is the object awaited, and its traceback leads to the user's line."""

    @pytest.mark.parametrize("settled", [False, True], ids=["pending", "settled"])
    @failures
    async def test_the_traceback_leads_from_the_await_to_the_line_that_failed(self, make, fails, settled) -> None:
        """The last frame is the user's, and no frame of the library stands between."""
        promise = make(fails)
        if settled:
            await asyncio.wait([promise])
        assert ["catching", fails.__name__] == frames(await catching(promise))

    async def test_a_reason_that_was_never_raised_has_no_frame_but_the_await(self, timing) -> None:
        """Promise.reject() and reject() leave no trace of their own."""
        assert ["catching"] == frames(await catching(timing.rejected(Reason())))

    @failures
    async def test_awaiting_again_does_not_make_the_traceback_longer(self, make, fails) -> None:
        """Each await raises the same exception, with the traceback that it had."""
        promise = make(fails)
        errors = [await catching(promise) for _ in range(3)]
        lengths = [len(frames(await catching(promise))) for _ in range(3)]
        assert (1, 1) == (len(set(map(id, errors))), len(set(lengths)))

    async def test_an_exception_that_cannot_be_changed_is_a_reason_as_any_other(self) -> None:
        """A frozen dataclass refuses even that its traceback is set."""

        @dataclasses.dataclass(frozen=True)
        class Frozen(Exception):
            page: int

        def fail(_) -> None:
            raise Frozen(404)

        promise = Promise.resolve().then(fail).then(print).finally_(lambda: give(1)).tap_catch(repr).timeout(5)
        errors = [await catching(promise) for _ in range(2)]
        assert [Frozen(404)] * 2 == errors
        assert ["catching", "fail"] == frames(errors[0])

    async def test_a_handler_of_a_namespace_without_a_name_fails_as_any_other(self) -> None:
        """What exec() was given need not say which module it is."""
        namespace: dict[str, Any] = {}
        exec("def fail(page): raise LookupError(page)", namespace)  # a template, say
        error = await catching(Promise.resolve(404).then(namespace["fail"]))
        assert ("LookupError(404)", ["catching", "fail"]) == (repr(error), frames(error))

    @pytest.mark.parametrize("branch", ["then", "finally_", "shield", "await"])
    async def test_branches_do_not_make_the_traceback_longer(self, branch) -> None:
        """However many take the same rejection, each sees it as if it were alone."""
        promise = Promise(late_fail())
        take = {
            "then": promise.then,
            "finally_": lambda: promise.finally_(print),
            "shield": promise.shield,
            "await": lambda: Promise(wait_for(promise)),
        }[branch]
        lengths = {len(frames(await catching(one))) for one in [take() for _ in range(5)]}
        assert lengths == {3 if branch == "await" else 2}

    async def test_result_and_exception_do_not_make_the_traceback_longer(self) -> None:
        """Asking is not raising."""
        promise = Promise(late_fail())
        await asyncio.wait([promise])
        lengths = set()
        for _ in range(3):
            with pytest.raises(Reason) as caught:
                promise.result()
            lengths.add(len(frames(caught.value)))
        assert (1, ["late_fail"]) == (len(lengths), frames(promise.exception()))

    @pytest.mark.parametrize(
        "make",
        [
            Promise.reject,
            lambda error: Promise(lambda resolve, reject: reject(error)),
            lambda error: Promise(raising(error)),
            lambda error: Promise.try_(raising(error)),
            lambda error: Promise.resolve().then(raising(error)),
            lambda error: Promise.resolve().then(raising_later(error)),
            lambda error: Promise.reject(Reason()).catch(raising(error)),
            lambda error: Promise.resolve().finally_(raising(error)),
            lambda error: Promise.reject(Reason()).finally_(raising(error)),
            lambda error: Promise.resolve().tap(raising(error)),
            lambda error: Promise.resolve(()).spread(raising(error)),
            lambda error: Promise.from_thenable(types.SimpleNamespace(then=raising(error))),
            lambda error: Promise.from_thenable(types.SimpleNamespace(then=lambda resolve, reject: reject(error))),
        ],
    )
    @pytest.mark.parametrize("error", [StopIteration(3), type("Stop", (StopIteration,), {})(3)], ids=repr)
    async def test_stop_iteration_becomes_runtime_error_everywhere(self, make, error) -> None:
        """To the awaiting code it would look like a return; the cause shows what it was."""
        reason = await reason_of(make(error))
        assert (RuntimeError, error) == (type(reason), reason.__cause__)

    @pytest.mark.parametrize(
        "make",
        [
            Promise.reject,
            lambda error: Promise(lambda resolve, reject: reject(error)),
            lambda error: Promise(raising(error)),
            lambda error: Promise.try_(raising(error)),
            lambda error: Promise(raising_later(error)()),
            lambda error: Promise.resolve().then(raising(error)),
            lambda error: Promise.resolve().then(raising_async(error)),
            lambda error: Promise.resolve().then(raising_later(error)),
            lambda error: Promise.reject(Reason()).catch(raising(error)),
            lambda error: Promise.resolve().tap(raising_later(error)),
            lambda error: Promise.resolve().then(lambda _: Promise.reject(error)),
            lambda error: Promise.from_thenable(types.SimpleNamespace(then=lambda resolve, reject: reject(error))),
        ],
    )
    async def test_cancelled_error_cancels_whoever_raises_it(self, make) -> None:
        """It is not a reason among others: the promise is cancelled, with its message."""
        promise = make(CancelledError("for a reason"))
        await asyncio.wait([promise])
        assert (True, ("for a reason",)) == (promise.cancelled(), (await catching(promise)).args)


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def look(*arguments: object) -> str:
    """Return what the variable is."""
    return variable.get()


async def look_later(*arguments: object) -> str:
    """Return what the variable is after a while."""
    await asyncio.sleep(0)
    return variable.get()


@all_modes
class TestLaw9Context:
    """A handler runs in the context in which its link was made."""

    @pytest.mark.parametrize("handler", [look, look_later])
    @pytest.mark.parametrize(
        "link",
        [
            lambda timing, handler: timing.fulfilled(None).then(handler),
            lambda timing, handler: timing.rejected(Reason()).then(None, handler),
            lambda timing, handler: timing.rejected(Reason()).catch(handler),
            lambda timing, handler: timing.fulfilled(()).spread(handler),
            lambda timing, handler: timing.fulfilled(None).then().then(handler),
        ],
        ids=["then", "then of a rejection", "catch", "spread", "second link"],
    )
    async def test_a_handler_sees_the_variables_of_then(self, timing, link, handler) -> None:
        """Not those of the one who settles the promise, nor what they became later."""
        variable.set("of then")
        child = link(timing, handler)
        variable.set("later")
        assert "of then" == await child

    @pytest.mark.parametrize("link", ["finally_", "tap"])
    @pytest.mark.parametrize("handler", [look, look_later])
    async def test_an_effect_sees_the_variables_of_its_link(self, timing, link, handler) -> None:
        """The same for those whose result is dropped."""
        seen = []

        def effect(*arguments: object) -> Any:
            seen.append(look())
            return Promise.resolve(handler()).then(seen.append)

        variable.set("of then")
        child = getattr(timing.fulfilled(None), link)(effect)
        variable.set("later")
        await child
        assert ["of then", "of then"] == seen

    @pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
    async def test_what_a_handler_sets_is_its_own(self, timing, waits) -> None:
        """It reaches neither siblings nor children nor the caller."""

        def assign(*arguments: object) -> None:
            variable.set("of a handler")

        async def assign_later(*arguments: object) -> None:
            await asyncio.sleep(0)
            variable.set("of a handler")

        variable.set("of then")
        promise = timing.fulfilled(None)
        child = promise.then(assign_later if waits else assign)
        others = [child.then(look), promise.then(look), promise.then(look_later)]
        assert ["of then"] * 4 == [*[await other for other in others], look()]

    @pytest.mark.parametrize(
        "follow",
        [
            Promise.from_thenable,
            Promise,
            lambda thenable: Promise(lambda resolve, reject: resolve(thenable)),
            lambda thenable: Promise.resolve().then(lambda _: thenable),
            lambda thenable: Promise.resolve().finally_(lambda: thenable).then(lambda _: thenable),
        ],
        ids=["from_thenable()", "Promise()", "resolve()", "then()", "finally_()"],
    )
    async def test_the_then_of_a_thenable_sees_the_variables_of_whoever_follows_it(self, follow) -> None:
        """It is called in a later iteration, by code that has none."""

        class Looks(Thenable):
            def then(self, resolve: Callable, reject: Callable, /) -> None:
                resolve(look())

        variable.set("of the follower")
        promise = follow(Looks())
        variable.set("later")
        assert "of the follower" == await promise

    async def test_what_a_task_sets_after_an_await_is_set_in_the_context_that_it_was_given(self) -> None:
        """It continues in that very context, not in a copy."""
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
        context = contextvars.copy_context()
        promise, resolve, _ = Promise.with_resolvers()

        async def work() -> None:
            await promise
            variable.set("after the await")

        task = asyncio.create_task(work(), context=context)
        await turns()
        resolve(None)
        await task
        assert "after the await" == context[variable]

    async def test_a_task_that_awaits_goes_on_in_its_own_context(self, timing) -> None:
        """The one who settles the promise has no part in it."""

        async def work(promise: Promise) -> str:
            variable.set("of the Task")
            await promise
            return look()

        variable.set("of the test")
        task = asyncio.create_task(work(timing.fulfilled(None)))
        assert ("of the Task", "of the test") == (await task, look())

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="Task.get_context() came with Python 3.12")
    @pytest.mark.parametrize(
        "start", [lambda work: Promise(work()), lambda work: Promise.resolve().then(lambda _: work())]
    )
    async def test_a_task_that_awaits_may_share_the_context_of_the_one_that_settles(self, start) -> None:
        """The context of the work is not entered while its outcome is passed on: it cannot be entered twice."""
        begun = asyncio.Event()

        async def work() -> str:
            context = asyncio.current_task().get_context()
            others.append(asyncio.Task(wait(), context=context))
            await begun.wait()
            await turns()  # until the other awaits the promise
            return "done"

        async def wait() -> str:
            await begun.wait()
            return await promise

        others: list[asyncio.Task] = []
        promise = start(work)
        begun.set()
        assert "done" == await promise
        assert "done" == await others[0]


class Waits:
    """An object that can be awaited, and is nothing else."""

    def __init__(self, awaitable: Any) -> None:
        self.awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.awaitable.__await__()


@all_modes
class TestLaw10KeptAlive:
    """Running work continues, even if nothing holds its promise."""

    @pytest.mark.parametrize(
        "start",
        [
            lambda gate: Promise(wait_for(gate)),
            lambda gate: Promise(Waits(gate)),
            lambda gate: Promise(asyncio.create_task(wait_for(gate))),
            lambda gate: Promise(lambda resolve, reject: resolve(wait_for(gate))),
            lambda gate: Promise.resolve().then(lambda _: wait_for(gate)),
            lambda gate: Promise.resolve().then(lambda _: Promise(wait_for(gate))),
            lambda gate: Promise.resolve().finally_(lambda: wait_for(gate)).then(lambda _: "value"),
            lambda gate: (
                Promise.reject(CancelledError())
                .finally_(lambda: wait_for(gate))
                .catch(CancelledError, lambda _: "value")
            ),
            lambda gate: Promise(wait_for(Promise(wait_for(gate)).shield())).timeout(60),
        ],
        ids=[
            "coroutine",
            "awaitable",
            "Task",
            "resolved with a coroutine",
            "async handler",
            "promise of a handler",
            "finally_",
            "finally_ on cancellation",
            "promises within",
        ],
    )
    async def test_running_work_survives_the_collector(self, start) -> None:
        """Nothing but the library refers to the work, and its outcome still arrives."""
        seen: list[object] = []

        def begin() -> weakref.ref[asyncio.Future]:
            gate = future()
            start(gate).then(seen.append)
            return weakref.ref(gate)

        gate = begin()
        for _ in range(3):
            await turns()
            gc.collect()
        assert gate() is not None, "the work was collected"
        gate().set_result("value")
        await turns()
        assert ["value"] == seen

    async def test_a_pending_promise_that_nothing_can_settle_is_let_go(self) -> None:
        """Dropping the resolvers drops the promise: there is no work to wait for."""
        reference = weakref.ref(Promise.with_resolvers().promise.then(print))
        gc.collect()
        assert reference() is None


async def lose(promises: list[Promise]) -> None:
    """Let go of promises, as their users do, once what is due has run."""
    await turns()
    promises.clear()


def ask_for_the_result(promise: Promise) -> None:
    """Call result(), which raises."""
    with pytest.raises(Reason):
        promise.result()


TAKE: dict[str, Callable[[Promise], Any]] = {
    "await": catching,
    "result()": ask_for_the_result,
    "exception()": lambda promise: promise.exception(),
    "catch()": lambda promise: promise.catch(repr),
    "then(None, f)": lambda promise: promise.then(None, repr),
    "gather()": lambda promise: asyncio.gather(promise, return_exceptions=True),
}


async def take(promise: Promise, how: str) -> None:
    """Answer for the rejection of a settled promise."""
    taken = TAKE[how](promise)
    if asyncio.isfuture(taken) or asyncio.iscoroutine(taken):
        await taken


@all_modes
class TestLaw11HandledMovesOn:
    """Every rejection is handled by someone, or else reported through the last one who could have."""

    async def test_a_rejection_that_nobody_took_is_reported_when_its_promise_dies(self, timing, reports) -> None:
        """To the exception handler of the loop, and not a moment earlier."""
        error = Reason()
        promises = [timing.rejected(error)]
        await turns()
        before = list(reports)
        await lose(promises)
        assert ([], [error]) == (before, [report["exception"] for report in reports])

    async def test_the_report_is_one_that_asyncio_can_print(self, reports) -> None:
        """It has a message, and the exception with its traceback."""
        await lose([Promise.resolve().then(fail)])
        [report] = reports
        assert ("unhandled promise rejection", ["fail"]) == (
            report["message"],
            frames(report["exception"]),
        )

    async def test_where_the_promise_was_made_is_recorded_in_debug_mode_only(self, reports, loop_mode) -> None:
        """Its last line is the one that the user wrote."""
        await lose([Promise.resolve().then(fail)])
        names = [[frame.name for frame in report.get("source_traceback", ())][-1:] for report in reports]
        here = "test_where_the_promise_was_made_is_recorded_in_debug_mode_only"
        assert [[here] if loop_mode == "debug" else []] == names

    @pytest.mark.parametrize("how", TAKE)
    async def test_a_rejection_that_somebody_took_is_not_reported(self, timing, reports, how) -> None:
        """Awaiting, result(), exception() and every handler for it answer for a rejection."""
        promise = timing.rejected(Reason())
        await asyncio.wait([promise])
        await take(promise, how)
        del promise
        await lose([])
        assert [] == reports

    @pytest.mark.parametrize("how", ["await", "catch()", "then(None, f)", "gather()"])
    async def test_who_waits_for_a_pending_promise_takes_its_rejection(self, reports, how) -> None:
        """The same for those who were there before."""
        made = Promise.with_resolvers()
        asyncio.get_running_loop().call_soon(made.reject, Reason())
        await take(made.promise, how)
        del made
        await lose([])
        assert [] == reports

    @pytest.mark.parametrize(
        "look",
        [
            lambda promise: promise.add_done_callback(lambda _: None),
            lambda promise: asyncio.wait([promise]),
            lambda promise: promise.done(),
            lambda promise: promise.cancelled(),
            repr,
        ],
        ids=["add_done_callback()", "asyncio.wait()", "done()", "cancelled()", "repr()"],
    )
    async def test_who_only_looks_does_not_take_it(self, timing, reports, look) -> None:
        """A done callback is called because the promise has settled, and need not look at how."""
        promises = [timing.rejected(Reason())]
        looked = look(promises[0])
        if asyncio.iscoroutine(looked):
            await looked
        await lose(promises)
        assert 1 == len(reports)

    @pytest.mark.parametrize("links", [1, 3])
    async def test_the_duty_goes_to_the_child(self, timing, reports, links) -> None:
        """A chain is reported once, by its tip, whoever holds the promises above."""
        tip = root = timing.rejected(Reason())
        for _ in range(links):
            tip = tip.then(print).finally_(int)
        await turns()
        before = list(reports)
        del tip
        await lose([])
        assert ([], 1, True) == (before, len(reports), root.done())

    async def test_each_branch_has_a_duty_of_its_own(self, timing, reports) -> None:
        """One branch that handles it does not answer for another that does not."""
        promise = timing.rejected(Reason())
        branches = [promise.catch(repr), promise.then(print), promise.then(print)]
        del promise
        await turns()
        await lose(branches)
        assert 2 == len(reports)

    async def test_who_follows_has_the_duty(self, timing, reports) -> None:
        """Resolving with a rejected promise takes its rejection over."""
        reason = Reason()
        made = Promise.with_resolvers()
        made.resolve(timing.rejected(reason))
        await turns()
        before = list(reports)
        del made
        await lose([])
        assert ([], [reason]) == (before, [report["exception"] for report in reports])

    @pytest.mark.parametrize("when", ["pending", "due"])
    async def test_a_cancelled_child_hands_the_duty_back(self, reports, when) -> None:
        """A promise cancelled before it is notified cannot handle anything."""
        made = Promise.with_resolvers()
        made.promise.add_done_callback(lambda _: None)  # so that cancelling the child does not cancel the promise
        child = made.promise.catch(repr)
        if when == "due":
            made.reject(Reason())
        child.cancel()
        made.reject(Reason())
        await turns()
        del made
        await lose([])
        assert (True, 1) == (child.cancelled(), len(reports))

    async def test_a_task_that_is_cancelled_before_it_is_told_does_not_take_it(self, reports) -> None:
        """The same for those who await: the Task has got another exception."""
        made = Promise.with_resolvers()
        task = asyncio.create_task(wait_for(made.promise))
        await turns()
        made.reject(Reason())
        task.cancel()
        await asyncio.wait([task])
        cancelled = task.cancelled()
        del made, task
        await lose([])
        assert (True, 1) == (cancelled, len(reports))

    async def test_a_cancellation_is_nobodys_duty(self, timing, reports) -> None:
        """It is not a failure, and never reported."""
        await lose([timing.cancelled().then(print)])
        assert [] == reports

    async def test_a_promise_that_is_settled_twice_over_is_reported_once(self, timing, reports) -> None:
        """Late rejections are not rejections."""
        made = Promise.with_resolvers()
        for _ in range(3):
            made.reject(Reason())
        del made
        await lose([])
        assert 1 == len(reports)


@pytest.fixture
def events() -> Iterator[list[UnhandledRejection]]:
    """Return the list of the events that an on_unhandled_rejection() callback gets."""
    found: list[UnhandledRejection] = []
    stop = on_unhandled_rejection(found.append)
    yield found
    stop()


@all_modes
class TestLaw11OnUnhandledRejection:
    """A callback gets a rejection instead of the loop's exception handler, and earlier."""

    async def test_it_is_told_what_nobody_handled(self, timing, reports, events) -> None:
        """Once, with the promise and its reason; and the death of the promise is not reported."""
        reason = Reason()
        promise = timing.rejected(reason)
        await turns()
        seen = list(events)
        events.clear()
        del promise
        await lose([])
        assert ([(seen[0].promise, reason, False)], []) == (seen, reports)
        assert isinstance(seen[0], UnhandledRejection)

    async def test_it_is_told_though_the_promise_has_died(self, reports, events) -> None:
        """A promise that nothing ever held is reported too."""
        reason = Reason()
        Promise.reject(reason)
        await turns()
        assert ([(reason, False)], []) == ([(event.reason, event.handled) for event in events], reports)

    async def test_it_is_not_told_what_is_handled_in_time(self, timing, events) -> None:
        """A handler may be registered after the rejection, and handlers may hand it down, until the drain is over."""
        promise = timing.rejected(Reason())
        assert isinstance(await promise.then(print).finally_(int).then(print).catch(lambda error: error), Reason)
        assert isinstance(await catching(Promise.reject(Reason())), Reason)
        await turns()
        assert [] == events

    async def test_it_is_not_told_what_is_handled_at_the_end_of_a_long_queue(self, events) -> None:
        """A drain that yields to the loop in the middle is not the end of it."""
        promise, resolve, _ = Promise.with_resolvers()
        rejected: list[Promise] = []
        promise.then(lambda _: rejected.append(Promise.reject(Reason())))
        for _ in range(3_000):
            promise.then()
        last = promise.then(lambda _: rejected[0].catch(repr))
        resolve(None)
        assert "Reason()" == await last
        await turns()
        assert [] == events

    async def test_it_is_told_after_the_drain(self) -> None:
        """All handlers that are due have run by then."""
        order: list[str] = []
        stop = on_unhandled_rejection(lambda event: order.append("told"))
        tip = Promise.reject(Reason())
        for number in range(5):
            Promise.resolve().then(lambda _, number=number: order.append(f"handler {number}"))
            tip = tip.then(print)
        await turns()
        stop()
        assert [*(f"handler {number}" for number in range(5)), "told"] == order

    async def test_it_is_told_of_the_tip_of_a_chain(self, timing, events) -> None:
        """Those above have passed it down."""
        tip = timing.rejected(Reason()).then(print).then(print)
        await turns()
        assert [tip] == [event.promise for event in events]

    @pytest.mark.parametrize("how", TAKE)
    async def test_it_is_told_again_when_somebody_takes_it_late(self, timing, reports, events, how) -> None:
        """Whoever answers for a rejection after all takes back what was said of it, once."""
        promise = timing.rejected(Reason())
        await turns()
        first = [event.handled for event in events]
        await take(promise, how)
        await take(promise, how)
        again = [(event.promise is promise, event.handled) for event in events]
        events.clear()
        del promise
        await lose([])
        assert ([False], [(True, False), (True, True)], []) == (first, again, reports)

    async def test_a_late_link_that_does_not_handle_it_moves_the_duty(self, timing, events) -> None:
        """The promise is handled, and its child is not."""
        promise = timing.rejected(Reason())
        await turns()
        child = promise.then(print)
        await turns()
        assert [(promise, False), (promise, True), (child, False)] == [(one.promise, one.handled) for one in events]

    async def test_several_are_told_in_the_order_of_their_registration(self) -> None:
        """A function registered twice is called twice, and each remover removes one."""
        told: list[str] = []

        def first(event: object) -> None:
            told.append("first")

        removers = [on_unhandled_rejection(one) for one in (first, lambda event: told.append("second"), first)]
        Promise.reject(Reason())
        await turns()
        everybody = list(told)
        told.clear()
        removers[0]()
        removers[0]()
        Promise.reject(Reason())
        await turns()
        for remove in removers:
            remove()
        assert (["first", "second", "first"], ["second", "first"]) == (everybody, told)

    async def test_who_is_removed_is_told_no_more(self, reports) -> None:
        """Then the exception handler of the loop has it again."""
        told: list[object] = []
        on_unhandled_rejection(told.append)()
        await lose([Promise.reject(Reason())])
        assert ([], 1) == (told, len(reports))

    async def test_who_is_removed_before_the_drain_is_over_is_not_told(self, reports) -> None:
        """Nothing gets lost between the two."""
        told: list[object] = []
        stop = on_unhandled_rejection(told.append)
        promises = [Promise.reject(Reason())]
        stop()
        await lose(promises)
        assert ([], 1) == (told, len(reports))

    async def test_a_callback_that_fails_is_reported_and_the_others_are_told(self, reports, events) -> None:
        """What it raises goes to the exception handler of the loop."""
        error = Reason("of the callback")
        stop = on_unhandled_rejection(raising(error))
        told: list[object] = []
        stop_other = on_unhandled_rejection(told.append)
        Promise.reject(Reason())
        await turns()
        stop()
        stop_other()
        assert ([error], 1, 1) == ([report["exception"] for report in reports], len(events), len(told))

    async def test_it_runs_in_the_context_of_its_registration(self) -> None:
        """Neither in that of the rejection, nor in that of who handles it late; what it sets is its own."""
        seen: list[str] = []

        def told(event: UnhandledRejection) -> None:
            seen.append(variable.get())
            variable.set("set by the callback")

        variable.set("registration")
        stop = on_unhandled_rejection(told)
        variable.set("rejection")
        promise = Promise.reject(Reason())
        await turns()
        variable.set("handler")
        await promise.catch(repr)
        stop()
        assert (["registration", "registration"], "handler") == (seen, variable.get())

    async def test_it_may_handle_another_rejection_that_was_told_before(self, events) -> None:
        """Within the call: then it is called once more."""
        told: list[tuple[int, bool]] = []
        promises: list[Promise] = []

        def handle(event: UnhandledRejection) -> None:
            told.append((promises.index(event.promise), event.handled))
            if event.promise is promises[-1] is not promises[0]:
                promises[0].exception()

        stop = on_unhandled_rejection(handle)
        for _ in range(2):
            promises.append(Promise.reject(Reason()))
            await turns()
        stop()
        promises[-1].exception()
        assert [(0, False), (1, False), (0, True)] == told

    async def test_a_callback_must_not_be_async(self, reports, events) -> None:
        """Nobody would await it: it is refused at the call, or the coroutine closed and reported."""

        async def told(event: UnhandledRejection) -> None:
            """Never run."""

        with pytest.raises(TypeError, match=r"on_unhandled_rejection\(\) needs a plain function, got the coroutine"):
            on_unhandled_rejection(told)
        coroutines: list[Any] = []
        stop = on_unhandled_rejection(lambda event: coroutines.append(told(event)) or coroutines[0])
        Promise.reject(Reason())
        await turns()
        stop()
        assert (["CORO_CLOSED"], 1) == ([inspect.getcoroutinestate(one) for one in coroutines], len(events))
        assert [True] == ["which returned a coroutine" in str(report["exception"]) for report in reports]

    async def test_a_callback_may_handle_it(self, reports) -> None:
        """It has the promise, and what one registers on that is a handler like any other."""
        seen: list[tuple] = []

        def handle(event: UnhandledRejection) -> None:
            seen.append((event.reason, event.handled))
            if not event.handled:
                event.promise.catch(lambda error: seen.append(("caught", error)))

        stop = on_unhandled_rejection(handle)
        reason = Reason()
        Promise.reject(reason)
        await turns()
        stop()
        assert ([(reason, False), (reason, True), ("caught", reason)], []) == (seen, reports)

    async def test_a_callback_that_rejects_is_told_of_that_too(self, reports) -> None:
        """After another drain, so that the loop is not kept from its other business."""
        told: list[object] = []

        def reject_again(event: UnhandledRejection) -> None:
            told.append(event.reason.args)
            if len(told) < 3:
                Promise.reject(Reason(len(told)))

        stop = on_unhandled_rejection(reject_again)
        Promise.reject(Reason(0))
        await turns()
        stop()
        assert ([(0,), (1,), (2,)], []) == (told, reports)

    async def test_it_holds_for_every_loop_of_the_process(self, events) -> None:
        """Whichever thread that runs in."""
        reason = Reason()

        async def main() -> None:
            Promise.reject(reason)
            await turns()

        await asyncio.to_thread(lambda: asyncio.run(main()))
        assert [reason] == [event.reason for event in events]

    async def test_a_cancellation_is_nobodys_business(self, timing, events) -> None:
        """It is not a failure, and is not reported."""
        promise = timing.cancelled().then(print)
        await asyncio.wait([promise])
        await turns()
        assert [] == events

    async def test_what_cannot_be_called_is_refused(self) -> None:
        """The mistake is reported at the call."""
        with pytest.raises(TypeError) as caught:
            on_unhandled_rejection("print")
        assert "on_unhandled_rejection() needs a function, got 'print'" == str(caught.value)


@all_modes
class TestLaw12Threads:
    """resolve() and reject() are for any thread, the rest is for that of the loop."""

    @pytest.mark.parametrize("call", ["resolve", "reject"])
    async def test_the_outcome_is_decided_when_the_loop_takes_it_up(self, call) -> None:
        """A call from a thread waits its turn, and who is on the loop may be first."""
        promise, resolve, reject = Promise.with_resolvers()
        late = threading.Thread(target=resolve if call == "resolve" else reject, args=[Reason("from the thread")])
        late.start()
        late.join()
        before = promise.done()
        resolve("from the loop")
        await turns()
        assert (False, "from the loop") == (before, await promise)

    async def test_the_first_thread_whose_call_is_taken_up_wins(self) -> None:
        """Calls from threads are taken up in their order."""
        promise, resolve, reject = Promise.with_resolvers()
        for call, argument in ((resolve, "first"), (resolve, "second"), (reject, Reason())):
            thread = threading.Thread(target=call, args=[argument])
            thread.start()
            thread.join()
        assert "first" == await promise

    CALLS = types.MappingProxyType(
        {
            "then": lambda promise: promise.then(print),
            "catch": lambda promise: promise.catch(print),
            "finally_": lambda promise: promise.finally_(print),
            "tap": lambda promise: promise.tap(print),
            "tap_catch": lambda promise: promise.tap_catch(print),
            "spread": lambda promise: promise.spread(print),
            "timeout": lambda promise: promise.timeout(60),
            "settled": lambda promise: promise.settled(),
            "shield": lambda promise: promise.shield(),
            "add_done_callback": lambda promise: promise.add_done_callback(print),
        }
    )
    CALLS_OF_PENDING = types.MappingProxyType(
        {
            "remove_done_callback": lambda promise: promise.remove_done_callback(print),
            "cancel": lambda promise: promise.cancel(),
        }
    )

    @pytest.mark.parametrize("call", (CALLS | CALLS_OF_PENDING).values(), ids=CALLS | CALLS_OF_PENDING)
    async def test_debug_mode_says_so_when_another_thread_uses_a_pending_promise(self, call) -> None:
        """What would break silently is refused, and nothing happens."""
        asyncio.get_running_loop().set_debug(True)
        promise, resolve, _ = Promise.with_resolvers()
        with pytest.raises(RuntimeError, match="thread"):
            await asyncio.to_thread(call, promise)
        resolve("value")
        assert "value" == await promise

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    async def test_debug_mode_says_so_when_another_thread_uses_a_settled_promise(self, call) -> None:
        """The same if the handler would be due immediately."""
        asyncio.get_running_loop().set_debug(True)
        promise = Promise.resolve("value")
        await turns()
        with pytest.raises(RuntimeError, match="thread"):
            await asyncio.to_thread(call, promise)
        assert "value" == await promise


class TestLaw12Loops:
    """A promise belongs to the loop on which it was made."""

    @pytest.fixture
    def other(self) -> Iterator[asyncio.Runner]:
        with asyncio.Runner() as runner:
            yield runner

    async def make_pending(self) -> Promise:
        """Return a promise that will not settle by itself."""
        return Promise(asyncio.Event().wait())

    async def make_settled(self) -> tuple[Promise, Promise]:
        """Return a fulfilled and a rejected promise."""
        return Promise.resolve("value"), Promise.reject(Reason())

    @pytest.mark.parametrize(
        "use",
        [
            wait_for,
            Promise,
            lambda promise: Promise(lambda resolve, reject: resolve(promise)),
            lambda promise: Promise.resolve().then(lambda _: promise),
            lambda promise: Promise.resolve().then(lambda _: wait_for(promise)),
        ],
        ids=["await", "Promise()", "resolve()", "returned by a handler", "awaited by a handler"],
    )
    def test_a_pending_promise_is_refused_by_another_loop(self, runner, other, use) -> None:
        """To wait for it there would be to wait for ever."""

        async def main(promise: Promise) -> None:
            await asyncio.wait_for(use(promise), 5)

        foreign = other.run(self.make_pending())
        with pytest.raises(RuntimeError, match="loop"):
            runner.run(main(foreign))

    def test_a_settled_promise_can_be_awaited_on_any_loop(self, runner, other) -> None:
        """There is nothing left to wait for."""

        async def main(fulfilled: Promise, rejected: Promise) -> tuple:
            return await fulfilled, await Promise(fulfilled), type(await catching(rejected))

        assert ("value", "value", Reason) == runner.run(main(*other.run(self.make_settled())))

    def test_a_settled_promise_can_be_awaited_where_no_loop_runs(self) -> None:
        """Whoever drives the coroutine needs no loop for that."""
        fulfilled, rejected = asyncio.run(self.make_settled())
        with pytest.raises(StopIteration) as stop:
            wait_for(fulfilled).send(None)
        assert "value" == stop.value.value
        with pytest.raises(Reason):
            wait_for(rejected).send(None)

    def test_each_loop_has_a_queue_of_its_own(self, runner, other) -> None:
        """What is due on a loop that rests waits until that loop runs again."""
        order: list[str] = []

        async def begin() -> Any:
            promise, resolve, _ = Promise.with_resolvers()
            promise.then(order.append)
            return resolve

        resolvers = [other.run(begin()), runner.run(begin())]
        resolvers[0]("of the other")
        resolvers[1]("of this")
        runner.run(turns())
        before = list(order)
        other.run(turns())
        assert (["of this"], ["of this", "of the other"]) == (before, order)


class Garbage:
    """An awaitable that yields what no Task understands."""

    def __await__(self) -> Iterator[object]:
        yield "garbage"


class NoIterator:
    """An awaitable whose __await__ returns something not iterable."""

    def __await__(self) -> int:
        return 5


class Unawaitable:
    """An awaitable whose __await__ raises."""

    def __await__(self) -> Any:
        raise Reason


async def cancels_itself() -> None:
    """Cancel the Task that runs this."""
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


def used_up() -> Any:
    """Return a coroutine that has ended."""
    coroutine = give(None)
    coroutine.close()
    return coroutine


def cancelled_task() -> asyncio.Task:
    """Return a Task that is cancelled before its first step."""
    task = asyncio.create_task(wait_for(future()))
    task.cancel()
    return task


def cancelled_future() -> asyncio.Future:
    """Return a Future that is cancelled soon."""
    made = future()
    asyncio.get_running_loop().call_soon(made.cancel)
    return made


class Comparing(type):
    """A metaclass whose classes cannot be hashed."""

    def __eq__(cls, other: object) -> bool:
        return cls is other

    __hash__ = None


class Unhashable(metaclass=Comparing):
    """Its class cannot be looked up anywhere."""


class Proxy:
    """What stands for an object that is not there, as the proxies of some web frameworks do."""

    @property
    def __class__(self) -> type:
        raise RuntimeError("nothing is there")


class Attributes(type):
    """A metaclass with a clumsy __getattr__."""

    def __getattr__(cls, name: str) -> Any:
        raise KeyError(name)


class Clumsy(metaclass=Attributes):
    """Its class has no attribute without KeyError."""


class ClumsyHandler:
    """A function with a clumsy __getattr__: it raises KeyError where AttributeError is meant."""

    still = True

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name) if self.still else AttributeError(name)

    def __call__(self, *arguments: object) -> object:
        return Reason()


class ClumsyAsyncHandler(ClumsyHandler):
    """The same, async."""

    async def __call__(self, *arguments: object) -> object:
        return Reason()


class ClumsyCheck(type(Exception)):
    """A metaclass whose isinstance() fails."""

    def __instancecheck__(cls, instance: object) -> bool:
        raise KeyError(instance)


class ClumsyError(Exception, metaclass=ClumsyCheck):
    """An exception class that cannot be asked for its instances."""


ENDS = {
    "a Task cancelled before its first step": cancelled_task,
    "a Future that is cancelled": cancelled_future,
    "a coroutine that cancels its own Task": cancels_itself,
    "a coroutine that has ended before": used_up,
    "an awaitable that yields garbage": Garbage,
    "an awaitable without an iterator": NoIterator,
    "an awaitable that raises": Unawaitable,
    "a coroutine that raises no Exception": raising_async(Grave()),
    "a coroutine that raises GeneratorExit": raising_later(GeneratorExit()),
    "a value whose class cannot be hashed": Unhashable,
    "a value that does not tell its class": Proxy,
    "a value whose class has a clumsy __getattr__": Clumsy,
}


@all_modes
class TestLaw13NoHangOfOurs:
    """A promise whose work ends settles, however odd the end."""

    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
    @pytest.mark.parametrize(
        "begin",
        [
            lambda end: Promise.resolve().then(lambda _: end()),
            lambda end: Promise.reject(Reason()).catch(lambda _: end()),
            lambda end: Promise.resolve().finally_(end),
            lambda end: Promise(lambda resolve, reject: resolve(end())),
            Promise.try_,
        ],
        ids=["then", "catch", "finally_", "resolve()", "try_"],
    )
    async def test_a_promise_settles_whatever_it_is_resolved_with(self, begin, end, reports) -> None:
        """The promise and its children get it, and the loop has nothing to report."""
        promise = begin(end)
        child = reason_of(promise)
        await asyncio.wait([child], timeout=1)
        assert (True, True, []) == (promise.done(), child.done(), reports)

    @pytest.mark.parametrize("kind", [ClumsyHandler, ClumsyAsyncHandler])
    @pytest.mark.parametrize("link", ["then", "tap", "finally_"])
    async def test_a_promise_settles_whatever_its_handler_is(self, kind, link, reports) -> None:
        """A callable is called, even if its name cannot be read."""
        handler = kind()
        child = reason_of(getattr(Promise.resolve(), link)(handler))
        await asyncio.wait([child], timeout=1)
        handler.still = False  # a loop that stumbles over it could not end
        assert (True, []) == (child.done(), reports)

    @pytest.mark.parametrize("link", ["catch", "tap_catch"])
    async def test_a_promise_settles_whatever_it_is_to_catch(self, link, reports) -> None:
        """A failing exception class is no reason to hang; the reason was not handled, so it is reported."""
        child = reason_of(getattr(Promise.reject(Reason()), link)(ClumsyError, repr))
        await asyncio.wait([child], timeout=1)
        assert (True, ["Reason()"]) == (child.done(), [repr(report["exception"]) for report in reports])

    async def test_a_promise_settles_whatever_the_task_factory_does(self) -> None:
        """Where no Task comes to be, the reason says why."""
        error = Reason("no Task")
        loop = asyncio.get_running_loop()
        factory = loop.get_task_factory()
        loop.set_task_factory(raising(error))
        child = Promise.resolve().then(give)
        await turns()
        loop.set_task_factory(factory)
        assert error is await reason_of(child)

    async def test_a_thenable_that_raises_settles_the_promises_that_follow_it(self) -> None:
        """The same for what is followed through its own then()."""

        class Failing(Thenable):
            then = raising(Reason())

        child = reason_of(Promise.resolve().then(lambda _: Failing()).finally_(Failing))
        await asyncio.wait([child], timeout=1)
        assert child.done()
