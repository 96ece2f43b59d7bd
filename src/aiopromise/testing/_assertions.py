"""Assertions on the state of a promise."""

import re
from typing import Any, TypeVar

from aiopromise._errors import close_refused, short
from aiopromise._promise import Promise
from aiopromise._timeout import MISSING

__all__ = ["assert_cancelled", "assert_fulfilled", "assert_pending", "assert_rejected"]

T = TypeVar("T")


def assert_pending(promise: Promise[Any], /) -> None:
    """Fail unless *promise* is pending.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import assert_pending
        >>> async def main():
        ...     assert_pending(Promise(asyncio.sleep(0)))
        >>> asyncio.run(main())
    """
    _check("assert_pending", promise)
    if promise.done():
        raise _found("assert_pending", promise)


def assert_fulfilled(promise: Promise[T], value: Any = MISSING, /) -> T:
    """Fail unless *promise* is fulfilled, with *value* if given; return its value.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import assert_fulfilled
        >>> async def main():
        ...     assert_fulfilled(Promise.resolve(42), 42)
        ...     assert "x" in assert_fulfilled(Promise.resolve("text"))
        >>> asyncio.run(main())
    """
    # `exception()` marks a rejection as handled: the assertion shows it, so it is not reported again.
    _check("assert_fulfilled", promise)
    if not promise.done() or promise.cancelled() or promise.exception() is not None:
        raise _found("assert_fulfilled", promise)
    actual: T = promise.result()
    if value is not MISSING and not (actual is value or actual == value):
        raise AssertionError(f"assert_fulfilled() expected {value!r}, got {actual!r}")
    return actual


def assert_rejected(
    promise: Promise[Any],
    expected: type[BaseException] | tuple[type[BaseException], ...] = Exception,
    /,
    *,
    match: str | re.Pattern[str] | None = None,
) -> Any:
    """Fail unless *promise* is rejected with an exception of the *expected* type; return that, and mark it handled.

    *match* is a regular expression to search for in the exception's text.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import assert_rejected
        >>> async def main():
        ...     error = assert_rejected(Promise.reject(KeyError("name")), KeyError, match="name")
        ...     assert error.args == ("name",)
        >>> asyncio.run(main())
    """
    _check("assert_rejected", promise)
    if not promise.done() or promise.cancelled() or promise.exception() is None:
        raise _found("assert_rejected", promise)
    reason = promise.exception()
    if not isinstance(reason, expected):
        classes = expected if isinstance(expected, tuple) else (expected,)
        names = " or ".join(one.__name__ for one in classes)
        raise AssertionError(f"assert_rejected() expected {names}, got {reason!r}") from reason
    if match is not None and re.search(match, str(reason)) is None:
        raise AssertionError(f"assert_rejected() expected {match!r} in {str(reason)!r}") from reason
    return reason


def assert_cancelled(promise: Promise[Any], /) -> None:
    """Fail unless *promise* was cancelled.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.testing import assert_cancelled, settle
        >>> async def main():
        ...     work = Promise(asyncio.sleep(3600))
        ...     work.cancel()
        ...     await settle()
        ...     assert_cancelled(work)
        >>> asyncio.run(main())
    """
    _check("assert_cancelled", promise)
    if not promise.cancelled():
        raise _found("assert_cancelled", promise)


def _check(call: str, promise: object) -> None:
    if not isinstance(promise, Promise):
        close_refused(promise)
        raise TypeError(f"{call}() needs a promise, got {short(promise)}")


def _found(call: str, promise: Promise[Any]) -> AssertionError:
    message = f"{call}() got {promise!r}"
    if not promise.done():
        message += "\n\nWrite `await settle()` first to run everything that is ready, or `await promise` to wait for it"
    error = AssertionError(message)
    if promise.done() and not promise.cancelled():
        error.__cause__ = promise.exception()
    return error
