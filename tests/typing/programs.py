"""Programs as users write them: classes with promises in them, generic helpers, pages that are fetched and counted."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, NamedTuple, NewType, Protocol, Self, TypedDict, TypeVar, assert_type

from aiopromise import Fulfilled, Promise, Reject, Resolve, Settled, all_fulfilled, is_fulfilled, promisify
from handlers import Row, clean_up, describe, double, find, length, row, text, work

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K")
V = TypeVar("V")
UserId = NewType("UserId", int)

request_id: ContextVar[str] = ContextVar("request_id", default="none")


class HttpError(Exception):
    """Has a status."""

    def __init__(self, status: int = 404) -> None:
        self.status = status


class Retry(HttpError):
    """Is one of them."""

    after: float = 0.5


@dataclass
class Response:
    """What a server answers."""

    status: int = 200
    body: bytes = b'{"id": 7, "name": "Ada"}'
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Parse it."""
        return json.loads(self.body)

    async def read(self) -> bytes:
        """Read it later."""
        return self.body


class User(NamedTuple):
    """Made of two values."""

    id: UserId
    name: str


class Account(TypedDict):
    """A dict of known keys."""

    user: User
    size: int


@dataclass(frozen=True)
class Result(Generic[T_co]):
    """What has been found, and how long it took."""

    value: T_co
    seconds: float = 0.0


class Client:
    """Gives promises."""

    base: ClassVar[str] = "/"

    @promisify
    async def get(self, path: str, *, retries: int = 1) -> Response:
        """Ask for a page."""
        return Response(headers={"path": path})

    @promisify
    def head(self, path: str) -> int:
        """Ask for its status."""
        return len(path)

    def user(self, user_id: UserId) -> Promise[User]:
        """Be a chain of links."""
        return (
            self.get(f"/users/{user_id}")
            .then(lambda response: response.json())
            .then(lambda data: User(UserId(data["id"]), data["name"]))
            .catch(HttpError, lambda error: User(UserId(0), "nobody"))
        )

    def names(self, ids: Iterable[UserId]) -> Promise[list[str]]:
        """Be a combinator with a link."""
        return Promise.all(self.user(each) for each in ids).then(lambda users: [user.name for user in users])

    def either(self, first: UserId, second: UserId) -> Promise[str]:
        """Be the first of two."""
        return Promise.any(self.user(first), self.user(second)).then(lambda user: user.name)

    def account(self, user_id: UserId) -> Promise[Account]:
        """Be a dict of several."""
        return Promise.all(self.user(user_id), self.head("/")).spread(lambda user, size: Account(user=user, size=size))


class Store(ABC, Generic[K, V]):
    """Is to be overridden."""

    @abstractmethod
    def load(self, key: K) -> Promise[V | None]:
        """Give a value, or None."""

    @promisify
    async def size(self, key: K) -> int:
        """Be overridden by another that is promisified."""
        return 0

    def load_all(self, keys: Iterable[K]) -> Promise[dict[K, V | None]]:
        """Give several."""
        return Promise.all_keyed({key: self.load(key) for key in keys})

    def load_or(self, key: K, default: V) -> Promise[V]:
        """Give a value, or else another."""
        return self.load(key).then(lambda value: default if value is None else value)


class Memory(Store[str, int]):
    """Overrides both."""

    def __init__(self) -> None:
        self.values = {"one": 1}

    def load(self, key: str) -> Promise[int | None]:
        """Take it from a dict."""
        return Promise.resolve(self.values.get(key))

    @promisify
    async def size(self, key: str) -> int:
        """Call the other."""
        return await super().size(key) + self.values[key]


class Lazy:
    """Computes once, and gives the same promise to all."""

    started: int = 0

    @cached_property
    def rows(self) -> Promise[list[Row]]:
        """Be a promise in an attribute."""
        return Promise.all([row(), row()])

    @property
    def first(self) -> Promise[Row]:
        """Be a link of it."""
        return self.rows.then(lambda rows: rows[0])

    def start(self) -> Self:
        """Be fluent."""
        self.started += 1
        return self

    @classmethod
    def opened(cls) -> Promise[Self]:
        """Be a constructor that takes time."""
        return Promise.delay(0).then(lambda _: cls())


class HasTitle(Protocol):
    """Anything with a title."""

    @property
    def title(self) -> str: ...


@dataclass
class Article:
    """Has one."""

    title: str = "title"


class Loader(Protocol[T_co]):
    """Gives a promise when called."""

    def __call__(self) -> Promise[T_co]: ...


def titles(things: Iterable[HasTitle]) -> list[str]:
    """Take a protocol."""
    return [thing.title for thing in things]


def timed(promise: Promise[T]) -> Promise[Result[T]]:
    """Wrap whatever it is."""
    return promise.then(lambda value: Result(value))


def retrying(function: Callable[[], Awaitable[T]], times: int = 3) -> Promise[T]:
    """Try again."""
    attempt = Promise.try_(function)
    return attempt.catch(HttpError, lambda _: retrying(function, times - 1)) if times else attempt


def first_of(promises: Sequence[Promise[T]]) -> Promise[T]:
    """Race them."""
    return Promise.race(promises)


def with_default(promise: Promise[T], default: V) -> Promise[T | V]:
    """Never fail."""
    return promise.catch(lambda error: default)


def cached(load: Callable[[K], Promise[V]]) -> Callable[[K], Promise[V]]:
    """Keep promises in a dict."""
    known: dict[K, Promise[V]] = {}

    def get(key: K) -> Promise[V]:
        if key not in known:
            known[key] = load(key)
        return known[key]

    return get


def grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    """Group values by their key."""
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def wait_for_event(emit: Callable[[Callable[[str], None]], object]) -> Promise[str]:
    """Turn a callback into a promise."""

    def executor(resolve: Resolve[str], reject: Reject) -> None:
        emit(resolve)

    return Promise(executor)


async def lines() -> AsyncGenerator[str, None]:
    """Give lines as they come."""
    yield "one two"
    yield "three"


@asynccontextmanager
async def connection() -> AsyncIterator[Client]:
    """Open, and close."""
    yield Client()


async def a_client_is_fluent(client: Client) -> None:
    user = client.user(UserId(7))
    assert_type(client.get("/"), Promise[Response])
    assert_type(client.get("/", retries=2), Promise[Response])
    assert_type(client.head("/"), Promise[int])
    assert_type(user, Promise[User])
    assert_type(client.names([UserId(1)]), Promise[list[str]])
    assert_type(client.either(UserId(1), UserId(2)), Promise[str])
    assert_type(client.account(UserId(1)), Promise[Account])
    assert_type(await client.account(UserId(1)), Account)
    assert_type(user.then(lambda found: found.id), Promise[UserId])
    assert_type(user.then(lambda found: found._replace(name="Bob")), Promise[User])
    assert_type(user.spread(lambda user_id, name: name.upper()), Promise[str])
    assert_type(client.get("/").then(Response.read), Promise[bytes])
    assert_type(client.get("/").then(Response.read).then(bytes.decode).then(str.splitlines), Promise[list[str]])
    assert_type(client.get("/").then(lambda response: response.headers.get("path")), Promise[str | None])
    assert_type(client.get("/").then(lambda response: response.read()), Promise[bytes])
    assert_type(client.get("/").then(lambda response: (response.status, response.body)), Promise[tuple[int, bytes]])
    assert_type(client.get("/").then(lambda response: replace(response, status=404)), Promise[Response])
    assert_type(client.get("/").then(Response.json), Promise[Any])
    assert_type(client.head("/").then(lambda status: status == 200), Promise[bool])
    assert_type(Promise.map(["/a", "/b"], client.get), Promise[list[Response]])
    assert_type(Promise.map([UserId(1)], client.user, concurrency=4), Promise[list[User]])
    assert_type(Promise.map(["/a"], lambda path: client.get(path).then(Response.read)), Promise[list[bytes]])


async def stores_override_methods(store: Memory) -> None:
    wider: Store[str, int] = store
    assert_type(store.load("one"), Promise[int | None])
    assert_type(wider.load("one"), Promise[int | None])
    assert_type(store.load_all(["one", "two"]), Promise[dict[str, int | None]])
    assert_type(store.load_or("two", 2), Promise[int])
    assert_type(store.size("one"), Promise[int])
    assert_type(wider.size("one"), Promise[int])
    assert_type(store.load("one").then(lambda value: (value or 0) + 1), Promise[int])
    assert_type(store.load_or("one", 0).then(double).then(text), Promise[str])


async def promises_live_in_attributes(lazy: Lazy) -> None:
    assert_type(lazy.rows, Promise[list[Row]])
    assert_type(lazy.first, Promise[Row])
    assert_type(lazy.start().first.then(lambda found: found.name), Promise[str])
    assert_type(Lazy.opened(), Promise[Lazy])
    assert_type(Lazy.opened().then(lambda made: made.start()), Promise[Lazy])
    assert_type(Lazy.opened().then(Lazy.start), Promise[Lazy])


async def helpers_are_generic(promise: Promise[int], word: Promise[str], found: Promise[Row]) -> None:
    load: Callable[[str], Promise[Row]] = cached(promisify(find))
    loader: Loader[int] = lambda: Promise(work())  # noqa: E731
    assert_type(timed(promise), Promise[Result[int]])
    assert_type(timed(word).then(lambda result: result.value), Promise[str])
    assert_type(retrying(work), Promise[int])
    assert_type(retrying(lambda: Promise.resolve("a")), Promise[str])
    assert_type(retrying(loader), Promise[int])
    assert_type(first_of([promise, promise]), Promise[int])
    assert_type(with_default(promise, None), Promise[int | None])
    assert_type(with_default(found, "none"), Promise[Row | str])
    assert_type(load("one"), Promise[Row])
    assert_type(word.then(load), Promise[Row])
    assert_type(word.then(cached(promisify(length))), Promise[int])
    assert_type(loader(), Promise[int])
    assert_type(wait_for_event(lambda done: done("ready")), Promise[str])
    assert_type(wait_for_event(lambda done: done("ready")).then(len), Promise[int])


async def collections_are_transformed(rows: Promise[list[Row]], words: Promise[list[str]]) -> None:
    numbers = words.then(lambda found: [len(word) for word in found])
    assert_type(numbers, Promise[list[int]])
    assert_type(rows.then(lambda found: {each.name: each for each in found}), Promise[dict[str, Row]])
    assert_type(rows.then(lambda found: found[0]), Promise[Row])
    assert_type(rows.then(lambda found: found[0].name), Promise[str])
    assert_type(rows.then(lambda found: [each.name for each in found]), Promise[list[str]])
    assert_type(rows.then(lambda found: found[:10]), Promise[list[Row]])
    assert_type(words.then(" ".join), Promise[str])
    assert_type(words.then(Counter), Promise[Counter[str]])
    assert_type(words.then(Counter).then(Counter.total), Promise[int])
    assert_type(words.then(lambda found: dict.fromkeys(found, 0)), Promise[dict[str, int]])
    assert_type(words.then(lambda found: list(enumerate(found))), Promise[list[tuple[int, str]]])
    assert_type(words.then(lambda found: sorted(found, key=len)), Promise[list[str]])
    assert_type(words.then(lambda found: max(found, key=len)), Promise[str])
    assert_type(words.then(lambda found: grouped((len(word), word) for word in found)), Promise[dict[int, list[str]]])
    assert_type(words.then(lambda found: sum(map(len, found))), Promise[int])
    assert_type(words.then(lambda found: {*found}), Promise[set[str]])
    assert_type(words.then(lambda found: any(word.isupper() for word in found)), Promise[bool])
    assert_type(numbers.then(lambda found: sum(found) / len(found)), Promise[float])
    assert_type(numbers.then(lambda found: (min(found), max(found))), Promise[tuple[int, int]])
    assert_type(numbers.then(lambda found: [*map(str, found)]), Promise[list[str]])
    assert_type(Promise.resolve([Article()]).then(titles), Promise[list[str]])


async def links_fan_out_and_in(words: Promise[list[str]], promise: Promise[int]) -> None:
    assert_type(words.then(lambda found: Promise.all(find(word) for word in found)), Promise[list[Row]])
    assert_type(words.then(lambda found: Promise.map(found, find)), Promise[list[Row]])
    assert_type(words.then(lambda found: asyncio.gather(*map(find, found))), Promise[list[Row]])
    assert_type(promise.then(lambda value: Promise.all(describe(value), row())), Promise[tuple[str, Row]])
    assert_type(promise.then(lambda value: Promise.race(describe(value), describe(2))), Promise[str])
    assert_type(promise.then(lambda value: Promise.delay(0, value)), Promise[int])
    assert_type(promise.then(lambda value: asyncio.sleep(0, value)), Promise[int])
    assert_type(promise.then(lambda value: asyncio.create_task(describe(value))), Promise[str])
    assert_type(promise.then(lambda value: promise.then(lambda other: other + value)), Promise[int])
    assert_type(Promise.all(promise, words).spread(lambda value, found: found * value), Promise[list[str]])
    assert_type(Promise.all(promise, words).then(lambda both: both[1]), Promise[list[str]])
    assert_type(Promise.all(promise.then(text), promise.then(double)), Promise[tuple[str, int]])
    assert_type(Promise.all(promise, Promise.all(work(), row())), Promise[tuple[int, tuple[int, Row]]])
    assert_type(Promise.all([timed(promise)]), Promise[list[Result[int]]])


async def failures_are_recovered(promise: Promise[int], response: Promise[Response]) -> None:
    def status(error: HttpError) -> int:
        return error.status

    async def wait(error: Retry) -> float:
        return error.after

    def fail(error: Exception) -> int:
        raise HttpError from error

    assert_type(promise.catch(HttpError, status), Promise[int])
    assert_type(promise.catch(Retry, status), Promise[int])
    assert_type(promise.catch(Retry, wait), Promise[int | float])
    assert_type(promise.catch(Retry, wait).catch(HttpError, status), Promise[int | float])
    assert_type(promise.catch(fail), Promise[int])
    assert_type(promise.catch(HttpError, lambda error: error.status), Promise[int])
    assert_type(promise.catch(Retry, lambda error: error.after), Promise[int | float])
    assert_type(promise.catch(Retry, lambda error: Promise.delay(error.after)), Promise[int | None])
    assert_type(promise.catch((HttpError, OSError), lambda error: str(error)), Promise[int | str])
    assert_type(promise.catch((HttpError, OSError), lambda error: None), Promise[int | None])
    assert_type(promise.catch(ExceptionGroup, lambda group: len(group.exceptions)), Promise[int])
    assert_type(promise.catch(KeyboardInterrupt, lambda error: 0), Promise[int])
    assert_type(promise.catch(lambda error: None), Promise[int | None])
    assert_type(promise.catch(lambda error: describe(1)), Promise[int | str])
    assert_type(promise.catch(repr), Promise[int | str])
    assert_type(promise.catch(type), Promise[int | type])
    assert_type(promise.then(text, lambda error: ""), Promise[str])
    assert_type(promise.then(text).catch(str), Promise[str])
    assert_type(response.catch(HttpError, lambda error: Response(error.status)), Promise[Response])
    assert_type(response.catch(HttpError, lambda error: Response(error.status)).then(Response.read), Promise[bytes])
    assert_type(response.tap_catch(HttpError, status).finally_(clean_up), Promise[Response])
    assert_type(response.timeout(1, fallback=Response(504)), Promise[Response])
    assert_type(response.timeout(1).catch(TimeoutError, lambda _: None), Promise[Response | None])
    assert_type(promise.timeout(1, fallback="late").then(str), Promise[str])
    assert_type(promise.catch(HttpError, fail).catch(ValueError, fail), Promise[int])


async def streams_are_read(client: Client) -> None:
    async for words in Promise.map_unordered(lines(), str.split):
        assert_type(words, list[str])
    async with aclosing(Promise.map_unordered(["/a", "/b"], client.get, concurrency=1)) as responses:
        async for response in responses:
            assert_type(response, Response)
    async for place, done in Promise.as_completed(client.get("/a"), client.user(UserId(1))):
        assert_type((place, done), tuple[int, Promise[Response | User]])
        assert_type(await done, Response | User)
    assert_type(Promise.map(lines(), str.split), Promise[list[list[str]]])
    assert_type(Promise.map(lines(), lambda line: find(line), concurrency=2), Promise[list[Row]])
    assert_type(Promise.filter(lines(), lambda line: " " in line), Promise[list[str]])
    assert_type(Promise.reduce(lines(), lambda total, line: total + len(line), 0), Promise[int])
    assert_type(Promise.each(lines(), print), Promise[None])
    assert_type([found async for found in Promise.map_unordered(lines(), len)], list[int])


async def outcomes_are_sorted_out(client: Client, promise: Promise[int]) -> None:
    outcomes = await Promise.all_settled(client.user(UserId(each)) for each in range(3))
    first, second = await Promise.all_settled(promise, client.head("/"))
    assert_type(outcomes, list[Settled[User]])
    assert_type(all_fulfilled(outcomes), list[User])
    assert_type([each.value.name for each in outcomes if is_fulfilled(each)], list[str])
    assert_type([each.value for each in outcomes if isinstance(each, Fulfilled)], list[User])
    assert_type([each.value for each in outcomes if each.status == "fulfilled"], list[User])
    assert_type(first, Settled[int])
    assert_type(first.value if is_fulfilled(first) else None, int | None)
    assert_type((first, second), tuple[Settled[int], Settled[int]])
    assert_type(Promise.all_settled(promise, row()).then(all_fulfilled), Promise[list[int | Row]])
    assert_type(Promise.all_settled([promise]).then(len), Promise[int])
    assert_type(Promise.filter(outcomes, is_fulfilled), Promise[list[Settled[User]]])


async def asyncio_and_promises_mix(promise: Promise[int], word: Promise[str]) -> None:
    async with asyncio.timeout(1):
        assert_type(await promise.then(describe), str)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(describe(await promise))
    async with connection() as client:
        assert_type(await client.user(UserId(1)), User)
    loop = asyncio.get_running_loop()
    assert_type(Promise(task).then(length), Promise[int])
    assert_type(Promise(loop.run_in_executor(None, text, 1)), Promise[str])
    assert_type(Promise(asyncio.to_thread(text, 1)), Promise[str])
    assert_type(Promise(asyncio.gather(promise, word)), Promise[tuple[int, str]])
    assert_type(Promise.resolve(asyncio.wait_for(promise, 1)), Promise[int])
    assert_type(Promise.try_(asyncio.sleep, 0, "slept"), Promise[str])
    assert_type(await promise + await promise.then(double), int)
    assert_type([await each for each in (promise, promise)], list[int])
    assert_type({name: await each for name, each in {"one": word}.items()}, dict[str, str])
    assert_type(promise.then(lambda _: request_id.get()), Promise[str])


async def promises_of_promises_do_not_exist(promise: Promise[int]) -> None:
    nested = promise.then(lambda value: Promise.resolve(value))
    assert_type(nested, Promise[int])
    assert_type(nested.then(lambda value: Promise(describe(value))), Promise[str])
    assert_type(Promise(Promise(describe(1))), Promise[str])
    assert_type(Promise.resolve(promise.then(double)), Promise[int])
    assert_type(Promise.try_(lambda: Promise.try_(describe, 1)), Promise[str])
    assert_type(Promise[int](lambda resolve, reject: resolve(promise)), Promise[int])
    assert_type(promise.then(lambda value: asyncio.shield(Promise.resolve(value))), Promise[int])


async def mappings_and_sequences_of_promises(
    promise: Promise[int], flag: Promise[bool], word: Promise[str], read_only: Mapping[str, Promise[object]]
) -> None:
    table: dict[str, Promise[int]] = {"one": promise}
    mixed: list[Promise[int] | Promise[str]] = [promise, word]
    wide: Sequence[Promise[int | str]] = [promise, word]
    assert_type(Promise.all_keyed(table), Promise[dict[str, int]])
    assert_type(Promise.all_keyed(read_only), Promise[dict[str, object]])
    assert_type(Promise.all_keyed({UserId(1): word}), Promise[dict[UserId, str]])
    assert_type(Promise.all(mixed), Promise[list[int | str]])
    assert_type(Promise.all(wide), Promise[list[int | str]])
    assert_type(Promise.all(table.values()), Promise[list[int]])
    assert_type(Promise.any(each.then(double) for each in table.values()), Promise[int])
    assert_type(Promise.all(promise, flag, word, promise, flag, word), Promise[tuple[int, bool, str, int, bool, str]])
    assert_type(Promise.all([promise, word]), Promise[list[int | str]])
    assert_type(Promise.all_keyed({"one": promise, "two": word}), Promise[dict[str, int | str]])
    assert_type(Promise.race([promise, word]), Promise[int | str])
