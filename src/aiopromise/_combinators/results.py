"""What becomes of the results of many calls: a list of them, a choice of the items, one value, a stream."""

from functools import partial
from typing import Any, ClassVar, final

from aiopromise._combinators.iteration import Incoming, Iterated
from aiopromise._combinators.pool import Function, Pool
from aiopromise._promise import Promise
from aiopromise._timeout import MISSING

__all__ = ["Filtered", "Mapped", "Reduced", "Streamed"]


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
class Streamed(Iterated, Pool):
    """Results as they come, for an async iterator."""

    __slots__ = ("_incoming",)

    method: ClassVar[str] = "map"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._incoming = Incoming()

    def _iterated(self) -> None:
        self.begin()

    def _handed_on(self, result: Any) -> Any:
        self._do(self._take)
        return result

    def _room(self) -> float:
        return super()._room() - len(self._incoming.results)

    def _came(self, index: int, value: Any) -> None:
        self._incoming.add(value)
