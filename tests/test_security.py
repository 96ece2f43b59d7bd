"""What SECURITY.md names: foreign objects that misbehave harm no promise but their own, and what a report shows."""

import asyncio
import concurrent.futures
import threading
import traceback
from collections.abc import Callable, Generator

import pytest

from aiopromise import Promise, Thenable

pytestmark = pytest.mark.slow


class Foreign:
    """An awaitable whose iterator is what it is made with, or what that returns."""

    def __init__(self, iterator: object) -> None:
        self.iterator = iterator

    def __await__(self) -> object:
        return self.iterator() if callable(self.iterator) else self.iterator


def fails() -> None:
    raise OSError("on purpose")


def yields(*values: object) -> Callable[[], Generator]:
    def generator() -> Generator:
        yield from values

    return generator


def ignores_everything() -> Generator:
    for _ in range(3):
        try:
            yield
        except BaseException:
            pass


class Lying(Foreign):
    """It claims to be a Future of asyncio, and its methods do not keep the promise."""

    _asyncio_future_blocking = True

    def __getattr__(self, name: str) -> object:
        raise OSError(f"no {name}")


class Then(Thenable):
    """A thenable with this `then()`."""

    def __init__(self, then: Callable) -> None:
        self.call = then

    def then(self, resolve: Callable, reject: Callable) -> object:
        return self.call(resolve, reject)


def settles_often(resolve: Callable, reject: Callable) -> None:
    for thread in [threading.Thread(target=call, args=(OSError(),)) for call in (resolve, reject) * 4]:
        thread.start()
        thread.join()
    raise OSError("and raises")


class Broken(concurrent.futures.Future):
    """A job whose every answer is an error."""

    def add_done_callback(self, fn: Callable) -> None:
        for _ in range(3):
            fn(self)

    exception = result = cancelled = cancel = lambda self, *arguments: fails()  # type: ignore[assignment]


class Executor:
    """An executor whose `submit()` gives this."""

    def __init__(self, submit: Callable) -> None:
        self.submit = lambda *arguments: submit()


HOSTILE = {
    "__await__ raises": lambda: Promise(Foreign(fails)),
    "__await__ returns no iterator": lambda: Promise(Foreign(5)),
    "an awaitable yields what is no Future": lambda: Promise(Foreign(yields(5, "text"))),
    "an awaitable raises at a cancellation": lambda: Promise(Foreign(lambda: (fails() for _ in "one"))),
    "an awaitable swallows what is thrown into it": lambda: Promise(Foreign(ignores_everything)),
    "an awaitable claims to be a Future": lambda: Promise.resolve(1).then(lambda one: Lying(yields())),
    "then raises": lambda: Promise.resolve(Then(lambda resolve, reject: fails())),
    "then settles often, in other threads": lambda: Promise.resolve(Then(settles_often)),
    "then resolves with itself": lambda: Promise.resolve(following_itself()),
    "then never answers": lambda: Promise.resolve(Then(lambda resolve, reject: None)),
    "then rejects with what is no exception": lambda: Promise.resolve(Then(lambda resolve, reject: reject(5))),
    "an executor raises": lambda: Promise.submit(Executor(fails), print),
    "an executor gives no future": lambda: Promise.submit(Executor(object), print),
    "a future answers often, and fails": lambda: Promise.submit(Executor(Broken), print),
    "a future never answers": lambda: Promise.submit(Executor(concurrent.futures.Future), print),
    "a handler raises what derives from BaseException": lambda: Promise.resolve(1).then(lambda one: raises_grave()),
    "a handler cancels everything in reach": lambda: Promise.resolve(1).then(lambda one: cancels_its_task()),
}


def following_itself() -> Thenable:
    thenable = Then(lambda resolve, reject: resolve(thenable))
    return thenable


def raises_grave() -> None:
    raise type("Grave", (BaseException,), {})("on purpose")


async def cancels_its_task() -> None:
    for _ in range(3):
        asyncio.current_task().cancel()
    await asyncio.sleep(0)


@pytest.mark.logs
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
async def test_what_one_promise_follows_hangs_no_other(hostile: Callable[[], Promise], loop_mode, reports) -> None:
    """Promises made before, after and beside it settle; its own settles too, at the latest when it is cancelled."""
    async with asyncio.timeout(5):
        before, resolve, _ = Promise.with_resolvers()
        chains = [before.then(lambda value: value + 1)]
        own = made(hostile)
        chains += [Promise.resolve(1).then(lambda value: value + 1), Promise(asyncio.sleep(0, 2))]
        beside = Promise.all_settled([own.shield(), *chains])
        resolve(1)
        assert [2, 2, 2] == list(await Promise.all(chains))
        for _ in range(20):
            await asyncio.sleep(0)
        own.cancel()
        await asyncio.wait([own])
        assert own.done()
        assert [2, 2, 2] == [outcome.value for outcome in (await beside)[1:]]
        own.catch(BaseException, lambda error: None)


def made(hostile: Callable[[], Promise]) -> Promise:
    """Return the promise of what may fail in the call itself."""
    try:
        return hostile()
    except (OSError, TypeError) as error:
        return Promise.reject(error)


class Account:
    """A value whose repr shows more than it should, and is long."""

    def __repr__(self) -> str:
        return "Account(" + 60 * "." + "secret" + 60 * "." + ")"


async def test_a_report_shows_the_reason_and_nothing_else_that_the_program_holds(reports) -> None:
    """No arguments, no local variables, no values of other links: those only the traceback's own frames refer to."""

    def log_in(account: Account) -> None:
        password = "hunter2"
        raise OSError(f"{len(password)} characters are too few")

    await asyncio.wait([Promise.resolve(Account()).then(log_in)])
    [report] = reports
    shown = report["message"] + repr({name: value for name, value in report.items() if name != "exception"})
    shown += "".join(traceback.format_exception(report["exception"]))
    assert "7 characters are too few" in shown
    assert "hunter2" not in shown.replace('password = "hunter2"', "")
    assert "secret" not in shown


async def test_a_repr_shows_at_most_80_characters_of_a_value() -> None:
    """Its beginning and its end."""
    promise = Promise.resolve(Account())
    assert len("<Promise fulfilled >") + 80 == len(repr(promise))
    assert "secret" not in repr(promise)
