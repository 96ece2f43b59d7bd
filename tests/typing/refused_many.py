"""Combinators that a checker refuses: a line that ends in `refused:` and a code gets that error, and no other any."""

from concurrent.futures import ThreadPoolExecutor
from typing import TypedDict

from aiopromise import Fulfilled, Promise, all_fulfilled, is_fulfilled
from handlers import describe, text, work


def combinators_take_awaitables(promise: Promise[int]) -> None:
    Promise.all(1, 2)  # refused: call-overload
    Promise.all([1, 2])  # refused: arg-type
    Promise.all("ab")  # refused: arg-type
    Promise.all(work)  # refused: call-overload
    Promise.all(promise, losers="drop")  # refused: call-overload
    Promise.race([promise], [promise])  # refused: call-overload
    Promise.some("2", promise)  # refused: call-overload
    Promise.some(promise)  # refused: call-overload
    Promise.all_keyed([promise])  # refused: arg-type
    Promise.all_keyed({"one": 1})  # refused: arg-type
    Promise.all_keyed(one=promise)  # refused: call-arg
    wrong: Promise[tuple[int, str]] = Promise.all(promise, promise)  # refused: assignment
    print(wrong)


class Pending(TypedDict):
    """Has a promise for each key; but no checker takes it for a mapping of promises."""

    size: Promise[int]
    name: Promise[str]


def keys_have_one_type(pending: Pending) -> None:
    Promise.all_keyed(pending)  # refused: arg-type


def items_fit_their_function() -> None:
    Promise.map([1], 3)  # refused: call-overload
    Promise.map(3, text)  # refused: call-overload
    Promise.map(["one"], text)  # refused: arg-type
    Promise.map_unordered([1], text).then(print)  # refused: attr-defined
    Promise.filter(["one"], text)  # refused: arg-type
    Promise.reduce([1], text, 0)  # refused: arg-type
    Promise.reduce([1], pow)  # refused: call-overload
    Promise.each([1], text, on_progress=describe)  # refused: arg-type


def executors_submit(threads: ThreadPoolExecutor) -> None:
    Promise.submit(threads, text, "one")  # refused: arg-type
    Promise.submit(threads, text)  # refused: call-arg
    Promise.submit(3, text, 1)  # refused: arg-type
    Promise.map(["one"], text, executor=threads)  # refused: arg-type
    Promise.map([1], text, executor=3)  # refused: call-overload


def outcomes_are_not_values() -> None:
    is_fulfilled(3)  # refused: arg-type
    all_fulfilled([1, 2])  # refused: arg-type
    Fulfilled()  # refused: call-arg
