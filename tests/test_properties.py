"""Random trees of links do what plain `async def` functions do, whenever they are settled and attached."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not there for every Python")

from hypothesis import given, settings
from hypothesis import strategies as st

from aiopromise import Promise
from helpers import turns

pytestmark = pytest.mark.slow

Call = Callable[[], Any]
Name = tuple[int, str]


class Lost(Exception):
    pass


class Found(LookupError):
    pass


class Odd(BaseException):
    """What `then` and `catch` are not for."""


# ------------------------------------------------ what a handler may answer with


async def at_once(call: Call) -> Any:
    return call()


async def later(call: Call) -> Any:
    await asyncio.sleep(0)
    return call()


class Awaited:
    def __init__(self, call: Call) -> None:
        self.call = call

    def __await__(self) -> Generator[Any, Any, Any]:
        return later(self.call).__await__()


def future(call: Call) -> Awaitable:
    loop = asyncio.get_running_loop()
    made = loop.create_future()
    loop.call_soon(settle, made.set_result, made.set_exception, call)
    return made


def settle(resolve: Callable, reject: Callable, call: Call) -> None:
    try:
        value = call()
    except (Exception, Odd) as error:
        reject(error)
    else:
        resolve(value)


ANSWERS: dict[str, Callable[[Call], Any]] = {
    "plain": lambda call: call(),
    "coroutine": at_once,
    "coroutine that waits": later,
    "settled promise": Promise.try_,
    "pending promise": lambda call: Promise(later(call)),
    "future": future,
    "task": lambda call: asyncio.ensure_future(later(call)),
    "object": Awaited,
}


# ------------------------------------------- each link, and the function that it is


async def answered(result: Any) -> Any:
    return await result if hasattr(type(result), "__await__") else result


async def then(source: Awaitable, f: Callable | None, g: Callable | None) -> Any:
    try:
        value = await source
    except Exception as error:
        if g is None:
            raise
        return await answered(g(error))
    return value if f is None else await answered(f(value))


async def catch(source: Awaitable, types: Any, g: Callable) -> Any:
    try:
        return await source
    except types as error:
        return await answered(g(error))


async def finally_(source: Awaitable, f: Callable) -> Any:
    try:
        return await source
    finally:
        await answered(f())


async def tap(source: Awaitable, f: Callable) -> Any:
    value = await source
    await answered(f(value))
    return value


async def tap_catch(source: Awaitable, types: Any, g: Callable) -> Any:
    try:
        return await source
    except types as error:
        await answered(g(error))
        raise


async def spread(source: Awaitable, f: Callable) -> Any:
    return await answered(f(*await source))


async def passes(source: Awaitable) -> Any:
    return await source


# The promise's own method, and its model.
LINKS: dict[str, tuple[Callable, Callable]] = {
    "then(f)": (lambda p, f, g: p.then(f), lambda p, f, g: then(p, f, None)),
    "then(f, g)": (lambda p, f, g: p.then(f, g), then),
    "then(None, g)": (lambda p, f, g: p.then(None, g), lambda p, f, g: then(p, None, g)),
    "then()": (lambda p, f, g: p.then(), lambda p, f, g: passes(p)),
    "catch(g)": (lambda p, f, g: p.catch(g), lambda p, f, g: catch(p, Exception, g)),
    "catch(Lost, g)": (lambda p, f, g: p.catch(Lost, g), lambda p, f, g: catch(p, Lost, g)),
    "catch((Lost, KeyError), g)": (
        lambda p, f, g: p.catch((Lost, KeyError), g),
        lambda p, f, g: catch(p, (Lost, KeyError), g),
    ),
    "catch(Odd, g)": (lambda p, f, g: p.catch(Odd, g), lambda p, f, g: catch(p, Odd, g)),
    "finally_(f)": (lambda p, f, g: p.finally_(f), lambda p, f, g: finally_(p, f)),
    "tap(f)": (lambda p, f, g: p.tap(f), lambda p, f, g: tap(p, f)),
    "tap_catch(g)": (lambda p, f, g: p.tap_catch(g), lambda p, f, g: tap_catch(p, Exception, g)),
    "tap_catch(Found, g)": (lambda p, f, g: p.tap_catch(Found, g), lambda p, f, g: tap_catch(p, Found, g)),
    "spread(f)": (lambda p, f, g: p.spread(f), lambda p, f, g: spread(p, f)),
    "shield()": (lambda p, f, g: p.shield(), lambda p, f, g: passes(p)),
    "timeout(60)": (lambda p, f, g: p.timeout(60), lambda p, f, g: passes(p)),
    "Promise(p)": (lambda p, f, g: Promise(p), lambda p, f, g: passes(p)),
}


# ------------------------------------------------------------------------- trees


class Answer(NamedTuple):
    """A value or an exception, given in some way."""

    how: str
    error: type[BaseException] | None


class Link(NamedTuple):
    """One link: how far back its parent is, and how many turns after the link before it is attached."""

    kind: str
    back: int
    pause: int | None  # None: when the parent has settled
    f: Answer
    g: Answer


class Tree(NamedTuple):
    """A promise that settles after some turns, and links."""

    source: Answer
    delay: int
    links: list[Link]

    def parent(self, node: int) -> int:
        """Return the place of the parent; that of the source is 0."""
        return max(0, node - 1 - self.links[node - 1].back)


answers = st.builds(Answer, st.sampled_from([*ANSWERS]), st.sampled_from([None, Lost, Found, Odd]))
links = st.builds(
    Link,
    kind=st.sampled_from([*LINKS]),
    back=st.sampled_from([0, 0, 0, 1, 2, 3]),
    pause=st.sampled_from([0, 0, 1, 3, None]),
    f=answers,
    g=answers,
)
trees = st.builds(Tree, answers, st.sampled_from([0, 1, 5]), st.lists(links, min_size=1, max_size=8))


class World:
    """What happened: who was called with what, and which exceptions there are, by name."""

    def __init__(self) -> None:
        self.told: list[tuple[Name, list]] = []
        self.errors: dict[Name, BaseException] = {}

    def call(self, name: Name, answer: Answer) -> Call:
        """Return an awaitable with the value of that name, or with the exception of that name."""

        def give() -> Name:
            if answer.error is None:
                return name
            raise self.errors.setdefault(name, answer.error(name))

        return give

    def handler(self, name: Name, answer: Answer) -> Callable[..., Any]:
        """Return a handler that records its call."""

        def handler(*arguments: Any) -> Any:
            self.told.append((name, [self.named(one) for one in arguments]))
            return ANSWERS[answer.how](self.call(name, answer))

        return handler

    def handlers(self, node: int, link: Link) -> tuple[Callable, Callable]:
        return self.handler((node, "f"), link.f), self.handler((node, "g"), link.g)

    def named(self, value: Any) -> Any:
        """Return the name of an exception, which must be the very object, and any value itself."""
        names = [name for name, error in self.errors.items() if error is value]
        return ("the error of", *names) if names else value

    async def outcome(self, awaitable: Awaitable) -> tuple[str, Any]:
        try:
            return "fulfilled", await awaitable
        except (Exception, Odd) as error:
            return "rejected", error

    def report(self, tree: Tree, outcomes: list) -> dict[str, Any]:
        """Return all that must be the same, however it came about."""
        replaced = [name for name in self.errors if name[0] and tree.links[name[0] - 1].kind == "finally_(f)"]
        return {
            "outcomes": [(state, self.named(value)) for state, value in outcomes],
            "calls": sorted(self.told),
            "contexts": {name: self.named(self.errors[name].__context__) for name in replaced},
        }


async def as_promises(tree: Tree, world: World) -> dict[str, Any]:
    promise, resolve, reject = Promise.with_resolvers()
    call = world.call((0, "source"), tree.source)
    after(tree.delay, settle, resolve, reject, lambda: ANSWERS[tree.source.how](call))
    promises = [promise]
    for node, link in enumerate(tree.links, 1):
        parent = promises[tree.parent(node)]
        await (asyncio.wait([parent]) if link.pause is None else turns(link.pause))
        promises.append(LINKS[link.kind][0](parent, *world.handlers(node, link)))
    return world.report(tree, [await world.outcome(promise) for promise in promises])


def after(count: int, call: Callable, *arguments: Any) -> None:
    if count == 0:
        call(*arguments)
    else:
        asyncio.get_running_loop().call_soon(after, count - 1, call, *arguments)


async def as_functions(tree: Tree, world: World) -> dict[str, Any]:
    outcomes = [await world.outcome(at_once(world.call((0, "source"), tree.source)))]
    for node, link in enumerate(tree.links, 1):
        source = replay(*outcomes[tree.parent(node)])
        outcomes.append(await world.outcome(LINKS[link.kind][1](source, *world.handlers(node, link))))
    return world.report(tree, outcomes)


async def replay(state: str, value: Any) -> Any:
    if state == "rejected":
        raise value
    return value


async def in_mode(mode: str, run: Callable, tree: Tree, world: World) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    loop.set_debug(mode == "debug")
    loop.slow_callback_duration = 60
    if mode == "eager":
        loop.set_task_factory(asyncio.eager_task_factory)
    return await asyncio.wait_for(run(tree, world), 5)


MODES = ["plain", "debug", *(["eager"] if sys.version_info >= (3, 12) else [])]


@settings(max_examples=300, deadline=None)
@given(tree=trees, mode=st.sampled_from(MODES))
def test_promises_do_what_functions_do(tree: Tree, mode: str) -> None:
    """The same outcomes, the same exception objects, the same handlers called once with the same arguments.

    And those of one promise are called in the order in which they were registered.
    """
    world = World()
    found = asyncio.run(in_mode(mode, as_promises, tree, world))
    assert asyncio.run(in_mode("plain", as_functions, tree, World())) == found
    for parent in range(len(tree.links)):
        called = [node for (node, _), _ in world.told if tree.parent(node) == parent]
        assert sorted(called) == called
