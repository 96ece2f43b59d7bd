"""Ways in that a checker refuses: a line that ends in `refused:` and a code gets that error, and no other any."""

import asyncio
from collections.abc import Callable

from aiopromise import Promise, Reject, Resolve, Thenable, on_unhandled_rejection, promisify
from handlers import describe, row, work


def a_source_is_an_awaitable_or_an_executor() -> None:
    Promise(3)  # refused: call-overload
    Promise("later")  # refused: call-overload
    Promise(work)  # refused: arg-type
    Promise(lambda: 1)  # refused: arg-type, misc
    Promise()  # refused: call-overload
    Promise(source=work())  # refused: call-overload


def an_executor_resolves_with_its_type() -> None:
    def executor(resolve: Resolve[int], reject: Reject) -> None:
        resolve("one")  # refused: arg-type
        resolve()  # refused: call-arg
        resolve(row())  # refused: arg-type
        reject("no")  # refused: arg-type
        reject(OSError)  # refused: arg-type

    text: Promise[str] = Promise(executor)  # refused: arg-type
    print(text)


def factories_are_called_on_the_class(promise: Promise[int]) -> None:
    promise.map([1], str)  # refused: attr-defined
    promise.map_unordered([1], str)  # refused: attr-defined


def reasons_are_exceptions() -> None:
    Promise.reject("no")  # refused: arg-type
    Promise.reject(ValueError)  # refused: arg-type
    Promise.reject()  # refused: call-arg


def a_promise_of_one_type_is_not_one_of_another() -> None:
    text: Promise[str] = Promise.resolve(1)  # refused: arg-type
    number: Promise[int] = Promise(row())  # refused: arg-type
    flag: Promise[bool] = Promise(work())  # refused: arg-type
    print(text, number, flag)


async def a_promise_is_no_future(promise: Promise[int]) -> None:
    await asyncio.wait([promise])  # refused: type-var
    future: asyncio.Future[int] = promise  # refused: assignment
    print(future)


def functions_are_called_with_their_arguments() -> None:
    Promise.try_(describe)  # refused: call-overload
    Promise.try_(describe, "one")  # refused: call-overload
    Promise.try_(3)  # refused: call-overload
    promisify(describe)("one")  # refused: arg-type
    promisify(describe)()  # refused: call-arg
    promisify(3)  # refused: call-overload
    Promise.delay("soon")  # refused: call-overload
    Promise.delay(1, "tick", 3)  # refused: call-overload


def resolvers_have_the_type_of_their_promise() -> None:
    promise, resolve, reject = Promise[int].with_resolvers()
    resolve("one")  # refused: arg-type
    reject(KeyError)  # refused: arg-type
    asyncio.get_running_loop().call_later(1, resolve, "one")  # refused: arg-type
    text: Promise[str] = promise  # refused: assignment
    print(text)


class Unfinished(Thenable[int]):
    """Lacks the `then` that it promises."""


class Wrong(Thenable[int]):
    """Resolves with another type than it promises."""

    def then(self, resolve: Resolve[int], reject: Reject, /) -> None:
        resolve("one")  # refused: arg-type


class OneWay:
    """Has a `then` that cannot reject."""

    def then(self, resolve: Callable[[int], object]) -> None: ...


def a_thenable_has_then() -> None:
    Unfinished()  # refused: abstract
    Promise.from_thenable(3)  # refused: call-overload
    Promise.from_thenable(OneWay())  # refused: call-overload


def callbacks_are_told_of_rejections() -> None:
    on_unhandled_rejection(lambda: None)  # refused: arg-type, misc
    on_unhandled_rejection(describe)  # refused: arg-type


class Derived(Promise[int]):  # refused: misc
    """Extends what is final."""
