"""Handlers: what may be one, and those of the library, which stand around one of the user's."""

from collections.abc import Awaitable, Coroutine
from types import TracebackType
from typing import Any, final

from aiopromise._errors import close_refused, needs_function, short
from aiopromise._task import Exactly, Handler, Wrapper, is_awaitable

__all__ = [
    "Effect",
    "FinalEffect",
    "Spread",
    "checked",
]


@final
class Spread(Wrapper):
    """A handler that is called with the elements of the value as its arguments."""

    __slots__ = ()

    def __call__(self, value: Any) -> Any:
        return self.handler(*value)


@final
class Keeping(Coroutine[Any, Any, Exactly]):
    """The coroutine that awaits what an effect returned: ended before its first step, it closes that too."""

    __slots__ = ("_coroutine", "_result")

    def __init__(self, coroutine: Coroutine[Any, Any, Exactly], result: object) -> None:
        self._coroutine = coroutine
        self._result = result

    def send(self, value: Any, /) -> Any:
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        try:
            return self._coroutine.throw(*error)
        except BaseException:
            close_refused(self._result)
            raise

    def close(self) -> None:
        self._coroutine.close()
        close_refused(self._result)

    def __await__(self) -> Any:
        return self._coroutine.__await__()


class Effect(Wrapper):
    """A handler that is called, and awaited, for its effect: the outcome that came goes on as it came."""

    __slots__ = ()

    def on_fulfilled(self, value: Any) -> Any:
        result = self._call(value)
        if is_awaitable(result):
            return Keeping(self._await_and_keep(result, Exactly(True, value)), result)
        return Exactly(True, value)

    def on_rejected(self, reason: BaseException) -> Any:
        traceback = reason.__traceback__
        try:
            # Raised here, so that Python makes it the __context__ of what the handler itself may raise.
            raise reason
        except BaseException:
            result = self._call(reason)
        finally:
            BaseException.with_traceback(reason, traceback)
        if is_awaitable(result):
            return Keeping(self._await_and_keep_reason(result, reason, traceback), result)
        return Exactly(False, reason)

    def _call(self, outcome: Any) -> Any:
        return self.handler(outcome)

    async def _await_and_keep(self, result: Awaitable[Any], outcome: Exactly) -> Exactly:
        await result
        return outcome

    async def _await_and_keep_reason(
        self, result: Awaitable[Any], reason: BaseException, traceback: TracebackType | None
    ) -> Exactly:
        try:
            raise reason
        except BaseException:
            await result
        finally:
            BaseException.with_traceback(reason, traceback)
        return Exactly(False, reason)


@final
class FinalEffect(Effect):
    """An effect that is not told of the outcome."""

    __slots__ = ()

    def _call(self, outcome: Any) -> Any:
        return self.handler()


def checked(call: str, arguments: tuple[Any, ...]) -> tuple[Any, Handler]:
    """Return the exception types and the handler that `catch()` and its kin were given."""
    types, handler = (Exception, *arguments)[-2:] if arguments else (Exception, None)
    if not 1 <= len(arguments) <= 2:
        message = f"{call}() takes a handler, or exception types and a handler, got {len(arguments)} arguments"
    elif len(arguments) == 1 and _are_exceptions(handler):
        name = handler.__name__ if isinstance(handler, type) else short(handler)
        message = f"{call}({name}) has no handler\n\nYou wrote .{call}({name}). Write .{call}({name}, on_rejected)"
    elif not _are_exceptions(types):
        message = f"{call}() needs exception classes first, got {short(types)}"
    elif not callable(handler):
        raise needs_function(f".{call}", handler)
    else:
        return types, handler
    for refused in arguments:
        close_refused(refused)
    raise TypeError(message)


def _are_exceptions(types: Any) -> bool:
    classes = types if isinstance(types, tuple) else (types,)
    return all(isinstance(one, type) and issubclass(one, BaseException) for one in classes)
