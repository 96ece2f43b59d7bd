"""Random trees of combinators do what plain asyncio code does, whatever fails, is cancelled, or takes its time.

A program is a few trees over coroutines, promises, Tasks and Futures, some of which belong to two trees; and a list of
events, which end the leaves, let cleanups end, or cancel something. It is run with this library and, independently,
with a model of Tasks and `asyncio.wait()`. Each must end alike, at the same event, after the same requests to the
same leaves; with the same failures reported, and no Task left over.

AIOPROMISE_EXAMPLES=20000 python -m pytest tests/test_combinator_trees.py runs more of them.
"""

import asyncio
import contextlib
import gc
import os
import sys
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, NamedTuple, TypeAlias

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not there for every Python")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiopromise import Fulfilled, Promise, Rejected

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("AIOPROMISE_EXAMPLES", "300"))

# ----------------------------------------------------------------------------------------------------------- programs


class Leaf(NamedTuple):
    name: int
    kind: str
    end: str
    when_asked: str


class Node(NamedTuple):
    name: int
    kind: str
    losers: str | None
    held_as: str
    count: int  # for some(): how many; for as_completed(): after how many the loop is left
    children: list["Part"]


Part: TypeAlias = Leaf | Node | str  # a string is a plain value


class Program(NamedTuple):
    mode: str
    roots: list[Node]
    events: list[tuple[str, int]]


MODES = ["plain", "debug", *(["eager"] if sys.version_info >= (3, 12) else [])]
RUNNING = ["coroutine", "awaitable", "promise", "task"]
IDLE = ["resolvers", "future"]
ENDS = ["value", "value", "error", "error", "cancelled"]
WHEN_ASKED = ["ends", "ends", "slow", "slow", "ignores", "fails", "returns"]
KINDS = ["all", "all_settled", "any", "race", "some", "all_keyed", "all_settled_keyed", "as_completed"]
WAITS_FOR_ALL = ["all", "all_settled", "all_keyed", "all_settled_keyed"]
LOSERS = [None, None, None, "cancel", "keep"]
HELD_AS = ["promise", "promise", "coroutine", "task"]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    parts: list[Leaf | Node] = []

    def leaf() -> Leaf:
        kind = draw(st.sampled_from(RUNNING + IDLE))
        parts.append(Leaf(len(parts), kind, draw(st.sampled_from(ENDS)), draw(st.sampled_from(WHEN_ASKED))))
        return parts[-1]

    def child(kind: str, depth: int, before: list[Part], used: set[int]) -> Part:
        ways = ["leaf"] * 4 + ["node"] * (2 if depth < 2 else 0)
        if before and not (isinstance(before[-1], Leaf) and before[-1].kind == "awaitable"):
            ways.append("twice")
        if before and kind in WAITS_FOR_ALL:
            ways.append("plain")
        shared = [one for one in parts if isinstance(one, Leaf) and one.kind in SHARED and one.name not in used]
        ways += ["shared"] * bool(shared)
        way = draw(st.sampled_from(ways))
        if way == "node":
            return node(depth + 1, used)
        if way in ("twice", "plain"):
            return before[-1] if way == "twice" else "plain"
        found = draw(st.sampled_from(shared)) if way == "shared" else leaf()
        used.add(found.name)
        return found

    def node(depth: int, used: set[int]) -> Node:
        kind = draw(st.sampled_from(KINDS))
        children: list[Part] = []
        for _ in range(draw(st.integers(1, 4))):
            children.append(child(kind, depth, children, used))
        count = draw(st.integers(1, len(children)))
        losers, held_as = draw(st.sampled_from(LOSERS)), draw(st.sampled_from(HELD_AS))
        parts.append(Node(len(parts), kind, losers, held_as, count, children))
        return parts[-1]

    roots = [node(0, set()) for _ in range(draw(st.integers(1, 2)))]
    leaves = [one for one in parts if isinstance(one, Leaf)]
    held = [one.name for one in parts if _is_held(one) or one in roots]
    events = [("finish", one.name) for one in leaves]
    events += [("clean", one.name) for one in leaves if one.when_asked == "slow"]
    events += [("cancel", draw(st.sampled_from(held))) for _ in range(draw(st.integers(0, 3)))]
    return Program(draw(st.sampled_from(MODES)), roots, draw(st.permutations(events)))


SHARED = ("promise", "resolvers")


def _is_held(part: Leaf | Node) -> bool:
    """Return whether the caller has something in hand to cancel."""
    return (part.kind if isinstance(part, Leaf) else part.held_as) not in ("coroutine", "awaitable")


# -------------------------------------------------------------------------------------------------------- what happens


class World:
    """What is common to both runs: the leaves, and the record of what became of whom, and when."""

    def __init__(self) -> None:
        self.step = 0
        self.record: list[tuple] = []
        self.errors: dict[int, Exception] = {}
        self.reported: list[object] = []
        self.finish: dict[int, asyncio.Event] = {}
        self.clean: dict[int, asyncio.Event] = {}
        self.made: dict[int, Any] = {}

    def note(self, name: int, what: object) -> None:
        self.record.append((self.step, name, what))

    def error(self, name: int) -> Exception:
        return self.errors.setdefault(name, ValueError(name))

    async def work(self, leaf: Leaf) -> object:
        """Run the coroutine of *leaf*."""
        try:
            await self.finish[leaf.name].wait()
        except CancelledError:
            self.note(leaf.name, "asked")
            return await getattr(self, f"_{leaf.when_asked}")(leaf)
        finally:
            self.note(leaf.name, "ended")
        return self.end(leaf)

    def end(self, leaf: Leaf) -> object:
        if leaf.end == "error":
            raise self.error(leaf.name)
        if leaf.end == "cancelled":
            raise CancelledError
        return leaf.name

    async def _ends(self, leaf: Leaf) -> object:
        raise CancelledError

    async def _slow(self, leaf: Leaf) -> object:
        try:
            await self.clean[leaf.name].wait()
        except CancelledError:
            self.note(leaf.name, "asked again")
        raise CancelledError

    async def _ignores(self, leaf: Leaf) -> object:
        while not self.finish[leaf.name].is_set():
            try:
                await self.finish[leaf.name].wait()
            except CancelledError:
                self.note(leaf.name, "asked again")
        return self.end(leaf)

    async def _fails(self, leaf: Leaf) -> object:
        raise self.error(leaf.name)

    async def _returns(self, leaf: Leaf) -> object:
        return "returned"

    def told(self, value: Any) -> Any:
        """Return *value* with a name for everything that only one of the worlds knows."""
        if isinstance(value, Fulfilled | Rejected):
            return [value.status, self.told(value.value if isinstance(value, Fulfilled) else value.reason)]
        if isinstance(value, CancelledError):
            return "cancelled"
        if isinstance(value, BaseExceptionGroup):
            return [type(value).__name__, value.message, self.told(value.exceptions)]
        if isinstance(value, BaseException):
            return next((name for name, error in self.errors.items() if error is value), repr(value))
        if isinstance(value, list | tuple):
            return [self.told(one) for one in value]
        return self.told(list(value.items())) if isinstance(value, dict) else value

    async def watch(self, name: int, awaitable: Awaitable) -> None:
        """Note how a tree ends, and when."""
        try:
            self.note(name, ["value", self.told(await awaitable)])
        except (Exception, CancelledError) as error:
            self.note(name, ["raised", self.told(error)])


class Awaited:
    """An awaitable that is neither coroutine nor Future."""

    def __init__(self, work: Callable[[], Awaitable]) -> None:
        self.work = work

    def __await__(self) -> Generator:
        return self.work().__await__()


async def rest() -> None:
    """Wait until the loop has nothing more to do."""
    while asyncio.get_running_loop()._ready:  # noqa: ASYNC110, as there is no event for it
        await asyncio.sleep(0)


async def run(program: Program, build: Callable[[World, Part], Any], world: World) -> None:
    """Play all events of *program*; between two of them everything comes to rest."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: world.reported.append(world.told(context.get("exception", context))))
    await _play(program, build, world)
    for kept in (world.made, world.finish, world.clean):
        kept.clear()
    for error in world.errors.values():
        error.__traceback__ = error.__context__ = None  # the frames keep Tasks
    await rest()
    gc.collect()
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def _play(program: Program, build: Callable[[World, Part], Any], world: World) -> None:
    for event, name in program.events:
        if event != "cancel":
            getattr(world, event)[name] = asyncio.Event()
    watchers = {root.name: asyncio.ensure_future(world.watch(root.name, build(world, root))) for root in program.roots}
    await rest()
    # To cancel a tree that is a coroutine is to cancel the Task that awaits it.
    held = world.made | {root.name: watchers[root.name] for root in program.roots if not _is_held(root)}
    try:
        for world.step, (event, name) in enumerate(program.events, 1):
            if event != "cancel":
                getattr(world, event)[name].set()
            elif not held[name].done():  # else a Task forgets that its exception was not retrieved
                held[name].cancel()
            await rest()
        assert all(watcher.done() for watcher in watchers.values())
    finally:
        for event in (*world.finish.values(), *world.clean.values()):
            event.set()  # also if the test failed, so that it ends


# -------------------------------------------------------------------------------------------------------- with promises


def as_promises(world: World, part: Part) -> Any:
    """Return what a combinator of this library is given for *part*."""
    if isinstance(part, str):
        return part
    if part.name not in world.made:
        world.made[part.name] = _node(world, part) if isinstance(part, Node) else _leaf(world, part)
    return world.made[part.name]


def _leaf(world: World, leaf: Leaf) -> Any:
    if leaf.kind == "awaitable":
        return Awaited(lambda: world.work(leaf))
    if leaf.kind == "coroutine":
        return world.work(leaf)
    if leaf.kind == "future":
        return settled_by_event(world, leaf)
    if leaf.kind == "resolvers":
        promise, resolve, reject = Promise.with_resolvers()
        when_set(world, leaf, resolve, reject)
        return promise
    return (Promise if leaf.kind == "promise" else asyncio.ensure_future)(world.work(leaf))


def settled_by_event(world: World, leaf: Leaf) -> asyncio.Future:
    future = asyncio.get_running_loop().create_future()
    when_set(world, leaf, future.set_result, lambda error: _reject(future, error), future.done)
    return future


def _reject(future: asyncio.Future, error: BaseException) -> None:
    if isinstance(error, CancelledError):
        future.cancel()
    else:
        future.set_exception(error)


def when_set(world: World, leaf: Leaf, resolve: Any, reject: Any, is_done: Callable[[], bool] = lambda: False) -> None:
    """Settle something when the event of *leaf* comes."""

    class Settling(asyncio.Event):
        def set(self) -> None:
            if is_done():
                return
            try:
                value = world.end(leaf)
            except (Exception, CancelledError) as error:
                reject(error)
            else:
                resolve(value)

    world.finish[leaf.name] = Settling()


def _node(world: World, node: Node) -> Any:
    elements = [as_promises(world, child) for child in node.children]
    if node.kind == "as_completed":
        awaitable: Any = _collect(node, Promise.as_completed(elements, losers=node.losers), world)
        if node.held_as == "promise":
            return Promise(awaitable)
    else:
        combined = _combined(node, elements)
        if node.held_as == "promise":
            return combined
        awaitable = awaiting(combined)
    return asyncio.ensure_future(awaitable) if node.held_as == "task" else awaitable


def _combined(node: Node, elements: list) -> Promise:
    if node.kind == "some":
        return Promise.some(node.count, elements, losers=node.losers)
    if node.kind in {"all_keyed", "all_settled_keyed"}:
        return getattr(Promise, node.kind)(dict(enumerate(elements)), losers=node.losers)
    return getattr(Promise, node.kind)(elements, losers=node.losers)


async def awaiting(awaitable: Awaitable) -> object:
    return await awaitable


async def _collect(node: Node, pairs: AsyncIterator, world: World) -> list:
    found: list = []
    async with contextlib.aclosing(pairs):
        async for index, promise in pairs:
            found.append([index, *await _outcome(promise, world)])
            if len(found) == node.count:
                break
    return found


async def _outcome(promise: Promise, world: World) -> list:
    await asyncio.wait([promise])
    if promise.cancelled():
        return ["rejected", "cancelled"]
    error = promise.exception()
    return ["rejected", world.told(error)] if error else ["fulfilled", promise.result()]


# -------------------------------------------------------------------------------------------------------- with Tasks


class Thing:
    """What a model of a combinator waits for: a Future of asyncio, whose it is, and who waits for it."""

    def __init__(self, future: asyncio.Future, owner: str) -> None:
        self.future = future
        self.owner = owner  # "combinator", "caller", or "consumers": the last of them takes it along
        self.consumers: set[Combination] = set()

    def done(self) -> bool:
        return self.future.done()

    def cancel(self) -> None:
        if not self.done():
            self.future.cancel()

    def hush(self) -> None:
        """Report no failure of it, now or later; a caller's Task reports a later one itself."""
        if self.done():
            reason_of(self.future)
        elif self.owner != "caller":
            self.future.add_done_callback(reason_of)

    def __await__(self) -> Generator:
        return self.future.__await__()


def as_tasks(world: World, part: Part) -> Any:
    """Return what a model of a combinator is given for *part*."""
    if isinstance(part, str):
        future = asyncio.get_running_loop().create_future()
        future.set_result(part)
        return Thing(future, "caller")
    if part.name not in world.made:
        world.made[part.name] = _node_task(world, part) if isinstance(part, Node) else _leaf_task(world, part)
    return world.made[part.name]


OWNERS = {"coroutine": "combinator", "awaitable": "combinator", "promise": "consumers", "resolvers": "consumers"}


def _leaf_task(world: World, leaf: Leaf) -> Thing:
    future = settled_by_event(world, leaf) if leaf.kind in IDLE else asyncio.ensure_future(world.work(leaf))
    return Thing(future, OWNERS.get(leaf.kind, "caller"))


def _node_task(world: World, node: Node) -> Thing:
    combination = Combination(world, node, [as_tasks(world, child) for child in node.children])
    task = asyncio.ensure_future(combination.run())
    return Thing(task, OWNERS.get(node.held_as, "caller"))


class Combination:
    """One combinator, written as a coroutine over `asyncio.wait()`."""

    def __init__(self, world: World, node: Node, things: list[Thing]) -> None:
        self.world = world
        self.node = node
        self.waiting = dict(enumerate(things))
        self.total = len(things)
        self.outcomes: dict[int, asyncio.Future] = {}  # in the order in which they came
        self.failure: BaseException | None = None
        for thing in things:
            thing.consumers.add(self)

    async def run(self) -> Any:
        answer: Any = None
        try:
            answer = await self._answer()
        except CancelledError as request:
            self.failure = request
            if self.node.kind == "as_completed":
                self._stop_losers()
            else:
                self._withdraw()
        else:
            self._stop_losers()
        await self._ended()
        if self.failure is not None:
            try:
                raise self.failure
            finally:
                self.failure.__context__ = None
        return answer

    async def _answer(self) -> Any:
        while True:
            await self._wait(asyncio.FIRST_COMPLETED)
            for index, thing in sorted(self.waiting.items()):
                if thing.future.done():
                    self.outcomes[index] = self.waiting.pop(index).future
                    found = self._look(index)
                    if found or self.failure:
                        return found[0] if found else None

    async def _wait(self, when: str) -> None:
        await asyncio.wait({thing.future for thing in self.waiting.values()}, return_when=when)

    async def _ended(self) -> None:
        """Wait until all that was stopped has ended; asked again meanwhile, pass that on."""
        while self.waiting:
            try:
                await self._wait(asyncio.ALL_COMPLETED)
            except CancelledError as request:
                self.failure = request
                self._withdraw()
            else:
                return

    def _stop_losers(self) -> None:
        losers = self.node.losers
        for index, thing in list(self.waiting.items()):
            if losers == "keep" or (losers is None and thing.owner != "combinator"):
                thing.hush()
                self._let_go(index)
        self._ask()

    def _ask(self) -> None:
        """Cancel those that are left; an exception raised in response is reported."""
        for thing in set(self.waiting.values()):
            if thing.done():
                thing.hush()
            thing.cancel()

    def _withdraw(self) -> None:
        for index, thing in list(self.waiting.items()):
            if thing.owner == "caller" or (thing.owner == "consumers" and thing.consumers != {self}):
                self._let_go(index)
        self._ask()

    def _let_go(self, index: int) -> None:
        thing = self.waiting.pop(index)
        if thing not in self.waiting.values():
            thing.consumers.discard(self)

    def _look(self, index: int) -> list | None:
        """Return the result in a list if there is one now, or set the failure."""
        return getattr(self, f"_{self.node.kind}")(self.outcomes[index])

    def _values(self) -> list:
        return [self.outcomes[index].result() for index in range(self.total)]

    def _all(self, last: asyncio.Future) -> list | None:
        self.failure = reason_of(last)
        return None if self.waiting or self.failure else [self._values()]

    def _all_keyed(self, last: asyncio.Future) -> list | None:
        self.failure = reason_of(last)
        return None if self.waiting or self.failure else [dict(enumerate(self._values()))]

    def _all_settled(self, last: asyncio.Future) -> list | None:
        reason_of(last)
        return None if self.waiting else [[self._pair(self.outcomes[index]) for index in range(self.total)]]

    def _all_settled_keyed(self, last: asyncio.Future) -> list | None:
        outcomes = self._all_settled(last)
        return outcomes and [dict(enumerate(outcomes[0]))]

    def _pair(self, future: asyncio.Future) -> list:
        reason = reason_of(future)
        return ["rejected", self.world.told(reason)] if reason else ["fulfilled", self.world.told(future.result())]

    def _as_completed(self, last: asyncio.Future) -> list | None:
        reason_of(last)
        if self.waiting and len(self.outcomes) < self.node.count:
            return None
        return [[[index, *self._pair(future)] for index, future in self.outcomes.items()]]

    def _race(self, last: asyncio.Future) -> list | None:
        self.failure = reason_of(last)
        return None if self.failure else [last.result()]

    def _any(self, last: asyncio.Future) -> list | None:
        return self._some(last, 1, lambda values: values[0])

    def _some(self, last: asyncio.Future, count: int = 0, make: Callable[[list], Any] = list) -> list | None:
        count = count or self.node.count
        reasons = {index: reason_of(future) for index, future in self.outcomes.items()}
        values = [future.result() for index, future in self.outcomes.items() if reasons[index] is None]
        if len(values) == count:
            return [make(values)]
        if len(values) + len(self.waiting) < count:
            failures = [reason for _, reason in sorted(reasons.items()) if reason is not None]
            errors = [reason for reason in failures if not isinstance(reason, CancelledError)]
            message = f"{len(failures)} of {self.total} awaitables failed"
            self.failure = BaseExceptionGroup(message, errors) if errors else CancelledError()
        return None


def reason_of(future: asyncio.Future) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


# -------------------------------------------------------------------------------------------------------- side by side


def played(program: Program, build: Callable[[World, Part], Any], mode: str) -> dict[str, Any]:
    world = World()
    gc.freeze()  # the collector looks only at what the program leaves behind
    with asyncio.Runner(debug=mode == "debug") as runner:
        runner.get_loop().slow_callback_duration = 60
        if mode == "eager":
            runner.get_loop().set_task_factory(asyncio.eager_task_factory)
        runner.run(run(program, build, world))
    return {"record": sorted(world.record, key=repr), "reported": sorted(map(repr, world.reported))}


@settings(
    max_examples=EXAMPLES,
    # The same programs each time, and others in a longer run.
    derandomize="AIOPROMISE_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=programs())
def test_trees_of_combinators_do_what_tasks_do(program: Program) -> None:
    """The same outcomes at the same time, the same requests to the same leaves, the same failures reported."""
    assert played(program, as_tasks, "plain") == played(program, as_promises, program.mode)
