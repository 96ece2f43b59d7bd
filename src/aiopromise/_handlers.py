"""Handlers: what may be one, and those of the library, which stand around one of the user's."""

from typing import Any, final

from aiopromise._engine.coroutines import Keeping, while_handling
from aiopromise._engine.tasks import Exactly, Handler, Wrapper, is_awaitable
from aiopromise._errors import close_refused, needs_function, short

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


class Effect(Wrapper):
    """A handler that is called, and awaited, for its effect: the outcome that came goes on as it came."""

    __slots__ = ()

    def on_fulfilled(self, value: Any) -> Any:
        return _after(self._call(value), Exactly(True, value))

    def on_rejected(self, reason: BaseException) -> Any:
        return _after(while_handling(reason, self._call, reason), Exactly(False, reason))

    def _call(self, outcome: Any) -> Any:
        return self.handler(outcome)


@final
class FinalEffect(Effect):
    """An effect that is not told of the outcome."""

    __slots__ = ()

    def _call(self, outcome: Any) -> Any:
        return self.handler()


def _after(result: Any, outcome: Exactly) -> Any:
    """Return what settles a promise with *outcome*, after the *result* of an effect if that can be awaited."""
    return Keeping(result, outcome) if is_awaitable(result) else outcome


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
