"""What a recording shows: bars in lanes, arrows between them, and moments."""

from heapq import heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from aiopromise._debug import Origin
from aiopromise._engine.state_codes import CANCELLED, FULFILLED, PENDING, REJECTED

__all__ = ["Arrow", "Bar", "Mark", "Moment", "Recorded", "Timeline"]

_OUTCOMES: Final = {FULFILLED: "fulfilled", REJECTED: "rejected", CANCELLED: "cancelled"}


# The origins of a promise and of its parent, and whether it has a parent: one that nothing observed has no origin. Each
# origin knows when its promise was made, and what followed.
Recorded: TypeAlias = tuple[Origin, Origin | None, bool]


class Moment(NamedTuple):
    """Something that happened to a promise, given by its origin."""

    at: float
    text: str
    origin: Origin


class Bar(NamedTuple):
    """The time in which a handler ran, or in which a promise without one was pending; in seconds from the start."""

    promise: int
    label: str
    start: float
    end: float
    lane: int
    is_handler: bool
    outcome: str


class Arrow(NamedTuple):
    """From the bar of a promise to that of a link."""

    source: Bar
    target: Bar


class Mark(NamedTuple):
    """Something that happened, at a bar."""

    at: float
    text: str
    bar: Bar


class Row(NamedTuple):
    """A promise, for the tree: its label, the index of its parent or None, when it was made, and how it ended.

    *seconds* is how long it was pending.
    """

    label: str
    parent: int | None
    start: float
    seconds: float
    outcome: str


class Timeline:
    """The bars, arrows and marks of a recording; promises are numbered in the order in which they were made."""

    def __init__(self, start: float, end: float, promises: list[Recorded], moments: list[Moment]) -> None:
        self._start = start
        self.seconds = end - start
        self._numbers = {id(origin): number for number, (origin, *_) in enumerate(promises)}
        self.rows = [self._row(*recorded) for recorded in promises]
        handlers = [origin for origin, *_ in promises if hasattr(origin, "started")]
        # A link that an outcome has passed, or that waits for its source, has no bar.
        others = [origin for origin, _, is_link in promises if not is_link and not hasattr(origin, "started")]
        self.bars = [*self._bars(handlers, is_handler=True), *self._bars(others, is_handler=False)]
        self._bar_of = {bar.promise: bar for bar in self.bars}
        above = [(self._bar_at(self.rows[bar.promise].parent), bar) for bar in self.bars]
        self.arrows = [Arrow(source, bar) for source, bar in above if source is not None]
        self.marks = [*self._rejections(), *self._marks(moments)]

    def _row(self, origin: Origin, parent: Origin | None, is_link: bool) -> Row:
        made = origin.made - self._start
        return Row(
            _label(origin, is_link=is_link),
            None if parent is None else self._numbers.get(id(parent)),
            made,
            self._until(origin, "done") - made,
            _outcome(origin),
        )

    def _until(self, origin: Origin, end: str) -> float:
        """Return when the end of something was, or until now."""
        at: float | None = getattr(origin, end, None)
        return self.seconds if at is None else at - self._start

    def _bars(self, origins: list[Origin], *, is_handler: bool) -> list[Bar]:
        started, ended = ("started", "ended") if is_handler else ("made", "done")
        spans = [
            (getattr(origin, started) - self._start, self._until(origin, ended), self._numbers[id(origin)])
            for origin in origins
        ]
        spans.sort(key=lambda span: span[0])
        lanes = _lanes([(start, end) for start, end, _ in spans])
        return [
            Bar(number, self.rows[number].label, start, end, lane, is_handler, self.rows[number].outcome)
            for (start, end, number), lane in zip(spans, lanes, strict=True)
        ]

    def _bar_at(self, number: int | None) -> Bar | None:
        """Return the bar of a promise, or of the closest one above that has one."""
        while number is not None and number not in self._bar_of:
            number = self.rows[number].parent
        return None if number is None else self._bar_of[number]

    def _rejections(self) -> list[Mark]:
        # At its end: a handler that returned a promise has ended before.
        rejected = [(self.rows[bar.promise], bar) for bar in self.bars if bar.outcome == "rejected"]
        return [Mark(row.start + row.seconds, "rejected", bar) for row, bar in rejected]

    def _marks(self, moments: list[Moment]) -> list[Mark]:
        found = [(moment, self._bar_at(self._numbers.get(id(moment.origin)))) for moment in moments]
        return [Mark(moment.at - self._start, moment.text, bar) for moment, bar in found if bar is not None]


def _label(origin: Origin, *, is_link: bool) -> str:
    """Return the call that made a promise, as far as it is known."""
    if origin.link is not None:
        return origin.link
    name = getattr(origin, "name", "...")
    if origin.call.startswith("Promise"):
        return f"{origin.call}({name})"
    return f".{origin.call}({name})" if is_link else f"{origin.call}(...)"  # a promisified function


def _outcome(origin: Origin) -> str:
    return _OUTCOMES.get(getattr(origin, "state", PENDING), "pending")


def _lanes(spans: list[tuple[float, float]]) -> list[int]:
    """Return a lane for each of *spans*, which are in the order of their starts: the first one that is free."""
    lanes: list[int] = []
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    for start, end in spans:
        while busy and busy[0][0] <= start:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        heappush(busy, (end, lane))
        lanes.append(lane)
    return lanes
