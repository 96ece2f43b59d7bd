"""What type each link of a promise has."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, NoReturn, assert_type

from aiopromise import Promise, Settled
from handlers import (
    Row,
    clean_up,
    describe,
    describe_if_any,
    double,
    either,
    half,
    length,
    on_cancelled,
    on_four,
    on_key_error,
    on_key_or_os_error,
    on_three,
    promised,
    recover,
    rescue,
    row,
    started,
    text,
)


def then_takes_named_handlers(promise: Promise[int]) -> None:
    assert_type(promise.then(double), Promise[int])
    assert_type(promise.then(describe), Promise[str])
    assert_type(promise.then(half), Promise[float])
    assert_type(promise.then(promised), Promise[str])
    assert_type(promise.then(started), Promise[str])
    assert_type(promise.then(either), Promise[str])
    assert_type(promise.then(print), Promise[None])
    assert_type(promise.then(str), Promise[str])
    assert_type(promise.then(abs), Promise[int])
    assert_type(promise.then(None), Promise[int])
    assert_type(promise.then(), Promise[int])


def then_takes_lambdas(promise: Promise[int]) -> None:
    assert_type(promise.then(lambda value: value + 1), Promise[int])
    assert_type(promise.then(lambda value: f"{value}"), Promise[str])
    assert_type(promise.then(lambda value: describe(value)), Promise[str])
    assert_type(promise.then(lambda value: promised(value)), Promise[str])
    assert_type(promise.then(lambda _: None), Promise[None])
    assert_type(promise.then(lambda value: [value]).then(lambda values: values[0]), Promise[int])


def then_takes_what_gives_an_awaitable_or_a_value(promise: Promise[int]) -> None:
    assert_type(promise.then(lambda value: describe(value) if value else None), Promise[str | None])
    assert_type(promise.then(lambda value: describe(value) if value else "none"), Promise[str])
    assert_type(promise.then(describe_if_any), Promise[str | None])
    declared: Promise[str | None] = promise.then(lambda value: describe(value) if value else None)
    assert_type(declared, Promise[str | None])


def then_takes_both_handlers(promise: Promise[int]) -> None:
    assert_type(promise.then(describe, recover), Promise[str | bytes])
    assert_type(promise.then(describe, rescue), Promise[str | bytes])
    assert_type(promise.then(text, recover), Promise[str | bytes])
    assert_type(promise.then(text, rescue), Promise[str | bytes])
    assert_type(promise.then(text, lambda error: error), Promise[str | Exception])
    assert_type(promise.then(None, recover), Promise[int | bytes])
    assert_type(promise.then(None, rescue), Promise[int | bytes])
    assert_type(promise.then(on_rejected=recover), Promise[int | bytes])
    assert_type(promise.then(on_rejected=rescue), Promise[int | bytes])
    assert_type(promise.then(on_fulfilled=text, on_rejected=None), Promise[str])


def catch_takes_types_first(promise: Promise[int]) -> None:
    assert_type(promise.catch(recover), Promise[int | bytes])
    assert_type(promise.catch(rescue), Promise[int | bytes])
    assert_type(promise.catch(lambda error: error), Promise[int | Exception])
    assert_type(promise.catch(lambda _: 0), Promise[int])
    assert_type(promise.catch(KeyError, on_key_error), Promise[int | bytes])
    assert_type(promise.catch(KeyError, recover), Promise[int | bytes])
    assert_type(promise.catch(KeyError, lambda error: error), Promise[int | KeyError])
    assert_type(promise.catch(OSError, lambda error: error.errno or 0), Promise[int])
    assert_type(promise.catch((KeyError, OSError), on_key_or_os_error), Promise[int | bytes])
    assert_type(promise.catch((KeyError, OSError, EOFError), on_three), Promise[int | bytes])
    assert_type(promise.catch((KeyError, OSError, EOFError, NameError), on_four), Promise[int | bytes])
    assert_type(promise.catch(asyncio.CancelledError, on_cancelled), Promise[int | bytes])
    assert_type(promise.catch(asyncio.CancelledError, lambda error: repr(error)), Promise[int | str])


async def give_up_later(error: Exception) -> NoReturn:
    raise error


def give_up(error: Exception) -> NoReturn:
    raise error


def catch_of_what_always_raises_keeps_the_type(promise: Promise[int]) -> None:
    assert_type(promise.catch(give_up_later), Promise[int])
    assert_type(promise.catch(OSError, give_up_later), Promise[int])
    assert_type(promise.catch(give_up), Promise[int])


def catch_takes_an_empty_list_where_the_type_is_declared(rows: Promise[list[int]]) -> None:
    declared: Promise[list[int]] = rows.catch(OSError, lambda error: [])
    assert_type(declared, Promise[list[int]])


def catch_takes_a_tuple_of_any_length(promise: Promise[int], types: tuple[type[OSError], ...]) -> None:
    assert_type(promise.catch(types, lambda error: error.strerror), Promise[int | str | None])
    assert_type(promise.catch(types, recover), Promise[int | bytes])


def finally_and_taps_let_the_value_pass(promise: Promise[int]) -> None:
    assert_type(promise.finally_(clean_up), Promise[int])
    assert_type(promise.finally_(lambda: print("done")), Promise[int])
    assert_type(promise.tap(print), Promise[int])
    assert_type(promise.tap(describe), Promise[int])
    assert_type(promise.tap(lambda value: value.bit_length()), Promise[int])
    assert_type(promise.tap_catch(recover), Promise[int])
    assert_type(promise.tap_catch(print), Promise[int])
    assert_type(promise.tap_catch(KeyError, on_key_error), Promise[int])
    assert_type(promise.tap_catch((KeyError, OSError), on_key_or_os_error), Promise[int])
    assert_type(promise.tap_catch((KeyError, OSError, EOFError), on_three), Promise[int])
    assert_type(promise.tap_catch((KeyError, OSError, EOFError, NameError), on_four), Promise[int])
    assert_type(promise.tap_catch(asyncio.CancelledError, lambda error: error.args), Promise[int])


class Point(NamedTuple):
    """A row with names."""

    name: str
    size: int


def spread_gives_each_its_argument(promise: Promise[tuple[str, int]]) -> None:
    async def join(name: str, size: int) -> list[str]:
        return [name] * size

    assert_type(promise.spread(join), Promise[list[str]])
    assert_type(promise.spread(lambda name, size: name * size), Promise[str])
    assert_type(promise.spread(Point), Promise[Point])


def timeout_adds_the_type_of_its_fallback(promise: Promise[int]) -> None:
    assert_type(promise.timeout(1), Promise[int])
    assert_type(promise.timeout(None), Promise[int])
    assert_type(promise.timeout(0.5, fallback=0), Promise[int])
    assert_type(promise.timeout(0.5, fallback=None), Promise[int | None])
    assert_type(promise.shield(), Promise[int])
    assert_type(promise.settled(), Promise[Settled[int]])


async def ten_links_keep_their_types() -> None:
    promise = (
        Promise(row())
        .then(lambda found: found.name)
        .then(length)
        .then(half)
        .then(lambda size: size > 1)
        .then(lambda big: Promise.resolve([big]))
        .tap(print)
        .catch(KeyError, lambda error: [])
        .then(lambda flags: len(flags))
        .finally_(clean_up)
        .timeout(3)
    )
    assert_type(promise, Promise[int])
    assert_type(await promise, int)


def a_promise_is_covariant(flag: Promise[bool], rows: list[Promise[Row]]) -> None:
    number: Promise[int | str] = flag
    objects: Sequence[Promise[object]] = rows
    never: Promise[int] = Promise.reject(OSError("gone"))
    print(number, objects, never)
