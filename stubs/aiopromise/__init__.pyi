# The typed face of aiopromise: every public signature, and nothing else.
#
# Its docstrings are those of the source: the build puts them in, for editors (src/build_wheel.py).

import asyncio
import concurrent.futures
from abc import ABCMeta, abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextvars import Context
from types import TracebackType
from typing import (
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    Never,
    ParamSpec,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
    final,
    overload,
)

from typing_extensions import TypeIs

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

__version__: str
compiled: Final[bool]

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_T_contra = TypeVar("_T_contra", contravariant=True)
_U = TypeVar("_U")
_V = TypeVar("_V")
_K = TypeVar("_K")
_L = TypeVar("_L")
_E = TypeVar("_E", bound=BaseException)
_E1 = TypeVar("_E1", bound=BaseException)
_E2 = TypeVar("_E2", bound=BaseException)
_E3 = TypeVar("_E3", bound=BaseException)
_E4 = TypeVar("_E4", bound=BaseException)
_T1 = TypeVar("_T1")
_T2 = TypeVar("_T2")
_T3 = TypeVar("_T3")
_T4 = TypeVar("_T4")
_T5 = TypeVar("_T5")
_T6 = TypeVar("_T6")
_P = ParamSpec("_P")
_Ts = TypeVarTuple("_Ts")

# ------------------------------------------------------------------ how a promise ended

@final
class Fulfilled(Generic[_T_co]):
    __match_args__: Final = ("value",)
    def __init__(self, content: _T_co, /) -> None: ...
    @property
    def status(self) -> Literal["fulfilled"]: ...
    @property
    def value(self) -> _T_co: ...

@final
class Rejected:
    __match_args__: Final = ("reason",)
    def __init__(self, content: BaseException, /) -> None: ...
    @property
    def status(self) -> Literal["rejected"]: ...
    @property
    def reason(self) -> BaseException: ...

Settled: TypeAlias = Fulfilled[_T] | Rejected

def is_fulfilled(outcome: Settled[_T], /) -> TypeIs[Fulfilled[_T]]: ...
def is_rejected(outcome: Settled[_T], /) -> TypeIs[Rejected]: ...
def all_fulfilled(outcomes: Iterable[Settled[_T]], /) -> list[_T]: ...

# ------------------------------------------------------------------ resolvers

@final
class Resolve(Generic[_T_contra]):
    @overload
    def __call__(self, value: Awaitable[_T_contra] | _T_contra, /) -> None: ...
    @overload
    def __call__(self: Resolve[None], value: None = None, /) -> None: ...

@final
class Reject:
    def __call__(self, reason: BaseException, /) -> None: ...

@final
class Resolvers(NamedTuple, Generic[_T]):
    promise: Promise[_T]
    resolve: Resolve[_T]
    reject: Reject

# ------------------------------------------------------------------ thenables

class Thenable(Awaitable[_T_co], metaclass=ABCMeta):
    # `Resolve` is contravariant and stands in an argument, so T is covariant here, as in any awaitable.
    @abstractmethod
    def then(self, resolve: Resolve[_T_co], reject: Reject, /) -> object: ...
    def __await__(self) -> Generator[Any, Any, _T_co]: ...

# An object with a `then` that was declared with functions, as other libraries do, or with our resolvers.
# The functions return Any, not object: otherwise mypy solves T to Never for a generic `then`.
class _ThenOfFunctions(Protocol[_T_co]):
    def then(self, resolve: Callable[[_T_co], Any], reject: Callable[[BaseException], Any], /) -> object: ...

class _ThenOfResolvers(Protocol[_T_co]):
    def then(self, resolve: Resolve[_T_co], reject: Reject, /) -> object: ...

# ------------------------------------------------------------------ what a promise and a chain share
#
# Every function that takes a handler has the same pair of overloads, in this order:
#   1. Callable[..., Awaitable[U]]        async def, a function that returns a promise / task / future
#   2. Callable[..., Awaitable[U] | U]    a plain function, or one that returns either
# `| U` in the second (not a bare `U`) makes both overloads agree on a handler that matches both, so
# that mypy does not infer Any and no checker reports an overlap.

class _Chainable(Generic[_T_co]):
    # The overload without arguments comes second: put first, it makes pyrefly lose the type of a lambda; put last,
    # pyright explains a wrong handler by it.
    @overload
    def then(self, on_fulfilled: Callable[[_T_co], Awaitable[_U]], on_rejected: None = None) -> Promise[_U]: ...
    @overload
    def then(self, on_fulfilled: None = None, on_rejected: None = None) -> Promise[_T_co]: ...
    @overload
    def then(self, on_fulfilled: Callable[[_T_co], Awaitable[_U] | _U], on_rejected: None = None) -> Promise[_U]: ...
    @overload
    def then(
        self, on_fulfilled: Callable[[_T_co], Awaitable[_U]], on_rejected: Callable[[Exception], Awaitable[_V]]
    ) -> Promise[_U | _V]: ...
    @overload
    def then(
        self, on_fulfilled: Callable[[_T_co], Awaitable[_U]], on_rejected: Callable[[Exception], Awaitable[_V] | _V]
    ) -> Promise[_U | _V]: ...
    @overload
    def then(
        self, on_fulfilled: Callable[[_T_co], Awaitable[_U] | _U], on_rejected: Callable[[Exception], Awaitable[_V]]
    ) -> Promise[_U | _V]: ...
    @overload
    def then(
        self,
        on_fulfilled: Callable[[_T_co], Awaitable[_U] | _U],
        on_rejected: Callable[[Exception], Awaitable[_V] | _V],
    ) -> Promise[_U | _V]: ...
    @overload
    def then(self, on_fulfilled: None, on_rejected: Callable[[Exception], Awaitable[_V]]) -> Promise[_T_co | _V]: ...
    @overload
    def then(
        self, on_fulfilled: None, on_rejected: Callable[[Exception], Awaitable[_V] | _V]
    ) -> Promise[_T_co | _V]: ...
    @overload
    def then(
        self, on_fulfilled: None = None, *, on_rejected: Callable[[Exception], Awaitable[_V]]
    ) -> Promise[_T_co | _V]: ...
    @overload
    def then(
        self, on_fulfilled: None = None, *, on_rejected: Callable[[Exception], Awaitable[_V] | _V]
    ) -> Promise[_T_co | _V]: ...
    # The 2, 3 and 4-tuples are for mypy: it joins `tuple[type[E], ...]` of (KeyError, OSError) to
    # Exception, and then refuses a handler of `KeyError | OSError`.  An overload
    # with Never for handlers that always raise would make pyright drop the result of a handler that returns Any.
    @overload
    def catch(self, on_rejected: Callable[[Exception], Awaitable[_U]], /) -> Promise[_T_co | _U]: ...
    @overload
    def catch(self, on_rejected: Callable[[Exception], Awaitable[_U] | _U], /) -> Promise[_T_co | _U]: ...
    @overload
    def catch(self, types: type[_E], on_rejected: Callable[[_E], Awaitable[_U]], /) -> Promise[_T_co | _U]: ...
    @overload
    def catch(self, types: type[_E], on_rejected: Callable[[_E], Awaitable[_U] | _U], /) -> Promise[_T_co | _U]: ...
    @overload
    def catch(
        self, types: tuple[type[_E1], type[_E2]], on_rejected: Callable[[_E1 | _E2], Awaitable[_U]], /
    ) -> Promise[_T_co | _U]: ...
    @overload
    def catch(
        self, types: tuple[type[_E1], type[_E2]], on_rejected: Callable[[_E1 | _E2], Awaitable[_U] | _U], /
    ) -> Promise[_T_co | _U]: ...
    @overload
    def catch(
        self, types: tuple[type[_E1], type[_E2], type[_E3]], on_rejected: Callable[[_E1 | _E2 | _E3], Awaitable[_U]], /
    ) -> Promise[_T_co | _U]: ...
    @overload
    def catch(
        self,
        types: tuple[type[_E1], type[_E2], type[_E3]],
        on_rejected: Callable[[_E1 | _E2 | _E3], Awaitable[_U] | _U],
        /,
    ) -> Promise[_T_co | _U]: ...
    @overload
    def catch(
        self,
        types: tuple[type[_E1], type[_E2], type[_E3], type[_E4]],
        on_rejected: Callable[[_E1 | _E2 | _E3 | _E4], Awaitable[_U]],
        /,
    ) -> Promise[_T_co | _U]: ...
    @overload
    def catch(
        self,
        types: tuple[type[_E1], type[_E2], type[_E3], type[_E4]],
        on_rejected: Callable[[_E1 | _E2 | _E3 | _E4], Awaitable[_U] | _U],
        /,
    ) -> Promise[_T_co | _U]: ...
    @overload
    def catch(
        self, types: tuple[type[_E], ...], on_rejected: Callable[[_E], Awaitable[_U]], /
    ) -> Promise[_T_co | _U]: ...
    @overload
    def catch(
        self, types: tuple[type[_E], ...], on_rejected: Callable[[_E], Awaitable[_U] | _U], /
    ) -> Promise[_T_co | _U]: ...
    def finally_(self, on_settled: Callable[[], object], /) -> Promise[_T_co]: ...

# ------------------------------------------------------------------ many promises, many items

_Losers: TypeAlias = Literal["cancel", "keep"] | None
_Items: TypeAlias = Iterable[_T] | AsyncIterable[_T]
_Progress: TypeAlias = Callable[[int, int | None], object]

# Anything with the interface of concurrent.futures.Executor, such as a Dask cluster.
class _Executor(Protocol):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any: ...

# ------------------------------------------------------------------ the promise

# Methods of a metaclass are reachable through the class only, as these should be. But pyrefly and jedi do not show
# their docstrings, so it has only the two that need it: mypy 1.11 to 2.4 refuses a lambda where a generic static method
# of a *generic class* is called through the bare class.
class _PromiseType(ABCMeta):
    @overload
    def map(
        cls,
        items: _Items[_T],
        fn: Callable[[_T], Awaitable[_U]],
        /,
        *,
        concurrency: SupportsIndex | None = None,
        on_progress: _Progress | None = None,
        executor: None = None,
    ) -> Promise[list[_U]]: ...
    @overload
    def map(
        cls,
        items: _Items[_T],
        fn: Callable[[_T], Awaitable[_U] | _U],
        /,
        *,
        concurrency: SupportsIndex | None = None,
        on_progress: _Progress | None = None,
        executor: None = None,
    ) -> Promise[list[_U]]: ...
    @overload
    def map(
        cls,
        items: _Items[_T],
        fn: Callable[[_T], _U],
        /,
        *,
        concurrency: SupportsIndex | None = None,
        on_progress: _Progress | None = None,
        executor: _Executor,
    ) -> Promise[list[_U]]: ...
    @overload
    def map_unordered(
        cls,
        items: _Items[_T],
        fn: Callable[[_T], Awaitable[_U]],
        /,
        *,
        concurrency: SupportsIndex | None = None,
        on_progress: _Progress | None = None,
        executor: None = None,
    ) -> AsyncGenerator[_U]: ...
    @overload
    def map_unordered(
        cls,
        items: _Items[_T],
        fn: Callable[[_T], Awaitable[_U] | _U],
        /,
        *,
        concurrency: SupportsIndex | None = None,
        on_progress: _Progress | None = None,
        executor: None = None,
    ) -> AsyncGenerator[_U]: ...
    @overload
    def map_unordered(
        cls,
        items: _Items[_T],
        fn: Callable[[_T], _U],
        /,
        *,
        concurrency: SupportsIndex | None = None,
        on_progress: _Progress | None = None,
        executor: _Executor,
    ) -> AsyncGenerator[_U]: ...

# A class apart, so that jedi shows the docstring from here, and not `all = ...` from the source.
class _Factories:
    # Ways in.  On an instance they raise AttributeError.
    @overload
    @staticmethod
    def resolve(value: Awaitable[_T], /) -> Promise[_T]: ...
    @overload
    @staticmethod
    def resolve(value: Awaitable[_T] | _T, /) -> Promise[_T]: ...
    @overload
    @staticmethod
    def resolve(value: None = None, /) -> Promise[None]: ...
    @staticmethod
    def reject(reason: BaseException, /) -> Promise[Never]: ...
    @overload
    @staticmethod
    def try_(fn: Callable[_P, Awaitable[_T]], /, *args: _P.args, **kwargs: _P.kwargs) -> Promise[_T]: ...
    @overload
    @staticmethod
    def try_(fn: Callable[_P, Awaitable[_T] | _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Promise[_T]: ...
    @overload
    @staticmethod
    def delay(seconds: float, value: _T) -> Promise[_T]: ...
    @overload
    @staticmethod
    def delay(seconds: float, value: None = None) -> Promise[None]: ...
    @overload
    @staticmethod
    def from_thenable(thenable: _ThenOfFunctions[_T], /) -> Promise[_T]: ...
    @overload
    @staticmethod
    def from_thenable(thenable: _ThenOfResolvers[_T], /) -> Promise[_T]: ...

    # Combinators.  Several arguments make a tuple, one iterable makes a list.  A single awaitable stands before the
    # iterable, since asyncio.Future is (for `yield from`) an Iterable[Any] too.
    @overload
    @staticmethod
    def all(*, losers: _Losers = None) -> Promise[tuple[()]]: ...
    @overload
    @staticmethod
    def all(awaitable1: Awaitable[_T1], /, *, losers: _Losers = None) -> Promise[tuple[_T1]]: ...
    @overload
    @staticmethod
    def all(awaitables: Iterable[Awaitable[_T]], /, *, losers: _Losers = None) -> Promise[list[_T]]: ...
    @overload
    @staticmethod
    def all(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], /, *, losers: _Losers = None
    ) -> Promise[tuple[_T1, _T2]]: ...
    @overload
    @staticmethod
    def all(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], awaitable3: Awaitable[_T3], /, *, losers: _Losers = None
    ) -> Promise[tuple[_T1, _T2, _T3]]: ...
    @overload
    @staticmethod
    def all(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[tuple[_T1, _T2, _T3, _T4]]: ...
    @overload
    @staticmethod
    def all(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[tuple[_T1, _T2, _T3, _T4, _T5]]: ...
    @overload
    @staticmethod
    def all(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        awaitable6: Awaitable[_T6],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[tuple[_T1, _T2, _T3, _T4, _T5, _T6]]: ...
    # A plain value beside an awaitable; two of them are more likely to be functions that were not called.
    @overload
    @staticmethod
    def all(awaitable1: Awaitable[_T1], value2: _T2, /, *, losers: _Losers = None) -> Promise[tuple[_T1, _T2]]: ...
    @overload
    @staticmethod
    def all(value1: _T1, awaitable2: Awaitable[_T2], /, *, losers: _Losers = None) -> Promise[tuple[_T1, _T2]]: ...
    @overload
    @staticmethod
    def all(*awaitables: Awaitable[_T], losers: _Losers = None) -> Promise[tuple[_T, ...]]: ...
    @overload
    @staticmethod
    def all_settled(*, losers: _Losers = None) -> Promise[tuple[()]]: ...
    @overload
    @staticmethod
    def all_settled(awaitable1: Awaitable[_T1], /, *, losers: _Losers = None) -> Promise[tuple[Settled[_T1]]]: ...
    @overload
    @staticmethod
    def all_settled(
        awaitables: Iterable[Awaitable[_T]], /, *, losers: _Losers = None
    ) -> Promise[list[Settled[_T]]]: ...
    @overload
    @staticmethod
    def all_settled(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], /, *, losers: _Losers = None
    ) -> Promise[tuple[Settled[_T1], Settled[_T2]]]: ...
    @overload
    @staticmethod
    def all_settled(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], awaitable3: Awaitable[_T3], /, *, losers: _Losers = None
    ) -> Promise[tuple[Settled[_T1], Settled[_T2], Settled[_T3]]]: ...
    @overload
    @staticmethod
    def all_settled(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[tuple[Settled[_T1], Settled[_T2], Settled[_T3], Settled[_T4]]]: ...
    @overload
    @staticmethod
    def all_settled(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[tuple[Settled[_T1], Settled[_T2], Settled[_T3], Settled[_T4], Settled[_T5]]]: ...
    @overload
    @staticmethod
    def all_settled(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        awaitable6: Awaitable[_T6],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[tuple[Settled[_T1], Settled[_T2], Settled[_T3], Settled[_T4], Settled[_T5], Settled[_T6]]]: ...
    @overload
    @staticmethod
    def all_settled(*awaitables: Awaitable[_T], losers: _Losers = None) -> Promise[tuple[Settled[_T], ...]]: ...
    @overload
    @staticmethod
    def any(awaitable1: Awaitable[_T1], /, *, losers: _Losers = None) -> Promise[_T1]: ...
    @overload
    @staticmethod
    def any(awaitables: Iterable[Awaitable[_T]], /, *, losers: _Losers = None) -> Promise[_T]: ...
    @overload
    @staticmethod
    def any(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], /, *, losers: _Losers = None
    ) -> Promise[_T1 | _T2]: ...
    @overload
    @staticmethod
    def any(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], awaitable3: Awaitable[_T3], /, *, losers: _Losers = None
    ) -> Promise[_T1 | _T2 | _T3]: ...
    @overload
    @staticmethod
    def any(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[_T1 | _T2 | _T3 | _T4]: ...
    @overload
    @staticmethod
    def any(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[_T1 | _T2 | _T3 | _T4 | _T5]: ...
    @overload
    @staticmethod
    def any(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        awaitable6: Awaitable[_T6],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[_T1 | _T2 | _T3 | _T4 | _T5 | _T6]: ...
    @overload
    @staticmethod
    def any(*awaitables: Awaitable[_T], losers: _Losers = None) -> Promise[_T]: ...
    @overload
    @staticmethod
    def race(awaitable1: Awaitable[_T1], /, *, losers: _Losers = None) -> Promise[_T1]: ...
    @overload
    @staticmethod
    def race(awaitables: Iterable[Awaitable[_T]], /, *, losers: _Losers = None) -> Promise[_T]: ...
    @overload
    @staticmethod
    def race(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], /, *, losers: _Losers = None
    ) -> Promise[_T1 | _T2]: ...
    @overload
    @staticmethod
    def race(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], awaitable3: Awaitable[_T3], /, *, losers: _Losers = None
    ) -> Promise[_T1 | _T2 | _T3]: ...
    @overload
    @staticmethod
    def race(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[_T1 | _T2 | _T3 | _T4]: ...
    @overload
    @staticmethod
    def race(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[_T1 | _T2 | _T3 | _T4 | _T5]: ...
    @overload
    @staticmethod
    def race(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        awaitable6: Awaitable[_T6],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[_T1 | _T2 | _T3 | _T4 | _T5 | _T6]: ...
    @overload
    @staticmethod
    def race(*awaitables: Awaitable[_T], losers: _Losers = None) -> Promise[_T]: ...
    @overload
    @staticmethod
    def some(count: SupportsIndex, awaitable1: Awaitable[_T1], /, *, losers: _Losers = None) -> Promise[list[_T1]]: ...
    @overload
    @staticmethod
    def some(
        count: SupportsIndex, awaitables: Iterable[Awaitable[_T]], /, *, losers: _Losers = None
    ) -> Promise[list[_T]]: ...
    @overload
    @staticmethod
    def some(
        count: SupportsIndex, awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], /, *, losers: _Losers = None
    ) -> Promise[list[_T1 | _T2]]: ...
    @overload
    @staticmethod
    def some(
        count: SupportsIndex,
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[list[_T1 | _T2 | _T3]]: ...
    @overload
    @staticmethod
    def some(
        count: SupportsIndex,
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[list[_T1 | _T2 | _T3 | _T4]]: ...
    @overload
    @staticmethod
    def some(
        count: SupportsIndex,
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[list[_T1 | _T2 | _T3 | _T4 | _T5]]: ...
    @overload
    @staticmethod
    def some(
        count: SupportsIndex,
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        awaitable6: Awaitable[_T6],
        /,
        *,
        losers: _Losers = None,
    ) -> Promise[list[_T1 | _T2 | _T3 | _T4 | _T5 | _T6]]: ...
    @overload
    @staticmethod
    def some(count: SupportsIndex, /, *awaitables: Awaitable[_T], losers: _Losers = None) -> Promise[list[_T]]: ...
    @staticmethod
    def all_keyed(awaitables: Mapping[_K, Awaitable[_T]], /, *, losers: _Losers = None) -> Promise[dict[_K, _T]]: ...
    @staticmethod
    def all_settled_keyed(
        awaitables: Mapping[_K, Awaitable[_T]], /, *, losers: _Losers = None
    ) -> Promise[dict[_K, Settled[_T]]]: ...
    @overload
    @staticmethod
    def as_completed(
        awaitable1: Awaitable[_T1], /, *, losers: _Losers = None
    ) -> AsyncGenerator[tuple[int, Promise[_T1]]]: ...
    @overload
    @staticmethod
    def as_completed(
        awaitables: Iterable[Awaitable[_T]], /, *, losers: _Losers = None
    ) -> AsyncGenerator[tuple[int, Promise[_T]]]: ...
    @overload
    @staticmethod
    def as_completed(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], /, *, losers: _Losers = None
    ) -> AsyncGenerator[tuple[int, Promise[_T1 | _T2]]]: ...
    @overload
    @staticmethod
    def as_completed(
        awaitable1: Awaitable[_T1], awaitable2: Awaitable[_T2], awaitable3: Awaitable[_T3], /, *, losers: _Losers = None
    ) -> AsyncGenerator[tuple[int, Promise[_T1 | _T2 | _T3]]]: ...
    @overload
    @staticmethod
    def as_completed(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        /,
        *,
        losers: _Losers = None,
    ) -> AsyncGenerator[tuple[int, Promise[_T1 | _T2 | _T3 | _T4]]]: ...
    @overload
    @staticmethod
    def as_completed(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        /,
        *,
        losers: _Losers = None,
    ) -> AsyncGenerator[tuple[int, Promise[_T1 | _T2 | _T3 | _T4 | _T5]]]: ...
    @overload
    @staticmethod
    def as_completed(
        awaitable1: Awaitable[_T1],
        awaitable2: Awaitable[_T2],
        awaitable3: Awaitable[_T3],
        awaitable4: Awaitable[_T4],
        awaitable5: Awaitable[_T5],
        awaitable6: Awaitable[_T6],
        /,
        *,
        losers: _Losers = None,
    ) -> AsyncGenerator[tuple[int, Promise[_T1 | _T2 | _T3 | _T4 | _T5 | _T6]]]: ...
    @overload
    @staticmethod
    def as_completed(*awaitables: Awaitable[_T], losers: _Losers = None) -> AsyncGenerator[tuple[int, Promise[_T]]]: ...

    # Many items through one function; `map` and `map_unordered` are in the metaclass above.
    @staticmethod
    def filter(
        items: _Items[_T],
        fn: Callable[[_T], object],
        /,
        *,
        concurrency: SupportsIndex | None = None,
        on_progress: _Progress | None = None,
    ) -> Promise[list[_T]]: ...
    @overload
    @staticmethod
    def reduce(items: _Items[_T], fn: Callable[[_U, _T], Awaitable[_U]], initial: _U, /) -> Promise[_U]: ...
    @overload
    @staticmethod
    def reduce(items: _Items[_T], fn: Callable[[_U, _T], Awaitable[_U] | _U], initial: _U, /) -> Promise[_U]: ...
    @staticmethod
    def each(
        items: _Items[_T],
        fn: Callable[[_T], object],
        /,
        *,
        concurrency: SupportsIndex | None = 1,
        on_progress: _Progress | None = None,
    ) -> Promise[None]: ...
    @staticmethod
    def submit(executor: _Executor, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Promise[_T]: ...

@final
class Promise(_Factories, _Chainable[_T_co], Awaitable[_T_co], metaclass=_PromiseType):
    @overload
    def __init__(self, source: Awaitable[_T_co], /) -> None: ...
    @overload
    def __init__(self, source: concurrent.futures.Future[_T_co], /) -> None: ...
    @overload
    def __init__(self, source: Callable[[Resolve[_T_co], Reject], object], /) -> None: ...

    # Only a class method of the class itself can take T from `Promise[T]`.
    @classmethod
    def with_resolvers(cls: type[Promise[_T]]) -> Resolvers[_T]: ...

    # Links that only a promise has.
    def tap(self, on_fulfilled: Callable[[_T_co], object], /) -> Promise[_T_co]: ...
    @overload
    def tap_catch(self, on_rejected: Callable[[Exception], object], /) -> Promise[_T_co]: ...
    @overload
    def tap_catch(self, types: type[_E], on_rejected: Callable[[_E], object], /) -> Promise[_T_co]: ...
    @overload
    def tap_catch(
        self, types: tuple[type[_E1], type[_E2]], on_rejected: Callable[[_E1 | _E2], object], /
    ) -> Promise[_T_co]: ...
    @overload
    def tap_catch(
        self, types: tuple[type[_E1], type[_E2], type[_E3]], on_rejected: Callable[[_E1 | _E2 | _E3], object], /
    ) -> Promise[_T_co]: ...
    @overload
    def tap_catch(
        self,
        types: tuple[type[_E1], type[_E2], type[_E3], type[_E4]],
        on_rejected: Callable[[_E1 | _E2 | _E3 | _E4], object],
        /,
    ) -> Promise[_T_co]: ...
    @overload
    def tap_catch(self, types: tuple[type[_E], ...], on_rejected: Callable[[_E], object], /) -> Promise[_T_co]: ...
    @overload
    def spread(self: Promise[tuple[*_Ts]], on_fulfilled: Callable[[*_Ts], Awaitable[_U]], /) -> Promise[_U]: ...
    @overload
    def spread(self: Promise[tuple[*_Ts]], on_fulfilled: Callable[[*_Ts], Awaitable[_U] | _U], /) -> Promise[_U]: ...
    @overload
    def timeout(self, seconds: float | None) -> Promise[_T_co]: ...
    @overload
    def timeout(self, seconds: float | None, *, fallback: _U) -> Promise[_T_co | _U]: ...
    def shield(self) -> Promise[_T_co]: ...
    def settled(self) -> Promise[Settled[_T_co]]: ...

    # The methods of asyncio's Future.
    def __await__(self) -> Generator[Any, Any, _T_co]: ...
    def cancel(self, msg: object = None) -> bool: ...
    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def result(self) -> _T_co: ...
    def exception(self) -> BaseException | None: ...
    def add_done_callback(
        self, callback: Callable[[Promise[_T_co]], object], /, *, context: Context | None = None
    ) -> None: ...
    def remove_done_callback(self, callback: Callable[[Promise[_T_co]], object], /) -> int: ...
    def get_loop(self) -> asyncio.AbstractEventLoop: ...

# ------------------------------------------------------------------ functions

@final
class Chain(_Chainable[_T_co], Coroutine[Any, Any, _T_co]):
    __name__: str
    def __await__(self) -> Generator[Any, Any, _T_co]: ...
    def send(self, value: Any, /) -> Any: ...
    def throw(
        self, typ: type[BaseException] | BaseException, val: object = None, tb: TracebackType | None = None, /
    ) -> Any: ...
    def close(self) -> None: ...

# The value is a list (`[1, [2.1, 2.2], 3]`), hence `list[T1 | T2]`, not a tuple.  The last overloads
# take groups, lists or tuples, `chain(a, [b1, b2], c)`; one per place of the first group, so that nothing overlaps.
@overload
def chain(step1: Awaitable[_T1], /) -> Chain[list[_T1]]: ...
@overload
def chain(step1: Awaitable[_T1], step2: Awaitable[_T2], /) -> Chain[list[_T1 | _T2]]: ...
@overload
def chain(step1: Awaitable[_T1], step2: Awaitable[_T2], step3: Awaitable[_T3], /) -> Chain[list[_T1 | _T2 | _T3]]: ...
@overload
def chain(
    step1: Awaitable[_T1], step2: Awaitable[_T2], step3: Awaitable[_T3], step4: Awaitable[_T4], /
) -> Chain[list[_T1 | _T2 | _T3 | _T4]]: ...
@overload
def chain(
    step1: Awaitable[_T1], step2: Awaitable[_T2], step3: Awaitable[_T3], step4: Awaitable[_T4], step5: Awaitable[_T5], /
) -> Chain[list[_T1 | _T2 | _T3 | _T4 | _T5]]: ...
@overload
def chain(
    step1: Awaitable[_T1],
    step2: Awaitable[_T2],
    step3: Awaitable[_T3],
    step4: Awaitable[_T4],
    step5: Awaitable[_T5],
    step6: Awaitable[_T6],
    /,
) -> Chain[list[_T1 | _T2 | _T3 | _T4 | _T5 | _T6]]: ...
@overload
def chain(*steps: Awaitable[_T]) -> Chain[list[_T]]: ...
@overload
def chain(
    step1: Sequence[Awaitable[_L]], /, *steps: Awaitable[_T] | Sequence[Awaitable[_L]]
) -> Chain[list[_T | list[_L]]]: ...
@overload
def chain(
    step1: Awaitable[_T], step2: Sequence[Awaitable[_L]], /, *steps: Awaitable[_T] | Sequence[Awaitable[_L]]
) -> Chain[list[_T | list[_L]]]: ...
@overload
def chain(
    step1: Awaitable[_T],
    step2: Awaitable[_T],
    step3: Sequence[Awaitable[_L]],
    /,
    *steps: Awaitable[_T] | Sequence[Awaitable[_L]],
) -> Chain[list[_T | list[_L]]]: ...
@overload
def chain(
    step1: Awaitable[_T],
    step2: Awaitable[_T],
    step3: Awaitable[_T],
    step4: Sequence[Awaitable[_L]],
    /,
    *steps: Awaitable[_T] | Sequence[Awaitable[_L]],
) -> Chain[list[_T | list[_L]]]: ...

# Up to three stages, every mix of sync and async stages has its overload (a lambda behind an async
# stage needs it in mypy and ty); from four on, only the last stage has.
@overload
def pipe(f1: Callable[_P, Awaitable[_T1]], /) -> Callable[_P, Promise[_T1]]: ...
@overload
def pipe(f1: Callable[_P, Awaitable[_T1] | _T1], /) -> Callable[_P, Promise[_T1]]: ...
@overload
def pipe(f1: Callable[_P, Awaitable[_T1]], f2: Callable[[_T1], Awaitable[_T2]], /) -> Callable[_P, Promise[_T2]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1]], f2: Callable[[_T1], Awaitable[_T2] | _T2], /
) -> Callable[_P, Promise[_T2]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1], f2: Callable[[_T1], Awaitable[_T2]], /
) -> Callable[_P, Promise[_T2]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1], f2: Callable[[_T1], Awaitable[_T2] | _T2], /
) -> Callable[_P, Promise[_T2]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1]], f2: Callable[[_T1], Awaitable[_T2]], f3: Callable[[_T2], Awaitable[_T3]], /
) -> Callable[_P, Promise[_T3]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1]], f2: Callable[[_T1], Awaitable[_T2]], f3: Callable[[_T2], Awaitable[_T3] | _T3], /
) -> Callable[_P, Promise[_T3]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1]], f2: Callable[[_T1], Awaitable[_T2] | _T2], f3: Callable[[_T2], Awaitable[_T3]], /
) -> Callable[_P, Promise[_T3]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1]],
    f2: Callable[[_T1], Awaitable[_T2] | _T2],
    f3: Callable[[_T2], Awaitable[_T3] | _T3],
    /,
) -> Callable[_P, Promise[_T3]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1], f2: Callable[[_T1], Awaitable[_T2]], f3: Callable[[_T2], Awaitable[_T3]], /
) -> Callable[_P, Promise[_T3]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1],
    f2: Callable[[_T1], Awaitable[_T2]],
    f3: Callable[[_T2], Awaitable[_T3] | _T3],
    /,
) -> Callable[_P, Promise[_T3]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1],
    f2: Callable[[_T1], Awaitable[_T2] | _T2],
    f3: Callable[[_T2], Awaitable[_T3]],
    /,
) -> Callable[_P, Promise[_T3]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1],
    f2: Callable[[_T1], Awaitable[_T2] | _T2],
    f3: Callable[[_T2], Awaitable[_T3] | _T3],
    /,
) -> Callable[_P, Promise[_T3]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1],
    f2: Callable[[_T1], Awaitable[_T2] | _T2],
    f3: Callable[[_T2], Awaitable[_T3] | _T3],
    f4: Callable[[_T3], Awaitable[_T4]],
    /,
) -> Callable[_P, Promise[_T4]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1],
    f2: Callable[[_T1], Awaitable[_T2] | _T2],
    f3: Callable[[_T2], Awaitable[_T3] | _T3],
    f4: Callable[[_T3], Awaitable[_T4] | _T4],
    /,
) -> Callable[_P, Promise[_T4]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1],
    f2: Callable[[_T1], Awaitable[_T2] | _T2],
    f3: Callable[[_T2], Awaitable[_T3] | _T3],
    f4: Callable[[_T3], Awaitable[_T4] | _T4],
    f5: Callable[[_T4], Awaitable[_T5]],
    /,
) -> Callable[_P, Promise[_T5]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1],
    f2: Callable[[_T1], Awaitable[_T2] | _T2],
    f3: Callable[[_T2], Awaitable[_T3] | _T3],
    f4: Callable[[_T3], Awaitable[_T4] | _T4],
    f5: Callable[[_T4], Awaitable[_T5] | _T5],
    /,
) -> Callable[_P, Promise[_T5]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1],
    f2: Callable[[_T1], Awaitable[_T2] | _T2],
    f3: Callable[[_T2], Awaitable[_T3] | _T3],
    f4: Callable[[_T3], Awaitable[_T4] | _T4],
    f5: Callable[[_T4], Awaitable[_T5] | _T5],
    f6: Callable[[_T5], Awaitable[_T6]],
    /,
) -> Callable[_P, Promise[_T6]]: ...
@overload
def pipe(
    f1: Callable[_P, Awaitable[_T1] | _T1],
    f2: Callable[[_T1], Awaitable[_T2] | _T2],
    f3: Callable[[_T2], Awaitable[_T3] | _T3],
    f4: Callable[[_T3], Awaitable[_T4] | _T4],
    f5: Callable[[_T4], Awaitable[_T5] | _T5],
    f6: Callable[[_T5], Awaitable[_T6] | _T6],
    /,
) -> Callable[_P, Promise[_T6]]: ...
@overload
def promisify(fn: Callable[_P, Awaitable[_T]], /) -> Callable[_P, Promise[_T]]: ...
@overload
def promisify(fn: Callable[_P, Awaitable[_T] | _T], /) -> Callable[_P, Promise[_T]]: ...

# ------------------------------------------------------------------ unhandled rejections

class UnhandledRejection(NamedTuple):
    promise: Promise[object]
    reason: BaseException
    handled: bool

def on_unhandled_rejection(callback: Callable[[UnhandledRejection], object], /) -> Callable[[], None]: ...
