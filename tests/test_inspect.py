"""The tree of what waits: what a user sees of a program that hangs."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from aiopromise import Promise, Thenable
from aiopromise.inspect import to_dot, to_mermaid, tree
from helpers import outcome, turns

pytestmark = pytest.mark.usefixtures("loop_mode")


async def forever(*_: object) -> None:
    await asyncio.Event().wait()


async def wait_for(promise: Promise) -> None:
    await promise


def lines_of(text: str) -> list[str]:
    """Return the lines without what only debug mode knows, and without the directory of this file."""
    text = re.sub(r", made at \S+?:\d+(: .*?)?(?=, shown above|, for| \(|$)", "", text, flags=re.MULTILINE)
    text = re.sub(r", for \d+\.\d s", "", text)
    text = text.replace("Promise.with_resolvers(...)", "Promise").replace("Promise(...)", "Promise")
    return [line for line in text.replace(f"{__file__}:", "here:").splitlines() if line]


LINKS: list[tuple[str, Callable]] = [
    (".then(str)", lambda p: p.then(str)),
    (".then(str, repr)", lambda p: p.then(str, repr)),
    (".catch(str)", lambda p: p.catch(str)),
    (".catch(str)", lambda p: p.catch(KeyError, str)),
    (".finally_(int)", lambda p: p.finally_(int)),
    (".tap(print)", lambda p: p.tap(print)),
    (".tap_catch(print)", lambda p: p.tap_catch(print)),
    (".spread(max)", lambda p: p.spread(max)),
    (".timeout(50)", lambda p: p.timeout(50)),
    (".shield()", lambda p: p.shield()),
    ("Promise.all(...), with 1 input pending", lambda p: Promise.all([p])),
]


@pytest.mark.parametrize(("shown", "link"), LINKS)
async def test_a_link_is_shown_as_it_was_written(shown: str, link: Callable) -> None:
    """By its method and its handlers, also where nothing was recorded."""
    promise, resolve, _ = Promise.with_resolvers()
    tip = link(promise)
    expected = ["2 pending promises", "Promise, until its resolver is called (1 waits for it)", f"  {shown}"]
    assert expected == lines_of(tree(promise)) == lines_of(tree(tip)) == lines_of(tree())
    resolve((1, 2))
    await outcome(tip)


async def test_a_task_is_shown_with_the_line_where_it_is() -> None:
    """It is the innermost one of the user's own code, not one of asyncio."""
    promise = Promise(forever()).then(str)
    await turns()
    line = f"here:{forever.__code__.co_firstlineno + 1} in forever: await asyncio.Event().wait()"
    shown = lines_of(tree(promise).replace("Task None", "Task Task-N"))  # eager Tasks of some releases have no name
    assert ["2 pending promises", f"Task Task-N at {line} (2 wait for it)", "  Promise", "  .then(str)"] == shown


async def test_a_running_handler_is_shown_by_its_name() -> None:
    """As it is the Task's."""
    promise = Promise.resolve().then(forever)
    await turns()
    assert lines_of(tree(promise))[1].startswith("Task forever at here:")


async def test_the_tasks_that_wait_are_shown() -> None:
    """By name and line, and what waits for them in turn."""
    promise, resolve, _ = Promise.with_resolvers()
    outer = Promise(asyncio.create_task(wait_for(promise), name="reader")).then(str)
    await turns()
    line = f"here:{wait_for.__code__.co_firstlineno + 1} in wait_for: await promise"
    assert [f"  Task reader at {line}", "  Promise", "  .then(str)"] == lines_of(tree(promise))[2:]
    resolve()
    await outer


async def test_a_task_that_gathers_waits_for_each_of_its_tasks() -> None:
    """It is below each of them."""

    async def both() -> None:
        await asyncio.gather(asyncio.create_task(wait_for(promise), name="one"), forever())

    promise, resolve, _ = Promise.with_resolvers()
    gathering = asyncio.create_task(both(), name="both")
    await turns()
    here = both.__code__.co_firstlineno + 1
    one, gatherer = lines_of(tree(promise))[2:4]
    assert one.startswith("  Task one at here:")
    assert gatherer.startswith(f"  Task both at here:{here} in both: ")
    resolve()
    gathering.cancel()


async def test_a_job_is_shown_as_one() -> None:
    """It runs in another thread."""
    gate = Event()
    with ThreadPoolExecutor() as threads:
        promise = Promise.submit(threads, gate.wait)
        shown = lines_of(tree(promise))
        gate.set()
        await promise
    assert re.match(r"Promise.*, until its job has ended: <Future at 0x\w+ state=running>", shown[1])


class Silent(Thenable):
    def then(self, resolve: Callable, reject: Callable, /) -> None:
        """Never answer."""


async def test_a_future_and_a_thenable_are_shown() -> None:
    """They settle a promise from outside."""
    future = asyncio.get_running_loop().create_future()
    followed, answered = Promise(future), Promise.resolve(Silent())
    await turns()
    assert lines_of(tree(followed))[1].startswith("Future <Future pending")
    assert "until its thenable has answered" in tree(answered)
    future.cancel()
    answered.cancel()
    await outcome(followed)


async def test_a_settled_promise_is_not_shown() -> None:
    """Nor what was above a pending one."""
    promise = Promise.resolve(1).then(str).then(forever)
    await turns()
    assert ("1 pending promise", 3) == (lines_of(tree())[0], len(lines_of(tree())))
    assert ["0 pending promises"] == lines_of(tree(Promise.resolve()))
    promise.cancel()
    await outcome(promise)


async def test_a_promise_that_several_lead_to_is_shown_once_in_full() -> None:
    """After that by a reference."""
    first, second = Promise.with_resolvers(), Promise.with_resolvers()
    tip = Promise.all(first.promise, second.promise).then(list)
    assert [
        "4 pending promises",
        "Promise, until its resolver is called (2 wait for it)",
        "  Promise.all(...), with 2 inputs pending",
        "  .then(list)",
        "Promise, until its resolver is called (2 wait for it)",
        "  Promise.all(...), with 2 inputs pending, shown above",
    ] == lines_of(tree(tip))
    first.resolve()
    second.resolve()
    await tip


async def test_tasks_that_wait_for_each_other_are_shown_as_a_ring() -> None:
    """No root leads to them."""
    made: list[Promise] = []

    async def wait_for_other(number: int) -> None:
        await turns()
        await made[1 - number]

    made += [Promise(wait_for_other(0)), Promise(wait_for_other(1))]
    await turns(20)
    shown = lines_of(tree())
    assert shown[0] == "2 pending promises"
    assert 1 == sum("a ring of promises that wait for each other" in line for line in shown)
    assert len(shown) <= 6
    made[0].cancel()
    await outcome(made[1])


@pytest.mark.slow
async def test_a_chain_of_100_000_links_is_folded() -> None:
    """Equal links are counted, and of many that differ the middle is left out."""
    asyncio.get_running_loop().set_debug(False)
    promise, resolve, _ = Promise.with_resolvers()
    await turns(1)
    tip = promise
    for _ in range(50_000):
        tip = tip.then(lambda value: value)
    for _ in range(25_000):
        tip = tip.then(repr).then(len)
    shown = lines_of(tree(tip))
    assert "  50,000 x .then(<lambda>)" == shown[2]
    assert (True, "  ... 49,977 more ...") == (len(shown) < 40, next(line for line in shown if "more ..." in line))
    resolve()
    await tip


@pytest.mark.slow
async def test_the_forgotten_resolver_among_2_000_promises_is_the_first_line() -> None:
    """However many Tasks are at work beside it."""
    forgotten, resolve, _ = Promise.with_resolvers()
    working = [Promise(forever()).then(repr) for _ in range(500)]
    joined = Promise.all(forgotten.then(str), *(Promise(forever()) for _ in range(500)))
    waiting = [asyncio.create_task(wait_for(joined.then(str))) for _ in range(200)]
    await turns()
    shown = lines_of(tree())
    assert "1,702 pending promises" == shown[0].replace("1,703", "1,702")
    assert shown[1].startswith("Promise, until its resolver is called (402 wait for it)")
    assert len(shown) < 60
    resolve()
    for one in (*working, *waiting, joined):
        one.cancel()
    await asyncio.wait([*working, *waiting, joined])


async def test_debug_mode_shows_where_each_was_made_and_for_how_long_it_has_been_there() -> None:
    """That is recorded nowhere else."""
    asyncio.get_running_loop().set_debug(True)
    await Promise.resolve().then(str)
    promise = Promise.with_resolvers().promise
    [line] = tree(promise).splitlines()[2:]
    expected = rf"Promise.with_resolvers\(...\), until its resolver is called, made at {__file__}:\d+: "
    assert re.fullmatch(expected + r"promise = Promise.with_resolvers\(\).promise, for \d+\.\d s", line)


async def test_rich_prints_it_in_colour() -> None:
    """And escapes what would look like its markup."""
    console = pytest.importorskip("rich.console").Console(force_terminal=True, width=200, color_system="standard")
    task = asyncio.create_task(forever(), name="[red]")
    promise = Promise(task)
    await turns()
    with console.capture() as captured:
        console.print(tree(promise))
    assert "Task [red] at " in re.sub(r"\x1b\[[\d;]*m", "", captured.get())
    assert "\x1b[1m" in captured.get()


async def test_diagrams_escape_what_names_contain() -> None:
    """A quotation mark or a bracket ends no label."""
    task = asyncio.create_task(forever(), name='a "b" <c> \\')
    promise = Promise(task)
    await turns()
    assert "Task a #quot;b#quot; #lt;c#gt; \\ at " in to_mermaid(promise)
    assert r"Task a \"b\" <c> \\ at " in to_dot(promise)
    assert to_mermaid(promise).endswith("\n    n0 --> n1")
    assert to_dot(promise).endswith("\n    n0 -> n1;\n}")


@pytest.mark.parametrize("call", [tree, to_dot, to_mermaid])
async def test_what_is_no_promise_is_refused(call: Callable) -> None:
    """With what to write."""
    expected = rf"^{call.__name__}\(\) needs a promise, or nothing for all of the running loop, got 5$"
    with pytest.raises(TypeError, match=expected):
        call(5)


@pytest.mark.parametrize("call", [tree, to_dot, to_mermaid])
def test_without_a_running_loop_there_is_nothing_to_show(call: Callable) -> None:
    """But a promise may be looked at afterwards."""

    async def main() -> Promise:
        return Promise.resolve()

    with pytest.raises(RuntimeError, match=rf"^{call.__name__}\(\) needs a running event loop"):
        call()
    assert call(asyncio.run(main()))


PROGRAM = """
import asyncio, signal
from aiopromise import Promise
from aiopromise.inspect import register_signal

def busy(_):
    signal.raise_signal(signal.SIGUSR1)

async def main():
    register_signal()
    answer, resolve, reject = Promise.with_resolvers()
    tip = answer.then(int)
    await Promise.resolve().then(busy)
    print("waiting", flush=True)
    await tip

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there is no SIGUSR1 here")
def test_a_signal_prints_the_tree_of_a_program_that_hangs(tmp_path) -> None:
    """While it is busy, and while it waits for nothing but I/O."""
    (tmp_path / "program.py").write_text(PROGRAM)
    program = [sys.executable, str(tmp_path / "program.py")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert "waiting\n" == process.stdout.readline()
            process.send_signal(signal.SIGUSR1)
            found = (line for line in process.stderr if "until its resolver is called" in line)
            assert ["Promise", "Promise"] == [next(found).partition(",")[0] for _ in range(2)]
        finally:
            process.kill()
