"""Litestar, served by uvicorn and asked by httpx."""

import asyncio
import sys
from typing import Any

import pytest

from aiopromise import Promise, promisify
from beside.endless import Endless
from beside.served import served

litestar = pytest.importorskip("litestar", reason="Litestar is not installed: see .ci/beside")
params = pytest.importorskip("litestar.params")
di = pytest.importorskip("litestar.di")
response = pytest.importorskip("litestar.response")


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


async def test_a_handler_answers_with_what_a_chain_gives() -> None:
    @litestar.get("/{number:int}")
    async def page(number: params.FromPath[int]) -> dict[str, int]:
        return await Promise(double(number)).then(lambda result: {"double": result})

    async with served(litestar.Litestar([page])) as client:
        answers = await Promise.map([1, 2], lambda number: client.get(f"/{number}"))
    assert [{"double": 2}, {"double": 4}] == [answer.json() for answer in answers]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect cannot be told what is a coroutine function")
async def test_a_promisified_function_is_a_handler_and_a_dependency() -> None:
    @promisify
    async def limit() -> int:
        return await double(7)

    @litestar.get("/", dependencies={"limit": di.Provide(limit)})
    @promisify
    async def page(limit: di.NamedDependency[int]) -> int:
        return limit

    async with served(litestar.Litestar([page])) as client:
        assert 14 == (await client.get("/")).json()


async def test_a_client_that_leaves_a_stream_cancels_what_makes_it(endless: Endless) -> None:
    """The stream is closed, and with it the calls that still run."""

    async def line(number: int) -> str:
        return f"{number}\n" if number < 2 else await endless()

    @litestar.get("/")
    async def page() -> Any:
        return response.Stream(Promise.map_unordered(range(4), line, concurrency=3))

    async with served(litestar.Litestar([page])) as client:
        async with client.stream("GET", "/") as answer:
            seen = answer.aiter_lines()
            assert {"0", "1"} == {await anext(seen), await anext(seen)}
            await seen.aclose()
        await endless.cancelled.wait()
