"""A timeline as a page that needs nothing else: the data, put into timeline.html."""

import json
from importlib.resources import files

from aiopromise.inspect._timeline import Timeline

__all__ = ["page"]


def page(timeline: Timeline) -> str:
    """Return a page that shows *timeline* in any browser."""
    # No text in it may end the element that it stands in.
    data = json.dumps(_data(timeline), separators=(",", ":")).replace("<", "\\u003c")
    template = files("aiopromise.inspect").joinpath("timeline.html").read_text(encoding="utf-8")
    before, after = template.split("DATA", 1)
    return f"{before}{data}{after}"


def _data(timeline: Timeline) -> dict[str, object]:
    index = {bar.promise: number for number, bar in enumerate(timeline.bars)}
    return {
        "seconds": timeline.seconds,
        "promises": timeline.rows,
        "bars": timeline.bars,
        "arrows": [[index[arrow.source.promise], index[arrow.target.promise]] for arrow in timeline.arrows],
        "marks": [[mark.at, mark.text, index[mark.bar.promise]] for mark in timeline.marks],
    }
