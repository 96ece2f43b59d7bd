"""`settle()`: run the loop until there is nothing left to do but wait."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any, Final

from aiopromise._engine.queue import Queue
from aiopromise._engine.tasks import TASKS, name_of

__all__ = ["settle"]

_TURNS: Final = 1000

# Two of them would keep each other busy.
_settling: Final[weakref.WeakSet[asyncio.AbstractEventLoop]] = weakref.WeakSet()


async def settle(*, turns: int = _TURNS) -> None:
    """Run the loop until there is nothing left to do but wait.

    By then all due handlers have run, and every Task is blocked on an ``await`` that only time, another thread, a
    peer or the test itself can end. It never sleeps: due timers and ready I/O are handled, but no others are waited
    for.

    Raises:
        RuntimeError: there is still something to do after *turns* iterations; or another settle() is running.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import settle
        >>> async def double(number):
        ...     await asyncio.sleep(0)
        ...     return number * 2
        >>> async def main():
        ...     doubled = Promise.resolve(1).then(double).then(double)
        ...     await settle()
        ...     return doubled
        >>> asyncio.run(main())
        <Promise fulfilled 4>
    """
    loop = asyncio.get_running_loop()
    if loop in _settling:
        raise RuntimeError(
            "settle() was called while another settle() is running on this loop\n\nCall it once, in the test itself"
        )
    _settling.add(loop)
    idleness = _idleness_of(loop)
    quiet = 0
    try:
        for _ in range(turns):
            idleness.begin_turn()
            await asyncio.sleep(0)
            quiet = 0 if idleness.due() else quiet + 1
            # The iteration after a quiet one has also polled for ready I/O and timers.
            if quiet == 2:
                return
        names = ", ".join(dict.fromkeys(_describe(callback, args) for callback, args in idleness.due()))
    finally:
        idleness.close()
        _settling.discard(loop)
    raise RuntimeError(
        f"settle() ran the loop {turns} times, and it is still busy: {names or 'I/O'}\n\n"
        "If it does finish, raise settle(turns=...); if it polls, make it wait for an event instead"
    )


class _Ready:
    """The pending callbacks of asyncio's own loops, which keep them in a queue that can be inspected."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def begin_turn(self) -> None:
        """Start watching; nothing to do here."""

    def due(self) -> list[Any]:
        """Return the callbacks of the next iteration, each with its arguments."""
        return [(handle._callback, handle._args) for handle in self._loop._ready if not handle.cancelled()]

    def close(self) -> None:
        """Stop watching; nothing to do here."""


class _Calls:
    """The pending callbacks of any other loop, such as uvloop: those passed to call_soon() in this iteration."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._calls: list[Any] = []
        # Tasks and futures call it on the instance, so this affects only this loop, until close().
        loop.call_soon = self._call_soon

    def begin_turn(self) -> None:
        self._calls.clear()

    def due(self) -> list[Any]:
        # The first call is the one that resumes settle() itself.
        return self._calls[1:]

    def close(self) -> None:
        vars(self._loop).pop("call_soon", None)

    def _call_soon(self, callback: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        self._calls.append((callback, args))
        return type(self._loop).call_soon(self._loop, callback, *args, **kwargs)


def _idleness_of(loop: asyncio.AbstractEventLoop) -> _Ready | _Calls:
    return _Ready(loop) if hasattr(loop, "_ready") else _Calls(loop)


def _describe(callback: Any, args: tuple[Any, ...]) -> str:
    if args and isinstance(args[0], Queue) and args[0].items:
        return repr(args[0].items[0])
    owner = getattr(callback, "__self__", None)
    return repr(owner) if isinstance(owner, TASKS) else name_of(callback)
