"""Where a Task is: the innermost line of the user's own code."""

import linecache
import os
from types import FrameType
from typing import Any, Final

from aiopromise._errors import is_ours

__all__ = ["place_of_task"]

_STANDARD: Final = os.path.dirname(os.__file__)


def place_of_task(task: Any) -> str:
    """Return where *task* waits or runs, as the end of a sentence."""
    frame = _users_frame(task.get_coro())
    if frame is None:
        return ""
    code = frame.f_code
    line = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f" at {code.co_filename}:{frame.f_lineno} in {code.co_name}" + (f": {line}" if line else "")


def _users_frame(coroutine: Any) -> FrameType | None:
    """Return the innermost frame that is neither the library's nor the standard library's; else the outermost."""
    found = first = None
    while coroutine is not None:
        frame = _first(coroutine, "cr_frame", "ag_frame", "gi_frame")
        if frame is not None:
            first = first or frame
            if not is_ours(frame) and not _is_standard(frame):
                found = frame
        coroutine = _first(coroutine, "cr_await", "ag_await", "gi_yieldfrom")
    return found or first


def _is_standard(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith("<frozen") or (name.startswith(_STANDARD) and "site-packages" not in name)


def _first(one: Any, *names: str) -> Any:
    return next((value for name in names if (value := getattr(one, name, None)) is not None), None)
