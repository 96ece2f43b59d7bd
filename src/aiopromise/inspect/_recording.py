"""Record what happens to promises, for a timeline of it."""

import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final, final

from aiopromise._errors import check_count, short
from aiopromise._instruments import Instrument
from aiopromise._loops import observe, running_loop, running_queue
from aiopromise.inspect._page import page
from aiopromise.inspect._timeline import Moment, Recorded, Timeline
from aiopromise.inspect._trace_events import trace_events

__all__ = ["Recording", "record"]

_FORMATS: Final = {".json": trace_events, ".html": page}


@final
class Recording(Instrument):
    """What has happened to the latest promises of a loop since `record()` was called.

    It keeps the names and times of each promise, and the text of a reason that nobody handled, but neither the
    promise nor its value.
    """

    def __init__(self, limit: int) -> None:
        self._start = monotonic()
        self._promises: deque[Recorded] = deque(maxlen=limit)
        self._moments: deque[Moment] = deque(maxlen=limit)

    def __repr__(self) -> str:
        return f"<Recording of {len(self._promises):,} promises>"

    def promise_created(self, promise: Any, call: str, parent: Any) -> None:
        """Record what is known of *promise*."""
        is_link = parent is not None
        self._promises.append((promise._origin, parent._origin if is_link else None, is_link))

    def cancel_requested(self, promise: Any) -> None:
        """Record the request."""
        self._note("cancel requested", promise)

    def rejection_unhandled(self, promise: Any, reason: BaseException) -> None:
        """Record that nobody has handled *reason*."""
        self._note(f"unhandled rejection: {short(reason)}", promise)

    def loser_abandoned(self, promise: Any, loser: Any) -> None:
        """Record that *loser* is left running."""
        self._note("left running", loser)

    def _note(self, text: str, promise: Any) -> None:
        if promise._origin is not None:  # else it was made before anything observed it
            self._moments.append(Moment(monotonic(), text, promise._origin))

    def save(self, path: str | os.PathLike[str], /) -> None:
        """Write a timeline to the file *path*, in the format of its suffix; during the recording or later.

        - ``.html``: a page that shows the timeline and a tree of the promises, in any browser, and loads nothing else.
        - ``.json``: the Trace Event Format, for https://ui.perfetto.dev and ``chrome://tracing``.

        Both show handlers, and promises that have none, in lanes; arrows to the links chained to each; and marks for
        rejections, with a different one if nobody handled it, for requests to cancel, and for losers left running.
        Pending promises are shown up to now.

        Raises:
            ValueError: the name ends with neither.
            OSError: the file cannot be written.

        Example:
            >>> import asyncio, tempfile
            >>> from pathlib import Path
            >>> from aiopromise import Promise
            >>> from aiopromise.inspect import record
            >>> async def main():
            ...     with record() as recording:
            ...         await Promise.resolve("7").then(int)
            ...     with tempfile.TemporaryDirectory() as folder:
            ...         recording.save(Path(folder, "run.html"))
            >>> asyncio.run(main())
        """
        file = Path(path)
        if file.suffix not in _FORMATS:
            raise ValueError(f"save() writes a file whose name ends with .html or .json, got {short(path)}")
        timeline = Timeline(self._start, monotonic(), [*self._promises], [*self._moments])
        file.write_text(_FORMATS[file.suffix](timeline), encoding="utf-8")


@contextmanager
def record(limit: int = 100_000) -> Iterator[Recording]:
    """Record what happens to the promises that are made on the running loop within the ``with`` block.

    ``with record() as recording`` gives the `Recording`, which can be saved within the block or later. Only the latest
    *limit* promises are kept, so that a recording can stay on in production.

    Raises:
        TypeError: *limit* is not an integer.
        ValueError: *limit* is less than 1.
        RuntimeError: no event loop is running.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.inspect import record
        >>> async def main():
        ...     with record() as recording:
        ...         await Promise.all([1, 2]).then(sum)
        ...     print(recording)
        >>> asyncio.run(main())
        <Recording of 2 promises>
    """
    limit = min(check_count("record", "limit", limit), sys.maxsize)
    running_loop("record")
    queue = running_queue("record")
    recording = Recording(limit)
    observe(queue, recording)
    try:
        yield recording
    finally:
        with suppress(KeyError):  # it has failed, and was removed
            queue.tracer.instruments.remove(recording)
