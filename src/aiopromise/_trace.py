"""The origin of a promise: for debug mode, and for who records promises."""

import sys
import traceback
from itertools import islice, takewhile
from types import FrameType
from typing import Any, Final

from aiopromise._debug import Origin
from aiopromise._engine.queue import Queue
from aiopromise._errors import is_ours
from aiopromise._instruments import recorders

__all__ = ["called", "trace"]

# So many frames are looked at: each promise keeps what is shown of them.
_MOST: Final = 16


def trace(promise: Any) -> Origin | None:
    """Tell the recorders of a new *promise*, and return where it was made, if that is to be known."""
    queue: Queue = promise._queue
    origin = Origin.of(promise, _here(queue)) if queue.debug else None
    for recorder in tuple(recorders):
        origin = recorder.made(promise, origin)
    return origin


def _here(queue: Queue) -> traceback.StackSummary:
    """Return where the user's code is now, without the frames of the library: on the loop's own thread."""
    stack = [*islice(traceback.walk_stack(sys._getframe(1)), _MOST)]
    ours = [frame.f_code.co_name for frame, _ in takewhile(lambda place: is_ours(place[0]), stack)]
    queue.check_thread(ours[-1])
    users = [place for place in reversed(stack) if not is_ours(place[0])]
    return traceback.StackSummary.extract(users, lookup_lines=False)


def called() -> str:
    """Return the name of the function of the library that the user's code has called, to tell what went wrong in it."""
    frame: FrameType | None = sys._getframe(1)
    name = ""
    while frame is not None and is_ours(frame):
        name = frame.f_code.co_name
        frame = frame.f_back
    return name
