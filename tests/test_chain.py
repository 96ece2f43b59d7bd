"""chain() of awaitables, one after another, and pipe() of functions."""

import asyncio
import gc
import inspect
import operator
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from inspect import CORO_CLOSED
from typing import Any

import pytest

from aiopromise import Promise, chain, pipe
from helpers import turns, without_address

pytestmark = pytest.mark.usefixtures("loop_mode")


class Story:
    """Steps that print when they start and end, and can be inspected afterwards."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.steps: list[Coroutine] = []

    def step(self, value: Any, pause: Awaitable | None = None) -> Coroutine:
        """Return a step that waits for *pause*, and returns *value*, or raises it if it is an exception."""
        self.steps.append(self._step(value, pause))
        return self.steps[-1]

    async def _step(self, value: Any, pause: Awaitable | None) -> Any:
        self.told.append(f"{value!r} starts")
        try:
            await (asyncio.sleep(0) if pause is None else pause)
        finally:
            self.told.append(f"{value!r} ends")
        if isinstance(value, BaseException):
            raise value
        return value

    def are_closed(self) -> list[bool]:
        """Tell of each step whether it is over, and leave none behind that warns."""
        states = [inspect.getcoroutinestate(step) == CORO_CLOSED for step in self.steps]
        for step in self.steps:
            step.close()
        return states


@pytest.fixture
def story() -> Story:
    """Return the story of one chain."""
    return Story()


async def give(value: Any) -> Any:
    """Stand for any coroutine function."""
    await asyncio.sleep(0)
    return value


# --------------------------------------------------------------- its result


async def test_nothing_runs_before_the_chain_is_awaited(story: Story) -> None:
    """A chain is lazy, as a coroutine is."""
    lazy = chain(story.step(1))
    await turns()
    assert [] == story.told
    assert [1] == await lazy


async def test_each_step_starts_when_the_one_before_it_has_ended(story: Story) -> None:
    """Steps run in order, one at a time, those of a nested chain in their place."""
    await chain(story.step(1), chain(story.step(2), [story.step(3)]), story.step(4))
    expected = [line for number in (1, 2, 3, 4) for line in (f"{number} starts", f"{number} ends")]
    assert expected == story.told


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (chain, []),
        (lambda: chain(give(1)), [1]),
        (lambda: chain(give(1), chain(give(2.1), give(2.2)), give(3)), [1, [2.1, 2.2], 3]),
        (lambda: chain(give(1), [give(2.1), give(2.2)], give(3)), [1, [2.1, 2.2], 3]),
        (lambda: chain((give(1), [give(2)]), []), [[1, [2]], []]),
        (lambda: chain(chain(chain(chain()))), [[[[]]]]),
        (lambda: chain(*[give(number) for number in range(5_000)]), [*range(5_000)]),
        (lambda: chain(Promise.resolve(1), asyncio.ensure_future(give(2)), chain(give(3)).then(len)), [1, 2, 1]),
    ],
    ids=["empty", "one", "nested", "list", "tuple", "nothing nested", "many", "promises and tasks"],
)
async def test_the_results_are_a_list_of_the_shape_of_the_steps(make: Callable, expected: list) -> None:
    """Where a chain or a list was given as a step, a list is the result."""
    assert expected == await make()


@pytest.mark.parametrize("form", [lambda *steps: chain(chain(*steps)), lambda *steps: chain([*steps])])
async def test_an_awaitable_may_stand_in_a_chain_twice(form: Callable) -> None:
    """An awaitable that can be awaited twice returns its value twice."""
    promise = Promise(give(1))
    assert [[1, 1]] == await form(promise, promise)


# ------------------------------------------------------------- as a coroutine


async def in_a_task_group(coroutine: Coroutine) -> Any:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(coroutine)
    return task.result()


STARTS: dict[str, Callable] = {
    "await": lambda coroutine: coroutine,
    "asyncio.run": lambda coroutine: asyncio.to_thread(asyncio.run, coroutine),
    "create_task": asyncio.create_task,
    "TaskGroup": in_a_task_group,
    "ensure_future": asyncio.ensure_future,
    "wait_for": lambda coroutine: asyncio.wait_for(coroutine, 5),
    "shield": asyncio.shield,
    "gather": lambda coroutine: Promise(asyncio.gather(coroutine)).then(lambda results: results[0]),
    "Promise": Promise,
    "Promise.resolve": Promise.resolve,
    "resolver": lambda coroutine: Promise(lambda resolve, reject: resolve(coroutine)),
    "handler": lambda coroutine: Promise.resolve().then(lambda _: coroutine),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
async def test_a_chain_is_taken_wherever_a_coroutine_is(start: Callable) -> None:
    """asyncio and promises start it as they start an `async def`."""
    assert [1, [2]] == await start(chain(give(1), [give(2)]))


async def test_a_chain_is_a_coroutine() -> None:
    """`isinstance`, `asyncio` and `inspect` say so."""
    lazy = chain(give(1))
    assert isinstance(lazy, Coroutine)
    assert (True, True) == (asyncio.iscoroutine(lazy), inspect.isawaitable(lazy))
    lazy.close()


@pytest.mark.parametrize("make", [chain, give], ids=["chain", "coroutine"])
async def test_it_is_awaited_once(make: Callable) -> None:
    """The second `await` is a `RuntimeError`, as it is for a coroutine."""
    given = make(give(1) if make is chain else 1)
    await given
    with pytest.raises(RuntimeError, match=r"^cannot reuse already awaited "):
        await given


async def wait_as_coroutine(event: asyncio.Event) -> list:
    return [await event.wait(), await event.wait()]


@pytest.mark.parametrize(
    "make", [lambda event: chain(event.wait(), event.wait()), wait_as_coroutine], ids=["chain", "coroutine"]
)
async def test_awaiting_it_while_it_runs_leaves_it_alone(make: Callable) -> None:
    """The second to await gets a `RuntimeError`; the first gets the results."""
    event = asyncio.Event()
    given = make(event)
    first = asyncio.create_task(give_what_it_gives(given))
    await turns()
    with pytest.raises(RuntimeError, match="already"):
        await asyncio.wait_for(give_what_it_gives(given), 0.1)
    event.set()
    assert [True, True] == await first


async def give_what_it_gives(awaitable: Awaitable) -> Any:
    return await awaitable


@pytest.mark.parametrize("turns_between", [0, 10])
async def test_a_chain_is_started_once(turns_between: int) -> None:
    """A second `then` is refused, at the call or by rejecting; the first one continues."""
    event = asyncio.Event()
    lazy = chain(event.wait(), give(2))
    first = lazy.then(len)
    await turns(turns_between)
    second = Promise.try_(lambda: lazy.then(len))
    await turns()
    event.set()
    result, refusal = await asyncio.gather(first, second, return_exceptions=True)
    assert (2, RuntimeError) == (result, type(refusal))


# --------------------------------------------------------- what is not reached


async def fails(steps: Callable, story: Story) -> None:
    with pytest.raises(LookupError):
        await chain(story.step(LookupError("gone")), steps())


async def cancelled(steps: Callable, story: Story) -> None:
    task = asyncio.create_task(chain(story.step(1, asyncio.Event().wait()), steps()))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancelled_before_its_start(steps: Callable, story: Story) -> None:
    task = asyncio.Task(chain(story.step(1), steps()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [] == story.told


async def awaiter_cancelled(steps: Callable, story: Story) -> None:
    task = asyncio.create_task(give_what_it_gives(chain(story.step(1, asyncio.Event().wait()), steps())))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def timed_out(steps: Callable, story: Story) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(chain(story.step(1, asyncio.Event().wait()), steps()), 0.01)


async def promise_cancelled(steps: Callable, story: Story) -> None:
    promise = chain(story.step(1, asyncio.Event().wait()), steps()).then(print)
    await turns()
    promise.cancel()
    with pytest.raises(asyncio.CancelledError):
        await promise


async def closed(steps: Callable, story: Story) -> None:
    running = suspended(chain(story.step(1, hang()), steps()))
    running.close()
    assert ["1 starts", "1 ends"] == story.told


async def closed_before_its_start(steps: Callable, story: Story) -> None:
    chain(story.step(1), steps()).close()
    assert [] == story.told


async def closed_twice(steps: Callable, story: Story) -> None:
    lazy = chain(story.step(1), steps())
    lazy.close()
    lazy.close()
    with pytest.raises(RuntimeError, match="already awaited"):
        await lazy


async def closed_with_a_failing_cleanup(steps: Callable, story: Story) -> None:
    async def failing() -> None:
        try:
            await hang()
        finally:
            raise LookupError("cleanup")

    running = suspended(chain(failing(), steps()))
    with pytest.raises(LookupError):
        running.close()


async def thrown_into(steps: Callable, story: Story) -> None:
    error = LookupError("thrown")
    with pytest.raises(LookupError) as caught:
        suspended(chain(story.step(1, hang()), steps())).throw(error)
    assert error is caught.value
    assert ["1 starts", "1 ends"] == story.told


async def thrown_into_before_its_start(steps: Callable, story: Story) -> None:
    error = LookupError("thrown")
    with pytest.raises(LookupError) as caught:
        chain(story.step(1), steps()).throw(error)
    assert error is caught.value
    assert [] == story.told


async def dropped(steps: Callable, story: Story) -> None:
    suspended(chain(story.step(1, hang()), steps()))
    gc.collect()


class Hanging:
    def __await__(self) -> Iterator[None]:
        yield


async def hang() -> None:
    """Suspend the coroutine that awaits this, with nothing to wait for."""
    await Hanging()


def suspended(coroutine: Coroutine) -> Coroutine:
    """Return the coroutine in the middle of its first step."""
    coroutine.send(None)
    return coroutine


ENDS = [
    fails,
    cancelled,
    cancelled_before_its_start,
    awaiter_cancelled,
    timed_out,
    promise_cancelled,
    closed,
    closed_before_its_start,
    closed_twice,
    closed_with_a_failing_cleanup,
    thrown_into,
    thrown_into_before_its_start,
    dropped,
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("form", [lambda step: step, chain, lambda step: [[step]]], ids=["step", "chain", "list"])
async def test_a_step_that_is_not_reached_is_closed(end: Callable, form: Callable, story: Story) -> None:
    """However a chain ends, nothing warns of a coroutine that was never awaited, in nested chains neither."""
    unreached = Story()
    await end(lambda: form(unreached.step(2)), story)
    assert ([True], []) == (unreached.are_closed(), unreached.told)
    assert {True} >= set(story.are_closed())


@pytest.mark.parametrize("end", ENDS)
async def test_what_belongs_to_the_caller_runs_on(end: Callable, story: Story) -> None:
    """Promises, Tasks and Futures that were not reached are left alone."""
    promise, task = Promise(give(1)), asyncio.ensure_future(give(2))
    future: asyncio.Future = asyncio.get_running_loop().create_future()
    await end(lambda: [promise, [task], chain(future)], story)
    future.set_result(3)
    assert [1, 2, 3] == await asyncio.gather(promise, task, future)


async def test_a_nested_chain_that_fails_fails_the_whole(story: Story) -> None:
    """The exception is the one that the step raised, and the steps behind the nested chain are closed."""
    error = LookupError("gone")
    with pytest.raises(LookupError) as caught:
        await chain(story.step(1), chain(story.step(error), story.step(2)), story.step(3))
    assert error is caught.value
    assert ["1 starts", "1 ends", f"{error!r} starts", f"{error!r} ends"] == story.told
    assert [True] * 4 == story.are_closed()


async def test_a_cancelled_chain_ends_after_the_cleanup_of_its_step(story: Story) -> None:
    """What a step does on cancellation is waited for."""

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await give(None)
            story.told.append("tidied up")

    task = asyncio.create_task(chain(tidy(), story.step(2)))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (["tidied up"], [True]) == (story.told, story.are_closed())


# ------------------------------------------------------------------- forgotten


@pytest.mark.parametrize(
    "make",
    [
        lambda story: chain(),
        lambda story: chain(story.step(1), story.step(2)),
        lambda story: chain(story.step(1), chain(story.step(2), chain(story.step(3)))),
        lambda story: chain([story.step(1), [story.step(2)]]),
    ],
    ids=["empty", "flat", "chains", "lists"],
)
async def test_a_forgotten_chain_warns_once(make: Callable, story: Story) -> None:
    """However many steps and chains are in it, it is one warning, and the steps are closed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make(story)
        gc.collect()
        assert {True} >= set(story.are_closed())
        story.steps.clear()
        gc.collect()
    assert [(RuntimeWarning, "chain() was never awaited")] == [(one.category, str(one.message)) for one in caught]


@pytest.mark.parametrize(
    "use",
    [
        lambda lazy: lazy.close(),
        asyncio.create_task,
        lambda lazy: lazy.then(print, None),
        lambda lazy: asyncio.wait_for(lazy, 5),
        lambda lazy: chain(lazy).close(),
    ],
    ids=["close", "create_task", "then", "wait_for", "nested"],
)
async def test_a_chain_that_was_used_does_not_warn(use: Callable) -> None:
    """One that was started or closed is not forgotten."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        used = use(chain(give(1)))
        if used is not None:
            await used
        del used
        gc.collect()
    assert [] == caught


async def fails_before(lazy: Any) -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await chain(fail(), lazy)


async def refused(lazy: Any) -> None:
    with pytest.raises(TypeError):
        chain(lazy, 5)


async def thrown_into(lazy: Any) -> None:
    with pytest.raises(asyncio.CancelledError):
        lazy.throw(asyncio.CancelledError())


async def closed(lazy: Any) -> None:
    lazy.close()


async def dropped(lazy: Any) -> None:
    pass


@pytest.mark.slow
@pytest.mark.parametrize("end", [closed, thrown_into, fails_before, refused, dropped])
async def test_a_chain_that_is_nested_deep_is_closed_without_recursion(end: Callable, story: Story) -> None:
    """100,000 deep: it warns once if it was forgotten, and else not at all."""
    nested = [chain(story.step(1))]
    for _ in range(100_000):
        nested.append(chain(nested.pop(), story.step(2)) if len(story.steps) < 3 else chain(nested.pop()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await end(nested.pop())
        gc.collect()
    assert ["chain() was never awaited"] * (end is dropped) == [str(one.message) for one in caught]
    assert [True] * 3 == story.are_closed()


def nested_deep(first: Awaitable, *, behind: Awaitable | None = None) -> Any:
    """Return a chain 10,000 deep; what stands *behind* the innermost comes last."""
    nested = chain(first) if behind is None else chain(chain(first), behind)
    for _ in range(9_999):
        nested = chain(nested)
    return nested


RUN: dict[str, Callable[[Any], Awaitable]] = {
    "await": lambda lazy: lazy,
    "create_task": asyncio.create_task,
    "Promise": Promise,
    "then": lambda lazy: lazy.then(lambda results: results),
    "a step": lambda lazy: chain(lazy).then(operator.itemgetter(0)),
}


@pytest.mark.parametrize("run", RUN.values(), ids=RUN)
async def test_a_chain_that_is_nested_deep_runs_without_recursion(run: Callable) -> None:
    """Its result is a list in a list, as deep as the chain."""
    result = await run(nested_deep(asyncio.sleep(0, "done")))
    depth = 0
    while result != "done":
        [result] = result
        depth += 1
    assert 10_000 == depth


async def test_a_chain_that_is_nested_deep_fails_and_is_cancelled_without_recursion(story: Story) -> None:
    """What comes behind is closed."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        await nested_deep(fail(), behind=story.step(1))
    task = asyncio.create_task(nested_deep(asyncio.Event().wait(), behind=story.step(2)))
    await turns()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert [True] * 2 == story.are_closed()


async def test_a_chain_that_is_a_step_of_another_belongs_to_that() -> None:
    """Awaiting it again raises, whether it has been reached or not."""
    inner = chain(give(1), asyncio.sleep(0))
    running = asyncio.create_task(chain(inner, give(2)))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match=r"cannot reuse already awaited <chain\(\) with"):
        await inner
    assert [[1, None], 2] == await running


# ----------------------------------------------------------- start as a promise


async def test_then_catch_and_finally_start_the_chain(story: Story) -> None:
    """No await is needed: the chain runs, and the promise is for the handler's result for its list."""
    error = LookupError("gone")
    promises = [
        chain(story.step(1), [story.step(2)]).then(lambda results: ("then", results)),
        chain(story.step(error)).then(None, lambda reason: ("then, second", reason)),
        chain(story.step(error)).catch(lambda reason: ("catch", reason)),
        chain(story.step(error)).catch(LookupError, lambda reason: ("catch typed", reason)),
        chain(story.step(3)).finally_(lambda: story.told.append("finally")),
        chain(story.step(4)).then(),
    ]
    await turns(20)
    assert {True} == {promise.done() for promise in promises}
    assert "finally" in story.told
    assert [
        ("then", [1, [2]]),
        ("then, second", error),
        ("catch", error),
        ("catch typed", error),
        [3],
        [4],
    ] == [promise.result() for promise in promises]
    assert {Promise} == {type(promise) for promise in promises}


async def test_finally_of_a_chain_that_fails_passes_the_failure_on() -> None:
    """`finally_` does not swallow it."""
    error = LookupError("gone")
    told: list[str] = []
    with pytest.raises(LookupError) as caught:
        await chain(Promise.reject(error)).finally_(lambda: told.append("finally"))
    assert (error, ["finally"]) == (caught.value, told)


# ------------------------------------------------------------------------ pipe


async def double(number: int) -> int:
    return await give(number * 2)


async def test_pipe_passes_each_result_on() -> None:
    """Functions may be sync or async, and may return a promise."""
    piped = pipe(int, double, lambda number: Promise.resolve(number + 1), str)
    promise = piped("4")
    assert isinstance(promise, Promise)
    assert "9" == await promise


async def test_pipe_makes_a_function_that_is_used_again_and_again() -> None:
    """Calls do not know of each other."""
    piped = pipe(double, double)
    assert [4, 8, 12] == await asyncio.gather(*map(piped, [1, 2, 3]))


async def test_pipe_calls_the_first_function_now_with_all_arguments() -> None:
    """The first is called within the call, the others never are."""
    told: list[Any] = []
    promise = pipe(lambda *args, **kwargs: told.append((args, kwargs)), told.append)(1, fn=2)
    assert [((1,), {"fn": 2})] == told
    await promise
    assert [((1,), {"fn": 2}), None] == told


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_pipe_stops_where_a_function_fails(place: int) -> None:
    """Those behind it are not called, and the exception is the one that was raised."""
    error = LookupError("gone")
    told: list[int] = []

    def stage(number: int) -> int:
        told.append(number)
        if place == number:
            raise error
        return number + 1

    promise = pipe(stage, stage, stage)(0)
    with pytest.raises(LookupError) as caught:
        await promise
    assert (error, [*range(place + 1)]) == (caught.value, told)


async def test_pipes_are_functions_among_others() -> None:
    """A pipe may stand in another pipe, and be a handler."""
    piped = pipe(pipe(double), pipe(str, len))
    assert 2 == await Promise.resolve(5).then(piped)


@pytest.mark.parametrize("functions", [(), (5,), (double, None)], ids=without_address)
async def test_pipe_needs_functions(functions: tuple) -> None:
    """No functions, or a non-function, is a `TypeError` when the pipe is made."""
    with pytest.raises(TypeError, match=r"^pipe\(\) needs "):
        pipe(*functions)
