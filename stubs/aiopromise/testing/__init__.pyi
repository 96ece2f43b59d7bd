# The typed face of aiopromise.testing: every public signature, and nothing else.

import re
from collections.abc import Awaitable
from typing import Any, Generic, TypeVar, final, overload

from aiopromise import Promise

__all__ = [
    "Deferred",
    "DeferredFunction",
    "assert_cancelled",
    "assert_fulfilled",
    "assert_pending",
    "assert_rejected",
    "settle",
]

_T = TypeVar("_T")
_E = TypeVar("_E", bound=BaseException)
_E1 = TypeVar("_E1", bound=BaseException)
_E2 = TypeVar("_E2", bound=BaseException)
_E3 = TypeVar("_E3", bound=BaseException)
_E4 = TypeVar("_E4", bound=BaseException)

@final
class Deferred(Generic[_T]):
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    promise: Promise[_T]
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    @overload
    def resolve(self, value: Awaitable[_T] | _T, /) -> None: ...
    @overload
    def resolve(self: Deferred[None], value: None = None, /) -> None: ...
    def reject(self, reason: BaseException, /) -> None: ...

@final
class DeferredFunction(Generic[_T]):
    __name__: str
    calls: list[Deferred[_T]]
    def __init__(self, name: str = "deferred_function", /) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Promise[_T]: ...

async def settle(*, turns: int = 1000) -> None: ...
def assert_pending(promise: Promise[object], /) -> None: ...
def assert_fulfilled(promise: Promise[_T], value: object = ..., /) -> _T: ...
@overload
def assert_rejected(
    promise: Promise[object], expected: type[_E], /, *, match: str | re.Pattern[str] | None = None
) -> _E: ...
@overload
def assert_rejected(
    promise: Promise[object], expected: tuple[type[_E1], type[_E2]], /, *, match: str | re.Pattern[str] | None = None
) -> _E1 | _E2: ...
@overload
def assert_rejected(
    promise: Promise[object],
    expected: tuple[type[_E1], type[_E2], type[_E3]],
    /,
    *,
    match: str | re.Pattern[str] | None = None,
) -> _E1 | _E2 | _E3: ...
@overload
def assert_rejected(
    promise: Promise[object],
    expected: tuple[type[_E1], type[_E2], type[_E3], type[_E4]],
    /,
    *,
    match: str | re.Pattern[str] | None = None,
) -> _E1 | _E2 | _E3 | _E4: ...
@overload
def assert_rejected(
    promise: Promise[object], expected: tuple[type[_E], ...], /, *, match: str | re.Pattern[str] | None = None
) -> _E: ...
@overload
def assert_rejected(
    promise: Promise[object], expected: type[Exception] = ..., /, *, match: str | re.Pattern[str] | None = None
) -> Exception: ...
def assert_cancelled(promise: Promise[object], /) -> None: ...
