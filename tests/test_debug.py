"""Where a failure comes from: what debug mode adds to its traceback, and to the report if it is unhandled."""

import asyncio
import compileall
import gc
import logging
import pickle
import shutil
import subprocess
import sys
import traceback
from asyncio import CancelledError
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

import aiopromise
from aiopromise import Promise, pipe, promisify
from helpers import turns


@pytest.fixture
async def debug() -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 60  # slow machines are not a finding


def parse(*_: object) -> NoReturn:
    raise ValueError("no number")


async def fetch(*_: object) -> NoReturn:
    await asyncio.sleep(0)
    raise ValueError("no answer")


@promisify
async def promised(*_: object) -> NoReturn:
    raise ValueError("no answer")


def waiting(_: object) -> asyncio.Future:
    return asyncio.get_running_loop().run_in_executor(None, parse)


async def reason_of(promise: Promise) -> BaseException:
    with pytest.raises(BaseException) as caught:
        await promise
    return caught.value


def notes_of(error: BaseException | None) -> list[str]:
    return getattr(error, "__notes__", [])


def links_of(error: BaseException | None) -> list[str]:
    """Return its notes without the places."""
    return [note.partition(",")[0] for note in notes_of(error)]


def place_of(function: Callable) -> str:
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


def one() -> Promise:
    return Promise.resolve(1)


def failed() -> Promise:
    return Promise.reject(KeyError("before"))


LINKS = [
    (".then(parse)", lambda: one().then(parse)),
    (".then(fetch)", lambda: one().then(fetch)),
    (".then(promised)", lambda: one().then(promised)),
    (".then(waiting)", lambda: one().then(waiting)),
    (".then(<lambda>)", lambda: one().then(lambda value: value / 0)),
    (".then(parse, print)", lambda: one().then(parse, print)),
    (".then(print, parse)", lambda: failed().then(print, parse)),
    (".then(None, parse)", lambda: failed().then(None, parse)),
    (".catch(parse)", lambda: failed().catch(parse)),
    (".catch(fetch)", lambda: failed().catch(LookupError, fetch)),
    (".finally_(parse)", lambda: one().finally_(parse)),
    (".finally_(parse)", lambda: failed().finally_(parse)),
    (".finally_(fetch)", lambda: failed().finally_(fetch)),
    (".tap(parse)", lambda: one().tap(parse)),
    (".tap(fetch)", lambda: one().tap(fetch)),
    (".tap_catch(parse)", lambda: failed().tap_catch(parse)),
    (".tap_catch(fetch)", lambda: failed().tap_catch(fetch)),
    (".spread(parse)", lambda: Promise.resolve((1, 2)).spread(parse)),
    (".spread(fetch)", lambda: Promise.resolve((1, 2)).spread(fetch)),
    (".spread(print)", lambda: one().spread(print)),
    (".timeout(0)", lambda: Promise.delay(3600).timeout(0)),
    (".then(parse)", lambda: pipe(int, parse)("1")),
    ("Promise.map(parse)", lambda: Promise.map([1], parse)),
    ("Promise.map_unordered(fetch)", lambda: Promise(anext(Promise.map_unordered([1], fetch)))),
    ("Promise.filter(fetch)", lambda: Promise.filter([1], fetch)),
    ("Promise.reduce(fetch)", lambda: Promise.reduce([1], fetch, 0)),
    ("Promise.each(parse)", lambda: Promise.each([1], parse)),
]


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize(("call", "link"), LINKS)
async def test_the_traceback_names_the_link_that_failed(call: str, link: Callable) -> None:
    """As the user wrote it, and the line where it was attached."""
    error = await reason_of(link())
    assert [f"in {call}, attached at {place_of(link)}"] == notes_of(error)
    assert traceback.format_exception(error)[-1] == f"{notes_of(error)[0]}\n"


@pytest.mark.parametrize(("call", "link"), LINKS)
async def test_there_is_no_note_outside_of_debug_mode(call: str, link: Callable) -> None:
    """No cost without instruments."""
    assert [] == notes_of(await reason_of(link()))


@pytest.mark.usefixtures("debug")
async def test_a_link_that_a_rejection_passes_is_not_named() -> None:
    """Neither those whose handler is not called, nor those whose handler passes the outcome on."""
    passed = one().then(parse).then(print).catch(OSError, print).finally_(int).tap(print).tap_catch(str)
    error = await reason_of(Promise.all(passed.timeout(5).timeout(None).shield()))
    assert ["in .then(parse)"] == links_of(error)


@pytest.mark.usefixtures("debug")
async def test_the_beginning_of_a_chain_adds_no_note() -> None:
    """The traceback ends in the line that failed, and nothing was attached."""
    made = Promise.with_resolvers()
    made.resolve(promised())
    beginnings = [made.promise, Promise(fetch()), Promise.try_(parse), Promise(lambda resolve, reject: parse())]
    assert [[]] * 4 == [notes_of(await reason_of(promise)) for promise in beginnings]


@pytest.mark.usefixtures("debug")
async def test_a_link_within_the_handler_of_another_comes_first() -> None:
    """As in a traceback read upwards: the inner one, then the outer one that has failed with it."""

    def returns(_: object) -> Promise:
        return one().then(parse)

    async def awaits(_: object) -> None:
        await returns(_)

    assert ["in .then(parse)", "in .then(returns)"] == links_of(await reason_of(one().then(returns)))
    assert ["in .then(parse)", "in .then(awaits)"] == links_of(await reason_of(one().then(awaits)))


@pytest.mark.usefixtures("debug")
async def test_an_exception_that_a_second_link_raises_again_names_both() -> None:
    """First the one that raised it first."""

    def again(error: Exception) -> NoReturn:
        raise error

    error = await reason_of(one().then(parse).catch(again))
    assert ["in .then(parse)", "in .catch(again)"] == links_of(error)


@pytest.mark.usefixtures("debug")
async def test_an_exception_that_is_raised_a_hundred_times_has_one_note_of_each_line() -> None:
    """One object for all failures does not grow."""
    error = ValueError("always the same")

    def fail(_: object) -> NoReturn:
        raise error

    for _ in range(100):
        await reason_of(one().then(fail))
    assert ["in .then(fail)"] == links_of(error)


@pytest.mark.usefixtures("debug")
async def test_a_cancellation_bears_no_note() -> None:
    """It is not a failure."""

    async def give_up(_: object) -> NoReturn:
        raise CancelledError

    assert [] == notes_of(await reason_of(one().then(give_up)))


class OwnMeaning(Exception):
    """Has its own method of the same name as Python's."""

    def add_note(self, pitch: int, length: int) -> None:
        raise AssertionError("nobody has asked for music")


class Unnotable(Exception):
    """Has something else where Python keeps the notes."""

    __notes__ = 5


class Guarded(Exception):
    """Does not allow inspection."""

    @property
    def __notes__(self) -> NoReturn:
        raise RuntimeError("hands off")


class Sealed(Exception):
    """Takes no attribute."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "__notes__":
            raise AttributeError(name)
        super().__setattr__(name, value)


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize("kind", [OwnMeaning, Unnotable, Guarded, Sealed])
async def test_an_exception_that_takes_no_note_rejects_as_any_other(kind: type[Exception]) -> None:
    """It is the outcome, with or without a note."""
    error = kind()

    def fail(_: object) -> NoReturn:
        raise error

    assert error is await reason_of(one().then(fail))


@pytest.mark.usefixtures("debug")
async def test_notes_go_with_a_pickled_exception() -> None:
    """They are plain text."""
    error = await reason_of(one().then(parse))
    assert 1 == len(notes_of(error))
    assert notes_of(error) == notes_of(pickle.loads(pickle.dumps(error)))


@pytest.mark.usefixtures("debug")
async def test_each_of_two_exceptions_keeps_its_own_note() -> None:
    """`raise ... from` copies none."""

    def wrap(error: Exception) -> NoReturn:
        raise LookupError("no page") from error

    error = await reason_of(one().then(parse).catch(wrap))
    assert (["in .catch(wrap)"], ["in .then(parse)"]) == (links_of(error), links_of(error.__cause__))


@pytest.mark.usefixtures("debug")
async def test_a_handler_that_fails_too_late_is_named_in_the_report(reports: list[dict]) -> None:
    """Nobody awaits it any more, so the line is all that there is to go by."""

    def cancel(_: object) -> NoReturn:
        promise.cancel()
        parse()

    promise = one().then(cancel)
    await turns()
    assert [["in .then(cancel)"]] == [links_of(report["exception"]) for report in reports]


# ------------------------------------------------------- the report of an unhandled rejection


@pytest.mark.usefixtures("debug")
async def test_a_report_shows_where_the_chain_begins_and_each_link_was_attached(reports: list[dict]) -> None:
    """From top to bottom; the last one is the unhandled promise."""
    links: list[Callable[[Any], Promise]] = [
        lambda _: one(),
        lambda promise: promise.then(parse),
        lambda promise: promise.timeout(5),
        lambda promise: promise.finally_(int),
    ]
    tip = None
    for link in links:
        tip = link(tip)
    del tip
    await turns()
    calls = [".then(parse), attached", ".timeout(5), attached", ".finally_(int), attached"]
    begin, *attached = map(place_of, links)
    begin = begin.rpartition(":")[0] + f":{one.__code__.co_firstlineno + 1}"
    expected = [f"made at {begin}", *(f"{call} at {place}" for call, place in zip(calls, attached, strict=True))]
    assert [expected] == [list(report["links"]) for report in reports]


@pytest.mark.usefixtures("debug")
async def test_a_report_of_a_promise_without_links_shows_where_it_was_made(reports: list[dict]) -> None:
    """There is no chain to show."""
    Promise.reject(ValueError("lost"))
    gc.collect()
    expected = "test_a_report_of_a_promise_without_links_shows_where_it_was_made"
    assert [(expected, False)] == [(report["source_traceback"][-1].name, "links" in report) for report in reports]


@pytest.mark.logs
@pytest.mark.usefixtures("debug")
async def test_asyncio_prints_a_line_for_each_link(caplog: pytest.LogCaptureFixture) -> None:
    """Its own handler makes a readable report of it."""
    asyncio.get_running_loop().set_exception_handler(None)  # a runner may have its own
    with caplog.at_level(logging.ERROR, "asyncio"):
        links: list[Callable] = [lambda: one().then(parse)]
        links[0]()
        await turns()
    [record] = caplog.records
    assert f"\n  .then(parse), attached at {place_of(links[0])}\n" in record.getMessage()


@pytest.mark.usefixtures("debug")
async def test_a_link_is_named_by_the_file_that_attached_it_whoever_called_that(reports: list[dict]) -> None:
    """The caller may be of another file, such as a framework."""
    names: dict[str, Any] = {"Promise": Promise, "parse": parse}
    exec(compile("\n\nPromise.resolve().then(parse)", "handlers.py", "exec"), names)
    await turns()
    assert [["made at handlers.py:3", ".then(parse), attached at handlers.py:3"]] == [
        list(report["links"]) for report in reports
    ]


@pytest.mark.usefixtures("debug")
async def test_a_report_shows_the_innermost_lines_of_a_deep_stack(reports: list[dict]) -> None:
    """Each promise keeps them: there must be an end."""

    def descend(depth: int) -> None:
        if depth == 0:
            Promise.reject(ValueError("lost"))
        else:
            descend(depth - 1)

    descend(100)
    [report] = reports
    names = [frame.name for frame in report["source_traceback"]]
    assert (True, {"descend"}) == (10 <= len(names) <= 16, set(names))


@pytest.mark.usefixtures("debug")
async def test_a_chain_without_end_keeps_a_bounded_number_of_places(reports: list[dict]) -> None:
    """Debug mode may be on for days."""
    tip = one()
    for _ in range(100):
        tip = tip.then(int)
    tip = tip.then(parse)
    await turns()
    del tip
    assert [17] == [len(report["links"]) for report in reports]


async def test_debug_mode_may_be_switched_on_in_the_middle_of_a_chain() -> None:
    """What was made before is not known, and what is made now is."""
    loop = asyncio.get_running_loop()
    before = one()
    loop.set_debug(True)
    await before.then(str)
    links: list[Callable] = [lambda: before.then(parse)]
    assert [f"in .then(parse), attached at {place_of(links[0])}"] == notes_of(await reason_of(links[0]()))


async def test_debug_mode_may_begin_in_the_middle_of_a_call_of_map() -> None:
    """What was awaited before has no location; nothing fails because of that."""
    results = Promise.map(["1", "2"], int)
    asyncio.get_running_loop().set_debug(True)
    assert [1, 2] == await results


PROGRAM = """
import asyncio
from aiopromise import Promise

async def main():
    try:
        await Promise.resolve("x").then(int)
    except ValueError as error:
        print(error.__notes__)

asyncio.run(main(), debug=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["", "elsewhere"], ids=["sourceless", "frozen"])
def test_the_traceback_names_the_link_where_the_library_was_installed_without_its_source(tmp_path, where) -> None:
    """Its frames are recognized by their module, as their file names do not exist."""
    package = tmp_path / "aiopromise"
    shutil.copytree(Path(aiopromise.__file__).parent, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    compileall.compile_dir(package, ddir=where or None, quiet=1, legacy=True)
    for source in package.rglob("*.py"):
        source.unlink()
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert (f"['in .then(int), attached at {program}:7']\n", "") == (done.stdout, done.stderr)
