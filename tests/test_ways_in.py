"""Every way to make a promise, and what is refused on the way."""

import asyncio
import functools
import inspect
import sys
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError as CancelledJob
from concurrent.futures import Future, ThreadPoolExecutor
from inspect import CORO_CLOSED, CORO_CREATED
from typing import Any

import pytest

from aiopromise import Promise, Thenable, chain, pipe, promisify
from helpers import turns, without_address

pytestmark = pytest.mark.usefixtures("loop_mode")

Call = Callable[[], Any]


async def work(value: Any = "value") -> Any:
    """Stand for any coroutine function."""
    await asyncio.sleep(0)
    return value


def fail(error: BaseException) -> Any:
    """Raise *error*, where only an expression has room."""
    raise error


def submitted(fn: Callable, /, **named: Any) -> Promise:
    """Call *fn* in a thread."""
    with ThreadPoolExecutor(1) as executor:
        return Promise.submit(executor, fn, **named)


def itself(reason: Exception) -> Exception:
    """Catch a reason, to look at it."""
    return reason


def settle(resolve: Callable, reject: Callable, call: Call) -> None:
    """Settle with what *call* returns or raises."""
    try:
        value = call()
    except Exception as error:
        reject(error)
    else:
        resolve(value)


# One awaitable of each kind, whose outcome is what *call* returns or raises.


async def coroutine(call: Call) -> Any:
    await asyncio.sleep(0)
    return call()


@types.coroutine
def generator(call: Call) -> Any:
    yield
    return call()


class Awaited:
    def __init__(self, call: Call) -> None:
        self.call = call

    def __await__(self) -> Any:
        return coroutine(self.call).__await__()


class Told(Thenable):
    def __init__(self, call: Call) -> None:
        self.call = call

    def then(self, resolve: Any, reject: Any, /) -> None:
        settle(resolve, reject, self.call)


def task(call: Call) -> Awaitable:
    return asyncio.ensure_future(coroutine(call))


def done_future(call: Call) -> Awaitable:
    future = asyncio.get_running_loop().create_future()
    settle(future.set_result, future.set_exception, call)
    return future


def pending_future(call: Call) -> Awaitable:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(settle, future.set_result, future.set_exception, call)
    return future


def promise(call: Call) -> Awaitable:
    return Promise(coroutine(call))


def job(call: Call) -> Future:
    future: Future = Future()
    settle(future.set_result, future.set_exception, call)
    return future


def job_of_a_thread(call: Call) -> Future:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call)


AWAITABLES = [coroutine, generator, Awaited, Told, task, done_future, pending_future, promise]

HAS_THEN = types.SimpleNamespace(then=lambda resolve, reject: resolve("followed"))


# ------------------------------------------------------------------ awaitables


@pytest.mark.parametrize("kind", [*AWAITABLES, job, job_of_a_thread])
async def test_an_awaitable_gives_its_value(kind: Callable) -> None:
    """`await Promise(x)` has the result of `await x`."""
    assert "value" == await Promise(kind(lambda: "value"))


@pytest.mark.parametrize("kind", [*AWAITABLES, job, job_of_a_thread])
async def test_an_awaitable_gives_its_exception(kind: Callable) -> None:
    """`await Promise(x)` raises the very object that `await x` raises."""
    error = LookupError("gone")
    with pytest.raises(LookupError) as caught:
        await Promise(kind(lambda: fail(error)))
    assert error is caught.value


async def test_a_coroutine_starts_as_create_task_starts_it() -> None:
    """A coroutine starts in the next iteration, or immediately if the loop's Tasks are eager."""
    told: list[str] = []

    async def tell(name: str) -> None:
        told.append(f"{name} runs")

    done = asyncio.create_task(tell("task"))
    told.append("task made")
    promised = Promise(tell("promise"))
    told.append("promise made")
    await asyncio.wait([done, promised])
    eager = ["task runs", "task made", "promise runs", "promise made"]
    lazy = ["task made", "promise made", "task runs", "promise runs"]
    assert (eager if asyncio.get_running_loop().get_task_factory() else lazy) == told


async def test_a_coroutine_goes_through_the_task_factory() -> None:
    """The loop's own factory makes the Task."""
    made: list[Coroutine] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Coroutine, **options: Any) -> asyncio.Task:
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    asyncio.get_running_loop().set_task_factory(factory)
    given = work()
    await Promise(given)
    assert [given] == made


async def test_a_task_factory_that_fails_leaves_no_coroutine_behind() -> None:
    """What the factory raises comes out of `Promise()`, and the coroutine is closed."""

    def factory(loop: asyncio.AbstractEventLoop, coro: Coroutine, **options: Any) -> asyncio.Task:
        raise LookupError("no more Tasks")

    given = work()
    asyncio.get_running_loop().set_task_factory(factory)
    with pytest.raises(LookupError):
        Promise(given)
    asyncio.get_running_loop().set_task_factory(None)
    assert CORO_CLOSED == state_of(given)


@pytest.mark.parametrize("value", [5, "text", None, [], object(), HAS_THEN], ids=without_address)
async def test_anything_else_is_a_type_error(value: Any) -> None:
    """`Promise()` names what is neither awaitable nor callable."""
    with pytest.raises(TypeError, match=r"^Promise\(\) needs an awaitable or an executor, got "):
        Promise(value)


# ---------------------------------------------------------- concurrent futures


async def test_cancelling_the_promise_cancels_the_job() -> None:
    """A job that waits for its thread is cancelled with its promise."""
    source: Future = Future()
    promised = Promise(source)
    promised.cancel()
    await asyncio.wait([promised])
    assert (True, True) == (promised.cancelled(), source.cancelled())


@pytest.mark.parametrize("when", ["before", "after"])
async def test_cancelling_the_job_cancels_the_promise(when: str) -> None:
    """A job may be cancelled before the promise is made of it, and after, from any thread."""
    source: Future = Future()
    if when == "before":
        source.cancel()
    promised = Promise(source)
    await asyncio.to_thread(source.cancel)
    with pytest.raises(asyncio.CancelledError):
        await promised
    assert promised.cancelled()


async def test_cancelling_does_not_wait_for_a_job_that_runs() -> None:
    """The promise is cancelled immediately; a later result of the job is discarded silently."""
    source: Future = Future()
    source.set_running_or_notify_cancel()
    promised = Promise(source)
    promised.cancel()
    with pytest.raises(asyncio.CancelledError):
        await promised
    source.set_result("too late")
    await turns()
    assert promised.cancelled()


async def test_a_job_that_raises_stop_iteration_rejects(reports: list[dict]) -> None:
    """`StopIteration` becomes `RuntimeError`, and nothing hangs."""
    promised = Promise(job(lambda: next(iter(()))))
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(promised, 5)
    assert [] == reports


WAYS_TO_FOLLOW = {
    "Promise": Promise,
    "resolve": Promise.resolve,
    "resolver": lambda value: Promise(lambda resolve, reject: resolve(value)),
    "try_": lambda value: Promise.try_(lambda: value),
    "then": lambda value: Promise.resolve().then(lambda _: value),
    "catch": lambda value: Promise.reject(LookupError()).catch(lambda _: value),
    "thenable": lambda value: Told(lambda: value),
}


@pytest.mark.parametrize("name", ["resolve", "resolver", "try_", "then", "catch", "thenable"])
@pytest.mark.parametrize("value", [job(lambda: "followed"), HAS_THEN], ids=["job", "object with then"])
async def test_what_only_looks_like_a_promise_is_a_value(name: str, value: Any) -> None:
    """A concurrent future is followed by `Promise()` alone, and nothing merely because it has a `then`."""
    assert value is await WAYS_TO_FOLLOW[name](value)


# ------------------------------------------------------------------- executors


async def test_an_executor_is_called_now() -> None:
    """`Promise()` returns after the executor has, which is called once."""
    told = []
    Promise(lambda resolve, reject: told.append("called"))
    told.append("returned")
    await turns()
    assert ["called", "returned"] == told


@pytest.mark.parametrize("when", ["now", "later"])
async def test_an_executor_settles_the_promise(when: str) -> None:
    """Either function may be called immediately, or later."""
    run = {"now": lambda call, *args: call(*args), "later": asyncio.get_running_loop().call_soon}[when]
    error = LookupError("gone")
    assert "value" == await Promise(lambda resolve, reject: run(resolve, "value"))
    assert error is await Promise(lambda resolve, reject: run(reject, error)).catch(itself)


async def test_an_executor_that_raises_rejects() -> None:
    """What it raises before it has called either is the reason."""
    error = LookupError("gone")
    assert error is await Promise(lambda resolve, reject: fail(error)).catch(itself)


@pytest.mark.parametrize("name", ["value", "awaitable", "reason"])
async def test_what_an_executor_raises_too_late_is_ignored(name: str) -> None:
    """After it has called either, an exception changes nothing."""
    error = LookupError("gone")

    def executor(resolve: Any, reject: Any) -> None:
        {
            "value": lambda: resolve("value"),
            "awaitable": lambda: resolve(work()),
            "reason": lambda: reject(error),
        }[name]()
        raise ValueError("ignored")

    assert (error if name == "reason" else "value") is await Promise(executor).catch(itself)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
async def test_an_executor_that_stops_the_program_stops_it(stop: type[BaseException]) -> None:
    """Ctrl-C in an executor is raised by the call that makes the promise."""
    with pytest.raises(stop):
        Promise(lambda resolve, reject: fail(stop()))


class AsyncCall:
    async def __call__(self, resolve: Any, reject: Any) -> None:
        raise AssertionError("run")

    async def method(self, resolve: Any, reject: Any) -> None:
        raise AssertionError("run")


class AsyncCallWithoutArguments:
    async def __call__(self) -> None:
        raise AssertionError("run")


@pytest.mark.parametrize(
    "executor",
    [
        AsyncCall.method,
        AsyncCall().method,
        AsyncCall(),
        AsyncCallWithoutArguments(),
        functools.partial(AsyncCall.method, None),
    ],
    ids=["function", "method", "object", "object that takes no arguments", "partial"],
)
async def test_a_coroutine_function_is_no_executor(executor: Callable) -> None:
    """Nobody would await its body: a `TypeError` at the call."""
    with pytest.raises(TypeError, match="executor that is not async"):
        Promise(executor)


@pytest.mark.parametrize("kind", [work, lambda: chain(work())], ids=["coroutine", "chain"])
async def test_an_executor_must_not_return_a_coroutine(kind: Callable) -> None:
    """A sync executor that returns one is a `TypeError` at the call, and the coroutine is closed."""
    given = kind()
    with pytest.raises(TypeError, match="executor that is not async"):
        Promise(lambda resolve, reject: given)
    with pytest.raises(RuntimeError, match="already awaited"):
        await given


@pytest.mark.parametrize("kind", [promise, task, pending_future])
async def test_an_executor_may_return_what_runs_by_itself(kind: Callable) -> None:
    """`Promise(lambda resolve, reject: other.then(resolve, reject))`, as JavaScript has it: the result is ignored."""
    promised = Promise(lambda resolve, reject: (resolve("value"), kind(lambda: "ignored"))[1])
    await turns()
    assert "value" == await promised


async def test_what_is_callable_and_awaitable_is_awaited() -> None:
    """What could be both is an awaitable."""

    class Both(Awaited):
        def __call__(self, resolve: Any, reject: Any) -> None:
            raise AssertionError("called")

    assert "awaited" == await Promise(Both(lambda: "awaited"))


# ------------------------------------------------------------------- factories


async def test_resolve_gives_a_promise_back() -> None:
    """`Promise.resolve(p)` is `p`; `Promise(p)` is another promise, which follows it."""
    pending = Promise.with_resolvers().promise
    assert pending is Promise.resolve(pending)
    assert pending is not Promise(pending)


@pytest.mark.parametrize("name", ["resolve", "resolver", "try_"])
@pytest.mark.parametrize("kind", AWAITABLES)
async def test_an_awaitable_is_followed(name: str, kind: Callable) -> None:
    """Wherever a value may be given, an awaitable stands for what it will give."""
    assert "value" == await WAYS_TO_FOLLOW[name](kind(lambda: "value"))


@pytest.mark.parametrize("value", [0, None, "", [work], ValueError, ValueError("no"), work], ids=without_address)
async def test_resolve_fulfils_with_any_other_value(value: Any) -> None:
    """Exceptions and functions are values too."""
    assert value is await Promise.resolve(value)


async def test_resolve_of_nothing_gives_none() -> None:
    """The value may be left out."""
    assert (None, None) == (await Promise.resolve(), await Promise(lambda resolve, reject: resolve()))


async def test_reject_rejects_with_the_very_exception() -> None:
    """`Promise.reject(e)` raises `e`."""
    error = LookupError("gone")
    with pytest.raises(LookupError) as caught:
        await Promise.reject(error)
    assert error is caught.value


@pytest.mark.parametrize("reason", ["no", ValueError, None, Promise], ids=repr)
async def test_a_reason_is_an_exception_instance(reason: Any) -> None:
    """Anything else is a `TypeError`, and the promise can still be settled."""
    promised, resolve, reject = Promise.with_resolvers()
    with pytest.raises(TypeError, match=r"^Promise.reject\(\) needs an exception, got "):
        Promise.reject(reason)
    with pytest.raises(TypeError, match=r"^reject\(\) needs an exception, got "):
        reject(reason)
    resolve("value")
    assert "value" == await promised


async def test_try_calls_now_with_all_arguments() -> None:
    """`Promise.try_(f, *args, **kwargs)` is `f(*args, **kwargs)`, whatever the arguments are called."""
    told = []
    promised = Promise.try_(lambda *args, **kwargs: told.append((args, kwargs)), 1, 2, fn=3, self=4)
    assert [((1, 2), {"fn": 3, "self": 4})] == told
    assert None is await promised


@pytest.mark.parametrize("fn", [fail, lambda error: coroutine(lambda: fail(error))], ids=["sync", "async"])
async def test_try_rejects_with_what_is_raised(fn: Callable) -> None:
    """What the function raises does not come out of the call."""
    error = LookupError("gone")
    assert error is await Promise.try_(fn, error).catch(itself)


@pytest.mark.parametrize(
    "call",
    [Promise.try_, lambda fn, /, **named: promisify(fn)(**named), lambda fn, /, **named: pipe(fn)(**named), submitted],
    ids=["try_", "promisify", "pipe", "submit"],
)
async def test_a_function_may_call_its_arguments_as_it_likes(call: Callable) -> None:
    """The library has no name of its own for one, neither where it passes them on nor where it shows them."""
    named = dict.fromkeys(["call", "name", "fn", "self", "executor", "promise", "arguments", "place"], "value")
    assert named == await call(lambda **named: named, **named)
    with pytest.raises(RuntimeError, match="call='value', name='value', fn='value'"):
        await asyncio.to_thread(lambda: call(print, **named))


async def test_with_resolvers_gives_a_named_tuple() -> None:
    """A pending promise and its two functions, by place and by name."""
    resolvers = Promise.with_resolvers()
    promised, resolve, reject = resolvers
    assert (promised, resolve, reject) == (resolvers.promise, resolvers.resolve, resolvers.reject)
    assert not promised.done()


async def test_resolvers_settle_the_promise() -> None:
    """Either of the two functions does."""
    fulfilled, rejected = Promise.with_resolvers(), Promise.with_resolvers()
    error = LookupError("gone")
    fulfilled.resolve("value")
    rejected.reject(error)
    assert ("value", error) == (await fulfilled.promise, await rejected.promise.catch(itself))


@pytest.mark.parametrize(("value", "expected"), [((), None), (("tick",), "tick")], ids=["default", "given"])
async def test_delay_gives_its_value_after_that_time(value: tuple, expected: Any) -> None:
    """`Promise.delay(seconds, value)` is `asyncio.sleep(seconds, value)`."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert expected == await Promise.delay(0.02, *value)
    assert loop.time() - start >= 0.02 - 0.001  # the clock of a loop may count in milliseconds


async def test_delay_takes_its_value_by_name() -> None:
    """`Promise.delay(seconds, value=None)` may be called as it reads."""
    assert "tick" == await Promise.delay(0, value="tick")


# ------------------------------------------------------------------- thenables


async def test_from_thenable_settles_as_the_object_says() -> None:
    """An object with only a `then(resolve, reject)` is heard."""
    error = LookupError("gone")
    rejecting = types.SimpleNamespace(then=lambda resolve, reject: reject(error))
    assert "followed" == await Promise.from_thenable(HAS_THEN)
    assert error is await Promise.from_thenable(rejecting).catch(itself)


async def test_from_thenable_gives_an_object_whose_then_is_not_callable() -> None:
    """The promise is fulfilled with the object itself."""
    given = types.SimpleNamespace(then="not callable")
    assert given is await Promise.from_thenable(given)


async def test_a_then_must_not_be_async() -> None:
    """Nobody would await it: the promise is rejected."""

    class Wrong:
        async def then(self, resolve: Any, reject: Any) -> None:
            raise AssertionError("run")

    with pytest.raises(TypeError, match="must not be async"):
        await Promise.from_thenable(Wrong())


ALSO = {"await": itself, "chain": lambda value: chain(value).then(lambda results: results[0])}


@pytest.mark.parametrize("way", [*WAYS_TO_FOLLOW.values(), *ALSO.values()], ids=[*WAYS_TO_FOLLOW, *ALSO])
async def test_what_inherits_from_thenable_is_followed_everywhere(way: Callable) -> None:
    """Wherever an awaitable is followed, a `Thenable` is, through its `then`."""
    assert "value" == await way(Told(lambda: "value"))


class Next(Thenable):
    """Resolves to the next one."""

    def __init__(self, next_: object = None) -> None:
        self.next = next_
        self.calls = 0

    def then(self, resolve: Any, reject: Any, /) -> None:
        self.calls += 1
        resolve(self.next)


@pytest.mark.usefixtures("loop_mode")
@pytest.mark.parametrize("way", [*WAYS_TO_FOLLOW.values(), *ALSO.values()], ids=[*WAYS_TO_FOLLOW, *ALSO])
@pytest.mark.parametrize("length", [1, 2, 5])
async def test_a_thenable_that_resolves_with_itself_rejects_with_a_type_error(way, length, reports) -> None:
    """Directly or in a cycle, like promises that follow themselves; each is called once."""
    ring = [Next() for _ in range(length)]
    for one, following in zip(ring, [*ring[1:], ring[0]], strict=True):
        one.next = following
    with pytest.raises(TypeError, match="a thenable cannot resolve to itself: <"):
        async with asyncio.timeout(5):
            await way(ring[0])
    assert ([1] * length, []) == ([one.calls for one in ring], reports)


class Led(Thenable):
    """Resolves with what it is led to: when its `then` is called, in a later turn, or from another thread."""

    def __init__(self, follow: Callable[[], object], when: str) -> None:
        self.follow = follow
        self.when = when

    def then(self, resolve: Any, reject: Any, /) -> None:
        if self.when == "at once":
            resolve(self.follow())
        elif self.when == "later":
            asyncio.get_running_loop().call_soon(lambda: resolve(self.follow()))
        else:
            threading.Thread(target=lambda: resolve(self.follow())).start()


def followed_by_a_promise(led: Callable) -> list[Promise]:
    promise, resolve, _ = Promise.with_resolvers()
    follower = Promise(led(lambda: promise))
    resolve(follower)
    return [promise, follower]


def two_thenables(led: Callable) -> list[Promise]:
    one = Promise(led(lambda: other))
    other = Promise(led(lambda: one))
    return [one, other]


def from_thenable(led: Callable) -> list[Promise]:
    promise = Promise.from_thenable(led(lambda: promise))
    return [promise]


def a_link_of_itself(led: Callable) -> list[Promise]:
    promise = Promise(led(lambda: link))
    link = promise.then().shield().timeout(60)
    return [promise, link]


def through(way: Callable) -> Callable[[Callable], list[Promise]]:
    def ring(led: Callable) -> list[Promise]:
        promise = Promise.resolve(way(led(lambda: promise)))
        return [promise]

    return ring


RINGS = {
    **{name: through(way) for name, way in WAYS_TO_FOLLOW.items()},
    "followed by a promise": followed_by_a_promise,
    "two thenables": two_thenables,
    "from_thenable": from_thenable,
    "a link of itself": a_link_of_itself,
}


@pytest.mark.usefixtures("loop_mode")
@pytest.mark.parametrize("when", ["at once", "later", "from a thread"])
@pytest.mark.parametrize("ring", RINGS.values(), ids=RINGS)
async def test_promises_that_follow_themselves_through_a_thenable_reject_with_a_type_error(ring, when) -> None:
    """However the cycle was made, and whenever it is closed."""
    promises = ring(lambda follow: Led(follow, when))
    for promise in promises:
        with pytest.raises(TypeError, match="cannot follow itself"):
            await asyncio.wait_for(asyncio.shield(promise), 5)


@pytest.mark.usefixtures("loop_mode")
async def test_thenables_that_resolve_with_the_next_settle_however_long_the_line_is() -> None:
    """The promise follows one after another, without a Task for each."""
    first = functools.reduce(lambda following, _: Next(following), range(10_000), Next("value"))
    assert "value" == await asyncio.wait_for(Promise.resolve(first), 10)


async def test_an_object_that_is_no_awaitable_may_resolve_with_itself() -> None:
    """It is not followed, so there is nothing to wait for."""
    given = types.SimpleNamespace()
    given.then = lambda resolve, reject: resolve(given)
    assert given is await Promise.from_thenable(given)


async def test_a_thenable_with_an_await_of_its_own_is_awaited() -> None:
    """Not asked for its then()."""

    class Own(Next):
        def __await__(self) -> Any:
            return asyncio.sleep(0, "own").__await__()

    assert "own" == await Promise.resolve(Next(Own()))


async def test_a_thenable_needs_a_then() -> None:
    """`then` is abstract."""
    with pytest.raises(TypeError, match="abstract"):
        type("Empty", (Thenable,), {})()


# ------------------------------------------------------------------- promisify


class Base:
    """Methods of every kind, sync and async, with the decorators in either order."""

    name = "base"

    @promisify
    def sync(self, value: Any, *, suffix: str = "") -> Any:
        """Say it."""
        return f"{self.name} {value}{suffix}"

    @promisify
    async def asynchronous(self, value: Any, *, suffix: str = "") -> Any:
        return await work(f"{self.name} {value}{suffix}")

    @promisify
    @classmethod
    def outside_class(cls, value: Any, *, suffix: str = "") -> Any:
        return f"{cls.name} {value}{suffix}"

    @classmethod
    @promisify
    async def inside_class(cls, value: Any, *, suffix: str = "") -> Any:
        return await work(f"{cls.name} {value}{suffix}")

    @promisify
    @staticmethod
    async def outside_static(value: Any, *, suffix: str = "") -> Any:
        return await work(f"base {value}{suffix}")

    @staticmethod
    @promisify
    def inside_static(value: Any, *, suffix: str = "") -> Any:
        return f"base {value}{suffix}"


class Derived(Base):
    """Overrides the methods, and calls those that it overrides."""

    @promisify
    async def sync(self, value: Any) -> Any:
        return await super().sync(value) + "!"

    @promisify
    def asynchronous(self, value: Any) -> Any:
        return super().asynchronous(value).then(lambda text: text + "!")

    @promisify
    @classmethod
    async def outside_class(cls, value: Any) -> Any:
        return await super().outside_class(value) + "!"

    @classmethod
    @promisify
    def inside_class(cls, value: Any) -> Any:
        return super().inside_class(value).then(lambda text: text + "!")


METHODS = ["sync", "asynchronous", "outside_class", "inside_class", "outside_static", "inside_static"]


@pytest.mark.parametrize("method", METHODS)
async def test_promisify_takes_methods_of_every_kind(method: str) -> None:
    """Called on an instance, each returns a promise."""
    promised = getattr(Base(), method)("says", suffix=" so")
    assert isinstance(promised, Promise)
    assert "base says so" == await promised


@pytest.mark.parametrize("method", METHODS[2:])
async def test_promisified_class_and_static_methods_need_no_instance(method: str) -> None:
    """They are called on the class."""
    assert "base says" == await getattr(Base, method)("says")


@pytest.mark.parametrize("method", METHODS[:4])
async def test_a_promisified_method_can_be_overridden(method: str) -> None:
    """`super()` reaches the method that was overridden."""
    assert "base says!" == await getattr(Derived(), method)("says")


@pytest.mark.parametrize(
    "fn",
    [itself, work, functools.partial(work), Promise.resolve, str],
    ids=["sync", "async", "partial", "ours", "type"],
)
async def test_promisify_takes_any_callable(fn: Callable) -> None:
    """Its result, value or awaitable, is the outcome of the promise."""
    promised = promisify(fn)("value")
    assert isinstance(promised, Promise)
    assert "value" == await promised


async def test_a_promisified_function_is_called_now() -> None:
    """It runs within the call, as `Promise.try_` has it, and what it raises rejects."""
    told: list[BaseException] = []
    error = LookupError("gone")

    @promisify
    def failing() -> None:
        told.append(error)
        raise error

    promised = failing()
    assert [error] == told
    assert error is await promised.catch(itself)


async def test_a_promisified_function_reads_as_before() -> None:
    """Name, documentation and signature stay."""
    method = Base.asynchronous
    assert ("sync", "Say it.") == (Base.sync.__name__, Base.sync.__doc__)
    assert ["self", "value", "suffix"] == list(inspect.signature(method).parameters)


class AsyncCallable:
    async def __call__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (work, True),
        (functools.partial(work), True),
        (AsyncCallable(), True),
        (itself, False),
        (str, False),
        (AsyncCallable, False),
    ],
)
@pytest.mark.filterwarnings("ignore:.*iscoroutinefunction:DeprecationWarning")
async def test_a_promisified_async_function_is_a_coroutine_function_to_who_asks(fn: Callable, expected: bool) -> None:
    """So that it is awaited, and not called in a thread; for others this is unknown."""
    promised = promisify(fn)
    assert expected is asyncio.iscoroutinefunction(promised)
    if sys.version_info >= (3, 12):
        assert expected is inspect.iscoroutinefunction(promised)
        assert expected is inspect.iscoroutinefunction(functools.partial(promised))


@pytest.mark.filterwarnings("ignore:.*iscoroutinefunction:DeprecationWarning")
@pytest.mark.parametrize("method", ["sync", "asynchronous"])
async def test_so_is_a_method(method: str) -> None:
    """Asked of the class or of an instance."""
    expected = method == "asynchronous"
    assert expected is asyncio.iscoroutinefunction(getattr(Base, method))
    assert expected is asyncio.iscoroutinefunction(getattr(Base(), method))


@pytest.mark.parametrize("value", [5, None, property(work)], ids=without_address)
async def test_promisify_needs_a_function(value: Any) -> None:
    """Anything else is a `TypeError` when decorated."""
    with pytest.raises(TypeError, match=r"^promisify\(\) needs a function, got "):
        promisify(value)


# --------------------------------------------------------------------- threads


@pytest.mark.parametrize("name", ["resolve", "reject"])
async def test_a_thread_settles_a_promise(name: str) -> None:
    """Either function may be called from a thread, which wakes the loop, and the handlers run on the loop's own."""
    resolvers = Promise.with_resolvers()
    error = LookupError("gone")
    outcome = resolvers.promise.catch(itself).then(lambda value: (value, threading.get_ident()))
    threading.Timer(0.02, getattr(resolvers, name), [error]).start()
    assert (error, threading.get_ident()) == await asyncio.wait_for(outcome, 5)


async def test_an_awaitable_from_a_thread_runs_on_the_loop_of_the_promise() -> None:
    """The thread's own loop, if it has one, plays no part."""
    promised, resolve, _ = Promise.with_resolvers()

    async def where() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def elsewhere() -> None:
        resolve(where())

    await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
    assert asyncio.get_running_loop() is await promised


@pytest.mark.parametrize("run", [asyncio.to_thread, lambda call, *args: work(call(*args))], ids=["thread", "loop"])
async def test_a_coroutine_that_comes_too_late_is_closed(run: Callable) -> None:
    """Who resolves second leaves nothing behind that warns."""
    promised, resolve, _ = Promise.with_resolvers()
    late = work()
    resolve("value")
    await run(resolve, late)
    await turns()
    assert CORO_CLOSED == state_of(late)
    assert "value" == await promised


class ClosesInBetween(asyncio.SelectorEventLoop):
    """A loop that another thread closes while this one is about to call something on it."""

    def call_soon_threadsafe(self, *arguments: Any, **named: Any) -> asyncio.Handle:
        self.close()
        return super().call_soon_threadsafe(*arguments, **named)


@pytest.mark.parametrize("close", [True, False], ids=["before", "in between"])
@pytest.mark.parametrize("name", ["resolve", "reject"])
async def test_settling_after_the_loop_was_closed_is_a_runtime_error(name: str, close: bool) -> None:
    """There is no loop any more to process it; a coroutine passed in is closed."""

    async def make() -> Any:
        return Promise.with_resolvers()

    def run() -> Any:
        loop = ClosesInBetween()
        resolvers = loop.run_until_complete(make())
        if close:
            loop.close()
        return resolvers

    resolvers = await asyncio.to_thread(run)
    given = work()
    with pytest.raises(RuntimeError, match=rf"^{name}\(\) was called after the loop of "):
        getattr(resolvers, name)({"resolve": given, "reject": LookupError()}[name])
    assert {"resolve": CORO_CLOSED, "reject": CORO_CREATED}[name] == state_of(given)


# -------------------------------------------------------------- what is refused


def state_of(given: Coroutine) -> str:
    """Return the state of a coroutine, and leave none behind that warns."""
    state = inspect.getcoroutinestate(given)
    given.close()
    return state


TAKES_A_COROUTINE = {
    "Promise": Promise,
    "resolve": Promise.resolve,
    "try_": lambda given: Promise.try_(work, given),
    "try_, by keyword": lambda given: Promise.try_(work, value=given),
    "promisified": promisify(work),
    "pipe": pipe(work),
    "chain then": lambda given: chain(given).then(print),
    "chain catch": lambda given: chain(given).catch(print),
    "chain finally_": lambda given: chain(given).finally_(print),
}
TAKES_NONE = {
    "executor": lambda: Promise(lambda resolve, reject: fail(AssertionError("called"))),
    "concurrent future": lambda: Promise(Future()),
    "resolve": lambda: Promise.resolve(5),
    "reject": lambda: Promise.reject(ValueError()),
    "try_": lambda: Promise.try_(fail, AssertionError("called")),
    "with_resolvers": Promise.with_resolvers,
    "delay": lambda: Promise.delay(1),
    "from_thenable": lambda: Promise.from_thenable(HAS_THEN),
}


# A thread has no running loop.
@pytest.mark.parametrize("call", TAKES_A_COROUTINE.values(), ids=TAKES_A_COROUTINE)
async def test_without_a_running_loop_a_coroutine_is_closed(call: Callable) -> None:
    """It is a `RuntimeError`, and nothing warns of a coroutine that was never awaited."""
    given = work()
    with pytest.raises(RuntimeError, match=r" needs a running event loop\n\nYou wrote "):
        await asyncio.to_thread(call, given)
    assert CORO_CLOSED == state_of(given)


@pytest.mark.parametrize("call", TAKES_NONE.values(), ids=TAKES_NONE)
async def test_without_a_running_loop_nothing_is_called(call: Callable) -> None:
    """It is a `RuntimeError` before any user code has run."""
    with pytest.raises(RuntimeError, match=r" needs a running event loop\n\nYou wrote "):
        await asyncio.to_thread(call)


@pytest.mark.parametrize("factory", ["resolve", "reject", "try_", "with_resolvers", "delay", "from_thenable"])
async def test_an_instance_has_no_factories(factory: str) -> None:
    """`p.resolve(5)` would silently make another promise: an `AttributeError` says what to write."""
    with pytest.raises(AttributeError, match=rf"Write Promise\.{factory}\(\.\.\.\)$"):
        getattr(Promise.resolve(), factory)
    assert not hasattr(Promise.resolve(), factory)


REFUSED = {
    "reject": Promise.reject,
    "resolver": lambda given: Promise.with_resolvers().reject(given),
    "try_": Promise.try_,
    "try_, argument": lambda given: Promise.try_(5, given),
    "delay": Promise.delay,
    "delay, value": lambda given: Promise.delay(0, given),
    "promisify": promisify,
    "pipe": lambda given: pipe(work, given),
    "pipe, after another": lambda given: pipe(5, given),
    "chain": lambda given: chain(given, 5),
    "chain, nested": lambda given: chain([chain(given)], 5),
    "then": lambda given: Promise.resolve().then(given),
    "then, second": lambda given: Promise.resolve().then(None, given),
    "then, after another": lambda given: Promise.resolve().then(5, given),
    "catch": lambda given: Promise.resolve().catch(given),
    "catch, as type": lambda given: Promise.resolve().catch(given, print),
    "catch, behind a type": lambda given: Promise.resolve().catch(KeyError, given),
    "catch, behind a wrong type": lambda given: Promise.resolve().catch(5, given),
    "catch, one too many": lambda given: Promise.resolve().catch(KeyError, print, given),
    "finally_": lambda given: Promise.resolve().finally_(given),
    "tap": lambda given: Promise.resolve().tap(given),
    "tap_catch": lambda given: Promise.resolve().tap_catch(given),
    "spread": lambda given: Promise.resolve().spread(given),
    "timeout": lambda given: Promise.resolve().timeout(given),
    "timeout, fallback": lambda given: Promise.resolve().timeout(1, fallback=given),
    "add_done_callback": lambda given: Promise.resolve().add_done_callback(given),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
async def test_a_coroutine_where_none_belongs_is_closed(refused: Callable) -> None:
    """It is a `TypeError`, and nothing warns of a coroutine that was never awaited."""
    given = work()
    with pytest.raises(TypeError):
        refused(given)
    assert CORO_CLOSED == state_of(given)


class Delegating:
    """A user's awaitable, which leaves the waiting to a promise."""

    def __init__(self, promise: Promise, between: Callable[[], object]) -> None:
        self.promise = promise
        self.between = between

    def __await__(self) -> Any:
        waiting = self.promise.__await__()
        self.between()
        return (yield from waiting)


@pytest.mark.parametrize("when", ["before", "meanwhile", "later"])
@pytest.mark.parametrize("outcome", ["value", ValueError("no")], ids=repr)
async def test_an_awaitable_of_ones_own_may_delegate_to_a_promise(outcome: object, when: str) -> None:
    """`yield from promise.__await__()` returns the value, or raises the reason, whenever the promise settles."""
    promise, resolve, reject = Promise.with_resolvers()
    settle = functools.partial(reject if isinstance(outcome, ValueError) else resolve, outcome)
    if when == "before":
        settle()
    if when == "later":
        asyncio.get_running_loop().call_soon(settle)
    try:
        found = await Delegating(promise, settle if when == "meanwhile" else lambda: None)
    except ValueError as error:
        found = error
    assert outcome is found


async def test_a_job_that_its_own_side_has_cancelled_cancels_the_promise() -> None:
    """A cluster says so by an exception of concurrent.futures."""
    job: Future[None] = Future()
    promise = Promise(job)
    job.set_exception(CancelledJob("worker lost"))
    with pytest.raises(asyncio.CancelledError, match="worker lost"):
        await promise
    assert promise.cancelled()
