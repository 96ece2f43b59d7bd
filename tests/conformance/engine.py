"""Keep the library's promises for Node, which runs the Promises/A+ suite against them.

Node and this process speak in lines of JSON over two pipes. A question is `["name", argument, ...]` and its answer
`["returned", value]` or `["thrown", value]`; whoever waits for an answer first answers what the other side asks
meanwhile, so calls nest as they would in one process. The event loop runs only while Node waits for `pump`: no handler
can be called in the middle of JavaScript that is still running.

Started by runner.py as `python engine.py ENGINE`, a name from `ENGINES`, with the pipes' numbers in AIOPROMISE_PIPES.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from aiopromise import Promise

LIFETIME_IN_SECONDS = 300


class Link:
    """Questions both ways: `ask` puts ours, the methods of a subclass answer Node's."""

    def __init__(self) -> None:
        reading, writing = os.environ["AIOPROMISE_PIPES"].split(",")
        self._reading = os.fdopen(int(reading), encoding="ascii")
        self._writing = os.fdopen(int(writing), "w", encoding="ascii")
        self.kept: list[Any] = []

    def keep(self, *objects: Any) -> list[int]:
        """Return the numbers by which Node will name *objects*."""
        self.kept.extend(objects)
        return list(range(len(self.kept) - len(objects), len(self.kept)))

    def send(self, *message: Any) -> None:
        """Write one line to Node."""
        self._writing.write(json.dumps(message) + "\n")
        self._writing.flush()

    def receive(self) -> Any:
        """Return Node's next message, or None when Node has ended."""
        line = self._reading.readline()
        return json.loads(line) if line else None

    def ask(self, *question: Any) -> Any:
        """Return what JavaScript returns, or raise the `JavaScriptReason` that it throws."""
        self.send(*question)
        while (message := self.receive()) is not None:
            match message:
                case ["returned", value]:
                    return value
                case ["thrown", handle]:
                    raise JavaScriptReason(handle)
                case [name, *arguments]:
                    self.answer(name, arguments)
        raise EOFError("Node has ended")

    def answer(self, name: str, arguments: list[Any]) -> None:
        """Call the method that Node asks for, and send what comes of it."""
        try:
            value = getattr(self, name)(*arguments)
        except Exception as error:
            self.send("thrown", settlement(error))
        else:
            self.send("returned", value)


class JavaScriptPrimitive:
    """A JavaScript value that cannot have a `then`."""

    def __init__(self, handle: int) -> None:
        self.handle = handle


class JavaScriptObject:
    """A JavaScript object or function, which might have a `then`."""

    def __init__(self, handle: int, link: Link) -> None:
        self.handle = handle
        self._link = link

    @property
    def then(self) -> Callable[..., None] | None:
        """Read `then` in JavaScript, where a getter may run and throw."""
        then = self._link.ask("readThen", self.handle)
        return None if then is None else partial(self._call, then)

    def _call(self, then: int, *resolvers: Callable[..., None]) -> None:
        self._link.ask("callThen", then, self.handle, *self._link.keep(*resolvers))


class JavaScriptReason(Exception):
    """What JavaScript threw or rejected with: any value there, an exception here."""

    def __init__(self, handle: int) -> None:
        super().__init__(handle)
        self.handle = handle


def settlement(outcome: Any) -> tuple[str, Any]:
    """Return how Node is told of a value or reason: as its own if it came from there, else as an error."""
    if isinstance(outcome, JavaScriptPrimitive | JavaScriptObject | JavaScriptReason):
        return "held", outcome.handle
    return ("TypeError", str(outcome)) if isinstance(outcome, TypeError) else ("Error", repr(outcome))


class Engine(Link):
    """The library as it is, and the questions that Node may ask of it."""

    def deferred(self) -> list[int]:
        return self.keep(*Promise.with_resolvers())

    def resolve(self, resolve: int, resolution: list[Any]) -> None:
        self.kept[resolve](self.value(*resolution))

    def reject(self, reject: int, reason: int) -> None:
        self.kept[reject](JavaScriptReason(reason))

    def then(self, promise: int, on_fulfilled: int | None, on_rejected: int | None) -> int:
        [child] = self.keep(self.chain(self.kept[promise], self.handler(on_fulfilled), self.handler(on_rejected)))
        return child

    def value(self, kind: str, number: int) -> Any:
        """Return what a promise is resolved with: a promise of ours, or a JavaScript value."""
        if kind == "promise":
            return self.kept[number]
        return self.adopt(JavaScriptObject(number, self)) if kind == "object" else JavaScriptPrimitive(number)

    def handler(self, handle: int | None) -> Callable[[Any], Any] | None:
        """Return a function that calls a JavaScript handler with the one argument it gets."""
        if handle is None:
            return None
        return lambda argument: self.value(*self.ask("call", handle, settlement(argument)))

    # The two steps that the broken engines below get wrong; here the library does the whole of both.

    def adopt(self, x: Any) -> Any:
        return Promise.from_thenable(x)

    def chain(self, promise: Any, on_fulfilled: Any, on_rejected: Any) -> Any:
        return promise.then(on_fulfilled, on_rejected)


class HandlersAtOnce(Engine):
    """Breaks 2.2.4: calls the handler of a fulfilled promise before `then` returns."""

    def chain(self, promise: Any, on_fulfilled: Any, on_rejected: Any) -> Any:
        if on_fulfilled is not None and promise.done() and promise.exception() is None:
            return Promise.try_(on_fulfilled, promise.result())
        return super().chain(promise, on_fulfilled, on_rejected)


class SelfResolutionUnseen(Engine):
    """Breaks 2.3.1: a promise resolved with itself waits for ever."""

    def chain(self, promise: Any, on_fulfilled: Any, on_rejected: Any) -> Any:
        def unless_itself(handler: Any) -> Any:
            def handle(argument: Any) -> Any:
                value = handler(argument)
                return Promise.with_resolvers().promise if value is child else value

            return handler and handle

        child = super().chain(promise, unless_itself(on_fulfilled), unless_itself(on_rejected))
        return child


class ThenReadTwice(Engine):
    """Breaks 2.3.3.1: looks whether there is a `then` before it is adopted."""

    def adopt(self, x: Any) -> Any:
        return super().adopt(x) if x.then is not None else x


class LastCallWins(Engine):
    """Breaks 2.3.3.3.3: of the resolvers that a thenable calls at once, the last call counts."""

    def adopt(self, x: Any) -> Any:
        then = x.then
        if then is None:
            return x
        promise, resolve, reject = Promise.with_resolvers()
        calls: list[Callable[[], None]] = []
        then(lambda value: calls.append(partial(resolve, value)), lambda reason: calls.append(partial(reject, reason)))
        calls[-1]()
        return promise


class Dying(Engine):
    """Ends at the first question."""

    def deferred(self) -> list[int]:
        sys.exit("engine.py: ended on purpose")


class Hanging(Engine):
    """Never answers the first question."""

    def deferred(self) -> list[int]:
        signal.pause()
        raise AssertionError("no signal is expected")


ENGINES = {
    "sound": Engine,
    "handlers-at-once": HandlersAtOnce,
    "self-resolution-unseen": SelfResolutionUnseen,
    "then-read-twice": ThenReadTwice,
    "last-call-wins": LastCallWins,
    "dying": Dying,
    "hanging": Hanging,
}


class IdleSelector(selectors.DefaultSelector):
    """A selector that knows when its loop has nothing left to run."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = asyncio.Event()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # A loop passes 0 while callbacks are ready, and seconds while a timer runs.
        if timeout is None and not self.idle.is_set():
            self.idle.set()
            timeout = 0
        return super().select(timeout)


async def serve(engine: Engine, idle: asyncio.Event) -> None:
    """Answer Node until it ends; the loop runs in `pump`, until there is nothing left to do."""
    asyncio.get_running_loop().set_exception_handler(report)
    while (message := engine.receive()) is not None:
        name, *arguments = message
        if name == "pump":
            idle.clear()
            await idle.wait()
            engine.send("returned", None)
        else:
            engine.answer(name, arguments)


def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what went wrong in the library, not the many reasons that the suite leaves unhandled on purpose."""
    if not isinstance(context.get("exception"), JavaScriptReason):
        loop.default_exception_handler(context)


def main(name: str) -> None:
    # The last resort, for an engine that hangs when its runner was killed.
    signal.alarm(LIFETIME_IN_SECONDS)
    selector = IdleSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(serve(ENGINES[name](), selector.idle))


if __name__ == "__main__":
    main(*sys.argv[1:])
