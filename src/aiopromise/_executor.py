"""The executor of a promise: what may be one, and its call."""

from collections.abc import Callable
from typing import Any

from aiopromise._engine.core import Core
from aiopromise._engine.settle import raised
from aiopromise._engine.state import PENDING
from aiopromise._errors import is_async, is_coroutine, not_a_source, short
from aiopromise._resolvers import Reject, Resolve

__all__ = ["check_executor", "execute"]


def check_executor(source: Any) -> None:
    """Raise `TypeError` unless *source* can be called as an executor."""
    if not callable(source):
        raise not_a_source(source)
    if is_async(source):
        raise TypeError(_coroutine_function(source))


def execute(promise: Core, executor: Callable[..., object]) -> None:
    """Call *executor* with the resolvers of *promise*."""
    resolve, reject = Resolve[Any](promise), Reject(promise)
    try:
        result = executor(resolve, reject)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        reject.release()
        if resolve.release() is not None:
            raised(promise, error)
        del promise, executor, resolve, reject  # this frame is seen from the traceback
        return
    if is_coroutine(result):
        result.close()
        raise TypeError(_coroutine_function(executor))
    if promise._state == PENDING:
        promise._queue.watch(promise)


def _coroutine_function(executor: object) -> str:
    name = getattr(executor, "__name__", short(executor))
    return (
        f"Promise() needs an executor that is no coroutine function, got {short(executor)}\n\n"
        f"You wrote Promise({name}). Write Promise({name}(...)) to make a promise of its result"
    )
