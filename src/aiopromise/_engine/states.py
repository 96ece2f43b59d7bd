"""What a promise can be: pending, or settled in one of three ways."""

from typing import Final

__all__ = ["CANCELLED", "FULFILLED", "PENDING", "REJECTED"]

# Compiled, they are constants of C: see the declarations beside this module.
PENDING: Final = 0
FULFILLED: Final = 1
REJECTED: Final = 2
CANCELLED: Final = 3
