"""aiohttp: pages are fetched from a server of aiohttp, and both sides use promises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from aiopromise import Promise, promisify
from beside.endless import Endless

aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed: see .ci/beside")
web = pytest.importorskip("aiohttp.web")


@asynccontextmanager
async def serving(*routes: Any, middlewares: tuple = ()) -> AsyncIterator[Any]:
    """Serve the routes, and give a client of them."""
    application = web.Application(middlewares=middlewares)
    application.add_routes(routes)
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
        yield session
    await runner.cleanup()


async def number(request: Any) -> Any:
    """Answer with twice the number that was asked for, computed in a chain."""
    return await (
        Promise.delay(0.001, request.match_info["number"])
        .then(int)
        .then(lambda number: web.json_response({"double": number * 2}))
        .catch(ValueError, lambda error: web.Response(status=400))
    )


async def test_pages_are_fetched_a_few_at_a_time() -> None:
    """The session's own awaitables are promises in one call, and a response is read in the next link."""
    async with serving(web.get("/{number}", number)) as session:

        async def double(number: int) -> int:
            answer = await Promise(session.get(f"/{number}")).then(lambda response: response.json())
            return answer["double"]

        assert [0, 2, 4, 6, 8] == await Promise.map(range(5), double, concurrency=2)
        assert 400 == await Promise(session.get("/x")).tap(lambda answer: answer.read()).then(lambda a: a.status)


async def test_a_promisified_function_is_a_handler_of_the_server() -> None:
    """It is a coroutine function to aiohttp."""
    async with serving(web.get("/{number}", promisify(number))) as session:
        assert {"double": 8} == await Promise(session.get("/4")).then(lambda response: response.json())


async def test_a_client_that_gives_up_cancels_the_work_of_the_server(endless: Endless) -> None:
    """A time limit closes the connection, and aiohttp cancels the handler, which awaits a promise."""

    async def page(request: Any) -> Any:
        return await Promise(endless()).then(web.json_response)

    async with serving(web.get("/", page)) as session:
        asked = Promise(session.get("/"))
        await endless.started.wait()
        with pytest.raises(TimeoutError):
            await asked.timeout(0)
        await endless.cancelled.wait()


async def test_what_a_middleware_sets_is_seen_in_every_link(visitor: ContextVar[str]) -> None:
    """Each request has its own."""

    @web.middleware
    async def middleware(request: Any, handler: Any) -> Any:
        visitor.set(request.query["name"])
        return await handler(request)

    async def page(request: Any) -> Any:
        await asyncio.sleep(0)
        name = await Promise.delay(0.001).then(lambda _: visitor.get())
        return web.Response(text=name)

    async with serving(web.get("/", page), middlewares=(middleware,)) as session:
        asked = [Promise(session.get("/", params={"name": name})) for name in ("Ann", "Bob")]
        assert ("Ann", "Bob") == await Promise.all(*(one.then(lambda answer: answer.text()) for one in asked)).then(
            tuple
        )


async def test_a_refused_connection_rejects_with_the_error_of_aiohttp(unhandled: list[BaseException]) -> None:
    """A fallback handles it, and a rejection that has none is reported."""
    async with aiohttp.ClientSession() as session:
        refused = Promise(session.get("http://127.0.0.1:9/"))
        assert "offline" == await refused.catch(aiohttp.ClientConnectorError, lambda error: "offline")
        forgotten = Promise(session.get("http://127.0.0.1:9/")).then(print)
        await asyncio.wait([forgotten])
    assert [aiohttp.ClientConnectorError] == [type(reason) for reason in unhandled]
