"""What may be a handler: everything that can be called."""

import asyncio
import json
import math
import operator
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import lru_cache, partial, wraps
from pathlib import Path
from typing import Any, Generic, NamedTuple, ParamSpec, Protocol, TypedDict, TypeVar, assert_type, overload
from uuid import UUID

from aiopromise import Promise
from handlers import Row, describe, half, text

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
Number = TypeVar("Number", int, float)


class Colour(Enum):
    """Looked up by value."""

    RED = 7


@dataclass
class Page:
    """Made of one value; the rest has defaults."""

    size: int
    links: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, size: int) -> "Page":
        """Make one in another way."""
        return cls(size)

    @staticmethod
    async def load(size: int) -> "Page":
        """Make one later."""
        return Page(size)


class Pair(NamedTuple):
    """A tuple with names."""

    left: int = 0
    right: int = 0


class Options(TypedDict, total=False):
    """A dict with known keys."""

    size: int


@dataclass(frozen=True)
class Box(Generic[T]):
    """Holds a value of any type."""

    content: T

    def put(self, content: U) -> "Box[U]":
        """Hold another value."""
        return Box(content)


class Scale:
    """Has methods of every kind that take a number."""

    def __init__(self, factor: int = 2) -> None:
        self.factor = factor

    def __call__(self, value: int) -> float:
        return value * self.factor / 1

    def method(self, value: int) -> str:
        """Be bound to an object."""
        return str(value * self.factor)

    async def later(self, value: int) -> bytes:
        """Be bound, and async."""
        return bytes(value)

    @classmethod
    def made(cls, value: int) -> "Scale":
        """Be bound to a class."""
        return cls(value)

    @classmethod
    async def made_later(cls, value: int) -> "Scale":
        """Be bound to a class, and async."""
        return cls(value)

    @staticmethod
    def static(value: int) -> complex:
        """Be bound to nothing."""
        return complex(value)


class AsyncScale:
    """Is called, and awaited."""

    async def __call__(self, value: int) -> float:
        return value / 2


class Formatter(Protocol):
    """What can be called with a number, by name or place."""

    def __call__(self, value: int, /, *, width: int = 2) -> str: ...


class Fetcher(Protocol):
    """What gives a promise."""

    def __call__(self, value: int, /) -> Promise[bytes]: ...


def formatted(value: int, /, *, width: int = 2) -> str:
    """Follow the protocol."""
    return f"{value:{width}}"


def fetched(value: int, /) -> Promise[bytes]:
    """Follow the other one."""
    return Promise.resolve(bytes(value))


def identity(value: T) -> T:
    """Give back what it is given."""
    return value


async def echo(value: T) -> T:
    """Give it back later."""
    return value


def boxed(value: T) -> Box[T]:
    """Wrap what it is given."""
    return Box(value)


def doubled(value: Number) -> Number:
    """Take one of two types."""
    return value * 2


def add(left: int, right: int) -> int:
    """Take two numbers."""
    return left + right


async def join(separator: str, value: int, *, end: str = "") -> str:
    """Take more than a handler is given."""
    return separator.join(str(value)) + end


def retried(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Decorate an async function."""

    @wraps(function)
    async def again(*args: P.args, **kwargs: P.kwargs) -> T:
        return await function(*args, **kwargs)

    return again


def logged(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate any function."""
    return function


@retried
async def fetch(value: int) -> bytes:
    """Be decorated, and async."""
    return bytes(value)


@logged
def parse(value: int) -> Fraction:
    """Be decorated."""
    return Fraction(value)


@lru_cache
def cached(value: int) -> Decimal:
    """Be cached."""
    return Decimal(value)


@overload
def either(value: int) -> str: ...
@overload
def either(value: str) -> int: ...
def either(value: int | str) -> int | str:
    """Give the one for the other."""
    return str(value) if isinstance(value, int) else len(value)


def many(*values: int) -> list[int]:
    """Take as many as there are."""
    return list(values)


def optional(value: int, base: int = 10, *, strict: bool = False) -> Page:
    """Need one argument only."""
    return Page(value + base)


def wide(value: object) -> str:
    """Take anything."""
    return repr(value)


def wide_float(value: float) -> Page:
    """Take a wider type."""
    return Page(round(value))


def or_nothing(value: int) -> str | None:
    """Give something, or nothing."""
    return str(value) if value else None


async def or_nothing_later(value: int) -> str | None:
    """Give something later, or nothing."""
    return or_nothing(value)


async def builtins_are_functions(promise: Promise[int], word: Promise[str], numbers: Promise[list[int]]) -> None:
    assert_type(promise.then(hex), Promise[str])
    assert_type(promise.then(repr), Promise[str])
    assert_type(promise.then(chr), Promise[str])
    assert_type(promise.then(bool), Promise[bool])
    assert_type(promise.then(float), Promise[float])
    assert_type(promise.then(bytes), Promise[bytes])
    assert_type(promise.then(range), Promise[range])
    assert_type(promise.then(callable), Promise[bool])
    assert_type(promise.then(id), Promise[int])
    assert_type(word.then(len), Promise[int])
    assert_type(word.then(int), Promise[int])
    assert_type(word.then(list), Promise[list[str]])
    assert_type(word.then(sorted), Promise[list[str]])
    assert_type(word.then(set), Promise[set[str]])
    assert_type(word.then(ascii), Promise[str])
    assert_type(numbers.then(len), Promise[int])
    assert_type(numbers.then(sum), Promise[int])
    assert_type(numbers.then(max), Promise[int])
    assert_type(numbers.then(tuple), Promise[tuple[int, ...]])
    assert_type(numbers.then(any), Promise[bool])
    assert_type(numbers.then(sorted), Promise[list[int]])
    assert_type(numbers.then(iter).then(next), Promise[int])
    assert_type(numbers.then(enumerate).then(dict), Promise[dict[int, int]])


async def the_standard_library_has_handlers(promise: Promise[int], word: Promise[str], pair: Promise[Pair]) -> None:
    assert_type(promise.then(math.sqrt), Promise[float])
    assert_type(promise.then(math.factorial), Promise[int])
    assert_type(promise.then(Decimal), Promise[Decimal])
    assert_type(promise.then(Fraction), Promise[Fraction])
    assert_type(promise.then(timedelta), Promise[timedelta])
    assert_type(promise.then(operator.neg), Promise[int])
    assert_type(promise.then(json.dumps), Promise[str])
    assert_type(promise.then(json.dumps).then(json.loads), Promise[Any])
    assert_type(word.then(Path), Promise[Path])
    assert_type(word.then(Path).then(Path.exists), Promise[bool])
    assert_type(word.then(str.upper), Promise[str])
    assert_type(word.then(str.split), Promise[list[str]])
    assert_type(word.then(str.encode).then(bytes.hex), Promise[str])
    assert_type(promise.then(int.bit_length), Promise[int])
    assert_type(Promise.resolve(0.0).then(asyncio.sleep), Promise[None])
    assert_type(pair.then(operator.attrgetter("left")), Promise[Any])
    assert_type(Promise.resolve("0" * 32).then(UUID), Promise[UUID])


async def classes_are_functions(promise: Promise[int]) -> None:
    assert_type(promise.then(Page), Promise[Page])
    assert_type(promise.then(Page.of), Promise[Page])
    assert_type(promise.then(Page.load), Promise[Page])
    assert_type(promise.then(Pair), Promise[Pair])
    assert_type(promise.then(Box), Promise[Box[int]])
    assert_type(promise.then(Box[int]), Promise[Box[int]])
    assert_type(promise.then(Colour), Promise[Colour])
    assert_type(promise.then(Scale), Promise[Scale])
    assert_type(promise.then(Scale.made), Promise[Scale])
    assert_type(promise.then(Scale.made_later), Promise[Scale])
    assert_type(promise.then(Scale.static), Promise[complex])
    assert_type(promise.then(lambda size: Options(size=size)), Promise[Options])
    assert_type(promise.then(lambda size: Page(size, links=["/"])), Promise[Page])


async def methods_are_bound(promise: Promise[int], scale: Scale) -> None:
    box = Box("content")
    assert_type(promise.then(scale.method), Promise[str])
    assert_type(promise.then(scale.later), Promise[bytes])
    assert_type(promise.then(scale), Promise[float])
    assert_type(promise.then(Scale(3)), Promise[float])
    assert_type(promise.then(AsyncScale()), Promise[float])
    assert_type(promise.then(Scale(3).method).then("a".join), Promise[str])
    assert_type(promise.then(box.put), Promise[Box[int]])
    assert_type(promise.then([1, 2].append), Promise[None])
    assert_type(promise.then({7: "seven"}.get), Promise[str | None])
    assert_type(promise.then({7: "seven"}.__getitem__), Promise[str])
    assert_type(promise.then("{}".format), Promise[str])


async def partials_and_decorated_functions(promise: Promise[int]) -> None:
    assert_type(promise.then(partial(add, 1)), Promise[int])
    assert_type(promise.then(partial(join, "-")), Promise[str])
    assert_type(promise.then(partial(join, "-", end="!")), Promise[str])
    assert_type(promise.then(partial(formatted, width=4)), Promise[str])
    assert_type(promise.then(partial(Page, links=[])), Promise[Page])
    assert_type(promise.then(fetch), Promise[bytes])
    assert_type(promise.then(parse), Promise[Fraction])
    assert_type(promise.then(cached), Promise[Decimal])
    assert_type(promise.then(retried(describe)), Promise[str])
    assert_type(promise.then(logged(half)), Promise[float])
    assert_type(promise.then(logged(describe)), Promise[str])
    assert_type(promise.then(either), Promise[str])
    assert_type(promise.then(either).then(either), Promise[int])


async def parameters_may_be_wider(promise: Promise[int], flag: Promise[bool], scales: Promise[list[Scale]]) -> None:
    def count(values: Sequence[object]) -> int:
        return len(values)

    async def first(values: Iterable[T]) -> T:
        return next(iter(values))

    assert_type(promise.then(wide), Promise[str])
    assert_type(promise.then(wide_float), Promise[Page])
    assert_type(promise.then(many), Promise[list[int]])
    assert_type(promise.then(optional), Promise[Page])
    assert_type(flag.then(text), Promise[str])
    assert_type(flag.then(describe), Promise[str])
    assert_type(scales.then(count), Promise[int])
    assert_type(scales.then(first), Promise[Scale])


async def generic_functions_are_solved(promise: Promise[int], word: Promise[str], row: Promise[Row]) -> None:
    assert_type(promise.then(identity), Promise[int])
    assert_type(promise.then(echo), Promise[int])
    assert_type(promise.then(boxed), Promise[Box[int]])
    assert_type(promise.then(doubled), Promise[int])
    assert_type(word.then(identity).then(len), Promise[int])
    assert_type(word.then(echo).then(boxed), Promise[Box[str]])
    assert_type(row.then(identity), Promise[Row])
    assert_type(row.then(boxed).then(lambda box: box.content.name), Promise[str])
    assert_type(promise.then(lambda value: boxed(value)), Promise[Box[int]])
    assert_type(promise.then(lambda value: boxed(value).put("a").content), Promise[str])


async def callbacks_live_in_variables(promise: Promise[int]) -> None:
    plain: Callable[[int], str] = text
    later: Callable[[int], Awaitable[str]] = describe
    coroutine: Callable[[int], Coroutine[Any, Any, str]] = describe
    fluent: Fetcher = fetched
    formatter: Formatter = formatted
    table: dict[str, Callable[[int], float]] = {"half": half}
    choice = text if promise.done() else str
    assert_type(promise.then(plain), Promise[str])
    assert_type(promise.then(later), Promise[str])
    assert_type(promise.then(coroutine), Promise[str])
    assert_type(promise.then(fluent), Promise[bytes])
    assert_type(promise.then(formatter), Promise[str])
    assert_type(promise.then(table["half"]), Promise[float])
    assert_type(promise.then(choice), Promise[str])
    for handler in (plain, text):
        assert_type(promise.then(handler), Promise[str])


async def what_may_be_missing_stays_so(promise: Promise[int], maybe: Promise[int | None]) -> None:
    assert_type(promise.then(or_nothing), Promise[str | None])
    assert_type(promise.then(or_nothing_later), Promise[str | None])
    assert_type(promise.then(or_nothing).then(lambda found: found or "none"), Promise[str])
    assert_type(maybe.then(lambda value: value or 0), Promise[int])
    assert_type(maybe.then(lambda value: 0 if value is None else value), Promise[int])
    assert_type(maybe.then(lambda value: value is not None and value > 1), Promise[bool])
    assert_type(maybe.then(wide), Promise[str])
    assert_type(maybe.then(identity), Promise[int | None])
