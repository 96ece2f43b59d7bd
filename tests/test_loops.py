"""Loops that are re-entered, patched by others, or shared by two copies of the library."""

import asyncio
import importlib
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from itertools import permutations
from typing import Any

import pytest

import aiopromise
from aiopromise import Promise
from helpers import outcome, turns


class Reentrant(asyncio.SelectorEventLoop):
    """Stands for a loop with modal dialogs, as qasync's: a callback may run it again, and waits meanwhile."""

    def run_forever(self) -> None:
        if self.is_running():
            raise RuntimeError("use dialog()")
        super().run_forever()

    def dialog(self, is_over: Callable[[], bool]) -> None:
        """Run callbacks until *is_over*."""
        self.call_later(5, self.stop)  # a promise that never settles fails its test
        while not is_over() and not self._stopping:
            self._run_once()
        assert is_over()


@pytest.fixture(params=["plain", "debug", *(["eager"] if sys.version_info >= (3, 12) else [])])
def loop(request: pytest.FixtureRequest) -> Iterator[Reentrant]:
    loop = Reentrant()
    if request.param == "debug":
        loop.set_debug(True)
        loop.slow_callback_duration = 60
    if request.param == "eager":
        loop.set_task_factory(asyncio.eager_task_factory)
    yield loop
    loop.close()


async def give(value: object) -> object:
    await turns(3)
    return value


def cancelled_soon() -> Promise:
    promise = Promise.delay(3600)
    asyncio.get_running_loop().call_soon(promise.cancel)
    return promise


INNER: dict[str, Callable[[], Promise]] = {
    "settled": lambda: Promise.resolve("inner"),
    "sync links": lambda: Promise.resolve("Inner").then(str.lower).then(str.strip),
    "async links": lambda: Promise.resolve("inner").then(give).then(give),
    "coroutine": lambda: Promise(give("inner")),
    "timeout": lambda: Promise(give("inner")).timeout(5),
    "timed out": lambda: Promise.delay(3600).timeout(0.01, fallback="inner"),
    "cancelled": lambda: cancelled_soon().catch(asyncio.CancelledError, lambda _: "inner"),
    "all": lambda: Promise.all(Promise.delay(0.01, "inner"), give(2)).spread(lambda first, _: first),
    "map": lambda: Promise.map(["inner"] * 3, give, concurrency=1).then(lambda found: found[0]),
}


@pytest.mark.parametrize("inner", INNER.values(), ids=INNER)
def test_a_handler_may_run_the_loop_until_another_promise_has_settled(loop: Reentrant, inner: Callable) -> None:
    def handler(_: object) -> object:
        promise = inner()
        loop.dialog(promise.done)
        return promise.result()

    async def main() -> object:
        return await asyncio.wait_for(Promise.resolve().then(handler), 10)

    assert "inner" == loop.run_until_complete(main())


def test_promises_of_others_settle_while_a_handler_runs_the_loop(loop: Reentrant) -> None:
    """Those that the outer drain had still to run, those whose work ends meanwhile, and those that await them."""

    async def main() -> list:
        log: list[str] = []
        works = [Promise(asyncio.sleep(0.01 * number, number)) for number in range(3)]
        tips = [work.then(give).then(lambda number: log.append(f"work {number}")) for work in works]
        blocking = Promise.resolve().then(lambda _: loop.dialog(lambda: all(tip.done() for tip in tips)))
        blocking.then(lambda _: log.append("outer"))
        Promise.resolve().then(lambda _: log.append("behind"))
        await asyncio.wait_for(Promise.all(blocking, *tips), 10)
        await turns()
        return log

    assert ["behind", "work 0", "work 1", "work 2", "outer"] == loop.run_until_complete(main())


def test_links_of_others_run_while_a_generator_that_a_finished_call_resumes_runs_the_loop(loop: Reentrant) -> None:
    async def main() -> list:
        other, resolve, _ = Promise.with_resolvers()
        tip = other.then(str.upper)

        def items() -> Iterator[int]:
            yield 1
            loop.call_later(0.01, resolve, "settled")
            loop.dialog(tip.done)
            yield 2

        found = await asyncio.wait_for(Promise.map(items(), give, concurrency=1), 10)
        return [*found, await tip]

    assert [1, 2, "SETTLED"] == loop.run_until_complete(main())


@pytest.mark.parametrize("deep", [1, 2, 5])
def test_handlers_run_once_and_in_their_order_however_deep_the_loop_runs(loop: Reentrant, deep: int) -> None:
    """First in, first out: the inner runs continue where the outer ones stopped."""

    async def main() -> tuple[list[int], list[int]]:
        log: list[int] = []
        source = Promise.resolve()

        def handler(number: int, _: object) -> None:
            log.append(number)
            if number % 10 == 0 and number // 10 < deep:
                last = source.then(lambda _: None)
                loop.dialog(last.done)

        tips = [source.then(lambda _, number=number: handler(number, _)) for number in range(100)]
        await asyncio.wait_for(Promise.all(tips), 10)
        return log, [*range(100)]

    log, expected = loop.run_until_complete(main())
    assert expected == log


def test_a_loop_that_is_run_within_itself_ends_as_any_other(loop: Reentrant) -> None:
    """Pending promises are cancelled, and their cleanup is awaited."""
    log: list[str] = []

    async def main() -> None:
        Promise.delay(3600).finally_(lambda: give(None)).finally_(lambda: log.append("cleaned up"))
        await Promise.resolve().then(lambda _: loop.dialog(Promise(give(1)).done))

    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert ["cleaned up"] == log


def test_a_loop_that_cannot_be_run_within_itself_has_no_turn_more_for_a_drain() -> None:
    """What nesting needs costs only those that nest."""

    async def main() -> tuple[int, bool]:
        counted = asyncio.get_running_loop()
        calls: list[Any] = []
        call_soon, counted.call_soon = (
            counted.call_soon,
            lambda *args, **how: calls.append(args) or call_soon(*args, **how),
        )
        promise, resolve, _ = Promise.with_resolvers()
        tip = promise.then(str).then(str).then(str)
        resolve(1)
        await turns()
        found = [args for args in calls if getattr(args[0], "__name__", "").startswith("run_handlers")]
        return len(found), tip.done()

    loop = asyncio.SelectorEventLoop()
    assert (1, True) == loop.run_until_complete(main())
    loop.close()


def run(program: str) -> str:
    """Run *program* in a new interpreter, as it patches asyncio, and return its output."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "" == ended.stderr
    return ended.stdout


NESTED = """
    import asyncio, nest_asyncio
    {before}
    from aiopromise import Promise

    {after}

    async def main():
        {body}

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    nest_asyncio._patch_loop(loop) if hasattr(asyncio, "_nest_patched") else None
    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
"""
APPLY = "asyncio.set_event_loop(asyncio.new_event_loop()); nest_asyncio.apply(); asyncio.get_event_loop().close()"

BODIES = {
    "work of another promise": (
        """
        loop = asyncio.get_running_loop()
        background = Promise(asyncio.sleep(.03, "done"))
        await Promise.resolve().then(lambda _: loop.run_until_complete(asyncio.sleep(.1)))
        await asyncio.sleep(.05)
        print(background)
        """,
        "<Promise fulfilled 'done'>\n",
    ),
    "run() after an await": (
        """
        async def inner():
            return await Promise.resolve(1).then(str)
        await Promise.delay(.01)
        print(asyncio.run(inner()))
        await Promise.delay(.01)
        print(asyncio.run(inner()))
        """,
        "1\n1\n",
    ),
    "a promise in a promise": (
        """
        loop = asyncio.get_running_loop()
        nested = lambda value: loop.run_until_complete(Promise.resolve(value + 1).then(str))
        print(await Promise.delay(.01, 1).then(nested).then(int).then(nested))
        """,
        "3\n",
    ),
    "cancel() of a handler": (
        """
        promise = Promise.resolve().then(lambda _: asyncio.sleep(3600)).finally_(lambda: print("cleaned up"))
        await asyncio.sleep(.01)
        print(promise.cancel())
        await asyncio.wait([promise], timeout=5)
        print(promise)
        """,
        "True\ncleaned up\n<Promise cancelled>\n",
    ),
    "a timeout": (
        "print(await Promise.resolve().then(lambda _: asyncio.sleep(3600)).timeout(.01, fallback='late'))",
        "late\n",
    ),
    "a Future that is followed": (
        """
        future = asyncio.get_running_loop().create_future()
        promise = Promise.resolve(future)
        print(promise.cancel(), future.cancelled(), promise.cancelled())
        """,
        "True True True\n",
    ),
    "a failure": (
        """
        loop = asyncio.get_running_loop()
        failing = lambda _: loop.run_until_complete(Promise.reject(KeyError("no")))
        print(repr(await Promise.delay(.01).then(failing).catch(KeyError, lambda error: error)))
        """,
        "KeyError('no')\n",
    ),
    "a handler that waits for one behind it": (
        """
        loop = asyncio.get_running_loop()
        first = Promise.resolve(1)
        waits = first.then(lambda _: loop.run_until_complete(asyncio.wait_for(behind, 5)))
        behind, last = first.then(str), first.then(float)
        print(await waits, await last)
        """,
        "1 1.0\n",
    ),
    "a Task that waits for a handler behind it": (
        """
        loop = asyncio.get_running_loop()
        first = Promise.delay(.01, 1)
        async def waits():
            await first
            return loop.run_until_complete(asyncio.wait_for(behind, 5))
        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        behind = first.then(str)
        print(await task)
        """,
        "1\n",
    ),
    "the progress of a pool": (
        """
        loop = asyncio.get_running_loop()
        shown = lambda done, total: loop.run_until_complete(asyncio.sleep(.05)) or print(done, total)
        for pool in (Promise.map, Promise.filter, Promise.each):
            print(await pool([.03, .01, .02], asyncio.sleep, concurrency=2, on_progress=shown))
        """,
        "1 3\n2 3\n3 3\n[None, None, None]\n1 3\n2 3\n3 3\n[]\n1 3\n2 3\n3 3\nNone\n",
    ),
    "the items of a pool": (
        """
        import contextvars
        variable = contextvars.ContextVar("variable")
        loop = asyncio.get_running_loop()
        def items():
            token = variable.set("in the generator")
            try:
                for number in range(3):
                    yield number
                    loop.run_until_complete(asyncio.sleep(.01))
            finally:
                variable.reset(token)
        print(await Promise.map(items(), lambda number: asyncio.sleep(0, number)))
        print([number async for number in Promise.map_unordered(items(), str, concurrency=2)])
        print(await Promise.map(items(), lambda number: 1 / 0).catch(repr))
        """,
        "[0, 1, 2]\n['0', '1', '2']\nZeroDivisionError('division by zero')\n",
    ),
    "a choice of items": (
        """
        loop = asyncio.get_running_loop()
        class Truth:
            def __bool__(self):
                loop.run_until_complete(asyncio.sleep(.01))
                return True
        print(await Promise.filter(range(3), lambda number: asyncio.sleep(0, Truth())))
        """,
        "[0, 1, 2]\n",
    ),
    "a pool that is cancelled by its progress": (
        """
        loop = asyncio.get_running_loop()
        def items():
            try:
                yield from range(100)
            finally:
                print("closed")
        def progress(done, total):
            pool.cancel()
            loop.run_until_complete(asyncio.sleep(.01))
        pool = Promise.map(items(), asyncio.sleep, concurrency=2, on_progress=progress)
        await asyncio.wait([pool], timeout=5)
        print(pool)
        """,
        "closed\n<Promise cancelled>\n",
    ),
    "the end of the loop": (
        """
        Promise.delay(3600).finally_(lambda: print("cleaned up"))
        await asyncio.sleep(0)
        """,
        "cleaned up\n",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
@pytest.mark.skipif(sys.version_info >= (3, 14), reason="nest_asyncio does not know Python 3.14")
def test_under_nest_asyncio_everything_goes_on(when: str, body: str, expected: str) -> None:
    """Whether asyncio was patched before the library was imported or after it."""
    indented = textwrap.indent(textwrap.dedent(body).strip(), " " * 8).strip()
    assert expected == run(NESTED.format(**{"before": "", "after": "", when: APPLY}, body=indented))


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="nest_asyncio does not know Python 3.14")
def test_nest_asyncio_may_be_applied_in_the_middle() -> None:
    """By a Task that a promise has just woken, with work started before: as in the first cell of a notebook."""
    body = """
        async def inner():
            return await Promise.resolve(1).then(str)
        work = Promise.resolve().then(lambda _: asyncio.sleep(3600))
        task = Promise(asyncio.create_task(asyncio.sleep(3600)))
        late = Promise(asyncio.sleep(.02, "late"))
        await Promise(asyncio.sleep(.01))
        nest_asyncio.apply()
        print(asyncio.run(inner()))
        print(asyncio.get_running_loop().run_until_complete(late))
        print(work.cancel(), task.cancel())
        await asyncio.wait([work, task], timeout=5)
        print(work, task)
    """
    indented = textwrap.indent(textwrap.dedent(body).strip(), " " * 8).strip()
    expected = "1\nlate\nTrue True\n<Promise cancelled> <Promise cancelled>\n"
    assert expected == run(NESTED.format(before="", after="", body=indented))


# ------------------------------------------------------------------- two copies of the library


@pytest.fixture
def copy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the Promise of a second copy of the library, as after it was purged and imported again."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "aiopromise"]:
        monkeypatch.delitem(sys.modules, name)
    copied = importlib.import_module("aiopromise").Promise
    for name in [name for name in sys.modules if name.partition(".")[0] == "aiopromise"]:
        monkeypatch.delitem(sys.modules, name)
    assert (copied is Promise) == aiopromise.compiled  # a module of C is loaded once
    return copied


USES: dict[str, Callable[[Any], Any]] = {
    "finally_": lambda cls: cls.reject(KeyError("no")).finally_(lambda: None),
    "async finally_": lambda cls: cls.reject(KeyError("no")).finally_(lambda: give(None)),
    "tap": lambda cls: cls.resolve("yes").tap(give),
    "tap_catch": lambda cls: cls.reject(KeyError("no")).tap_catch(give),
    "timeout": lambda cls: cls.reject(KeyError("no")).timeout(5),
    "catch": lambda cls: cls.reject(KeyError("no")).catch(KeyError, str),
    "all": lambda cls: cls.all(cls.resolve(1), give(2)),
    "map": lambda cls: cls.map([1, 2], give),
    "cancel": lambda cls: cls.reject(asyncio.CancelledError()),
}


@pytest.mark.slow
@pytest.mark.usefixtures("loop_mode")
@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_two_copies_of_the_library_work_on_one_loop(copy: Any, use: Callable) -> None:
    """Each of them as if it were alone, whichever came first."""
    promises = [use(cls) for cls in (Promise, copy, copy, Promise)]
    assert [Promise, copy, copy, Promise] == [type(promise) for promise in promises]
    outcomes = [await outcome(promise) for promise in promises]
    assert outcomes[:1] * 4 == outcomes


FOLLOWED: dict[str, Callable[[Any, Any], Any]] = {
    "Promise": lambda one, other: one(other),
    "Promise.resolve": lambda one, other: one.resolve(other),
    "handler": lambda one, other: one.resolve().then(lambda _: other),
    "all": lambda one, other: one.all([other]).then(lambda found: found[0]),
    "resolver": lambda one, other: one(lambda resolve, _: resolve(other)),
}


@pytest.mark.usefixtures("loop_mode")
@pytest.mark.parametrize("follow", FOLLOWED.values(), ids=FOLLOWED)
async def test_a_promise_of_one_copy_is_followed_by_the_other(copy: Any, follow: Callable) -> None:
    for one, other in ((Promise, copy), (copy, Promise)):
        assert "value" == await outcome(follow(one, other(give("value"))))
        assert "KeyError('no')" == await outcome(follow(one, other.reject(KeyError("no"))))
        work = other.delay(3600)
        following = follow(one, work)
        await turns()
        following.cancel()
        assert ["CancelledError()"] * 2 == [await outcome(following), await outcome(work)]


def test_the_end_of_the_loop_ends_the_promises_of_both_copies(copy: Any) -> None:
    log: list[str] = []

    async def main() -> None:
        Promise.delay(3600).finally_(lambda: log.append("one"))
        copy.delay(3600).finally_(lambda: log.append("other"))
        await turns()

    asyncio.run(main())
    assert ["one", "other"] == sorted(log)


@pytest.mark.usefixtures("loop_mode")
async def test_a_ring_through_both_copies_ends_when_one_of_its_promises_is_cancelled(copy: Any) -> None:
    """It is not seen when it is made, for each copy awaits what the other has made by a Task.

    Copies that are compiled have one engine, which sees it.
    """
    for one, other in ((Promise, copy), (copy, Promise)):
        for place in (0, 1):
            promises = ring_through(one, other)
            await turns()
            if share_their_engine(one, other):
                assert [TypeError, TypeError] == [type(promise.exception()) for promise in promises]
                continue
            assert [False, False] == [promise.done() for promise in promises]
            promises[place].cancel()
            await turns()
            assert [True, True] == [promise.cancelled() for promise in promises]


@pytest.mark.parametrize("waiters", [0, 1, 2])
def test_a_ring_through_both_copies_ends_with_the_loop(copy: Any, waiters: int) -> None:
    """In whichever order its Tasks are asked, and whoever awaits it besides."""
    for order in permutations(range(2 + waiters)) if not share_their_engine(Promise, copy) else ():
        with asyncio.Runner() as runner:
            promises, tasks = runner.run(in_a_ring(copy, waiters))
            for place in order:
                tasks[place].cancel()
            ended = asyncio.gather(*tasks, return_exceptions=True)
            limit = runner.get_loop().call_later(5, ended.cancel)
            runner.get_loop().run_until_complete(ended)
            limit.cancel()
        assert [True, True] == [promise.cancelled() for promise in promises]


async def in_a_ring(copy: Any, waiters: int) -> tuple[tuple[Any, Any], list[asyncio.Task]]:
    promises = ring_through(Promise, copy)
    waiting = [asyncio.create_task(outcome(promises[place])) for place in range(waiters)]
    await turns()
    others = asyncio.all_tasks() - {asyncio.current_task(), *waiting}
    return promises, sorted(others, key=str) + waiting


def share_their_engine(one: Any, other: Any) -> bool:
    return one.__base__ is other.__base__


def ring_through(one: Any, other: Any) -> tuple[Any, Any]:
    promise, resolve, _ = one.with_resolvers()
    follower = other(promise)
    resolve(follower)
    return promise, follower


# ------------------------------------------------------------------- the end of a loop


async def pending_with_cleanup(log: list[str], source: Promise | None = None) -> Promise:
    """Start what never ends by itself, as a link of *source* or on its own: its resolvers are kept."""
    kept = lambda *resolvers: setattr(asyncio.get_running_loop(), "kept", resolvers)  # noqa: E731
    work = Promise(kept) if source is None else source.then(lambda _: asyncio.sleep(3600))
    work.finally_(lambda: give(None)).finally_(lambda: log.append("cleaned up"))
    await turns()
    return Promise.resolve()


@pytest.mark.parametrize("linked", [False, True], ids=["new", "linked"])
def test_every_shutdown_of_a_loop_ends_what_was_begun_since_the_last(linked: bool) -> None:
    """A loop that is run by hand may be used again after shutdown_asyncgens(), without a warning of the guard."""
    log: list[str] = []
    loop = asyncio.new_event_loop()
    source = None
    for count in range(1, 4):
        settled = loop.run_until_complete(pending_with_cleanup(log, source))
        loop.run_until_complete(loop.shutdown_asyncgens())
        assert ["cleaned up"] * count == log
        source = settled if linked else None
    loop.close()


def test_a_shutdown_that_is_cancelled_leaves_the_rest_to_the_next() -> None:
    log: list[str] = []
    loop = asyncio.new_event_loop()
    gate = asyncio.Event()

    async def begin() -> Promise:
        return Promise(lambda *_: None).finally_(gate.wait).finally_(lambda: log.append("cleaned up"))

    held = [loop.run_until_complete(begin())]
    shutdown = loop.create_task(loop.shutdown_asyncgens())
    loop.run_until_complete(turns())
    shutdown.cancel()
    with suppress(asyncio.CancelledError):
        loop.run_until_complete(shutdown)
    held.append(loop.run_until_complete(begin()))
    loop.call_soon(gate.set)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert (["cleaned up"] * 2, [True] * 2) == (log, [promise.cancelled() for promise in held])


def test_a_first_promise_may_come_after_a_shutdown_of_its_loop() -> None:
    log: list[str] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(pending_with_cleanup(log))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert ["cleaned up"] == log


@pytest.mark.parametrize("hooks", ["others", "none"])
def test_the_end_of_the_loop_comes_to_promises_made_while_somebody_else_has_the_hooks(hooks: str) -> None:
    """As where trio is the guest of the loop: it would close what is the loop's to close, and too early."""
    theirs: list[object] = []
    log: list[str] = []

    async def main() -> None:
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(*((theirs.append, theirs.append) if hooks == "others" else (None, None)))
        during = sys.get_asyncgen_hooks()
        await pending_with_cleanup(log)
        found = [index async for index, _ in Promise.as_completed([give(1), give(2)])]
        assert ([0, 1], during) == (sorted(found), sys.get_asyncgen_hooks())
        sys.set_asyncgen_hooks(*before)

    asyncio.run(main())
    assert (["cleaned up"], []) == (log, theirs)


async def test_a_cleanup_leaves_the_hooks_of_somebody_else_alone() -> None:
    """A generator that a cleanup reads where trio is the guest of the loop is told to trio, and to nobody else."""
    theirs: list[object] = []

    async def rows() -> AsyncIterator[int]:
        yield 1

    async def clean_up() -> None:
        generator = rows()
        assert [1] == [row async for row in generator]
        assert [generator] == theirs

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=theirs.append)
    during = sys.get_asyncgen_hooks()
    await Promise.resolve().finally_(clean_up)
    assert during == sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(*before)


# ------------------------------------------------------------------- a loop that has no more than it must


class Bare(asyncio.AbstractEventLoop):
    """A custom loop: what asyncio documents about loops, and nothing else."""

    def __init__(self) -> None:
        self._loop = asyncio.SelectorEventLoop()

    def run_until_complete(self, future: Any) -> Any:
        self._loop.call_soon(asyncio._set_running_loop, self)
        task = self.create_task(future)
        task.add_done_callback(lambda _: self._loop.stop())
        self._loop.run_forever()
        return task.result()

    def create_task(self, coroutine: Any, **how: Any) -> asyncio.Task:
        return asyncio.Task(coroutine, loop=self, **how)

    def create_future(self) -> asyncio.Future:
        return asyncio.Future(loop=self)

    def call_soon(self, callback: Callable, *args: Any, context: Any = None) -> asyncio.Handle:
        return self._loop.call_soon(callback, *args, context=context)

    def call_later(self, delay: float, callback: Callable, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return self._loop.call_later(delay, callback, *args, context=context)

    def call_exception_handler(self, context: dict) -> None:
        self._loop.call_exception_handler(context)

    def get_debug(self) -> bool:
        return True

    def get_task_factory(self) -> None:
        return None

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def close(self) -> None:
        self._loop.close()


@pytest.mark.logs
def test_a_loop_with_no_more_than_a_loop_must_have_runs_in_debug_mode(caplog: pytest.LogCaptureFixture) -> None:
    """And names what is slow, by the limit that asyncio has."""

    async def main() -> object:
        return await Promise.resolve(1).then(str).then(give).tap(lambda _: time.sleep(0.15)).timeout(10)

    loop = Bare()
    assert "1" == loop.run_until_complete(main())
    loop.close()
    assert 1 == len([line for line in caplog.messages if "took" in line])
