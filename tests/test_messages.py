"""What the library says when something goes wrong, by its whole text."""

import asyncio
import copy
import functools
import inspect
import logging
import pickle
import re
import types
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import aiopromise
from aiopromise import (
    Fulfilled,
    Promise,
    Rejected,
    UnhandledRejection,
    chain,
    on_unhandled_rejection,
    pipe,
    promisify,
)
from aiopromise.testing import Deferred
from helpers import turns

UNKNOWN = object()
JOB: Future = Future()


class Pool(ThreadPoolExecutor):
    """An executor with a short repr."""

    def __repr__(self) -> str:
        return "POOL"


POOL = Pool(1)


async def work(*arguments: Any) -> None:
    """Stand for any coroutine function."""


def starts(resolve: Any, reject: Any) -> Coroutine:
    """Stand for an executor that returns a coroutine."""
    return work()


double = promisify(work)


def fulfilled() -> Promise:
    """Return a promise whose methods are called wrongly."""
    return Promise.resolve(5)


@pytest.fixture
def given() -> Iterator[Coroutine]:
    """Return a coroutine that is passed where none belongs."""
    coroutine = work()
    yield coroutine
    coroutine.close()


async def text_of(call: Callable[[], Any]) -> tuple[type[BaseException], str]:
    """Return what *call* raises, or what its promise is rejected with."""
    try:
        await call()
    except Exception as error:
        return type(error), str(error)
    raise AssertionError("nothing was raised")


# ---------------------------------------------------------- called wrongly


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda value: fulfilled().then(value), "then"),
        (lambda value: fulfilled().then(None, value), "then"),
        (lambda value: fulfilled().catch(value), "catch"),
        (lambda value: fulfilled().catch(KeyError, value), "catch"),
        (lambda value: fulfilled().finally_(value), "finally_"),
        (lambda value: fulfilled().tap(value), "tap"),
        (lambda value: fulfilled().tap_catch(value), "tap_catch"),
        (lambda value: fulfilled().tap_catch(KeyError, value), "tap_catch"),
        (lambda value: fulfilled().spread(value), "spread"),
        (lambda value: fulfilled().add_done_callback(value), "add_done_callback"),
        (Promise.try_, "Promise.try_"),
        (promisify, "promisify"),
        (lambda value: pipe(len, value), "pipe"),
        (on_unhandled_rejection, "on_unhandled_rejection"),
    ],
)
@pytest.mark.parametrize("value", [5, "text", b""], ids=repr)
async def test_what_is_no_function_is_named(call: Callable, name: str, value: Any) -> None:
    """Whatever takes a function says which call it was, and what it got instead."""
    assert (TypeError, f"{name}() needs a function, got {value!r}") == await text_of(lambda: call(value))


@pytest.mark.parametrize(
    ("call", "written"),
    [
        (lambda value: fulfilled().then(value), ".then(work)"),
        (lambda value: fulfilled().then(value, print), ".then(work, print)"),
        (lambda value: fulfilled().then(None, value), ".then(None, work)"),
        (lambda value: fulfilled().catch(value), ".catch(work)"),
        (lambda value: fulfilled().catch(KeyError, value), ".catch(KeyError, work)"),
        (lambda value: fulfilled().catch((KeyError, OSError), value), ".catch((KeyError, OSError), work)"),
        (lambda value: fulfilled().finally_(value), ".finally_(work)"),
        (lambda value: fulfilled().tap(value), ".tap(work)"),
        (lambda value: fulfilled().tap_catch(value), ".tap_catch(work)"),
        (lambda value: fulfilled().spread(value), ".spread(work)"),
        (Promise.try_, "Promise.try_(work)"),
        (lambda value: Promise.try_(value, 5, call="x"), "Promise.try_(work, 5, call='x')"),
        (lambda value: Promise.map(["a"], value), "Promise.map(['a'], work)"),
        (lambda value: Promise.map(["a"], value, executor=POOL), "Promise.map(['a'], work)"),
        (lambda value: Promise.reduce(["a"], value, 0), "Promise.reduce(['a'], work, 0)"),
        (lambda value: Promise.submit(POOL, value, 5), "Promise.submit(POOL, work, 5)"),
        (promisify, "promisify(work)"),
        (lambda value: pipe(len, value, str), "pipe(len, work, str)"),
    ],
)
async def test_a_coroutine_for_a_function_is_the_common_mistake(call: Callable, written: str, given: Coroutine) -> None:
    """`then(work())` for `then(work)`: the message shows both, as they are typed, with what else was given."""
    name = written.removeprefix(".").partition("(")[0]
    expected = (
        f"{name}() needs a function, got {given!r}\n\n"
        f"You wrote {written.replace('work', 'work(...)')}. Write {written}: it will be called when it is due."
    )
    assert (TypeError, expected) == await text_of(lambda: call(given))


WRONG_CALLS: dict[str, tuple[Callable, type[Exception], str]] = {
    "no source": (
        lambda given: Promise(5),
        TypeError,
        "Promise() needs an awaitable or an executor, got 5\n\nFor a value you already have, write Promise.resolve(5)",
    ),
    "coroutine function as executor": (
        lambda given: Promise(work),
        TypeError,
        f"Promise() needs an executor that is not async, got {work!r}\n\n"
        "You wrote Promise(work). Write Promise(work(...)) to make a promise from its result",
    ),
    "executor that returns a coroutine": (
        lambda given: Promise(starts),
        TypeError,
        f"Promise() needs an executor that is not async, got {starts!r}\n\n"
        "You wrote Promise(starts). Write Promise(starts(...)) to make a promise from its result",
    ),
    "Promise.reject of a text": (
        lambda given: Promise.reject("no"),
        TypeError,
        "Promise.reject() needs an exception, got 'no'\n\n"
        "Write Promise.reject(ValueError('no')), or use your own exception class",
    ),
    "Promise.reject of a class": (
        lambda given: Promise.reject(ValueError),
        TypeError,
        "Promise.reject() needs an exception, got <class 'ValueError'>\n\n"
        "You wrote the class. Write an instance: Promise.reject(ValueError(...))",
    ),
    "reject of a text": (
        lambda given: Promise.with_resolvers().reject("no"),
        TypeError,
        "reject() needs an exception, got 'no'\n\nWrite reject(ValueError('no')), or use your own exception class",
    ),
    "reject of a class": (
        lambda given: Promise.with_resolvers().reject(KeyError),
        TypeError,
        "reject() needs an exception, got <class 'KeyError'>\n\n"
        "You wrote the class. Write an instance: reject(KeyError(...))",
    ),
    "delay of a text": (
        lambda given: Promise.delay("soon"),
        TypeError,
        "Promise.delay() needs a number of seconds, got 'soon'",
    ),
    "delay of an awaitable": (
        lambda given: Promise.delay(1, given),
        TypeError,
        "Promise.delay() needs a plain value, got {given}\n\n"
        "To start something later, write Promise.delay(seconds).then(lambda _: work())",
    ),
    "timeout of a text": (
        lambda given: fulfilled().timeout("soon"),
        TypeError,
        "timeout() needs a number of seconds, got 'soon'",
    ),
    "timeout of nan": (
        lambda given: fulfilled().timeout(float("nan")),
        ValueError,
        "timeout() needs a number of seconds, got nan",
    ),
    "timeout with an awaitable": (
        lambda given: fulfilled().timeout(1, fallback=given),
        TypeError,
        "timeout(fallback=) needs a plain value, got {given}",
    ),
    "catch of nothing": (
        lambda given: fulfilled().catch(),
        TypeError,
        "catch() takes a handler, or exception types and a handler, got 0 arguments",
    ),
    "tap_catch of three": (
        lambda given: fulfilled().tap_catch(KeyError, OSError, print),
        TypeError,
        "tap_catch() takes a handler, or exception types and a handler, got 3 arguments\n\n"
        "You wrote .tap_catch(KeyError, OSError, print). Write .tap_catch((KeyError, OSError), print)",
    ),
    "catch of three that are no types": (
        lambda given: fulfilled().catch(print, print, print),
        TypeError,
        "catch() takes a handler, or exception types and a handler, got 3 arguments",
    ),
    "the arguments of map swapped": (
        lambda given: Promise.map(work, [given]),
        TypeError,
        "Promise.map() needs a function, got [{given}]\n\n"
        "You wrote Promise.map(work, [work(...)]). Write Promise.map([work(...)], work): the items come first.",
    ),
    "the arguments of reduce swapped": (
        lambda given: Promise.reduce(max, [1, 2], 0),
        TypeError,
        "Promise.reduce() needs a function, got [1, 2]\n\n"
        "You wrote Promise.reduce(max, [1, 2], 0). Write Promise.reduce([1, 2], max, 0): the items come first.",
    ),
    "map of a string": (
        lambda given: Promise.map("abc", work),
        TypeError,
        "Promise.map() needs an iterable of items, got 'abc'\n\n"
        "To iterate a string, write Promise.map(list('abc'), work)",
    ),
    "reduce of bytes": (
        lambda given: Promise.reduce(b"abc", max, 0),
        TypeError,
        "Promise.reduce() needs an iterable of items, got b'abc'\n\n"
        "To iterate bytes, write Promise.reduce(list(b'abc'), max, 0)",
    ),
    "race of a mapping": (
        lambda given: Promise.race({"a": given}),
        TypeError,
        "Promise.race() needs awaitables, got the keys of {'a': {given}}\n\n"
        "Write Promise.race(mapping.values()), or Promise.all_keyed(mapping) for a dict of results",
    ),
    "catch without a handler": (
        lambda given: fulfilled().catch(KeyError),
        TypeError,
        "catch(KeyError) has no handler\n\nYou wrote .catch(KeyError). Write .catch(KeyError, on_rejected)",
    ),
    "tap_catch of types without a handler": (
        lambda given: fulfilled().tap_catch((KeyError, OSError)),
        TypeError,
        "tap_catch((KeyError, OSError)) has no handler\n\n"
        "You wrote .tap_catch((KeyError, OSError)). Write .tap_catch((KeyError, OSError), on_rejected)",
    ),
    "catch of a tuple and a type": (
        lambda given: fulfilled().catch((KeyError, OSError), EOFError, print),
        TypeError,
        "catch() takes a handler, or exception types and a handler, got 3 arguments\n\n"
        "You wrote .catch((KeyError, OSError), EOFError, print). Write .catch((KeyError, OSError, EOFError), print)",
    ),
    "catch with a lambda": (
        lambda given: fulfilled().catch(KeyError, OSError, lambda error: None),
        TypeError,
        "catch() takes a handler, or exception types and a handler, got 3 arguments\n\n"
        "You wrote .catch(KeyError, OSError, lambda ...). Write .catch((KeyError, OSError), lambda ...)",
    ),
    "catch of a list": (
        lambda given: fulfilled().catch([OSError, ValueError], print),
        TypeError,
        "catch() takes a tuple of exception classes, got [<class 'OSError'>, <class 'ValueError'>]\n\n"
        "You wrote .catch([OSError, ValueError], print). Write .catch((OSError, ValueError), print)",
    ),
    "tap_catch of a set of one": (
        lambda given: fulfilled().tap_catch({OSError}, print),
        TypeError,
        "tap_catch() takes a tuple of exception classes, got {<class 'OSError'>}\n\n"
        "You wrote .tap_catch({OSError}, print). Write .tap_catch(OSError, print)",
    ),
    "the arguments of catch swapped": (
        lambda given: fulfilled().catch(print, OSError),
        TypeError,
        "catch() needs exception classes first, got <built-in function print>\n\n"
        "You wrote .catch(print, OSError). Write .catch(OSError, print)",
    ),
    "the arguments of tap_catch swapped": (
        lambda given: fulfilled().tap_catch(print, (KeyError, OSError)),
        TypeError,
        "tap_catch() needs exception classes first, got <built-in function print>\n\n"
        "You wrote .tap_catch(print, (KeyError, OSError)). Write .tap_catch((KeyError, OSError), print)",
    ),
    "catch of two functions": (
        lambda given: fulfilled().catch(print, print),
        TypeError,
        "catch() needs exception classes first, got <built-in function print>",
    ),
    "catch of an exception": (
        lambda given: fulfilled().catch(ValueError("no"), print),
        TypeError,
        "catch() needs exception classes first, got ValueError('no')",
    ),
    "catch of a wrong type": (
        lambda given: fulfilled().catch((KeyError, int), print),
        TypeError,
        "catch() needs exception classes first, got (<class 'KeyError'>, <class 'int'>)",
    ),
    "chain of a value": (lambda given: chain(given, 5), TypeError, "chain() needs awaitables, got 5"),
    "chain of a value in a list": (
        lambda given: chain(given, [[], ["text"], 5]),
        TypeError,
        "chain() needs awaitables, got 'text'",
    ),
    "pipe of nothing": (lambda given: pipe(), TypeError, "pipe() needs at least one function"),
    "subclass": (
        lambda given: types.new_class("Mine", (Promise,)),
        TypeError,
        "type 'aiopromise._promise.Promise' is not an acceptable base type"
        if aiopromise.compiled
        else "Mine cannot subclass Promise: write a function that returns one",
    ),
    "copy": (
        lambda given: copy.copy(fulfilled()),
        TypeError,
        "a promise cannot be pickled or copied; it belongs to its event loop: <Promise fulfilled 5>",
    ),
    "pickle": (
        lambda given: pickle.dumps(fulfilled()),
        TypeError,
        "a promise cannot be pickled or copied; it belongs to its event loop: <Promise fulfilled 5>",
    ),
    "result too early": (
        lambda given: Promise.with_resolvers().promise.result(),
        asyncio.InvalidStateError,
        "result() called while pending: <Promise pending>",
    ),
    "exception too early": (
        lambda given: Promise.with_resolvers().promise.exception(),
        asyncio.InvalidStateError,
        "exception() called while pending: <Promise pending>",
    ),
    "unknown name": (
        lambda given: aiopromise.nothing,
        AttributeError,
        "module 'aiopromise' has no attribute 'nothing'",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_CALLS.values(), ids=WRONG_CALLS)
async def test_a_wrong_call_says_what_was_wrong(wrong: tuple, given: Coroutine) -> None:
    """It starts with the call as typed, names the value, and says what to write if that is known."""
    call, kind, text = wrong
    assert (kind, text.replace("{given}", repr(given))) == await text_of(lambda: call(given))


@pytest.mark.parametrize("factory", ["resolve", "reject", "try_", "with_resolvers", "delay", "from_thenable"])
async def test_a_factory_on_an_instance_says_to_write_the_class(factory: str) -> None:
    """`p.resolve(5)` would make another promise."""
    expected = (
        f"a promise has no method {factory}()\n\n"
        f"You wrote promise.{factory}(...), which would create an unrelated promise. Write Promise.{factory}(...)"
    )
    assert (AttributeError, expected) == await text_of(lambda: getattr(fulfilled(), factory)(5))


class Broken:
    def __repr__(self) -> str:
        raise LookupError("no repr")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 100, "'" + "x" * 37 + "..." + "x" * 38 + "'"),
        (types.SimpleNamespace(a="x" * 100), "namespace(a='" + "x" * 25 + "..." + "x" * 37 + "')"),
        (["x" * 100] * 2, "['" + "x" * 37 + "..." + "x" * 35 + "..."),
    ],
    ids=["text", "object", "list"],
)
async def test_a_long_value_is_cut(value: Any, shown: str) -> None:
    """A value takes up to 80 characters."""
    assert 80 == len(shown)
    assert (TypeError, f"then() needs a function, got {shown}") == await text_of(lambda: fulfilled().then(value))


PAGE = "secret" * 1000
FAULT = ValueError(PAGE)


def _resolved(resolvers: Any) -> Any:
    resolvers.resolve(PAGE)
    return resolvers


HOLDERS: dict[str, Callable[[], object]] = {
    "a value": lambda: Promise.resolve(PAGE),
    "a list": lambda: Promise.resolve([PAGE] * 10),
    "a reason": lambda: Promise.reject(FAULT),
    "Fulfilled": lambda: Fulfilled(PAGE),
    "Rejected": lambda: Rejected(FAULT),
    "resolvers": lambda: _resolved(Promise.with_resolvers()),
    "a handler with arguments": lambda: Promise.resolve().then(functools.partial(id, PAGE)),
    "a deferred": lambda: _resolved(Deferred()),
    "the arguments of a deferred": lambda: Deferred(PAGE, page=PAGE),
    "on_unhandled_rejection()": lambda: UnhandledRejection(Promise.reject(FAULT), FAULT, handled=False),
    "StopIteration": lambda: Promise.reject(StopIteration(PAGE)).exception(),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
async def test_no_repr_shows_more_of_a_value_than_its_beginning_and_its_end(holder: Callable, reports: list) -> None:
    """A log line must not contain a whole page, nor what is hidden in it: at most 80 characters for each."""
    assert 400 > len(repr(holder()))
    await turns()


async def test_a_value_whose_repr_fails_is_named_all_the_same() -> None:
    """The message is about the call, not about the value's own trouble."""
    kind, text = await text_of(lambda: fulfilled().then(Broken()))
    assert re.fullmatch(r"then\(\) needs a function, got <Broken instance at 0x[0-9a-f]+>", text)
    assert TypeError is kind


async def test_a_value_of_a_class_that_is_called_like_one_of_python_is_named_all_the_same() -> None:
    """The module that cuts reprs goes by the name of the class, and stumbles up to Python 3.13."""
    impostor = type("array", (), {})()
    kind, text = await text_of(lambda: fulfilled().then(impostor))
    assert re.fullmatch(r"then\(\) needs a function, got <(array object without a repr|.*array object at 0x.*)>", text)
    assert TypeError is kind


# ------------------------------------------------------- no loop, another loop

WITHOUT_A_LOOP: dict[str, tuple[Callable, str]] = {
    "coroutine": (Promise, "Promise(work(...))"),
    "coroutines": (lambda given: Promise.all([given]), "Promise.all([work(...)])"),
    "executor": (lambda given: Promise(print), "Promise(print)"),
    "lambda": (lambda given: Promise(lambda resolve, reject: None), "Promise(lambda ...)"),
    "map": (lambda given: Promise.map([1], work), "Promise.map([1], work)"),
    "job": (lambda given: Promise(JOB), f"Promise({JOB!r})"),
    "resolve": (Promise.resolve, "Promise.resolve(work(...))"),
    "resolve of a value": (lambda given: Promise.resolve("now"), "Promise.resolve('now')"),
    "reject": (lambda given: Promise.reject(ValueError("no")), "Promise.reject(ValueError('no'))"),
    "try_": (lambda given: Promise.try_(print), "Promise.try_(print)"),
    "try_ with an argument": (lambda given: Promise.try_(print, 5), "Promise.try_(print, 5)"),
    "with_resolvers": (lambda given: Promise.with_resolvers(), "Promise.with_resolvers()"),
    "delay": (lambda given: Promise.delay(0.5), "Promise.delay(0.5)"),
    "delay with a value": (lambda given: Promise.delay(0.5, "tick"), "Promise.delay(0.5, 'tick')"),
    "from_thenable": (lambda given: Promise.from_thenable(UNKNOWN), f"Promise.from_thenable({UNKNOWN!r})"),
    "promisified": (lambda given: double(5), "work(5)"),
    "piped": (lambda given: pipe(len, str)([5]), "pipe(len, str)([5])"),
}


@pytest.mark.parametrize("without", WITHOUT_A_LOOP.values(), ids=WITHOUT_A_LOOP)
def test_without_a_running_loop_the_way_to_one_is_shown(without: tuple, given: Coroutine) -> None:
    """The message says what was written, and what to write: the same in a coroutine."""
    call, written = without
    with pytest.raises(RuntimeError) as caught:
        call(given)
    expected = (
        f"{written} needs a running event loop\n\n"
        f"You wrote {written} outside a coroutine. Write:\n\n"
        "    async def main():\n"
        f"        promise = {written}\n"
        "        ...\n\n"
        "    asyncio.run(main())"
    )
    assert expected == str(caught.value)


@pytest.fixture
async def foreign() -> Any:
    """Return a promise, and a Future, that are pending on another loop, which does not run now."""
    loop = asyncio.new_event_loop()

    async def make() -> tuple:
        return Promise.with_resolvers().promise, loop.create_future()

    pending = await asyncio.to_thread(loop.run_until_complete, make())
    yield pending
    await asyncio.to_thread(loop.run_until_complete, loop.shutdown_asyncgens())
    loop.close()


@pytest.mark.parametrize("place", [0, 1], ids=["promise", "future"])
async def test_what_is_pending_on_another_loop_cannot_be_followed(place: int, foreign: tuple) -> None:
    """It is named, and so is the loop."""
    expected = f"{foreign[place]!r} belongs to a different event loop from {asyncio.get_running_loop()!r}"
    assert (RuntimeError, expected) == await text_of(lambda: Promise(foreign[place]))


@pytest.mark.parametrize(("name", "value"), [("resolve", 5), ("reject", ValueError("no"))])
def test_resolvers_of_a_closed_loop_say_so(name: str, value: Any) -> None:
    """Nothing is left to process it."""

    async def make() -> Any:
        return Promise.with_resolvers()

    resolvers = asyncio.run(make())
    with pytest.raises(RuntimeError) as caught:
        getattr(resolvers, name)(value)
    assert f"{name}() was called after the loop of {resolvers.promise!r} was closed" == str(caught.value)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("then", lambda promise: promise.then(print)),
        ("catch", lambda promise: promise.catch(print)),
        ("finally_", lambda promise: promise.finally_(print)),
        ("timeout", lambda promise: promise.timeout(1)),
        ("shield", lambda promise: promise.shield()),
        ("cancel", lambda promise: promise.cancel()),
        ("add_done_callback", lambda promise: promise.add_done_callback(print)),
        ("remove_done_callback", lambda promise: promise.remove_done_callback(print)),
    ],
)
async def test_another_thread_is_told_what_it_may_call(name: str, call: Callable) -> None:
    """In debug mode what belongs to the loop's own thread says so."""
    asyncio.get_running_loop().set_debug(True)
    promise = Promise.with_resolvers().promise
    expected = (
        f"{name}() was called from outside its loop's thread\n\n"
        "Use loop.call_soon_threadsafe(...); only resolve() and reject() may be called from any thread"
    )
    assert (RuntimeError, expected) == await text_of(lambda: asyncio.to_thread(call, promise))


# --------------------------------------------------------------------- reasons


async def test_a_promise_that_would_follow_itself_says_so() -> None:
    """Directly, or as what its own handler returns."""
    directly, resolve, _ = Promise.with_resolvers()
    resolve(directly)
    through: Promise = Promise.resolve().then(lambda _: through)
    expected = (TypeError, "a promise cannot follow itself: <Promise pending>")
    assert [expected, expected] == [await text_of(lambda: directly), await text_of(lambda: through)]


@pytest.mark.parametrize("make", [Promise.reject, lambda error: Promise.resolve(error).then(fail)])
async def test_stop_iteration_is_no_reason(make: Callable) -> None:
    """It becomes the cause of a `RuntimeError`."""
    error = StopIteration("over")
    with pytest.raises(RuntimeError) as caught:
        await make(error)
    assert "a promise cannot be rejected with StopIteration('over')" == str(caught.value)
    assert error is caught.value.__cause__


def fail(error: BaseException) -> Any:
    """Raise *error*, where only an expression has room."""
    raise error


async def test_a_timeout_says_how_long_it_was() -> None:
    """The cancellation is its cause."""
    with pytest.raises(TimeoutError) as caught:
        await Promise.with_resolvers().promise.timeout(0.01)
    assert "timed out after 0.01 seconds" == str(caught.value)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)


async def test_a_then_that_is_async_is_named() -> None:
    """A thenable's `then` is called, and would never be awaited."""
    thenable = types.SimpleNamespace(then=work)
    expected = f"then() of a thenable must not be async: {work!r}"
    assert (TypeError, expected) == await text_of(lambda: Promise.from_thenable(thenable))


async def test_a_task_that_awaits_its_own_promise_is_told() -> None:
    """It would wait for ever."""

    async def itself() -> None:
        await asyncio.sleep(0)  # started eagerly, it would not see the promise yet
        await promise

    promise = Promise(asyncio.create_task(itself(), name="itself"))
    expected = "a Task cannot await its own promise: <Promise pending, running itself>"
    assert (RuntimeError, expected) == await text_of(lambda: promise)


async def test_an_await_that_begins_when_its_promise_was_rejected_raises_the_reason_at_once() -> None:
    """There is nothing to wait for, whoever drives it."""
    promise, _, reject = Promise.with_resolvers()
    waiting = promise.__await__()
    reject(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        next(waiting)


@pytest.mark.parametrize("of_a_future", [True, False])
async def test_a_coroutine_that_no_task_drives_can_begin_to_await(of_a_future: bool) -> None:
    """Whoever drives it, such as a callback of the loop, has to wake it."""
    promise, resolve, _ = Promise.with_resolvers()
    loop = asyncio.get_running_loop()
    if of_a_future:
        resolve(loop.create_future())

    async def wait() -> None:
        await promise

    begun: list[bool] = []
    loop.call_soon(lambda: begun.append(asyncio.isfuture(wait().send(None))))
    await turns()
    assert [True] == begun
    promise.cancel()


async def test_resolvers_name_their_promise_until_they_have_resolved_it() -> None:
    """Their reprs say what they are for."""
    promise, resolve, reject = Promise.with_resolvers()
    assert ("<resolve of <Promise pending>>", "<reject of <Promise pending>>") == (repr(resolve), repr(reject))
    resolve("value")
    assert ("<resolve of a resolved promise>", "<Promise fulfilled 'value'>") == (repr(resolve), repr(promise))


async def test_an_await_that_somebody_else_resumes_says_so() -> None:
    """A Task's coroutine is driven by its Task alone."""
    promise, resolve, _ = Promise.with_resolvers()

    async def wait() -> None:
        await promise

    coroutine = wait()
    task = asyncio.create_task(coroutine)
    await turns()
    with pytest.raises(RuntimeError) as caught:
        coroutine.send(None)
    assert "await of <Promise pending> was resumed by something other than its Task" == str(caught.value)
    resolve(None)
    await asyncio.wait([task])
    assert isinstance(task.exception(), RuntimeError)


# --------------------------------------------------------------------- reports


async def nobody_awaits(promise: Promise) -> None:
    """Never run."""


async def test_a_done_callback_must_not_be_async(reports) -> None:
    """Nobody would await it: it is refused at the call, or the coroutine closed and reported."""
    with pytest.raises(TypeError) as caught:
        fulfilled().add_done_callback(nobody_awaits)
    assert str(caught.value).startswith("add_done_callback() needs a plain function, got the coroutine function <")
    coroutines: list[Any] = []
    fulfilled().add_done_callback(lambda promise: coroutines.append(nobody_awaits(promise)) or coroutines[0])
    await turns()
    assert ["CORO_CLOSED"] == [inspect.getcoroutinestate(one) for one in coroutines]
    assert [True] == ["which returned a coroutine" in str(report["exception"]) for report in reports]


async def lose(error: Exception) -> None:
    Promise.reject(error)


async def fail_a_done_callback(error: Exception) -> None:
    def callback(promise: Promise) -> None:
        raise error

    fulfilled().add_done_callback(callback)


async def fail_after_cancelling(error: Exception) -> None:
    def handler(value: int) -> None:
        promise.cancel()
        raise error

    promise = fulfilled().then(handler)


async def fail_a_listener(error: Exception) -> None:
    stop = on_unhandled_rejection(lambda event: fail(error))
    Promise.reject(ValueError("lost"))
    await turns()
    stop()


@pytest.mark.parametrize(
    ("happen", "message"),
    [
        (lose, "unhandled promise rejection"),
        (fail_a_done_callback, "exception in <done callback callback of <Promise fulfilled 5>>"),
        (fail_after_cancelling, "a handler failed after cancelling its own promise"),
        (fail_a_listener, "exception in an on_unhandled_rejection() callback for ValueError('lost')"),
    ],
)
async def test_a_report_says_what_happened(happen: Callable, message: str, reports: list[dict]) -> None:
    """The loop's exception handler is called once, with the exception itself."""
    error = LookupError("gone")
    await happen(error)
    await turns()
    assert [(message, error)] == [(report["message"], report["exception"]) for report in reports]


@pytest.mark.logs
@pytest.mark.parametrize(
    ("attach", "name"),
    [
        (lambda promise: promise.then(str), "<Promise pending, waiting to call str>"),
        (lambda promise: promise.add_done_callback(str), "<done callback str of <Promise fulfilled 5>>"),
    ],
    ids=["handler", "done callback"],
)
async def test_what_is_slow_is_named(caplog: pytest.LogCaptureFixture, attach: Callable, name: str) -> None:
    """In debug mode, with the time that it took."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    with caplog.at_level(logging.WARNING, "aiopromise"):
        attach(fulfilled())
        await turns()
    lines = [record.getMessage() for record in caplog.records if record.name == "aiopromise"]
    assert re.fullmatch(rf"{re.escape(name)} took 0\.\d{{3}} seconds", lines[0])
