"""redis-py's asyncio client, with a real server."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiopromise import Promise
from helpers import value_or_class

redis = pytest.importorskip("redis.asyncio", reason="redis is not installed: see .ci/beside")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Start a server as long as the module is tested."""
    if (command := shutil.which("redis-server")) is None:
        pytest.skip("there is no redis-server")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "redis.sock")
        how = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        with subprocess.Popen([command, *how], stdout=subprocess.PIPE, text=True) as server:
            assert any("ready to accept connections" in line for line in server.stdout)
            yield f"unix://{path}"
            server.terminate()
            server.stdout.read()


@pytest.fixture
async def client(address: str) -> AsyncIterator[Any]:
    """Return a client of an empty database."""
    async with redis.from_url(address, decode_responses=True) as client:
        await client.flushdb()
        yield client


async def test_commands_are_links_of_a_chain(client: Any) -> None:
    """Many at a time take connections from the pool."""
    set_and_read = Promise(client.set("one", 1)).then(lambda _: client.incr("one")).then(lambda _: client.get("one"))
    assert 2 == await set_and_read.then(int)
    await Promise.map(range(20), lambda number: client.rpush("numbers", number), concurrency=5)
    assert set(map(str, range(20))) == set(await client.lrange("numbers", 0, -1))
    assert {"one": "2", "two": None} == await Promise.all_keyed({name: client.get(name) for name in ("one", "two")})


async def test_a_pipeline_is_a_promise(client: Any) -> None:
    """Its results are spread over the arguments of the next link."""
    pipeline = client.pipeline().set("name", "Ann").get("name")
    assert "True Ann" == await Promise(pipeline.execute()).then(tuple).spread("{} {}".format)


async def test_an_error_of_the_server_is_caught_by_its_class(client: Any) -> None:
    await client.set("name", "Ann")
    refused = Promise(client.incr("name")).catch(redis.RedisError, str)
    assert "value is not an integer or out of range" == await refused


async def test_a_time_limit_ends_a_command_that_blocks(client: Any) -> None:
    """The client goes on working afterwards."""
    assert "nothing" == await Promise(client.blpop("empty")).timeout(0.05, fallback="nothing")
    await client.rpush("empty", "something")
    assert ["empty", "something"] == list(await Promise(client.blpop("empty")).timeout(5))


async def test_a_message_settles_the_promise_that_waits_for_it(client: Any) -> None:
    """A reader, which resolves a promise for each answer, is cancelled at the end."""
    waiting = {name: Promise.with_resolvers() for name in ("Ann", "Bob")}
    async with client.pubsub() as subscription:
        await subscription.subscribe("answers")

        async def read() -> None:
            async for message in subscription.listen():
                if message["type"] == "message":
                    name, _, answer = message["data"].partition(":")
                    waiting[name].resolve(answer)

        reading = Promise(read())
        await client.publish("answers", "Bob:yes")
        await client.publish("answers", "Ann:no")
        answers = Promise.all_keyed({name: one.promise for name, one in waiting.items()})
        assert {"Ann": "no", "Bob": "yes"} == await answers
        reading.cancel()
        assert asyncio.CancelledError is await value_or_class(reading)
