"""One promise, two, three: each number of arguments has a signature of its own."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, assert_type

from aiopromise import Promise, Settled, chain
from handlers import Row, clean_up, row, work


async def all_has_a_tuple(a: Promise[int], b: Promise[str], c: Promise[bytes], d: asyncio.Task[Row]) -> None:
    assert_type(Promise.all(a), Promise[tuple[int]])
    assert_type(Promise.all(a, b), Promise[tuple[int, str]])
    assert_type(Promise.all(a, b, c), Promise[tuple[int, str, bytes]])
    assert_type(Promise.all(a, b, c, d), Promise[tuple[int, str, bytes, Row]])
    assert_type(Promise.all(a, b, c, d, work()), Promise[tuple[int, str, bytes, Row, int]])
    assert_type(Promise.all(a, b, c, d, work(), clean_up()), Promise[tuple[int, str, bytes, Row, int, None]])
    assert_type(Promise.all(a, a, a, a, a, a, a, losers="cancel"), Promise[tuple[int, ...]])


async def all_settled_has_a_tuple(a: Promise[int], b: Promise[str], c: Promise[bytes]) -> None:
    assert_type(Promise.all_settled(a), Promise[tuple[Settled[int]]])
    assert_type(Promise.all_settled(a, b), Promise[tuple[Settled[int], Settled[str]]])
    assert_type(Promise.all_settled(a, b, c), Promise[tuple[Settled[int], Settled[str], Settled[bytes]]])
    assert_type(
        Promise.all_settled(a, b, c, row()), Promise[tuple[Settled[int], Settled[str], Settled[bytes], Settled[Row]]]
    )
    assert_type(
        Promise.all_settled(a, a, a, a, b),
        Promise[tuple[Settled[int], Settled[int], Settled[int], Settled[int], Settled[str]]],
    )
    assert_type(
        Promise.all_settled(a, a, a, a, b, c),
        Promise[tuple[Settled[int], Settled[int], Settled[int], Settled[int], Settled[str], Settled[bytes]]],
    )
    assert_type(Promise.all_settled(a, a, a, a, a, a, a), Promise[tuple[Settled[int], ...]])


async def any_is_one_of_them(a: Promise[int], b: Promise[str], c: Promise[bytes]) -> None:
    assert_type(Promise.any(a), Promise[int])
    assert_type(Promise.any(a, b), Promise[int | str])
    assert_type(Promise.any(a, b, c), Promise[int | str | bytes])
    assert_type(Promise.any(a, b, c, row()), Promise[int | str | bytes | Row])
    assert_type(Promise.any(a, b, c, row(), a), Promise[int | str | bytes | Row])
    assert_type(Promise.any(a, b, c, row(), a, clean_up()), Promise[int | str | bytes | Row | None])
    assert_type(Promise.any(a, a, a, a, a, a, a), Promise[int])


async def race_is_one_of_them(a: Promise[int], b: Promise[str], c: Promise[bytes]) -> None:
    assert_type(Promise.race(a), Promise[int])
    assert_type(Promise.race(a, b), Promise[int | str])
    assert_type(Promise.race(a, b, c), Promise[int | str | bytes])
    assert_type(Promise.race(a, b, c, row()), Promise[int | str | bytes | Row])
    assert_type(Promise.race(a, b, c, row(), a), Promise[int | str | bytes | Row])
    assert_type(Promise.race(a, b, c, row(), a, clean_up()), Promise[int | str | bytes | Row | None])
    assert_type(Promise.race(a, a, a, a, a, a, a), Promise[int])


async def some_is_a_list_of_them(a: Promise[int], b: Promise[str], c: Promise[bytes]) -> None:
    assert_type(Promise.some(1, a), Promise[list[int]])
    assert_type(Promise.some(1, a, b), Promise[list[int | str]])
    assert_type(Promise.some(2, a, b, c), Promise[list[int | str | bytes]])
    assert_type(Promise.some(2, a, b, c, row()), Promise[list[int | str | bytes | Row]])
    assert_type(Promise.some(3, a, b, c, row(), a), Promise[list[int | str | bytes | Row]])
    assert_type(Promise.some(3, a, b, c, row(), a, clean_up()), Promise[list[int | str | bytes | Row | None]])
    assert_type(Promise.some(3, a, a, a, a, a, a, a), Promise[list[int]])


async def as_completed_gives_one_of_them(a: Promise[int], b: Promise[str], c: Promise[bytes]) -> None:
    two = Promise.as_completed(a, b)
    six = Promise.as_completed(a, b, c, row(), a, clean_up())
    assert_type(Promise.as_completed(a), AsyncGenerator[tuple[int, Promise[int]], None])
    assert_type(two, AsyncGenerator[tuple[int, Promise[int | str]], None])
    assert_type(Promise.as_completed(a, b, c), AsyncGenerator[tuple[int, Promise[int | str | bytes]], None])
    assert_type(Promise.as_completed(a, a, b, c), AsyncGenerator[tuple[int, Promise[int | str | bytes]], None])
    assert_type(Promise.as_completed(a, a, a, b, c), AsyncGenerator[tuple[int, Promise[int | str | bytes]], None])
    assert_type(six, AsyncGenerator[tuple[int, Promise[int | str | bytes | Row | None]], None])
    assert_type(Promise.as_completed(a, a, a, a, a, a, a), AsyncGenerator[tuple[int, Promise[int]], None])
    assert_type([place async for place, _ in two], list[int])
    assert_type([await each async for _, each in six], list[int | str | bytes | Row | None])


async def a_chain_is_a_list_of_them(a: Promise[int], b: Promise[str], c: Promise[bytes]) -> None:
    coroutine: Coroutine[Any, Any, list[int | str]] = chain(a, b)
    assert_type(await coroutine, list[int | str])
    assert_type(await chain(a, b, c), list[int | str | bytes])
    assert_type(await chain(a, b, c, row()), list[int | str | bytes | Row])
    assert_type(await chain(a, b, c, row(), a), list[int | str | bytes | Row])
    assert_type(await chain(a, b, c, row(), a, clean_up()), list[int | str | bytes | Row | None])
    assert_type(await chain(a, a, a, a, a, a, a), list[int])
    assert_type(chain(a, b).then(lambda found: len(found)), Promise[int])
    assert_type(chain(a, b).catch(OSError, lambda error: None), Promise[list[int | str] | None])
    assert_type(Promise.all(chain(a, b), chain(c)), Promise[tuple[list[int | str], list[bytes]]])
