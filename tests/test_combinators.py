"""Many promises, one result: what each combinator returns, what it cancels, what it keeps running, and what it says."""

import asyncio
import concurrent.futures
import contextlib
import gc
import pickle
import re
import sys
import traceback
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any

import pytest

from aiopromise import (
    Fulfilled,
    Promise,
    Rejected,
    Thenable,
    all_fulfilled,
    chain,
    is_fulfilled,
    is_rejected,
    on_unhandled_rejection,
)
from helpers import outcome, turns

pytestmark = pytest.mark.usefixtures("loop_mode")

# --------------------------------------------------------------------------------------------- combinators and elements


def keyed(items: Any, **options: Any) -> Promise:
    """Call all_keyed() with a mapping of *items*, be they as they may."""
    return Promise.all_keyed(Numbered(items), **options)


def settled_keyed(items: Any, **options: Any) -> Promise:
    return Promise.all_settled_keyed(Numbered(items), **options)


class Numbered(Mapping):
    """A mapping that takes its values from *items* when it is iterated."""

    def __init__(self, items: Iterable) -> None:
        self.items_taken: list = []
        self.source = items

    def __iter__(self) -> Iterator:
        for number, item in enumerate(self.source):
            self.items_taken.append(item)
            yield number

    def __getitem__(self, number: int) -> Any:
        return self.items_taken[number]

    def __len__(self) -> int:
        return len(list(self.source))


async def collected(iterator: AsyncIterator) -> list:
    async with contextlib.aclosing(iterator):
        return [(index, await outcome(promise)) async for index, promise in iterator]


def completed(items: Any, **options: Any) -> Promise:
    """Collect all of as_completed(), in a promise, so that it can be treated as the others."""
    return Promise(collected(Promise.as_completed(items, **options)))


def some_one(items: Any, **options: Any) -> Promise:
    return Promise.some(1, items, **options)


COMBINATORS: dict[str, Callable[..., Any]] = {
    "all": Promise.all,
    "all_settled": Promise.all_settled,
    "any": Promise.any,
    "race": Promise.race,
    "some": some_one,
    "all_keyed": keyed,
    "all_settled_keyed": settled_keyed,
    "as_completed": completed,
}
DECIDED_EARLY = ["all", "any", "race", "some", "all_keyed"]

# To stop waiting for the next of as_completed() is to leave it early: the rest are losers.
each_promise = pytest.mark.parametrize(
    "combine", [one for name, one in COMBINATORS.items() if name != "as_completed"], ids=list(COMBINATORS)[:-1]
)
each_combinator = pytest.mark.parametrize("combine", COMBINATORS.values(), ids=COMBINATORS)


def each_of(names: Iterable[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("combine", [COMBINATORS[name] for name in names], ids=names)


async def later(give: Callable[[], Any]) -> Any:
    await asyncio.sleep(0)
    return give()


class Awaited:
    """An awaitable that is neither coroutine nor Future."""

    def __init__(self, give: Callable[[], Any]) -> None:
        self.give = give

    def __await__(self) -> Any:
        return later(self.give).__await__()


class Foreign(Thenable):
    """A thenable that settles now."""

    def __init__(self, give: Callable[[], Any]) -> None:
        self.give = give

    def then(self, resolve: Callable, reject: Callable, /) -> None:
        resolve(later(self.give))


def future(give: Callable[[], Any], *, done: bool = False) -> asyncio.Future:
    made = asyncio.get_running_loop().create_future()

    def settle() -> None:
        try:
            made.set_result(give())
        except CancelledError:
            made.cancel()
        except Exception as error:
            made.set_exception(error)

    if done:
        settle()
    else:
        asyncio.get_running_loop().call_soon(settle)
    return made


def with_resolvers(give: Callable[[], Any]) -> Promise:
    promise, resolve, _ = Promise.with_resolvers()
    asyncio.get_running_loop().call_soon(resolve, later(give))
    return promise


ELEMENTS: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "a coroutine": later,
    "a Task": lambda give: asyncio.ensure_future(later(give)),
    "a Future": future,
    "a Future that is done": lambda give: future(give, done=True),
    "a promise": lambda give: Promise(later(give)),
    "a promise that has settled": Promise.try_,
    "a promise with resolvers": with_resolvers,
    "a link": lambda give: Promise.resolve().then(lambda _: give()),
    "a combinator": lambda give: Promise.race(later(give)),
    "a chain": lambda give: chain(later(give)).then(lambda values: values[0]),
    "any awaitable": Awaited,
    "a thenable": Foreign,
}


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*arguments: object) -> Any:
        raise error

    return fail


def value() -> str:
    return "v"


NO, LOST, STOP = raising(ValueError("no")), raising(KeyError("lost")), raising(CancelledError())


def never() -> Promise:
    return Promise.with_resolvers().promise


# ---------------------------------------------------------------------------------------------------- what each returns

EMPTY = {
    "any": "ValueError('Promise.any() needs at least one awaitable, or nothing could fulfil it')",
    "race": "ValueError('Promise.race() needs at least one awaitable, or it would never settle')",
    "some": "ValueError('Promise.some(1, ...) needs at least 1 awaitables, got 0')",
}


def twice(make: Callable[[], Any]) -> Callable[[], list]:
    def elements() -> list:
        one = make()
        return [one, one]

    return elements


def failed(count: int, *errors: str) -> str:
    return f"ExceptionGroup('{count} of {count} awaitables failed', [{', '.join(errors)}])"


V, E, K, C = "v", "ValueError('no')", "KeyError('lost')", "CancelledError()"

# The elements, and the result of each combinator: all, all_settled, any, race, some(1), all_keyed, as_completed.
ROWS: dict[str, tuple[Callable[[], list], tuple]] = {
    "nothing": (list, ([], [], EMPTY["any"], EMPTY["race"], EMPTY["some"], {}, [])),
    "one value": (lambda: [later(value)], ([V], [Fulfilled(V)], V, V, [V], {0: V}, [(0, V)])),
    "one failure": (lambda: [later(NO)], (E, f"[Rejected({E})]", failed(1, E), E, failed(1, E), E, [(0, E)])),
    "one that is cancelled": (lambda: [later(STOP)], (C, f"[Rejected({C})]", C, C, C, C, [(0, C)])),
    "the same promise twice": (
        twice(lambda: Promise(later(value))),
        ([V, V], [Fulfilled(V), Fulfilled(V)], V, V, [V], {0: V, 1: V}, [(0, V), (1, V)]),
    ),
    "the same coroutine twice": (
        twice(lambda: later(value)),
        ([V, V], [Fulfilled(V), Fulfilled(V)], V, V, [V], {0: V, 1: V}, [(0, V), (1, V)]),
    ),
    "the same Task twice": (
        twice(lambda: asyncio.ensure_future(later(value))),
        ([V, V], [Fulfilled(V), Fulfilled(V)], V, V, [V], {0: V, 1: V}, [(0, V), (1, V)]),
    ),
    "the same failing promise twice": (
        twice(lambda: Promise(later(NO))),
        (E, f"[Rejected({E}), Rejected({E})]", failed(2, E, E), E, failed(2, E, E), E, [(0, E), (1, E)]),
    ),
    "the same failing coroutine twice": (
        twice(lambda: later(NO)),
        (E, f"[Rejected({E}), Rejected({E})]", failed(2, E, E), E, failed(2, E, E), E, [(0, E), (1, E)]),
    ),
    "plain values, as a function that was not called": (
        lambda: [None, 1, later],
        (
            [None, 1, later],
            [Fulfilled(None), Fulfilled(1), Fulfilled(later)],
            None,
            None,
            [None],
            {0: None, 1: 1, 2: later},
            [(0, None), (1, 1), (2, later)],
        ),
    ),
    "settled ones and a plain value": (
        lambda: [Promise.try_(STOP), Promise.try_(LOST), 3],
        (C, f"[Rejected({C}), Rejected({K}), Fulfilled(3)]", 3, C, [3], C, [(0, C), (1, K), (2, 3)]),
    ),
    "a value after a failure": (
        lambda: [later(value), Promise.try_(LOST)],
        (K, f"[Fulfilled({V!r}), Rejected({K})]", V, K, [V], K, [(1, K), (0, V)]),
    ),
    "a value after one that is cancelled": (
        lambda: [later(value), Promise.try_(STOP)],
        (C, f"[Fulfilled({V!r}), Rejected({C})]", V, C, [V], C, [(1, C), (0, V)]),
    ),
    "failures, the last one first": (
        lambda: [later(NO), Promise.try_(LOST)],
        (K, f"[Rejected({E}), Rejected({K})]", failed(2, E, K), K, failed(2, E, K), K, [(1, K), (0, E)]),
    ),
    "a failure after one that is cancelled": (
        lambda: [later(NO), Promise.try_(STOP)],
        (C, f"[Rejected({E}), Rejected({C})]", failed(2, E), C, failed(2, E), C, [(1, C), (0, E)]),
    ),
    "all of them cancelled": (
        lambda: [later(STOP), Promise.try_(STOP)],
        (C, f"[Rejected({C}), Rejected({C})]", C, C, C, C, [(1, C), (0, C)]),
    ),
}


def table(row: str) -> dict[str, str]:
    """Return what each combinator shows for *row*; all_settled_keyed shows what all_settled does, by number."""
    *columns, in_order = map(str, ROWS[row][1])
    settled = re.findall(r"\w+\(.*?\)(?=, [FR]|]$)", columns[1])
    keyed = ", ".join(f"{number}: {one}" for number, one in enumerate(settled))
    return dict(zip(COMBINATORS, [*columns, f"{{{keyed}}}", in_order], strict=True))


class ByNumber:
    """Iterable only as sequences were of old."""

    def __init__(self, elements: list) -> None:
        self.elements = elements

    def __getitem__(self, number: int) -> Any:
        return self.elements[number]


SHAPES: dict[str, Callable[[list], Iterable]] = {
    "a list": list,
    "a generator": lambda elements: (element for element in elements),
    "a tuple": tuple,
    "a sequence of old": ByNumber,
}


@pytest.mark.parametrize("row", ROWS)
async def test_each_combinator_of_each_row_of_the_table(row, reports) -> None:
    """In whatever shape the elements come, as one argument."""
    elements, expected = ROWS[row][0], table(row)
    for shape, shaped in SHAPES.items():
        found = {name: str(await outcome(combine(shaped(elements())))) for name, combine in COMBINATORS.items()}
        assert (shape, expected) == (shape, found)


SEPARATE = {
    "all": (Promise.all, lambda: (later(value), 2), (V, 2)),
    "all of one": (Promise.all, lambda: (later(value),), (V,)),
    "all of none": (Promise.all, tuple, ()),
    "all_settled": (Promise.all_settled, lambda: (later(value), 2), (Fulfilled(V), Fulfilled(2))),
    "all_settled of one": (Promise.all_settled, lambda: (later(value),), (Fulfilled(V),)),
    "all_settled of none": (Promise.all_settled, tuple, ()),
    "any": (Promise.any, lambda: (never(), 2), 2),
    "any of none": (Promise.any, tuple, EMPTY["any"]),
    "race": (Promise.race, lambda: (never(), 2), 2),
    "race of none": (Promise.race, tuple, EMPTY["race"]),
    "some": (Promise.some, lambda: (2, later(value), 2, never()), [2, V]),
    "some of none": (Promise.some, lambda: (1,), EMPTY["some"]),
    "as_completed": (lambda *a: collected(Promise.as_completed(*a)), lambda: (later(value), 2), [(1, 2), (0, V)]),
    "as_completed of none": (lambda *a: collected(Promise.as_completed(*a)), tuple, []),
}


@pytest.mark.parametrize(("combine", "elements", "expected"), SEPARATE.values(), ids=SEPARATE)
async def test_separate_arguments_are_the_elements_and_give_a_tuple(combine, elements, expected) -> None:
    assert expected == await outcome(combine(*elements()))


GIVES, FAILS, IS_CANCELLED = map(table, ["one value", "one failure", "one that is cancelled"])


@pytest.mark.parametrize("element", ELEMENTS.values(), ids=ELEMENTS)
async def test_whatever_can_be_awaited_is_an_element(element) -> None:
    """A value, a failure, or a cancellation of each, in each combinator."""
    for give, expected in ((value, GIVES), (NO, FAILS), (STOP, IS_CANCELLED)):
        found = {name: str(await outcome(combine([element(give)]))) for name, combine in COMBINATORS.items()}
        assert expected == found


async def test_the_future_of_an_executor_is_a_plain_value() -> None:
    job: concurrent.futures.Future = concurrent.futures.Future()
    expected = [[job], [Fulfilled(job)], job, job, [job], {0: job}, {0: Fulfilled(job)}, [(0, job)]]
    assert expected == [await combine([job]) for combine in COMBINATORS.values()]


@each_of(["all", "race", "all_keyed"])
async def test_the_exception_is_the_very_object_and_ends_at_the_line_that_awaits(combine) -> None:
    error = ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:
        await combine([later(raising(error)), never()])
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert (True, "fail") == (caught.value is error, frames[-1])
    assert not [name for name in frames if name.startswith("_")]


async def test_the_reasons_of_any_are_the_very_objects() -> None:
    errors = [ValueError(1), KeyError(2)]
    with pytest.raises(ExceptionGroup) as caught:
        await Promise.any(later(raising(errors[0])), Promise.reject(errors[1]))
    assert all(one is other for one, other in zip(errors, caught.value.exceptions, strict=True))


async def test_any_of_which_all_were_cancelled_has_the_message_of_the_last() -> None:
    """In the order of the elements, whichever came first."""
    elements = [Promise.with_resolvers().promise for _ in range(3)]
    combined = Promise.any(elements)
    for number in (2, 0, 1):
        elements[number].cancel(number)
    assert "CancelledError(2)" == await outcome(combined)


async def test_the_reasons_of_any_may_be_no_exceptions() -> None:
    class Odd(BaseException):
        pass

    with pytest.raises(BaseExceptionGroup) as caught:
        await Promise.any(Promise.reject(Odd()), Promise.reject(ValueError()))
    assert BaseExceptionGroup is type(caught.value)


async def test_all_gives_the_values_in_the_order_of_the_elements() -> None:
    first, resolve_first, _ = Promise.with_resolvers()
    second, resolve_second, _ = Promise.with_resolvers()
    both = Promise.all(first, second)
    resolve_second(2)
    await turns()
    assert not both.done()
    resolve_first(1)
    assert (1, 2) == await both


async def test_some_gives_the_values_in_the_order_in_which_they_came() -> None:
    made = [Promise.with_resolvers() for _ in range(4)]
    two = Promise.some(2, [each.promise for each in made])
    made[2].resolve("first")
    await turns()
    made[1].reject(ValueError())
    await turns()
    assert not two.done()
    made[0].resolve("second")
    assert ["first", "second"] == await two


SOME_FAIL = {
    "two are left for two": (2, [NO, value, value], [V, V]),
    "one is left for two": (2, [NO, LOST, value], "ExceptionGroup('2 of 3 awaitables failed', [{E}, {K}])"),
    "too few from the start": (
        4,
        [value, value, value],
        "ValueError('Promise.some(4, ...) needs at least 4 awaitables, got 3')",
    ),
    "one is cancelled": (3, [STOP, value, value], "CancelledError()"),
    "one is cancelled, one fails": (2, [STOP, NO, value], "ExceptionGroup('2 of 3 awaitables failed', [{E}])"),
}


@pytest.mark.parametrize(("count", "elements", "expected"), SOME_FAIL.values(), ids=SOME_FAIL)
async def test_some_fails_as_soon_as_too_few_are_left(count, elements, expected) -> None:
    found = await outcome(Promise.some(count, [Promise.try_(give) for give in elements]))
    assert str(expected).replace("{E}", E).replace("{K}", K) == str(found)


async def test_the_answer_does_not_wait_for_what_cannot_change_it() -> None:
    assert "ExceptionGroup('1 of 2 awaitables failed', [ValueError('no')])" == await outcome(
        Promise.some(2, Promise.try_(NO), never())
    )


async def test_the_same_coroutine_runs_once() -> None:
    runs: list[int] = []
    work = later(lambda: runs.append(1))
    assert [None, None, None] == await Promise.all([work, work, work])
    assert [1] == runs


async def test_what_a_promise_is_fulfilled_with_is_not_looked_into() -> None:
    inner = [Promise.resolve(1), "text"]
    assert (inner, inner) == await Promise.all(Promise.resolve(inner), inner)


async def test_keys_may_be_anything_and_keep_their_order() -> None:
    expected = {("b", 1): 1, None: 2, "a": 3}
    found = await Promise.all_keyed({("b", 1): later(lambda: 1), None: 2, "a": Promise.resolve(3)})
    assert list(expected.items()) == list(found.items())


async def test_a_promise_that_waits_for_itself_through_a_combinator_is_told_so() -> None:
    promise, resolve, _ = Promise.with_resolvers()
    waiting = Promise.all(1, Promise.race(promise))
    resolve(waiting)
    for one in (promise, waiting):
        with pytest.raises(TypeError, match=r"^a promise cannot follow itself: <Promise "):
            await one


async def test_combinators_nest_deeply() -> None:
    promise, resolve, _ = Promise.with_resolvers()
    tip = promise
    for _ in range(5000):
        tip = Promise.race(tip)
    resolve("deep")
    assert "deep" == await tip


async def test_a_future_of_another_loop_is_refused() -> None:
    other = asyncio.new_event_loop()
    with pytest.raises(RuntimeError, match="belongs to a different event loop from"):
        await Promise.all(other.create_future(), never())
    other.close()


# -------------------------------------------------------------------------- arguments that fail while they are iterated


class FailsInIter:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __iter__(self) -> Iterator:
        raise self.error


def fails_in_next(taken: Iterable, error: BaseException) -> Iterator:
    yield from taken
    raise error


@pytest.mark.parametrize(
    "items",
    [FailsInIter, lambda error: fails_in_next([], error), lambda error: fails_in_next([1, Promise.resolve(2)], error)],
    ids=["in iter()", "in the first next()", "in a later next()"],
)
async def test_what_iterating_the_arguments_raises_is_the_outcome(items) -> None:
    for error in (ValueError("no"), CancelledError()):
        found = {name: await outcome(combine(items(error))) for name, combine in COMBINATORS.items()}
        assert dict.fromkeys(COMBINATORS, repr(error)) == found


@each_combinator
async def test_arguments_that_fail_end_what_was_taken_and_wait_for_that(combine) -> None:
    work, promise, task = Work.slow(), never(), asyncio.create_task(asyncio.sleep(0, "task"))
    waiting = [promise, task]
    combined = combine(fails_in_next([1, work(), *waiting], ValueError("no")))
    await turns()
    assert (work.begun, work.log, combined.done()) == (work.begun, ["asked"] if work.begun else [], not work.begun)
    work.cleaned.set()
    assert ("ValueError('no')", "task", False) == (await outcome(combined), await task, promise.done())
    assert_wanted_by_nobody(promise)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@each_of([*DECIDED_EARLY, "all_settled"])
def test_ctrl_c_while_the_arguments_are_iterated_leaves_the_call_and_nothing_running(combine, error) -> None:
    async def main() -> None:
        combine(fails_in_next([later(value)], error()))

    with pytest.raises(error):
        asyncio.run(main())


WRONG = [5, None, "text", b"bytes", bytearray(b"bytes"), 3.5, len, object]
SINGLE = {
    "Promise.all": Promise.all,
    "Promise.all_settled": Promise.all_settled,
    "Promise.any": Promise.any,
    "Promise.race": Promise.race,
    "Promise.some": lambda items: Promise.some(1, items),
    "Promise.as_completed": Promise.as_completed,
}


def text_of(call: Callable[[], Any]) -> tuple[type[BaseException], str]:
    """Return what *call* raises, at the call."""
    with pytest.raises((TypeError, ValueError, AttributeError)) as caught:
        call()
    return type(caught.value), str(caught.value)


async def numbers() -> AsyncIterator:
    yield 1


@pytest.mark.parametrize(("name", "call"), SINGLE.items(), ids=SINGLE)
async def test_the_only_argument_is_awaitable_or_iterable(name, call) -> None:
    for given in (*WRONG, numbers()):
        expected = (TypeError, f"{name}() needs awaitables, or one iterable of them, got {given!r}")
        assert expected == text_of(lambda given=given: call(given))


@pytest.mark.parametrize("name", ["all_keyed", "all_settled_keyed"])
async def test_what_gives_a_dict_needs_a_mapping(name) -> None:
    for given in (*WRONG, numbers(), [1, 2], Promise.resolve(1)):
        expected = (TypeError, f"Promise.{name}() needs a mapping of awaitables, got {given!r}")
        assert expected == text_of(lambda given=given: getattr(Promise, name)(given))


BAD_COUNTS: list[tuple[Any, tuple]] = [
    (0, (ValueError, "Promise.some() needs count >= 1, got 0")),
    (-1, (ValueError, "Promise.some() needs count >= 1, got -1")),
    (1.0, (TypeError, "Promise.some() needs an integer for count, got 1.0")),
    (True, (TypeError, "Promise.some() needs an integer for count, got True")),
    ("2", (TypeError, "Promise.some() needs an integer for count, got '2'")),
]


class Two:
    """An integer that is not an int, like those of NumPy."""

    def __index__(self) -> int:
        return 2


class Unknown:
    """An object whose __index__ raises."""

    def __index__(self) -> int:
        return 1 // 0


async def test_a_count_may_be_whatever_can_be_an_index() -> None:
    assert [1, 2] == await Promise.some(Two(), 1, 2, 3)


async def test_some_needs_a_count() -> None:
    for count, expected in BAD_COUNTS:
        assert expected == text_of(lambda count=count: Promise.some(count, later(value), [later(value)]))


REFUSED: dict[str, Callable[[Any], Any]] = {
    "all_keyed of a coroutine": Promise.all_keyed,
    "all_settled_keyed of a coroutine": Promise.all_settled_keyed,
    "all_keyed of a list": lambda coroutine: Promise.all_keyed([coroutine]),
    "some without a count": Promise.some,
    "some of a list without a count": lambda coroutine: Promise.some([coroutine]),
    "some of too small a count": lambda coroutine: Promise.some(0, coroutine),
    "some of too small a count, a list": lambda coroutine: Promise.some(0, [coroutine]),
    "some of a count that fails": lambda coroutine: Promise.some(Unknown(), [coroutine]),
    "race of a mapping": lambda coroutine: Promise.race({"one": coroutine}),
    "all with wrong losers": lambda coroutine: Promise.all(coroutine, losers="stop"),
    "all of a list with wrong losers": lambda coroutine: Promise.all([coroutine], losers="stop"),
    "all_keyed with wrong losers": lambda coroutine: Promise.all_keyed({"one": coroutine}, losers="stop"),
}


def is_closed(coroutine: Any) -> bool:
    """Return whether *coroutine* has ended; one that has not warns in a moment, and fails the test."""
    return coroutine.cr_frame is None


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
async def test_a_call_that_is_refused_closes_its_coroutines(call) -> None:
    coroutine = later(value)
    with pytest.raises((TypeError, ValueError, ZeroDivisionError)):
        call(coroutine)
    assert is_closed(coroutine)


@pytest.mark.parametrize("name", COMBINATORS)
async def test_losers_are_cancelled_or_kept_or_left_to_the_rule(name) -> None:
    for losers in ("stop", True, 0, ["cancel"]):
        expected = (ValueError, f"Promise.{name}(losers=) needs None, 'cancel' or 'keep', got {losers!r}")
        assert expected == text_of(lambda losers=losers: COMBINATORS[name]([1], losers=losers))


class Job(Coroutine):
    """A coroutine that says little of itself."""

    closed = False

    def send(self, sent: object, /) -> None:
        raise StopIteration

    def throw(self, *error: Any) -> None:
        raise StopIteration

    def close(self) -> None:
        self.closed = True

    def __await__(self) -> Any:
        return iter(())

    def __repr__(self) -> str:
        return "job()"


WITHOUT_LOOP: dict[str, Callable[[Job], Any]] = {
    "Promise.all(job(), 1)": lambda job: Promise.all(job, 1),
    "Promise.all([job()])": lambda job: Promise.all([job]),
    "Promise.all_settled({job(): 1})": lambda job: Promise.all_settled({job: 1}.keys()),
    "Promise.any((job(),))": lambda job: Promise.any((job,)),
    "Promise.race({job()})": lambda job: Promise.race({job}),
    "Promise.some(1, [job()])": lambda job: Promise.some(1, [job]),
    "Promise.some(1, 2, job())": lambda job: Promise.some(1, 2, job),
    "Promise.all_keyed({1: job()})": lambda job: Promise.all_keyed({1: job}),
    "Promise.as_completed([job()])": lambda job: Promise.as_completed([job]),
}


async def test_without_a_loop_it_says_what_was_written_and_closes_the_coroutines() -> None:
    for typed, call in WITHOUT_LOOP.items():
        job = Job()
        with pytest.raises(RuntimeError) as caught:
            await asyncio.to_thread(call, job)
        first = str(caught.value).partition("\n")[0].replace("dict_keys([job()])", "{job(): 1}")
        assert (f"{typed} needs a running event loop", True) == (first, job.closed)


async def test_without_a_loop_the_whole_sentence() -> None:
    with pytest.raises(RuntimeError) as caught:
        await asyncio.to_thread(Promise.some, 2, [1, 2])
    expected = (
        "Promise.some(2, [1, 2]) needs a running event loop\n\n"
        "You wrote Promise.some(2, [1, 2]) outside a coroutine. Write:\n\n"
        "    async def main():\n"
        "        promise = Promise.some(2, [1, 2])\n"
        "        ...\n\n"
        "    asyncio.run(main())"
    )
    assert expected == str(caught.value)


async def test_an_instance_has_no_combinators() -> None:
    for name in COMBINATORS:
        expected = (
            f"a promise has no method {name}()\n\n"
            f"You wrote promise.{name}(...), which would create an unrelated promise. Write Promise.{name}(...)"
        )
        assert (AttributeError, expected) == text_of(lambda name=name: getattr(Promise.resolve(), name))


# ----------------------------------------------------------------------------------------------------------- the losers


class Work:
    """A coroutine function whose work ends on demand; records when it is cancelled, and when it ends."""

    def __init__(self, cleanup: Callable[["Work"], Awaitable] | None = None) -> None:
        self.cleanup = cleanup
        self.begun = False
        self.finish = asyncio.Event()
        self.cleaned = asyncio.Event()
        self.log: list[str] = []

    async def __call__(self) -> object:
        self.begun = True
        try:
            await self.finish.wait()
        except CancelledError:
            self.log.append("asked")
            if self.cleanup is None:
                raise
            return await self.cleanup(self)
        finally:
            self.log.append("ended")
        return "finished"

    @staticmethod
    def slow() -> "Work":
        """Return work whose cleanup waits for an event."""
        return Work(Work.clean)

    async def clean(self) -> None:
        try:
            async with asyncio.timeout(10):  # so that a test that fails before it sets the event ends
                await self.cleaned.wait()
        except CancelledError:
            self.log.append("asked again")
        raise CancelledError


async def fails_in_cleanup(work: Work) -> None:
    raise OSError("cleanup")


async def ignores(work: Work) -> str:
    await work.finish.wait()
    return "ignored it"


def assert_wanted_by_nobody(*promises: Promise) -> None:
    """Check that a branch is the only consumer: cancelling it takes the promise with it."""
    for promise in promises:
        promise.then().cancel()
        assert promise.cancelled()


def decided(combine: Callable) -> object:
    return {Promise.all: E, keyed: E, some_one: [V]}.get(combine, V)


@each_of(DECIDED_EARLY)
async def test_a_coroutine_that_lost_is_cancelled_and_waited_for(combine) -> None:
    work, decide = Work.slow(), never()
    combined = combine([work(), decide.then(None, None), with_resolvers(winning(combine))])
    await turns()
    assert (["asked"], False) == (work.log, combined.done())
    work.cleaned.set()
    assert decided(combine) == await outcome(combined)
    assert ["asked", "ended"] == work.log


def winning(combine: Callable) -> Callable[[], Any]:
    return NO if combine in (Promise.all, keyed) else value


@each_of(DECIDED_EARLY)
async def test_what_the_caller_holds_runs_on_and_keeps_nothing(combine) -> None:
    work = Work()
    promise, task, plain_future = never(), asyncio.create_task(work()), asyncio.get_running_loop().create_future()
    link, inner = never().then(repr), Promise.race(never())
    combined = combine([promise, task, plain_future, link, inner, with_resolvers(winning(combine))])
    assert decided(combine) == await outcome(combined)
    await turns()
    assert not any(one.done() for one in (promise, task, plain_future, link, inner))
    assert [[], []] == [list(one._callbacks or []) for one in (task, plain_future)]
    assert_wanted_by_nobody(promise, link, inner)
    work.finish.set()
    assert "finished" == await task


@each_of(DECIDED_EARLY)
async def test_losers_can_be_cancelled_all_of_them(combine) -> None:
    works = [Work.slow() for _ in range(3)]
    plain_future = asyncio.get_running_loop().create_future()
    losers = [works[0](), Promise(works[1]()), asyncio.create_task(works[2]()), plain_future, never()]
    wanted = losers[1].then(repr)  # another consumer does not count
    combined = combine([*losers, with_resolvers(winning(combine))], losers="cancel")
    await turns()
    assert ([["asked"]] * 3, False) == ([work.log for work in works], combined.done())
    for number, work in enumerate(works):
        assert (number, False) == (number, combined.done())
        work.cleaned.set()
        await turns()
    assert decided(combine) == await outcome(combined)
    assert [True] * 4 == [loser.cancelled() for loser in losers[1:]]
    assert "CancelledError()" == await outcome(wanted)


@each_of(DECIDED_EARLY)
async def test_losers_can_be_kept_all_of_them(combine) -> None:
    works = [Work() for _ in range(3)]
    losers = [works[0](), Promise(works[1]()), asyncio.create_task(works[2]())]
    combined = combine([*losers, with_resolvers(winning(combine))], losers="keep")
    assert decided(combine) == await outcome(combined)
    await turns()
    assert [[]] * 3 == [work.log for work in works]
    for work in works:
        work.finish.set()
    await turns()
    assert [["ended"]] * 3 == [work.log for work in works]


async def test_the_same_promise_twice_is_one_loser() -> None:
    work = Work()
    promise = Promise(work())
    assert "v" == await Promise.race(promise, later(value), promise, losers="cancel")
    assert (["asked", "ended"], True) == (work.log, promise.cancelled())


async def test_the_same_coroutine_twice_is_one_loser() -> None:
    work = Work.slow()
    coroutine = work()
    combined = Promise.race(coroutine, with_resolvers(value), coroutine)
    await turns()
    work.cleaned.set()
    assert ("v", ["asked", "ended"]) == (await combined, work.log)


async def test_a_coroutine_that_ignores_the_request_is_waited_for() -> None:
    work = Work(ignores)
    combined = Promise.race(work(), with_resolvers(value))
    await turns()
    assert (["asked"], False) == (work.log, combined.done())
    work.finish.set()
    assert "v" == await combined


async def test_what_a_stopped_coroutine_raises_is_reported_once(reports) -> None:
    work = Work(fails_in_cleanup)
    assert "v" == await Promise.race(work(), with_resolvers(value))
    await turns()
    gc.collect()
    assert ["OSError('cleanup')"] == [repr(report["exception"]) for report in reports]
    assert "unhandled promise rejection" == reports[0]["message"]
    assert "Promise.race()" == reports[0]["cancelled by"]


async def test_what_a_stopped_coroutine_raises_is_reported_and_not_announced(reports) -> None:
    """The promise in between is the library's own, and no listener can do anything with it."""
    events: list[str] = []
    stop = on_unhandled_rejection(lambda event: events.append(repr(event.reason)))
    assert "v" == await Promise.race(Work(fails_in_cleanup)(), with_resolvers(value))
    await turns()
    stop()
    assert ([], ["OSError('cleanup')"]) == (events, [repr(report["exception"]) for report in reports])


@pytest.mark.parametrize(
    ("held", "losers", "untaken"),
    [(Promise, None, 0), (Promise, "cancel", 1), (Promise, "keep", 0), (asyncio.ensure_future, None, 1)],
    ids=["a promise", "a promise that is cancelled", "a promise that is kept", "a Task"],
)
async def test_a_second_failure_is_quiet_but_of_what_was_stopped(held, losers, untaken, reports) -> None:
    """A cancelled promise reports an unhandled failure; a Task belongs to asyncio, which does the same."""
    for taken in (True, False):
        fails, work = asyncio.Event(), Work(fails_in_cleanup)
        second = held(_fails_when(fails) if losers is None else work())
        assert E == await outcome(Promise.all(Promise.try_(NO), second, losers=losers))
        fails.set()
        if losers == "keep":
            second.cancel()
        if taken:
            await outcome(second)
        await turns()
        del second, work
        gc.collect()
        assert (taken, 0 if taken else untaken) == (taken, len(reports))


async def _fails_when(event: asyncio.Event) -> None:
    await event.wait()
    raise OSError("second")


async def test_of_two_failures_in_the_same_turn_the_second_is_quiet(reports) -> None:
    first, _, reject_first = Promise.with_resolvers()
    second, _, reject_second = Promise.with_resolvers()
    both = Promise.all(first, second)
    reject_first(ValueError("first"))
    reject_second(ValueError("second"))
    assert ["ValueError('first')", "ValueError('second')"] == [await outcome(both), await outcome(second)]
    del first, second, reject_first, reject_second
    assert [] == reports


async def test_a_future_that_fails_in_the_turn_of_the_answer_is_quiet(reports) -> None:
    """Like one passed to `asyncio.gather`."""
    first, second = [asyncio.get_running_loop().create_future() for _ in range(2)]
    race = Promise.race(first, second)
    first.set_result("v")
    second.set_exception(OSError("second"))
    assert "v" == await race
    await turns()
    del second
    gc.collect()
    assert [] == reports


@each_combinator
async def test_a_combinator_answers_for_the_failures_that_it_gave(combine, reports) -> None:
    """The elements are handled then; and so is the result, once it has been awaited."""
    elements = [Promise.try_(NO), later(NO)]
    await outcome(combine(elements[:1]))
    await outcome(combine(elements[1:]))
    del elements
    gc.collect()
    assert [] == reports


@each_of(["all", "any", "race", "some", "all_keyed"])
async def test_a_failure_that_nobody_takes_is_reported(combine, reports) -> None:
    combine([later(NO)])
    await turns()
    gc.collect()
    assert ["unhandled promise rejection"] == [report["message"] for report in reports]


async def test_all_settled_stops_nothing_for_it_waits_for_all() -> None:
    work = Work()
    combined = Promise.all_settled(later(NO), work(), losers="cancel")
    await turns()
    assert ([], False) == (work.log, combined.done())
    work.finish.set()
    assert f"(Rejected({E}), Fulfilled('finished'))" == repr(await combined)


# ----------------------------------------------------------------------------------------------------------- cancelling


@each_combinator
async def test_cancelling_ends_what_was_started_and_waits_for_that(combine) -> None:
    works = [Work.slow(), Work.slow()]
    combined = combine([work() for work in works])
    await turns()
    assert combined.cancel("enough")
    await turns()
    assert ([["asked"], ["asked"]], False) == ([work.log for work in works], combined.done())
    for work in works:
        work.cleaned.set()
    assert "CancelledError('enough')" == await outcome(combined)


@each_combinator
async def test_a_second_request_is_delivered_to_the_cleanup(combine) -> None:
    work = Work.slow()
    combined = combine([work(), never()])
    await turns()
    combined.cancel()
    await turns()
    combined.cancel()
    assert "CancelledError()" == await outcome(combined)
    assert ["asked", "asked again", "ended"] == work.log


@each_promise
async def test_cancelling_withdraws_from_what_others_want_and_ends_what_nobody_else_wants(combine) -> None:
    works = [Work(), Work(), Work()]
    shared, lonely, task = Promise(works[0]()), Promise(works[1]()), asyncio.create_task(works[2]())
    plain_future = asyncio.get_running_loop().create_future()
    child = shared.then(str.upper)
    combined = combine([shared, lonely, task, plain_future, shared])
    await turns()
    combined.cancel()
    assert "CancelledError()" == await outcome(combined)
    assert [[], ["asked", "ended"], []] == [work.log for work in works]
    assert [[], []] == [list(one._callbacks or []) for one in (task, plain_future)]
    works[0].finish.set()
    works[2].finish.set()
    assert ("FINISHED", "finished", True) == (await child, await task, lonely.cancelled())


@each_promise
async def test_the_last_of_two_combinators_takes_the_promise_with_it(combine) -> None:
    promise = never()
    one, other = combine([promise, promise]), combine([promise, never()])
    await turns()
    one.cancel()
    await turns()
    assert (True, False, False) == (one.cancelled(), promise.done(), other.done())
    other.cancel()
    await turns()
    assert (True, True) == (promise.cancelled(), other.cancelled())


@each_combinator
async def test_a_shielded_element_goes_on(combine) -> None:
    work = Work()
    promise = Promise(work())
    combined = combine([promise.shield(), never()])
    await turns()
    combined.cancel()
    assert "CancelledError()" == await outcome(combined)
    work.finish.set()
    assert "finished" == await promise


@each_promise
async def test_a_combinator_is_cancelled_at_once_where_nothing_is_running(combine) -> None:
    promise, lonely = never(), never()
    child = promise.then(repr)
    combined = combine([promise, lonely, asyncio.get_running_loop().create_future()])
    tip = combine([combined]).then(repr)
    assert (True, True, True, True, False) == (
        tip.cancel(),
        tip.cancelled(),
        combined.cancelled(),
        lonely.cancelled(),
        child.done(),
    )
    assert not combined.cancel()


@each_combinator
async def test_the_failing_cleanup_of_what_was_cancelled_is_reported_once(combine, reports) -> None:
    combined = combine([Work(fails_in_cleanup)(), never()])
    await turns()
    combined.cancel()
    assert "CancelledError()" == await outcome(combined)
    await turns()
    gc.collect()
    assert ["OSError('cleanup')"] == [repr(report["exception"]) for report in reports]


@each_combinator
async def test_cancelling_the_task_that_awaits_it_is_cancelling_it(combine) -> None:
    work = Work.slow()
    task = asyncio.create_task(outcome_of_await(combine, [work(), never()]))
    await turns()
    task.cancel()
    await turns()
    assert (["asked"], False) == (work.log, task.done())
    work.cleaned.set()
    assert ("CancelledError()", ["asked", "ended"]) == (await outcome(task), work.log)


async def outcome_of_await(combine: Callable, elements: list) -> object:
    return await combine(elements)


@each_combinator
async def test_a_time_limit_ends_what_was_started(combine) -> None:
    work = Work()
    combined = combine([work(), never()])
    await turns()
    assert "late" == await combined.timeout(0.001, fallback="late")
    assert ["asked", "ended"] == work.log


async def test_a_time_limit_within_the_cleanup_does_not_hide_who_asked_first() -> None:
    work = Work.slow()
    limited = Promise.all(work(), never()).timeout(0.05)
    await turns()
    limited.cancel()
    assert "CancelledError()" == await outcome(limited)
    assert ["asked", "asked again", "ended"] == work.log


async def test_a_time_limit_that_passes_while_the_losers_end_is_passed() -> None:
    """Nobody had asked for the end: there was an answer, which comes too late."""
    work = Work.slow()
    inner, resolve, _ = Promise.with_resolvers()
    race = Promise.race(work(), inner)
    await turns()
    limited = race.timeout(0)
    resolve("v")
    await turns()
    work.cleaned.set()
    assert "TimeoutError('timed out after 0 seconds')" == await outcome(limited)


@each_of(DECIDED_EARLY)
@pytest.mark.parametrize("as_task", [True, False], ids=["its Task", "itself"])
async def test_a_request_is_not_lost_while_the_losers_end(combine, as_task) -> None:
    """The result is known, but the cancelled Task does not continue with it."""
    work = Work.slow()
    combined = combine([work(), with_resolvers(winning(combine))])
    task = asyncio.create_task(outcome_of_await(lambda _: combined, [])) if as_task else combined
    await turns()
    task.cancel("enough")
    assert "CancelledError('enough')" == await outcome(task)
    assert ["asked", "asked again", "ended"] == work.log


async def test_the_answer_that_a_request_replaces_is_its_context() -> None:
    combined = Promise.all(Work.slow()(), with_resolvers(NO))
    await turns()
    combined.cancel()
    with pytest.raises(CancelledError) as caught:
        await combined
    assert "ValueError('no')" == repr(caught.value.__context__)


async def test_a_loop_over_races_ends_when_it_is_cancelled() -> None:
    ended: list[str] = []

    async def tick() -> None:
        try:
            await never()
        finally:
            await turns(3)

    async def races() -> None:
        try:
            while True:
                await Promise.race(later(value), tick())
        finally:
            ended.append("ended")

    for count in range(12):
        task = asyncio.create_task(races())
        await turns(count)
        task.cancel()
        assert "CancelledError()" == await outcome(asyncio.wait_for(asyncio.shield(task), 5))
    assert ["ended"] * len(ended) == ended


async def test_a_coroutine_that_somebody_else_has_asked_to_end_is_asked_again() -> None:
    """As by a TaskGroup: once is enough only if all Tasks have been cancelled, as at the end of asyncio.run()."""
    works = [Work(), Work.slow()]
    combined = Promise.race(*[work() for work in works])
    await turns()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if task.get_coro().__qualname__ == "Work.__call__":
            task.cancel()
    assert "CancelledError()" == await outcome(combined)
    assert ["asked", "asked again", "ended"] == works[1].log


@pytest.fixture
def run(loop_mode: str) -> Callable:
    """Return a function that runs *main* on a loop of its own, in the loop mode, to its end."""

    def run(main: Callable[[], Awaitable]) -> None:
        with asyncio.Runner(debug=loop_mode == "debug") as runner:
            runner.get_loop().slow_callback_duration = 60
            if loop_mode == "eager":
                runner.get_loop().set_task_factory(asyncio.eager_task_factory)
            runner.run(main())

    return run


@each_combinator
def test_the_end_of_the_loop_waits_for_the_cleanups(combine, run) -> None:
    closed: list[str] = []
    held: list[Promise] = []

    async def closing(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.001 * number)
            closed.append(f"coroutine {number}")

    async def main() -> None:
        with_finally = never().finally_(lambda: closing_late(closed))
        combined = combine([closing(1), closing(3), with_finally, asyncio.get_running_loop().create_future()])
        # Both of them: of the other, on which nothing runs, only the group knows, and no longer than until it ends.
        held.extend([combined, with_finally])
        await turns(3)

    run(main)
    assert ["coroutine 1", "coroutine 3", "finally"] == sorted(closed)
    assert held[0].cancelled() or combine in (Promise.all_settled, settled_keyed, Promise.any, some_one, completed)


async def closing_late(closed: list[str]) -> None:
    await asyncio.sleep(0.002)
    closed.append("finally")


# --------------------------------------------------------------------------------------------------------- as_completed


async def test_as_completed_gives_pairs_in_the_order_in_which_they_settle() -> None:
    made = [Promise.with_resolvers() for _ in range(3)]
    pairs = Promise.as_completed(each.promise for each in made)
    found = []
    for number in (2, 0, 1):
        made[number].resolve(number)
        index, promise = await anext(pairs)
        found.append((index, promise is made[number].promise, promise.result()))
    assert [(2, True, 2), (0, True, 0), (1, True, 1)] == found
    with pytest.raises(StopAsyncIteration):
        await anext(pairs)


async def test_as_completed_gives_a_settled_promise_for_every_element() -> None:
    elements = [element(value) for element in ELEMENTS.values()]
    found = {index: promise async for index, promise in Promise.as_completed(elements)}
    assert set(range(len(ELEMENTS))) == set(found)
    assert {(Promise, "v")} == {(type(promise), promise.result()) for promise in found.values()}


async def test_as_completed_starts_all_at_the_call() -> None:
    works = [Work(), Work()]
    pairs = Promise.as_completed(work() for work in works)
    await turns()
    assert [True, True] == [work.begun for work in works]
    await pairs.aclose()


async def _breaks(pairs: Any) -> None:
    async with contextlib.aclosing(pairs):
        async for _ in pairs:
            break


async def _raises(pairs: Any) -> None:
    async with contextlib.aclosing(pairs):
        async for _ in pairs:
            raise ValueError("no")


async def _closes(pairs: Any) -> None:
    await turns()
    await pairs.aclose()


async def _closes_after_one(pairs: Any) -> None:
    await anext(pairs)
    await pairs.aclose()


@pytest.mark.parametrize("leave", [_breaks, _raises, _closes, _closes_after_one])
async def test_leaving_as_completed_early_makes_losers_of_the_rest(leave) -> None:
    work, promise, held = Work.slow(), never(), Work()
    task = asyncio.create_task(held())
    pairs = Promise.as_completed(work(), promise, with_resolvers(value), task)
    leaving = asyncio.create_task(leave(pairs))
    await turns(20)
    assert (["asked"], False) == (work.log, leaving.done())
    work.cleaned.set()
    await outcome(leaving)
    assert (["asked", "ended"], [], []) == (work.log, held.log, list(task._callbacks or []))
    assert_wanted_by_nobody(promise)
    held.finish.set()
    assert "finished" == await task


@pytest.mark.parametrize("losers", ["cancel", "keep"])
async def test_leaving_as_completed_obeys_losers(losers) -> None:
    work, promise = Work(), never()
    pairs = Promise.as_completed(work(), promise, later(value), losers=losers)
    await anext(pairs)
    await pairs.aclose()
    assert (losers == "cancel", losers == "cancel") == (work.log == ["asked", "ended"], promise.cancelled())
    work.finish.set()


async def test_as_completed_that_is_dropped_stops_what_it_started() -> None:
    work = Work()
    pairs = Promise.as_completed(work(), never())
    await turns()
    del pairs
    await turns()
    assert ["asked", "ended"] == work.log


async def test_as_completed_goes_on_after_a_failure_and_answers_for_nothing(reports) -> None:
    found = []
    async for index, promise in Promise.as_completed(Promise.try_(NO), later(value)):
        found.append((index, promise.done(), promise.cancelled()))
        del promise
    assert ([(0, True, False), (1, True, False)], ["ValueError('no')"]) == (
        found,
        [repr(report["exception"]) for report in reports],
    )


async def test_the_task_that_waits_for_the_next_can_be_cancelled() -> None:
    work = Work.slow()
    task = asyncio.create_task(collected(Promise.as_completed(work(), never())))
    await turns()
    task.cancel("enough")
    await turns()
    assert (["asked"], False) == (work.log, task.done())
    work.cleaned.set()
    assert "CancelledError('enough')" == await outcome(task)


async def test_a_request_to_the_task_that_waits_for_the_next_is_not_lost_when_one_arrives_with_it() -> None:
    promise, resolve, _ = Promise.with_resolvers()
    task = asyncio.create_task(collected(Promise.as_completed(promise, never())))
    await turns()
    task.cancel()
    resolve("in the same turn")
    assert "CancelledError()" == await outcome(task)


async def test_what_iterating_raises_comes_after_what_was_taken_has_ended() -> None:
    work = Work.slow()
    pairs = Promise.as_completed(fails_in_next([work()], ValueError("no")))
    following = asyncio.create_task(anext(pairs))
    await turns()
    work.cleaned.set()
    assert E == await outcome(following)
    assert work.log in ([], ["asked", "ended"])


async def test_leaving_as_completed_does_not_hide_what_iterating_has_raised() -> None:
    """Leaving without looking at the pairs raises it."""
    work = Work.slow()
    work.cleaned.set()
    pairs = Promise.as_completed(fails_in_next([work()], ValueError("no")))
    assert E == await outcome(pairs.aclose())


# ----------------------------------------------------------------------------------------------- nothing is left behind


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Let nothing be collected; what was there before is not even looked at by ``gc.collect()``."""
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.enable()


def _promise() -> Promise:
    return never()


def _future() -> asyncio.Future:
    return asyncio.get_running_loop().create_future()


def _task() -> asyncio.Task:
    return asyncio.create_task(Work()())


RACES: dict[str, Callable[[Any], Any]] = {
    "race": lambda loser: Promise.race(loser, Promise.resolve(1)),
    "any": lambda loser: Promise.any([loser, 1, loser]),
    "all that fails": lambda loser: Promise.all([loser, Promise.reject(ValueError())]).catch(repr),
    "some that is kept": lambda loser: Promise.some(1, loser, 1, losers="keep"),
}


@pytest.mark.slow
@pytest.mark.parametrize("loop_mode", ["plain"], indirect=True)
@pytest.mark.parametrize(("name", "count"), list(zip(RACES, [100_000, 5_000, 5_000, 5_000], strict=True)))
@pytest.mark.parametrize("make", [_promise, _future, _task])
async def test_a_loser_that_lives_long_keeps_nothing_of_the_races_it_lost(make, name, count, loop_mode) -> None:
    """100,000 races against one pending promise leave memory flat."""
    loser = make()
    race = RACES[name]

    async def races(times: int) -> None:
        for _ in range(times // 500):
            await Promise.all([race(loser) for _ in range(500)])

    await races(3000)
    with without_collector():
        before = sys.getallocatedblocks()
        await races(count)
        assert sys.getallocatedblocks() - before < 2000
    if isinstance(loser, Promise):
        assert_wanted_by_nobody(loser)
    else:
        assert [] == list(loser._callbacks or [])
        loser.cancel()


async def _cancelled(promise: Promise) -> object:
    await turns(2)
    promise.cancel()
    return await promise


async def _left(pairs: Any) -> None:
    async with contextlib.aclosing(pairs):
        async for _ in pairs:
            break


FINISHED: dict[str, Callable[[], Awaitable]] = {
    "all": lambda: Promise.all(later(value), Promise.resolve(1), asyncio.ensure_future(later(value)), 1),
    "all that fails": lambda: Promise.all(later(NO), later(value), Promise.delay(0.001)),
    "all whose promises fail": lambda: Promise.all(Promise(later(NO)), Promise(later(value))),
    "all_settled": lambda: Promise.all_settled(later(NO), later(STOP), later(value)),
    "any": lambda: Promise.any(later(NO), later(value), Work()()),
    "any that fails": lambda: Promise.any(later(NO), later(LOST)),
    "race": lambda: Promise.race(later(value), Work()(), future(value)),
    "race that fails": lambda: Promise.race(later(NO), Work()(), future(value)),
    "some": lambda: Promise.some(2, later(value), later(value), Work()()),
    "some that fails": lambda: Promise.some(2, later(NO), Work()()),
    "all_keyed": lambda: Promise.all_keyed({"a": later(value), "b": Promise.resolve(1)}),
    "all_keyed that fails": lambda: Promise.all_keyed({"a": later(value), "b": Promise.try_(NO)}),
    "as_completed": lambda: collected(Promise.as_completed(later(NO), later(value))),
    "as_completed left early": lambda: _left(Promise.as_completed(later(NO), Work()())),
    "as_completed that is cancelled": lambda: _cancelled(completed([Work()(), never()])),
    "empty": Promise.race,
    "arguments that fail": lambda: Promise.all(int(text) for text in ("1", "one")),
    "cancelled": lambda: _cancelled(Promise.all(Work()(), never(), asyncio.get_running_loop().create_future())),
    "cancelled with promises": lambda: _cancelled(Promise.race(never(), Promise(Work()()))),
    "a time limit": lambda: Promise.all(Work()(), never()).timeout(0),
    "nested": lambda: Promise.all(Promise.race(later(NO), Work()()), Promise.any(later(NO), Work()())),
}


@pytest.mark.parametrize("scene", FINISHED.values(), ids=FINISHED)
async def test_a_finished_combinator_leaves_nothing_for_the_cycle_collector(scene, reports) -> None:
    await outcome(scene())
    await turns()
    gc.collect()
    with without_collector():
        await outcome(scene())
        await turns()
        reports.clear()
        assert 0 == gc.collect()


# --------------------------------------------------------------------------------------------------- outcomes as values

ERROR = ValueError("no")


def test_outcomes_are_matched_on() -> None:
    def told(settled: object) -> object:
        match settled:
            case Fulfilled(found):
                return "value", found
            case Rejected(reason):
                return "reason", reason

    assert [("value", 1), ("reason", ERROR)] == [told(Fulfilled(1)), told(Rejected(ERROR))]


def test_outcomes_have_the_words_of_javascript() -> None:
    assert ("fulfilled", 1) == (Fulfilled(1).status, Fulfilled(1).value)
    assert ("rejected", ERROR) == (Rejected(ERROR).status, Rejected(ERROR).reason)


def test_outcomes_read_as_they_are_written() -> None:
    assert ["Fulfilled('a')", "Rejected(ValueError('no'))"] == [repr(Fulfilled("a")), repr(Rejected(ERROR))]


def test_outcomes_are_values() -> None:
    assert Fulfilled([1]) == Fulfilled([1])
    assert Fulfilled(1) != Fulfilled(2)
    assert Rejected(ERROR) != Rejected(ValueError("no"))
    assert Fulfilled(ERROR) != Rejected(ERROR)
    assert Fulfilled(1) != 1
    assert 2 == len({Fulfilled(1), Fulfilled(1), Rejected(ERROR), Rejected(ERROR)})
    assert Fulfilled(1) == pickle.loads(pickle.dumps(Fulfilled(1)))


@pytest.mark.parametrize(("settled", "name"), [(Fulfilled(1), "value"), (Rejected(ERROR), "reason")])
def test_outcomes_do_not_change(settled, name) -> None:
    with pytest.raises(AttributeError):
        setattr(settled, name, 2)
    with pytest.raises(AttributeError):
        settled.other = 2


def test_outcomes_are_told_apart() -> None:
    outcomes = [Fulfilled(None), Rejected(ERROR)]
    assert [True, False] == [is_fulfilled(one) for one in outcomes]
    assert [False, True] == [is_rejected(one) for one in outcomes]


def test_all_fulfilled_gives_the_values() -> None:
    assert [] == all_fulfilled([])
    assert [1, None] == all_fulfilled(Fulfilled(one) for one in (1, None))


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [([ERROR, KeyError("lost")], ExceptionGroup), ([ERROR, CancelledError()], BaseExceptionGroup)],
    ids=["exceptions", "one is cancelled"],
)
def test_all_fulfilled_raises_the_reasons_in_their_order(reasons, kind) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        all_fulfilled([Rejected(reasons[0]), Fulfilled(1), Rejected(reasons[1])])
    assert (kind, tuple(reasons)) == (type(caught.value), caught.value.exceptions)
    assert "2 of 3 were rejected" == caught.value.message


async def test_futures_that_nobody_else_holds_are_not_taken_for_one() -> None:
    """A new one may get the place in memory, and so the id, of one that is done."""

    class Large(asyncio.Future):
        """Of a size that nothing else has here."""

        __slots__ = ("a", "b", "c", "d", "e", "f")

    def done(number: int) -> asyncio.Future:
        future = Large()
        future.set_result(number)
        return future

    assert [*range(100)] == await Promise.all(done(number) for number in range(100))


def test_all_fulfilled_needs_outcomes() -> None:
    with pytest.raises(TypeError) as caught:
        all_fulfilled([Fulfilled(1), 2])
    assert "all_fulfilled() needs the outcomes from all_settled(), got 2" == str(caught.value)


@pytest.mark.parametrize("kind", [Fulfilled, Rejected])
def test_an_outcome_has_one_content(kind) -> None:
    with pytest.raises(TypeError):
        kind()


async def test_a_race_of_futures_that_are_done_goes_to_the_first() -> None:
    """No callback is left on the others."""
    futures = [asyncio.get_running_loop().create_future() for _ in range(3)]
    for number, future in enumerate(futures):
        future.set_result(number)
    assert 0 == await Promise.race(futures)
