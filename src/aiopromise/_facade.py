"""What hangs on the class: `Promise.resolve` and its kin, the combinators, `Promise.map` and its kin.

They are functions of later rooms than `Promise` itself, so they are hung on it here, once.
"""

from collections.abc import Callable
from typing import Any, Final

from aiopromise import _factories
from aiopromise._combinators import combinators, mapping
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
    "resolve": _factories.resolve,
    "reject": _factories.reject,
    "try_": _factories.try_,
    "with_resolvers": _factories.with_resolvers,
    "delay": _factories.delay,
    "from_thenable": _factories.from_thenable,
    "all": combinators.all_,
    "all_settled": combinators.all_settled,
    "any": combinators.any_,
    "race": combinators.race,
    "some": combinators.some,
    "all_keyed": combinators.all_keyed,
    "as_completed": combinators.as_completed,
    "map": mapping.map_,
    "filter": mapping.filter_,
    "reduce": mapping.reduce_,
    "each": mapping.each,
    "submit": mapping.submit,
}

for name, factory in FACTORIES.items():
    factory.__name__ = name
    factory.__qualname__ = f"Promise.{name}"
    setattr(Promise, name, ClassOnly(factory))
