"""websockets: requests and answers over one connection, matched by number."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aiopromise import Promise, Resolvers
from beside.endless import Endless
from helpers import value_or_class

client = pytest.importorskip("websockets.asyncio.client", reason="websockets is not installed: see .ci/beside")
server = pytest.importorskip("websockets.asyncio.server")
exceptions = pytest.importorskip("websockets.exceptions")


class Calls:
    """Asks over a connection, and gives a promise for each answer."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._numbers = itertools.count()
        self._asked: dict[int, Resolvers] = {}
        self.reading = Promise(self._read()).tap_catch(self._give_up)

    def ask(self, text: str) -> Promise[str]:
        """Return a promise for the answer."""
        number, asked = next(self._numbers), Promise.with_resolvers()
        self._asked[number] = asked
        sent = Promise(self._connection.send(json.dumps([number, text])))
        return sent.then(lambda _: asked.promise).finally_(lambda: self._asked.pop(number, None))

    async def _read(self) -> None:
        async for message in self._connection:
            number, answer = json.loads(message)
            self._asked[number].resolve(answer)
        raise ConnectionError("the server is gone")

    def _give_up(self, error: Exception) -> None:
        for asked in [*self._asked.values()]:
            asked.reject(error)


@asynccontextmanager
async def calls(answer: Any) -> AsyncIterator[Calls]:
    """Serve what *answer* makes of each message, and give a connection on which to ask."""

    async def serve(connection: Any) -> None:
        async def reply(message: str) -> None:
            number, text = json.loads(message)
            await connection.send(json.dumps([number, await answer(connection, text)]))

        # The server does not cancel what still works on an answer.
        await Promise.race(Promise.each(connection, reply), connection.wait_closed(), losers="cancel")

    async with server.serve(serve, "127.0.0.1", 0) as listening:
        host, port = listening.sockets[0].getsockname()
        async with client.connect(f"ws://{host}:{port}", proxy=None) as connection:
            calls = Calls(connection)
            try:
                yield calls
            finally:
                calls.reading.cancel()
                await value_or_class(calls.reading)


async def test_each_answer_settles_the_promise_of_its_question() -> None:
    """A server may use its connection as the source of each(), and the messages are answered in order."""

    async def upper(connection: Any, text: str) -> str:
        await asyncio.sleep(0)
        return text.upper()

    async with calls(upper) as connection:
        assert ["A", "B", "C"] == await Promise.map(["a", "b", "c"], connection.ask, concurrency=3)


async def test_a_connection_that_breaks_rejects_what_was_asked(unhandled: list[BaseException]) -> None:
    """And so does the reader; nothing that was taken care of is reported."""

    async def close(connection: Any, text: str) -> str:
        await connection.close()
        return text

    async with calls(close) as connection:
        first, second = connection.ask("one"), connection.ask("two")
        assert {ConnectionError} == {await value_or_class(one) for one in (first, second, connection.reading)}
    assert [] == unhandled


async def test_a_client_that_disconnects_cancels_the_work(endless: Endless) -> None:
    """The work races the end of the connection."""

    async def serve(connection: Any) -> None:
        await Promise.race(endless(), connection.wait_closed())

    async with server.serve(serve, "127.0.0.1", 0) as listening:
        host, port = listening.sockets[0].getsockname()
        async with client.connect(f"ws://{host}:{port}", proxy=None):
            await endless.started.wait()
        await endless.cancelled.wait()


async def test_a_question_can_be_given_up(endless: Endless) -> None:
    """A time limit removes it from what waits for an answer."""

    async def never(connection: Any, text: str) -> str:
        return await endless()

    async with calls(never) as connection:
        assert "no answer" == await connection.ask("anything").timeout(0.02, fallback="no answer")
        assert {} == connection._asked
    await endless.cancelled.wait()
