"""Recordings of what happens to promises, and the timelines that they are saved as."""

import asyncio
import gc
import itertools
import json
import re
import weakref
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from aiopromise import Promise, promisify
from aiopromise.inspect import Recording, record, remove_instrument
from helpers import outcome, turns
from timeline_functions import double, fail, fetch

pytestmark = pytest.mark.usefixtures("loop_mode")


async def enter(gate: asyncio.Event) -> None:
    await gate.wait()


def events_of(recording: Recording, folder: Path) -> list[dict[str, Any]]:
    file = folder / "run.json"
    recording.save(file)
    return json.loads(file.read_text())["traceEvents"]


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["ph"] == kind]


async def recorded(run: Callable[[], Any], folder: Path) -> list[dict[str, Any]]:
    """Return the events of what *run* returns a promise for."""
    with record() as recording:
        await outcome(run())
    return events_of(recording, folder)


async def test_each_handler_has_a_slice_as_long_as_it_runs(tmp_path: Path) -> None:
    """An async one until its Task has ended."""
    events = await recorded(lambda: Promise.resolve(1).then(fetch).then(double), tmp_path)
    slices = {event["name"]: event for event in of_kind(events, "X") if event["cat"] == "handler"}
    assert [".then(fetch)", ".then(double)"] == [*slices]
    assert slices[".then(fetch)"]["dur"] >= 900  # microseconds
    assert slices[".then(fetch)"]["ts"] + slices[".then(fetch)"]["dur"] <= slices[".then(double)"]["ts"]
    assert ["fulfilled"] * 2 == [event["args"]["outcome"] for event in slices.values()]


async def test_handlers_that_run_at_the_same_time_have_a_lane_each(tmp_path: Path) -> None:
    """And a lane is used again."""
    events = await recorded(lambda: Promise.map(range(9), fetch, concurrency=3), tmp_path)
    slices = [event for event in of_kind(events, "X") if event["cat"] == "handler"]
    assert (9, {1, 2, 3}) == (len(slices), {event["tid"] for event in slices})
    for lane in (1, 2, 3):
        spans = sorted((event["ts"], event["ts"] + event["dur"]) for event in slices if event["tid"] == lane)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


async def test_arrows_lead_from_a_source_to_its_links(tmp_path: Path) -> None:
    """Over a link that the outcome has passed by."""
    events = await recorded(lambda: Promise.resolve(1).then(fetch).catch(fail).then(double), tmp_path)
    starts = {event["id"]: event for event in of_kind(events, "s")}
    ends = {event["id"]: event for event in of_kind(events, "f")}
    fetched, doubled = [event for event in of_kind(events, "X") if event["cat"] == "handler"]
    assert [fetched["ts"], doubled["ts"]] == [event["ts"] for event in ends.values()]
    assert fetched["ts"] <= starts[1]["ts"] <= fetched["ts"] + fetched["dur"] <= doubled["ts"]
    assert [*starts] == [*ends] == [0, 1]


async def test_an_arrow_from_a_map_starts_while_that_is_pending(tmp_path: Path) -> None:
    """Where the call starts: readers drop an arrow that starts outside its slice, or ends before it starts."""
    events = await recorded(lambda: Promise.map(range(3), fetch), tmp_path)
    [mapped] = [event for event in of_kind(events, "X") if event["cat"] == "promise"]
    ends = {event["id"]: event["ts"] for event in of_kind(events, "f")}
    starts = {event["id"]: event["ts"] for event in of_kind(events, "s")}
    assert 3 == len(starts)
    for number, start in starts.items():
        assert mapped["ts"] <= start <= ends[number] < mapped["ts"] + mapped["dur"]


async def test_a_rejection_and_a_request_to_cancel_have_a_mark(tmp_path: Path) -> None:
    """At the slice of the promise."""

    def run() -> Promise:
        slow = Promise.resolve().then(lambda _: asyncio.sleep(60))
        asyncio.get_running_loop().call_later(0.001, slow.cancel)
        return Promise.all_settled(slow, Promise.resolve().then(fail))

    events = await recorded(run, tmp_path)
    assert {"cancel requested", "rejected"} == {event["name"] for event in of_kind(events, "i")}


async def test_a_link_whose_handler_has_not_run_is_marked_at_what_it_waits_for(tmp_path: Path) -> None:
    """It has no slice of its own."""
    with record() as recording:
        lost = Promise(fail(None)).then(double)
        slow = Promise.delay(60).then(double)
        await turns()
        slow.cancel()
        await turns()
        marks = [event["name"] for event in of_kind(events_of(recording, tmp_path), "i")]
        assert ["cancel requested", "rejected", "unhandled rejection: ValueError('no')"] == sorted(marks)
        await outcome(lost)


async def test_a_link_is_shown_as_one_even_if_its_source_is_older_than_the_recording(tmp_path: Path) -> None:
    """Nothing is known of that."""
    promise, resolve, _ = Promise.with_resolvers()
    with record() as recording:
        link = promise.then(double)
        resolve(1)
        await link
    [shown] = [event["name"] for event in of_kind(events_of(recording, tmp_path), "X")]
    assert ".then(double)" == shown


async def test_a_rejection_is_marked_when_it_happens(tmp_path: Path) -> None:
    """That of a promise which the handler has returned, too."""
    events = await recorded(lambda: Promise.resolve().then(lambda _: Promise(fail(None))), tmp_path)
    handler = next(event for event in of_kind(events, "X") if event["cat"] == "handler")
    marks = {event["pid"]: event["ts"] for event in of_kind(events, "i")}
    assert handler["ts"] + handler["dur"] < marks[handler["pid"]]


async def test_a_promise_is_shown_with_what_it_wraps(tmp_path: Path) -> None:
    """A coroutine, or anything else that can be awaited."""

    class Later:
        def __await__(self) -> Generator[Any, Any, None]:
            yield from asyncio.sleep(0).__await__()

    events = await recorded(lambda: Promise.all(Promise(fetch(1)), Promise(Later())), tmp_path)
    shown = {event["name"] for event in of_kind(events, "X")}
    assert {"Promise(fetch)", "Promise(Later)"} <= shown or asyncio.get_running_loop().get_debug()


async def test_an_unhandled_rejection_and_a_loser_that_runs_on_have_a_mark(tmp_path: Path) -> None:
    """With the reason."""
    with record() as recording:
        failing = Promise.resolve().then(fail)
        loser = Promise(fetch(1))
        await Promise.race(Promise.resolve(1), loser)
        await turns()
        marks = [event["name"] for event in of_kind(events_of(recording, tmp_path), "i")]
        assert {"unhandled rejection: ValueError('no')", "left running", "rejected"} == {*marks}
        await outcome(failing)
        await loser


async def test_a_promise_that_is_pending_is_shown_until_now(tmp_path: Path) -> None:
    """The recording can be saved while it goes on."""
    with record() as recording:
        gate = asyncio.Event()
        promise, resolve, _ = Promise.with_resolvers()
        waiting = Promise.resolve(gate).then(enter)
        await turns()
        shown = {event["name"]: event["args"]["outcome"] for event in of_kind(events_of(recording, tmp_path), "X")}
        assert {"pending"} == {shown["Promise.with_resolvers(...)"], shown[".then(enter)"]}
        resolve(1)
        gate.set()
        await Promise.all(promise, waiting)
    shown = {event["name"]: event["args"]["outcome"] for event in of_kind(events_of(recording, tmp_path), "X")}
    assert {"fulfilled"} == {shown["Promise.with_resolvers(...)"], shown[".then(enter)"]}


async def test_a_promise_is_shown_as_the_call_that_made_it(tmp_path: Path) -> None:
    """With the name of what runs: the handler, the function or the coroutine."""
    later = promisify(fetch)
    events = await recorded(lambda: Promise.all(Promise(fetch(1)), later(2).then(double).tap(print)), tmp_path)
    names = [event["name"] for event in of_kind(events, "X")]
    assert sorted(["Promise(fetch)", "fetch(...)", ".then(double)", ".tap(print)", "Promise.all(...)"]) == sorted(names)


async def test_only_the_latest_promises_are_kept(tmp_path: Path) -> None:
    """So that it can stay on."""
    with record(limit=10) as recording:
        for number in range(100):
            await Promise.resolve(number).then(double)
    assert "<Recording of 10 promises>" == repr(recording)
    assert 10 == len(of_kind(events_of(recording, tmp_path), "X"))


async def test_a_recording_keeps_neither_promises_nor_handlers_nor_values() -> None:
    """Names and times only."""

    class Thing:
        pass

    def handle(value: Thing) -> Thing:
        return value

    with record() as recording:
        value = Thing()
        promise = Promise.resolve(value).then(handle)
        await promise
        gone = [weakref.ref(one) for one in (value, promise, handle)]
        del value, promise, handle
        await turns()
        gc.collect()
        assert [None] * 3 == [one() for one in gone]
    assert "<Recording of 2 promises>" == repr(recording)


async def test_nothing_is_recorded_after_the_block() -> None:
    """The instrument is removed, also by an exception."""
    with pytest.raises(KeyError), record() as recording:
        raise KeyError
    Promise.resolve(1)
    assert "<Recording of 0 promises>" == repr(recording)


async def test_a_recording_may_be_removed_within_its_block() -> None:
    """As one that has failed is."""
    with record() as recording:
        Promise.resolve(1)
        remove_instrument(recording)
        Promise.resolve(2)
    assert "<Recording of 1 promises>" == repr(recording)


async def test_a_wrong_limit_or_name_is_refused(tmp_path: Path) -> None:
    """Before anything is recorded or written."""
    for limit in (0, -1):
        with pytest.raises(ValueError, match=rf"record\(\) needs limit >= 1, got {limit}"):
            record(limit).__enter__()
    for limit in (1.5, "5", None, True):
        with pytest.raises(TypeError, match=rf"record\(\) needs an integer for limit, got {limit!r}"):
            record(limit).__enter__()
    with record(10**30) as recording:
        assert "<Recording of 0 promises>" == repr(recording)
    file = tmp_path / "run.txt"
    with record() as recording, pytest.raises(ValueError, match=r"ends with .html or .json, got .*run\.txt"):
        recording.save(file)
    with pytest.raises(FileNotFoundError):
        file.read_text()


async def test_the_page_loads_nothing_and_shows_names_as_text(tmp_path: Path) -> None:
    """It can be sent to somebody, and a name cannot end its script."""
    handle = lambda value: value  # noqa: E731
    handle.__name__ = "</script><script>alert(1)</script>"
    with record() as recording:
        await Promise.resolve(1).then(handle)
    page = tmp_path / "run.html"
    recording.save(page)
    text = page.read_text()
    assert [] == re.findall(r"(?:src|href)=|url\(|import |fetch\(|https?:", text)
    assert 2 == text.count("<script")
    assert "alert(1)" in text
