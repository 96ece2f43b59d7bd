"""Other people's libraries beside this one, in one line each: progress bars, retries, rate limits, Tornado."""

import asyncio
import io
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import aiolimiter
import pytest
import rich.console
import rich.progress
import stamina
import tenacity
import tqdm

from aiopromise import Promise, pipe, promisify
from helpers import turns

pytestmark = pytest.mark.usefixtures("loop_mode")


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


class Flaky:
    """A function that fails at its first calls."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    async def __call__(self, number: int) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise OSError(f"failure {self.calls}")
        return await double(number)


# ------------------------------------------------------------------------------------------------------ progress bars


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_tqdm_bar_follows_a_map_in_one_line(ordered: bool) -> None:
    """It ends at the total, and shows it."""
    screen, seen = io.StringIO(), []
    with tqdm.tqdm(total=5, file=screen, mininterval=0) as bar:
        mapped = (Promise.map if ordered else Promise.map_unordered)(
            range(5), double, on_progress=lambda done, total: bar.update(done - bar.n)
        )
        seen = await mapped if ordered else sorted([result async for result in mapped])
        assert (5, 5) == (bar.n, bar.total)
    assert [0, 2, 4, 6, 8] == seen
    assert all(f" {done}/5 " in screen.getvalue() for done in range(6))


@pytest.mark.parametrize(("items", "total"), [(list, 5), (iter, None)], ids=["known", "unknown"])
async def test_a_rich_bar_follows_a_map_in_one_line(items: Any, total: int | None) -> None:
    """A total that is not known is None for both."""
    console = rich.console.Console(file=io.StringIO(), force_terminal=True, width=100)
    columns = (rich.progress.BarColumn(), rich.progress.MofNCompleteColumn())
    with rich.progress.Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task("pages", total=total)
        update = partial(progress.update, task, refresh=True)
        await Promise.map(items(range(5)), double, on_progress=lambda done, total: update(completed=done, total=total))
        assert [(5, total)] == [(one.completed, one.total) for one in progress.tasks]
    assert f"5/{total or '?'}" in console.file.getvalue().replace(" ", "")


# ------------------------------------------------------------------------------------------------------------ retries

stamina_retry = stamina.retry(on=OSError, attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)
tenacity_retry = tenacity.retry(
    retry=tenacity.retry_if_exception_type(OSError), stop=tenacity.stop_after_attempt(3), reraise=True
)


def with_retries(retry: Callable, flaky: Flaky) -> Callable:
    async def call(number: int) -> int:
        return await flaky(number)

    return retry(call)


both_libraries = pytest.mark.parametrize("retry", [stamina_retry, tenacity_retry], ids=["stamina", "tenacity"])


@both_libraries
async def test_a_call_is_retried_until_it_succeeds(retry: Callable) -> None:
    """A function that retries is a handler, an item's function and a step of a pipe as any other."""
    for run in (
        lambda fn: Promise.resolve(4).then(fn),
        lambda fn: Promise.map([4], fn).then(lambda results: results[0]),
        lambda fn: pipe(fn)(4),
        lambda fn: Promise.try_(fn, 4),
    ):
        flaky = Flaky(failures=2)
        assert 8 == await run(with_retries(retry, flaky))
        assert 3 == flaky.calls


@both_libraries
async def test_a_call_that_fails_to_the_last_rejects_with_its_last_failure(retry: Callable) -> None:
    """As the exception that it is."""
    flaky = Flaky(failures=99)
    with pytest.raises(OSError, match="failure 3"):
        await Promise.map([1], with_retries(retry, flaky))
    assert 3 == flaky.calls


@both_libraries
@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect cannot be told what is a coroutine function")
async def test_a_promisified_function_is_retried_as_any_other(retry: Callable) -> None:
    """A decorator above it knows that it has to await the result."""
    flaky = Flaky(failures=2)

    @retry
    @promisify
    async def call(number: int) -> int:
        return await flaky(number)

    assert (8, 3) == (await call(4), flaky.calls)


@both_libraries
async def test_cancelling_ends_the_retries(retry: Callable) -> None:
    """A cancellation is not retried."""
    started = asyncio.Event()
    calls: list[int] = []

    async def hang(number: int) -> None:
        calls.append(number)
        started.set()
        await asyncio.Event().wait()

    mapped = Promise.map([1], retry(hang))
    await started.wait()
    mapped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await mapped
    assert [1] == calls


# -------------------------------------------------------------------------------------------------------- rate limits


async def test_a_rate_limit_holds_for_calls_that_a_map_makes() -> None:
    """A rate limit, whatever the limit on concurrency."""
    loop, times = asyncio.get_running_loop(), []
    limiter = aiolimiter.AsyncLimiter(2, 0.1)

    async def limited(number: int) -> int:
        async with limiter:
            times.append(loop.time())
            return await double(number)

    assert [0, 2, 4, 6, 8] == await Promise.map(range(5), limited, concurrency=4)
    assert times[4] - times[0] >= 0.14  # two immediately, and then one every 0.05 seconds
    assert times[1] - times[0] < 0.05


async def test_a_rate_limit_is_a_link_of_a_chain() -> None:
    """In one line: first the permission, then the call."""
    limiter = aiolimiter.AsyncLimiter(1, 0.05)
    start = asyncio.get_running_loop().time()
    results = await Promise.map(range(2), lambda number: Promise(limiter.acquire()).then(lambda _: double(number)))
    assert [0, 2] == results
    assert asyncio.get_running_loop().time() - start >= 0.045


async def test_a_call_that_waits_for_its_turn_can_be_cancelled() -> None:
    """It is not made then."""
    limiter, calls = aiolimiter.AsyncLimiter(1, 3600), []
    mapped = Promise.map([1, 2], lambda number: Promise(limiter.acquire()).then(lambda _: calls.append(number)))
    await turns()
    mapped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await mapped
    assert [1] == calls


# ------------------------------------------------------------------------------------------------------------- Tornado


async def wait_for(promise: Promise[Any]) -> Any:
    return await promise


@pytest.fixture
def gen() -> Any:
    """As documented: Tornado is taught once how a promise is awaited."""
    gen = pytest.importorskip("tornado.gen")
    convert = gen.convert_yielded
    convert.register(Promise, lambda promise: asyncio.create_task(wait_for(promise)))
    yield gen
    convert.register(Promise, convert.dispatch(object))


async def test_tornado_waits_for_promises_in_one_call(gen: Any) -> None:
    assert [0, 2] == await gen.multi([Promise(double(0)), Promise(double(1))])
    assert {"one": 2} == await gen.multi({"one": Promise(double(1))})


async def test_a_coroutine_of_tornado_yields_a_promise(gen: Any) -> None:
    """Also one that is rejected: it raises there."""

    @gen.coroutine
    def decorated() -> Any:
        first = yield Promise(double(1))
        try:
            yield Promise.reject(OSError("no"))
        except OSError as error:
            return first, str(error)

    assert (2, "no") == await decorated()
