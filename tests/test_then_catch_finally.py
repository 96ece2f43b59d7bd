"""The links of a chain: then, catch, finally_, tap, tap_catch and spread, whatever is used as their handler."""

import asyncio
import concurrent.futures
import functools
import gc
import inspect
import operator
import types
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, Self
from unittest import mock

import pytest

from aiopromise import Promise, Thenable, promisify
from helpers import turns, without_address

pytestmark = pytest.mark.usefixtures("loop_mode")


def double(value: int) -> int:
    return value * 2


async def double_later(value: int) -> int:
    await asyncio.sleep(0)
    return value * 2


async def multiply_later(factor: int, value: int) -> int:
    await asyncio.sleep(0)
    return factor * value


@types.coroutine
def double_by_generator(value: int) -> Generator[None, None, int]:
    yield
    return value * 2


class Doubled(int):
    def __new__(cls, value: int) -> Self:
        return super().__new__(cls, value * 2)


class DoubledLater:
    def __init__(self, value: int) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, Any, int]:
        return double_later(self.value).__await__()


class Factor:
    def __call__(self, value: int) -> int:
        return value * 2

    def method(self, value: int) -> int:
        return value * 2

    async def async_method(self, value: int) -> int:
        return value * 2

    @classmethod
    def class_method(cls, value: int) -> int:
        return value * 2

    @staticmethod
    async def static_async_method(value: int) -> int:
        return value * 2


class AsyncFactor:
    async def __call__(self, value: int) -> int:
        return value * 2


@functools.wraps(double_later)
def decorated(*arguments: int) -> Any:
    return double_later(*arguments)


# Each of them, called with 21, returns 42 sooner or later.
HANDLERS: dict[str, Callable[[int], Any]] = {
    "function": double,
    "async function": double_later,
    "decorated async function": decorated,
    "lambda": lambda value: value * 2,
    "lambda that calls an async function": lambda value: multiply_later(2, value),
    "generator-based coroutine": double_by_generator,
    "partial": functools.partial(operator.mul, 2),
    "partial of an async function": functools.partial(multiply_later, 2),
    "partial of a partial": functools.partial(functools.partial(multiply_later), 2),
    "bound method": Factor().method,
    "bound async method": Factor().async_method,
    "class method": Factor.class_method,
    "static async method": Factor.static_async_method,
    "class": Doubled,
    "class of awaitables": DoubledLater,
    "callable object": Factor(),
    "async callable object": AsyncFactor(),
    "builtin method": {21: 42}.get,
    "slot wrapper": (2).__mul__,
    "callable object written in C": operator.methodcaller("__mul__", 2),
    "cached function": functools.cache(double),
    "generic function": functools.singledispatch(double),
    "promisified function": promisify(double),
    "mock": mock.Mock(side_effect=double),
    "async mock": mock.AsyncMock(side_effect=double),
}


@pytest.fixture(params=HANDLERS.values(), ids=HANDLERS)
def handler(request: pytest.FixtureRequest) -> Callable[[int], Any]:
    """Try every kind of function that a user may have at hand."""
    return request.param


class Waits:
    """An object that can be awaited, and is nothing else."""

    def __init__(self, future: asyncio.Future) -> None:
        self.future = future

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.future.__await__()


class Calls(Thenable):
    """A thenable that settles as a future does."""

    def __init__(self, future: asyncio.Future) -> None:
        self.future = future

    def then(self, resolve: Any, reject: Any, /) -> None:
        self.future.add_done_callback(
            lambda future: reject(future.exception()) if future.exception() else resolve(future.result())
        )


async def wait(future: asyncio.Future) -> Any:
    return await future


@types.coroutine
def wait_by_generator(future: asyncio.Future) -> Generator[Any, Any, Any]:
    return (yield from future)


async def yield_one(future: asyncio.Future) -> AsyncIterator[Any]:
    yield await future


# Each of them has the future's result.
AWAITABLES: dict[str, Callable[[asyncio.Future], Any]] = {
    "coroutine": wait,
    "generator-based coroutine": wait_by_generator,
    "Task": lambda future: asyncio.create_task(wait(future)),
    "Future": lambda future: future,
    "shielded Future": asyncio.shield,
    "promise": Promise,
    "end of a chain": lambda future: Promise(future).then().finally_(lambda: None),
    "object with __await__": Waits,
    "thenable": Calls,
    "step of an async generator": lambda future: anext(yield_one(future)),
}


@pytest.fixture(params=AWAITABLES.values(), ids=AWAITABLES)
def awaitable(request: pytest.FixtureRequest) -> Callable[[asyncio.Future], Any]:
    """Try every kind of awaitable that a handler may return."""
    return request.param


def raising(error: BaseException) -> Callable[..., Any]:
    """Return a handler that raises."""

    def handler(*arguments: object) -> None:
        raise error

    return handler


def raising_later(error: BaseException) -> Callable[..., Any]:
    """Return an async handler that raises."""

    async def handler(*arguments: object) -> None:
        await asyncio.sleep(0)
        raise error

    return handler


def rejecting(error: BaseException) -> Callable[..., Any]:
    """Return a handler that returns a rejected promise."""
    return lambda *arguments: Promise.reject(error)


FAILING = [raising, raising_later, rejecting]


def reason_of(promise: Promise) -> Promise:
    """Return a promise for what *promise* is rejected or cancelled with."""
    return promise.catch(BaseException, lambda reason: reason)


# Handlers


async def test_any_callable_can_be_the_handler_of_then(timing, handler) -> None:
    """Sync or async, function or object: what matters is the result of the call."""
    assert 42 == await timing.fulfilled(21).then(handler)


async def test_any_callable_can_be_the_handler_of_spread(timing, handler) -> None:
    """The same for spread()."""
    assert 42 == await timing.fulfilled((21,)).spread(handler)


async def test_any_callable_can_be_the_handler_of_tap(timing, handler) -> None:
    """The same for tap(), which keeps the value."""
    assert 21 == await timing.fulfilled(21).tap(handler)


class Countable(Exception):
    """A reason that all the handlers above can double."""

    def __mul__(self, factor: int) -> int:
        return 42

    __rmul__ = __mul__


@pytest.mark.parametrize("name", ["async function", "bound method", "partial", "async callable object", "mock"])
async def test_any_callable_can_be_the_handler_of_catch(timing, name) -> None:
    """The same for catch()."""
    assert 42 == await timing.rejected(Countable()).catch(HANDLERS[name])


@pytest.mark.parametrize("name", ["async function", "bound method", "partial", "async callable object", "mock"])
async def test_any_callable_can_be_the_handler_of_tap_catch(timing, name) -> None:
    """The same for tap_catch(), which keeps the reason."""
    reason = Countable()
    assert reason is await reason_of(timing.rejected(reason).tap_catch(HANDLERS[name]))


@pytest.mark.parametrize("name", ["async function", "bound method", "partial", "async callable object", "mock"])
async def test_any_callable_can_be_the_handler_of_finally(timing, name) -> None:
    """The same for finally_(), whose handler takes no argument."""
    assert "kept" == await timing.fulfilled("kept").finally_(functools.partial(HANDLERS[name], 21))


async def test_handlers_may_be_given_by_name() -> None:
    """The keywords of then() are those of its signature."""
    promise = Promise.resolve(21)
    assert (42, "no") == (
        await promise.then(on_fulfilled=double),
        await promise.then(raising(ValueError("no"))).then(on_rejected=str),
    )


LINKS: dict[str, Callable[[Promise, Any], Promise]] = {
    "then": lambda promise, handler: promise.then(handler),
    "then(None, ...)": lambda promise, handler: promise.then(None, handler),
    "catch": lambda promise, handler: promise.catch(handler),
    "catch(KeyError, ...)": lambda promise, handler: promise.catch(KeyError, handler),
    "finally_": lambda promise, handler: promise.finally_(handler),
    "tap": lambda promise, handler: promise.tap(handler),
    "tap_catch": lambda promise, handler: promise.tap_catch(handler),
    "tap_catch(KeyError, ...)": lambda promise, handler: promise.tap_catch(KeyError, handler),
    "spread": lambda promise, handler: promise.spread(handler),
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("no_function", [5, "text", [print], object()], ids=without_address)
async def test_what_cannot_be_called_is_refused(link, no_function) -> None:
    """Every link names, under its own name, what it cannot call."""
    with pytest.raises(TypeError) as caught:
        LINKS[link](Promise.resolve(21), no_function)
    assert str(caught.value).startswith(f"{link.partition('(')[0]}() needs a function, got ")


@pytest.mark.parametrize("link", LINKS)
async def test_a_coroutine_given_for_its_function_is_closed(link) -> None:
    """Every link refuses a coroutine, which so causes no second complaint of never having been awaited."""
    coroutine = double_later(21)
    with pytest.raises(TypeError):
        LINKS[link](Promise.resolve(21), coroutine)
    assert inspect.CORO_CLOSED == inspect.getcoroutinestate(coroutine)


@pytest.mark.parametrize("link", ["catch", "finally_", "tap", "tap_catch", "spread"])
async def test_only_then_can_do_without_a_handler(link) -> None:
    """None is a handler only for then()."""
    with pytest.raises(TypeError):
        LINKS[link](Promise.resolve(21), None)


# What handlers return


async def test_an_awaitable_that_a_handler_returns_is_awaited(awaitable) -> None:
    """``await p.then(f)`` waits as long as ``await f(value)``, and returns the same."""
    future = asyncio.get_running_loop().create_future()
    child = Promise.resolve().then(lambda _: awaitable(future))
    await turns()
    before = child.done()
    future.set_result("value")
    assert (False, "value") == (before, await child)


async def test_an_awaitable_that_fails_rejects_with_its_exception(awaitable) -> None:
    """``await p.then(f)`` raises the exception that ``await f(value)`` raises."""
    error = ValueError()
    future = asyncio.get_running_loop().create_future()
    child = Promise.resolve().then(lambda _: awaitable(future))
    await turns()
    future.set_exception(error)
    assert error is await reason_of(child)


async def test_an_awaitable_that_was_done_before_is_as_good() -> None:
    """A Task, a Future or a promise may have settled long ago."""
    future = asyncio.get_running_loop().create_future()
    future.set_result("value")
    task = asyncio.create_task(wait(future))
    promise = Promise(future)
    await asyncio.wait([task, promise])
    given = [await Promise.resolve().then(lambda _, done=done: done) for done in (future, task, promise)]
    assert ["value"] * 3 == given


def generator_function() -> Iterator[int]:
    yield 1


async def async_generator_function() -> AsyncIterator[int]:
    yield 1


class Unrelated:
    """Has a method that is called as a promise's is."""

    def then(self, *arguments: object) -> None:
        raise AssertionError("nobody should call this")


def with_own_await() -> Unrelated:
    found = Unrelated()
    found.__await__ = lambda: iter(())
    return found


@pytest.mark.parametrize(
    "make",
    [
        generator_function,
        async_generator_function,
        concurrent.futures.Future,
        Unrelated,
        with_own_await,
        lambda: double_later,
        lambda: Waits,
        lambda: ValueError,
    ],
    ids=[
        "generator",
        "async generator",
        "concurrent Future",
        "object with then",
        "object whose instance has __await__",
        "async function",
        "class of awaitables",
        "exception class",
    ],
)
async def test_what_cannot_be_awaited_is_a_value(make) -> None:
    """What ``await`` would refuse is passed on as is."""
    value = make()
    assert value is await Promise.resolve().then(lambda _: value)


# catch


@pytest.mark.parametrize("end", ["fulfilled", "rejected"])
async def test_after_catch_there_is_a_value(timing, end) -> None:
    """A value passes through catch(), a reason is replaced by the handler's result."""
    promise = timing.fulfilled("value") if end == "fulfilled" else timing.rejected(ValueError("no"))
    assert ("value" if end == "fulfilled" else "no") == await promise.catch(str)


@pytest.mark.parametrize(
    ("types", "reason", "caught"),
    [
        (KeyError, KeyError(), True),
        (LookupError, KeyError(), True),
        (KeyError, LookupError(), False),
        (KeyError, OSError(), False),
        ((KeyError, OSError), OSError(), True),
        ((KeyError, OSError), ValueError(), False),
        ((), ValueError(), False),
        (asyncio.CancelledError, asyncio.CancelledError(), True),
        (asyncio.CancelledError, ValueError(), False),
        (Exception, asyncio.CancelledError(), False),
        (BaseException, asyncio.CancelledError(), True),
        ((KeyError, asyncio.CancelledError), asyncio.CancelledError(), True),
        (ExceptionGroup, ExceptionGroup("several", [ValueError()]), True),
        (ValueError, ExceptionGroup("several", [ValueError()]), False),
    ],
    ids=repr,
)
@pytest.mark.parametrize("link", ["catch", "tap_catch"])
async def test_only_the_named_types_are_caught(timing, link, types, reason, caught) -> None:
    """catch(types, f) is ``except types``: what it does not name passes, the same object."""
    seen = []
    child = getattr(timing.rejected(reason), link)(types, seen.append)
    expected = (None if caught and link == "catch" else reason, [reason] if caught else [])
    assert expected == (await reason_of(child), seen)


async def test_an_exception_class_can_be_the_handler_where_types_are_named() -> None:
    """It can be called, and what it makes is a value as any other."""
    made = await Promise.reject(KeyError("key")).catch(KeyError, ValueError)
    assert "ValueError(KeyError('key'))" == repr(made)


@pytest.mark.parametrize("link", ["catch", "tap_catch"])
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (KeyError,),
        ((KeyError, OSError),),
        (KeyError, print, print),
        ("KeyError", print),
        (KeyError(), print),
        (int, print),
        ((KeyError, int), print),
        ([KeyError], print),
        (print, KeyError),
    ],
    ids=repr,
)
async def test_types_without_a_handler_and_what_is_no_type_are_refused(link, arguments) -> None:
    """What ``except`` would refuse is refused at the call."""
    with pytest.raises(TypeError) as caught:
        getattr(Promise.resolve(), link)(*arguments)
    assert str(caught.value).startswith(f"{link}(")


@pytest.mark.parametrize("failing", FAILING)
@pytest.mark.parametrize("link", ["then", "catch", "finally_", "tap", "tap_catch", "spread"])
async def test_a_handler_that_fails_rejects_with_what_it_raised(timing, link, failing) -> None:
    """Whatever the link, and however its handler fails, the new promise has that reason."""
    error = ValueError()
    promise = timing.rejected(KeyError()) if link in ("catch", "tap_catch") else timing.fulfilled(())
    assert error is await reason_of(LINKS[link](promise, failing(error)))


# finally_, tap and tap_catch wait for what they start


@pytest.mark.parametrize("link", ["finally_", "tap", "tap_catch"])
async def test_what_an_effect_returns_is_awaited_and_dropped(link, awaitable) -> None:
    """The outcome passes on, unchanged, when the handler's awaitable is done."""
    outcome = ValueError() if link == "tap_catch" else "kept"
    future = asyncio.get_running_loop().create_future()
    promise = Promise.reject(outcome) if link == "tap_catch" else Promise.resolve(outcome)
    child = LINKS[link](promise, lambda *arguments: awaitable(future))
    await turns()
    before = child.done()
    future.set_result("dropped")
    assert (False, outcome) == (before, await reason_of(child))


WAITS_FOR_IT = {
    "itself": lambda promise: promise,
    "a link of it": lambda promise: promise.then(str),
    "a shield of it": lambda promise: promise.shield(),
    "a time limit of it": lambda promise: promise.timeout(60),
    "all of it and others": lambda promise: Promise.all(promise, Promise.resolve(1)).then(str),
    "a gather() of it": lambda promise: asyncio.gather(promise, Promise.resolve(1)),
    "a gather() of a link of it": lambda promise: asyncio.gather(asyncio.gather(promise.then(str))),
}


@pytest.mark.parametrize("wait", WAITS_FOR_IT.values(), ids=WAITS_FOR_IT)
@pytest.mark.parametrize(
    "effect", [Promise.finally_, Promise.tap, Promise.tap_catch], ids=lambda effect: effect.__name__
)
async def test_an_effect_that_returns_its_own_promise_settles_as_the_source_did(effect, wait, loop_mode) -> None:
    """What it returns is dropped, so there is nothing to wait for: `lambda: cache.pop(key)` is such a function."""
    reason = ValueError("no page")
    source = Promise.reject(reason) if effect is Promise.tap_catch else Promise.resolve("page")
    cache: dict[str, Promise] = {}
    promise = effect(source, lambda *_: cache.pop("key"))
    cache["key"] = tip = wait(promise)
    asyncio.get_running_loop().call_later(5, promise.cancel)  # so that a test that fails ends
    await asyncio.wait([tip])
    assert (reason if effect is Promise.tap_catch else "page") == await promise.catch(lambda error: error)
    assert ({}, tip.exception()) == (cache, reason if effect is Promise.tap_catch else None)


@pytest.mark.parametrize("wait", WAITS_FOR_IT.values(), ids=WAITS_FOR_IT)
async def test_what_an_effect_returns_answers_for_its_own_promise_no_more_than_once(wait, loop_mode, reports) -> None:
    """A failure is reported by the promise itself, and not again by the returned awaitable that waited for it."""
    cache: dict[str, Promise] = {}
    cache["key"] = Promise.reject(ValueError("no page")).finally_(lambda: wait(cache.pop("key")))
    assert isinstance(await reason_of(cache["key"]), ValueError)
    await turns()
    gc.collect()
    assert [] == reports


async def test_single_flight_is_one_line(loop_mode) -> None:
    """One call for all who ask meanwhile, and another for who asks later; a failure is not kept either."""
    cache: dict[str, Promise] = {}
    calls: list[str] = []

    async def load(key: str) -> str:
        calls.append(key)
        await asyncio.sleep(0)
        if key == "bad":
            raise ValueError(key)
        return key.upper()

    def get(key: str) -> Promise:
        if key not in cache:
            cache[key] = Promise(load(key)).finally_(lambda: cache.pop(key))
        return cache[key]

    keys = ["a", "b", "a", "bad", "bad"]
    outcomes = await asyncio.gather(*map(get, keys), return_exceptions=True)
    assert ["A", "B", "A", "ValueError('bad')", "ValueError('bad')"] == [
        one if isinstance(one, str) else repr(one) for one in outcomes
    ]
    assert ("A", {}, ["a", "b", "bad", "a"]) == (await get("a"), cache, calls)


async def test_a_cancelled_effect_that_returns_its_own_promise_is_cancelled(loop_mode) -> None:
    """Cancelling it does not wait."""
    cache: dict[str, Promise] = {}
    cache["key"] = promise = Promise.with_resolvers().promise.finally_(lambda: cache.pop("key"))
    promise.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await promise


@pytest.mark.parametrize("link", ["finally_", "tap"])
async def test_a_value_that_can_be_awaited_passes_an_effect_unawaited(link) -> None:
    """A promise whose value is itself a promise still has it after finally_() and tap()."""
    inner = Promise.resolve("inner")
    future = asyncio.get_running_loop().create_future()
    future.set_result(inner)
    assert inner is await LINKS[link](Promise(future), lambda *arguments: None)


async def test_tap_sees_the_value(timing) -> None:
    """tap(f) calls f with the value."""
    seen = []
    await timing.fulfilled("value").tap(seen.append)
    assert ["value"] == seen


@pytest.mark.parametrize("reason", [ValueError(), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize("link", ["tap", "spread"])
async def test_rejections_and_cancellations_pass_what_is_for_values(timing, link, reason) -> None:
    """tap() and spread() are not for them, and hand them on."""
    seen = []
    child = LINKS[link](timing.rejected(reason), seen.append)
    assert (reason, []) == (await reason_of(child), seen)


async def test_values_pass_tap_catch(timing) -> None:
    """tap_catch() is for rejections alone."""
    seen = []
    assert ("value", []) == (await timing.fulfilled("value").tap_catch(seen.append), seen)


async def test_a_cancellation_passes_tap_catch_that_does_not_name_it(timing) -> None:
    """tap_catch(f) is catch(f) in what it sees: every Exception."""
    seen = []
    child = timing.cancelled().tap_catch(seen.append)
    await asyncio.wait([child])
    assert (True, []) == (child.cancelled(), seen)


@pytest.mark.parametrize("failing", FAILING)
async def test_what_tap_catch_raises_has_the_reason_as_its_context(timing, failing) -> None:
    """tap_catch() is an ``except`` block: what is raised there remembers what it was for."""
    reason, error = KeyError(), ValueError()
    raised = await reason_of(timing.rejected(reason).tap_catch(failing(error)))
    assert (error, reason) == (raised, raised.__context__)


# spread


@pytest.mark.parametrize("kind", [tuple, list, iter, dict.fromkeys])
async def test_spread_calls_its_handler_with_the_elements(timing, kind) -> None:
    """spread(f) is ``f(*value)``."""
    assert (3, 1) == await timing.fulfilled(kind((7, 2))).spread(divmod)


@pytest.mark.parametrize("value", [5, None, (), (1, 2)], ids=repr)
async def test_what_cannot_be_spread_rejects(timing, value) -> None:
    """No iterable, or not as many elements as the handler takes: TypeError, as the call itself would raise."""
    assert isinstance(await reason_of(timing.fulfilled(value).spread(lambda one: None)), TypeError)


# repr


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (double, "double"),
        (double_later, "double_later"),
        (decorated, "double_later"),
        (lambda value: value, "<lambda>"),
        (functools.partial(multiply_later, 2), "multiply_later"),
        (functools.partial(functools.partial(multiply_later), 2), "multiply_later"),
        (Factor().method, "method"),
        (Doubled, "Doubled"),
        (Factor(), "Factor"),
        (print, "print"),
        (functools.cache(double), "double"),
        (mock.Mock(), "Mock"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_repr_names_the_handler_that_is_waited_for(handler, name) -> None:
    """Whatever the kind of function, the name is the one that a reader knows."""
    promise, _, _ = Promise.with_resolvers()
    assert f"<Promise pending, waiting to call {name}>" == repr(promise.then(handler))


def parse(*arguments: object) -> None:
    pass


def recover(*arguments: object) -> None:
    pass


@pytest.mark.parametrize("link", LINKS)
async def test_repr_names_the_handler_of_every_link(link) -> None:
    """Whatever the link, its own handler is named."""
    promise, _, _ = Promise.with_resolvers()
    assert "<Promise pending, waiting to call parse>" == repr(LINKS[link](promise, parse))


@pytest.mark.parametrize(
    ("handlers", "named"),
    [((parse, recover), "parse or recover"), ((None, recover), "recover"), ((parse, parse), "parse")],
    ids=["two", "one", "the same"],
)
async def test_repr_names_both_handlers(handlers, named) -> None:
    """One of the two handlers will be called, and for the same function it does not matter which."""
    promise, _, _ = Promise.with_resolvers()
    assert f"<Promise pending, waiting to call {named}>" == repr(promise.then(*handlers))


async def test_repr_names_the_handler_that_is_running() -> None:
    """While an async handler runs, its name is shown."""
    gate, opens, _ = Promise.with_resolvers()

    async def fetch(_: object) -> None:
        await gate

    child = Promise.resolve().then(fetch)
    await turns()
    running = repr(child)
    opens(None)
    await child
    assert "<Promise pending, running fetch>" == running


async def test_repr_names_what_is_followed() -> None:
    """If it does not wait for a handler, the kind of what it waits for is shown."""
    pending, resolve, _ = Promise.with_resolvers()
    nothing = repr(pending)
    resolve(asyncio.get_running_loop().create_future())
    assert ["<Promise pending>", "<Promise pending, following a Future>", "<Promise pending, following a Promise>"] == [
        nothing,
        repr(pending),
        repr(pending.then()),
    ]


class Rude:
    def __repr__(self) -> str:
        raise AssertionError("no repr")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Promise.resolve(42), "<Promise fulfilled 42>"),
        (lambda: Promise.resolve("text"), "<Promise fulfilled 'text'>"),
        (Promise.resolve, "<Promise fulfilled None>"),
        (lambda: Promise.reject(ValueError("no")), "<Promise rejected ValueError('no')>"),
        (lambda: Promise.reject(asyncio.CancelledError()), "<Promise cancelled>"),
    ],
    ids=["number", "text", "None", "rejected", "cancelled"],
)
async def test_repr_tells_the_outcome(make, text) -> None:
    """A settled promise shows its value or its reason."""
    promise = make()
    shown = repr(promise)
    await asyncio.wait([promise.catch(lambda reason: None)])
    assert text == shown


@pytest.mark.parametrize("value", ["x" * 10_000, list(range(10_000)), Rude()], ids=["text", "list", "rude object"])
async def test_repr_stays_short_and_never_fails(value) -> None:
    """A repr fits a line of a log, whatever the value's own does."""
    assert len(repr(Promise.resolve(value))) < 120
