"""What goes wrong around a promise, and what the user sees of it: what docs/faults.md says and no other test holds."""

import asyncio
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
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from aiopromise import Promise, pipe
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
    def fail(*_: object) -> None:
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
    """Whoever tries is told so at once."""
    with pytest.raises(RuntimeError, match=r"closed|needs a running event loop"):
        use(*closed[:3])


def test_a_promise_whose_loop_was_closed_stays_pending_and_runs_no_cleanup(closed) -> None:
    """As a Task of that loop: nobody is there to run anything."""
    promise, _, _, link, log = closed
    assert (False, False, []) == (promise.done(), link.done(), log)


def test_awaiting_a_promise_whose_loop_was_closed_is_refused(closed) -> None:
    """It would wait for ever."""
    promise, *_ = closed
    error = asyncio.run(reason_of(promise))
    assert RuntimeError is type(error)


# ---------------------------------------------------------------------- what a handler may raise


@all_modes
@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), GeneratorExit(), BaseException()], ids=repr)
async def test_what_is_no_order_to_stop_rejects(timing, error) -> None:
    """The reason is the very object, and everything goes on."""
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


# ------------------------------------------------------------------- what does not want to end


class Stubborn:
    """Work that ignores so many requests to end."""

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
    """A request is a request: each cancel() is delivered, and what the work gives in the end is the outcome."""
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
    """For each promise one thread wins; the handler runs once, on the loop's thread."""
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


# -------------------------------------------------------------------------- other processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
async def test_a_forked_child_has_no_loop_and_may_run_one_of_its_own() -> None:
    """In the child a promise needs a loop of its own; the parent goes on as if nothing had been."""
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
    from aiopromise import Promise, pipe

    kept = []

    async def main():
        kept.append(Promise.with_resolvers())
        kept.append(Promise.resolve(1).then(str))
        kept.append(Promise(asyncio.sleep(3600)).finally_(lambda: print("cleaned up")))
        kept.append(Promise.delay(3600).timeout(3600))
        {last}

    {run}
"""


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
        from aiopromise import Promise, pipe

        kept = []

        async def main():
            kept.append(Promise.reject(ValueError("kept")))

        asyncio.run(main())
        print("end of the program")
        """
    )
    assert (0, "end of the program\n") == (code, output)
    assert ["a promise was rejected and nobody handled it", "ValueError: kept"] == errors.splitlines()


# -------------------------------------------------------------------------- the collector


@all_modes
async def test_a_collection_in_the_middle_of_a_drain_disturbs_nothing(reports) -> None:
    """Not even where what dies is a rejection, whose report begins something new."""
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
    gc.freeze()  # what was there before is none of our business, and slow to look at
    try:
        assert 5 == await tip
    finally:
        gc.unfreeze()
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
    """The reason says what is wrong; nobody waits for ever, and the coroutine is closed."""
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
@pytest.mark.logs  # asyncio tells of the handler that failed
async def test_an_exception_handler_that_fails_stops_nothing() -> None:
    """asyncio logs its failure; the drain in which it was called goes on."""
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
    """It leaves the loop, and who waits for the promise is told as well when the loop runs again."""
    held: list[Promise] = []

    async def main() -> None:
        held.append(place(error))
        await hang()

    with asyncio.Runner() as runner:
        with pytest.raises(type(error)):
            runner.run(main())
        assert error is runner.run(reason_of(held[0]))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
async def test_what_stops_a_program_leaves_the_call_of_try_(error) -> None:
    """The function is called at once, so there is no loop between it and the line that called."""
    with pytest.raises(type(error)):
        Promise.try_(raising(error))


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
