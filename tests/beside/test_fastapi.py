"""FastAPI, served by uvicorn and asked by httpx: a client that disconnects cancels the work."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest

from aiopromise import Promise, promisify
from beside.endless import Endless
from beside.served import ask_and_leave, served

fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed: see .ci/beside")
responses = pytest.importorskip("fastapi.responses")


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


async def gone(request: Any) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def test_an_endpoint_answers_with_what_a_chain_gives() -> None:
    """And with the status that an error of the chain asks for."""
    application = fastapi.FastAPI()

    def refuse(error: Exception) -> None:
        raise fastapi.HTTPException(400, str(error))

    @application.get("/{text}")
    async def page(text: str) -> dict[str, int]:
        return await Promise.try_(int, text).then(double).then(lambda number: {"double": number}).catch(refuse)

    async with served(application) as client:
        answers = await Promise.map(["1", "2", "x"], lambda text: client.get(f"/{text}"), concurrency=2)
    assert [(200, {"double": 2}), (200, {"double": 4})] == [
        (answer.status_code, answer.json()) for answer in answers[:2]
    ]
    assert (400, True) == (answers[2].status_code, "invalid literal" in answers[2].text)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect cannot be told what is a coroutine function")
async def test_a_promisified_function_is_an_endpoint_and_a_dependency() -> None:
    """FastAPI awaits what they return."""
    application = fastapi.FastAPI()

    @promisify
    async def limit(limit: int = 10) -> int:
        return await double(limit)

    @application.get("/")
    @promisify
    async def page(limit: int = fastapi.Depends(limit)) -> int:
        return limit

    async with served(application) as client:
        assert 14 == (await client.get("/?limit=7")).json()


async def test_a_client_that_disconnects_cancels_the_work(endless: Endless) -> None:
    """The work races the end of the connection, and the race cancels the one that loses."""
    application = fastapi.FastAPI()

    @application.get("/")
    async def page(request: fastapi.Request) -> None:
        await Promise.race(Promise(endless()).then(double), gone(request), losers="cancel")

    async with served(application) as client:
        await ask_and_leave(client, endless)


async def test_a_client_that_leaves_a_stream_cancels_what_makes_it(endless: Endless) -> None:
    """The stream is closed, and with it the calls that still run."""
    application = fastapi.FastAPI()

    async def line(number: int) -> str:
        return f"{number}\n" if number < 2 else await endless()

    async def lines() -> AsyncIterator[str]:
        async for text in Promise.map_unordered(range(4), line, concurrency=3):
            yield text

    @application.get("/")
    async def page() -> Any:
        return responses.StreamingResponse(lines(), media_type="text/plain")

    async with served(application) as client:
        async with client.stream("GET", "/") as answer:
            seen = answer.aiter_lines()
            assert {"0", "1"} == {await anext(seen), await anext(seen)}
            await seen.aclose()
        await endless.cancelled.wait()


async def test_a_background_task_outlives_the_answer(unhandled: list[BaseException]) -> None:
    """What fails in it is reported, for nobody awaits it."""
    application, told = fastapi.FastAPI(), asyncio.Event()

    async def tell(name: str) -> None:
        told.set()
        raise OSError(f"{name} has no mailbox")

    @application.get("/{name}")
    async def page(name: str) -> str:
        Promise(tell(name))
        return "later"

    async with served(application) as client:
        assert "later" == (await client.get("/Ann")).json()
        await told.wait()
    assert ["Ann has no mailbox"] == [str(reason) for reason in unhandled]


async def test_what_a_dependency_sets_is_seen_in_every_link(visitor: ContextVar[str]) -> None:
    """Each request has its own."""
    application = fastapi.FastAPI()

    async def remember(name: str) -> None:
        visitor.set(name)

    @application.get("/", dependencies=[fastapi.Depends(remember)])
    async def page() -> str:
        return await Promise.delay(0.001).then(lambda _: visitor.get())

    async with served(application) as client:
        answers = await Promise.all([client.get("/", params={"name": name}) for name in ("Ann", "Bob")])
    assert ["Ann", "Bob"] == [answer.json() for answer in answers]
