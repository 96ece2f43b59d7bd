"""SQLAlchemy's asyncio extension on a file of SQLite, by way of aiosqlite."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aiopromise import Promise
from beside.endless import Endless

sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed: see .ci/beside")
pytest.importorskip("aiosqlite", reason="aiosqlite is not installed: see .ci/beside")
asyncio_extension = pytest.importorskip("sqlalchemy.ext.asyncio")
concurrency = pytest.importorskip("sqlalchemy.util.concurrency")
text = sqlalchemy.text


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Any]:
    """Return what makes sessions of a database that has one table."""
    engine = asyncio_extension.create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/names.db")
    async with engine.begin() as connection:
        await connection.execute(text("create table names (name text primary key)"))
    yield asyncio_extension.async_sessionmaker(engine)
    await engine.dispose()


async def add(sessions: Any, name: str) -> None:
    async with sessions.begin() as session:
        await session.execute(text("insert into names values (:name)"), {"name": name})


async def names(sessions: Any) -> list[str]:
    async with sessions() as session:
        return await Promise(session.scalars(text("select name from names order by name"))).then(list)


async def test_sessions_of_their_own_work_at_the_same_time(sessions: Any) -> None:
    """One for each call of a map; what comes of a statement is read in the next link."""
    await Promise.map(["Eve", "Ann", "Bob"], lambda name: add(sessions, name), concurrency=2)
    assert ["Ann", "Bob", "Eve"] == await names(sessions)
    assert ["kept", "Ann", "Bob", "Eve"] == await Promise(names(sessions)).then(lambda found: ["kept", *found])


async def test_an_error_of_the_database_is_caught_by_its_class(sessions: Any, unhandled: list[BaseException]) -> None:
    """And reported where nobody catches it."""
    await add(sessions, "Ann")
    again = Promise(add(sessions, "Ann")).catch(sqlalchemy.exc.IntegrityError, lambda error: "there already")
    assert "there already" == await again
    forgotten = Promise(add(sessions, "Ann"))
    await asyncio.wait([forgotten])
    assert ["Ann"] == await names(sessions)
    assert [sqlalchemy.exc.IntegrityError] == [type(reason) for reason in unhandled]


async def test_cancelling_a_chain_rolls_its_transaction_back(sessions: Any, endless: Endless) -> None:
    """The session is closed before the promise is cancelled, so that the next transaction is not locked out."""

    async def transfer() -> None:
        async with sessions.begin() as session:
            await session.execute(text("insert into names values ('Ann')"))
            await endless()

    transferred = Promise(transfer()).then(lambda _: "done")
    await endless.started.wait()
    transferred.cancel()
    with pytest.raises(asyncio.CancelledError):
        await transferred
    await add(sessions, "Bob")
    assert ["Bob"] == await names(sessions)


async def test_code_within_run_sync_may_await_a_promise(sessions: Any) -> None:
    """SQLAlchemy switches to the Task that awaits it."""

    def within(session: Any) -> str:
        return concurrency.await_only(Promise.delay(0.001, "Ann").then(str.upper))

    async with sessions() as session:
        assert "ANN" == await session.run_sync(within)
