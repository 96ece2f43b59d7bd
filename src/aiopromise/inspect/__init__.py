"""See what runs: the tree of pending promises, and instruments, which are told of what happens to promises."""

from aiopromise._instruments import Instrument
from aiopromise.inspect._call_graph import update_call_graph
from aiopromise.inspect._diagrams import to_dot, to_mermaid
from aiopromise.inspect._observing import add_instrument, remove_instrument
from aiopromise.inspect._signals import register_signal, unregister_signal
from aiopromise.inspect._tree import Tree, tree

__all__ = [
    "Instrument",
    "Tree",
    "add_instrument",
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
