"""Values of a type, and whether a value is of a type: what `tests/typing/` says to checkers, tried at run time."""

import asyncio
import concurrent.futures
import types
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from itertools import product
from typing import Any, Literal, Never, TypeVar, Union, get_args, get_origin

from aiopromise import Fulfilled, Promise, Rejected

PLAIN: dict[object, list[Any]] = {
    bool: [True, False],
    bytes: [b"bytes"],
    float: [2.5],
    int: [7],
    str: ["word"],
    type(None): [None],
    BaseException: [KeyError("name")],
    Rejected: [Rejected(OSError("gone"))],
}


def values_of(wanted: Any) -> list[Any]:
    """Return values of the type *wanted*: one of each member of a union."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return [value for member in arguments for value in values_of(member)]
    if wanted in PLAIN:
        return PLAIN[wanted]
    if wanted in (concurrent.futures.Executor, concurrent.futures.ThreadPoolExecutor):
        return [concurrent.futures.ThreadPoolExecutor(1)]
    if wanted is concurrent.futures.ProcessPoolExecutor:
        return [concurrent.futures.ProcessPoolExecutor(1)]
    if origin is None:
        return [wanted()]
    if origin is tuple and Ellipsis not in arguments:
        return [tuple(items) for items in product(*map(values_of, arguments))]
    [value, *_] = values_of(arguments[-1] if len(arguments) > 1 else arguments[0])
    return [_container(origin, value)]


def _container(origin: Any, value: Any) -> Any:
    if origin is type:
        return type(value)
    if origin in (list, tuple, set):
        return origin([value])
    if issubclass(origin, Mapping):
        return {"key": value}
    if origin is Promise:
        return Promise.resolve(value)
    if origin is Fulfilled:
        return Fulfilled(value)
    if origin is asyncio.Task:
        return asyncio.create_task(asyncio.sleep(0, value))
    future = origin()
    future.set_result(value)
    return future


async def is_of(value: Any, wanted: Any) -> bool:
    """Tell whether *value*, and all that it holds or gives when awaited, is of the type *wanted*."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted is None:
        return value is None
    if wanted in (Any, object) or isinstance(wanted, TypeVar):
        return True
    if wanted is Never:
        return False
    if origin is Literal:
        return value in arguments
    if origin in (Union, types.UnionType):
        return any([await is_of(value, member) for member in arguments])
    if origin is None:
        return _is_plain(value, wanted)
    return isinstance(value, origin) and await _holds(value, origin, arguments)


def _is_plain(value: object, wanted: Any) -> bool:
    if wanted is float:
        return isinstance(value, int | float)
    if typing.is_typeddict(wanted):
        return isinstance(value, dict) and value.keys() == wanted.__annotations__.keys()
    if getattr(wanted, "_is_protocol", False) and not getattr(wanted, "_is_runtime_protocol", False):
        return all(hasattr(value, name) for name in wanted.__protocol_attrs__)
    return isinstance(value, wanted)


async def _holds(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if issubclass(origin, Coroutine | Promise | asyncio.Future) or origin is Awaitable:
        try:
            return await is_of(await value, arguments[-1])
        except (Exception, asyncio.CancelledError):
            return arguments[-1] is Never
    if issubclass(origin, concurrent.futures.Future):
        return await is_of(value.result(), arguments[0])
    if origin is Fulfilled:
        return await is_of(value.value, arguments[0])
    if origin is type:
        return issubclass(value, arguments[0])
    if origin is tuple and Ellipsis not in arguments:
        return len(value) == len(arguments) and all([await is_of(*pair) for pair in zip(value, arguments, strict=True)])
    if issubclass(origin, Mapping):
        keys = [await is_of(key, arguments[0]) for key in value]
        return all(keys) and all([await is_of(item, arguments[1]) for item in value.values()])
    if issubclass(origin, Iterable) and not issubclass(origin, Iterator):
        return all([await is_of(item, arguments[0]) for item in value])
    # Of what is used up by looking into it, or says nothing about itself, the class is all that can be known.
    return issubclass(origin, AsyncGenerator | AsyncIterator | Callable | Iterator) or bool(vars(origin))
