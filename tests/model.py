"""A model of the contract, to judge the library by: small, slow, and without a line of the library in it.

A loop here is a list of calls that are due, a Task is a coroutine that is sent on, and a promise does what the
contract says in the order in which the contract says it. Time passes when it is told to.

A promise has a *source*, from which its outcome will come, and *consumers*, which are told of it:

- its outcome comes from a resolver (no source), a promise, a Future, a Task, a Job, a Group, a Limit or a Shield;
- told are children and followers, each a Promise; a Wait of a Task, a Callback, a Member of a Group, a Limit, a Shield.

A Task that waits for itself, by way of others, is noted in the loop; what comes of it is not modelled.
"""

import heapq
import sys
from asyncio import CancelledError
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import partial
from typing import Any, NamedTuple

# The most that one drain settles; one that a finishing Task runs settles fewer. TestLaw4SameTurnYetFair of
# test_laws.py holds the library to these numbers, as a random program seldom has so many.
MOST, MOST_ALONG = 1024, 64

PENDING, FULFILLED, REJECTED, CANCELLED = "pending", "fulfilled", "rejected", "cancelled"


class Outcome(NamedTuple):
    """How something ended."""

    state: str
    value: Any

    def give(self) -> Any:
        if self.state == FULFILLED:
            return self.value
        raise self.value


def failed(error: BaseException) -> Outcome:
    return Outcome(CANCELLED if isinstance(error, CancelledError) else REJECTED, error)


class Loop:
    """What is due, in order; the queue of those to notify; a clock."""

    def __init__(self, *, eager_tasks: bool, eager_handlers: bool) -> None:
        self.eager_tasks = eager_tasks
        self.eager_handlers = eager_handlers
        self.due: deque[tuple[Callable, tuple]] = deque()
        self.timers: list[tuple[float, int, Callable]] = []
        self.timers_made = 0
        self.now = 0.0
        self.running: Task | None = None
        # Whether a Task waits for itself.
        self.has_ring = False
        self.reactions: deque[Callable] = deque()
        self.will_drain = False
        # The listeners for unhandled rejections, if any; and the rejections that may be unhandled.
        self.on_unhandled_rejection: Callable | None = None
        self.suspects: list[Promise] = []
        self.promises: list[Promise] = []
        self.tasks: list[Task] = []
        self.reports: list[BaseException] = []

    def call_soon(self, call: Callable, *arguments: Any) -> None:
        self.due.append((call, arguments))

    def call_later(self, seconds: float, call: Callable) -> None:
        self.timers_made += 1
        heapq.heappush(self.timers, (self.now + seconds, self.timers_made, call))

    def run(self) -> None:
        """Go on until nothing is due."""
        for _ in range(1000):
            while self.timers and self.timers[0][0] <= self.now:
                self.call_soon(heapq.heappop(self.timers)[2])
            if self.has_ring or not self.due:
                return
            for _ in range(len(self.due)):
                call, arguments = self.due.popleft()
                call(*arguments)
        raise AssertionError("the program never comes to rest")

    def push(self, reaction: Callable) -> None:
        """Let *reaction* run after those before it, and never now."""
        self.reactions.append(reaction)
        self.arm()

    def suspect(self, promise: "Promise") -> None:
        """Report the rejection of *promise* after the next drain, unless it is handled by then."""
        self.suspects.append(promise)
        self.arm()

    def arm(self) -> None:
        if not self.will_drain:
            self.will_drain = True
            self.call_soon(self.drain)

    def drain(self, most: int = MOST) -> None:
        """Settle what can be settled in this iteration, up to the limit, and the rest in the next one."""
        for _ in range(most):
            if self.reactions:
                self.reactions.popleft()()
        if not self.reactions:
            suspects, self.suspects = self.suspects, []
            for promise in suspects:
                promise.announce_unless_handled()
        self.will_drain = False
        if self.reactions or self.suspects:
            self.arm()

    def drain_after(self, call: Callable, *arguments: Any) -> None:
        """Process an outcome from outside; those who wait for it are notified in the same iteration."""
        is_scheduled, self.will_drain = self.will_drain, True
        call(*arguments)
        if not is_scheduled:
            self.drain(MOST_ALONG)


# ---------------------------------------------------------- what asyncio has: futures and Tasks


class Future:
    """A Future: its callbacks are called a turn later."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.outcome = Outcome(PENDING, None)
        self.callbacks: list[Callable] = []

    def done(self) -> bool:
        return self.outcome.state != PENDING

    def cancelled(self) -> bool:
        return self.outcome.state == CANCELLED

    def end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        for callback in self.callbacks:
            self.loop.call_soon(callback)
        self.callbacks = []

    def set_result(self, value: Any) -> None:
        self.end(Outcome(FULFILLED, value))

    def set_exception(self, error: BaseException) -> None:
        self.end(Outcome(REJECTED, error))

    def cancel(self) -> bool:
        if self.done():
            return False
        self.end(Outcome(CANCELLED, CancelledError()))
        return True

    def __await__(self) -> Generator[Any, Any, Any]:
        if not self.done():
            if self.loop.has_ring:
                raise GeneratorExit  # the program is given up
            yield self
        return self.outcome.give()


class Task(Future):
    """A Task: a cancellation goes to what it waits for, or is raised in it when it resumes."""

    def __init__(self, loop: Loop, coroutine: Coroutine, *, eager: bool, must_begin: bool = False) -> None:
        super().__init__(loop)
        loop.tasks.append(self)
        self.coroutine = coroutine
        # A cleanup takes its first step even if it is cancelled before.
        self.must_begin = must_begin
        self.waits_for: Any = None
        self.must_cancel = False
        # Whether somebody has asked it to end, at any time; a request in a first step that it takes at once is left
        # for the second one, and comes too late where there is none.
        self.is_asked = False
        self.is_in_first_step = eager
        if not eager:
            loop.call_soon(self.step)

    def cancel(self) -> bool:
        if self.done():
            return False
        self.is_asked = not self.is_in_first_step
        if self.waits_for is None or not self.waits_for.cancel():
            self.must_cancel = True
        return True

    def step(self) -> None:
        """Go on to the next wait, or to the end."""
        cancelled, self.must_cancel, self.waits_for = self.must_cancel, False, None
        comes_right_after, self.must_begin = cancelled and self.must_begin, False
        self.is_asked &= not comes_right_after
        before, self.loop.running = self.loop.running, self
        try:
            wait = (
                self.coroutine.send(None)
                if comes_right_after or not cancelled
                else self.coroutine.throw(CancelledError())
            )
        except StopIteration as stop:
            self.end(failed(CancelledError()) if self.must_cancel else Outcome(FULFILLED, stop.value))
        except BaseException as error:
            self.end(failed(error))
        else:
            self.must_cancel |= comes_right_after
            self.wait(wait)
        finally:
            self.loop.running = before

    def wait(self, wait: Any) -> None:
        self.is_asked |= self.must_cancel
        self.is_in_first_step = False
        if leads_to(wait, self):
            self.loop.has_ring = True  # which is not gone into
            return
        self.waits_for = wait
        wait.callbacks.append(self.step)
        if self.must_cancel and wait.cancel():
            self.must_cancel = False


class Job(Future):
    """A call in an executor: waiting, running, ended."""

    running = False

    def cancel(self) -> bool:
        return not self.running and super().cancel()


# ------------------------------------------------------------------------------------ promises


class Keep(NamedTuple):
    """What a finally_ or tap makes of it: the outcome that came."""

    outcome: Outcome


class Promise:
    """A promise; its handlers are called when its source, the promise above it, has settled."""

    def __init__(self, loop: Loop, *, is_handled: bool = False) -> None:
        self.loop = loop
        loop.promises.append(self)
        self.outcome = Outcome(PENDING, None)
        # Of a promise that only a combinator has: its input.
        self.member: Any = None
        # Whether a rejection need not be handled: that of a combinator's input, or of its own promises.
        self.is_handled = is_handled
        # Whether a rejection is handled; whether it was reported as unhandled.
        self.taken = False
        self.announced = False
        # Whether it is the outcome of a cancelled Task.
        self.was_asked = False
        self.source: Any = None
        self.consumers: list[Any] = []
        self.on_value: Callable | None = None
        self.on_error: Callable | None = None
        self.catches: tuple[type[BaseException], ...] = ()

    # -- its end

    def done(self) -> bool:
        return self.outcome.state != PENDING

    def settle(self, outcome: Outcome) -> None:
        self.outcome, self.source = outcome, None
        self.on_value = self.on_error = None
        for consumer in self.consumers:
            self.loop.push(consumer.told)
        self.consumers = []
        if outcome.state == REJECTED and self.loop.on_unhandled_rejection and not self.is_handled:
            self.loop.suspect(self)

    def take(self) -> Outcome:
        """Look at the outcome, and answer for it from now on."""
        if self.announced:
            self.announced = False
            self.loop.on_unhandled_rejection(self.outcome.value, True)
        self.taken = True
        return self.outcome

    def handle(self) -> None:
        """Answer for a rejection that has come, or will."""
        self.is_handled = True
        if self.outcome.state == REJECTED:
            self.take()

    def announce_unless_handled(self) -> None:
        if not (self.taken or self.is_handled):
            self.announced = self.taken = True
            self.loop.on_unhandled_rejection(self.outcome.value, False)

    def tell(self, consumer: Any) -> None:
        if self.done():
            self.loop.push(consumer.told)
        else:
            self.consumers.append(consumer)

    def forget(self, consumer: Any) -> None:
        if consumer in self.consumers:
            self.consumers.remove(consumer)

    def resolve(self, value: Any, *, eager: bool | None = None, is_cleanup: bool = False) -> None:
        """Settle with *value*; follow it if it can be awaited."""
        if self.done():
            if isinstance(value, Coroutine):
                value.close()
        elif isinstance(value, Keep):
            self.settle(value.outcome)
        elif is_cleanup and isinstance(value, Promise | Future) and not value.done() and not leads_to(value, self):
            self.resolve(awaited(value), is_cleanup=True)
        elif isinstance(value, Promise):
            self.follow(value)
        elif isinstance(value, Future) and leads_to(value, self):
            self.loop.has_ring = True  # which is not gone into
        elif isinstance(value, Future):
            self.wait_for(value)
        elif isinstance(value, Coroutine):
            eager_task = self.loop.eager_handlers if eager is None else eager
            task = Task(self.loop, value, eager=eager_task, must_begin=is_cleanup)
            self.source = task
            if eager_task:
                task.step()
            self.wait_for(task)
        else:
            self.settle(Outcome(FULFILLED, value))

    def follow(self, other: "Promise") -> None:
        """Settle as *other* does, once it has; not with itself."""
        if leads_to(other, self, stop_at=Task):
            self.settle(failed(TypeError("a promise cannot follow itself")))
        elif other.done():
            self.settle(other.take())
        elif leads_to(other, self):
            self.loop.has_ring = True  # which is not gone into
        else:
            self.source = other
            other.tell(self)

    def wait_for(self, future: Future) -> None:
        """Settle as *future* does, once it has, unless something else has settled this promise."""
        self.source = future
        if future.done():
            self.adopt(future)
        else:
            future.callbacks.append(lambda: self.source is future and self.loop.drain_after(self.adopt, future))

    def adopt(self, future: Future) -> None:
        value = future.outcome.value
        self.was_asked = isinstance(future, Task) and future.is_asked
        self.settle(value.outcome if isinstance(value, Keep) else future.outcome)

    # -- its handlers

    def link(self, on_value: Callable | None, on_error: Callable | None, *catches: type[BaseException]) -> "Promise":
        child = Promise(self.loop)
        child.on_value, child.on_error, child.catches = on_value, on_error, catches
        child.source = self
        self.tell(child)
        return child

    def told(self) -> None:
        """Do what is to be done when the source has settled."""
        if self.done():
            if self.member is not None:
                self.member.told()  # cancelled while it was in the queue, where it keeps its place
            return
        state, value = self.source.outcome
        handler = self.on_value
        if state != FULFILLED:
            handler = self.on_error if isinstance(value, self.catches) else None
        outcome = self.source.outcome if state == FULFILLED else self.source.take()
        is_cleanup = state == CANCELLED or BaseException in self.catches
        self.source = self.on_value = self.on_error = None
        if handler is None:
            self.settle(outcome)
            return
        try:
            result = handler(value)
        except BaseException as error:
            if self.done():
                self.loop.reports.append(error)  # it had cancelled its own promise: nothing else would report it
            else:
                self.settle(failed(error))
        else:
            self.resolve(result, is_cleanup=is_cleanup)

    def then(self, on_value: Callable | None = None, on_error: Callable | None = None) -> "Promise":
        return self.link(on_value, on_error, Exception)

    def catch(self, *types_and_handler: Any) -> "Promise":
        *types, handler = types_and_handler
        return self.link(None, handler, *types or [Exception])

    def finally_(self, handler: Callable) -> "Promise":
        return self.effect(lambda _: handler(), lambda _: handler(), BaseException)

    def tap(self, handler: Callable) -> "Promise":
        return self.effect(handler, None)

    def tap_catch(self, *types_and_handler: Any) -> "Promise":
        *types, handler = types_and_handler
        return self.effect(None, handler, *types or [Exception])

    def effect(self, on_value: Callable | None, on_error: Callable | None, *catches: type[BaseException]) -> "Promise":
        """Call and await for the effect: the outcome passes."""

        def passing(handler: Callable, state: str | None) -> Callable:
            def call(value: Any) -> Any:
                outcome = failed(value) if state is None else Outcome(state, value)
                result = handler(value)
                if isinstance(result, Promise) and leads_to(result, child, stop_at=Task):
                    if result is not child:
                        result.handle()  # it is dropped
                    return Keep(outcome)  # waiting for itself and discarding the result is not a wait
                return keep(result, outcome) if hasattr(result, "__await__") else Keep(outcome)

            return call

        async def keep(result: Any, outcome: Outcome) -> Keep:
            await result
            return Keep(outcome)

        child = self.link(on_value and passing(on_value, FULFILLED), on_error and passing(on_error, None), *catches)
        return child

    def shield(self) -> "Promise":
        promise = Promise(self.loop)
        promise.source = Shield(self, promise)
        self.tell(promise.source)
        return promise

    def settled(self) -> "Promise":
        promise = Promise(self.loop)
        promise.source = Settlement(self, promise)
        self.tell(promise.source)
        return promise

    def timeout(self, seconds: float, **fallback: Any) -> "Promise":
        promise = Promise(self.loop)
        if self.done():
            promise.settle(self.take())  # to await it takes no time
        else:
            promise.source = limit = Limit(self, promise, fallback)
            self.tell(limit)
            self.loop.call_later(seconds, limit.expire)
        return promise

    def add_done_callback(self, callback: Callable) -> None:
        self.tell(Callback(self, callback))

    # -- its cancellation

    def cancel(self, *, but_not: tuple[Task, ...] = ()) -> bool:
        """Cancel what is running, or the promise if nothing is: False if it is too late.

        Tasks that were asked just now are *but_not* asked again.
        """
        if self.done():
            return False
        path = climb(self)
        announce(path)
        work = path[-1].source
        if isinstance(work, Future) and not isinstance(work, Job):
            return self.ask(work, path, but_not)
        if isinstance(work, Group | Arrival) and work.stop(but_not):
            return True
        if isinstance(work, Job | Shield):
            work.cancel()
        cut_off(path)
        return True

    def ask(self, work: Future, path: list["Promise"], but_not: tuple[Task, ...]) -> bool:
        if work not in but_not:
            work.cancel()
        if not work.done():
            return True
        path.pop().adopt(work)  # it has ended: only those below are still to be cancelled
        cut_off(path)
        return bool(path) or self.outcome.state == CANCELLED

    def __await__(self) -> Generator[Any, Any, Any]:
        if not self.done():
            if self.loop.has_ring:
                raise GeneratorExit  # the program is given up
            if self.source is not None and self.source is self.loop.running:
                raise RuntimeError("a Task cannot await its own promise")
            wait = Wait(self)
            yield wait
            return wait.give()
        return self.take().give()


async def awaited(thing: Any) -> Any:
    return await thing


def climb(promise: Promise) -> list[Promise]:
    """Return the promises from this one up, as far as there is no other consumer."""
    path = [promise]
    while True:
        source = path[-1].source
        above, consumer = (source.source, source) if isinstance(source, Limit) else (source, path[-1])
        if not isinstance(above, Promise) or above.done() or above.consumers != [consumer]:
            return path
        path.append(above)


def announce(path: list[Promise]) -> list["Limit"]:
    """Let the time limits on the way know of a request."""
    limits = [promise.source for promise in path if isinstance(promise.source, Limit)]
    for limit in limits:
        limit.requests += 1
    return limits


def take_back(limits: list["Limit"]) -> None:
    """Let them know that the request does not come: it comes in the turn after it was announced, or not at all."""
    for limit in limits:
        limit.requests -= 1


def cut_off(path: list[Promise]) -> None:
    """Cancel the links, the topmost first, down to one that is there for cancellations."""
    error = CancelledError()
    is_handled = bool(path) and path[0].is_handled
    for link in reversed(path):
        source, link.source = link.source, None
        above = source.source if isinstance(source, Limit | Shield) else source
        if is_handled and isinstance(above, Promise):
            if isinstance(above.source, Future) and above.source.done():
                above.adopt(above.source)  # it ended in this iteration
            if above.done():
                above.handle()  # what the library handles is not reported
        is_due = isinstance(source, Promise) and source.done()
        if isinstance(source, Promise):
            source.forget(link)
        elif isinstance(source, Limit):
            source.source.forget(source)
        if link.on_error is not None and isinstance(error, link.catches):
            link.source = Promise(link.loop)
            link.source.settle(failed(error))
            if not is_due:
                link.loop.push(link.told)
            return
        link.settle(failed(error))


def running_tasks(promise: Promise) -> list[Task]:
    """Return what a cancellation would reach first."""
    work = climb(promise)[-1].source
    if isinstance(work, Group | Arrival):
        return [task for one in work.wanted_alone() for task in running_tasks(one)]
    return [work] if isinstance(work, Task) and not work.done() else []


def one_running_task(promise: Promise) -> bool:
    """Return whether it is one Task that is running for *promise*."""
    work = climb(promise)[-1].source
    return isinstance(work, Task) and not work.done()


def ask_and_call(promise: Promise, withdraw: Callable, is_the_last: bool) -> None:
    """Ask the Tasks below *promise*, if the last one leaves it, and *withdraw* from it in the next turn."""
    asked = running_tasks(promise) if is_the_last else []
    limits = announce(climb(promise)) if is_the_last else []
    promise.loop.call_soon(withdraw, tuple(asked), limits)
    for task in asked:
        task.cancel()


def leads_to(thing: Any, end: Any, *, stop_at: Any = ()) -> bool:
    """Return whether *thing* is *end*, or waits for it in any number of steps."""
    things = [thing]
    for one in things:
        if one is end:
            return True
        if not isinstance(one, stop_at):
            things.extend(next_one for next_one in what_holds_up(one) if next_one not in things)
    return False


def what_holds_up(thing: Any) -> list[Any]:
    """Return what *thing* waits for directly."""
    if isinstance(thing, Limit) and thing.has_left:
        return []
    if isinstance(thing, Promise | Shield | Limit):
        return [thing.source]
    if isinstance(thing, Group):
        return [member.promise for member in thing.members]
    if isinstance(thing, Arrival):
        return [thing.group]
    if isinstance(thing, Task):
        return [thing.waits_for]
    return [thing.promise] if isinstance(thing, Wait) else []


class Limit:
    """A time limit: ``async with asyncio.timeout(seconds): return await source``."""

    def __init__(self, source: Promise, promise: Promise, fallback: dict[str, Any]) -> None:
        self.source, self.promise, self.fallback = source, promise, fallback
        # Whether the time was up while the source was waited for; whether that wait was given up then.
        self.is_expired = self.is_left = False
        # Whether it has stopped waiting for the source, and is about to settle the promise.
        self.has_left = False
        # How many cancellations passed through, other than its own.
        self.requests = 0

    def expire(self) -> None:
        """Ask as a Task does that awaits the source."""
        if self.promise.source is not self:
            return
        self.is_expired = True
        if self.is_the_last() and one_running_task(self.source):
            self.source.cancel()
        else:
            self.is_left = True  # an outcome is too late now
            ask_and_call(self.source, self.withdraw, self.is_the_last())

    def withdraw(self, asked: tuple[Task, ...], limits: list["Limit"]) -> None:
        take_back(limits)
        if self.promise.source is not self:
            return
        if self.is_the_last():
            self.is_left = False  # the effect of the request is the outcome
            self.source.cancel(but_not=asked)
        elif not self.source.done():
            self.has_left = True
            self.source.forget(self)
            self.source.loop.push(self.told)

    def is_the_last(self) -> bool:
        """Return whether the source has no other consumer."""
        return self.source.consumers == [self]

    def told(self) -> None:
        if self.promise.source is not self:
            return
        if not (self.is_left or (self.is_expired and self.source.outcome.state == CANCELLED)):
            self.promise.settle(self.source.take())
        elif self.requests:
            self.promise.settle(failed(CancelledError()))
        elif self.fallback:
            self.promise.settle(Outcome(FULFILLED, self.fallback["fallback"]))
        else:
            self.promise.settle(failed(TimeoutError()))


class Settlement(Limit):
    """A limit without a time: the outcome is the value, but for a cancellation from below."""

    def __init__(self, source: Promise, promise: Promise) -> None:
        super().__init__(source, promise, {})

    def told(self) -> None:
        if self.promise.source is not self:
            return
        outcome = self.source.take()
        is_request = outcome.state == CANCELLED and self.requests
        self.promise.settle(outcome if is_request else Outcome(FULFILLED, outcome))


class Shield:
    """Passes the outcome down, but no cancellation up."""

    def __init__(self, source: Promise, promise: Promise) -> None:
        self.source, self.promise = source, promise

    def told(self) -> None:
        if self.promise.source is self:
            self.promise.settle(self.source.take())

    def cancel(self) -> None:
        self.source.forget(self)


class Callback:
    """A callback of `add_done_callback`."""

    def __init__(self, promise: Promise, callback: Callable) -> None:
        self.promise, self.callback = promise, callback

    def told(self) -> None:
        self.callback(self.promise)


class Wait:
    """One `await` of a pending promise."""

    def __init__(self, promise: Promise) -> None:
        self.promise = promise
        self.error: CancelledError | None = None
        self.is_over = False
        self.callbacks: list[Callable] = []
        promise.tell(self)

    def told(self) -> None:
        self.is_over = True
        for callback in self.callbacks:
            callback()

    def give(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.promise.take().give()

    def cancel(self) -> bool:
        """Be cancelled by the Task: cancel the promise if it has no other consumer; otherwise only leave it.

        The Tasks below are asked at once, a promise in the next turn. True: the Task will be woken.
        """
        if self.is_over or self.error is not None:
            return not self.is_over
        if self.is_the_last() and one_running_task(self.promise):
            self.promise.cancel()
        else:
            self.error = CancelledError()
            ask_and_call(self.promise, self.withdraw, self.is_the_last())
        return True

    def withdraw(self, asked: tuple[Task, ...], limits: list[Limit]) -> None:
        take_back(limits)
        if self.is_over or self.promise.done():
            return
        if not self.is_the_last():
            self.promise.forget(self)
            self.promise.loop.push(self.told)
        elif self.promise.cancel(but_not=asked):
            self.error = None  # the Task gets the effect of the request

    def is_the_last(self) -> bool:
        """Return whether the promise has no other consumer."""
        return self.promise.consumers == [self]


# ------------------------------------------------------------------------- many promises, one


class Member:
    """One input of a combinator: of its own ("ours"), a promise ("caller's"), a Task or Future ("outside").

    Or the Task that reads the items of calls ("reader"), which is left alone until the calls have ended.
    """

    def __init__(self, group: "Group", promise: Promise, kind: str, index: int) -> None:
        self.group, self.promise, self.kind, self.index = group, promise, kind, index
        # Whether the group has cancelled it.
        self.is_asked = False

    def told(self) -> None:
        if self in self.group.members:
            self.group.members.remove(self)
            self.group.heard(self)

    def let_go(self) -> None:
        self.promise.forget(self)
        if self.kind == "outside" and not self.promise.done():
            self.promise.source = None
        self.group.members.remove(self)

    def is_wanted_alone(self) -> bool:
        """Return whether it has no other consumer."""
        return self.kind == "ours" or (self.kind == "caller's" and self.promise.consumers == [self])


class Group:
    """The upstream of a combined promise."""

    def __init__(self, promise: Promise, kind: str, count: int, losers: str | None, total: int) -> None:
        self.promise, self.kind, self.count, self.losers, self.total = promise, kind, count, losers, total
        self.members: list[Member] = []
        self.outcomes: dict[int, Outcome] = {}
        self.in_order: list[Outcome] = []
        self.answer: Outcome | None = None
        self.joined = 0

    def join(self, promise: Promise, kind: str) -> Member:
        member = Member(self, promise, kind, self.joined)
        if kind != "caller's":
            promise.member = member
        if kind != "reader":
            self.joined += 1
        self.members.append(member)
        promise.tell(member)
        return member

    def heard(self, member: Member) -> None:
        """Note the outcome of *member*, unless there is an answer and this is a loser that has ended."""
        if self.answer is None:
            self.arrived(member)
        else:
            self.came_late(member)
            self.end_if_over()

    def arrived(self, member: Member) -> None:
        outcome = member.promise.take()
        self.outcomes[member.index] = outcome
        self.in_order.append(outcome)
        self.look()

    def came_late(self, member: Member) -> None:
        """Handle one that ends after the result: a failure is silent, unless it is the effect of our own cancellation.

        A promise of the caller's that was asked speaks for itself.
        """
        promise = member.promise
        if promise.outcome.state != REJECTED:
            return
        # If others cancelled a Task, it is unknown whether it failed because of that.
        if not (member.is_asked or promise.was_asked):
            promise.handle()
        elif member.kind == "ours" or (member.kind == "outside" and member.is_asked):
            promise.loop.reports.append(promise.outcome.value)

    def look(self) -> None:
        """See whether there is an answer."""
        answer = self.answer_of(self.kind)
        if answer is not None:
            self.conclude(answer)

    def conclude(self, answer: Outcome) -> None:
        """Stop what is ours, and let go of the rest."""
        if self.answer is not None:
            return
        self.answer = answer
        self.let_go_and_stop(())
        self.end_if_over()

    def let_go_and_stop(self, but_not: tuple[Task, ...]) -> None:
        for member in [*self.members]:
            member.promise.handle()  # it was handed over
            if self.losers == "keep" or (not self.losers and member.kind != "ours"):
                member.let_go()
        self.ask(but_not)

    def ask(self, but_not: tuple[Task, ...]) -> None:
        """Cancel all that are left, each once."""
        for promise in dict.fromkeys(member.promise for member in self.members):
            promise.cancel(but_not=but_not)
        for member in self.members:
            member.is_asked = not member.promise.done()
            if member.is_asked and member.kind == "caller's":
                member.promise.is_handled = False  # it speaks for itself when it has been asked

    def answer_of(self, kind: str) -> Outcome | None:
        """Return what follows from the outcomes so far, if anything does."""
        values = [outcome.value for outcome in self.in_order if outcome.state == FULFILLED]
        failures = [outcome for outcome in self.in_order if outcome.state != FULFILLED]
        complete = len(self.outcomes) == self.total
        in_order = [self.outcomes[index] for index in sorted(self.outcomes)]
        if kind == "all":
            if failures:
                return failures[0]
            return Outcome(FULFILLED, tuple(outcome.value for outcome in in_order)) if complete else None
        if kind == "all_keyed":
            outcome = self.answer_of("all")
            return Outcome(FULFILLED, dict(enumerate(outcome.value))) if outcome and not failures else outcome
        if kind == "all_settled":
            return Outcome(FULFILLED, tuple(in_order)) if complete else None
        if kind == "all_settled_keyed":
            return Outcome(FULFILLED, dict(enumerate(in_order))) if complete else None
        if self.total < (1 if kind in {"race", "any"} else self.count):
            return failed(ValueError("too few"))
        if kind == "race":
            return self.in_order[0] if self.in_order else None
        wanted = 1 if kind == "any" else self.count
        if len(values) == wanted:
            return Outcome(FULFILLED, values[0] if kind == "any" else values)
        if self.total - len(failures) < wanted:
            errors = [one.value for one in in_order if one.state == REJECTED]
            last = [one for one in in_order if one.state != FULFILLED][-1]
            return failed(BaseExceptionGroup("", errors)) if errors else last
        return None

    def end_if_over(self) -> None:
        """Settle with the result, once everything cancelled has ended."""
        if self.answer is not None and not self.members:
            self.close()
        if self.answer is not None and not self.members and self.promise.source is self:
            self.promise.settle(self.answer)

    def close(self) -> None:
        """Close what the inputs came from, once they have ended."""

    def wanted_alone(self) -> list[Promise]:
        return [member.promise for member in self.members if member.is_wanted_alone()]

    def stop(self, but_not: tuple[Task, ...]) -> bool:
        """Withdraw from every input; return whether there is something to wait for."""
        self.answer = failed(CancelledError())
        for member in [*self.members]:
            if not member.is_wanted_alone():
                member.let_go()
            elif member.kind == "ours":
                member.promise.handle()
        self.ask(but_not)
        return self.waits()

    def waits(self) -> bool:
        for member in [*self.members]:
            if member.promise.done():
                self.members.remove(member)  # nothing was running
                self.came_late(member)
        if not self.members:
            self.close()
        return bool(self.members)


class Arrival:
    """What an iterator waits for; a cancellation that reaches it means leaving early."""

    def __init__(self, group: Any) -> None:
        self.group = group
        self.promise = Promise(group.promise.loop, is_handled=True)
        self.promise.source = self

    def come(self) -> None:
        if self.promise.done():
            return
        state = self.group.promise.outcome.state
        self.promise.settle(failed(CancelledError()) if state == CANCELLED else Outcome(FULFILLED, None))

    def wanted_alone(self) -> list[Promise]:
        return self.group.wanted_alone_by_iterator()

    def stop(self, but_not: tuple[Task, ...]) -> bool:
        return self.group.leave(but_not)


class Iterated(Group):
    """The upstream of an iterator over outcomes, as they arrive."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.to_give: deque[Any] = deque()
        self.arrival: Arrival | None = None

    def wake(self) -> None:
        arrival, self.arrival = self.arrival, None
        if arrival is not None:
            arrival.come()

    def end_if_over(self) -> None:
        super().end_if_over()
        self.wake()

    def give(self) -> Any:
        return self.to_give.popleft()

    def wanted_alone_by_iterator(self) -> list[Promise]:
        stopped = {"cancel": ["ours", "caller's", "outside"], "keep": []}.get(self.losers or "", ["ours"])
        return [*dict.fromkeys(member.promise for member in self.members if member.kind in stopped)]

    def leave(self, but_not: tuple[Task, ...]) -> bool:
        """Be left early because of a cancellation, which the iterator raises once everything has ended."""
        self.answer = failed(CancelledError())
        self.let_go_and_stop(but_not)
        if self.waits():
            return True
        if self.promise.source is self:
            self.promise.settle(self.answer)
        return False

    def begin_iterating(self) -> None:
        """Called when the first outcome is requested."""

    async def iterate(self) -> AsyncGenerator[Any, None]:
        self.begin_iterating()
        left = None
        try:
            while self.to_give or not self.promise.done():
                if self.to_give:
                    yield self.give()
                else:
                    self.arrival = Arrival(self)
                    await self.arrival.promise
        except BaseException as error:
            left = error
        if left is None:
            await self.promise
            return
        if self.promise.loop.has_ring:
            raise left  # the program is given up
        # No failure in the meantime replaces a cancellation, whether of this or of the code that closes it.
        is_request = isinstance(left, CancelledError) or isinstance(sys.exception(), CancelledError)
        self.conclude(Outcome(FULFILLED, None))
        try:
            await self.promise
        except (CancelledError, GeneratorExit):
            raise
        except BaseException:
            if not is_request:
                raise
        raise left


class Arrivals(Iterated):
    """The upstream of an iterator over promises, in the order in which they settle."""

    def __init__(self, promise: Promise, losers: str | None) -> None:
        super().__init__(promise, "all", 1, losers, 0)

    def arrived(self, member: Member) -> None:
        self.to_give.append(member)
        # Until it is handed out.
        member.is_handled, member.promise.is_handled = member.promise.is_handled, True
        if not self.members:
            self.conclude(Outcome(FULFILLED, None))
        self.wake()

    def give(self) -> tuple[int, Promise]:
        member = super().give()
        member.promise.is_handled = member.is_handled
        return member.index, member.promise


class Calls(Iterated):
    """The calls of one function on many items, some at a time."""

    def __init__(self, promise: Promise, kind: str, items: Any, function: Callable, limit: int) -> None:
        super().__init__(promise, kind, 1, None, 0)
        self.items, self.function, self.limit = items, function, limit
        self.still_to_call: list = []
        self.called: list = []
        self.reader: Member | None = None
        self.is_reading = self.is_closing = False
        self.vacancy = Future(promise.loop)

    def begin_iterating(self) -> None:
        self.promise.loop.push(self.begin)

    def begin(self) -> None:
        if self.answer is not None:
            return
        if isinstance(self.items, list):
            self.still_to_call = [*self.items]
            self.take()
        else:
            promise = Promise(self.promise.loop, is_handled=True)
            self.reader = self.join(promise, "reader")
            promise.resolve(self.read(self.items))

    async def read(self, source: AsyncGenerator[Any, None]) -> None:
        """Take items from an async source while they are wanted, and close it."""
        try:
            while await self.has_room():
                self.is_reading = True
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    return
                finally:
                    self.is_reading = False
                if self.answer is None:
                    self.call(item)
        finally:
            await source.aclose()

    async def has_room(self) -> bool:
        while not self.is_closing and (self.answer is not None or self.room() <= 0):
            if self.vacancy.done():
                self.vacancy = Future(self.promise.loop)
            await self.vacancy
        return not self.is_closing

    def room(self) -> int:
        unfinished = [member for member in self.members if member.kind != "reader"]
        return self.limit - len(unfinished) - len(self.to_give)

    def call(self, item: Any) -> None:
        self.called.append(item)
        function = partial(self.function, self.total_so_far()) if self.kind == "reduce" else self.function
        source = Promise(self.promise.loop)
        source.settle(Outcome(FULFILLED, item))
        call = source.then(function)
        call.is_handled = True
        self.join(call, "ours")

    def take(self) -> None:
        """Take as many items as there is room for."""
        if not self.vacancy.done():
            self.vacancy.set_result(None)
        while self.still_to_call and self.answer is None and self.room() > 0:
            self.call(self.still_to_call.pop(0))
        if not self.members and self.answer is None and not self.still_to_call:
            self.conclude(Outcome(FULFILLED, self.value()))

    def arrived(self, member: Member) -> None:
        outcome = member.promise.take()
        if outcome.state != FULFILLED:
            self.conclude(outcome)
            return
        if member.kind != "reader":
            self.outcomes[member.index] = outcome
            self.in_order.append(outcome)
            if self.kind == "stream":
                self.to_give.append(outcome.value)
                self.wake()
        self.take()

    def give(self) -> Any:
        value = super().give()
        self.take()
        return value

    def close(self) -> None:
        reader, self.reader = self.reader, None
        if reader is not None and not reader.promise.done():
            self.is_closing = True
            closing = self.join(reader.promise, "ours")
            if not self.vacancy.done():
                self.vacancy.set_result(None)
            if self.is_reading or reader.promise.source.done():
                reader.promise.cancel()
            closing.is_asked = not reader.promise.done()
            if reader.promise.done():
                self.members.remove(closing)  # it had ended by itself
                self.came_late(closing)

    def total_so_far(self) -> Any:
        return self.in_order[-1].value if self.in_order else "initial"

    def value(self) -> Any:
        values = [self.outcomes[index].value for index in sorted(self.outcomes)]
        return {
            "map": values,
            "filter": [item for item, verdict in zip(self.called, values, strict=True) if verdict],
            "each": None,
            "reduce": self.total_so_far(),
            "stream": None,
        }[self.kind]


# ---------------------------------------------------------------------------- the ways to make


def resolvers_of(promise: Promise) -> tuple[Callable, Callable]:
    """Return resolve and reject, of which the first call counts."""
    is_decided = False

    def decide(call: Callable) -> Callable:
        def resolver(value: Any) -> None:
            nonlocal is_decided
            if not (is_decided or promise.done()):
                is_decided = True
                call(value)
            elif isinstance(value, Coroutine):
                value.close()

        return resolver

    return decide(promise.resolve), decide(lambda error: promise.settle(failed(error)))


class Model:
    """What a program calls: the same names as in the real world."""

    def __init__(self, *, eager_tasks: bool, eager_handlers: bool) -> None:
        self.loop = Loop(eager_tasks=eager_tasks, eager_handlers=eager_handlers)

    def run(self) -> None:
        self.loop.run()

    def advance(self, seconds: float) -> None:
        self.loop.now += seconds

    def future(self) -> Future:
        return Future(self.loop)

    def task(self, coroutine: Coroutine) -> Task:
        task = Task(self.loop, coroutine, eager=self.loop.eager_tasks)
        if self.loop.eager_tasks:
            task.step()
        return task

    def outcome(self, thing: Any) -> tuple[str, Any]:
        return thing.outcome

    def promise(self, source: Any) -> Promise:
        promise = Promise(self.loop)
        promise.resolve(source, eager=self.loop.eager_tasks)
        return promise

    def resolve(self, value: Any) -> Promise:
        return value if isinstance(value, Promise) else self.promise(value)

    def reject(self, error: BaseException) -> Promise:
        promise = Promise(self.loop)
        promise.settle(failed(error))
        return promise

    def try_(self, function: Callable) -> Promise:
        promise = Promise(self.loop)
        try:
            value = function()
        except BaseException as error:
            promise.settle(failed(error))
        else:
            promise.resolve(value, eager=self.loop.eager_tasks)
        return promise

    def with_resolvers(self) -> tuple[Promise, Callable, Callable]:
        promise = Promise(self.loop)
        return promise, *resolvers_of(promise)

    def executor(self, executor: Callable) -> Promise:
        promise = Promise(self.loop)
        self.call_with_resolvers(executor, promise)
        return promise

    def thenable(self, then: Callable) -> Promise:
        promise = Promise(self.loop)
        self.loop.push(lambda: promise.done() or self.call_with_resolvers(then, promise))
        return promise

    def call_with_resolvers(self, function: Callable, promise: Promise) -> None:
        resolve, reject = resolvers_of(promise)
        try:
            function(resolve, reject)
        except BaseException as error:
            reject(error)

    def in_thread(self, call: Callable, *arguments: Any) -> None:
        self.loop.call_soon(call, *arguments)

    def delay(self, seconds: float, value: Any) -> Promise:
        async def sleep() -> Any:
            future = Future(self.loop)
            self.loop.call_later(seconds, lambda: future.done() or future.set_result(value))
            return await future

        return self.promise(sleep())

    def submit(self) -> tuple[Promise, Job]:
        job = Job(self.loop)
        promise = Promise(self.loop)
        promise.source = job
        job.callbacks.append(lambda: self.end(job, promise))
        return promise, job

    def end(self, job: Job, promise: Promise) -> None:
        if promise.source is job:
            promise.settle(job.outcome)
        elif job.outcome.state == REJECTED:
            self.loop.reports.append(job.outcome.value)  # nobody is waiting any more

    def start(self, job: Job) -> bool:
        if job.done() or job.running:
            return False
        job.running = True
        return True

    def group(self, kind: str, items: list, losers: str | None = None, count: int = 1) -> Promise:
        group = Group(Promise(self.loop), kind, count, losers, len(items))
        self.join(group, items)
        group.look()
        return group.promise

    def as_completed(self, items: list, losers: str | None) -> AsyncGenerator[tuple[int, Promise], None]:
        group = Arrivals(Promise(self.loop, is_handled=True), losers)
        self.join(group, items)
        if not items:
            group.conclude(Outcome(FULFILLED, None))
        return group.iterate()

    def join(self, group: Group, items: list) -> None:
        group.promise.source = group
        for item in items:
            if isinstance(item, Promise):
                group.join(item, "caller's")
            else:
                promise = self.promise(item)
                promise.is_handled = True
                group.join(promise, "outside" if isinstance(item, Future) else "ours")

    def calls(self, kind: str, items: Any, function: Callable, limit: int) -> Promise:
        promise = Promise(self.loop)
        promise.source = calls = Calls(promise, kind, items, function, limit)
        self.loop.push(calls.begin)
        return promise

    def stream(self, items: Any, function: Callable, limit: int) -> AsyncGenerator[Any, None]:
        promise = Promise(self.loop, is_handled=True)
        promise.source = calls = Calls(promise, "stream", items, function, limit)
        return calls.iterate()

    def cancel_running_task(self) -> None:
        task = self.loop.running
        task.cancel()
        task.is_asked = True

    async def chain(self, *steps: Any) -> list:
        to_come = [*steps]
        results = []
        try:
            while to_come:
                results.append(await to_come.pop(0))
        finally:
            for step in to_come:
                if isinstance(step, Coroutine):
                    step.close()
        return results

    def untaken(self) -> list[BaseException]:
        """Return what is reported once all promises are gone."""
        return [*self.loop.reports] + [
            promise.outcome.value
            for promise in self.loop.promises
            if promise.outcome.state == REJECTED and not (promise.taken or promise.is_handled)
        ]
