"""Promises/A+ (https://promisesaplus.com), a test per clause with its number in the name.

Where a promise of Python must differ from the specification, the test says what holds here instead:

- A reason is an exception instance. Handlers for rejections see an `Exception`; a cancellation is a third end, which
  the specification does not know.
- A handler that is not a function is a `TypeError` at the call (2.2.1.1 and 2.2.1.2 ignore it). ``None``, or nothing,
  stands for no handler (2.2.7.3, 2.2.7.4).
- There is no ``this`` (2.2.5): a handler gets one argument, and a bound method keeps its own ``self``.
- A ``then`` that an object happens to have says nothing (2.3.3): what inherits from `Thenable` is followed, wherever an
  awaitable is, and `Promise.from_thenable` follows the others. Of anything else ``then`` is not even read.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from aiopromise import Promise, Thenable
from helpers import turns, without_address

pytestmark = pytest.mark.usefixtures("loop_mode")


class Reason(Exception):
    """What promises of this file are rejected with."""


def failing(error: BaseException) -> Callable[..., Any]:
    """Return a handler that raises *error*."""

    def fail(*arguments: object) -> None:
        raise error

    return fail


# 2.1 Promise states


@pytest.mark.parametrize("end", ["resolve", "reject"])
async def test_2_1_1_1_a_pending_promise_may_become_fulfilled_or_rejected(end) -> None:
    """A pending promise can still end either way."""
    promise, resolve, reject = Promise.with_resolvers()
    pending = promise.done()
    resolve("value") if end == "resolve" else reject(Reason())
    await asyncio.wait([promise])
    assert (False, end == "reject") == (pending, promise.exception() is not None)


@pytest.mark.parametrize("again", ["resolve", "reject", "reject later"])
async def test_2_1_2_1_a_fulfilled_promise_changes_no_more(again) -> None:
    """A fulfilled promise is neither fulfilled anew nor rejected."""
    promise, resolve, reject = Promise.with_resolvers()
    resolve("first")
    if again == "reject later":
        await turns()
    resolve("second") if again == "resolve" else reject(Reason())
    assert "first" == await promise


async def test_2_1_2_2_the_value_of_a_fulfilled_promise_stays(timing) -> None:
    """Everybody who asks a fulfilled promise gets the same object."""
    value = object()
    promise = timing.fulfilled(value)
    assert [value] * 3 == [await promise, await promise, await promise.then()]


@pytest.mark.parametrize("again", ["resolve", "reject", "resolve later"])
async def test_2_1_3_1_a_rejected_promise_changes_no_more(again) -> None:
    """A rejected promise is neither rejected anew nor fulfilled."""
    promise, resolve, reject = Promise.with_resolvers()
    first = Reason("first")
    reject(first)
    if again == "resolve later":
        await turns()
    reject(Reason("second")) if again == "reject" else resolve("value")
    assert first is await promise.catch(lambda reason: reason)


async def test_2_1_3_2_the_reason_of_a_rejected_promise_stays(timing) -> None:
    """Everybody who asks a rejected promise gets the same exception."""
    reason = Reason()
    promise = timing.rejected(reason)
    for asked in (promise, promise, promise.then(), promise.catch(failing(reason))):
        with pytest.raises(Reason) as caught:
            await asked
        assert reason is caught.value


# 2.2 The then method


@pytest.mark.parametrize("handlers", [(), (None,), (None, None)], ids=repr)
async def test_2_2_1_both_handlers_are_optional(timing, handlers) -> None:
    """Either handler, or both, may be left out."""
    assert "value" == await timing.fulfilled("value").then(*handlers)


@pytest.mark.parametrize("no_function", [5, "print", False, object(), [print]], ids=without_address)
async def test_2_2_1_1_what_is_no_function_is_refused_as_on_fulfilled(timing, no_function) -> None:
    """A first handler that cannot be called is refused, instead of ignored."""
    with pytest.raises(TypeError):
        timing.fulfilled("value").then(no_function)


@pytest.mark.parametrize("no_function", [5, "print", False, object(), [print]], ids=without_address)
async def test_2_2_1_2_what_is_no_function_is_refused_as_on_rejected(timing, no_function) -> None:
    """A second handler that cannot be called is refused, instead of ignored."""
    with pytest.raises(TypeError):
        timing.fulfilled("value").then(None, no_function)


async def test_2_2_2_1_on_fulfilled_is_called_with_the_value(timing) -> None:
    """The handler is called with the value, when the promise is done."""
    promise = timing.fulfilled("value")
    calls = []
    await promise.then(lambda *arguments: calls.append((promise.done(), arguments)))
    assert [(True, ("value",))] == calls


async def test_2_2_2_2_on_fulfilled_is_not_called_before_the_promise_is_fulfilled() -> None:
    """The handler waits for a pending promise."""
    promise, resolve, _ = Promise.with_resolvers()
    calls = []
    promise.then(calls.append)
    await turns()
    before = list(calls)
    resolve("value")
    await turns()
    assert ([], ["value"]) == (before, calls)


async def test_2_2_2_3_on_fulfilled_is_called_once(timing) -> None:
    """However often the promise is asked, the handler is called once."""
    promise = timing.fulfilled("value")
    calls = []
    child = promise.then(calls.append)
    for asked in (promise, child, promise, child):
        await asked
    await turns()
    assert ["value"] == calls


async def test_2_2_2_3_on_fulfilled_is_called_once_for_a_resolver_called_thrice() -> None:
    """However often the promise is resolved, each then() has one call."""
    promise, resolve, _ = Promise.with_resolvers()
    calls = []
    promise.then(calls.append)
    for value in (1, 2, 3):
        resolve(value)
        await turns()
    promise.then(calls.append)
    await turns()
    assert [1, 1] == calls


async def test_2_2_3_1_on_rejected_is_called_with_the_reason(timing) -> None:
    """The handler is called with the reason, when the promise is done."""
    reason = Reason()
    promise = timing.rejected(reason)
    calls = []
    await promise.then(None, lambda *arguments: calls.append((promise.done(), arguments)))
    assert [(True, (reason,))] == calls


async def test_2_2_3_2_on_rejected_is_not_called_before_the_promise_is_rejected() -> None:
    """The handler waits for a pending promise."""
    promise, _, reject = Promise.with_resolvers()
    reason, calls = Reason(), []
    promise.then(None, calls.append)
    await turns()
    before = list(calls)
    reject(reason)
    await turns()
    assert ([], [reason]) == (before, calls)


async def test_2_2_3_3_on_rejected_is_called_once(timing) -> None:
    """However often the promise is asked, the handler is called once."""
    reason, calls = Reason(), []
    promise = timing.rejected(reason)
    child = promise.then(None, calls.append)
    await asyncio.wait([promise, child])
    await child
    await turns()
    assert [reason] == calls


@pytest.mark.parametrize("end", ["fulfilled", "rejected"])
async def test_2_2_4_handlers_run_when_the_caller_of_then_is_done(timing, end) -> None:
    """No handler runs before whoever called then() has given way to the loop."""
    promise = timing.fulfilled("value") if end == "fulfilled" else timing.rejected(Reason())
    order = []
    child = promise.then(lambda value: order.append("handler"), lambda reason: order.append("handler"))
    order.append("after then")
    await child
    assert ["after then", "handler"] == order


@pytest.mark.parametrize("end", ["resolve", "reject"])
async def test_2_2_4_handlers_run_when_the_caller_of_the_resolver_is_done(end) -> None:
    """No handler runs within a resolver, even one that another handler calls."""
    order = []

    def settle(_: object) -> None:
        promise, resolve, reject = Promise.with_resolvers()
        promise.then(lambda value: order.append("inner"), lambda reason: order.append("inner"))
        resolve("value") if end == "resolve" else reject(Reason())
        order.append("outer")

    await Promise.resolve().then(settle)
    await turns()
    assert ["outer", "inner"] == order


async def test_2_2_5_a_handler_gets_one_argument_and_a_bound_method_its_own_self(timing) -> None:
    """A handler gets the value alone, and a method knows its object."""
    calls = []

    class Owner:
        def method(self, *arguments: object) -> None:
            calls.append((self, arguments))

    owner = Owner()
    await timing.fulfilled("value").then(owner.method)
    assert [(owner, ("value",))] == calls


async def test_2_2_6_1_on_fulfilled_handlers_run_in_the_order_of_their_then(timing) -> None:
    """Handlers of one fulfilled promise start in the order in which they were registered."""
    promise = timing.fulfilled("value")
    order = []
    children = [promise.then(lambda _, number=number: order.append(number)) for number in range(5)]
    await asyncio.wait(children)
    assert [0, 1, 2, 3, 4] == order


async def test_2_2_6_1_a_failing_handler_does_not_keep_the_next_from_its_turn(timing) -> None:
    """What one handler raises is nothing to its siblings."""
    promise = timing.fulfilled("value")
    failed = promise.then(failing(Reason()))
    assert ("value", "value") == (await promise.then(), await promise)
    assert isinstance(failed.exception(), Reason)


async def test_2_2_6_1_then_called_from_a_handler_comes_last() -> None:
    """A handler registered by a handler of the same promise starts after all before it."""
    promise = Promise.resolve("value")
    order = []

    def first(_: object) -> Promise:
        order.append("first")
        return promise.then(lambda _: order.append("registered in the first"))

    await asyncio.wait([promise.then(first), promise.then(lambda _: order.append("second"))])
    assert ["first", "second", "registered in the first"] == order


async def test_2_2_6_2_on_rejected_handlers_run_in_the_order_of_their_then(timing) -> None:
    """Handlers of one rejected promise start in the order in which they were registered."""
    promise = timing.rejected(Reason())
    order = []
    children = [promise.then(None, lambda _, number=number: order.append(number)) for number in range(5)]
    await asyncio.wait(children)
    assert [0, 1, 2, 3, 4] == order


async def test_2_2_7_then_returns_a_new_promise(timing) -> None:
    """then() returns a promise, and never the same one."""
    promise = timing.fulfilled("value")
    child = promise.then()
    await child
    assert (Promise, True) == (type(child), child is not promise)


@pytest.mark.parametrize("end", ["fulfilled", "rejected"])
@pytest.mark.parametrize("returned", ["a value", "a promise"])
async def test_2_2_7_1_what_a_handler_returns_resolves_the_child(timing, end, returned) -> None:
    """Whichever handler ran, its result is the value of the child."""
    result = object()

    def handler(_: object) -> object:
        return result if returned == "a value" else Promise.resolve(result)

    promise = timing.fulfilled("value") if end == "fulfilled" else timing.rejected(Reason())
    assert result is await promise.then(handler, handler)


@pytest.mark.parametrize("end", ["fulfilled", "rejected"])
async def test_2_2_7_2_what_a_handler_raises_rejects_the_child(timing, end) -> None:
    """Whichever handler ran, what it raises is the reason of the child."""
    raised = Reason("raised")
    promise = timing.fulfilled("value") if end == "fulfilled" else timing.rejected(Reason("before"))
    assert raised is await promise.then(failing(raised), failing(raised)).catch(lambda reason: reason)


async def test_2_2_7_3_without_on_fulfilled_the_value_passes(timing) -> None:
    """A value goes past a handler that is for rejections."""
    value = object()
    assert value is await timing.fulfilled(value).then(None, failing(Reason()))


async def test_2_2_7_4_without_on_rejected_the_reason_passes(timing) -> None:
    """A reason goes past a handler that is for values."""
    reason = Reason()
    assert reason is await timing.rejected(reason).then(failing(Reason("other"))).catch(lambda reason: reason)


# 2.3 The Promise Resolution Procedure


async def test_2_3_1_a_promise_that_its_handler_returns_as_its_own_result_is_rejected(timing) -> None:
    """A promise that would wait for itself is rejected with TypeError."""
    child = timing.fulfilled("value").then(lambda _: child)
    with pytest.raises(TypeError):
        await child


RESOLVE = {
    "returned by a handler": lambda x: Promise.resolve().then(lambda _: x),
    "handed to resolve()": lambda x: Promise(lambda resolve, reject: resolve(x)),
}


@pytest.fixture(params=RESOLVE.values(), ids=RESOLVE)
def resolved_with(request: pytest.FixtureRequest) -> Callable[[Any], Promise]:
    """Return a function that resolves a new promise with its argument."""
    return request.param


async def test_2_3_2_1_while_the_other_promise_is_pending_so_is_this(resolved_with) -> None:
    """Resolved with a pending promise, it waits for that."""
    other, resolve, _ = Promise.with_resolvers()
    promise = resolved_with(other)
    await turns()
    before = promise.done()
    resolve("value")
    assert (False, "value") == (before, await promise)


async def test_2_3_2_2_when_the_other_promise_is_fulfilled_so_is_this(timing, resolved_with) -> None:
    """It takes over the value of the promise that it follows."""
    value = object()
    assert value is await resolved_with(timing.fulfilled(value))


async def test_2_3_2_3_when_the_other_promise_is_rejected_so_is_this(timing, resolved_with) -> None:
    """It takes over the reason of the promise that it follows."""
    reason = Reason()
    assert reason is await resolved_with(timing.rejected(reason)).catch(lambda reason: reason)


class Told(Thenable):
    """A thenable with a configurable then()."""

    def __init__(self, then: Callable[[Any, Any], object]) -> None:
        self.told = then

    def then(self, resolve: Any, reject: Any, /) -> object:
        return self.told(resolve, reject)


FOLLOW = RESOLVE | {
    "from_thenable()": Promise.from_thenable,
    "Promise.resolve()": Promise.resolve,
    "Promise()": Promise,
}


@pytest.fixture(params=FOLLOW.values(), ids=FOLLOW)
def follow(request: pytest.FixtureRequest) -> Callable[[Any], Promise]:
    """Return a function that makes a promise which follows a thenable."""
    return request.param


async def test_2_3_3_1_then_is_read_once(follow) -> None:
    """A thenable whose then changes is asked one time only."""
    reads = []

    class Counting(Thenable):
        @property
        def then(self) -> Callable[..., object]:
            reads.append(self)
            return lambda resolve, reject: resolve("value")

    assert ("value", 1) == (await follow(Counting()), len(reads))


async def test_2_3_3_1_then_is_not_read_of_what_is_no_thenable(resolved_with) -> None:
    """What merely has an attribute then is a value."""

    class Unrelated:
        @property
        def then(self) -> None:
            raise AssertionError("nobody should read this")

    value = Unrelated()
    assert value is await resolved_with(value)


async def test_2_3_3_2_what_reading_then_raises_rejects(follow) -> None:
    """A then that cannot be read rejects with what reading it raised."""
    error = Reason()

    class Unreadable(Thenable):
        then = property(failing(error))

    assert error is await follow(Unreadable()).catch(lambda reason: reason)


async def test_2_3_3_3_then_is_called_with_two_functions_and_its_own_self(follow) -> None:
    """A thenable gets two functions, as a method of itself."""
    calls = []

    class Watching(Thenable):
        def then(self, *arguments: Any) -> None:
            calls.append((self, [callable(one) for one in arguments]))
            arguments[0](None)

    thenable = Watching()
    await follow(thenable)
    assert [(thenable, [True, True])] == calls


async def test_2_3_3_3_then_is_called_in_a_later_turn(follow) -> None:
    """A thenable is not called while it is still being passed on."""
    order = []

    def then(resolve: Any, reject: Any) -> None:
        order.append("called")
        resolve(None)

    promise = follow(Told(then))
    order.append("followed")
    await promise
    assert ["followed", "called"] == order


RESULTS: dict[str, Callable[[object], Any]] = {
    "a value": lambda value: value,
    "a fulfilled promise": Promise.resolve,
    "a coroutine": lambda value: asyncio.sleep(0, value),
    "a thenable": lambda value: Told(lambda resolve, reject: resolve(value)),
    "a thenable that gives a promise": lambda value: Told(lambda resolve, reject: resolve(Promise.resolve(value))),
}


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
async def test_2_3_3_3_1_what_resolve_is_called_with_is_followed(follow, result) -> None:
    """What a thenable resolves with may be followed in turn."""
    value = object()
    assert value is await follow(Told(lambda resolve, reject: resolve(result(value))))


async def test_2_3_3_3_1_resolve_may_be_called_later(follow) -> None:
    """A thenable may take its time."""
    loop = asyncio.get_running_loop()
    assert "value" == await follow(Told(lambda resolve, reject: loop.call_soon(resolve, "value")))


async def test_2_3_3_3_2_what_reject_is_called_with_is_the_reason(follow) -> None:
    """What a thenable rejects with is the reason itself, even if it could be awaited."""

    class AwaitableReason(Reason):
        def __await__(self) -> Any:
            raise AssertionError("nobody should await this")

    reason = AwaitableReason()
    promise = follow(Told(lambda resolve, reject: reject(reason)))
    await asyncio.wait([promise])
    assert reason is promise.exception()


@pytest.mark.parametrize("second", ["resolve", "reject"])
@pytest.mark.parametrize("first", ["resolve", "reject", "resolve with a promise"])
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
async def test_2_3_3_3_3_the_first_call_wins(follow, first, second, later) -> None:
    """A thenable that calls its functions twice has decided with the first call."""

    def call(kind: str, name: str, resolve: Any, reject: Any) -> None:
        if kind == "reject":
            reject(Reason(name))
        else:
            resolve(name if kind == "resolve" else asyncio.sleep(0, name))

    def then(*resolvers: Any) -> None:
        call(first, "first", *resolvers)
        if later:
            asyncio.get_running_loop().call_soon(call, second, "second", *resolvers)
        else:
            call(second, "second", *resolvers)

    outcome = await follow(Told(then)).catch(Reason, str)
    await turns()
    assert "first" == outcome


@pytest.mark.parametrize("call", ["resolve", "reject", "resolve with a promise"])
async def test_2_3_3_3_4_1_what_then_raises_after_it_resolved_is_ignored(follow, call) -> None:
    """A thenable that raises after it has decided has still decided."""

    def then(resolve: Any, reject: Any) -> None:
        if call == "reject":
            reject(Reason("first"))
        else:
            resolve("first" if call == "resolve" else asyncio.sleep(0, "first"))
        raise Reason("too late")

    assert "first" == await follow(Told(then)).catch(Reason, str)


async def test_2_3_3_3_4_2_what_then_raises_before_rejects(follow) -> None:
    """A thenable that raises before it has decided rejects, whatever it calls later."""
    error = Reason()

    def then(resolve: Any, reject: Any) -> None:
        asyncio.get_running_loop().call_soon(resolve, "too late")
        raise error

    promise = follow(Told(then))
    await turns()
    assert error is await promise.catch(lambda reason: reason)


@pytest.mark.parametrize("then", [None, 5, "text"], ids=repr)
async def test_2_3_3_4_a_then_that_cannot_be_called_makes_a_value_of_its_owner(follow, then) -> None:
    """A thenable whose then is not callable is a value."""

    class Odd(Thenable):
        pass

    Odd.then = then
    Odd.__abstractmethods__ = frozenset()
    odd = Odd()
    assert odd is await follow(odd)


@pytest.mark.parametrize(
    "value", [None, False, 0, 5, "text", b"", (), [1], {"then": print}, print, ValueError()], ids=repr
)
async def test_2_3_4_a_plain_value_is_what_the_promise_is_fulfilled_with(resolved_with, value) -> None:
    """What can neither be awaited nor followed is a value."""
    assert value is await resolved_with(value)
