"""Calls of one function on many items, so many at a time.

Nothing is taken before there is room for it: the next item is asked for when a call has ended.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, ClassVar, Final, final

from aiopromise._cancellation import cancel
from aiopromise._convert import attempt
from aiopromise._core import link, resolve_with
from aiopromise._deadline import MISSING
from aiopromise._group import Group, Member, Owned, outcome_of
from aiopromise._promise import Promise
from aiopromise._state import FULFILLED, PENDING, pending, settled
from aiopromise._task import Exactly, name_of

__all__ = ["Filtered", "Function", "Mapped", "Pool", "Progress", "Reduced", "Streamed"]

Function = Callable[..., Any]
Progress = Callable[[int, int | None], object]

_UNLIMITED: Final = float("inf")


class Pool(Group):
    """Calls of one function that are unfinished, and the items that are still to come.

    Whatever stands above code of the user's lets go of its names at its end. Its frame is seen from the traceback of
    what that code raises, and the exception, for as long as somebody has it, would hold the promise.
    """

    __slots__ = (
        "_context",
        "_done",
        "_fn",
        "_items",
        "_iterator",
        "_limit",
        "_on_progress",
        "_reader",
        "_started_calls",
        "_vacancy",
    )

    # What the user has called.
    method: ClassVar[str] = "each"

    def __init__(
        self, promise: Promise[Any], items: Any, fn: Function, concurrency: int | None, on_progress: Progress | None
    ) -> None:
        super().__init__(promise, None)
        self._items = items
        self._fn = fn
        self._limit = _UNLIMITED if concurrency is None else concurrency
        self._on_progress = on_progress
        self._context = copy_context()
        # One of the two, from the first item that was asked for until the last has come.
        self._iterator: Iterator[Any] | None = None
        self._reader: Reader | None = None
        self._vacancy = asyncio.Event()
        self._started_calls = 0
        self._done = 0

    def begin(self) -> None:
        """Let the first calls be made by the loop, as those of handlers are."""
        self.promise._queue.push(self)

    def _react(self) -> None:
        if self._outcome is None:  # else it was cancelled at once
            self._do(self._open)
        del self

    def _do(self, step: Callable[..., object], *arguments: Any) -> None:
        """Call *step*, which calls code of the user's, in the context of the user."""
        try:
            self._context.run(step, *arguments)
        except BaseException as error:
            if self._failed(error):
                raise
        finally:
            del self, step

    def _open(self) -> None:
        try:
            if isinstance(self._items, AsyncIterable):
                reading = self._read(aiter(self._items))
                self._reader = Reader(self, 0, pending(self.promise._queue))
                self._add(self._reader)
                resolve_with(self._reader.promise, reading, self._items)
            else:
                self._iterator = iter(self._items)
                self._take()
        finally:
            del self

    async def _read(self, iterator: AsyncIterator[Any]) -> None:
        """Take items as long as there are any: in one Task, as ``async for`` does, and close them there."""
        try:
            while True:
                await self._has_room()
                try:
                    item = await anext(iterator)
                except StopAsyncIteration:
                    return
                self._call(item)
        finally:
            del self
            if isinstance(iterator, AsyncGenerator):
                await iterator.aclose()

    async def _has_room(self) -> None:
        while self._outcome is not None or self._room() <= 0:
            self._vacancy.clear()
            await self._vacancy.wait()

    def _take(self) -> None:
        """Take as many items as there is room for."""
        self._vacancy.set()
        while self._iterator is not None and self._outcome is None and self._room() > 0:
            try:
                item = next(self._iterator)
            except StopIteration:
                self._iterator = None
            except BaseException:
                del self
                raise
            else:
                self._call(item)
        if self._members:
            return
        if self._outcome is not None:
            self._close()  # of a generator that has cancelled all this itself, and could not be closed in the middle
        elif self._iterator is None:
            self._conclude(Exactly(True, self._answer()))

    def _room(self) -> float:
        return self._limit - len(self._members) + (self._reader is not None)

    def _call(self, item: Any) -> None:
        if self._outcome is not None:
            return  # it came too late
        index, self._started_calls = self._started_calls, self._started_calls + 1
        self._begun(item)
        source = settled(self.promise._queue, FULFILLED, item)
        called = link(source, self._handler(), None)
        if called._origin is not None and self.promise._origin is not None:
            # It was made by the loop; the user knows the line that has asked for all of them.
            called._origin = self.promise._origin.with_call(f"Promise.{self.method}({name_of(self._fn)})")
        self._add(Owned(self, index, called))

    def _arrived(self, member: Member) -> None:
        outcome = outcome_of(member.promise)
        if not outcome.fulfilled:
            self._conclude(outcome)
        elif member is self._reader:
            self._do(self._take)
        else:
            self._done += 1
            self._do(self._go_on, member.index, outcome.value)
        del self, member

    def _go_on(self, index: int, value: Any) -> None:
        try:
            self._came(index, value)
            if self._on_progress is not None:
                total = len(self._items) if hasattr(type(self._items), "__len__") else None
                self._on_progress(self._done, total)
            self._take()
        finally:
            del self

    def _close(self) -> None:
        if getattr(self._iterator, "gi_running", False):
            return
        iterator, self._iterator = self._iterator, None
        reader, self._reader = self._reader, None
        if isinstance(iterator, Generator):
            attempt(pending(self.promise._queue), iterator.close, (), {})
        elif reader is not None and cancel(reader.promise, None):
            self._add(Owned(self, 0, reader.promise))

    def _handler(self) -> Function:
        return self._fn

    def _begun(self, item: Any) -> None:
        """Be told of the item of a call that begins."""

    def _came(self, index: int, value: Any) -> None:
        """Be told what a call has given."""

    def _answer(self) -> Any:
        return None


@final
class Reader(Member):
    """The Task that reads an async iterator; left alone until the calls have ended, which may use what it holds."""

    __slots__ = ()

    def let_go(self) -> None:
        pass

    def withdraw(self, message: Any) -> bool:
        return False


@final
class Mapped(Pool):
    """All results."""

    __slots__ = ("_found",)

    method: ClassVar[str] = "map"

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

    method: ClassVar[str] = "filter"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._found: list[Any] = []

    def _begun(self, item: Any) -> None:
        self._found.append(item)

    def _came(self, index: int, value: Any) -> None:
        try:
            if not value:
                self._found[index] = MISSING
        finally:
            del self

    def _answer(self) -> list[Any]:
        return [item for item in self._found if item is not MISSING]


@final
class Reduced(Pool):
    """The result of the last call, where each was given the result of the one before it."""

    __slots__ = ("_total",)

    method: ClassVar[str] = "reduce"

    def __init__(self, promise: Promise[Any], items: Any, fn: Function, initial: Any) -> None:
        super().__init__(promise, items, fn, 1, None)
        self._total = initial

    def _handler(self) -> Function:
        return partial(self._fn, self._total)

    def _came(self, index: int, value: Any) -> None:
        self._total = value

    def _answer(self) -> Any:
        return self._total


@final
class Streamed(Pool):
    """Results as they come, for an async iterator."""

    __slots__ = ("_arrival", "_came_in")

    method: ClassVar[str] = "map"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._came_in: deque[Any] = deque()
        self._arrival = asyncio.Event()

    async def stream(self) -> AsyncGenerator[Any, None]:
        self.begin()
        try:
            while self._came_in or self.promise._state == PENDING:
                if self._came_in:
                    result = self._came_in.popleft()
                    self._do(self._take)
                    yield result
                else:
                    self._arrival.clear()
                    await self._arrival.wait()
        finally:
            self._conclude(Exactly(True, None))
            try:
                await self.promise
            finally:
                del self  # this frame is seen from the traceback of a failure

    def _room(self) -> float:
        return super()._room() - len(self._came_in)

    def _came(self, index: int, value: Any) -> None:
        self._came_in.append(value)
        self._arrival.set()

    def _end(self) -> None:
        super()._end()
        self._arrival.set()
