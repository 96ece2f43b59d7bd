"""What goes wrong around a promise, and what the user sees of it: what docs/faults.md says and no other test holds."""

import asyncio
import concurrent.futures
import contextlib
import gc
import os
import re
import subprocess
import sys
import textwrap
import threading
import types
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, NoReturn

import pytest

from aiopromise import Promise, on_unhandled_rejection, pipe
from helpers import turns

all_modes = pytest.mark.usefixtures("loop_mode")


async def give(value: object = None) -> object:
    return value


async def hang() -> None:
    await asyncio.get_running_loop().create_future()


async def reason_of(awaitable: Awaitable) -> BaseException | None:
    try:
        await awaitable
    except BaseException as error:
        return error
    return None


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


# ------------------------------------------------------------------- a loop that is closed in the middle


@pytest.fixture
def closed() -> Iterator[tuple]:
    """Return a promise and its resolvers, and a link, whose loop was closed without being ended."""
    log: list[str] = []

    async def main() -> tuple:
        promise, resolve, reject = Promise.with_resolvers()
        return promise, resolve, reject, promise.finally_(lambda: log.append("cleaned up")), log

    with contextlib.closing(asyncio.new_event_loop()) as loop:
        parts = loop.run_until_complete(main())
    yield parts
    del parts
    gc.collect()


@pytest.mark.parametrize(
    "use",
    [
        lambda promise, resolve, reject: resolve(1),
        lambda promise, resolve, reject: reject(ValueError()),
        lambda promise, resolve, reject: promise.cancel(),
        lambda promise, resolve, reject: Promise.resolve(1),
    ],
    ids=["resolve", "reject", "cancel", "Promise.resolve"],
)
def test_nothing_can_be_settled_after_its_loop_was_closed(closed, use) -> None:
    """Trying raises immediately."""
    with pytest.raises(RuntimeError, match=r"closed|needs a running event loop"):
        use(*closed[:3])


def test_a_promise_whose_loop_was_closed_stays_pending_and_runs_no_cleanup(closed) -> None:
    """Like a Task of that loop: nothing can run."""
    promise, _, _, link, log = closed
    assert (False, False, []) == (promise.done(), link.done(), log)


def test_awaiting_a_promise_whose_loop_was_closed_is_refused(closed) -> None:
    """It would wait for ever."""
    promise, *_ = closed
    error = asyncio.run(reason_of(promise))
    assert RuntimeError is type(error)


LINKS: dict[str, Callable[[Promise], object]] = {
    "then": lambda promise: promise.then(str),
    "catch": lambda promise: promise.catch(str),
    "finally_": lambda promise: promise.finally_(str),
    "tap": lambda promise: promise.tap(str),
    "tap_catch": lambda promise: promise.tap_catch(str),
    "spread": lambda promise: promise.spread(lambda *numbers: str(numbers)),
    "timeout": lambda promise: promise.timeout(1),
    "settled": lambda promise: promise.settled(),
    "shield": lambda promise: promise.shield(),
    "add_done_callback": lambda promise: promise.add_done_callback(print),
}


def settled_on(loop: asyncio.AbstractEventLoop) -> Promise:
    async def make() -> Promise:
        return Promise.resolve((1, 2))

    return loop.run_until_complete(make())


@pytest.mark.parametrize("running", [False, True], ids=["no loop", "another loop"])
@pytest.mark.parametrize(("call", "use"), LINKS.items(), ids=LINKS)
def test_a_link_of_a_settled_promise_whose_loop_was_closed_is_refused_with_what_to_write(call, use, running) -> None:
    """Its handler would have nowhere to run; and what is advised does work."""
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        promise = settled_on(loop)

    async def attempt() -> object:
        return use(promise)

    async def as_advised() -> object:
        return await (Promise(promise) if use(Promise(promise)) is None else use(Promise(promise)))

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(attempt()) if running else use(promise)
    first, _, advice = str(caught.value).partition("\n\n")
    assert f"{call}() was called after the loop of <Promise fulfilled (1, 2)> was closed" == first
    assert f"Promise(promise).{call}(...)" in advice
    assert "1" in str(asyncio.run(as_advised()))


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize("running", [False, True], ids=["no loop", "another loop"])
def test_a_link_of_a_settled_promise_whose_loop_rests_runs_when_that_does(running, debug) -> None:
    """It belongs to the loop of its promise, wherever it is made, and can be awaited elsewhere once it has settled."""

    async def attempt() -> tuple:
        link = promise.then(sum)
        return link, await reason_of(link) if running else None

    async def given(link: Promise) -> object:
        return await link

    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.set_debug(debug)
        promise = settled_on(loop)
        link, reason = asyncio.run(attempt()) if running else (promise.then(sum), None)
        assert "attached to a different loop" in str(reason) if running else reason is None
        assert (False, 3, 3) == (link.done(), loop.run_until_complete(link), asyncio.run(given(link)))


# ---------------------------------------------------------------------- what a handler may raise


@all_modes
@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), GeneratorExit(), BaseException()], ids=repr)
async def test_what_is_no_order_to_stop_rejects(timing, error) -> None:
    """The reason is the very object, and everything continues."""
    promise = timing.fulfilled(1).then(raising(error))
    await asyncio.wait([promise])
    assert (error, 2) == (promise.exception(), await Promise.resolve(2))


@all_modes
@pytest.mark.parametrize(
    ("error", "expected"),
    [(MemoryError(), "caught"), (GeneratorExit(), "passed"), (BaseException(), "passed")],
    ids=repr,
)
async def test_catch_sees_of_these_what_is_an_exception(error, expected) -> None:
    """The others are seen by finally_, and by a catch that names them."""
    promise = Promise.resolve().then(raising(error)).catch(lambda _: "caught")
    assert expected == await promise.catch(BaseException, lambda _: "passed")


# ------------------------------------------------------------------- work that does not end when cancelled


class Stubborn:
    """Work that ignores a number of cancellations."""

    def __init__(self, ignores: int) -> None:
        self.ignores = ignores
        self.asked = 0

    async def __call__(self, *_: object) -> str:
        while self.asked <= self.ignores:
            try:
                await hang()
            except CancelledError:
                self.asked += 1
        return "had its way"


@all_modes
@pytest.mark.parametrize("ignores", [0, 1, 20])
async def test_work_that_ignores_its_cancellation_fulfils_when_it_ends(ignores) -> None:
    """A request is a request: each cancel() is delivered, and whatever the work finally returns is the outcome."""
    work = Stubborn(ignores)
    promise = Promise(work()).then(str.upper)
    for _ in range(ignores + 1):
        await turns()
        assert (False, True) == (promise.done(), promise.cancel())
    assert ("HAD ITS WAY", ignores + 1) == (await promise, work.asked)


@all_modes
async def test_timeout_waits_for_work_that_ignores_it_and_passes_on_what_it_gives() -> None:
    """As asyncio.timeout() does: the time is up, but there is a value."""
    assert "had its way" == await Promise(Stubborn(0)()).timeout(0.001)


def test_the_end_of_the_loop_waits_for_work_that_ignores_its_first_request() -> None:
    """asyncio.run() asks the Task, and the library asks again; it ends with what the work has given."""
    held: list[Promise] = []

    async def main() -> None:
        held.append(Promise(Stubborn(0)()))
        await turns()

    asyncio.run(main())
    assert "had its way" == held[0].result()


# -------------------------------------------------------------------------- storms


@all_modes
async def test_a_storm_of_requests_reaches_each_work_once_and_loses_nothing(reports) -> None:
    """A hundred chains over twenty works, all cancelled in one turn, each several times, and from handlers too."""
    ended: list[str] = []
    works = [Promise(hang()).finally_(lambda: ended.append("work")) for _ in range(20)]
    tips = [work.then(str).finally_(lambda: ended.append("tip")) for work in works for _ in range(5)]
    Promise.resolve().then(lambda _: [tip.cancel() for tip in tips])
    tasks = [asyncio.create_task(reason_of(tip)) for tip in tips]
    await turns(3)
    for thing in (*tips, *tasks, *works, *tips):
        thing.cancel()
    await asyncio.wait([*works, *tips, *tasks])
    assert {True} == {promise.cancelled() for promise in (*works, *tips)}
    assert (20, 100, []) == (ended.count("work"), ended.count("tip"), reports)


@all_modes
async def test_a_storm_of_requests_and_outcomes_settles_everything(reports) -> None:
    """Whichever comes first, each promise ends, and each handler has run at most once."""
    calls: list[int] = []
    sources = [Promise.with_resolvers() for _ in range(200)]
    tips = [source.promise.then(lambda _, number=number: calls.append(number)) for number, source in enumerate(sources)]
    for number, source in enumerate(sources):
        acts = [tips[number].cancel, source.resolve, source.promise.cancel]
        for act in acts[number % 3 :] + acts[: number % 3]:
            act()
    await asyncio.wait(tips)
    assert (sorted(set(calls)), []) == (calls, reports)


@all_modes
async def test_sixteen_threads_settle_at_once_and_nothing_is_lost(reports) -> None:
    """One thread wins each promise; the handler runs once, on the loop's thread."""
    sources = [Promise.with_resolvers() for _ in range(200)]
    main = threading.get_ident()
    tips = [source.promise.then(lambda value: (value, threading.get_ident() == main)) for source in sources]
    together = threading.Barrier(16)

    def settle(number: int) -> None:
        together.wait()
        for source in sources:
            source.resolve(number) if number % 2 else source.reject(ValueError(number))

    threads = [threading.Thread(target=settle, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    outcomes = await asyncio.wait_for(Promise.all_settled(tips), 30)
    for thread in threads:
        thread.join()
    won = [outcome.value for outcome in outcomes if outcome.status == "fulfilled"]
    lost = [outcome.reason.args[0] for outcome in outcomes if outcome.status == "rejected"]
    assert (200, {True}) == (len(won) + len(lost), {on_loop for _, on_loop in won} | {True})
    assert {*(number for number, _ in won), *lost} <= set(range(16))
    await turns()
    assert [] == reports


# ------------------------------------------------------------------- a promise of another loop


COMBINATORS: dict[str, Callable[[Promise], Awaitable]] = {
    "all": lambda promise: Promise.all(promise, 1),
    "all_keyed": lambda promise: Promise.all_keyed({"one": promise}),
    "any": Promise.any,
    "race": Promise.race,
    "some": lambda promise: Promise.some(1, [promise]),
}


@pytest.mark.parametrize("combine", COMBINATORS.values(), ids=COMBINATORS)
def test_a_combinator_rejects_what_is_pending_on_another_loop(combine) -> None:
    """It could only be notified from another thread."""

    async def make() -> Promise:
        return Promise.with_resolvers().promise

    async def reason_in_time(promise: Promise) -> BaseException | None:
        return await asyncio.wait_for(reason_of(combine(promise)), 5)

    with contextlib.closing(asyncio.new_event_loop()) as other:
        promise = other.run_until_complete(make())
        reason = asyncio.run(reason_in_time(promise))
    assert "belongs to a different event loop" in str([*getattr(reason, "exceptions", ()), reason][0])
    assert not promise.done()


@pytest.mark.parametrize("combine", COMBINATORS.values(), ids=COMBINATORS)
def test_a_combinator_takes_what_has_settled_on_another_loop(combine) -> None:
    """The value is there, whoever asks for it."""

    async def make() -> Promise:
        return Promise.resolve("there")

    async def combined(promise: Promise) -> object:
        return await asyncio.wait_for(combine(promise), 5)

    assert "there" in str(asyncio.run(combined(asyncio.run(make()))))


@pytest.mark.parametrize("method", ["resolve", "reject"])
def test_a_resolver_that_was_called_is_ignored_after_its_loop_was_closed_as_before(method) -> None:
    """Only the first call counts, and it came in time."""
    first, second = ValueError("first"), ValueError("second")

    async def main() -> tuple:
        promise, *resolvers = Promise.with_resolvers()
        resolver = resolvers[method == "reject"]
        resolver(first)
        return promise, resolver, await reason_of(promise)

    promise, resolver, reason = asyncio.run(main())
    resolver(second)
    assert first is (promise.result() if reason is None else reason)


# ------------------------------------------------------------------- values and callbacks that misbehave


class Undecided:
    """Neither true nor false, as an array of several numbers."""

    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")


@all_modes
async def test_filter_is_rejected_where_a_verdict_is_neither_true_nor_false() -> None:
    """With what the verdict raises, and the calls that run are cancelled."""
    ended: list[str] = []

    async def verdict(number: int) -> Undecided:
        try:
            await (hang() if number else turns())
        finally:
            ended.append(f"call {number}")
        return Undecided()

    filtered = Promise.filter(range(3), verdict)
    assert "neither true nor false" == str(await asyncio.wait_for(reason_of(filtered), 5))
    assert ["call 0", "call 1", "call 2"] == sorted(ended)


class OddMapping(Mapping):
    """Its keys cannot be those of a dict."""

    def __getitem__(self, key: Any) -> Any:
        return hang()

    def __iter__(self) -> Iterator[list]:
        return iter([[1], [2]])

    def __len__(self) -> int:
        return 2


async def test_all_keyed_is_rejected_where_a_key_cannot_be_one_of_a_dict() -> None:
    assert "unhashable" in str(await asyncio.wait_for(reason_of(Promise.all_keyed(OddMapping())), 5))


def test_a_promise_whose_value_has_it_is_shown_once() -> None:
    """As asyncio shows a Future; not once for each time that it is found, and again in each of those."""

    async def main() -> str:
        promise, resolve, _ = Promise.with_resolvers()
        resolve([promise, (promise, {"key": promise})])
        return repr(await asyncio.wait_for(promise.then(lambda _: promise.then()), 5) and promise)

    assert "<Promise fulfilled [<Promise ...>, (<Promise ...>, {'key': <Promise ...>})]>" == asyncio.run(main())


class Shown(BaseException):
    """What a repr raises."""


class Costly:
    """Its repr must not be asked for."""

    def __repr__(self) -> str:
        raise Shown


@pytest.mark.parametrize("loop_mode", ["debug"], indirect=True)
@pytest.mark.usefixtures("loop_mode")
async def test_debug_mode_asks_no_value_for_its_repr(reports) -> None:
    """It may take its time, or fail."""
    promise, resolve, _ = Promise.with_resolvers()
    tasks = [asyncio.create_task(reason_of(promise)) for _ in range(3)]
    promise.add_done_callback(lambda _: None)
    link = promise.then(lambda value: value)
    await turns()
    resolve(Costly())
    await asyncio.wait([link, *tasks], timeout=5)
    assert ([True, None, None, None], []) == ([link.done(), *(task.result() for task in tasks)], reports)


class UnfitError(TypeError):
    """An error that cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    def add_note(self, note: str) -> None:
        raise ZeroDivisionError

    def with_traceback(self, traceback: object) -> Any:
        raise ZeroDivisionError


@all_modes
@pytest.mark.parametrize("link", ["then", "finally_", "tap"])
async def test_an_exception_whose_own_methods_fail_rejects_as_any_other(link) -> None:
    error = UnfitError("cannot pickle this")
    promise = getattr(Promise.resolve(1), link)(raising(error))
    assert error is await asyncio.wait_for(reason_of(promise.then()), 5)


async def test_an_exception_from_an_executor_whose_own_methods_fail_rejects_as_any_other() -> None:
    error = UnfitError("cannot pickle this")
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        assert error is await asyncio.wait_for(reason_of(Promise.submit(executor, raising(error))), 5)


class Refused(BaseException):
    """What a test framework raises to end a test."""


@all_modes
@pytest.mark.parametrize("handled", [False, True])
async def test_a_listener_may_raise_anything_and_everybody_else_is_told(reports, handled) -> None:
    """Whoever takes the rejection gets it, and the listeners behind it are called."""
    error, told = ValueError("no"), []
    stops = [
        on_unhandled_rejection(lambda event: raising(Refused())() if event.handled == handled else None),
        on_unhandled_rejection(lambda event: told.append(event.handled)),
    ]
    promise = Promise.reject(error)
    await turns()
    async with asyncio.timeout(5):
        assert error is await reason_of(Promise.all(promise))
    for stop in stops:
        stop()
    assert ([False, True], [Refused]) == (told, [type(report["exception"]) for report in reports])


@all_modes
async def test_a_task_factory_that_forgets_its_task_leaves_nobody_waiting(reports) -> None:
    """Not even if the coroutine that it started refuses to be closed."""
    loop = asyncio.get_running_loop()

    def forgetful(loop: asyncio.AbstractEventLoop, coroutine: Coroutine, **_: object) -> None:
        coroutine.send(None)

    async def stubborn(_: object) -> None:
        try:
            await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)

    before = loop.get_task_factory()
    loop.set_task_factory(forgetful)
    promise = Promise.resolve().then(stubborn)
    done = loop.create_future()
    promise.add_done_callback(lambda _: done.set_result(None))
    try:
        async with asyncio.timeout(5):
            await done
    finally:
        loop.set_task_factory(before)
    assert isinstance(promise.exception(), TypeError | AttributeError)
    assert ["coroutine ignored GeneratorExit"] == [str(report["exception"]) for report in reports]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_items_that_stop_the_program_as_they_are_closed_leave_nobody_waiting(error) -> None:
    """It leaves the loop; when that runs again the promise has ended, with the failure that came first."""
    failure, held = ValueError("first"), []

    def items() -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            raise error

    async def main() -> None:
        held.append(Promise.map(items(), raising(failure), concurrency=1))
        await hang()

    with asyncio.Runner() as runner:
        with pytest.raises(type(error)):
            runner.run(main())
        assert failure is runner.run(reason_of(asyncio.wait_for(held[0], 5)))


class Uncancellable(asyncio.Future):
    """A user's Future class with a bug."""

    def cancel(self, msg: object = None) -> bool:
        raise LookupError("cannot be cancelled")


def test_a_future_that_cannot_be_cancelled_keeps_no_other_from_its_cleanup_at_the_end_of_the_loop() -> None:
    """Its promise ends with what its cancel() has raised."""
    held, ended = [], []

    async def main() -> None:
        held.append(Promise(Uncancellable(loop=asyncio.get_running_loop())))
        held.append(Promise(asyncio.get_running_loop().create_future()).finally_(lambda: ended.append("cleaned up")))
        await turns()

    asyncio.run(main())
    assert ("cannot be cancelled", ["cleaned up"]) == (str(held[0].exception()), ended)


@pytest.mark.logs
def test_the_end_of_a_loop_lets_go_of_a_future_that_cannot_be_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """An exception of its cancel() is reported when the promise is dropped, whoever holds the future."""
    held = []

    async def main() -> None:
        held.append(Uncancellable(loop=asyncio.get_running_loop()))
        Promise(held[0])
        await turns()

    asyncio.run(main())
    gc.collect()
    assert ["cannot be cancelled"] == [str(record.exc_info[1]) for record in caplog.records if record.exc_info]


# -------------------------------------------------------------------------- other processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
async def test_a_forked_child_has_no_loop_and_may_run_one_of_its_own() -> None:
    """In the child a promise needs its own loop; the parent is not affected."""
    promise, resolve, _ = Promise.with_resolvers()
    tip = promise.then(str.upper)
    child = os.fork()
    if child == 0:
        os._exit(_in_the_child())
    _, status = os.waitpid(child, 0)  # noqa: ASYNC222 - nothing else is to run meanwhile
    resolve("parent")
    assert (0, "PARENT") == (os.waitstatus_to_exitcode(status), await tip)


def _in_the_child() -> int:
    try:
        Promise.resolve(1)
    except RuntimeError:
        pass
    else:
        return 1

    async def main() -> object:
        return await Promise.resolve("child").then(give)

    return 0 if asyncio.run(main()) == "child" else 2


def _run(program: str, *options: str) -> tuple[int, str, str]:
    """Run *program* in a new interpreter; return its exit code and what it printed."""
    ended = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return ended.returncode, ended.stdout, ended.stderr


ALIVE = """
    import asyncio, sys
    from aiopromise import Promise, on_unhandled_rejection, pipe

    kept = []

    async def main():
        kept.append(Promise.with_resolvers())
        kept.append(Promise.resolve(1).then(str))
        kept.append(Promise(asyncio.sleep(3600)).finally_(lambda: print("cleaned up")))
        kept.append(Promise.delay(3600).timeout(3600))
        {last}

    {run}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("last", "expected"), [("", (0, "cleaned up\n", "")), ("sys.exit(3)", (3, "cleaned up\n", ""))], ids=["end", "exit"]
)
@pytest.mark.parametrize("options", [[], ["-X", "dev"]], ids=["plain", "dev"])
def test_the_interpreter_exits_quietly_with_promises_alive(last, expected, options) -> None:
    """What was pending was cancelled and cleaned up by asyncio.run()."""
    assert expected == _run(ALIVE.format(last=last, run="asyncio.run(main())"), *options)


def test_a_rejection_that_nobody_took_is_reported_at_the_exit_of_the_interpreter() -> None:
    """It is kept by a global, so it dies last."""
    code, output, errors = _run(
        """
        import asyncio
        from aiopromise import Promise, on_unhandled_rejection, pipe

        kept = []

        async def main():
            kept.append(Promise.reject(ValueError("kept")))

        asyncio.run(main())
        print("end of the program")
        """
    )
    assert (0, "end of the program\n") == (code, output)
    assert ["unhandled promise rejection", "ValueError: kept"] == errors.splitlines()


# -------------------------------------------------------------------------- the collector


@all_modes
async def test_a_collection_in_the_middle_of_a_drain_disturbs_nothing(reports) -> None:
    """Not even if what dies is a rejection, whose report starts something new."""
    loop = asyncio.get_running_loop()
    more: list[Promise] = []
    loop.set_exception_handler(lambda _, report: more.append(Promise.resolve(report["exception"].args).then(list)))

    def drop_and_collect(number: int) -> int:
        ring: list = [Promise.reject(ValueError(number))]
        ring.append(ring)
        del ring
        gc.collect()
        return number + 1

    tip = Promise.resolve(0)
    for _ in range(5):
        tip = tip.then(drop_and_collect)
    assert 5 == await tip
    assert [[number] for number in range(5)] == sorted(await Promise.all(more))


async def test_a_function_made_by_pipe_leaves_nothing_for_the_collector() -> None:
    """So that one may be made for each call."""
    gc.collect()
    gc.disable()
    try:
        assert "1" == await pipe(give, str)(1)
        assert 0 == gc.collect()
    finally:
        gc.enable()


# ------------------------------------------------- factories and handlers of the loop that misbehave


# Python 3.13 stumbles over it first, when it gives the Task its name: unless it can be given one.
NO_TASK = re.compile("the task factory of the loop must return a Task, got|has no attribute 'set_name'")
NAMED = types.SimpleNamespace(set_name=str)


@pytest.mark.parametrize("made", [None, "a string", object, NAMED], ids=repr)
@pytest.mark.parametrize("link", ["then", "finally_", "tap", "resolve"])
@pytest.mark.filterwarnings("ignore:.*Task.*factory:DeprecationWarning")
async def test_a_task_factory_that_gives_no_task_rejects(link, made) -> None:
    """The reason says what is wrong; nothing waits forever, and the coroutine is closed."""
    loop = asyncio.get_running_loop()
    promise, resolve, _ = Promise.with_resolvers()
    loop.set_task_factory(lambda *_, **__: made)
    child = promise if link == "resolve" else getattr(promise, link)(lambda *_: give())
    child.add_done_callback(lambda _: loop.set_task_factory(None))
    resolve(give() if link == "resolve" else 1)
    await _until(child.done)
    loop.set_task_factory(None)
    assert NO_TASK.search(str(child.exception()))


@pytest.mark.parametrize("made", [None, object, NAMED], ids=repr)
@pytest.mark.filterwarnings("ignore:.*Task.*factory:DeprecationWarning")
@pytest.mark.parametrize("make", [Promise, Promise.resolve, lambda coroutine: Promise.try_(lambda: coroutine)])
async def test_a_promise_of_a_coroutine_that_becomes_no_task_is_refused(make, made) -> None:
    """The call raises, as that of the factory would; the coroutine is closed."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(lambda *_, **__: made)
    try:
        with pytest.raises((TypeError, AttributeError), match=NO_TASK):
            make(give())
    finally:
        loop.set_task_factory(None)


async def _until(done: Callable[[], bool]) -> None:
    for _ in range(20):
        if not done():
            await asyncio.sleep(0)


@all_modes
@pytest.mark.logs  # asyncio logs the failed handler
async def test_an_exception_handler_that_fails_stops_nothing() -> None:
    """asyncio logs its failure; the drain in which it was called continues."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: raising(ZeroDivisionError())())
    promise, resolve, _ = Promise.with_resolvers()
    promise.add_done_callback(raising(ValueError()))
    last = promise.then(str.upper)
    promise.then(raising(ValueError()))
    resolve("on")
    assert "ON" == await asyncio.wait_for(last, 5)
    await turns()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_an_exception_handler_that_stops_the_loop_leaves_nobody_waiting(error) -> None:
    """It leaves the drain; when the loop runs again, the rest is there."""
    held: list[Promise] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: raising(error)())
        promise, resolve, _ = Promise.with_resolvers()
        promise.add_done_callback(raising(ValueError()))
        held.append(promise.then(str.upper))
        resolve("on")
        await hang()

    async def go_on() -> str:
        asyncio.get_running_loop().set_exception_handler(None)
        return await asyncio.wait_for(held[0], 5)

    with asyncio.Runner() as runner:
        with pytest.raises(type(error)):
            runner.run(main())
        assert "ON" == runner.run(go_on())


def _interrupted_items(error: BaseException) -> Iterator[int]:
    yield 1
    raise error


PLACES: dict[str, Callable[[BaseException], Promise]] = {
    "a handler": lambda error: Promise.resolve().then(raising(error)),
    "a cleanup": lambda error: Promise.resolve().finally_(raising(error)),
    "a thenable": lambda error: Promise.from_thenable(types.SimpleNamespace(then=raising(error))),
    "the function of map()": lambda error: Promise.map([1], raising(error)),
    "the items of map()": lambda error: Promise.map(_interrupted_items(error), give),
}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_what_stops_a_program_stops_it_from_wherever_it_is_raised(place, error) -> None:
    """It propagates out of the loop, and those who wait for the promise get it too, when the loop runs again."""
    held: list[Promise] = []

    async def main() -> None:
        held.append(place(error))
        await hang()

    with asyncio.Runner() as runner:
        with pytest.raises(type(error)):
            runner.run(main())
        assert error is runner.run(reason_of(held[0]))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_no_handler_runs_before_what_stops_a_program_has_left_the_loop(error) -> None:
    """The generator of items is resumed when a call ends; whatever waits for the pool, when the loop runs again."""
    called: list[str] = []

    def items() -> Iterator[int]:
        yield 0
        raise error

    async def main() -> None:
        pool = Promise.map(items(), lambda _: turns(), concurrency=1)
        pool.finally_(lambda: called.append("finally_")).catch(BaseException, called.append)
        await hang()

    with asyncio.Runner() as runner:
        with pytest.raises(type(error)):
            runner.run(main())
        assert [] == called
        runner.run(turns(3))
        assert ["finally_", error] == called


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
async def test_what_stops_a_program_leaves_the_call_of_try_(error) -> None:
    """The function is called immediately, so there is no loop between it and the caller."""
    with pytest.raises(type(error)):
        Promise.try_(raising(error))


async def test_what_a_task_factory_raises_is_reported_if_nobody_takes_it(reports) -> None:
    """As what a handler raises."""
    loop, error = asyncio.get_running_loop(), LookupError("no more Tasks")
    before = loop.get_task_factory()
    loop.set_task_factory(raising(error))
    Promise.resolve().then(give)
    await turns()
    loop.set_task_factory(before)
    gc.collect()
    assert [error] == [report["exception"] for report in reports]


@pytest.mark.parametrize("combine", [Promise.all, lambda items: Promise.map(items, str)], ids=["all", "map"])
async def test_what_items_raise_is_reported_if_nobody_takes_it(reports, combine) -> None:
    """As what a handler raises."""
    error = LookupError("no more items")
    combine(_interrupted_items(error))
    await turns()
    gc.collect()
    assert [error] == [report["exception"] for report in reports]


@pytest.mark.parametrize("link", ["then", "finally_", "tap"])
async def test_a_task_factory_may_wrap_what_it_is_given(link) -> None:
    """It is a coroutine that can be awaited, whatever the library has made it of."""
    loop = asyncio.get_running_loop()
    seen: list[str] = []

    async def wrapped(coroutine: Any) -> Any:
        seen.append("wrapped")
        return await coroutine

    loop.set_task_factory(lambda loop, coroutine, **_: asyncio.Task(wrapped(coroutine), loop=loop))
    promise = getattr(Promise.resolve("value"), link)(lambda *_: give("value"))
    await asyncio.wait([promise])
    loop.set_task_factory(None)
    assert (["wrapped"], "value") == (seen, promise.result())


# ------------------------------------------------------------------- what stops a program, and does not


ELSEWHERE: dict[str, Callable[[BaseException], Promise]] = {
    "Promise.reject()": Promise.reject,
    "a resolver": lambda error: _rejected(Promise.with_resolvers(), error),
    "a Future": lambda error: Promise(_failed_future(error)),
    "an executor": lambda error: Promise.submit(_Failing(error), print),
}


def _rejected(resolvers: Any, error: BaseException) -> Promise:
    resolvers.reject(error)
    return resolvers.promise


def _failed_future(error: BaseException) -> asyncio.Future:
    future = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


class _Failing(concurrent.futures.Executor):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> concurrent.futures.Future:
        future: concurrent.futures.Future = concurrent.futures.Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("make", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("links", [0, 2])
async def test_what_would_stop_a_program_and_has_not_left_the_loop_is_reported(reports, error, make, links) -> None:
    """Nothing else would report it: neither if it was only passed on, nor through links."""
    promise = make(error)
    for _ in range(links):
        promise = promise.then(print)
    await turns()
    del promise
    gc.collect()
    assert [error] == [report["exception"] for report in reports]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("place", ["a handler", "a cleanup", "a Task", "a first step", "a task factory"])
def test_what_has_left_the_loop_is_not_reported_by_the_links_behind_it(place, error) -> None:
    """Whoever ran the loop has got it."""
    reports: list[dict] = []

    async def fails(_: object) -> None:
        if place == "a Task":
            await turns()
        raise error

    def factory(loop: asyncio.AbstractEventLoop, *_: object, **__: object) -> NoReturn:
        loop.set_task_factory(None)
        raise error

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        promise = PLACES[place](error) if place in PLACES else Promise.resolve().then(fails)
        if place == "a task factory":
            asyncio.get_running_loop().set_task_factory(factory)
        promise.then(print).catch(print)
        await hang()

    async def go_on() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        await turns()

    with asyncio.Runner() as runner:
        with pytest.raises(type(error)):
            runner.run(main())
        runner.run(go_on())
        gc.collect()
    assert [] == [report for report in reports if "promise" in report["message"]]
