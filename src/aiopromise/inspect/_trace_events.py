"""A timeline in the Trace Event Format, which Perfetto and Chrome open."""

import json
from collections.abc import Iterator
from typing import Any, Final

from aiopromise.inspect._timeline import Arrow, Bar, Mark, Timeline

__all__ = ["trace_events"]

# What the format calls processes and threads: groups of lanes, and lanes.
_GROUPS: Final = {True: (1, "handlers"), False: (2, "promises")}

_NANOSECOND: Final = 1e-9


def trace_events(timeline: Timeline) -> str:
    """Return *timeline* in the Trace Event Format."""
    return json.dumps({"traceEvents": [*_events(timeline)], "displayTimeUnit": "ms"})


def _events(timeline: Timeline) -> Iterator[dict[str, Any]]:
    yield from _names(timeline.bars)
    yield from map(_slice, timeline.bars)
    for number, arrow in enumerate(timeline.arrows):
        yield from _flow(number, arrow)
    yield from map(_instant, timeline.marks)


def _names(bars: list[Bar]) -> Iterator[dict[str, Any]]:
    for is_handler, (group, name) in _GROUPS.items():
        lanes = sorted({bar.lane + 1 for bar in bars if bar.is_handler is is_handler})
        if lanes:
            yield {"ph": "M", "name": "process_name", "pid": group, "args": {"name": name}}
        for lane in lanes:
            yield {"ph": "M", "name": "thread_name", "pid": group, "tid": lane, "args": {"name": f"lane {lane}"}}


def _slice(bar: Bar) -> dict[str, Any]:
    return {
        "ph": "X",
        "name": bar.label,
        "cat": "handler" if bar.is_handler else "promise",
        **_place(bar, bar.start),
        "dur": _micros(bar.end - bar.start),
        "args": {"promise": bar.promise, "outcome": bar.outcome},
    }


def _flow(number: int, arrow: Arrow) -> Iterator[dict[str, Any]]:
    source, target = arrow.source, arrow.target
    # It starts within the bar: at its end or, as a call by map() starts while that is pending, when the other starts.
    start = max(source.start, min(source.end - _NANOSECOND, target.start))
    common = {"name": "link", "cat": "link", "id": number}
    yield {"ph": "s", **common, **_place(source, start)}
    yield {"ph": "f", "bp": "e", **common, **_place(target, target.start)}


def _instant(mark: Mark) -> dict[str, Any]:
    return {"ph": "i", "s": "t", "name": mark.text, "cat": "moment", **_place(mark.bar, mark.at)}


def _place(bar: Bar, at: float) -> dict[str, Any]:
    group, _ = _GROUPS[bar.is_handler]
    return {"pid": group, "tid": bar.lane + 1, "ts": _micros(at)}


def _micros(seconds: float) -> float:
    return round(seconds * 1e6, 3)
