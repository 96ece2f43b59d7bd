"""Values of a type, and whether a value is of a type: what `tests/typing/` says to checkers, tried at run time."""

import asyncio
import concurrent.futures
import types
import typing
from collections.abc import Awaitable, Coroutine, Mapping
from itertools import product
from typing import Any, Literal, Never, TypeVar, Union, get_args, get_origin

from aiopromise import Fulfilled, Promise, Rejected

PLAIN: dict[object, list[Any]] = {
    bool: [True, False],
    bytes: [b"bytes"],
    float: [2.5],
    int: [7],
    str: ["7"],
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
    [value, *_] = values_of(arguments[-1] if issubclass(origin, Mapping) else arguments[0])
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
    """Return whether *value*, and everything that it contains or returns when awaited, is of the type *wanted*."""
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
        return _is_plain(value, getattr(wanted, "__supertype__", wanted))
    # typeshed says that asyncio.gather() returns a tuple; it returns a list.
    return isinstance(value, (tuple, list) if origin is tuple else origin) and await _holds(value, origin, arguments)


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
            return arguments[-1] in (Never, object)  # of which nothing more was said
    if issubclass(origin, concurrent.futures.Future):
        return await is_of(value.result(), arguments[0])
    if origin is Fulfilled:
        return await is_of(value.value, arguments[0])
    if origin is type:
        return issubclass(value, arguments[0])
    if origin is tuple and Ellipsis not in arguments:
        return len(value) == len(arguments) and all([await is_of(*pair) for pair in zip(value, arguments, strict=True)])
    if issubclass(origin, Mapping):
        items = zip(value.keys(), value.values(), strict=True)
        # A Counter has one type: that of its keys.
        return all([await is_of(each, wanted) for item in items for each, wanted in zip(item, arguments, strict=False)])
    if origin in (frozenset, list, set, tuple):
        return all([await is_of(item, arguments[0]) for item in value])
    # What else there is says nothing about itself, or is used up by looking into it: its class is all that is known.
    return True
