"""If anything fails while a promise settles, it is rejected with that: nothing hangs, and nothing is lost."""

import asyncio
import concurrent.futures
import gc
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import Context
from typing import Any, NoReturn

import pytest

from aiopromise import Promise, Rejected, Thenable, promisify
from helpers import turns

pytestmark = pytest.mark.usefixtures("loop_mode")


class Broken(Exception):
    """What user code raises when it is called."""


BROKEN = Broken("of the user's own making")


def broken(*_: object, **__: object) -> NoReturn:
    raise BROKEN


async def give(value: object = None) -> object:
    return value


async def reason_of(awaitable: Awaitable) -> BaseException | None:
    try:
        async with asyncio.timeout(5):
            await awaitable
    except BaseException as error:
        return error
    finally:
        del awaitable
    return None


async def reports_of_the_rest(reports: list[dict]) -> list[tuple]:
    await turns()
    gc.collect(1)  # what there is has been made just now
    return [(report["message"], report.get("exception")) for report in reports]


# ------------------------------------------------------------------------------- values that misbehave


def future_whose(method: str, done: bool = False) -> Callable[[], asyncio.Future]:
    """Return a function that makes a Future one of whose methods raises."""
    kind: Any = type("BrokenFuture", (asyncio.Future,), {method: broken})

    def make() -> asyncio.Future:
        future = kind(loop=asyncio.get_running_loop())
        if done:
            asyncio.Future.set_result(future, None)
        return future

    return make


class Bare(asyncio.Future):
    """An uninitialized Future: most of its methods raise."""

    def __init__(self) -> None:
        pass


class NoBases(type):
    __mro__ = property(broken)


class WithoutBases(metaclass=NoBases):
    """A value whose class cannot be asked for its bases."""


class NoAttributes(type):
    __dict__ = property(broken)


class WithoutAttributes(metaclass=NoAttributes):
    """A value whose class cannot be asked for its attributes."""


VALUES: dict[str, Callable[[], object]] = {
    "a Future that was never begun": Bare,
    "a Future whose done() raises": future_whose("done"),
    "a Future whose get_loop() raises": future_whose("get_loop"),
    "a Future whose add_done_callback() raises": future_whose("add_done_callback"),
    "a Future whose result() raises": future_whose("result", done=True),
    "a class whose __mro__ raises": WithoutBases,
    "a class whose __dict__ raises": WithoutAttributes,
}


class Resolves(Thenable):
    def __init__(self, value: Any) -> None:
        self.value = value

    def then(self, resolve: Any, reject: Any, /) -> None:
        resolve(self.value)


def resolver_called_with(value: object) -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    resolve(value)
    return promise


def resolver_called_in_a_thread_with(value: object) -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    asyncio.get_running_loop().run_in_executor(None, resolve, value)
    return promise


async def outcome_of_all_settled(value: object) -> None:
    [outcome] = await Promise.all_settled([value])
    if isinstance(outcome, Rejected):
        raise outcome.reason


WAYS: dict[str, Callable[[Any], Promise]] = {
    "Promise.resolve()": Promise.resolve,
    "Promise.try_()": lambda value: Promise.try_(lambda: value),
    "@promisify": lambda value: promisify(lambda: value)(),
    "resolve() of an executor": lambda value: Promise(lambda resolve, reject: resolve(value)),
    "resolve()": resolver_called_with,
    "resolve() in a thread": resolver_called_in_a_thread_with,
    "Promise.from_thenable()": lambda value: Promise.from_thenable(Resolves(value)),
    "a thenable": lambda value: Promise.resolve(Resolves(value)),
    "then() of a settled promise": lambda value: Promise.resolve().then(lambda _: value),
    "then() of a pending promise": lambda value: Promise.delay(0).then(lambda _: value),
    "catch()": lambda value: Promise.reject(ValueError()).catch(lambda _: value),
    "catch() of a cancellation": lambda value: cancelled().catch(CancelledError, lambda _: value),
    "spread()": lambda value: Promise.resolve(()).spread(lambda: value),
    "a promise that is followed": lambda value: Promise.resolve().then(lambda _: Promise.resolve(value)),
    "Promise.all()": lambda value: Promise.all([value]),
    "Promise.race()": lambda value: Promise.race([value]),
    "Promise.all_settled()": lambda value: Promise(outcome_of_all_settled(value)),
    "Promise.all_keyed()": lambda value: Promise.all_keyed({"key": value}),
    "Promise.map()": lambda value: Promise.map([1], lambda _: value),
    "Promise.filter()": lambda value: Promise.filter([1], lambda _: value),
    "Promise.each()": lambda value: Promise.each([1], lambda _: value),
    "Promise.reduce()": lambda value: Promise.reduce([1], lambda total, _: value, 0),
}

EFFECTS: dict[str, Callable[[Any], Promise]] = {
    "finally_()": lambda value: Promise.resolve().finally_(lambda: value),
    "finally_() of a cancelled promise": lambda value: cancelled().finally_(lambda: value),
    "tap()": lambda value: Promise.resolve().tap(lambda _: value),
    "tap_catch()": lambda value: Promise.reject(ValueError()).tap_catch(lambda _: value),
}


def cancelled() -> Promise:
    promise, _, reject = Promise.with_resolvers()
    reject(CancelledError())
    return promise


def is_the_reason(reason: BaseException | None, value: str) -> bool:
    if value == "a Future that was never begun":
        return type(reason) is RuntimeError and "not initialized" in str(reason)
    return reason is BROKEN


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_promise_is_rejected_with_what_a_value_raises_as_it_is_asked(way, value, reports) -> None:
    """Whatever way the value has come, and whoever waits."""
    reason = await reason_of(way(VALUES[value]()))
    assert is_the_reason(reason, value), repr(reason)
    assert [] == await reports_of_the_rest(reports)


@pytest.mark.parametrize("value", [name for name in VALUES if "result" not in name])  # which is dropped
@pytest.mark.parametrize("way", EFFECTS.values(), ids=EFFECTS)
async def test_a_promise_is_rejected_with_what_the_result_of_an_effect_raises_as_it_is_asked(
    way, value, reports
) -> None:
    """The Task that would wait for such a Future were stuck for good: asyncio asks it outside of the Task."""
    reason = await reason_of(way(VALUES[value]()))
    assert is_the_reason(reason, value), repr(reason)
    assert [] == await reports_of_the_rest(reports)


class AtOnce(asyncio.Future):
    """A Future that is done, and calls back, where the callback is added."""

    def add_done_callback(self, callback: Callable, *, context: Context | None = None) -> None:
        assert context is not None
        self.set_result("answer")
        context.run(callback, self)


async def test_a_future_may_call_back_while_it_is_being_followed() -> None:
    """Also within a handler."""
    assert "answer" == await Promise(AtOnce())
    assert "answer" == await Promise.resolve().then(lambda _: AtOnce())
    assert "answer" == await Promise(give()).then(lambda _: AtOnce())


@pytest.mark.parametrize("value", [name for name in VALUES if "Future" in name])
async def test_a_promise_of_a_future_is_rejected_with_what_that_raises(value, reports) -> None:
    reason = await reason_of(Promise(VALUES[value]()))
    assert is_the_reason(reason, value), repr(reason)
    assert [] == await reports_of_the_rest(reports)


@pytest.mark.parametrize("combine", [Promise.race, Promise.any, lambda *all_: Promise.some(1, *all_)])
async def test_a_future_that_cannot_be_left_keeps_nobody_from_the_answer(combine, reports) -> None:
    """What its remove_done_callback() raises goes to the loop's exception handler."""
    promise = combine(future_whose("remove_done_callback")(), Promise.resolve(1))
    assert await asyncio.wait_for(promise, 5) in (1, [1])
    assert [BROKEN] == [error for _, error in await reports_of_the_rest(reports)]


@pytest.mark.parametrize("combine", [Promise.race, Promise.any, Promise.all])
async def test_a_loser_that_cannot_be_cancelled_keeps_nobody_from_the_answer(combine) -> None:
    """Neither the others from being asked, nor whoever waits."""
    other = asyncio.get_running_loop().create_future()
    error = ValueError()
    first = Promise.reject(error) if combine is Promise.all else Promise.resolve(1)
    promise = combine(future_whose("cancel")(), first, other, losers="cancel")
    assert await reason_of(promise) in (None, error)
    assert other.cancelled()


async def within_a_time_limit(promise: Promise) -> None:
    async with asyncio.timeout(0.01):
        await promise


UNTIL: dict[str, Callable[[Promise], Awaitable]] = {
    "a time limit is over": lambda promise: promise.timeout(0.01),
    "an awaiting Task is asked to end": within_a_time_limit,
}


@pytest.mark.parametrize("links", [0, 2])
@pytest.mark.parametrize("wait", UNTIL.values(), ids=UNTIL)
async def test_what_cannot_be_cancelled_is_waited_for_no_longer(wait, links, reports) -> None:
    """An exception of its cancel() reaches those who wait."""
    promise = Promise(future_whose("cancel")())
    for _ in range(links):
        promise = promise.then(print)
    assert BROKEN is await reason_of(wait(promise))
    assert promise.done()
    assert [] == await reports_of_the_rest(reports)


async def test_a_combinator_that_fails_to_make_its_answer_is_rejected_with_what_it_has_raised(reports) -> None:
    """A key that could be one before cannot be one any more."""

    class Key:
        asked = 0

        def __hash__(self) -> int:
            Key.asked += 1
            return 1 if Key.asked < 4 else broken()

    assert BROKEN is await reason_of(Promise.all_keyed({Key(): 1}))
    assert [] == await reports_of_the_rest(reports)


class Proxy:
    """What says that it is a promise, as the proxies of some libraries say of what they stand for."""

    __class__ = Promise  # type: ignore[assignment]

    def __await__(self) -> Any:
        return asyncio.sleep(0, "ignored").__await__()


EFFECTS: dict[str, Callable[[], Promise]] = {
    "tap": lambda: Promise.resolve(1).tap(lambda value: Proxy()),
    "finally_": lambda: Promise.resolve(1).finally_(Proxy),
    "tap_catch": lambda: Promise.reject(KeyError()).tap_catch(lambda error: Proxy()).catch(KeyError, lambda error: 1),
}


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS)
async def test_what_only_says_that_it_is_a_promise_is_awaited_as_any_other(effect) -> None:
    assert 1 == await effect()


# ------------------------------------------------------------------------- exceptions that misbehave


class NoClass(Exception):
    __class__ = property(broken)  # type: ignore[assignment]


class NoAttribute(Exception):
    def __getattribute__(self, name: str) -> Any:
        broken()


class GraveWithoutClass(BaseException):
    __class__ = property(broken)  # type: ignore[assignment]


class GraveWithoutAttribute(BaseException):
    def __getattribute__(self, name: str) -> Any:
        broken()


class Cancelled(CancelledError):
    def __getattribute__(self, name: str) -> Any:
        broken()


ERRORS: list[type[BaseException]] = [NoClass, NoAttribute, GraveWithoutClass, GraveWithoutAttribute]


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def raising_async(error: BaseException, pause: int = 0) -> Callable[..., Any]:
    async def fail(*_: object) -> None:
        await turns(pause)
        raise error

    return fail


def rejected_by_resolver(error: BaseException) -> Promise:
    promise, _, reject = Promise.with_resolvers()
    reject(error)
    return promise


def future_of(error: BaseException) -> asyncio.Future:
    future = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


def future_to_be(error: BaseException) -> asyncio.Future:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_exception, error)
    return future


def job(error: BaseException) -> concurrent.futures.Future:
    future: concurrent.futures.Future = concurrent.futures.Future()
    future.set_exception(error)
    return future


class Refusing(concurrent.futures.Executor):
    """Raises as it is given work."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> concurrent.futures.Future:
        raise self.error


class Failing(Refusing):
    """Does nothing but fail."""

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> concurrent.futures.Future:
        return job(self.error)


def items(error: BaseException) -> Iterator[int]:
    yield 1
    raise error


async def items_async(error: BaseException) -> AsyncIterator[int]:
    yield 1
    raise error


class Raises(Thenable):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def then(self, resolve: Any, reject: Any, /) -> None:
        raise self.error


class Rejects(Raises):
    def then(self, resolve: Any, reject: Any, /) -> None:
        reject(self.error)


def attribute_then(error: BaseException) -> object:
    return type("Odd", (), {"then": property(raising(error))})()


async def stream(error: BaseException) -> None:
    async for _ in Promise.map_unordered([1], raising(error)):
        pass


async def arrivals(error: BaseException) -> None:
    async for _, promise in Promise.as_completed(raising_async(error)()):
        await promise


async def awaiting(error: BaseException) -> None:
    await Promise.resolve().then(raising_async(error, 2))


def failed(error: BaseException) -> Promise:
    return Promise.resolve().then(raising(error))


SOURCES: dict[str, Callable[[BaseException], Promise]] = {
    "then()": failed,
    "then() of an async handler": lambda error: Promise.resolve().then(raising_async(error)),
    "then() of an async handler that waits": lambda error: Promise.resolve().then(raising_async(error, 2)),
    "catch()": lambda error: Promise.reject(ValueError()).catch(raising(error)),
    "finally_()": lambda error: Promise.resolve().finally_(raising(error)),
    "tap()": lambda error: Promise.resolve().tap(raising(error)),
    "tap_catch()": lambda error: Promise.reject(ValueError()).tap_catch(raising(error)),
    "what passes then()": lambda error: failed(error).then(print),
    "what passes catch()": lambda error: failed(error).catch(KeyError, print),
    "what passes finally_()": lambda error: failed(error).finally_(lambda: None),
    "what passes an async finally_()": lambda error: failed(error).finally_(give),
    "what passes tap_catch()": lambda error: failed(error).tap_catch(BaseException, give),
    "what passes timeout()": lambda error: failed(error).timeout(5),
    "what passes shield()": lambda error: failed(error).shield(),
    "Promise.reject()": Promise.reject,
    "reject()": rejected_by_resolver,
    "an executor": lambda error: Promise(raising(error)),
    "reject() of an executor": lambda error: Promise(lambda resolve, reject: reject(error)),
    "a coroutine": lambda error: Promise(raising_async(error)()),
    "a coroutine that waits": lambda error: Promise(raising_async(error, 2)()),
    "a Future": lambda error: Promise(future_of(error)),
    "a Future that is pending": lambda error: Promise(future_to_be(error)),
    "a Future that a handler returns": lambda error: Promise.resolve().then(lambda _: future_of(error)),
    "a concurrent Future": lambda error: Promise(job(error)),
    "Promise.try_()": lambda error: Promise.try_(raising(error)),
    "Promise.try_() of an async function": lambda error: Promise.try_(raising_async(error)),
    "@promisify": lambda error: promisify(raising(error))(),
    "then() of a thenable": lambda error: Promise.from_thenable(Raises(error)),
    "reject() of a thenable": lambda error: Promise.from_thenable(Rejects(error)),
    "a thenable that is followed": lambda error: Promise.resolve(Raises(error)),
    "the attribute then": lambda error: Promise.from_thenable(attribute_then(error)),
    "submit() of an executor": lambda error: Promise.submit(Refusing(error), print),
    "a job of an executor": lambda error: Promise.submit(Failing(error), print),
    "Promise.all()": lambda error: Promise.all(raising_async(error)()),
    "Promise.race()": lambda error: Promise.race(raising_async(error)()),
    "Promise.all_settled()": lambda error: Promise(outcome_of_all_settled(raising_async(error)())),
    "items of Promise.all()": lambda error: Promise.all(items(error)),
    "the function of map()": lambda error: Promise.map([1], raising(error)),
    "the async function of map()": lambda error: Promise.map([1], raising_async(error)),
    "the items of map()": lambda error: Promise.map(items(error), give),
    "the async items of map()": lambda error: Promise.map(items_async(error), give),
    "the function of filter()": lambda error: Promise.filter([1], raising(error)),
    "the function of each()": lambda error: Promise.each([1], raising(error)),
    "the function of reduce()": lambda error: Promise.reduce([1], raising(error), 0),
    "on_progress": lambda error: Promise.map([1], give, on_progress=raising(error)),
    "an executor of map()": lambda error: Promise.map([1], print, executor=Failing(error)),
    "an unordered map()": lambda error: Promise(stream(error)),
    "Promise.as_completed()": lambda error: Promise(arrivals(error)),
    "a Task that awaits": lambda error: Promise(awaiting(error)),
}


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
async def test_an_exception_that_cannot_be_asked_rejects_as_any_other(source, kind, reports) -> None:
    """No code of the exception's own is asked, as little as `except` asks it."""
    error = kind("not to be asked")
    assert error is await reason_of(source(error))
    assert [] == await reports_of_the_rest(reports)


@pytest.mark.parametrize("kind", [NoClass, NoAttribute])
@pytest.mark.parametrize("combine", [Promise.any, lambda *all_: Promise.some(1, *all_)], ids=["any", "some"])
async def test_an_exception_that_cannot_be_asked_is_one_of_a_group(combine, kind, reports) -> None:
    error = kind("not to be asked")
    group = await reason_of(combine(raising_async(error)()))
    assert (error,) == group.exceptions
    assert [] == await reports_of_the_rest(reports)


@pytest.mark.parametrize("source", [failed, Promise.reject, lambda error: Promise(raising_async(error)())])
async def test_a_cancellation_that_cannot_be_asked_cancels_as_any_other(source, reports) -> None:
    promise = source(Cancelled())
    await asyncio.wait([promise], timeout=5)
    assert promise.cancelled()
    assert [] == await reports_of_the_rest(reports)


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("catches", [Exception, (KeyError, Exception), BaseException], ids=repr)
async def test_an_exception_that_cannot_be_asked_is_caught_by_its_class(kind, catches) -> None:
    error = kind("not to be asked")
    caught = [Promise.resolve().then(raising(error)).catch(catches, lambda _: "caught")]
    await asyncio.wait(caught, timeout=5)
    expected = None if issubclass(kind, catches) else error
    assert expected is caught[0].exception()


# ---------------------------------------------------------------- exception classes that misbehave


class NoInstances(type):
    def __instancecheck__(cls, instance: object) -> bool:
        broken()


class NoSubclasses(type):
    def __subclasscheck__(cls, subclass: object) -> bool:
        broken()


class WithoutInstances(Exception, metaclass=NoInstances):
    """An exception class that cannot be asked for its instances."""


class WithoutSubclasses(Exception, metaclass=NoSubclasses):
    """An exception class that cannot be asked for its subclasses."""


@pytest.mark.parametrize("kind", [WithoutInstances, WithoutSubclasses])
@pytest.mark.parametrize("types", [lambda kind: kind, lambda kind: (KeyError, kind)], ids=["alone", "in a tuple"])
@pytest.mark.parametrize("link", ["catch", "tap_catch"])
async def test_a_promise_is_rejected_with_what_the_class_raises_that_it_is_to_catch(link, types, kind, reports) -> None:
    """The reason that it was to be asked for was not taken, so it is reported."""
    error = ValueError()
    promise = getattr(Promise.reject(error), link)(types(kind), print)
    assert BROKEN is await reason_of(promise)
    assert [error] == [reason for _, reason in await reports_of_the_rest(reports)]


@pytest.mark.parametrize("kind", [WithoutInstances, WithoutSubclasses])
async def test_so_is_a_promise_that_is_cancelled(kind, reports) -> None:
    """And the links below it get it."""
    source, _, _ = Promise.with_resolvers()
    tip = source.catch(kind, print).then(print)
    assert tip.cancel()
    assert BROKEN is await reason_of(tip)
    assert [] == await reports_of_the_rest(reports)
