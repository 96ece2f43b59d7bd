"""Links that a checker refuses: a line that ends in `refused:` and a code gets that error, and no other any."""

import asyncio

from aiopromise import Promise, chain, pipe
from handlers import (
    clean_up,
    describe,
    length,
    on_cancelled,
    on_key_error,
    on_key_or_os_error,
    recover,
    row,
    text,
    work,
)


def then_takes_functions_of_the_value(promise: Promise[int]) -> None:
    promise.then(3)  # refused: call-overload
    promise.then(work())  # refused: call-overload
    promise.then(work)  # refused: arg-type
    promise.then(length)  # refused: arg-type
    promise.then(describe, length)  # refused: arg-type
    promise.then(describe, on_key_error)  # refused: arg-type
    promise.then(lambda value: value.missing)  # refused: attr-defined
    promise.then(describe, recover, clean_up)  # refused: call-overload


def a_link_has_the_type_of_its_handler(promise: Promise[int]) -> None:
    number: Promise[int] = promise.then(describe)  # refused: arg-type
    caught: Promise[int] = promise.catch(recover)  # refused: arg-type
    chained: Promise[float] = promise.then(describe).then(text)  # refused: arg-type
    print(number, caught, chained)


def catch_takes_exception_types_and_their_handler(promise: Promise[int]) -> None:
    promise.catch()  # refused: call-overload
    promise.catch(3)  # refused: call-overload
    promise.catch("KeyError", recover)  # refused: call-overload
    promise.catch(int, recover)  # refused: arg-type, type-var
    promise.catch(KeyError(), recover)  # refused: call-overload
    promise.catch(OSError, on_key_error)  # refused: arg-type
    promise.catch(recover, KeyError)  # refused: call-overload
    promise.catch((OSError, EOFError), on_key_or_os_error)  # refused: arg-type
    promise.catch(on_cancelled)  # refused: arg-type
    promise.catch(asyncio.CancelledError, recover)  # refused: arg-type
    promise.tap_catch(on_key_error)  # refused: arg-type
    promise.tap_catch(OSError, on_key_error)  # refused: arg-type


def finally_takes_no_argument(promise: Promise[int]) -> None:
    promise.finally_(describe)  # refused: arg-type
    promise.finally_(clean_up())  # refused: arg-type
    promise.finally_()  # refused: call-arg
    promise.tap(clean_up)  # refused: arg-type
    promise.tap(length)  # refused: arg-type


def spread_needs_a_tuple_that_fits(pair: Promise[tuple[str, int]], number: Promise[int]) -> None:
    def join(name: str, size: int) -> str:
        return name * size

    def swapped(size: int, name: str) -> str:
        return name * size

    pair.spread(join).then(describe)  # refused: arg-type
    pair.spread(swapped)  # refused: arg-type
    pair.spread(length)  # refused: arg-type
    number.spread(describe)  # refused: arg-type, misc


def times_are_numbers(promise: Promise[int]) -> None:
    promise.timeout("1")  # refused: call-overload
    promise.timeout()  # refused: call-overload
    promise.timeout(1, "late")  # refused: call-overload
    number: Promise[int] = promise.timeout(1, fallback="late")  # refused: arg-type
    print(number)


def a_future_is_asked_as_a_future(promise: Promise[int]) -> None:
    promise.add_done_callback(describe)  # refused: arg-type
    promise.add_done_callback(clean_up)  # refused: arg-type
    promise.set_result(1)  # refused: attr-defined
    promise.result(1)  # refused: call-arg
    len(promise)  # refused: arg-type


def a_chain_is_of_awaitables() -> None:
    chain(1, 2)  # refused: call-overload
    chain(work)  # refused: call-overload
    chain(work() for _ in range(2))  # refused: call-overload
    chain(work()).then(describe)  # refused: arg-type
    chain(work()).tap(print)  # refused: attr-defined


def the_stages_of_a_pipe_fit() -> None:
    pipe(describe, describe)  # refused: arg-type
    pipe(describe, length)("one")  # refused: arg-type
    pipe(row, length)  # refused: arg-type
    pipe(3)  # refused: call-overload
    pipe()  # refused: call-overload
