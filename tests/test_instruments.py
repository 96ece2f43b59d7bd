"""Instruments: observers that are told of what happens to the promises of a loop, and change nothing of it."""

import asyncio
import gc
import threading
import weakref
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, NoReturn
from unittest.mock import Mock

import pytest

from aiopromise import Promise, Thenable, on_unhandled_rejection, pipe, promisify
from aiopromise.inspect import Instrument, add_instrument, remove_instrument
from helpers import outcome, turns

pytestmark = pytest.mark.usefixtures("loop_mode")


class Log(Instrument):
    """Writes down all that it is told, with a number for each promise."""

    def __init__(self) -> None:
        self.events: list[tuple] = []
        self.promises: list[Promise] = []

    def number(self, promise: object) -> int | None:
        return next((number for number, one in enumerate(self.promises) if one is promise), None)

    def promise_created(self, promise: Promise, call: str, parent: Promise | None) -> None:
        self.promises.append(promise)
        self.events.append(("created", self.number(promise), call, self.number(parent)))

    def handler_started(self, promise: Promise, handler: Callable) -> None:
        self.events.append(("started", self.number(promise), handler.__name__))

    def handler_ended(self, promise: Promise, handler: Callable) -> None:
        self.events.append(("ended", self.number(promise), handler.__name__))

    def promise_settled(self, promise: Promise) -> None:
        self.events.append(("settled", self.number(promise)))

    def cancel_requested(self, promise: Promise) -> None:
        self.events.append(("cancel", self.number(promise)))

    def rejection_unhandled(self, promise: Promise, reason: BaseException) -> None:
        self.events.append(("unhandled", self.number(promise), repr(reason)))

    def rejection_handled_late(self, promise: Promise, reason: BaseException) -> None:
        self.events.append(("handled late", self.number(promise), repr(reason)))

    def loser_abandoned(self, promise: Promise, loser: Promise) -> None:
        self.events.append(("abandoned", self.number(promise), self.number(loser)))

    def of(self, *names: str) -> list[tuple]:
        """Return the events of these names."""
        return [event for event in self.events if event[0] in names]


@pytest.fixture
async def log(loop_mode: str) -> Log:
    made = Log()
    add_instrument(made)
    return made


def add_one(number: int) -> int:
    return number + 1


async def add_one_later(number: int) -> int:
    await asyncio.sleep(0)
    return number + 1


def fail(*_: object) -> NoReturn:
    raise ValueError("no")


async def fail_later(*_: object) -> NoReturn:
    await asyncio.sleep(0)
    raise ValueError("no")


async def forever(*_: object) -> None:
    await asyncio.Event().wait()


async def test_a_link_is_created_its_handler_starts_and_ends_and_it_settles(log: Log) -> None:
    """In this order."""
    promise, resolve, _ = Promise.with_resolvers()
    tip = promise.then(add_one)
    resolve(1)
    assert 2 == await tip
    assert [
        ("created", 0, "Promise.with_resolvers", None),
        ("created", 1, "then", 0),
        ("settled", 0),
        ("started", 1, "add_one"),
        ("ended", 1, "add_one"),
        ("settled", 1),
    ] == log.events


MADE: list[tuple[str, Callable]] = [
    ("Promise", lambda: Promise(asyncio.sleep(0))),
    ("Promise", lambda: Promise(lambda resolve, reject: resolve(1))),
    ("Promise.resolve", lambda: Promise.resolve(1)),
    ("Promise.delay", lambda: Promise.delay(0)),
    ("Promise.all", lambda: Promise.all([1])),
    ("Promise.map", lambda: Promise.map([], add_one)),
    ("then", lambda: Promise.resolve(1).then(add_one)),
    ("catch", lambda: Promise.resolve(1).catch(fail)),
    ("finally_", lambda: Promise.resolve(1).finally_(int)),
    ("tap", lambda: Promise.resolve(1).tap(add_one)),
    ("tap_catch", lambda: Promise.resolve(1).tap_catch(fail)),
    ("spread", lambda: Promise.resolve((1,)).spread(add_one)),
    ("timeout", lambda: Promise.delay(0).timeout(5)),
    ("timeout", lambda: Promise.delay(0).timeout(None)),
    ("shield", lambda: Promise.delay(0).shield()),
    ("add_one_later", lambda: promisify(add_one_later)(1)),
]


@pytest.mark.parametrize(("call", "make"), MADE)
async def test_the_call_that_makes_a_promise_is_named(log: Log, call: str, make: Callable) -> None:
    """And its parent is the promise whose method it is."""
    promise = make()
    await promise
    is_link = not call.startswith("Promise") and "_" not in call.strip("_").replace("tap_catch", "tap")
    assert ("created", log.number(promise), call, 0 if is_link else None) in log.events
    assert ("settled", log.number(promise)) in log.events


HANDLED: list[tuple[str, Callable]] = [
    ("add_one", lambda: Promise.resolve(1).then(add_one)),
    ("add_one", lambda: Promise.resolve(1).tap(add_one)),
    ("add_one", lambda: Promise.resolve((1,)).spread(add_one)),
    ("fail", lambda: Promise.resolve(1).then(fail)),
    ("fail", lambda: Promise.reject(KeyError()).catch(fail)),
    ("fail", lambda: Promise.reject(KeyError()).then(add_one, fail)),
    ("fail", lambda: Promise.reject(KeyError()).tap_catch(fail)),
    ("fail", lambda: Promise.reject(KeyError()).finally_(fail)),
    ("add_one_later", lambda: Promise.resolve(1).then(add_one_later)),
    ("add_one_later", lambda: Promise.resolve(1).tap(add_one_later)),
    ("fail_later", lambda: Promise.resolve(1).then(fail_later)),
    ("fail_later", lambda: Promise.resolve(1).finally_(fail_later)),
]


@pytest.mark.parametrize(("name", "make"), HANDLED)
async def test_the_users_function_is_told_of_whatever_calls_it(log: Log, name: str, make: Callable) -> None:
    """Once at its start, and once at its end, before the promise settles."""
    promise = make()
    await outcome(promise)
    number = log.number(promise)
    events = [event for event in log.events if event[1] == number]
    assert [("started", number, name), ("ended", number, name), ("settled", number)] == events[1:]


@pytest.mark.parametrize(
    "make", [lambda: Promise.reject(KeyError()).then(add_one), lambda: Promise.resolve(1).catch(fail)]
)
async def test_a_link_that_an_outcome_passes_has_no_handler_to_tell_of(log: Log, make: Callable) -> None:
    """The promise is settled, and that is all."""
    await outcome(make())
    assert [] == log.of("started", "ended")
    assert [("settled", 0), ("settled", 1)] == log.of("settled")


async def test_an_async_handler_ends_with_its_task(log: Log) -> None:
    """Not when it returns its coroutine."""
    gate = asyncio.Event()

    async def wait(_: object) -> None:
        await gate.wait()

    promise = Promise.resolve().then(wait)
    await turns()
    assert ([("started", 1, "wait")], []) == (log.of("started"), log.of("ended"))
    gate.set()
    await promise
    assert [("ended", 1, "wait")] == log.of("ended")


async def test_a_handler_that_returns_a_promise_has_ended(log: Log) -> None:
    """The promise that follows it is pending for longer."""
    promise, resolve, _ = Promise.with_resolvers()
    tip = Promise.resolve().then(lambda _: promise)
    await turns()
    assert ([("ended", 2, "<lambda>")], False) == (log.of("ended"), tip.done())
    resolve(1)
    assert 1 == await tip


class Answer(Thenable):
    def then(self, resolve: Callable, reject: Callable, /) -> None:
        resolve(5)


async def test_a_handler_that_returns_a_thenable_has_ended(log: Log) -> None:
    """It is not run as a Task."""
    assert 5 == await Promise.resolve().then(lambda _: Answer())
    assert [("ended", 1, "<lambda>")] == log.of("ended")


async def test_an_async_handler_that_cancels_its_own_promise_ends_once(log: Log) -> None:
    """Whether it is running or has not begun to wait."""

    async def cancel(_: object) -> None:
        promise.cancel()
        await asyncio.sleep(0)

    promise = Promise.resolve().then(cancel)
    with pytest.raises(CancelledError):
        await promise
    assert [("started", 1, "cancel")] == log.of("started")
    assert [("ended", 1, "cancel")] == log.of("ended")


async def test_a_plain_handler_that_cancels_its_own_promise_ends_after_that(log: Log) -> None:
    """The coroutine that it returns is closed, and never runs."""

    def cancel(_: object) -> Any:
        promise.cancel()
        return add_one_later(1)

    promise = Promise.resolve().then(cancel)
    with pytest.raises(CancelledError):
        await promise
    assert [("started", 1, "cancel"), ("cancel", 1), ("settled", 1), ("ended", 1, "cancel")] == log.events[3:]


async def test_what_is_set_when_a_handler_starts_is_seen_by_it(log: Log) -> None:
    """Also by an async one: so a span of a tracing library can be the current one in it."""
    current: ContextVar[str] = ContextVar("current", default="none")

    class Spans(Instrument):
        def handler_started(self, promise: Promise, handler: Callable) -> None:
            current.set(handler.__name__)

    add_instrument(Spans())

    def plain(_: object) -> str:
        return current.get()

    async def later(_: object) -> str:
        await asyncio.sleep(0)
        return current.get()

    assert ("plain", "later") == await Promise.all(Promise.resolve().then(plain), Promise.resolve().then(later))
    assert "none" == current.get()


async def test_a_request_to_end_is_told_of_before_it_has_an_effect(log: Log) -> None:
    """Of the promise that was asked; those above are seen to be cancelled."""
    tip = Promise(forever()).then(add_one)
    await turns()
    tip.cancel()
    await outcome(tip)
    assert [("cancel", 1), ("settled", 0), ("settled", 1)] == log.of("cancel", "settled")


async def by_task(promise: Promise) -> None:
    async def wait() -> None:
        await promise

    task = asyncio.ensure_future(wait())
    await turns()
    task.cancel()
    await outcome(task)


async def by_method(promise: Promise) -> None:
    promise.cancel()
    await outcome(promise)


async def by_time_limit(promise: Promise) -> None:
    await outcome(promise.timeout(0))


async def by_combinator(promise: Promise) -> None:
    await Promise.race([promise, 1], losers="cancel")


@pytest.mark.parametrize("request_end", [by_method, by_task, by_time_limit, by_combinator])
@pytest.mark.parametrize("work", [lambda: Promise(forever()), lambda: Promise.with_resolvers().promise])
async def test_each_request_to_end_is_told_of_once(log: Log, request_end: Callable, work: Callable) -> None:
    """Whoever makes it, and whatever the promise waits for."""
    promise = work()
    await turns()
    await request_end(promise)
    assert ([("cancel", 0)], True) == (log.of("cancel"), promise.cancelled())


async def test_a_request_of_the_first_step_of_a_handler_to_its_own_awaiter_is_told_of(log: Log) -> None:
    """It has an effect only once that step is over."""

    async def handler(_: object) -> None:
        task.cancel()
        await forever()

    async def wait() -> None:
        await tip

    source, resolve, _ = Promise.with_resolvers()
    tip = source.then(handler)
    task = asyncio.ensure_future(wait())
    await turns()
    resolve()
    assert "CancelledError()" == await outcome(task)
    assert [("settled", 0), ("cancel", 1), ("settled", 1)] == log.of("cancel", "settled")


async def test_a_rejection_that_nobody_handles_is_told_of_once_the_due_handlers_have_run(log: Log) -> None:
    """And again when it is handled after all."""
    lost = Promise.reject(ValueError("lost"))
    Promise.reject(ValueError("caught")).catch(repr)
    assert [] == log.of("unhandled")
    await turns()
    assert [("unhandled", 0, "ValueError('lost')")] == log.of("unhandled", "handled late")
    for _ in range(2):
        await lost.catch(repr)
    assert [("handled late", 0, "ValueError('lost')")] == log.of("handled late")


async def test_a_rejection_is_reported_as_without_instruments(log: Log, reports: list[dict]) -> None:
    """Being observed is not being handled."""
    Promise.reject(ValueError("lost"))
    await turns()
    log.promises.clear()
    gc.collect()
    assert ["ValueError('lost')"] == [repr(report["exception"]) for report in reports]


async def test_a_callback_for_unhandled_rejections_is_called_as_without_instruments(log: Log, reports: list) -> None:
    """And the rejection is not reported a second time when the promise dies."""
    told = []
    stop = on_unhandled_rejection(lambda event: told.append((repr(event.reason), event.handled)))
    Promise.reject(ValueError("lost"))
    late = Promise.reject(KeyError("late"))
    await turns()
    await late.catch(repr)
    stop()
    log.promises.clear()
    del late
    gc.collect()
    assert [("ValueError('lost')", False), ("KeyError('late')", False), ("KeyError('late')", True)] == told
    assert ([], 2, 1) == (reports, len(log.of("unhandled")), len(log.of("handled late")))


async def test_a_loser_that_runs_on_is_told_of(log: Log) -> None:
    """Those that are cancelled are not abandoned."""
    loser, resolve, _ = Promise.with_resolvers()
    assert 1 == await Promise.race([loser, 1, forever()])
    resolve()
    assert [("abandoned", 1, 0)] == log.of("abandoned")


async def test_each_call_of_a_pool_is_told_of_as_a_promise_of_its_own(log: Log) -> None:
    """Several of one function run at a time, and each has its own end."""
    assert [2, 3] == await Promise.map([1, 2], add_one_later)
    assert [
        ("created", 0, "Promise.map", None),
        ("created", 1, "Promise.map", 0),
        ("created", 2, "Promise.map", 0),
        ("started", 1, "add_one_later"),
        ("started", 2, "add_one_later"),
        ("ended", 1, "add_one_later"),
        ("settled", 1),
        ("ended", 2, "add_one_later"),
        ("settled", 2),
        ("settled", 0),
    ] == log.events


async def test_the_library_s_own_promises_are_not_told_of(log: Log) -> None:
    """A coroutine that is handed to a combinator needs one, which nobody sees."""
    await Promise.all(add_one_later(1), asyncio.sleep(0))
    cleanup = Promise(forever()).finally_(int)
    await turns()
    cleanup.cancel()
    await outcome(cleanup)
    assert [("settled", 0), ("settled", 1), ("settled", 2)] == log.of("settled")


async def test_a_promise_of_an_executor_is_settled_on_the_loop(log: Log) -> None:
    """The thread of the job is not told of anything."""
    threads = []

    class Threads(Instrument):
        def promise_settled(self, promise: Promise) -> None:
            threads.append(threading.current_thread())

    add_instrument(Threads())
    with ThreadPoolExecutor() as executor:
        await Promise.submit(executor, add_one, 1)
    assert [threading.current_thread()] == threads


async def test_several_instruments_are_told_in_the_order_in_which_they_were_added() -> None:
    """One that is added twice is there once."""
    told = []

    class Named(Instrument):
        def __init__(self, name: str) -> None:
            self.name = name

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None

        def promise_created(self, *_: object) -> None:
            told.append(self.name)

    first, second = Named("first"), Named("second")
    for one in (first, second, first):
        add_instrument(one)
    Promise.resolve()
    remove_instrument(first)
    Promise.resolve()
    remove_instrument(second)
    Promise.resolve()
    assert ["first", "second", "second"] == told


async def test_a_removed_instrument_is_told_of_nothing_more(log: Log) -> None:
    """Not even of promises that it knows, and a handler that it saw start goes on."""
    promise, resolve, _ = Promise.with_resolvers()
    tip = promise.then(add_one).then(add_one_later)
    before = [*log.events]
    remove_instrument(log)
    resolve(1)
    assert (3, before) == (await tip, log.events)


async def test_an_instrument_that_was_not_added_cannot_be_removed(log: Log) -> None:
    """As on trio."""
    with pytest.raises(KeyError):
        remove_instrument(Log())
    remove_instrument(log)
    with pytest.raises(KeyError):
        remove_instrument(log)


EVENTS = [name for name in vars(Instrument) if not name.startswith("_")]


async def everything() -> list:
    """Do all that an instrument can be told of, and return what came of it."""
    lost = Promise.reject(ValueError("lost"))
    loser, resolve, _ = Promise.with_resolvers()
    asked = Promise(forever())
    await turns()
    asked.cancel()
    answers = [
        await outcome(Promise.resolve(1).then(add_one).then(add_one_later)),
        await outcome(Promise.race([loser, 1])),
        await outcome(asked),
        await outcome(lost),
        await outcome(Promise.map([1, 2], add_one)),
    ]
    resolve()
    return answers


@pytest.mark.logs
@pytest.mark.parametrize("event", EVENTS)
async def test_an_instrument_that_raises_is_removed_and_the_program_goes_on(
    event: str, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with the traceback, once; the others stay."""

    def broken(self: object, *_: object) -> NoReturn:
        raise CancelledError("broken") if event == "promise_settled" else ZeroDivisionError("broken")

    instrument = type("Broken", (Instrument,), {event: broken, "__repr__": lambda self: "<Broken>"})()
    expected = await everything()
    add_instrument(instrument)
    caplog.clear()
    answers = await everything()
    [record] = [one for one in caplog.records if one.name == "aiopromise"]
    assert expected == answers
    assert f"{event}() of an instrument failed, which is removed: <Broken>" == record.getMessage()
    assert "broken" in str(record.exc_info[1])
    with pytest.raises(KeyError):
        remove_instrument(instrument)
    remove_instrument(log)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_is_to_end_the_program_is_not_swallowed(stop: type[BaseException]) -> None:
    """A Ctrl-C may come while an instrument is called."""

    class Interrupted(Instrument):
        def promise_created(self, *_: object) -> NoReturn:
            raise stop

    async def main() -> None:
        add_instrument(Interrupted())
        Promise.resolve()

    with pytest.raises(stop):
        asyncio.run(main())


async def test_instruments_change_nothing_of_what_is_cancelled(log: Log) -> None:
    """They are not consumers, so a request climbs past them."""
    root = Promise(forever())
    tip = root.then(add_one).then(add_one)
    await turns()
    tip.cancel()
    await outcome(tip)
    assert root.cancelled()


async def test_an_observed_promise_shows_as_any_other(log: Log) -> None:
    """By the name of the user's handler."""
    observed = repr(Promise(forever()).then(add_one))
    remove_instrument(log)
    assert repr(Promise(forever()).then(add_one)) == observed


async def test_an_observed_failure_has_the_same_traceback(log: Log) -> None:
    """It ends in the line that failed, and begins there."""

    def lines(error: BaseException) -> Iterator[str]:
        traceback = error.__traceback__
        while traceback is not None:
            yield traceback.tb_frame.f_code.co_name
            traceback = traceback.tb_next

    error = await Promise.resolve().then(fail).catch(lambda error: error)
    assert ["fail"] == [*lines(error)]


async def cancelled() -> Promise:
    promise = Promise.with_resolvers().promise.then(add_one)
    promise.cancel()
    await outcome(promise)
    return promise


async def cancelled_while_it_runs() -> Promise:
    promise = Promise.resolve().then(forever)
    await turns()
    promise.cancel()
    await outcome(promise)
    return promise


async def passed_over() -> Promise:
    promise = Promise.resolve(1).catch(fail)
    await promise
    return promise


async def failed() -> Promise:
    promise = Promise.resolve(1).then(fail)
    await promise.catch(repr)
    return promise


async def call_of_a_pool() -> Promise:
    promise = Promise.map([1, 2], fail, concurrency=1)
    await promise.catch(repr)
    return promise


async def cancelled_pool() -> Promise:
    promise = Promise.map([1, 2], forever, concurrency=1)
    await turns()
    promise.cancel()
    await outcome(promise)
    return promise


DROPPED = [cancelled, cancelled_while_it_runs, passed_over, failed, call_of_a_pool, cancelled_pool]


async def test_an_instrument_keeps_no_promise_alive() -> None:
    """Each dies as soon as it would without; none is part of a cycle."""
    add_instrument(type("Blind", (Instrument,), dict.fromkeys(EVENTS, lambda *_: None))())
    gc.collect()
    gc.disable()
    try:
        settled = Promise.resolve(1).then(add_one).then(add_one_later).then(fail).catch(repr)
        await settled
        reference = weakref.ref(settled)
        del settled
        await turns()
        assert reference() is None
        for drop in DROPPED:
            reference = weakref.ref(await drop())
            await turns()
            assert reference() is None
    finally:
        gc.enable()


async def test_promises_made_before_are_not_told_of() -> None:
    """Nothing was recorded of them."""
    promise, resolve, _ = Promise.with_resolvers()
    tip = promise.then(add_one)
    log = Log()
    add_instrument(log)
    resolve(1)
    await tip
    assert [] == log.events


def test_instruments_belong_to_a_loop() -> None:
    """Another loop in another thread has its own."""

    async def observed(log: Log) -> None:
        add_instrument(log)
        await Promise.resolve(1).then(add_one)

    logs = [Log(), Log()]
    threads = [threading.Thread(target=lambda log=log: asyncio.run(observed(log))) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [2, 2] == [len(log.promises) for log in logs]


@pytest.mark.parametrize("call", [add_instrument, remove_instrument])
def test_without_a_running_loop_the_error_says_where_to_write_it(call: Callable) -> None:
    """It is the loop that is observed."""
    with pytest.raises(RuntimeError) as caught:
        call(Instrument())
    assert f"{call.__name__}(<aiopromise.inspect.Instrument object at " in str(caught.value)
    assert "needs a running event loop, whose promises it is about" in str(caught.value)


async def test_what_is_no_instrument_is_refused() -> None:
    """A class by mistake, a stranger, or one whose methods would never be awaited."""
    with pytest.raises(TypeError, match=r"add_instrument\(\) needs an Instrument, got 5"):
        add_instrument(5)
    with pytest.raises(TypeError, match=r"You wrote the class. Write an instance: add_instrument\(Log\(\)\)"):
        add_instrument(Log)

    class Late(Instrument):
        async def promise_settled(self, promise: Promise) -> None:
            """Never be awaited."""

    with pytest.raises(TypeError, match=r"promise_settled\(\) of an instrument cannot be async, got <"):
        add_instrument(Late())


@pytest.mark.parametrize("wrap", [weakref.proxy, lambda log: Mock(wraps=log, spec=log)])
async def test_what_passes_for_an_instrument_is_told_like_one(log: Log, wrap: Callable) -> None:
    """A mock or a proxy, whose class has none of the methods; and the others are told as before."""
    real = Log()
    add_instrument(wrap(real))
    await Promise.resolve(1).then(add_one)
    assert log.of("settled") == real.of("settled") == [("settled", 0), ("settled", 1)]


async def test_pipes_start_with_a_promise_of_their_name(log: Log) -> None:
    """Their other functions are links."""
    assert 3 == await pipe(add_one, add_one)(1)
    assert [("created", 1, "then", 0)] == log.of("created")[1:]
