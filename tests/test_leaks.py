"""Long lines and long lives: no recursion, no needless work, nothing left behind."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import gc
import itertools
import sys
import traceback
import weakref
from asyncio import CancelledError
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from types import FrameType

import pytest

import aiopromise
from aiopromise import Promise, Thenable, chain, on_unhandled_rejection, pipe, promisify
from helpers import turns, value_or_class

pytestmark = pytest.mark.slow

variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable")


def next_number(number: int) -> int:
    return number + 1


async def next_number_later(number: int) -> int:
    await asyncio.sleep(0)
    return number + 1


async def hang(*arguments: object) -> None:
    await asyncio.Event().wait()


async def awaiting(awaitable: Awaitable) -> object:
    return await awaitable


def linked(promise: Promise, count: int, link: Callable[[Promise], Promise]) -> Promise:
    """Return the last of *count* links."""
    for _ in range(count):
        promise = link(promise)
    return promise


def line_of_followers(count: int, backwards: bool = False) -> tuple[Promise, Promise, Callable]:
    """Return the first and the last of promises each of which follows the next, and what resolves the last."""
    line = [Promise.with_resolvers() for _ in range(count)]
    pairs = list(itertools.pairwise(line))
    for one, following in reversed(pairs) if backwards else pairs:
        one.resolve(following.promise)
    return line[0].promise, line[-1].promise, line[-1].resolve


# ------------------------------------------------------------------------------------------- neither deep nor slow


async def _links(count: int) -> object:
    return await linked(Promise.resolve(0), count, lambda p: p.then(next_number)) == count


async def _async_links(count: int) -> object:
    return await linked(Promise.resolve(0), count, lambda p: p.then(next_number_later)) == count


async def _links_of_a_pending_promise(count: int) -> object:
    promise, resolve, _ = Promise.with_resolvers()
    tip = linked(promise, count, lambda p: p.then(next_number))
    resolve(0)
    return await tip == count


async def _links_of_a_rejection(count: int) -> object:
    return await value_or_class(linked(Promise.reject(KeyError()), count, lambda p: p.then(next_number))) is KeyError


async def _finally_links(count: int) -> object:
    calls: list[int] = []
    await value_or_class(linked(Promise.reject(KeyError()), count, lambda p: p.finally_(lambda: calls.append(1))))
    return len(calls) == count


async def _followers(count: int) -> object:
    first, _, resolve = line_of_followers(count)
    resolve("end")
    return await first == "end"


async def _followers_backwards(count: int) -> object:
    first, _, resolve = line_of_followers(count, backwards=True)
    resolve("end")
    return await first == "end"


async def _handlers_that_return_promises(count: int) -> object:
    def step(number: int) -> object:
        return Promise.resolve(number + 1).then(step) if number < count else number

    return await Promise.resolve(0).then(step) == count


async def _cancelled_from_the_tip(count: int) -> object:
    tip = linked(Promise(hang()), count, lambda p: p.then(next_number))
    await turns(1)
    tip.cancel()
    return await value_or_class(tip) is CancelledError


async def _cancelled_from_the_tip_with_nothing_running(count: int) -> object:
    tip = linked(Promise.with_resolvers().promise, count, lambda p: p.then(next_number))
    tip.cancel()
    return tip.cancelled()


async def _cancelled_from_the_root(count: int) -> object:
    root = Promise.with_resolvers().promise
    tip = linked(root, count, lambda p: p.then(next_number))
    root.cancel()
    return await value_or_class(tip) is CancelledError


async def _cancelled_followers(count: int) -> object:
    first, last, _ = line_of_followers(count)
    first.cancel()
    return last.cancelled()


async def _cancelled_with_cleanups(count: int) -> object:
    calls: list[int] = []
    tip = linked(Promise(hang()), count, lambda p: p.finally_(lambda: calls.append(1)))
    tip.cancel()
    await value_or_class(tip)
    return len(calls) == count


async def _cancelled_shields(count: int) -> object:
    root = Promise.with_resolvers().promise
    tip = linked(root, count, Promise.shield)
    root.cancel()
    return await value_or_class(tip) is CancelledError


async def _cancelled_settlements(count: int) -> object:
    tip = linked(Promise(hang()), count, Promise.settled)
    tip.cancel()
    return await value_or_class(tip) is CancelledError


async def _cancelled_limits(count: int) -> object:
    tip = linked(Promise(hang()), count, lambda p: p.timeout(3600))
    tip.cancel()
    return await value_or_class(tip) is CancelledError


async def _cancelled_siblings(count: int) -> object:
    source = Promise.with_resolvers().promise
    children = [source.then(next_number) for _ in range(count)]
    for child in (*children[::2], *children[1::2]):
        child.cancel()
    return source.cancelled()


async def _cancelled_awaiters(count: int) -> object:
    source = Promise(hang())
    tasks = [asyncio.create_task(awaiting(source)) for _ in range(count)]
    await turns(1)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return source.cancelled()


async def _dropped(count: int) -> object:
    promise = Promise.with_resolvers().promise
    tip = linked(promise, count, lambda p: p.then(next_number))
    del promise
    return not tip.done()  # tip is dropped as well as the coroutine ends


async def _pending_side_by_side(count: int) -> object:
    made = [Promise.with_resolvers() for _ in range(count)]
    for one in made:
        one.resolve("value")
    return {"value"} == {await one.promise for one in made}


SCENES = {
    _links: 100_000,
    _async_links: 10_000,
    _links_of_a_pending_promise: 100_000,
    _links_of_a_rejection: 100_000,
    _finally_links: 10_000,
    _followers: 10_000,
    _followers_backwards: 10_000,
    _handlers_that_return_promises: 10_000,
    _cancelled_from_the_tip: 5_000,
    _cancelled_from_the_tip_with_nothing_running: 5_000,
    _cancelled_from_the_root: 5_000,
    _cancelled_followers: 5_000,
    _cancelled_with_cleanups: 5_000,
    _cancelled_shields: 5_000,
    _cancelled_settlements: 5_000,
    _cancelled_limits: 5_000,
    _cancelled_siblings: 5_000,
    _cancelled_awaiters: 5_000,
    _dropped: 100_000,
    _pending_side_by_side: 10_000,
}


@pytest.fixture
def low_recursion_limit() -> Iterator[None]:
    """Leave about a hundred frames to the test."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(sum(1 for _ in traceback.walk_stack(None)) + 150)
    yield
    sys.setrecursionlimit(usual)


@pytest.mark.usefixtures("low_recursion_limit")
@pytest.mark.parametrize(("scene", "count"), SCENES.items())
def test_a_long_line_settles_without_recursion(scene, count) -> None:
    assert asyncio.run(scene(count))


def calls_of(scene: Callable[[int], Awaitable], count: int) -> int:
    """Return how many calls it takes: of Python functions and of those written in C.

    Left out is what a loop takes to keep its timers in order, which grows faster than their number.
    """
    calls = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call") and frame.f_code is not asyncio.TimerHandle.__lt__.__code__

    async def main() -> None:
        sys.setprofile(profile)
        try:
            await scene(count)
        finally:
            sys.setprofile(None)

    gc.collect()  # what other tests have left, and whose finalizers would be counted
    asyncio.run(main())
    return calls


def _nested(count: int) -> Promise:
    """Return the outermost of *count* combinators, one in another."""
    promise = Promise(hang())
    for _ in range(count):
        promise = Promise.race(promise)
    return promise


def _row_of_tasks(count: int) -> asyncio.Task:
    """Return the last of *count* Tasks, each of which awaits a promise of the one before."""
    task = asyncio.ensure_future(hang())
    for _ in range(count):
        task = asyncio.ensure_future(awaiting(Promise(task)))
    return task


@pytest.mark.parametrize(("make", "count"), [(_nested, 150), (_row_of_tasks, 300)], ids=["combinators", "Tasks"])
def test_a_request_to_end_goes_through_hundreds_that_are_nested(make, count) -> None:
    """Also at the loop's shutdown; the limit is that of recursion."""

    async def main() -> bool:
        make(count)
        outer = make(count)
        await turns(count)
        outer.cancel()
        await asyncio.wait([outer])
        return outer.cancelled()

    assert asyncio.run(main())


@pytest.mark.parametrize("scene", SCENES)
def test_twice_the_line_is_twice_the_work(scene) -> None:
    once, twice = calls_of(scene, 1000), calls_of(scene, 2000)
    # Of a compiled engine only its calls of Python are seen, and some scenes have none for each link.
    assert (0 if aiopromise.compiled else 1.5) < twice / once < 2.4


def test_four_times_as_many_pending_promises_are_four_times_the_work() -> None:
    """Even if the loop has to remember very many of them until it ends."""
    once, four_times = calls_of(_pending_side_by_side, 10_000), calls_of(_pending_side_by_side, 40_000)
    assert 3 < four_times / once < 5


# ------------------------------------------------------------------------------------------------------- it stays flat


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Let nothing be collected; what was there before is not even looked at by ``gc.collect()``."""
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.enable()


async def growth(scene: Callable[[int], Awaitable], count: int) -> int:
    """Return how many blocks of memory *count* times leave behind, the cycle collector being off."""
    with without_collector():
        await scene(count // 10)
        before = sys.getallocatedblocks()
        await scene(count)
        return sys.getallocatedblocks() - before


async def test_a_million_promises_in_a_loop_leave_memory_flat() -> None:
    async def scene(count: int) -> None:
        for _ in range(count // 1000):
            promises = [Promise.resolve(number).then(next_number) for number in range(500)]
            assert 500 == await promises[-1]

    assert await growth(scene, 1_000_000) < 1000


def _child(promise: Promise) -> None:
    promise.then(next_number).cancel()


def _child_with_cleanup(promise: Promise) -> None:
    promise.finally_(int).cancel()


def _follower(promise: Promise) -> None:
    follower, resolve, _ = Promise.with_resolvers()
    resolve(promise)
    follower.cancel()


def _shield(promise: Promise) -> None:
    promise.shield().cancel()


def _settlement(promise: Promise) -> None:
    promise.settled().cancel()


def _time_limit(promise: Promise) -> None:
    promise.timeout(3600).cancel()


def _done_callback(promise: Promise) -> None:
    promise.add_done_callback(print)
    promise.remove_done_callback(print)


def _other_promise(promise: Promise) -> None:
    Promise.with_resolvers()


VISITORS = [_child, _child_with_cleanup, _follower, _shield, _settlement, _time_limit, _done_callback, _other_promise]


@pytest.mark.parametrize("visit", VISITORS)
async def test_nothing_grows_on_a_pending_promise_when_others_come_and_go(visit) -> None:
    promise = Promise.with_resolvers().promise
    child = promise.then(next_number)

    async def scene(count: int) -> None:
        for _ in range(count // 1000):
            for _ in range(1000):
                visit(promise)
            await Promise.resolve().then(repr)  # so that what was due before has run

    # Some blocks are the loop's: it keeps up to a hundred timers that were cancelled. One per visit would be 100,000.
    assert await growth(scene, 100_000) < 5_000
    assert not child.done()


async def _times_out(promise: Promise) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            await promise


async def _is_waited_for(promise: Promise) -> None:
    await asyncio.wait([promise], timeout=0)


async def _times_out_as_a_promise(promise: Promise) -> None:
    await promise.timeout(0, fallback=None)


@pytest.mark.parametrize("visit", [_times_out, _is_waited_for, _times_out_as_a_promise])
async def test_nothing_grows_on_a_pending_promise_when_awaiters_time_out(visit) -> None:
    promise = Promise.with_resolvers().promise
    child = promise.then(next_number)

    async def visits(count: int) -> None:
        for _ in range(count):
            await visit(promise)

    async def scene(count: int) -> None:
        await asyncio.gather(*(visits(count // 50) for _ in range(50)))

    assert await growth(scene, 100_000) < 1000
    assert not child.done()


# ---------------------------------------------------------------------------------------------- nothing is left behind


class Failure(ValueError):
    """A reason whose end can be watched."""


def fail(*arguments: object) -> None:
    raise Failure(arguments)


async def fail_later(*arguments: object) -> None:
    await asyncio.sleep(0)
    fail(*arguments)


async def fail_at_once(*arguments: object) -> None:
    fail(*arguments)


async def awaits_a_failure() -> None:
    await Promise(fail_later())


async def awaits_what_fails_at_once() -> None:
    await Promise(fail_at_once())


async def is_cancelled_at_once(*arguments: object) -> None:
    raise CancelledError


async def fail_when_asked_to_end(*arguments: object) -> None:
    try:
        await hang()
    finally:
        fail(*arguments)


class Failing:
    """A thenable that raises."""

    def then(self, resolve: Callable, reject: Callable) -> None:
        fail(resolve, reject)


class Working(Thenable):
    """A thenable that resolves with work."""

    def then(self, resolve: Callable, reject: Callable) -> None:
        resolve(fail_at_once())


class Nested(Thenable):
    """A thenable that resolves with another."""

    def then(self, resolve: Callable, reject: Callable) -> None:
        resolve(Working())


class Unawaitable:
    """An awaitable that raises."""

    def __await__(self) -> Iterator:
        raise Failure


class Deaf(asyncio.Future):
    """A Future that takes no callback."""

    def add_done_callback(self, *arguments: object, **named: object) -> None:
        del arguments  # this frame is in the traceback
        raise Failure


class Unknown(asyncio.Future):
    """A Future whose done() raises."""

    def done(self) -> bool:
        raise Failure


class Mute(asyncio.Future):
    """A Future that is done, and whose result() raises."""

    def done(self) -> bool:
        return True

    def result(self) -> object:
        raise Failure


class FullUp(concurrent.futures.Executor):
    """An executor that takes nothing."""

    def submit(self, fn: Callable, /, *arguments: object, **named: object) -> concurrent.futures.Future:
        raise Failure


class Unasked:
    """A thenable whose attribute raises."""

    @property
    def then(self) -> Callable:
        raise Failure


class Silent:
    """A thenable that never answers."""

    def then(self, resolve: Callable, reject: Callable) -> None:
        pass


class Undecided:
    """Neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("undecided")


def some_then_fail() -> Iterator[int]:
    yield 1
    yield 2
    fail()


def fails_as_it_is_closed() -> Iterator[int]:
    try:
        yield 1
        yield 2
    finally:
        fail()


async def fails_at_its_first() -> AsyncIterator[int]:
    fail()
    yield 1


async def some_then_fail_later() -> AsyncIterator[int]:
    yield 1
    await asyncio.sleep(0)
    fail()


async def add_later(total: int, number: int) -> int:
    await asyncio.sleep(0)
    return total + number


async def _taken(stream: AsyncIterator) -> list:
    return [item async for item in stream]


async def ends_slowly(*arguments: object) -> None:
    try:
        await hang()
    finally:
        await turns(6)


async def _left_when_one_has_failed(stream: AsyncGenerator) -> None:
    async with contextlib.aclosing(stream):
        await anext(stream)
        await turns(3)


async def _left_early(stream: AsyncGenerator) -> None:
    async with contextlib.aclosing(stream):
        async for _ in stream:
            fail()


def _of_another_thread(end: str, argument: object) -> Promise:
    job: concurrent.futures.Future = concurrent.futures.Future()
    asyncio.get_running_loop().call_soon(getattr(job, end), argument)
    return Promise(job)


def _cancelled(promise: Promise) -> Promise:
    asyncio.get_running_loop().call_soon(promise.cancel)
    return promise


def _followed(promise: Promise) -> Promise:
    following, resolve, _ = Promise.with_resolvers()
    resolve(promise)
    return following


def _resolved_by_the_loop() -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    asyncio.get_running_loop().call_soon(resolve, fail_at_once())
    return promise


def _task(coroutine: Coroutine) -> asyncio.Task:
    """Return a Task of *coroutine*, as asyncio.create_task() does; which leaves a cycle in early releases."""
    return asyncio.get_running_loop().create_task(coroutine)


def _resolved_with(awaitable: Awaitable) -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    resolve(awaitable)
    return promise


def _one_of_many(promise: Promise) -> Promise:
    """Return *promise*, which has another consumer too."""
    promise.then(next_number).catch(repr)
    return promise


def _rejected_by_executor(resolve: Callable, reject: Callable) -> None:
    reject(ValueError())


async def _with_a_limit_around_it() -> None:
    async with asyncio.timeout(0):
        await Promise(hang())


def _itself() -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    resolve(promise)
    return promise


def _one_that_cancels_itself() -> Promise:
    promise = Promise.resolve().then(lambda _: promise.cancel())
    return promise


def _one_that_cancels_itself_and_fails() -> Promise:
    promises: list[Promise] = []

    async def cancel_and_fail(_: object) -> None:
        promises.pop().cancel()
        fail()

    promises.append(Promise.resolve().then(cancel_and_fail))
    return promises[0]


def _one_whose_handler_knows_it() -> Promise:
    promise = Promise.resolve().then(lambda _: fail_at_once(promise.done()))
    return promise


def _cancelled_before_it_began(promise: Promise) -> Promise:
    promise.cancel()
    return promise


async def _with_a_task_factory_that_fails(make: Callable[[], Promise]) -> None:
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    loop.set_task_factory(lambda *_, **__: fail())
    try:
        await make()
    finally:
        loop.set_task_factory(factory)


FINISHED = {
    "sync handlers": lambda: Promise.resolve(1).then(next_number).then(next_number),
    "async handlers": lambda: Promise(next_number_later(1)).then(next_number_later).then(next_number_later),
    "handlers that return promises": lambda: Promise.resolve(1).then(lambda value: Promise(next_number_later(value))),
    "a sync handler that raises": lambda: Promise.resolve(1).then(fail),
    "an async handler that raises": lambda: Promise.resolve(1).then(fail_later),
    "an async handler that raises at once": lambda: Promise.resolve(1).then(fail_at_once),
    "an async effect that raises at once": lambda: Promise.resolve(1).tap(fail_at_once),
    "a rejection that travels": lambda: Promise.reject(ValueError()).then(next_number).finally_(int).tap(print),
    "try_ of a function that raises": lambda: Promise.try_(fail),
    "a rejection that is caught": lambda: Promise(fail_later()).catch(KeyError, fail).catch(ValueError, repr),
    "catch that raises": lambda: Promise(fail_later()).catch(fail).catch(fail_later),
    "finally_ that raises": lambda: Promise(fail_later()).finally_(fail).finally_(fail_later),
    "tap_catch": lambda: Promise.reject(ValueError()).tap_catch(repr).tap_catch(next_number_later),
    "an executor": lambda: Promise(_rejected_by_executor),
    "an executor that raises": lambda: Promise(fail),
    "a thenable that raises": lambda: Promise.from_thenable(Failing()),
    "resolvers": lambda: _followed(Promise.resolve(1)),
    "following a rejection": lambda: _followed(Promise(fail_later())),
    "following itself": _itself,
    "a Task that awaits a rejection": lambda: asyncio.create_task(awaits_a_failure()),
    "a promise of work that awaits a rejection": lambda: Promise(awaits_a_failure()),
    "work that the loop resolves with": _resolved_by_the_loop,
    "following a Task": lambda: Promise(asyncio.create_task(fail_later())),
    "a thenable that cannot be asked": lambda: Promise.from_thenable(Unasked()),
    "a thenable": lambda: _cancelled(Promise.from_thenable(Silent())),
    "a chain()": lambda: chain(next_number_later(1), chain(fail_later())).catch(repr),
    "cancelled work": lambda: _cancelled(Promise(hang()).then(next_number)),
    "cancelled handlers": lambda: _cancelled(Promise.resolve().then(hang).then(next_number)),
    "cancelled cleanups": lambda: _cancelled(Promise(hang()).finally_(int).finally_(lambda: asyncio.sleep(0))),
    "a cancellation that is caught": lambda: _cancelled(Promise(hang()).catch(CancelledError, repr)),
    "a branch that is cut off": lambda: _cancelled(Promise.resolve().then(hang).shield()),
    "a handler that cancels itself": _one_that_cancels_itself,
    "a task factory that fails": lambda: _with_a_task_factory_that_fails(lambda: Promise(next_number_later(1))),
    "a task factory that fails for a handler": lambda: _with_a_task_factory_that_fails(
        lambda: Promise.resolve(1).then(next_number_later)
    ),
    "a time limit in time": lambda: Promise.resolve(1).timeout(3600),
    "a time limit that is over": lambda: Promise(hang()).timeout(0),
    "a fallback": lambda: Promise(hang()).timeout(0, fallback=1),
    "asyncio.timeout": _with_a_limit_around_it,
    "asyncio.gather": lambda: asyncio.gather(Promise.resolve(1), Promise(fail_later())),
    "asyncio.wait_for": lambda: asyncio.wait_for(Promise(hang()), 0.001),
    "asyncio.shield": lambda: asyncio.shield(Promise(fail_later())),
    "all": lambda: Promise.all(next_number_later(1), Promise.resolve(2), 3),
    "all of which one fails": lambda: Promise.all(hang(), fail_later(), Promise.resolve(2)),
    "all of items that fail": lambda: Promise.all(map(fail, [1])),
    "all of a generator that fails": lambda: Promise.all(some_then_fail()),
    "all_keyed": lambda: Promise.all_keyed({"a": next_number_later(1), "b": fail_later()}),
    "all_settled_keyed": lambda: Promise.all_settled_keyed({"a": next_number_later(1), "b": fail_later()}),
    "settled": lambda: Promise(fail_later()).settled(),
    "all_settled": lambda: Promise.all_settled(next_number_later(1), fail_later()),
    "any": lambda: Promise.any(fail_later(), next_number_later(1), hang()),
    "any that fail": lambda: Promise.any(fail_later(), Promise.reject(ValueError())),
    "race": lambda: Promise.race(hang(), next_number_later(1)),
    "some": lambda: Promise.some(2, hang(), next_number_later(1), 2),
    "some that fail": lambda: Promise.some(1, fail_later(), fail_later()),
    "a combinator that is cancelled": lambda: _cancelled(Promise.all(hang(), Promise.race(hang(), hang()))),
    "as_completed": lambda: _taken(Promise.as_completed([next_number_later(1), next_number_later(2)])),
    "as_completed of a generator that fails": lambda: _taken(Promise.as_completed(some_then_fail())),
    "a pipe": lambda: pipe(next_number_later, next_number)(1),
    "a pipe that fails at once": lambda: pipe(fail, next_number)(1),
    "a function that was promisified": lambda: promisify(fail)(1),
    "a job of another thread": lambda: _of_another_thread("set_result", 1),
    "a job of another thread that fails": lambda: _of_another_thread("set_exception", ValueError()),
    "a job of another thread that is cancelled": lambda: _cancelled(Promise(concurrent.futures.Future())),
    "map": lambda: Promise.map([1, 2, 3], next_number_later, concurrency=2),
    "map with a function that fails": lambda: Promise.map([1, 2, 3], fail_later, concurrency=1),
    "map with a function that fails at once": lambda: Promise.map([1], fail),
    "map of items that fail": lambda: Promise.map(map(fail, [1]), next_number),
    "map of a generator that fails": lambda: Promise.map(some_then_fail(), next_number),
    "map of a generator that fails later": lambda: Promise.map(some_then_fail(), next_number_later, concurrency=1),
    "map of an async generator that fails": lambda: Promise.map(some_then_fail_later(), next_number, concurrency=1),
    "map with progress that fails": lambda: Promise.map([1], next_number_later, on_progress=fail),
    "map with progress that fails at once": lambda: Promise.map([1], next_number, on_progress=fail),
    "map that is cancelled": lambda: _cancelled(Promise.map([1, 2], hang, concurrency=1)),
    "a stream": lambda: _taken(Promise.map_unordered([1, 2, 3], next_number_later, concurrency=2)),
    "a stream that fails": lambda: _taken(Promise.map_unordered(some_then_fail(), next_number)),
    "a stream that is left early": lambda: _left_early(Promise.map_unordered([1, 2], next_number, concurrency=1)),
    "a stream that is left when one has failed": lambda: _left_when_one_has_failed(
        Promise.map_unordered([next_number, fail_later, ends_slowly], lambda call: call(1))
    ),
    "a stream that is left early, and whose work then fails": lambda: _left_early(
        Promise.map_unordered([next_number_later, fail_when_asked_to_end], lambda call: call(1))
    ),
    "map of a generator that fails as it is closed": lambda: Promise.map(fails_as_it_is_closed(), fail, concurrency=1),
    "filter": lambda: Promise.filter([1, 2, 3], next_number_later),
    "filter with a verdict that fails": lambda: Promise.filter([1], lambda _: Undecided()),
    "reduce": lambda: Promise.reduce([1, 2, 3], add_later, 0),
    "reduce with a function that fails": lambda: Promise.reduce([1, 2, 3], fail_later, 0),
    "each": lambda: Promise.each([1, 2], next_number_later),
}

# Work that fails in its first step, which is within the call that starts it where Tasks begin at once: whatever stood
# below it is seen from the traceback.
FAILED_AT_ONCE = {
    "Promise()": lambda: Promise(fail_at_once()),
    "Promise() of what cannot be awaited": lambda: Promise(Unawaitable()),
    "Promise() of a Task": lambda: Promise(_task(fail_at_once())),
    "Promise() of a Future that takes no callback": lambda: Promise(Deaf()),
    "Promise() of a Future that does not tell its state": lambda: Promise(Unknown()),
    "Promise() of a Future that does not tell its result": lambda: Promise(Mute()),
    "Promise() of a chain()": lambda: Promise(chain(fail_at_once())),
    "Promise() that is awaited by work": lambda: Promise(awaits_what_fails_at_once()),
    "Promise() that is awaited by a Task": lambda: _task(awaits_what_fails_at_once()),
    "Promise() that several wait for": lambda: _one_of_many(Promise(fail_at_once())),
    "an executor that resolves": lambda: Promise(lambda resolve, reject: resolve(fail_at_once())),
    "an executor that resolves with a promise": lambda: Promise(lambda resolve, _: resolve(Promise(fail_at_once()))),
    "resolve()": lambda: _resolved_with(fail_at_once()),
    "resolve() with a promise": lambda: _resolved_with(Promise(fail_at_once())),
    "resolve() with what cannot be awaited": lambda: _resolved_with(Unawaitable()),
    "resolve() with a Future that takes no callback": lambda: _resolved_with(Deaf()),
    "resolve() with a Future that does not tell its state": lambda: _resolved_with(Unknown()),
    "resolve() with a Future that does not tell its result": lambda: _resolved_with(Mute()),
    "resolve() by the loop": _resolved_by_the_loop,
    "Promise.resolve": lambda: Promise.resolve(fail_at_once()),
    "Promise.try_": lambda: Promise.try_(fail_at_once, 1),
    "Promise.from_thenable": lambda: Promise.from_thenable(Working()),
    "a thenable of a thenable": lambda: Promise.from_thenable(Nested()),
    "a thenable that is followed": lambda: Promise.resolve().then(lambda _: Nested()),
    "a thenable that is awaited": lambda: awaiting(Nested()),
    "then": lambda: Promise.resolve(1).then(fail_at_once),
    "then of work": lambda: Promise(fail_at_once()).then(next_number),
    "then with a sync function around": lambda: Promise.resolve(1).then(lambda _: fail_at_once()),
    "then of a function that knows its promise": _one_whose_handler_knows_it,
    "then that returns a promise": lambda: Promise.resolve(1).then(lambda _: Promise(fail_at_once())),
    "then that returns what cannot be awaited": lambda: Promise.resolve().then(lambda _: Unawaitable()),
    "then that returns a Future that takes no callback": lambda: Promise.resolve().then(lambda _: Deaf()),
    "then's second": lambda: Promise(fail_at_once()).then(None, fail_at_once),
    "catch": lambda: Promise(fail_at_once()).catch(Failure, fail_at_once),
    "finally_": lambda: Promise(fail_at_once()).finally_(fail_at_once),
    "finally_ of a value": lambda: Promise.resolve().finally_(fail_at_once),
    "tap": lambda: Promise.resolve(1).tap(fail_at_once),
    "tap_catch": lambda: Promise(fail_at_once()).tap_catch(fail_at_once),
    "spread": lambda: Promise.resolve((1, 2)).spread(fail_at_once),
    "timeout": lambda: Promise(fail_at_once()).timeout(3600),
    "timeout with a fallback": lambda: Promise(fail_at_once()).timeout(3600, fallback=1),
    "shield": lambda: Promise(fail_at_once()).shield(),
    "chain().then": lambda: chain(fail_at_once()).then(next_number),
    "chain().catch": lambda: chain(chain(fail_at_once())).catch(KeyError, repr),
    "chain().finally_": lambda: chain(next_number_later(1), fail_at_once()).finally_(int),
    "pipe": lambda: pipe(fail_at_once, next_number)(1),
    "pipe's second": lambda: pipe(next_number, fail_at_once)(1),
    "promisify": lambda: promisify(fail_at_once)(1),
    "Promise.all": lambda: Promise.all(fail_at_once(), hang()),
    "Promise.all of a generator": lambda: Promise.all(fail_at_once(number) for number in range(3)),
    "Promise.all of a promise": lambda: Promise.all(Promise(fail_at_once())),
    "Promise.all of a Task": lambda: Promise.all(_task(fail_at_once())),
    "Promise.all_keyed": lambda: Promise.all_keyed({"a": fail_at_once(), "b": hang()}),
    "Promise.all_settled": lambda: Promise.all_settled(fail_at_once(), next_number_later(1)),
    "Promise.any": lambda: Promise.any(fail_at_once(), fail_at_once()),
    "Promise.race": lambda: Promise.race(fail_at_once(), hang()),
    "Promise.some": lambda: Promise.some(1, fail_at_once(), fail_at_once()),
    "Promise.as_completed": lambda: _taken(Promise.as_completed(fail_at_once(), next_number_later(1))),
    "Promise.map": lambda: Promise.map([1, 2], fail_at_once),
    "Promise.map of an async generator": lambda: Promise.map(fails_at_its_first(), next_number),
    "Promise.map of an async generator that goes on": lambda: Promise.map(some_then_fail_later(), fail_at_once),
    "Promise.map with an executor": lambda: Promise.map([1], next_number, executor=FullUp()),
    "Promise.filter": lambda: Promise.filter([1, 2], fail_at_once, concurrency=1),
    "Promise.reduce": lambda: Promise.reduce([1, 2], fail_at_once, 0),
    "Promise.each": lambda: Promise.each([1, 2], fail_at_once),
    "a stream of results": lambda: _taken(Promise.map_unordered([1, 2], fail_at_once)),
    "a stream of an async generator": lambda: _taken(Promise.map_unordered(fails_at_its_first(), next_number)),
    "Promise.submit": lambda: Promise.submit(FullUp(), next_number, 1),
    "asyncio.gather of promises": lambda: asyncio.gather(Promise(fail_at_once()), Promise(fail_at_once())),
    "work that cancels itself": lambda: Promise(is_cancelled_at_once()),
    "a handler that is cancelled at once": lambda: Promise.resolve().then(is_cancelled_at_once),
    "a handler that cancels itself and fails": _one_that_cancels_itself_and_fails,
    "work that is cancelled before it begins": lambda: _cancelled_before_it_began(Promise(fail_at_once()).then(int)),
    "work that fails when it is cancelled": lambda: _cancelled(Promise(fail_when_asked_to_end()).then(next_number)),
    "a handler that fails when it is cancelled": lambda: _cancelled(Promise.resolve().then(fail_when_asked_to_end)),
    "a cleanup that fails": lambda: _cancelled(Promise(hang()).finally_(fail_at_once)),
    "a cleanup that is cancelled": lambda: _cancelled(Promise.resolve().finally_(hang)),
    "a cleanup of a failure that is cancelled": lambda: _cancelled(Promise.reject(Failure()).finally_(hang)),
    "a cleanup that is a promise, and is cancelled": lambda: _cancelled(
        Promise.reject(Failure()).finally_(lambda: Promise(hang()))
    ),
    "a time limit after which work fails": lambda: Promise(fail_when_asked_to_end()).timeout(0),
    "a loser that fails": lambda: Promise.race(fail_when_asked_to_end(), next_number_later(1)),
}
SCENES_THAT_END = FINISHED | {f"{name} that fails at once": scene for name, scene in FAILED_AT_ONCE.items()}


async def _ended(scene: Callable[[], Awaitable]) -> list[weakref.ref]:
    """Wait for what *scene* returns, and watch that, and what it raises."""
    awaitable = scene()
    watched = [weakref.ref(awaitable)]
    try:
        await awaitable
    except (Exception, CancelledError) as error:
        if isinstance(error, Failure):
            watched.append(weakref.ref(error))
    finally:
        del awaitable
    return watched


def _uncollected() -> list[object]:
    """Return what is left to the cycle collector."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return list(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


async def _left_by_asyncio() -> list[object]:
    """Return what is left of a plain Task that fails in its first step."""
    with without_collector():
        await value_or_class(_task(fail_at_once()))
        return _uncollected()


def _create_task_and_let_go(loop: asyncio.AbstractEventLoop, coroutine: Coroutine, **how: object) -> asyncio.Future:
    factory = loop.get_task_factory()
    assert factory is not None
    task = factory(loop, coroutine, **how)
    try:
        return task
    finally:
        del task


async def _mend_create_task() -> None:
    """Make create_task() of the running loop behave as in Python 3.13.2 (gh-128552), if it leaves a cycle."""
    if await _left_by_asyncio():
        loop = asyncio.get_running_loop()
        loop.create_task = functools.partial(_create_task_and_let_go, loop)
    assert [] == await _left_by_asyncio()


@pytest.mark.parametrize("scene", SCENES_THAT_END.values(), ids=SCENES_THAT_END)
async def test_a_finished_chain_leaves_nothing_for_the_cycle_collector(scene, loop_mode, reports) -> None:
    """No more than plain asyncio does, which is nothing."""
    await _mend_create_task()
    await value_or_class(scene())
    await turns()
    with without_collector():
        watched = await _ended(scene)
        await turns()
        reports.clear()
        assert [] == [thing() for thing in watched if thing() is not None]
        assert [] == _uncollected()


async def test_a_rejection_of_which_callbacks_were_told_leaves_nothing_either(loop_mode) -> None:
    """The promise is not kept by what its handler raised."""
    stop = on_unhandled_rejection(lambda event: None)
    with without_collector():
        promise = Promise.resolve().then(fail)
        await turns()
        reference = weakref.ref(promise)
        del promise
        assert reference() is None
    stop()


async def test_an_await_leaves_nothing_either(loop_mode) -> None:
    """The Task that was woken with the value does not keep the promise."""
    promise = Promise.resolve(1).then(next_number)
    reference = weakref.ref(promise)
    with without_collector():
        assert 2 == await promise
        del promise
        await turns()
        assert reference() is None


class Thing:
    """A value, or a handler, whose end can be watched."""

    def __call__(self, *arguments: object) -> None:
        pass


async def _settles(promise: Promise, resolve: Callable) -> None:
    resolve("value")


async def _is_rejected(promise: Promise, resolve: Callable) -> None:
    resolve(Promise.reject(ValueError()))


async def _is_cancelled(promise: Promise, resolve: Callable) -> None:
    promise.cancel()


@pytest.mark.parametrize("end", [_settles, _is_rejected, _is_cancelled])
@pytest.mark.parametrize(
    "link",
    [
        lambda promise, handler: promise.then(handler),
        lambda promise, handler: promise.then(None, handler),
        lambda promise, handler: promise.catch(handler),
        lambda promise, handler: promise.finally_(handler),
        lambda promise, handler: promise.tap(handler),
        lambda promise, handler: promise.spread(handler),
        lambda promise, handler: promise.timeout(3600, fallback=handler),
    ],
    ids=["then", "then's second", "catch", "finally_", "tap", "spread", "timeout's fallback"],
)
async def test_a_settled_promise_lets_go_of_its_handlers(link, end) -> None:
    promise, resolve, _ = Promise.with_resolvers()
    handler = Thing()
    gone = weakref.ref(handler)
    child = link(promise, handler)
    with without_collector():
        await end(promise, resolve)
        await value_or_class(child)
        del handler
        assert gone() is None


async def test_a_settled_promise_lets_go_of_its_source_and_of_its_context() -> None:
    value, in_context = Thing(), Thing()
    gone = [weakref.ref(value), weakref.ref(in_context)]
    promise = Promise.resolve(value)
    context = contextvars.copy_context()
    context.run(variable.set, in_context)
    child = context.run(promise.then, type)
    with without_collector():
        assert Thing is await child
        del value, in_context, promise, context
        assert [None, None] == [thing() for thing in gone]


@pytest.mark.parametrize(
    ("loser", "losers"),
    [
        (hang, "keep"),
        (lambda: Promise(hang()), None),
        (lambda: asyncio.ensure_future(hang()), None),
        (asyncio.Future, None),
    ],
    ids=["coroutine", "promise", "Task", "Future"],
)
async def test_a_loser_that_runs_on_keeps_nothing_of_what_it_has_lost(loser, losers, loop_mode) -> None:
    running = loser()
    thing = await Promise.race(running, Promise.resolve(Thing()), losers=losers)
    gone = weakref.ref(thing)
    await turns()
    with without_collector():
        del thing
        assert gone() is None
        await turns()


@pytest.mark.parametrize("source", [asyncio.Future, concurrent.futures.Future], ids=["asyncio", "concurrent.futures"])
async def test_a_promise_that_waits_for_a_future_keeps_no_context_alive(source, loop_mode) -> None:
    """It has no handler that could ask for the variables of whoever made it."""
    in_context = Thing()
    gone = weakref.ref(in_context)
    context = contextvars.copy_context()
    context.run(variable.set, in_context)
    promise = context.run(Promise, source())
    await turns()
    with without_collector():
        del in_context, context
        assert (None, False) == (gone(), promise.done())


@pytest.mark.parametrize(
    "link",
    [Promise.then, Promise.catch, Promise.finally_, lambda promise, handler: promise.shield().then(handler)],
    ids=["then", "catch", "finally_", "shield"],
)
async def test_a_promise_that_was_cut_off_lets_go_of_its_handler(link) -> None:
    promise = Promise.with_resolvers().promise
    other = promise.then(next_number)
    handler = Thing()
    gone = weakref.ref(handler)
    child = link(promise, handler)
    with without_collector():
        child.cancel()
        await value_or_class(child)
        del handler
        assert (None, False) == (gone(), other.done())


async def test_a_removed_done_callback_is_let_go() -> None:
    promise = Promise.with_resolvers().promise
    callback = Thing()
    gone = weakref.ref(callback)
    promise.add_done_callback(callback)
    with without_collector():
        promise.remove_done_callback(callback)
        del callback
        assert gone() is None


async def test_asyncio_leaves_no_consumer_on_a_promise() -> None:
    promise = Promise.with_resolvers().promise
    await asyncio.wait([promise], timeout=0)
    await value_or_class(asyncio.wait_for(promise.shield(), 0.001))
    await value_or_class(_cancelled(asyncio.shield(promise)))
    await turns()
    promise.then(next_number).cancel()
    assert promise.cancelled()


def _run(main: Coroutine) -> weakref.ref:
    loops: list[weakref.ref] = []

    async def noting_the_loop() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await main

    asyncio.run(noting_the_loop())
    return loops[0]


def _run_by_hand(main: Coroutine) -> weakref.ref:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main)
    loop.close()
    return weakref.ref(loop)


@pytest.mark.parametrize("run", [_run, _run_by_hand])
@pytest.mark.parametrize("scene", [lambda: _links(100), lambda: awaiting(Promise.try_(fail).catch(repr))])
def test_a_closed_loop_can_be_collected(run, scene) -> None:
    async def main() -> None:
        await scene()
        Promise.with_resolvers().promise.finally_(int)

    loop = run(main())
    gc.collect()
    assert loop() is None
