"""Two builds of one source: in Python, and with the engine compiled by mypyc.

The modules of `_engine` that are compiled are listed in pyproject.toml. What users hold is Python in both builds, so
that docstrings, signatures and weak references are the same.
"""

from typing import TYPE_CHECKING

__all__ = ["mypyc_attr"]

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:
    # mypyc reads the decorator and never calls it; in Python it has nothing to say.
    def mypyc_attr(**_attributes):
        return lambda decorated: decorated
