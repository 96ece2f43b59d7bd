"""The three programs of the tutorial on chaining coroutines, written as this library has them, with their exact output.

The programs are the tutorial's own, but for its pauses of a second, which are as short as can be here.
"""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from aiopromise import Promise, chain, promisify

# ------------------------------------------------------------- manual chaining


async def func1() -> int:
    print(">func1()")
    return 1


async def func2() -> int:
    print(">func2()")
    return await func1() + 2


async def func3() -> int:
    print(">func3()")
    return await func2() + 100


# The same links, each of which is a promise now.


@promisify
async def link1() -> int:
    print(">func1()")
    return 1


@promisify
def link2() -> Promise[int]:
    print(">func2()")
    return link1().then(lambda number: number + 2)


@promisify
async def link3() -> int:
    print(">func3()")
    return await link2() + 100


async def by_hand() -> None:
    print(f"Main: {await func3()}")


async def by_hand_as_a_promise() -> None:
    print(f"Main: {await Promise(func3())}")


async def by_promisified_links() -> None:
    print(f"Main: {await link3()}")


MANUAL = """\
>func3()
>func2()
>func1()
Main: 103
"""


@pytest.mark.usefixtures("loop_mode")
@pytest.mark.parametrize("main", [by_hand, by_hand_as_a_promise, by_promisified_links])
async def test_manual_chaining(main: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    """A coroutine awaits another, and any link may be a promise."""
    await main()
    assert MANUAL == capsys.readouterr().out


async def share_a_link() -> None:
    link = link3()
    print(f"Main: {await link}")
    print(f"Main: {await link}")


def test_a_promise_of_a_link_is_awaited_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """That is what a link gains: it runs once, and its value can be read again and again."""
    asyncio.run(share_a_link())
    assert MANUAL + "Main: 103\n" == capsys.readouterr().out


# ------------------------------------------------- chaining independent tasks


async def task1() -> int:
    print(">task1()")
    await asyncio.sleep(0)
    return 1


async def task2_sub1() -> float:
    print(">task2_sub1()")
    await asyncio.sleep(0)
    return 2.1


async def task2_sub2() -> float:
    print(">task2_sub2()")
    await asyncio.sleep(0)
    return 2.2


async def independent3() -> int:
    print(">task3()")
    await asyncio.sleep(0)
    return 3


async def await_the_chain() -> None:
    print(await chain(task1(), chain(task2_sub1(), task2_sub2()), independent3()))


async def await_a_chain_of_groups() -> None:
    print(await chain(task1(), [task2_sub1(), task2_sub2()], independent3()))


async def await_the_promise_of_the_chain() -> None:
    await chain(task1(), chain(task2_sub1(), task2_sub2()), independent3()).then(print)


async def await_the_task_of_the_chain() -> None:
    print(await asyncio.create_task(chain(task1(), chain(task2_sub1(), task2_sub2()), independent3())))


INDEPENDENT = """\
>task1()
>task2_sub1()
>task2_sub2()
>task3()
[1, [2.1, 2.2], 3]
"""


@pytest.mark.usefixtures("loop_mode")
@pytest.mark.parametrize(
    "main",
    [await_the_chain, await_a_chain_of_groups, await_the_promise_of_the_chain, await_the_task_of_the_chain],
)
async def test_chaining_independent_tasks(main: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    """chain() takes the coroutines that the tutorial's own chain() takes, and returns the same."""
    await main()
    assert INDEPENDENT == capsys.readouterr().out


def test_a_chain_is_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    """`asyncio.run` takes a chain."""
    print(asyncio.run(chain(task1(), chain(task2_sub1(), task2_sub2()), independent3())))
    assert INDEPENDENT == capsys.readouterr().out


async def coro(number: int) -> int:
    return number


def test_a_list_of_coroutines_is_unpacked_into_a_chain() -> None:
    """`chain(*[coro(i) for i in range(100)])`, as in the tutorial."""
    assert [*range(100)] == asyncio.run(chain(*[coro(number) for number in range(100)]))


# --------------------------------------------------- chaining dependent tasks


async def task2(data: int) -> int:
    print(f">task2() got {data}")
    await asyncio.sleep(0)
    return 2


async def task3(data: int) -> int:
    print(f">task3() got {data}")
    await asyncio.sleep(0)
    return 3


async def end_is_awaited() -> int:
    result = await Promise(task1()).then(task2).then(task3)
    print("Main: chain is done")
    return result


async def end_is_a_link() -> int:
    return await Promise(task1()).then(task2).then(task3).tap(lambda _: print("Main: chain is done"))


async def begins_with_a_task() -> int:
    first_task = asyncio.create_task(task1())
    return await Promise(first_task).then(task2).then(task3).finally_(lambda: print("Main: chain is done"))


DEPENDENT = """\
>task1()
>task2() got 1
>task3() got 2
Main: chain is done
"""


@pytest.mark.usefixtures("loop_mode")
@pytest.mark.parametrize("main", [end_is_awaited, end_is_a_link, begins_with_a_task])
async def test_chaining_dependent_tasks(
    main: Callable[[], Coroutine[None, None, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever awaits the end of the chain learns that it is done, and of its result: no event, no global."""
    assert 3 == await main()
    assert DEPENDENT == capsys.readouterr().out
