"""What hangs on the class: `Promise.resolve` and its kin, the combinators, `Promise.map` and its kin.

They are functions of later rooms than `Promise` itself, so they are hung on it here, once.
"""

from collections.abc import Callable
from typing import Any, Final

from aiopromise import _combinators, _concurrency, _convert
from aiopromise._promise import Promise

__all__ = ["FACTORIES"]


class ClassOnly(staticmethod):  # type: ignore[type-arg]  # not generic at run time in 3.11
    """A static method that an instance does not have, for there it would silently make another promise."""

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Any]:
        if instance is None:
            return self.__func__
        name = self.__func__.__name__
        raise AttributeError(
            f"a promise has no method {name}()\n\n"
            f"You wrote promise.{name}(...), which would make another promise. Write Promise.{name}(...)"
        )


FACTORIES: Final[dict[str, Callable[..., Any]]] = {
    "resolve": _convert.resolve,
    "reject": _convert.reject,
    "try_": _convert.try_,
    "with_resolvers": _convert.with_resolvers,
    "delay": _convert.delay,
    "from_thenable": _convert.from_thenable,
    "all": _combinators.all_,
    "all_settled": _combinators.all_settled,
    "any": _combinators.any_,
    "race": _combinators.race,
    "some": _combinators.some,
    "all_keyed": _combinators.all_keyed,
    "as_completed": _combinators.as_completed,
    "map": _concurrency.map_,
    "filter": _concurrency.filter_,
    "reduce": _concurrency.reduce_,
    "each": _concurrency.each,
    "submit": _concurrency.submit,
}

for name, factory in FACTORIES.items():
    factory.__name__ = name
    factory.__qualname__ = f"Promise.{name}"
    setattr(Promise, name, ClassOnly(factory))
