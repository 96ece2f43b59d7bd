"""Print the tree when a signal arrives, as `faulthandler.register()` does for tracebacks."""

import signal
import sys
from asyncio import _get_running_loop
from typing import Any, Final

from aiopromise.inspect._tree import tree

__all__ = ["register_signal", "unregister_signal"]

# What was installed before, by signal.
_before: Final[dict[int, Any]] = {}


def register_signal(signum: int | None = None, file: Any = None) -> None:
    """Print `tree()` to *file* whenever the signal *signum* arrives; by default SIGUSR1, to ``sys.stderr``.

    Python calls signal handlers in the main thread, between two steps of whatever runs there: so it works while the
    loop of the main thread waits, and while a handler or Task is busy in Python code.

    Raises:
        ValueError: called outside the main thread; or there is no SIGUSR1, as on Windows, and *signum* is not given.

    Example:
        >>> from aiopromise.inspect import register_signal, unregister_signal
        >>> register_signal()
        >>> unregister_signal()
        True
    """
    number = _number(signum, "register_signal")

    def show(_signum: int, _frame: object) -> None:
        stream = sys.stderr if file is None else file
        text = "no event loop is running" if _get_running_loop() is None else tree()
        print(text, file=stream, flush=True)

    before = signal.signal(number, show)
    _before.setdefault(number, before)


def unregister_signal(signum: int | None = None) -> bool:
    """Restore the handler that `register_signal()` replaced; return False if it was not registered.

    Example:
        >>> from aiopromise.inspect import unregister_signal
        >>> unregister_signal()
        False
    """
    number = _number(signum, "unregister_signal")
    if number not in _before:
        return False
    signal.signal(number, _before.pop(number))
    return True


def _number(signum: int | None, call: str) -> int:
    if signum is not None:
        return signum
    number: int | None = getattr(signal, "SIGUSR1", None)
    if number is None:
        raise ValueError(f"{call}() needs a signal here, as there is no SIGUSR1\n\nWrite {call}(signal.SIGBREAK)")
    return number
