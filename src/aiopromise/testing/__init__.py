"""Test helpers: deferreds, `settle()`, and assertions on the state of a promise."""

from aiopromise.testing._assertions import assert_cancelled, assert_fulfilled, assert_pending, assert_rejected
from aiopromise.testing._deferreds import Deferred, DeferredFunction
from aiopromise.testing._settle import settle

__all__ = [
    "Deferred",
    "DeferredFunction",
    "assert_cancelled",
    "assert_fulfilled",
    "assert_pending",
    "assert_rejected",
    "settle",
]

# Show the package's name, which users import from, in tracebacks and documentation.
for _name in __all__:
    globals()[_name].__module__ = __name__
