"""See what runs: instruments, which are told of what happens to promises."""

from aiopromise._instruments import Instrument
from aiopromise.inspect._observing import add_instrument, remove_instrument

__all__ = ["Instrument", "add_instrument", "remove_instrument"]

# Show the package's name, which users import from, in tracebacks and documentation.
for _name in __all__:
    globals()[_name].__module__ = __name__
