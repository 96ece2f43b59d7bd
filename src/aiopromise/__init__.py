"""Promises for asyncio: fluent, typed and cancellable.

The rooms, in reading order; each imports only from those before it:

- `_errors`: the sentence for each wrong call
- `_build`: what marks the classes of the modules that can be compiled
- `_apart`: calls whose frames do not lead to those of the caller
- `_task`: what a handler has returned; how it is started as a Task, and under which name
- `_coroutine`: a coroutine for whatever can be awaited, and for a handler whose Task ends, or begins, otherwise
- `_handler`: what a handler may be, and those of the library
- `_origin`: where a promise was made and its links attached, in debug mode; the note in a traceback
- `_recorder`: who is told of each promise that is made: test harnesses
- `_rejection`: a reason, and the duty of somebody to take notice; `on_unhandled_rejection`
- `_outcome`: how a promise ended, as a value: `Fulfilled`, `Rejected`
- `_queue`: the reactions of one loop, first in, first out
- `_trace`: the origin of a promise, for those who want to know
- `_state`: the state of a promise, what it hangs on, and who waits for it
- `_settle`: how a promise settles
- `_core`: how a promise reacts to the outcome of another, and how it follows one
- `_drain`: what a drain of the queue does
- `_cancellation`: how a request to end travels, and where it stops
- `_ending`: what is unfinished on a loop when that ends
- `_awaiter`: the ``await`` of a promise
- `_resolvers`: the two functions that settle a promise from outside
- `_executor`: what may be an executor, and its call
- `_future`: what asyncio sees of a promise: the methods of a Future
- `_job`: a future of a thread or process as the upstream of a promise
- `_deadline`: the time limit of a promise
- `_promise`: `Promise` itself: `then`, `catch`, `finally_` and their kin
- `_convert`: ways in: values, functions and thenables
- `_chain`: `chain()`, `pipe()` and `promisify()`
- `_group`: several promises that one hangs on; what is stopped, and what is let go
- `_arrival`: a group whose results are iterated as they come
- `_answers`: when a group has its answer
- `_combinators`: many promises in, one out: `all`, `any`, `race` and their kin
- `_pool`: calls of one function on many items, so many at a time
- `_results`: what becomes of their results: a list, a choice of the items, one value, a stream
- `_concurrency`: many items through one function: `map` and its kin; `submit`
- `_facade`: all of these as `Promise.resolve`, `Promise.all`, ..., hung on the class
- `_maker`: who makes a promise: a test, or what goes on beside it
- `_leftovers`: what a piece of work has left behind
- `testing`: for users' tests: deferreds, `settle()`, assertions
- `_pytest_plugin`: a test fails for what it leaves behind; `_aiopromise_pytest`, beside the package, lets pytest
  start without importing it
"""

from aiopromise import _facade as _facade
from aiopromise._chain import Chain, chain, pipe, promisify
from aiopromise._engine import core
from aiopromise._factories import Thenable
from aiopromise._promise import Promise
from aiopromise._resolvers import Reject, Resolve, Resolvers
from aiopromise._settled import Fulfilled, Rejected, Settled, all_fulfilled, is_fulfilled, is_rejected
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
compiled = not core.__file__.endswith((".py", ".pyc"))

# Users know these by the name of the package, and so should their tracebacks and their documentation.
for _name in __all__:
    if _name not in {"Settled", "compiled"}:  # a union of two of them, and a bool
        globals()[_name].__module__ = __name__


def __getattr__(name: str) -> str:
    # Read on demand: importing importlib.metadata takes longer than importing the library.
    if name == "__version__":
        from importlib.metadata import version

        return version("aiopromise")
    raise AttributeError(f"module 'aiopromise' has no attribute {name!r}")
