"""The factories hung on the class: `Promise.resolve` and its kin.

They are functions of later rooms than `Promise` itself, so they are hung on it here, once.
"""

from collections.abc import Callable
from typing import Any, Final

from aiopromise import _convert
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


FACTORIES: Final[tuple[Callable[..., Any], ...]] = (
    _convert.resolve,
    _convert.reject,
    _convert.try_,
    _convert.with_resolvers,
    _convert.delay,
    _convert.from_thenable,
)

for factory in FACTORIES:
    factory.__qualname__ = f"Promise.{factory.__name__}"
    setattr(Promise, factory.__name__, ClassOnly(factory))
