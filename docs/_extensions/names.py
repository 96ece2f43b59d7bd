"""Links to the API reference from the names of the library that a page has in backticks."""

import builtins
import re
from collections.abc import Iterator
from typing import Final

from docutils import nodes
from reference import public_names
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

# `chain()`, `Promise.all`, `on_unhandled_rejection(callback)`
NAME: Final = re.compile(r"([\w.]+?)(?:\(.*\))?$")
# `catch()`, `.then(f)`, `promise.cancel()`
METHOD: Final = re.compile(r"(?:promise\.|p\.|\.)?(\w+)\((.*)\)$")
# Without an owner these are the functions that settle a promise.
RESOLVERS: Final = {"resolve", "reject"}


class LinkNames(SphinxPostTransform):
    """Make a reference of each literal that is a public name: `chain()`, `Promise.all`, `catch()`."""

    # Before references are resolved.
    default_priority = 5

    def run(self) -> None:
        """Replace the literals."""
        names = public_names()
        for literal in list(self.document.findall(nodes.literal)):
            if isinstance(literal.parent, nodes.reference | pending_xref | nodes.title) or self._is_foreign(literal):
                continue
            target = target_of(literal.astext(), names)
            if target is not None:
                reference = pending_xref(
                    "", refdomain="py", reftype="obj", reftarget=target, refdoc=self.env.current_document.docname
                )
                literal.replace_self(reference)
                reference += literal

    def _is_foreign(self, literal: nodes.literal) -> bool:
        """Return whether the name is another library's: such a page has those in the first column of its tables."""
        if not self.env.current_document.docname.startswith("from-"):
            return False
        entry = next((node for node in _ancestors(literal) if isinstance(node, nodes.entry)), None)
        return entry is not None and entry.parent.index(entry) == 0


def _ancestors(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def target_of(text: str, names: set[str]) -> str | None:
    """Return the public name that *text* stands for, or None."""
    candidates = []
    if match := NAME.match(text):
        candidates += [f"aiopromise.{match[1]}", f"aiopromise.testing.{match[1]}", match[1]]
    if match := METHOD.match(text):
        has_owner = "." in text.partition("(")[0]
        is_builtin = bool(match[2]) and hasattr(builtins, match[1])
        if has_owner or not (match[1] in RESOLVERS or is_builtin):
            candidates.append(f"aiopromise.Promise.{match[1]}")
    return next((name for name in candidates if name in names), None)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the transform."""
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
