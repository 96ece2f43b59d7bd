"""Calls in threads, in processes and on a Dask cluster: `Promise.submit` and `Promise.map(..., executor=)`."""

import asyncio
import concurrent.futures
import logging
import multiprocessing
import os
import threading
import time
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from pickle import PicklingError
from typing import Any

import pytest

from aiopromise import Promise
from helpers import turns, value_or_class

pytestmark = pytest.mark.slow

WORKERS = 2
BUSY = 2 * WORKERS + 1


# What is called elsewhere stands at the top of the module: it is imported there.


def power(base: int, exponent: int = 2) -> int:
    return base**exponent


def explode(number: int) -> int:
    raise ValueError(f"no {number}")


def explode_at_three(number: int) -> int:
    return explode(number) if number == 3 else number


def wait_for(path: Path) -> str:
    """Say that it runs, and wait until it may end."""
    path.with_suffix(".runs").touch()
    while not path.exists():
        time.sleep(0.005)
    return path.name


def complain(number: int) -> None:
    raise RuntimeError(f"cannot pickle {number} cucumbers")


def die(number: int) -> None:
    os._exit(1)


async def work(*arguments: Any) -> None:
    """Stand for any coroutine function."""


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(WORKERS) as executor:
        yield executor


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def cluster() -> Iterator[Executor]:
    """Run a Dask cluster of one worker process on this machine, which gives up a call that killed its worker."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=WORKERS,
            processes=True,
            dashboard_address=":0",  # any port: the usual one may be taken by another run of the tests
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor(pure=False) as executor,
    ):
        yield executor


@pytest.fixture(params=["threads", "processes", "cluster"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return request.getfixturevalue(request.param)


elsewhere = pytest.mark.parametrize("executor", ["processes", "cluster"], indirect=True)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another thread or process does."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # no event can be set there
            await asyncio.sleep(0.005)


class Jobs:
    """Calls that wait for a file each, and their promises."""

    def __init__(self, executor: Executor, folder: Path) -> None:
        self.executor = executor
        self.folder = folder
        self.names: list[str] = []

    def submit(self, name: str) -> Promise:
        self.names.append(name)
        return Promise.submit(self.executor, wait_for, self.folder / name)

    def end(self) -> None:
        """Let all end that run, or that will run against expectation."""
        for name in self.names:
            (self.folder / name).touch()

    def run(self, name: str) -> bool:
        return (self.folder / name).with_suffix(".runs").exists()

    async def fill(self) -> list[Promise]:
        """Keep all workers busy, with as many calls handed to them as a process pool does: one more."""
        promises = [self.submit(f"busy {number}") for number in range(BUSY)]
        await until(lambda: all(map(self.run, self.names[:WORKERS])))
        return promises

    async def heard(self) -> None:
        """Give a cluster or a process pool time to see a call or a cancellation; neither shows when it has."""
        if not isinstance(self.executor, ThreadPoolExecutor):
            await asyncio.sleep(0.3)


@pytest.fixture
def jobs(executor: Executor, tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(executor, tmp_path)
    yield jobs
    jobs.end()


class Watched(Executor):
    """An executor that keeps the futures of another."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.futures: list[Future] = []
        self.most = 0

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        future = self.executor.submit(fn, *args, **kwargs)
        self.futures.append(future)
        self.most = max(self.most, sum(not future.done() for future in self.futures))
        return future


# ------------------------------------------------------------------------------------------------ in every executor


async def test_a_call_elsewhere_gives_its_value(executor: Executor) -> None:
    """`await Promise.submit(executor, f, x)` is `f(x)`."""
    assert 9 == await Promise.submit(executor, power, 3)
    assert 27 == await Promise.submit(executor, power, 3, 3)
    assert 81 == await Promise.submit(executor, power, 3, exponent=4)


async def test_a_failure_elsewhere_shows_where_it_happened(executor: Executor) -> None:
    """The exception comes with the traceback from there."""
    with pytest.raises(ValueError) as caught:
        await Promise.submit(executor, explode, 7)
    assert "no 7" == str(caught.value)
    assert "in explode\n" in "".join(traceback.format_exception(caught.value))


async def test_map_gives_the_results_of_calls_elsewhere_in_order(executor: Executor) -> None:
    """Each item is one call there."""
    numbers = range(10)
    assert [power(number) for number in numbers] == await Promise.map(numbers, power, executor=executor, concurrency=3)


async def test_results_from_elsewhere_may_be_taken_as_they_come(executor: Executor) -> None:
    """`map_unordered()` takes `executor=` too."""
    results = Promise.map_unordered(range(5), power, executor=executor, concurrency=2)
    assert [0, 1, 4, 9, 16] == sorted([result async for result in results])


async def test_no_more_calls_are_submitted_than_the_limit_allows(executor: Executor) -> None:
    """Back-pressure: the queue of the executor does not fill with what is to be done later."""
    watched = Watched(executor)
    await Promise.map(range(20), power, executor=watched, concurrency=3)
    assert 20 == len(watched.futures)
    assert watched.most <= 3


async def test_a_failure_elsewhere_rejects_the_whole(executor: Executor) -> None:
    """With the exception as it is; items that were not submitted are not taken."""
    watched, taken = Watched(executor), iter(range(100))
    with pytest.raises(ValueError, match="no 3"):
        await Promise.map(taken, explode_at_three, executor=watched, concurrency=1)
    assert 4 == len(watched.futures)
    assert 4 == next(taken)


async def test_a_call_that_is_queued_is_cancelled_and_never_runs(jobs: Jobs) -> None:
    """The cancellation reaches the executor's future."""
    watched = Watched(jobs.executor)
    busy = await jobs.fill()
    queued = Promise.submit(watched, wait_for, jobs.folder / "queued")
    jobs.names.append("queued")
    await jobs.heard()
    assert queued.cancel("enough")
    assert CancelledError is await value_or_class(queued)
    assert [True] == [future.cancelled() for future in watched.futures]
    await jobs.heard()
    jobs.end()
    assert [f"busy {number}" for number in range(BUSY)] == [await one for one in busy]
    assert 9 == await Promise.submit(jobs.executor, power, 3)
    assert not jobs.run("queued")


async def test_a_call_that_runs_is_not_waited_for(jobs: Jobs) -> None:
    """Nobody can stop it there; the promise ends all the same."""
    running = jobs.submit("running")
    await until(lambda: jobs.run("running"))
    running.cancel()
    assert running.cancelled()
    jobs.end()
    assert 9 == await Promise.submit(jobs.executor, power, 3)


class Late:
    """A job that fails on demand."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.runs = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, *_: object) -> None:
        self.runs.set()
        self.may_end.wait(30)
        raise self.error


LATE: dict[str, Callable[[Executor, Late], Promise]] = {
    "submit": Promise.submit,
    "a concurrent Future": lambda executor, job: Promise(executor.submit(job)),
    "a link": lambda executor, job: Promise.submit(executor, job).then(print),
    "map": lambda executor, job: Promise.map([1], job, executor=executor),
    "race": lambda executor, job: Promise.race([Promise.submit(executor, job)]),
}


@pytest.mark.parametrize("make", LATE.values(), ids=LATE)
async def test_a_job_that_fails_after_its_promise_was_cancelled_is_told_to_the_loop(make: Callable) -> None:
    """To its exception handler: nothing else would report it."""
    loop = asyncio.get_running_loop()
    told = loop.create_future()
    loop.set_exception_handler(lambda _, report: told.set_result(report))
    error = ValueError("late")
    with ThreadPoolExecutor(1) as executor:
        job = Late(error)
        promise = make(executor, job)
        await loop.run_in_executor(None, job.runs.wait)
        promise.cancel()
        assert CancelledError is await value_or_class(promise)
        job.may_end.set()
        report = await asyncio.wait_for(told, 30)
    assert ("a job failed after its promise was cancelled", error) == (report["message"], report["exception"])


@pytest.mark.parametrize("error", [CancelledError(), concurrent.futures.CancelledError()], ids=repr)
async def test_a_job_that_gives_up_after_its_promise_was_cancelled_is_told_to_nobody(error, reports) -> None:
    """It was asked to."""
    with ThreadPoolExecutor(1) as executor:
        job = Late(error)
        promise = Promise.submit(executor, job)
        await asyncio.to_thread(job.runs.wait)
        promise.cancel()
        job.may_end.set()
    await turns()
    assert [] == reports


def test_a_job_that_fails_after_its_loop_was_closed_is_told_to_the_handler_of_that() -> None:
    """In the job's thread, as there is no other."""
    reports: list[dict] = []
    error = ValueError("late")

    async def main() -> Promise:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        promise = Promise.submit(executor, job)
        await asyncio.to_thread(job.runs.wait)
        return promise

    with ThreadPoolExecutor(1) as executor:
        job = Late(error)
        assert asyncio.run(main()).cancelled()
        job.may_end.set()
    assert [error] == [report["exception"] for report in reports]


async def test_a_time_limit_holds_for_calls_elsewhere(jobs: Jobs) -> None:
    """Whether they run or are queued."""
    jobs.names = ["a", "b", "c", "d"]
    paths = [jobs.folder / name for name in jobs.names]
    assert "late" == await Promise.map(paths, wait_for, executor=jobs.executor).timeout(0.05, fallback="late")


async def test_a_generator_feeds_an_executor_and_is_closed_when_a_call_fails(executor: Executor) -> None:
    """Items are read on the loop, as many as there is room for."""
    events: list[str] = []

    def items() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            events.append("closed")

    assert ValueError is await value_or_class(Promise.map(items(), explode, executor=executor, concurrency=1))
    assert ["closed"] == events


def test_the_end_of_the_loop_cancels_what_is_queued(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    """It does not wait for running jobs, whose results are ignored."""

    async def main() -> None:
        kept.extend([*await jobs.fill(), jobs.submit("queued")])
        await jobs.heard()

    kept: list[Promise] = []
    asyncio.run(main())
    assert [True] * (BUSY + 1) == [promise.cancelled() for promise in kept]
    asyncio.run(jobs.heard())
    jobs.end()
    assert 9 == asyncio.run(_square_of_three(jobs.executor))
    assert not jobs.run("queued")
    assert [] == [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def _square_of_three(executor: Executor) -> int:
    return await Promise.submit(executor, power, 3)


# --------------------------------------------------------------------------------------------- in another process


def notes_of(error: BaseException) -> list[str]:
    """Return the library's notes: since Python 3.14 pickle adds some too."""
    return [note for note in error.__notes__ if note.startswith("Promise.submit(<")]


@elsewhere
@pytest.mark.parametrize(
    ("fn", "argument"), [(power, threading.Lock()), (threading.Lock().acquire, 1)], ids=["argument", "function"]
)
async def test_what_does_not_pickle_is_named(executor: Executor, fn: Callable, argument: object) -> None:
    """The error of the pickler is kept, with a note of what was submitted and what to do."""
    with pytest.raises(TypeError) as caught:
        await Promise.submit(executor, fn, argument)
    [note] = notes_of(caught.value)
    assert note.endswith(
        ": a function, its arguments and its result are pickled to reach another process\n\n"
        "Define the function at module level, and pass it plain values."
    )


@pytest.mark.parametrize("run", [Promise.submit, lambda executor, fn, item: Promise.map([item], fn, executor=executor)])
async def test_a_function_within_a_function_does_not_pickle(run: Callable, processes: Executor) -> None:
    """Nor does a lambda; the pool keeps working."""

    def local(number: int) -> int:
        return number

    with pytest.raises(Exception, match="local") as caught:
        await run(processes, local, 5)
    [note] = notes_of(caught.value)
    assert f"Promise.submit({processes!r}, {local!r}"[:60] == note[:60]
    assert 9 == await Promise.submit(processes, power, 3)


@pytest.mark.parametrize("fn", [lambda number: number])
async def test_a_lambda_of_a_module_does_not_pickle(processes: Executor, fn: Callable) -> None:
    """As it has no name by which another process could import it."""
    with pytest.raises(PicklingError) as caught:
        await Promise.submit(processes, fn, 5)
    assert 1 == len(notes_of(caught.value))


async def test_a_lambda_reaches_a_cluster(cluster: Executor) -> None:
    """Dask pickles more than a pool of processes does."""
    assert [0, 2, 4] == await Promise.map(range(3), lambda number: number * 2, executor=cluster)


async def test_an_error_that_has_nothing_to_do_with_pickling_has_no_note(executor: Executor) -> None:
    """Only what the executor could not carry is explained."""
    with pytest.raises(TypeError) as caught:
        await Promise.submit(executor, power, "text")
    assert not hasattr(caught.value, "__notes__")
    with pytest.raises(RuntimeError, match="cucumbers") as complaint:
        await Promise.submit(executor, complain, 5)
    assert not hasattr(complaint.value, "__notes__")


async def test_a_process_that_is_killed_is_a_rejection() -> None:
    """The call that killed it, and all others of its pool, fail: nothing hangs."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        async with asyncio.timeout(20):
            assert BrokenProcessPool is await value_or_class(Promise.map(range(3), die, executor=pool, concurrency=1))
            assert BrokenProcessPool is await value_or_class(Promise.submit(pool, power, 3))


async def test_a_worker_of_a_cluster_that_is_killed_is_a_rejection(cluster: Executor) -> None:
    """The cluster starts another worker, and continues."""
    async with asyncio.timeout(20):
        with pytest.raises(Exception, match="all those workers died") as caught:
            await Promise.map(range(3), die, executor=cluster, concurrency=1)
        assert "KilledWorker" == type(caught.value).__name__
        assert 9 == await Promise.submit(cluster, power, 3)


# ----------------------------------------------------------------------------------------------------- in threads


class Unwilling(Executor):
    """An executor that takes nothing."""

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        raise OSError("no room")


class Asynchronous(Executor):
    """An executor whose `submit()` nobody awaits."""

    async def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)


class Immediate(Executor):
    """An executor that returns results instead of futures."""

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)


RUN: dict[str, Callable[[Executor], Promise]] = {
    "submit": lambda executor: Promise.submit(executor, power, 3),
    "map": lambda executor: Promise.map([3], power, executor=executor),
}


@pytest.mark.usefixtures("loop_mode")
class TestThreads:
    """What does not depend on the executor, in all loop modes."""

    async def test_an_executor_that_is_shut_down_rejects(self) -> None:
        """As what it raises would."""
        executor = ThreadPoolExecutor(1)
        executor.shutdown()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            await Promise.submit(executor, power, 3)
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            await Promise.map([1, 2], power, executor=executor, concurrency=1)

    async def test_what_submit_raises_rejects(self) -> None:
        """The same exception, at the line of the executor."""
        promise = Promise.submit(Unwilling(), power, 3)
        with pytest.raises(OSError, match="no room") as caught:
            await promise
        assert "submit" == traceback.extract_tb(caught.value.__traceback__)[-1].name

    @pytest.mark.parametrize("run", RUN.values(), ids=RUN)
    @pytest.mark.parametrize(
        ("executor", "given"),
        [(Asynchronous(), "<coroutine object Asynchronous.submit at "), (Immediate(), "9")],
        ids=["coroutine", "value"],
    )
    async def test_an_executor_that_gives_no_future_is_told(self, executor: Executor, given: str, run: Any) -> None:
        """A rejection says what belongs there; a coroutine is closed, so that it does not warn."""
        with pytest.raises(TypeError) as caught:
            await run(executor)
        assert str(caught.value).startswith(
            f"submit() of an executor must return a concurrent.futures.Future, got {given}"
        )

    async def test_a_call_that_the_executor_cancels_is_cancelled(self, tmp_path: Path) -> None:
        """`shutdown(cancel_futures=True)` reaches the promise."""
        executor = ThreadPoolExecutor(1)
        running = Promise.submit(executor, wait_for, tmp_path / "running")
        queued = Promise.submit(executor, power, 3)
        executor.shutdown(wait=False, cancel_futures=True)
        assert CancelledError is await value_or_class(queued)
        (tmp_path / "running").touch()
        assert "running" == await running

    async def test_a_failure_cancels_what_is_queued(self, tmp_path: Path) -> None:
        """The futures of the other items hear of it."""
        with ThreadPoolExecutor(1) as executor:
            watched = Watched(executor)
            running = executor.submit(wait_for, tmp_path / "first")
            calls = [power, explode, power, power]
            mapped = Promise.map(calls, _call_with_three, executor=watched)
            await turns()
            (tmp_path / "first").touch()
            running.result()
            assert ValueError is await value_or_class(mapped)
            assert [False, False] == [future.cancelled() for future in watched.futures[:2]]

    async def test_a_cancelled_map_leaves_nothing_in_the_queue_of_the_executor(self, tmp_path: Path) -> None:
        """All futures that have not started are cancelled."""
        with ThreadPoolExecutor(1) as executor:
            watched = Watched(executor)
            mapped = Promise.map([tmp_path / name for name in "abc"], wait_for, executor=watched)
            await until((tmp_path / "a.runs").exists)
            mapped.cancel()
            assert CancelledError is await value_or_class(mapped)
            assert [False, True, True] == [future.cancelled() for future in watched.futures]
            (tmp_path / "a").touch()

    async def test_progress_counts_the_calls_that_are_done(self, threads: Executor) -> None:
        """On the loop's own thread."""
        seen: list[tuple] = []

        def on_progress(*numbers: Any) -> None:
            seen.append((*numbers, threading.current_thread()))

        await Promise.map(range(3), power, executor=threads, on_progress=on_progress)
        assert [(done, 3, threading.current_thread()) for done in (1, 2, 3)] == seen

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (
                lambda e: Promise.submit(e, work),
                f"Promise.submit() needs a plain function for an executor, got the coroutine function {work!r}",
            ),
            (
                lambda e: Promise.map([1], work, executor=e),
                f"Promise.map() needs a plain function for an executor, got the coroutine function {work!r}",
            ),
            (lambda e: Promise.submit(e, 3), "Promise.submit() needs a function, got 3"),
            (lambda e: Promise.map([1], 3, executor=e), "Promise.map() needs a function, got 3"),
            (lambda e: Promise.submit(power, 3), "Promise.submit() needs a function, got 3"),
            (lambda e: Promise.submit(5, power, 3), "Promise.submit() needs an executor with submit(), got 5"),
            (
                lambda e: Promise.map([1], power, executor="threads"),
                "Promise.map() needs an executor with submit(), got 'threads'",
            ),
        ],
    )
    async def test_wrong_arguments_are_refused_at_the_call(self, call: Any, message: str, threads: Executor) -> None:
        """Nothing is submitted."""
        with pytest.raises(TypeError) as caught:
            call(threads)
        assert message == str(caught.value)

    async def test_coroutines_among_refused_arguments_are_closed(self, threads: Executor) -> None:
        """They do not warn that they were never awaited."""
        with pytest.raises(TypeError):
            Promise.submit(threads, work, work(), key=work())
        with pytest.raises(TypeError):
            Promise.submit(threads, work())


def _call_with_three(fn: Callable[[int], Any]) -> Any:
    return fn(3)
