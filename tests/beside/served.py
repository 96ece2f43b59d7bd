"""An application served by uvicorn, over a real socket, on the loop of the test."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aiopromise import Promise
from beside.endless import Endless

httpx = pytest.importorskip("httpx", reason="httpx is not installed: see .ci/beside")
uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed: see .ci/beside")


@asynccontextmanager
async def served(application: Any) -> AsyncIterator[Any]:
    """Serve an ASGI application as long as the block lasts, which is given a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            address = "http://{}:{}".format(*listening.getsockname())
            async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
                yield client
        finally:
            server.should_exit = True
            await serving


async def ask_and_leave(client: Any, endless: Endless) -> None:
    """Ask for the page whose work is *endless*, go away while it runs, and wait until it has been cancelled."""
    asked = Promise(client.get("/"))
    await endless.started.wait()
    asked.cancel()
    await endless.cancelled.wait()
    assert "cancelled" == await asked.catch(asyncio.CancelledError, lambda error: "cancelled")
