"""Promises in asyncio's own call graph, which came with Python 3.14."""

import asyncio
import contextlib
import io
import sys
from collections.abc import Awaitable, Callable

import pytest

from aiopromise import Promise
from aiopromise.inspect import update_call_graph
from helpers import pstree, turns

needs_call_graph = pytest.mark.skipif(sys.version_info < (3, 14), reason="the call graph came with Python 3.14")


async def fetch(*_: object) -> None:
    await asyncio.Event().wait()


async def waits_for(awaitable: Awaitable) -> object:
    return await awaitable


def awaited_by(task: asyncio.Task) -> list[str]:
    """Return the names of the Tasks that the call graph shows as waiting for *task*."""
    graph = asyncio.capture_call_graph(task)
    return sorted(waiter.future.get_name() for waiter in graph.awaited_by)


def running() -> dict[str, asyncio.Task]:
    return {task.get_coro().__name__: task for task in asyncio.all_tasks()}


WAITING: dict[str, Callable[[], Promise]] = {
    "a promise of a coroutine": lambda: Promise(fetch()),
    "an async handler": lambda: Promise.resolve().then(fetch),
    "links": lambda: Promise(fetch()).then(print).catch(print).finally_(print),
    "1,000 links": lambda: linked(Promise(fetch()), 1000),
    "what a handler has returned": lambda: Promise.resolve().then(lambda _: Promise(fetch())).then(print),
    "a timeout, a shield and an outcome": lambda: Promise(fetch()).timeout(60).shield().settled(),
    "all": lambda: Promise.all(fetch(), Promise.delay(60)).then(print),
    "race of all": lambda: Promise.race(Promise.all(Promise(fetch()), 1), Promise.delay(60)),
    "map": lambda: Promise.map([1], fetch),
    "a gather": lambda: Promise(asyncio.gather(Promise(fetch()))),
}


def linked(promise: Promise, count: int) -> Promise:
    for _ in range(count):
        promise = promise.then(print)
    return promise


@needs_call_graph
@pytest.mark.parametrize("make", WAITING.values(), ids=WAITING)
async def test_a_task_that_awaits_a_promise_waits_for_the_task_that_this_hangs_on(make, loop_mode) -> None:
    """Through any number of links and combinators."""
    promise = make()
    waiting = asyncio.create_task(waits_for(promise), name="waiting")
    await turns()
    update_call_graph()
    task = running()["fetch"]
    names = awaited_by(task)
    if names != ["waiting"]:  # asyncio.gather() has a Task of its own in between
        [between] = asyncio.capture_call_graph(task).awaited_by
        names = awaited_by(between.future)
    assert ["waiting"] == names
    waiting.cancel()
    await asyncio.wait([waiting])


@needs_call_graph
async def test_what_print_call_graph_prints_ends_with_the_line_that_awaits_the_promise(loop_mode) -> None:
    """As a user sees it."""
    waiting = asyncio.create_task(waits_for(Promise(fetch()).then(print)), name="waiting")
    await turns()
    update_call_graph()
    text = io.StringIO()
    asyncio.print_call_graph(running()["fetch"], file=text)
    line = waits_for.__code__.co_firstlineno + 1
    assert text.getvalue().rstrip().endswith(f"File '{__file__}', line {line}, in async waits_for()")
    assert "+ Awaited by:\n    * Task(name='waiting'," in text.getvalue()
    waiting.cancel()
    await asyncio.wait([waiting])


@needs_call_graph
@pytest.mark.parametrize("wait", [asyncio.gather, asyncio.shield, lambda job: asyncio.wait([job]), lambda job: job])
async def test_what_asyncio_has_added_since_then_stays(wait) -> None:
    """The Task first awaits a promise of the job, and then the job."""
    job = asyncio.create_task(fetch(), name="job")
    promise = Promise(job).then(print)

    async def one_after_the_other() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await promise.shield()
        await wait(job)

    waiting = asyncio.create_task(one_after_the_other(), name="waiting")
    await turns()
    update_call_graph()
    assert ["waiting"] == awaited_by(job)
    waiting.cancel()
    await turns()
    update_call_graph()
    assert ["waiting"] == awaited_by(job)
    waiting.cancel()
    job.cancel()
    await asyncio.wait([waiting, job])


@needs_call_graph
async def test_what_is_no_longer_so_is_removed_by_the_next_call() -> None:
    """The Task that has stopped waiting, while the other runs on."""
    promise = Promise(fetch())
    waiting = [asyncio.create_task(waits_for(promise), name=name) for name in ("first", "second")]
    await turns()
    update_call_graph()
    [task] = [task for task in asyncio.all_tasks() if task.get_coro().__name__ == "fetch"]
    assert ["first", "second"] == awaited_by(task)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    update_call_graph()
    assert ["second"] == awaited_by(task)
    update_call_graph()
    assert ["second"] == awaited_by(task)
    waiting[1].cancel()
    await asyncio.wait([waiting[1]])


@needs_call_graph
async def test_what_asyncio_knows_itself_stays() -> None:
    """A TaskGroup waits for its Tasks, also after its body has awaited a promise of one of them."""

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(fetch(), name="fetch")
            waiting = Promise(task).timeout(60).shield()
            stop.append(waiting)
            with pytest.raises(asyncio.CancelledError):
                await waiting
            going_on.set()
            await asyncio.Event().wait()

    stop: list[Promise] = []
    going_on = asyncio.Event()
    whole = asyncio.create_task(body(), name="body")
    await turns()
    update_call_graph()
    task = running()["fetch"]
    assert ["body"] == awaited_by(task)
    stop[0].cancel()
    await going_on.wait()
    update_call_graph()
    assert ["body"] == awaited_by(task)
    whole.cancel()
    await asyncio.wait([whole])


PROGRAM = """
import asyncio
from aiopromise import Promise
from aiopromise.inspect import update_call_graph

async def fetch_page(text):
    await asyncio.Event().wait()

async def main():
    asyncio.get_running_loop().call_later(0.1, show)
    await Promise.all(Promise.resolve("home").then(fetch_page), Promise.resolve()).then(len)

def show():
    update_call_graph()
    print("running", flush=True)

asyncio.run(main())
"""


@needs_call_graph
def test_pstree_shows_the_handler_below_the_task_that_awaits_its_promise() -> None:
    """Whoever looks at a program that hangs from outside sees what it hangs on."""
    shown = pstree(PROGRAM)
    shown_first = [line.partition("──")[2].split(" <string>")[0].strip() for line in shown.splitlines()[:3]]
    assert ["(T) Task-1", "main", "(T) fetch_page"] == shown_first, shown


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there is no call graph before Python 3.14")
async def test_before_there_was_a_call_graph_nothing_happens() -> None:
    """A program may call it on any Python."""
    assert None is update_call_graph()


def test_a_loop_has_to_be_running() -> None:
    """Its Tasks are those that are shown."""
    with pytest.raises(RuntimeError, match=r"update_call_graph\(\) needs a running event loop"):
        update_call_graph()
