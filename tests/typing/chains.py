"""What type `chain()` and `pipe()` give."""

import asyncio
from collections.abc import Coroutine
from typing import Any, assert_type

from aiopromise import Promise, chain, pipe
from handlers import Row, clean_up, describe, double, find, half, length, on_key_error, recover, rescue, row, text, work


async def a_chain_gives_a_list() -> None:
    assert_type(await chain(work()), list[int])
    assert_type(await chain(work(), row()), list[int | Row])
    assert_type(await chain(work(), row(), clean_up()), list[int | Row | None])
    assert_type(await chain(*[work() for _ in range(100)]), list[int])
    assert_type(await chain(work(), chain(row(), row()), work()), list[int | list[Row]])
    assert_type(await chain(Promise(work()), asyncio.create_task(row())), list[int | Row])


async def groups_nest() -> None:
    assert_type(await chain([work(), work()], row()), list[Row | list[int]])
    assert_type(await chain((work(), work()), row()), list[Row | list[int]])
    assert_type(await chain(row(), [work(), work()], row()), list[Row | list[int]])
    assert_type(await chain(row(), row(), [work()]), list[Row | list[int]])
    assert_type(await chain(row(), row(), row(), [work()]), list[Row | list[int]])


async def asyncio_takes_a_chain_as_a_coroutine() -> None:
    declared: Coroutine[Any, Any, list[int]] = chain(work(), work())
    assert_type(await asyncio.create_task(declared), list[int])
    async with asyncio.TaskGroup() as group:
        assert_type(group.create_task(chain(work(), row())), asyncio.Task[list[int | Row]])
    assert_type(Promise(chain(work(), row())), Promise[list[int | Row]])


def a_loop_runs_a_chain() -> None:
    assert_type(asyncio.run(chain(work(), row())), list[int | Row])


async def a_link_starts_a_chain() -> None:
    assert_type(chain(work(), work()).then(len), Promise[int])
    assert_type(chain(work(), work()).then(lambda values: values[0]), Promise[int])
    assert_type(chain(work()).then(len, recover), Promise[int | bytes])
    assert_type(chain(work()).catch(rescue), Promise[list[int] | bytes])
    assert_type(chain(work()).catch(KeyError, on_key_error), Promise[list[int] | bytes])
    assert_type(chain(work()).finally_(clean_up), Promise[list[int]])


async def a_pipe_is_one_function() -> None:
    assert_type(pipe(describe)(1), Promise[str])
    assert_type(pipe(text)(1), Promise[str])
    assert_type(pipe(describe, length)(1), Promise[int])
    assert_type(pipe(text, length)(1), Promise[int])
    assert_type(pipe(double, describe)(1), Promise[str])
    assert_type(pipe(text, find)(1), Promise[Row])
    assert_type(pipe(describe, length, half)(1), Promise[float])
    assert_type(pipe(describe, lambda found: len(found), double)(1), Promise[int])
    assert_type(pipe(double, text, length, double, half)(1), Promise[float])
    assert_type(pipe(double, text, length, double, text, length)(1), Promise[int])
    assert_type(Promise.resolve(1).then(pipe(double, text)), Promise[str])
