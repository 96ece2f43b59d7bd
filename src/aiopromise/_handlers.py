"""The library's handlers and done callbacks, each wrapping a user's function."""

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, final

from aiopromise._engine.core import Core
from aiopromise._engine.coroutines import TapCoroutine, while_handling
from aiopromise._engine.queue import Reaction
from aiopromise._engine.tasks import Handler, Outcome, Wrapper, is_awaitable, name_of
from aiopromise._errors import check_result, close_refused, needs_function, short

__all__ = [
    "DoneCallback",
    "Finally",
    "Spread",
    "Tap",
    "checked",
]


@final
class Spread(Wrapper):
    """A handler that is called with the elements of the value as its arguments."""

    __slots__ = ()

    def __call__(self, value: Any) -> Any:
        return self.handler(*value)


class Tap(Wrapper):
    """A handler called and awaited for its side effect: the outcome passes on unchanged."""

    __slots__ = ()

    # The handlers passed to link(): an Outcome settles the promise as is, whatever its value, and is never followed.

    def on_fulfilled(self, value: Any) -> Any:
        return _after(self._call(value), Outcome(True, value))

    def on_rejected(self, reason: BaseException) -> Any:
        # As in a finally: an exception of the function replaces the reason, and has it as its __context__.
        return _after(while_handling(reason, self._call, reason), Outcome(False, reason))

    def _call(self, outcome: Any) -> Any:
        return self.handler(outcome)


@final
class Finally(Tap):
    """A side effect that is not given the outcome."""

    __slots__ = ()

    def _call(self, outcome: Any) -> Any:
        return self.handler()


def _after(result: Any, outcome: Outcome) -> Any:
    """Return *outcome*, or a coroutine for it that first awaits *result*."""
    return TapCoroutine(result, outcome) if is_awaitable(result) else outcome


@final
class DoneCallback(Reaction):
    """One callback of `add_done_callback()`."""

    __slots__ = ("callback", "context", "promise")

    def __init__(self, promise: Core, callback: Callable[[Any], object], context: Context | None) -> None:
        self.promise = promise
        self.callback = callback
        self.context = copy_context() if context is None else context

    def _react(self) -> None:
        try:
            result = self.context.run(self.callback, self.promise)
            if result is not None:
                check_result(".add_done_callback", self.callback, result)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.promise._queue.loop.call_exception_handler(
                {"message": f"exception in {self!r}", "exception": error, "future": self.promise}
            )

    def __repr__(self) -> str:
        return f"<done callback {name_of(self.callback)} of {self.promise!r}>"


def checked(call: str, arguments: tuple[Any, ...]) -> tuple[Any, Handler]:
    """Return the exception types and the handler passed to `catch()` or `tap_catch()`."""
    types, handler = (Exception, *arguments)[-2:] if arguments else (Exception, None)
    if arguments and len(arguments) != 2 and all(map(_are_exceptions, arguments)):
        message = f"{call}({_names(arguments)}) has no handler\n\n{_instead(call, arguments, '', 'on_rejected')}"
    elif not 1 <= len(arguments) <= 2:
        message = f"{call}() takes a handler, or exception types and a handler, got {len(arguments)} arguments"
        if arguments and all(map(_are_exceptions, arguments[:-1])):
            name = name_of(arguments[-1])
            message += f"\n\n{_instead(call, arguments[:-1], f', {name}', name)}"
    elif not _are_exceptions(types):
        message = f"{call}() needs exception classes first, got {short(types)}"
    elif not callable(handler):
        raise needs_function(f".{call}", handler)
    else:
        return types, handler
    for refused in arguments:
        close_refused(refused)
    raise TypeError(message)


def _names(types: tuple[Any, ...]) -> str:
    return ", ".join(one.__name__ if isinstance(one, type) else short(one) for one in types)


def _instead(call: str, types: tuple[Any, ...], rest: str, handler: str) -> str:
    """Return the hint for exception *types* passed separately, or without a handler."""
    names = _names(types)
    together = names if len(types) == 1 else f"({names})"
    return f"You wrote .{call}({names}{rest}). Write .{call}({together}, {handler})"


def _are_exceptions(types: Any) -> bool:
    classes = types if isinstance(types, tuple) else (types,)
    return all(isinstance(one, type) and issubclass(one, BaseException) for one in classes)
