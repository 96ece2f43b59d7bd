"""See what runs: the tree of pending promises, timelines, and instruments, which are told of what happens."""

from aiopromise._instruments import Instrument
from aiopromise.inspect._call_graph import update_call_graph
from aiopromise.inspect._diagrams import to_dot, to_mermaid
from aiopromise.inspect._observing import add_instrument, remove_instrument
from aiopromise.inspect._recording import Recording, record
from aiopromise.inspect._signals import register_signal, unregister_signal
from aiopromise.inspect._tree import Tree, tree

__all__ = [
    "Instrument",
    "Recording",
    "Tree",
    "add_instrument",
    "record",
    "register_signal",
    "remove_instrument",
    "to_dot",
    "to_mermaid",
    "tree",
    "unregister_signal",
    "update_call_graph",
]

# Show the package's name, which users import from, in tracebacks and documentation.
for _name in __all__:
    globals()[_name].__module__ = __name__
