"""What asyncio's own tools show of a program that makes promises."""

import asyncio
import concurrent.futures
import importlib
import inspect
import io
import logging
import pkgutil
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

import aiopromise
from aiopromise import Promise, Thenable, chain
from helpers import pstree, turns, value_or_class

PROGRAM = """
import asyncio
from aiopromise import Promise

async def fetch_page(text):
    await asyncio.Event().wait()

async def close_file():
    await asyncio.Event().wait()

async def main():
    page = Promise.resolve("home").then(fetch_page)
    file = Promise.resolve("home").finally_(close_file)
    await asyncio.sleep(0)
    print("running", flush=True)
    await asyncio.wait([page, file])

asyncio.run(main())
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="python -m asyncio pstree came with Python 3.14")
def test_pstree_shows_the_tasks_that_links_start_under_the_names_of_their_handlers() -> None:
    """Whoever looks at a running program from outside sees what it is about."""
    assert ["close_file", "fetch_page"] == sorted(
        line.rpartition(" ")[2] for line in pstree(PROGRAM).splitlines() if "(T)" in line and "Task-" not in line
    )


async def wait(*arguments: object) -> None:
    await asyncio.sleep(0)
    await asyncio.Event().wait()


async def wait_a_little(*arguments: object) -> None:
    await asyncio.sleep(0)


class Deferred(Thenable):
    """Settles later, or never."""

    def then(self, resolve: Callable, reject: Callable, /) -> None:
        asyncio.get_running_loop().call_later(0.01, resolve, None)


class Later:
    """An awaitable that is not a coroutine."""

    def __await__(self):
        return wait_a_little().__await__()


def pending() -> Promise:
    return Promise.with_resolvers().promise


def cancelled(promise: Promise) -> Promise:
    asyncio.get_running_loop().call_soon(promise.cancel)
    return promise


async def awaiting(awaitable: Awaitable) -> object:
    return await awaitable


async def items() -> AsyncIterator[int]:
    for number in range(3):
        await asyncio.sleep(0)
        yield number


async def taken(stream: AsyncIterator) -> list:
    return [item async for item in stream]


async def in_turn(*promises: Awaitable) -> None:
    tasks = [asyncio.create_task(awaiting(promise)) for promise in promises]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def later(value: object) -> concurrent.futures.Future:
    future: concurrent.futures.Future = concurrent.futures.Future()
    asyncio.get_running_loop().call_later(0.01, lambda: future.cancelled() or future.set_result(value))
    return future


class Executor:
    """Runs nothing, and has a result after a while."""

    def submit(self, fn: Callable, *args: object) -> concurrent.futures.Future:
        return later(args)


def resolved_later(value: object) -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    asyncio.get_running_loop().call_soon(resolve, value)
    return promise


SITUATIONS: dict[str, Callable[[], object]] = {
    "then": lambda: pending().then(print).timeout(0.01),
    "an async handler": lambda: Promise.resolve().then(wait_a_little),
    "a handler that returns an awaitable": lambda: Promise.resolve().then(lambda _: Later()),
    "a handler that returns a promise": lambda: Promise.resolve().then(lambda _: Promise.delay(0.01)),
    "a handler that returns a Future": lambda: Promise.resolve().then(lambda _: asyncio.wrap_future(later(1))),
    "finally_": lambda: Promise.resolve().finally_(wait_a_little),
    "finally_ that returns an awaitable": lambda: Promise.resolve().finally_(Later),
    "finally_ of a failure": lambda: Promise.reject(ValueError()).finally_(wait_a_little),
    "tap": lambda: Promise.resolve().tap(wait_a_little),
    "tap_catch": lambda: Promise.reject(ValueError()).tap_catch(wait_a_little),
    "spread": lambda: Promise.resolve((1, 2)).spread(wait_a_little),
    "catch of a cancellation": lambda: cancelled(pending().catch(asyncio.CancelledError, wait_a_little)),
    "cleanups": lambda: cancelled(Promise(wait()).finally_(wait_a_little).finally_(Later)),
    "chain()": lambda: chain(wait_a_little(), chain(Later()), wait_a_little()).then(print),
    "a chain() awaited": lambda: awaiting(chain(wait_a_little(), wait_a_little())),
    "settled": lambda: cancelled(pending().settled()),
    "shield": lambda: cancelled(pending().shield()),
    "a shield": lambda: Promise.delay(0.01).shield(),
    "timeout": lambda: Promise(wait()).timeout(0.01),
    "timeout with others": lambda: Promise.all(p := Promise(wait()), p.timeout(0.01), losers="cancel"),
    "a thenable": lambda: Promise.from_thenable(Deferred()),
    "a thenable that is followed": lambda: Promise.resolve().then(lambda _: Deferred()),
    "resolvers": lambda: resolved_later(Later()),
    "a Future of another thread": lambda: Promise(later(1)),
    "submit": lambda: Promise.submit(Executor(), print, 1),
    "map with an executor": lambda: Promise.map([1, 2], print, executor=Executor()),
    "all": lambda: Promise.all(wait_a_little(), Promise.delay(0.01)),
    "all of which one fails": lambda: Promise.all(wait(), Promise.reject(ValueError()).finally_(wait_a_little)),
    "all_settled": lambda: Promise.all_settled(wait_a_little(), Promise.delay(0.01)),
    "all_keyed": lambda: Promise.all_keyed({"a": wait_a_little(), "b": Promise.delay(0.01)}),
    "all_settled_keyed": lambda: Promise.all_settled_keyed({"a": wait_a_little(), "b": Promise.delay(0.01)}),
    "any": lambda: Promise.any(wait(), Promise.delay(0.01)),
    "race": lambda: Promise.race(wait(), Promise.delay(0.01)),
    "some": lambda: Promise.some(1, wait(), Promise.delay(0.01)),
    "as_completed": lambda: taken(Promise.as_completed([wait_a_little(), Promise.delay(0.01)])),
    "map": lambda: Promise.map([1, 2], wait_a_little, concurrency=1, on_progress=lambda done, total: None),
    "map of async items": lambda: Promise.map(items(), wait_a_little, concurrency=1),
    "map of sync calls": lambda: Promise.map([1, 2], str),
    "a stream": lambda: taken(Promise.map_unordered([1, 2], wait_a_little)),
    "filter": lambda: Promise.filter([1, 2], wait_a_little),
    "reduce": lambda: Promise.reduce([1, 2], wait_a_little, 0),
    "each": lambda: Promise.each(items(), wait_a_little),
    "awaiters that are cancelled": lambda: in_turn(p := pending(), p, Promise(wait()), Promise.all(wait())),
    "asyncio's own": lambda: asyncio.gather(Promise.delay(0.01), asyncio.shield(Promise(wait_a_little()))),
    "what is shown by itself": lambda: [
        *map(repr, [Promise.map_unordered([1], str), Promise.as_completed([1]), *Promise.with_resolvers()]),
        *map(repr, [Promise.resolve, Promise.all, Promise.then, chain]),
    ],
}


def internal_names() -> set[str]:
    """Return the names of all classes of the library that are none of its users'."""
    names = set()
    for module in pkgutil.walk_packages(aiopromise.__path__, "aiopromise."):
        if not re.match(r"aiopromise\.(_pytest|__main__)", module.name):
            names |= {
                name
                for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
                if kind.__module__ == module.name
            }
    return names - {*aiopromise.__all__, *importlib.import_module("aiopromise.testing").__all__}


def leaks_of(shown: list[str]) -> list[str]:
    pattern = re.compile(rf"\b(?:{'|'.join(internal_names())})\b|aiopromise\._|without __name__|coro=<_")
    return [text for text in shown if pattern.search(text)][:3]


def stack_of(task: asyncio.Task) -> str:
    file = io.StringIO()
    task.print_stack(file=file)
    return file.getvalue()


@pytest.mark.logs
@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
async def test_nothing_that_is_shown_names_a_class_of_the_library(situation, caplog, loop_mode) -> None:
    """Neither the repr of a promise, or of a Task, nor what debug mode and asyncio say of what has taken long."""
    loop = asyncio.get_running_loop()
    if loop_mode == "debug":
        loop.slow_callback_duration = 0
    caplog.set_level(logging.DEBUG)
    made = situation()
    shown = [repr(made)]
    if isinstance(made, Awaitable):
        task = asyncio.ensure_future(value_or_class(made))
        for _ in range(1000):
            shown.append(repr(made))
            for one in asyncio.all_tasks():
                shown += [repr(one), *([] if one is asyncio.current_task() else [stack_of(one)])]
            shown += map(repr, [*getattr(loop, "_ready", []), *getattr(loop, "_scheduled", [])])
            if task.done():
                break
            await asyncio.sleep(0.001 if len(shown) > 30 else 0)
        assert task.done()
    loop.slow_callback_duration = 60
    assert [] == leaks_of([*shown, *caplog.messages])


FOLLOWED = {
    "Promise.all(...)": lambda: Promise.all(pending(), pending()),
    "Promise.all_keyed(...)": lambda: Promise.all_keyed({"a": pending()}),
    "Promise.all_settled(...)": lambda: Promise.all_settled(pending()),
    "Promise.all_settled_keyed(...)": lambda: Promise.all_settled_keyed({"a": pending()}),
    "Promise.any(...)": lambda: Promise.any(pending()),
    "Promise.race(...)": lambda: Promise.race(pending()),
    "Promise.some(...)": lambda: Promise.some(1, pending()),
    "Promise.map(wait)": lambda: Promise.map([1], wait),
    "Promise.map(pow)": lambda: Promise.map([1], pow, executor=Executor()),
    "Promise.filter(wait)": lambda: Promise.filter([1], wait),
    "Promise.reduce(wait)": lambda: Promise.reduce([1], wait, 0),
    "Promise.each(wait)": lambda: Promise.each([1], wait),
    "Promise.from_thenable(...)": lambda: Promise.from_thenable(Deferred()),
    ".timeout(5)": lambda: pending().timeout(5),
    ".settled()": lambda: pending().settled(),
    ".shield()": lambda: pending().shield(),
    "a job": lambda: Promise(concurrent.futures.Future()),
    "a Future": lambda: Promise(asyncio.get_running_loop().create_future()),
}


@pytest.mark.parametrize(("call", "make"), FOLLOWED.items(), ids=FOLLOWED)
async def test_a_promise_shows_what_it_waits_for_as_the_user_wrote_it(call, make) -> None:
    """The call is what the reader looks for in the code."""
    promise = make()
    await turns()
    assert f"<Promise pending, following {call}>" == repr(promise)
    promise.cancel()


async def close(*arguments: object) -> None:
    await asyncio.Event().wait()


RUNNING = {
    "then": lambda: Promise.resolve().then(close),
    "finally_": lambda: Promise.resolve().finally_(close),
    "finally_ of a failure": lambda: Promise.reject(ValueError()).finally_(close),
    "tap": lambda: Promise.resolve().tap(close),
    "tap_catch": lambda: Promise.reject(ValueError()).tap_catch(close),
    "catch of a cancellation": lambda: cancelled(pending().catch(asyncio.CancelledError, close)),
    "chain()": lambda: Promise(chain(close())),
    "a nested chain()": lambda: Promise(chain(chain(close()))),
}


@pytest.mark.parametrize("make", RUNNING.values(), ids=RUNNING)
async def test_a_stack_leads_to_the_line_where_the_users_function_waits(make, loop_mode) -> None:
    """Whatever of the library stands around it."""
    promise = make()
    await turns()
    [task] = asyncio.all_tasks() - {asyncio.current_task()}
    line = close.__code__.co_firstlineno + 1
    assert [("close", line)] == [(frame.f_code.co_name, frame.f_lineno) for frame in task.get_stack()]
    name = "chain" if "chain" in repr(task) else "close"
    assert f"coro=<{name}() running at {__file__}:{line}>" in repr(task)
    promise.cancel()
    await value_or_class(promise)


async def reading() -> AsyncIterator[int]:
    yield await asyncio.Event().wait()


class Reading:
    """An async iterator that is not a generator."""

    def __aiter__(self) -> "Reading":
        return self

    async def __anext__(self) -> int:
        return await asyncio.Event().wait()


SOURCES = {"a generator": (reading, reading.__code__), "an iterator": (Reading, Reading.__anext__.__code__)}


@pytest.mark.parametrize(("source", "code"), SOURCES.values(), ids=SOURCES)
async def test_a_stack_leads_to_the_line_where_the_users_source_waits(source, code, loop_mode) -> None:
    """Someone debugging a hang looks at the Task of a pool that reads its items."""
    promise = Promise.map(source(), str)
    await turns()
    [task] = asyncio.all_tasks() - {asyncio.current_task()}
    assert [(code, code.co_firstlineno + 1)] == [(frame.f_code, frame.f_lineno) for frame in task.get_stack()]
    assert f"coro=<{code.co_qualname}() running at {__file__}:{code.co_firstlineno + 1}>" in repr(task)
    promise.cancel()
    await value_or_class(promise)


@pytest.mark.parametrize("link", ["then", "tap", "finally_"])
async def test_a_promise_names_its_handler_during_the_first_step_of_that(link, loop_mode) -> None:
    """The Task may be one that has not been returned yet."""
    seen: list[str] = []

    async def look(*arguments: object) -> None:
        seen.append(repr(promise))

    promise = getattr(Promise.resolve(), link)(look)
    await promise
    assert ["<Promise pending, running look>"] == seen


@pytest.fixture
async def slow(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Switch debug mode on, call everything slow, and return what the library has said of it."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    caplog.set_level(logging.WARNING)
    return lambda: [
        record.getMessage().rpartition(" took ")[0] for record in caplog.records if record.name == "aiopromise"
    ]


@pytest.mark.logs
async def test_debug_mode_names_the_task_that_blocks_after_it_has_awaited_a_promise(slow) -> None:
    """Not the promise, which has only woken it."""

    async def block() -> None:
        await Promise.resolve().then(repr)
        await asyncio.sleep(0)

    await asyncio.create_task(block(), name="blocking")
    assert [] != [name for name in slow() if re.match(r"<Task \w+ name='blocking' coro=<test_.*block\(\) ", name)]
    assert [] == [name for name in slow() if name.startswith("<Promise fulfilled")]


@pytest.mark.logs
async def test_debug_mode_names_the_call_whose_items_or_progress_are_slow(slow) -> None:
    """As the user wrote it."""
    await Promise.map([1], str, on_progress=lambda done, total: None)
    await Promise.each([1], str)
    assert {"Promise.map(str)", "Promise.each(str)"} <= {*slow()}


@pytest.mark.logs
async def test_debug_mode_names_the_thenable_that_is_slow(slow) -> None:
    """By the call that has asked it."""

    class Slow:
        def then(self, resolve: Callable, reject: Callable) -> None:
            resolve(None)

    await Promise.from_thenable(Slow())
    assert "Promise.from_thenable(...)" in slow()
