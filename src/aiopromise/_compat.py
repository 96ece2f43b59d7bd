"""Subscriptable bases for classes that may be compiled, which can have neither a metaclass nor ``Generic``."""

from types import GenericAlias
from typing import TYPE_CHECKING, Any

__all__ = ["AwaitableBase", "GenericBase"]

if TYPE_CHECKING:
    from collections.abc import Awaitable as AwaitableBase
    from typing import Generic as GenericBase
else:

    class GenericBase:
        """``Generic[T]``, which is the base itself when the class below is made."""

        __slots__ = ()

        def __class_getitem__(cls, item: Any) -> Any:
            return cls if cls.__module__ == __name__ else GenericAlias(cls, item)

    class AwaitableBase(GenericBase):
        """``Awaitable[T]``: whoever asks is told by ``__await__``."""

        __slots__ = ()
