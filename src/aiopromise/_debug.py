"""Where a promise was made, and where the links above it were attached: in debug mode.

A failure then bears the name of its link.
"""

from asyncio import CancelledError
from collections.abc import Iterable
from traceback import FrameSummary, StackSummary
from types import MethodType
from typing import Any, Final, Self, final

from aiopromise._engine.tasks import name_of
from aiopromise._errors import add_note
from aiopromise._handlers import Effect, FinalEffect, Spread

__all__ = ["Links", "Origin"]

# A chain without end must not keep all that it ever had.
_MOST: Final = 16


@final
class Links(tuple[str, ...]):
    """The beginning of a chain and its links, from top to bottom, in the words of a report."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "".join(f"\n  {link}" for link in self)


@final
class Origin(StackSummary):
    """The stack of the user's code where a promise was made."""

    def __init__(self, frames: Iterable[FrameSummary]) -> None:
        super().__init__(frames)
        # The link as the user wrote it; None for the beginning of a chain, and where debug mode is off.
        self.call: str | None = None
        self.above: tuple[str, ...] = ()
        # A promise that its handler gave is being followed: what that is rejected with is the handler's failure.
        self.follows = False
        # Who watches over the promise.
        self.recording: object = None

    @classmethod
    def of(cls, promise: Any, frames: Iterable[FrameSummary]) -> Self:
        """Return that of a new *promise*, which hangs on nothing, or on the promise that it is a link of."""
        origin = cls(frames)
        source = promise._upstream
        if source is not None:
            origin.attach(_call(promise._on_fulfilled, promise._on_rejected), source._origin)
        return origin

    def attach(self, call: str, above: "Origin | None") -> None:
        """Know that the promise is a link below another: *call* is what the user wrote, *above* where that was made."""
        self.call = call
        self.above = () if above is None else above.links()[-_MOST:]

    def with_call(self, call: str) -> Self:
        """Return that of a promise which was made later for the same line: *call* is what the user wrote there."""
        origin = type(self)(self)
        origin.call = call
        return origin

    def links(self) -> Links:
        """Return where the chain begins, and where each link was attached, down to this one."""
        if not self:
            return Links(self.above)  # all frames were the library's
        place = f"{self[-1].filename}:{self[-1].lineno}"
        return Links((*self.above, f"made at {place}" if self.call is None else f"{self.call}, attached at {place}"))

    def add_note(self, error: BaseException) -> None:
        """Let the traceback of *error* name this link, whose handler has failed with it."""
        if self.call is None or not self or issubclass(type(error), CancelledError):
            return
        add_note(error, f"in {self.links()[-1]}")

    def report(self) -> dict[str, Any]:
        """Return what the report of a rejection that nobody handled says of the promise."""
        links = self.links()
        return {"source_traceback": self} | ({"links": links} if len(links) > 1 else {})


def _call(on_fulfilled: Any, on_rejected: Any) -> str:
    """Return the link with these handlers as the user wrote it; ``.then(None, f)`` as the ``.catch(f)`` that it is."""
    handler = on_rejected if on_fulfilled is None else on_fulfilled
    kind = type(handler.__self__) if type(handler) is MethodType else type(handler)
    if kind is FinalEffect:
        method = "finally_"
    elif kind is Spread:
        method = "spread"
    elif kind is Effect:
        method = "tap_catch" if on_fulfilled is None else "tap"
    elif on_fulfilled is not None and on_rejected is not None:
        return f".then({name_of(on_fulfilled)}, {name_of(on_rejected)})"
    else:
        method = "then" if on_rejected is None else "catch"
    return f".{method}({'' if handler is None else name_of(handler)})"
