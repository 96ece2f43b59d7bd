"""The library's handlers and done callbacks, each wrapping a user's function."""

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, final

from aiopromise._engine.core import Core
from aiopromise._engine.coroutines import TapCoroutine, while_handling
from aiopromise._engine.queue import Reaction
from aiopromise._engine.tasks import Handler, Outcome, Wrapper, is_awaitable, name_of
from aiopromise._errors import as_written, check_result, close_refused, needs_function, short

__all__ = [
    "DoneCallback",
    "Finally",
    "Spread",
    "Tap",
    "split_types",
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


def split_types(call: str, arguments: tuple[Any, ...]) -> tuple[Any, Handler]:
    """Return the exception types and the handler passed to `catch()` or `tap_catch()`."""
    types, handler = (Exception, *arguments)[-2:] if arguments else (Exception, None)
    if arguments and len(arguments) != 2 and all(map(_are_exceptions, arguments)):
        written = ", ".join(map(as_written, arguments))
        message = f"{call}({written}) has no handler{_instead(call, arguments, arguments, 'on_rejected')}"
    elif not 1 <= len(arguments) <= 2:
        message = f"{call}() takes a handler, or exception types and a handler, got {len(arguments)} arguments"
        message += _instead(call, arguments, arguments[:-1], *map(as_written, arguments[-1:]))
    elif not _are_exceptions(types):
        if instead := _instead(call, arguments, (types,), as_written(handler)):
            message = f"{call}() takes a tuple of exception classes, got {short(types)}{instead}"
        else:
            message = f"{call}() needs exception classes first, got {short(types)}"
            if callable(types):
                message += _instead(call, arguments, (handler,), as_written(types))
    elif not callable(handler):
        raise needs_function(f".{call}", len(arguments) - 1, *arguments)
    else:
        return types, handler
    close_refused(*arguments)
    raise TypeError(message)


def _instead(call: str, wrote: tuple[Any, ...], types: tuple[Any, ...], handler: str = "") -> str:
    """Return the hint for the call, if *types* are exception classes, or tuples, lists and sets of them."""
    classes: list[Any] = []
    for one in types:
        classes += one if isinstance(one, tuple | list | set | frozenset) else [one]
    if not classes or not _are_exceptions(tuple(classes)):
        return ""
    right = as_written(classes[0] if len(classes) == 1 else tuple(classes))
    return f"\n\nYou wrote .{call}({', '.join(map(as_written, wrote))}). Write .{call}({right}, {handler})"


def _are_exceptions(types: Any) -> bool:
    classes = types if isinstance(types, tuple) else (types,)
    return all(isinstance(one, type) and issubclass(one, BaseException) for one in classes)
