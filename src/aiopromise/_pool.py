"""Calls of one function on many items, so many at a time.

Nothing is taken before there is room for it: the next item is asked for when a call has ended.
"""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterator
from contextvars import copy_context
from typing import Any, Final, final

from aiopromise._convert import attempt
from aiopromise._core import without_our_frames
from aiopromise._deadline import MISSING
from aiopromise._group import Group, Member, Owned, failure, outcome_of
from aiopromise._handler import Exactly
from aiopromise._promise import Promise, new_promise
from aiopromise._state import FULFILLED, PENDING, pending, settled

__all__ = ["Filtered", "Function", "Mapped", "Pool", "Progress", "Streamed"]

Function = Callable[[Any], Any]
Progress = Callable[[int, int | None], object]

_UNLIMITED: Final = float("inf")


class Pool(Group):
    """Calls of one function that are unfinished, and the items that are still to come."""

    __slots__ = ("_context", "_done", "_fn", "_items", "_iterator", "_limit", "_next", "_on_progress", "_started_calls")

    def __init__(
        self, promise: Promise[Any], items: Any, fn: Function, concurrency: int | None, on_progress: Progress | None
    ) -> None:
        super().__init__(promise, None)
        self._items = items
        self._fn = fn
        self._limit = _UNLIMITED if concurrency is None else concurrency
        self._on_progress = on_progress
        self._context = copy_context()
        # None before the first item was asked for, and after the last has come.
        self._iterator: Iterator[Any] | AsyncIterator[Any] | None = None
        self._next: Next | None = None
        self._started_calls = 0
        self._done = 0

    def begin(self) -> None:
        """Let the first calls be made by the loop, as those of handlers are."""
        self.promise._queue.push(self)

    def _react(self) -> None:
        if self._outcome is None and self.promise._upstream is self:
            self._do(self._open)

    def _do(self, step: Callable[..., object], *arguments: Any) -> None:
        """Call *step*, which calls code of the user's, in the context of the user."""
        try:
            self._context.run(step, *arguments)
        except BaseException as error:
            self._conclude(failure(without_our_frames(error)))
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        finally:
            del self, step, arguments

    def _open(self) -> None:
        self._iterator = aiter(self._items) if isinstance(self._items, AsyncIterable) else iter(self._items)
        self._take()

    def _take(self) -> None:
        """Take as many items as there is room for."""
        iterator = self._iterator
        while iterator is not None and self._outcome is None and self._room() > 0 and self._next is None:
            if isinstance(iterator, AsyncIterator):
                self._next = Next(self, 0, new_promise("anext"))
                self._add(self._next)
                self._next.promise._resolve(_anext(iterator), "anext")
                return
            try:
                item = next(iterator)
            except StopIteration:
                iterator = self._iterator = None
            else:
                self._call(item)
        if iterator is None and not self._members and self._outcome is None:
            self._conclude(Exactly(True, self._answer()))

    def _room(self) -> float:
        return self._limit - len(self._members)

    def _call(self, item: Any) -> None:
        index, self._started_calls = self._started_calls, self._started_calls + 1
        self._begun(item)
        source = settled(Promise, self.promise._queue, FULFILLED, item)
        self._add(Owned(self, index, source._link(self._fn, None)))

    def _arrived(self, member: Member) -> None:
        outcome = outcome_of(member.promise)
        if not outcome.fulfilled:
            self._conclude(outcome)
        elif member is self._next:
            self._next = None
            self._do(self._take_next, outcome.value)
        else:
            self._done += 1
            self._came(member.index, outcome.value)
            self._do(self._go_on)

    def _take_next(self, found: tuple[Any, ...]) -> None:
        if found:
            self._call(*found)
        else:
            self._iterator = None
        self._take()

    def _go_on(self) -> None:
        if self._on_progress is not None:
            total = len(self._items) if hasattr(type(self._items), "__len__") else None
            self._on_progress(self._done, total)
        self._take()

    def _close(self) -> None:
        iterator, self._iterator = self._iterator, None
        if isinstance(iterator, Generator):
            attempt(pending(Promise, self.promise._queue), iterator.close, (), {})
        elif isinstance(iterator, AsyncGenerator):
            closing = pending(Promise, self.promise._queue)
            self._add(Owned(self, 0, closing))
            closing._resolve(iterator.aclose(), "aclose", self._context.copy(), cleanup=True)

    def _begun(self, item: Any) -> None:
        """Be told of the item of a call that begins."""

    def _came(self, index: int, value: Any) -> None:
        """Be told what a call has given."""

    def _answer(self) -> Any:
        return None


@final
class Next(Member):
    """The next item of an async iterator, which is being waited for."""

    __slots__ = ()

    withdraw = Owned.withdraw


@final
class Mapped(Pool):
    """All results."""

    __slots__ = ("_found",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._found: list[Any] = []

    def _begun(self, item: Any) -> None:
        self._found.append(None)

    def _came(self, index: int, value: Any) -> None:
        self._found[index] = value

    def _answer(self) -> list[Any]:
        return self._found


@final
class Filtered(Pool):
    """The items whose result is true."""

    __slots__ = ("_found",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._found: list[Any] = []

    def _begun(self, item: Any) -> None:
        self._found.append(item)

    def _came(self, index: int, value: Any) -> None:
        if not value:
            self._found[index] = MISSING

    def _answer(self) -> list[Any]:
        return [item for item in self._found if item is not MISSING]


@final
class Streamed(Pool):
    """Results as they come, for an async iterator."""

    __slots__ = ("_came_in", "_wanted")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._came_in: deque[Any] = deque()
        self._wanted: Promise[None] | None = None

    async def stream(self) -> AsyncGenerator[Any, None]:
        self.begin()
        try:
            while self._came_in or self.promise._state == PENDING:
                if self._came_in:
                    result = self._came_in.popleft()
                    self._do(self._take)
                    yield result
                else:
                    self._wanted = pending(Promise, self.promise._queue)
                    await self._wanted
            await self.promise
        finally:
            self._conclude(Exactly(True, None))
            await self.promise

    def _room(self) -> float:
        return super()._room() - len(self._came_in)

    def _came(self, index: int, value: Any) -> None:
        self._came_in.append(value)
        self._wake()

    def _end(self) -> None:
        super()._end()
        self._wake()

    def _wake(self) -> None:
        if self._wanted is not None:
            self._wanted._settle(FULFILLED, None)
            self._wanted = None


async def _anext(iterator: AsyncIterator[Any]) -> tuple[Any, ...]:
    try:
        return (await anext(iterator),)
    except StopAsyncIteration:
        return ()
