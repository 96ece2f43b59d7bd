"""The origin of a promise: for debug mode, and for who records promises."""

import traceback
from itertools import takewhile
from typing import Any, Final

from aiopromise._origin import Origin
from aiopromise._queue import Queue
from aiopromise._recorder import recorders

__all__ = ["trace"]

_OURS: Final = __file__.removesuffix("_trace.py")


def trace(promise: Any) -> Origin | None:
    """Tell the recorders of a new *promise*, and return where it was made, if that is to be known."""
    queue: Queue = promise._queue
    origin = Origin.of(promise, _here(queue)) if queue.debug else None
    for recorder in tuple(recorders):
        origin = recorder.made(promise, origin)
    return origin


def _here(queue: Queue) -> traceback.StackSummary:
    """Return where the user's code is now, without the frames of the library: on the loop's own thread."""
    stack = traceback.StackSummary.extract(traceback.walk_stack(None), limit=16, lookup_lines=False)
    ours = [frame.name for frame in takewhile(_is_ours, stack)]
    queue.check_thread(ours[-1])
    return traceback.StackSummary.from_list([frame for frame in reversed(stack) if not _is_ours(frame)])


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_OURS)
