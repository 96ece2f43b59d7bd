"""Calls that hide the caller's frames: never compiled, since it takes a Python generator to cut them off.

An exception keeps the frames of its traceback alive, and each frame its caller, with all its variables. So what an
eager Task raises in its first step would keep the variables of whoever made it, and among them the promise that is
to hold it: a cycle. A generator suspended at a ``yield`` has no caller.
"""

from collections.abc import Callable, Generator
from typing import Any, Final

__all__ = ["apart"]


def _answers() -> Generator[Any, list[Any], None]:
    call = yield None
    while True:
        try:
            while True:
                # The list is empty by now, as the generator is suspended here, with its variables, until the next call.
                call = yield call.pop()(*call.pop())
        except GeneratorExit:
            raise  # closed at interpreter exit
        except BaseException as error:
            call.append(error)
        call = yield None


# Suspended generators, kept open: a finishing one would have a caller after all. There are as many as the deepest
# nesting of calls so far.
_idle: Final[list[Generator[Any, list[Any], None]]] = []


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return ``function(*arguments)``, whose frames do not lead to those of the caller once it has ended."""
    try:
        answers = _idle.pop()  # atomic, as threads share them
    except IndexError:
        answers = _answers()
        next(answers)
    call: list[Any] = [arguments, function]
    answer = answers.send(call)
    _idle.append(answers)
    if not call:
        return answer
    raise call.pop()
