"""Functions made of functions: `pipe()` and `promisify()` in every mix of sync and async."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, TypeVar, assert_type, overload

from aiopromise import Promise, pipe, promisify
from handlers import Row, describe, double, find, half, length, promised, row, text, work

T = TypeVar("T")


async def two_stages_mix(number: Promise[int]) -> None:
    assert_type(pipe(text, length)(1), Promise[int])
    assert_type(pipe(text, find)(1), Promise[Row])
    assert_type(pipe(describe, length)(1), Promise[int])
    assert_type(pipe(describe, find)(1), Promise[Row])
    assert_type(pipe(text, lambda word: word.split())(1), Promise[list[str]])
    assert_type(pipe(describe, lambda word: word.split())(1), Promise[list[str]])
    assert_type(pipe(text, lambda word: find(word))(1), Promise[Row])
    assert_type(pipe(describe, lambda word: find(word))(1), Promise[Row])
    assert_type(pipe(promised, length)(1), Promise[int])
    assert_type(number.then(pipe(promised, length)), Promise[int])


async def three_stages_mix() -> None:
    assert_type(pipe(half, round, text)(1), Promise[str])
    assert_type(pipe(text, length, describe)(1), Promise[str])
    assert_type(pipe(text, find, lambda found: found.name)(1), Promise[str])
    assert_type(pipe(text, find, lambda found: find(found.name))(1), Promise[Row])
    assert_type(pipe(describe, length, text)(1), Promise[str])
    assert_type(pipe(describe, length, describe)(1), Promise[str])
    assert_type(pipe(describe, find, lambda found: found.name)(1), Promise[str])
    assert_type(pipe(describe, find, lambda found: find(found.name))(1), Promise[Row])
    assert_type(pipe(double, lambda value: value + 1, lambda value: [value])(1), Promise[list[int]])


async def longer_pipes() -> None:
    assert_type(pipe(double, double, double, describe)(1), Promise[str])
    assert_type(pipe(text, length, text, length)(1), Promise[int])
    assert_type(pipe(double, text, length, double, half)(1), Promise[float])
    assert_type(pipe(double, text, length, double, text, find)(1), Promise[Row])
    assert_type(pipe(text, str.encode, len, text, str.upper)(1), Promise[str])


async def the_first_stage_takes_anything() -> None:
    def add(left: int, right: int = 1, *, times: int = 1) -> int:
        return (left + right) * times

    async def nothing() -> str:
        return "nothing"

    assert_type(pipe(add, text)(1, 2, times=3), Promise[str])
    assert_type(pipe(add, describe)(1), Promise[str])
    assert_type(pipe(nothing, length)(), Promise[int])
    assert_type(pipe(partial(add, 1), text)(right=2), Promise[str])
    assert_type(pipe(pipe(add, describe), length)(1, times=2), Promise[int])
    assert_type(Promise.map([1, 2], pipe(double, text)), Promise[list[str]])
    assert_type(Promise.try_(pipe(add, text), 1, 2), Promise[str])
    assert_type(pipe(int, double)("7"), Promise[int])


class Shelf(Generic[T]):
    """Has promisified methods that are generic."""

    def __init__(self, content: T) -> None:
        self.content = content

    @promisify
    async def take(self) -> T:
        """Give what it holds."""
        return self.content

    @promisify
    def pair(self, other: T) -> tuple[T, T]:
        """Give it twice."""
        return self.content, other

    @promisify
    def maybe(self, flag: bool) -> T | None:
        """Give it, or nothing."""
        return self.content if flag else None

    @classmethod
    @promisify
    async def named(cls, name: str) -> "Shelf[str]":
        """Make one."""
        return Shelf(name)

    @staticmethod
    @promisify
    def count(*names: str) -> int:
        """Count."""
        return len(names)


class TallShelf(Shelf[int]):
    """Overrides one of them."""

    @promisify
    async def take(self) -> int:
        """Add to what it holds."""
        return await super().take() + 1


@promisify
async def page(path: str, *, size: int = 10, **options: bool) -> bytes:
    """Be async."""
    return path.encode()


@promisify
def parsed(body: bytes, *rest: bytes) -> list[str]:
    """Be sync."""
    return body.decode().split()


@promisify
def deferred(value: int) -> Awaitable[str]:
    """Give an awaitable."""
    return describe(value)


@promisify
def same(value: T) -> T:
    """Be generic."""
    return value


@promisify
async def wrapped(value: T) -> list[T]:
    """Be generic, and async."""
    return [value]


@overload
def converted(value: int) -> str: ...
@overload
def converted(value: str) -> int: ...
def converted(value: int | str) -> int | str:
    """Be overloaded."""
    return str(value) if isinstance(value, int) else len(value)


async def functions_are_promisified(word: Promise[str]) -> None:
    handler: Callable[[bytes], Promise[list[str]]] = parsed
    assert_type(page("/"), Promise[bytes])
    assert_type(page("/", size=2, deep=True), Promise[bytes])
    assert_type(parsed(b"", b""), Promise[list[str]])
    assert_type(page("/").then(parsed), Promise[list[str]])
    assert_type(page("/").then(handler).then(len), Promise[int])
    assert_type(word.then(page), Promise[bytes])
    assert_type(deferred(1), Promise[str])
    assert_type(promisify(half)(1), Promise[float])
    assert_type(promisify(work)(), Promise[int])
    assert_type(promisify(row)(), Promise[Row])
    assert_type(promisify(promised)(1), Promise[str])
    assert_type(promisify(lambda: 1)(), Promise[int])
    assert_type(promisify(len)([1]), Promise[int])
    assert_type(promisify(int)("7"), Promise[int])
    assert_type(same(1), Promise[int])
    assert_type(same("a").then(len), Promise[int])
    assert_type(wrapped("a"), Promise[list[str]])
    assert_type(promisify(converted)(1), Promise[str])
    assert_type(promisify(asyncio.sleep)(0, "slept"), Promise[str])


async def methods_are_promisified() -> None:
    shelf = TallShelf(1)
    words = Shelf("word")
    assert_type(words.take(), Promise[str])
    assert_type(words.pair("other"), Promise[tuple[str, str]])
    assert_type(words.maybe(True), Promise[str | None])
    assert_type(Shelf.named("a"), Promise[Shelf[str]])
    assert_type(Shelf.count("a", "b"), Promise[int])
    assert_type(words.count("a"), Promise[int])
    assert_type(shelf.take(), Promise[int])
    assert_type(shelf.pair(2).spread(lambda left, right: left + right), Promise[int])
    assert_type(Promise.resolve(words).then(Shelf.take), Promise[str])
    assert_type(Promise.resolve(shelf).then(TallShelf.take), Promise[int])
    assert_type(words.take().then(shelf.count), Promise[int])


async def functions_are_tried(number: int) -> None:
    def fail() -> Any:
        raise OSError("gone")

    async def later(value: int, /, *, times: int) -> list[int]:
        return [value] * times

    assert_type(Promise.try_(later, 1, times=2), Promise[list[int]])
    assert_type(Promise.try_(int, "7"), Promise[int])
    assert_type(Promise.try_(int, "2a", base=16), Promise[int])
    assert_type(Promise.try_(divmod, 7, 2), Promise[tuple[int, int]])
    assert_type(Promise.try_(lambda: number + 1), Promise[int])
    assert_type(Promise.try_(lambda: describe(number)), Promise[str])
    assert_type(Promise.try_(partial(later, number, times=2)), Promise[list[int]])
    assert_type(Promise.try_(fail).catch(OSError, lambda error: None), Promise[Any | None])
    assert_type(Promise.try_(dict, one=1), Promise[dict[str, int]])
    assert_type(Promise.try_(print, "tried", end=""), Promise[None])
    assert_type(Promise.try_(converted, 1), Promise[str])
    assert_type(Promise.try_(lambda: converted(1)), Promise[str])
    assert_type(Promise.try_(lambda: divmod(7, 2)), Promise[tuple[int, int]])
