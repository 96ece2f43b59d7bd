"""Promises for asyncio: fluent, typed and cancellable.

A `Promise` stands for the outcome of work on the loop. It can be awaited, chained with ``then()``, ``catch()`` and
``finally_()``, shared, given a time limit and cancelled. Anything awaitable can become one, and asyncio accepts one
wherever it accepts a Future.

    >>> import asyncio
    >>> from aiopromise import Promise
    >>> async def fetch(number):
    ...     await asyncio.sleep(0.01)
    ...     return f"page {number}"
    >>> async def main():
    ...     first = Promise(fetch(1)).then(str.upper).timeout(5)
    ...     rest = Promise.map(range(2, 5), fetch, concurrency=2)
    ...     return await Promise.all(first, rest)
    >>> asyncio.run(main())
    ('PAGE 1', ['page 2', 'page 3', 'page 4'])

- Promises: `Promise`, and what settles one from outside: `Resolve`, `Reject`, `Resolvers`, `Thenable`
- Functions and awaitables in sequence: `chain` and its return type `Chain`; `pipe`, `promisify`
- How a promise ended, as a value: `Fulfilled`, `Rejected`, `Settled`, `is_fulfilled`, `is_rejected`, `all_fulfilled`
- Unhandled failures: `on_unhandled_rejection`, `UnhandledRejection`
- Whether the engine of this build is compiled: `compiled`

`aiopromise.testing` is for the tests of code that makes promises.
"""

from aiopromise._chain import Chain, chain, pipe, promisify
from aiopromise._engine import core as _core
from aiopromise._promise import Promise
from aiopromise._resolvers import Reject, Resolve, Resolvers
from aiopromise._settled import Fulfilled, Rejected, Settled, all_fulfilled, is_fulfilled, is_rejected
from aiopromise._thenable import Thenable
from aiopromise._unhandled import UnhandledRejection, on_unhandled_rejection

__all__ = [
    "Chain",
    "Fulfilled",
    "Promise",
    "Reject",
    "Rejected",
    "Resolve",
    "Resolvers",
    "Settled",
    "Thenable",
    "UnhandledRejection",
    "all_fulfilled",
    "chain",
    "compiled",
    "is_fulfilled",
    "is_rejected",
    "on_unhandled_rejection",
    "pipe",
    "promisify",
]

# Whether the engine of this build was compiled; see docs/builds.md.
compiled = not _core.__file__.endswith((".py", ".pyc"))

# Show the package's name, which users import from, in tracebacks and documentation.
for _name in __all__:
    if _name not in {"Settled", "compiled"}:  # a union of two classes, and a bool
        try:
            globals()[_name].__module__ = __name__
        except TypeError:
            pass  # a compiled class keeps the name of its own module


def __getattr__(name: str) -> str:
    # Read on demand: importing importlib.metadata takes longer than importing the library.
    if name == "__version__":
        from importlib.metadata import version

        return version("aiopromise")
    raise AttributeError(f"module 'aiopromise' has no attribute {name!r}")
