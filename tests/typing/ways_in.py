"""What type a promise has, by the way it was made."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Generator
from typing import Any, Generic, Never, TypeVar, assert_type

from aiopromise import Promise, Reject, Resolve, Resolvers, Thenable, promisify
from handlers import Row, row, work

T = TypeVar("T")
U = TypeVar("U")


class Answer:
    """Awaitable by its own `__await__`."""

    def __await__(self) -> Generator[Any, Any, int]:
        yield
        return 42


class Query(Thenable[Row]):
    """Followed through its own `then`."""

    def then(self, resolve: Resolve[Row], reject: Reject, /) -> None:
        resolve(Row())


class Foreign:
    """An object of another library, which knows nothing of this one."""

    def then(self, resolve: Callable[[int], object], reject: Callable[[BaseException], object]) -> None:
        resolve(1)


class Elsewhere(Generic[T]):
    """A promise of another library, with a `then` that makes the next one."""

    def __init__(self, content: T) -> None:
        self.content = content

    def then(
        self, on_fulfilled: Callable[[T], U], on_rejected: Callable[[Exception], U] | None = None
    ) -> "Elsewhere[U]":
        return Elsewhere(on_fulfilled(self.content))


async def from_awaitables(
    task: asyncio.Task[int], future: asyncio.Future[str], job: concurrent.futures.Future[bytes]
) -> None:
    assert_type(Promise(work()), Promise[int])
    assert_type(Promise(task), Promise[int])
    assert_type(Promise(future), Promise[str])
    assert_type(Promise(job), Promise[bytes])
    assert_type(Promise(Promise(row())), Promise[Row])
    assert_type(Promise(Answer()), Promise[int])
    assert_type(Promise(Query()), Promise[Row])
    assert_type(await Promise(work()), int)


async def from_executors() -> None:
    def executor(resolve: Resolve[int], reject: Reject) -> None:
        resolve(work())
        reject(KeyError("name"))

    def nothing(resolve: Resolve[None], reject: Reject) -> None:
        resolve(None)

    assert_type(Promise(executor), Promise[int])
    assert_type(Promise(nothing), Promise[None])
    assert_type(Promise[int](lambda resolve, reject: resolve(1)), Promise[int])
    declared: Promise[int] = Promise(lambda resolve, reject: resolve(work()))
    assert_type(declared, Promise[int])


async def from_values() -> None:
    assert_type(Promise.resolve(1), Promise[int])
    assert_type(Promise.resolve(None), Promise[None])
    assert_type(Promise.resolve(), Promise[None])
    assert_type(Promise.resolve(work()), Promise[int])
    assert_type(Promise.resolve(Promise.resolve("a")), Promise[str])
    assert_type(Promise.resolve(Query()), Promise[Row])
    assert_type(Promise.reject(KeyError("name")), Promise[Never])
    assert_type(Promise.reject(asyncio.CancelledError()), Promise[Never])
    assert_type(Promise.delay(1), Promise[None])
    assert_type(Promise.delay(0.5, "late"), Promise[str])
    assert_type(Promise.from_thenable(Query()), Promise[Row])
    assert_type(Promise.from_thenable(Foreign()), Promise[int])
    assert_type(Promise.from_thenable(Elsewhere[str]("elsewhere")), Promise[str])


async def from_functions() -> None:
    def add(left: int, right: int = 0, *, label: str = "") -> float:
        return left / right

    assert_type(Promise.try_(work), Promise[int])
    assert_type(Promise.try_(add, 1, right=2, label="sum"), Promise[float])
    assert_type(Promise.try_(lambda: Promise.resolve("a")), Promise[str])


async def from_resolvers() -> None:
    made = Promise[int].with_resolvers()
    assert_type(made, Resolvers[int])
    promise, resolve, reject = made
    assert_type(promise, Promise[int])
    assert_type(made.promise, Promise[int])
    assert_type(resolve, Resolve[int])
    assert_type(reject, Reject)
    resolve(1)
    resolve(work())
    reject(OSError("gone"))


class Shop:
    """Has promisified methods of each kind."""

    @promisify
    async def price(self, name: str) -> float:
        return float(len(name))

    @promisify
    def count(self, name: str, *, minimum: int = 0) -> int:
        return max(len(name), minimum)

    @classmethod
    @promisify
    async def open(cls, city: str) -> "Shop":
        return cls()

    @staticmethod
    @promisify
    def close(city: str) -> None: ...


async def from_promisify(shop: Shop) -> None:
    @promisify
    async def fetch(url: str, *, retries: int = 3) -> bytes:
        return url.encode()

    @promisify
    def parse(page: bytes) -> list[str]:
        return page.decode().split()

    assert_type(fetch("/", retries=1), Promise[bytes])
    assert_type(parse(b""), Promise[list[str]])
    assert_type(fetch("/").then(parse), Promise[list[str]])
    assert_type(shop.price("tea"), Promise[float])
    assert_type(shop.count("tea", minimum=1), Promise[int])
    assert_type(Shop.open("Bath"), Promise[Shop])
    assert_type(Shop.close("Bath"), Promise[None])


class Deferred(Thenable[T]):
    """Holds a value of any type, and gives it when it is followed."""

    def __init__(self, content: T) -> None:
        self.content = content

    def then(self, resolve: Resolve[T], reject: Reject, /) -> None:
        resolve(self.content)

    def map(self, function: Callable[[T], U]) -> "Deferred[U]":
        """Hold another value."""
        return Deferred(function(self.content))


class Waiters(Generic[T]):
    """Keeps resolvers, and settles them all at once."""

    def __init__(self) -> None:
        self.waiting: list[Resolvers[T]] = []

    def wait(self) -> Promise[T]:
        """Give a promise that another settles."""
        self.waiting.append(Promise[T].with_resolvers())
        return self.waiting[-1].promise

    def settle(self, value: T) -> None:
        """Settle all of them."""
        for waiter in self.waiting:
            waiter.resolve(value)


def after(seconds: float, value: T) -> Promise[T]:
    """Make a promise with an executor that is a closure."""

    def executor(resolve: Resolve[T], reject: Reject) -> None:
        asyncio.get_running_loop().call_later(seconds, resolve, value)

    return Promise(executor)


def emitter(callback: Callable[[int], object], on_error: Callable[[BaseException], object]) -> None:
    """Call back, as an interface of old does."""
    callback(7)


async def thenables_are_followed(number: Promise[int]) -> None:
    deferred = Deferred("word")
    assert_type(await deferred, str)
    assert_type(Promise(deferred), Promise[str])
    assert_type(Promise.resolve(deferred), Promise[str])
    assert_type(Promise.from_thenable(deferred), Promise[str])
    assert_type(Promise.from_thenable(deferred.map(len)), Promise[int])
    assert_type(Promise.from_thenable(Deferred(Row())).then(lambda found: found.name), Promise[str])
    assert_type(number.then(Deferred), Promise[int])
    assert_type(number.then(lambda value: Deferred([value])), Promise[list[int]])
    assert_type(number.then(lambda _: Query()), Promise[Row])
    assert_type(Promise.all(deferred, Query(), Answer()), Promise[tuple[str, Row, int]])
    assert_type(Promise.try_(Deferred, "word"), Promise[str])
    assert_type(Promise.all_settled([deferred]).then(len), Promise[int])


async def executors_are_functions(number: Promise[int]) -> None:
    waiters = Waiters[str]()
    waiting = waiters.wait()
    waiters.settle("word")
    assert_type(waiting, Promise[str])
    assert_type(waiters.waiting[0], Resolvers[str])
    assert_type(waiters.waiting[0].resolve, Resolve[str])
    assert_type(after(0, "word"), Promise[str])
    assert_type(after(0, Row()).then(lambda found: found.name), Promise[str])
    assert_type(Promise[int](emitter), Promise[int])
    assert_type(Promise[int](lambda resolve, reject: emitter(resolve, reject)), Promise[int])
    assert_type(Promise[str](lambda resolve, reject: resolve(number.then(str))), Promise[str])
    assert_type(Promise[None](lambda resolve, reject: resolve()), Promise[None])
    assert_type(Promise[list[int]].with_resolvers(), Resolvers[list[int]])


async def other_awaitables_are_followed(number: Promise[int]) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Row] = loop.create_future()
    future.set_result(Row())
    assert_type(Promise(future), Promise[Row])
    assert_type(Promise(asyncio.create_task(work())), Promise[int])
    assert_type(Promise(asyncio.wait_for(work(), 1)), Promise[int])
    assert_type(Promise(asyncio.shield(number)), Promise[int])
    assert_type(Promise(asyncio.ensure_future(row())), Promise[Row])
    assert_type(Promise(asyncio.gather(work(), row())), Promise[tuple[int, Row]])
    assert_type(Promise(asyncio.open_connection("localhost", 1)).catch(lambda _: None).then(bool), Promise[bool])
    assert_type(Promise(asyncio.Event().wait()).timeout(0, fallback=False), Promise[bool])
    assert_type(Promise(asyncio.Queue[int]().get()).timeout(0, fallback=None), Promise[int | None])
    assert_type(Promise.resolve(future).shield(), Promise[Row])
