"""Subscriptable bases for classes that may be compiled, which can have neither a metaclass nor ``Generic``."""

from types import GenericAlias
from typing import TYPE_CHECKING, Any

__all__ = ["AwaitableBase", "GenericBase"]

if TYPE_CHECKING:
    from collections.abc import Awaitable as AwaitableBase
    from typing import Generic as GenericBase
else:

    class GenericBase:
        """``Generic[T]``; in a list of bases, the class itself."""

        __slots__ = ()

        def __class_getitem__(cls, item: Any) -> Any:
            return cls if cls.__module__ == __name__ else GenericAlias(cls, item)

    class AwaitableBase(GenericBase):
        """``Awaitable[T]`` for type checkers; at run time ``__await__`` is enough."""

        __slots__ = ()
