"""The outcome of a promise, as a value."""

from collections.abc import Iterable
from typing import Any, Final, Generic, Literal, TypeAlias, TypeGuard, TypeVar, final

from aiopromise._errors import short

__all__ = ["Fulfilled", "Rejected", "Settled", "all_fulfilled", "is_fulfilled", "is_rejected"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Settled:
    __slots__ = ("_content",)

    def __init__(self, content: Any, /) -> None:
        self._content = content

    # Values, like a frozen dataclass: equal if both are of the same class and their contents are equal.

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and bool(self._content == other._content)

    def __hash__(self) -> int:
        return hash((type(self), self._content))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({short(self._content)})"


@final
class Fulfilled(_Settled, Generic[T_co]):
    """A promise was fulfilled with *value*.

    Example:
        >>> import asyncio
        >>> from aiopromise import Fulfilled, Promise, Rejected
        >>> async def main():
        ...     for outcome in await Promise.all_settled(Promise.resolve(1), Promise.reject(ValueError("no"))):
        ...         match outcome:
        ...             case Fulfilled(value):
        ...                 print("value", value)
        ...             case Rejected(reason):
        ...                 print("reason", repr(reason))
        >>> asyncio.run(main())
        value 1
        reason ValueError('no')
    """

    __slots__ = ()
    __match_args__: Final = ("value",)

    @property
    def status(self) -> Literal["fulfilled"]:
        """The status, as JavaScript spells it."""
        return "fulfilled"

    @property
    def value(self) -> T_co:
        """The value that the promise was fulfilled with."""
        value: T_co = self._content
        return value


@final
class Rejected(_Settled):
    """A promise was rejected with *reason*; for a cancelled one that is an `asyncio.CancelledError`.

    Example:
        >>> from aiopromise import Rejected
        >>> Rejected(ValueError("no")).status
        'rejected'
    """

    __slots__ = ()
    __match_args__: Final = ("reason",)

    @property
    def status(self) -> Literal["rejected"]:
        """The status, as JavaScript spells it."""
        return "rejected"

    @property
    def reason(self) -> BaseException:
        """The exception that the promise was rejected with."""
        reason: BaseException = self._content
        return reason


Settled: TypeAlias = Fulfilled[T] | Rejected


def is_fulfilled(outcome: Settled[T], /) -> TypeGuard[Fulfilled[T]]:
    """Return whether *outcome* is `Fulfilled`; type checkers narrow on it.

    Example:
        >>> from aiopromise import Fulfilled, is_fulfilled
        >>> is_fulfilled(Fulfilled(1))
        True
    """
    return isinstance(outcome, Fulfilled)


def is_rejected(outcome: Settled[Any], /) -> TypeGuard[Rejected]:
    """Return whether *outcome* is `Rejected`; type checkers narrow on it.

    Example:
        >>> from aiopromise import Fulfilled, is_rejected
        >>> is_rejected(Fulfilled(1))
        False
    """
    return isinstance(outcome, Rejected)


def all_fulfilled(outcomes: Iterable[Settled[T]], /) -> list[T]:
    """Return the values of *outcomes*, all of which are `Fulfilled`.

    Raises:
        BaseExceptionGroup: some are `Rejected`; it holds their reasons, in order. An `ExceptionGroup` if all are an
            `Exception`.
        TypeError: an item is neither.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise, all_fulfilled
        >>> async def main():
        ...     return all_fulfilled(await Promise.all_settled(asyncio.sleep(0, 1), Promise.resolve(2)))
        >>> asyncio.run(main())
        [1, 2]
    """
    values: list[T] = []
    reasons: list[BaseException] = []
    for outcome in outcomes:
        if isinstance(outcome, Fulfilled):
            values.append(outcome.value)
        elif isinstance(outcome, Rejected):
            reasons.append(outcome.reason)
        else:
            raise TypeError(f"all_fulfilled() needs the outcomes from all_settled(), got {short(outcome)}")
    if reasons:
        raise BaseExceptionGroup(f"{len(reasons)} of {len(values) + len(reasons)} were rejected", reasons)
    return values
