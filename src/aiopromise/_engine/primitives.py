"""Primitives that are C functions in both builds: see the Cython file next to this one."""

import contextvars
from contextvars import Context
from typing import Any, Final
from weakref import ref

__all__ = ["copy_context", "new", "run_in", "stop_iteration", "weak_reference"]

copy_context: Final = contextvars.copy_context

# Calls a function with one argument, in a context.
run_in: Final = Context.run

# Makes an instance of a class, whose __init__ is not called.
new: Final[Any] = object.__new__

weak_reference: Final = ref


def stop_iteration(value: Any) -> None:
    """Raise `StopIteration` with *value*; in Cython, only set it, for a ``raise StopIteration`` that follows."""
    raise StopIteration(value)
