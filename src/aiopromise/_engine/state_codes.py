"""What a promise can be: pending, or settled in one of three ways."""

from typing import Final

__all__ = ["CANCELLED", "FULFILLED", "PENDING", "REJECTED"]

# A module that is compiled declares those that it uses as integers of C, which are set when it imports them.
PENDING: Final = 0
FULFILLED: Final = 1
REJECTED: Final = 2
CANCELLED: Final = 3
