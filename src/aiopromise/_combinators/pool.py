"""Concurrent calls of one function on many items, up to a limit.

An item is taken only when there is a free slot: the next one when a call has finished.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Callable, Generator
from typing import Any, Final

from aiopromise._combinators.group import Group, PrivateInput, outcome_of, private_input
from aiopromise._combinators.reading import reading
from aiopromise._engine.apart import apart
from aiopromise._engine.cancellation import cancel_each
from aiopromise._engine.core import Core, call, resolve_with, without_our_frames
from aiopromise._engine.primitives import copy_context
from aiopromise._engine.state_codes import PENDING
from aiopromise._engine.tasks import FUTURES, Outcome, name_of
from aiopromise._errors import check_result, close_items, close_refused
from aiopromise._unhandled import Rejection

__all__ = ["Function", "Pool", "Progress", "Reader"]

Function = Callable[..., Any]
Progress = Callable[[int, int | None], object]

_UNLIMITED: Final = float("inf")


class Pool(Group):
    """The unfinished calls of one function, and the items still to come.

    Functions that catch a user's exception, and their callers, delete their locals at the end: the exception keeps
    these frames, and so would hold the promise. Frames in between are cleared when it is caught.
    """

    __slots__ = (
        "_context",
        "_done",
        "_fn",
        "_is_in_context",
        "_items",
        "_iterator",
        "_limit",
        "_on_progress",
        "_reader",
        "_results",
        "_started_calls",
    )

    def __init__(
        self,
        method: str,
        promise: Core,
        items: Any,
        fn: Function,
        concurrency: int | None,
        on_progress: Progress | None,
    ) -> None:
        super().__init__(method, promise, None)
        self._items = items
        self._fn = fn
        self._limit = _UNLIMITED if concurrency is None else concurrency
        self._on_progress = on_progress
        # The context of user code, from the first item to the last; a Context cannot be entered twice.
        self._context = copy_context()
        self._is_in_context = False
        # Results of the calls, until they are processed.
        self._results: deque[tuple[int, Any]] = deque()
        # One of these is set while items are read; before that, _iterator is the iterable itself.
        self._iterator: Any = items
        self._reader: Reader | None = None
        self._started_calls = 0
        self._done = 0

    def __repr__(self) -> str:
        return f"Promise.{self._method}({name_of(self._fn)})"

    def begin(self) -> None:
        """Queue the first calls, like handlers."""
        self.promise._queue.push(self)

    def _react(self) -> None:
        if self._outcome is None:  # else it was cancelled immediately
            self._run_user_code(self._open)
        del self  # breaks a reference cycle

    def _run_user_code(self, step: Callable[[], object]) -> None:
        """Call *step*, which runs user code, in the user's context.

        That code may re-enter the loop, if the loop allows it, or end the pool. The effects wait until it has
        returned: a running generator can be neither resumed nor closed.

            def items():
                yield 1
                loop.run_until_complete(...)    <-- the call for 1 ends here, under nest_asyncio,
                yield 2                         <-- and its result is processed once this is yielded
        """
        if self._is_in_context:
            return  # _start_calls() is on the stack, and checks again when the user code has returned
        try:
            self._is_in_context = True
            try:
                self._context.run(step)
            finally:
                self._is_in_context = False
        except BaseException as error:
            if self._conclude_or_report(error):
                raise
        finally:
            if self._outcome is not None:
                self._end()
            del self, step  # breaks a reference cycle

    def _open(self) -> None:
        if isinstance(self._items, AsyncIterable):
            self._iterator = None
            iterator = aiter(self._items)
            self._reader = reader = private_input(Reader, self, 0, False)
            reader._origin = None  # if it outlives the calls, no line of the user's is to blame
            reader.vacancy = asyncio.Event()
            reader.is_reading = False
            self._add(reader, reader)
            apart(resolve_with, reader, reading(self, reader, iterator), self._items)
        else:
            self._iterator = iter(self._items)
            self._start_calls()

    def _start_calls(self) -> None:
        """Process the results that have come, and start as many calls as there are free slots."""
        if self._reader is not None:
            self._reader.vacancy.set()
        # Results first, so that on_progress is called promptly. Then as many items as there are free slots: nothing
        # is read ahead.
        while self._outcome is None:
            if self._results:
                self._process_result(*self._results.popleft())
            elif self._iterator is None or self._free_slots() <= 0:
                break
            else:
                try:
                    item = next(self._iterator)
                except StopIteration:
                    self._iterator = None
                else:
                    self._start_call(item)
        if self._outcome is None and self._iterator is None and not self._inputs:
            self._conclude(Outcome(True, self._answer()))

    def _process_result(self, index: int, value: Any) -> None:
        self._done += 1
        self._on_result(index, value)
        if self._on_progress is not None:
            total = len(self._items) if hasattr(type(self._items), "__len__") else None
            result = self._on_progress(self._done, total)
            if result is not None:
                check_result(f"Promise.{self._method}(on_progress=)", self._on_progress, result)

    def _free_slots(self) -> float:
        # The reading Task is an input, but not a call.
        return self._limit - len(self._inputs) + (self._reader is not None)

    def _start_call(self, item: Any) -> None:
        if self._outcome is not None:
            close_refused(item)
            return  # it came too late
        index, self._started_calls = self._started_calls, self._started_calls + 1
        self._on_call(index, item)
        queue = self.promise._queue
        called = private_input(Call, self, index, True)
        called._value = copy_context()
        called._handler = self._handler()
        if called._origin is not None:
            queue.tracer.trace_call(called, self)
        called._item = item
        self._add(called, called)
        queue.push(called)

    def _on_input(self, index: int, promise: Core) -> None:
        outcome = outcome_of(promise)
        if not outcome.fulfilled:
            self._conclude(outcome)
        else:
            if promise is not self._reader:
                self._results.append((index, outcome.value))
            self._run_user_code(self._start_calls)
        del self, promise  # breaks a reference cycle

    def _end(self) -> None:
        if not self._is_in_context:  # else _run_user_code() will do it
            Group._end(self)

    def _close(self) -> None:
        # Called when no call is left, and again by whatever ends later; it closes only once.
        iterator, reader = self._iterator, self._reader
        is_generator = issubclass(type(iterator), Generator)
        if is_generator and self._is_in_context:
            return  # _run_user_code() will do it
        self._iterator = self._reader = None  # which also tells the reader to stop
        close_items(iterator)
        if is_generator:
            self._close_generator(iterator)
        elif reader is not None and reader._state == PENDING:
            self._close_reader(reader)

    def _close_generator(self, generator: Any) -> None:
        try:
            self._context.run(generator.close)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._report(Rejection(without_our_frames(error), None))

    def _close_reader(self, reader: "Reader") -> None:
        # The reader becomes an ordinary input that the pool waits for, as the source has its own cleanup.
        task = reader._upstream
        reader.vacancy.set()
        reader.is_owned = True
        self._inputs[reader] = reader
        # If it ended by itself in this iteration, this processes its outcome.
        if reader.is_reading or (isinstance(task, FUTURES) and task.done()):
            cancel_each((reader,), None, self.already_cancelled())
        reader.is_ending = reader._state == PENDING
        if not reader.is_ending:
            del self._inputs[reader]
            self._on_late_input(reader, reader)

    def _handler(self) -> Function:
        return self._fn

    def _on_call(self, index: int, item: Any) -> None:
        """Record the item of a new call."""

    def _on_result(self, index: int, value: Any) -> None:
        """Process the result of a finished call."""

    def _answer(self) -> Any:
        return None


class Call(PrivateInput):
    """One call of the function: queued once to be made, and again when it has settled."""

    __slots__ = ("_handler", "_item")

    _handler: Function | None
    _item: Any

    def _react(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            PrivateInput._react(self)
        elif self._state == PENDING:
            context, self._value = self._value, None
            call(self, handler, self._item, context)
            del context  # breaks a reference cycle
        else:
            close_refused(self._item)  # cancelled before its turn
        del self, handler  # breaks a reference cycle


class Reader(PrivateInput):
    """The Task that reads an async iterator: kept running for the calls, which may use its resources."""

    __slots__ = ("is_reading", "vacancy")

    vacancy: asyncio.Event  # set if there may be a free slot
    is_reading: bool  # whether it is waiting for an item

    def detach(self) -> None:
        pass  # it is waited for once the calls have ended
