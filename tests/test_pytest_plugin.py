"""What the pytest plugin does with a project's tests."""

import importlib
import re
import sys
from collections.abc import Callable

import pytest

from aiopromise._loops import instruments_of_all as instruments
from aiopromise._unhandled import listeners

pytest_plugins = ["pytester"]

# The runs are made within the tests, which see what their promises do.
pytestmark = [pytest.mark.logs, pytest.mark.slow]

SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings =
    error
    ignore:It looks like `register_random` was passed an object
aiopromise = strict
"""

HEAD = """\
import asyncio
import concurrent.futures
import threading
import pytest
import pytest_asyncio
from aiopromise import Promise, Thenable, on_unhandled_rejection
from aiopromise.testing import assert_rejected, settle

async def forever(value=None):
    await asyncio.Event().wait()

async def fails():
    raise ValueError("no")
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest on a file of tests that starts with `HEAD`."""
    # The summary shows the first line of a report, and that wholly, on every machine.
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    pytester.makefile(".ini", pytest=SETTINGS)

    def run(tests: str, *arguments: str, head: str = HEAD) -> pytest.RunResult:
        pytester.makepyfile(test_it=head + tests)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)

    return run


def summaries(result: pytest.RunResult) -> dict[str, str]:
    """Return what the summary says that each test has left behind: the kinds, with the code of their lines."""
    code = re.compile(r"^  made at test_it\.py:(\d+), in \w+: (.*)$", flags=re.MULTILINE)
    texts = {found[1]: found[2] for found in code.finditer(result.stdout.str())}
    found = {}
    for name, summary in re.findall(
        r"^ERROR test_it\.py::(\S+) - Failed: left behind: (.*)$", result.stdout.str(), re.MULTILINE
    ):
        found[name] = re.sub(r"test_it\.py:(\d+)", lambda match: texts[match[1]], summary)
    return found


# ----------------------------------------------------------- what fails a test


def test_a_rejection_that_nobody_handled_fails_the_test(run: Run) -> None:
    """Whether its promise is dead or alive, and wherever the loop came from, with the line that made the promise."""
    result = run("""
async def test_dead():
    Promise.reject(ValueError("no"))

async def test_alive(request):
    request.node.kept = Promise.reject(ValueError("no"))

async def test_work():
    Promise(fails())
    await settle()

async def test_link():
    Promise.resolve(1).then(lambda value: value / 0)
    await settle()

async def test_debug():
    asyncio.get_running_loop().set_debug(True)
    Promise.reject(ValueError("no"))

def test_loop_of_its_own():
    async def main():
        Promise.reject(KeyError("mine"))
    asyncio.run(main())
""")
    result.assert_outcomes(passed=6, errors=6)
    assert {
        "test_dead": 'unhandled Promise.reject(ValueError("no"))',
        "test_alive": 'unhandled request.node.kept = Promise.reject(ValueError("no"))',
        "test_work": "unhandled Promise(fails())",
        "test_link": "unhandled Promise.resolve(1).then(lambda value: value / 0)",
        "test_debug": 'unhandled Promise.reject(ValueError("no"))',
        "test_loop_of_its_own": 'unhandled Promise.reject(KeyError("mine"))',
    } == summaries(result)


def test_in_debug_mode_what_the_loop_has_begun_is_reported_as_without_the_plugin(run: Run) -> None:
    """The call of map() was made by no line of the test, so it is nothing that the test has left behind."""
    result = run("""
async def fails_in_cleanup(number):
    try:
        await asyncio.sleep(0 if number == 1 else 3600)
    finally:
        raise ValueError(number)

async def test_it():
    reports = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context["exception"]))
    asyncio.get_running_loop().set_debug(True)
    assert "ValueError(1)" == await Promise.map([1, 2], fails_in_cleanup).catch(repr)
    await settle()
    assert "[ValueError(2)]" == repr(reports)
""")
    assert {} == summaries(result)
    result.assert_outcomes(passed=1)


def test_an_exception_has_notes_in_debug_mode_only(run: Run) -> None:
    """Even if the plugin records who made what."""
    result = run("""
@pytest.mark.parametrize("debug", [False, True])
async def test_it(debug):
    asyncio.get_running_loop().set_debug(debug)
    late = await Promise(forever()).timeout(0).catch(lambda error: error)
    assert debug == hasattr(late, "__notes__")
""")
    result.assert_outcomes(passed=2)


def test_what_has_failed_a_test_is_not_reported_again(run: Run) -> None:
    """Neither in the log nor at the expense of the test that runs when its promise dies."""
    result = run("""
kept = []

async def test_alive():
    kept.append(Promise.reject(ValueError("no")))

def test_next(caplog):
    kept.clear()
    assert [] == caplog.records
""")
    result.assert_outcomes(passed=2, errors=1)


def test_the_report_says_all_that_is_needed_to_mend_the_test(run: Run) -> None:
    """What it is, where it was made, what it was, and what to write."""
    result = run("""
async def test_both():
    Promise(fails())
    Promise(forever())
    await settle()
""")
    result.stdout.re_match_lines_random([re.escape("_* ERROR at teardown of test_both _*").replace(r"_\*", "_*")])
    result.stdout.fnmatch_lines(
        [
            "left behind: unhandled test_it.py:16, pending test_it.py:17",
            "",
            "rejected, and never handled:",
            "  made at test_it.py:16, in test_both: Promise(fails())",
            "      Traceback (most recent call last):",
            '        File "*test_it.py", line 13, in fails',
            '          raise ValueError("no")',
            "      ValueError: no",
            "Await it in the test, give it a catch(), or expect it with aiopromise.testing.assert_rejected()",
            'If this is intended, mark the test: @pytest.mark.aiopromise_allow("unhandled")',
            "",
            "still running when the test ended:",
            "  made at test_it.py:17, in test_both: Promise(forever())",
            "      <Promise pending, running Task-*>",
            "Await it in the test, or cancel() it and await it",
            'If this is intended, mark the test: @pytest.mark.aiopromise_allow("pending")',
        ],
        consecutive=True,
    )


def test_a_promise_whose_work_still_runs_fails_the_test(run: Run) -> None:
    """Coroutines, the Task of a handler, a call of map(), a job in a thread: with the line that made the promise."""
    result = run("""
async def test_coroutine():
    Promise(forever())

async def test_handler():
    Promise.resolve(1).then(forever)
    await settle()

async def test_map():
    Promise.map([1, 2], forever)
    await settle()

async def test_all():
    Promise.all(forever(), asyncio.sleep(0))
    await settle()

async def test_task():
    Promise.all_settled([asyncio.create_task(forever())])

async def test_as_completed(request):
    request.node.kept = Promise.as_completed(forever(), forever())

async def test_delay():
    Promise.delay(3600).then(print).finally_(print)

async def test_job():
    Promise(concurrent.futures.Future())
""")
    result.assert_outcomes(passed=8, errors=8)
    assert {
        "test_coroutine": "pending Promise(forever())",
        "test_handler": "pending Promise.resolve(1).then(forever)",
        "test_map": "pending Promise.map([1, 2], forever)",
        "test_all": "pending Promise.all(forever(), asyncio.sleep(0))",
        "test_task": "pending Promise.all_settled([asyncio.create_task(forever())])",
        "test_as_completed": "pending request.node.kept = Promise.as_completed(forever(), forever())",
        "test_delay": "pending Promise.delay(3600).then(print).finally_(print)",
        "test_job": "pending Promise(concurrent.futures.Future())",
    } == summaries(result)


def test_a_loser_that_still_runs_fails_the_test(run: Run) -> None:
    """With the line of the combinator that left it alone, and once only."""
    result = run("""
async def test_kept():
    await Promise.race([forever(), asyncio.sleep(0)], losers="keep")

async def test_task():
    await Promise.any([asyncio.create_task(forever()), asyncio.sleep(0)])

async def test_promise():
    slow = Promise(forever())
    await Promise.race([slow.then(print), Promise.resolve(1)])

class Never(Thenable):
    def then(self, resolve, reject=None):
        self.resolve = resolve

async def test_thenable(request):
    request.node.kept = Never()
    await Promise.race([request.node.kept, Promise.resolve(1)], losers="keep")
""")
    result.assert_outcomes(passed=4, errors=3)
    assert {
        "test_kept": 'losers await Promise.race([forever(), asyncio.sleep(0)], losers="keep")',
        "test_task": "losers await Promise.any([asyncio.create_task(forever()), asyncio.sleep(0)])",
        # What is running is not the loser itself but its upstream.
        "test_promise": "pending slow = Promise(forever())",
    } == summaries(result)


def test_a_loser_is_found_beside_futures_that_cannot_be_compared(run: Run) -> None:
    """As a promise may follow any kind of future."""
    result = run("""
class Odd(asyncio.Future):
    __hash__ = None

    def __eq__(self, other):
        raise TypeError("cannot be compared")

async def test_it(request):
    request.node.kept = Promise(Odd())
    await Promise.race([forever(), asyncio.sleep(0)], losers="keep")
""")
    result.assert_outcomes(passed=1, errors=1)
    assert {"test_it": 'losers await Promise.race([forever(), asyncio.sleep(0)], losers="keep")'} == summaries(result)


@pytest.mark.parametrize("fixture", ["", "\n@pytest.fixture\nasync def fixture():\n    yield\n"], ids=["none", "async"])
def test_it_works_with_anyios_plugin(run: Run, fixture: str) -> None:
    """Which closes the loop before the test is over for pytest, unless an async fixture holds it open."""
    result = run(
        fixture
        + f"""
pytestmark = pytest.mark.anyio

@pytest.fixture(params=["asyncio"], scope="module")
def anyio_backend(request):
    return request.param

async def test_pending({"fixture" if fixture else ""}):
    Promise(forever())

class TestMethod:
    async def test_alive(self, request{", fixture" if fixture else ""}):
        request.node.kept = Promise.reject(KeyError())

async def test_asked_to_end({"fixture" if fixture else ""}):
    promise = Promise(forever())
    await settle()
    promise.cancel()
""",
        "-p",
        "no:asyncio",
        "-o",
        "addopts=",
        "-W",
        "ignore::pytest.PytestConfigWarning",
    )
    result.assert_outcomes(passed=3, errors=2)
    left = ["pending Promise(forever())", "unhandled request.node.kept = Promise.reject(KeyError())"]
    assert left == [*summaries(result).values()]


def test_it_works_with_unittest_and_with_loops_that_outlive_a_test(run: Run) -> None:
    """A loop of the session, and the loop of an IsolatedAsyncioTestCase."""
    result = run("""
import unittest

class TestIsolated(unittest.IsolatedAsyncioTestCase):
    async def test_unhandled(self):
        Promise.reject(KeyError())

@pytest.mark.asyncio(loop_scope="session")
async def test_pending():
    Promise(forever())

@pytest.mark.asyncio(loop_scope="session")
async def test_next():
    await Promise.resolve(1)
""")
    result.assert_outcomes(passed=3, errors=2)
    assert ["unhandled Promise.reject(KeyError())", "pending Promise(forever())"] == [*summaries(result).values()]


def test_a_wider_loop_does_not_hide_what_a_test_makes(run: Run) -> None:
    """Neither after a fixture of its own scope, nor after a test that may leave anything."""
    result = run("""
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server():
    promise = Promise(forever())
    yield promise
    promise.cancel()

@pytest.mark.asyncio(loop_scope="module")
async def test_behind_a_fixture(server, recorded_promises):
    Promise(forever())
    assert len(recorded_promises) == 1

@pytest.mark.asyncio(loop_scope="class")
class TestAfter:
    @pytest.mark.aiopromise_allow
    async def test_allowed(self):
        Promise.resolve(1)

    async def test_after(self):
        Promise(forever())
""")
    result.assert_outcomes(passed=3, errors=2)
    assert ["pending Promise(forever())"] * 2 == [*summaries(result).values()]


def test_a_wider_fixture_of_anyio_does_not_hide_what_a_test_makes(run: Run) -> None:
    """Whose plugin runs both in one Task, which is the fixture's."""
    result = run(
        """
pytestmark = pytest.mark.anyio

@pytest.fixture(params=["asyncio"], scope="module")
def anyio_backend(request):
    return request.param

@pytest.fixture(scope="module")
async def server(anyio_backend):
    promise = Promise(forever())
    yield promise
    promise.cancel()

async def test_it(server):
    Promise(forever())
""",
        *["-p", "no:asyncio", "-o", "addopts=", "-W", "ignore::pytest.PytestConfigWarning"],
    )
    result.assert_outcomes(passed=1, errors=1)
    assert ["pending Promise(forever())"] == [*summaries(result).values()]


def test_a_listener_that_an_earlier_test_has_left_answers_for_nothing(run: Run) -> None:
    """A rejection that was announced to others only, and not taken, fails the test that made it."""
    result = run("""
async def test_leaves_a_listener():
    on_unhandled_rejection(lambda event: None)

async def test_dead():
    Promise.reject(ValueError("no"))
    await settle()

async def test_alive(request):
    request.node.kept = Promise.reject(ValueError("no"))
    await settle()

async def test_taken():
    promise = Promise.reject(ValueError("no"))
    await settle()
    assert_rejected(promise)
""")
    listeners.clear()
    result.assert_outcomes(passed=4, errors=2)
    assert {"test_dead", "test_alive"} == {*summaries(result)}


def test_a_teardown_that_fails_shows_what_was_left_behind(run: Run) -> None:
    """It may be the reason, and is not lost."""
    result = run("""
@pytest.fixture
def broken():
    yield
    raise KeyError("broken")

async def test_it(broken):
    Promise(forever())
""")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*KeyError: 'broken'*", "*Captured promises teardown*", "left behind: pending *:21"])


def test_the_line_of_a_promise_that_a_mock_makes_is_the_users(run: Run) -> None:
    """And not one of unittest.mock."""
    result = run("""
from unittest.mock import Mock

async def test_it():
    Mock(side_effect=Promise.reject)(KeyError())
""")
    assert {"test_it": "unhandled Mock(side_effect=Promise.reject)(KeyError())"} == summaries(result)


def test_a_test_whose_fixture_is_the_first_to_import_the_library_is_watched(pytester: pytest.Pytester) -> None:
    """Not only the next one."""
    pytester.makepyfile("""
        import asyncio
        import pytest

        @pytest.fixture
        def make():
            from aiopromise import Promise
            async def make():
                Promise.reject(KeyError())
            return make

        def test_it(make):
            asyncio.run(make())
    """)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "--aiopromise").assert_outcomes(passed=1, errors=1)


# ---------------------------------------------------------- what does not fail it


def test_what_others_make_or_run_beside_a_test_is_not_its_own(run: Run) -> None:
    """A wider fixture, at its beginning, at its end and all the time between, and a Task of an earlier test."""
    result = run("""
async def poll():
    while True:
        await Promise.delay(0.001)

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def work():
    tasks = [asyncio.create_task(poll()), asyncio.create_task(forever())]
    yield Promise(forever())
    for task in tasks:
        task.cancel()
    kept.append(Promise.reject(KeyError("end")))

kept = []

@pytest.fixture(scope="module", autouse=True)
def thread():
    over = threading.Event()
    async def main():
        while not over.is_set():
            await Promise.delay(0.001)
    server = threading.Thread(target=asyncio.run, args=(main(),))
    server.start()
    yield
    over.set()
    server.join()
    async def end():
        Promise.reject(KeyError("end"))
    asyncio.run(end())

pytestmark = pytest.mark.asyncio(loop_scope="module")

async def test_beside(work):
    await asyncio.sleep(0.02)
    await Promise.race([work, asyncio.sleep(0)])

async def test_leaves_a_task():
    kept.append(asyncio.create_task(poll()))
    await asyncio.sleep(0)

async def test_after_that(work, recorded_promises):
    await asyncio.sleep(0.02)
    assert recorded_promises == []
""")
    assert {"test_leaves_a_task"} >= {*summaries(result)}
    result.assert_outcomes(passed=3, errors=1)


def test_what_a_dependency_makes_is_not_reported(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But what it calls, and what the project makes that is installed beside it."""
    installed = pytester.path / ".venv" / "site-packages"
    installed.mkdir(parents=True)
    for name in ("dependency", "own"):
        (installed / f"{name}.py").write_text("""\
from aiopromise import Promise

def reject():
    return Promise.reject(KeyError())

def call(function):
    return function()
""")
    (pytester.path / "src").mkdir()
    (pytester.path / "src" / "own.py").touch()
    monkeypatch.syspath_prepend(installed)
    result = run("""
import dependency
import own

async def test_dependency():
    dependency.reject()

async def test_lists_it(recorded_promises):
    dependency.reject()
    assert len(recorded_promises) == 1

async def test_called_back():
    dependency.call(lambda: Promise.reject(KeyError()))

async def test_generated():
    exec("Promise.reject(KeyError())", globals())

async def test_generated_for_no_module():
    exec("Promise.reject(KeyError())", {"Promise": Promise})

async def test_installed():
    own.reject()
""")
    result.assert_outcomes(passed=6, errors=3)
    result.stdout.fnmatch_lines(
        [
            "ERROR test_it.py::test_called_back - Failed: left behind: unhandled test_it.py:26",
            "ERROR test_it.py::test_generated - Failed: left behind: unhandled <string>:1",
            "ERROR test_it.py::test_installed - Failed: left behind: unhandled .venv/site-packages/own.py:4",
        ]
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a Task does not tell its context")
def test_a_task_of_a_wider_fixture_is_no_loser_of_the_test(run: Run) -> None:
    """It may take part in a race, and keeps running."""
    result = run("""
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def task():
    task = asyncio.create_task(forever())
    yield task
    task.cancel()

@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", [1, 2])
async def test_it(task, number):
    await Promise.race([task, asyncio.sleep(0)])
""")
    result.assert_outcomes(passed=2)


def test_what_is_in_order_is_left_in_peace(run: Run) -> None:
    """Handled, even late; settled; not waiting for any work; cancelled; stopped by the library."""
    result = run("""
async def test_handled_late():
    promise = Promise.reject(ValueError("no"))
    await settle()
    assert_rejected(promise)

async def test_nothing_runs():
    promise, resolve, reject = Promise.with_resolvers()
    promise.then(print)
    Promise(asyncio.get_running_loop().create_future())

async def test_asked_to_end():
    Promise(forever()).then(print).cancel()

async def test_stopped_by_the_library():
    await Promise.race([forever(), asyncio.sleep(0)])
    await Promise.delay(3600).timeout(0, fallback=None)

async def test_somebody_listens():
    remove = on_unhandled_rejection(lambda event: None)
    Promise.reject(ValueError("no"))
    await settle()
    remove()

@pytest.fixture
async def connect():
    made = []
    def connect():
        made.append(Promise(forever()))
    yield connect
    made[0].cancel()
    await settle()

async def test_ended_by_a_fixture(connect):
    connect()

@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server():
    promise = Promise(forever())
    yield promise
    promise.cancel()
    await settle()

@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("number", [1, 2])
async def test_of_the_session(server, number):
    assert not server.done()
""")
    result.assert_outcomes(passed=8)


def test_a_test_that_fails_by_itself_is_not_failed_twice(run: Run) -> None:
    """What it left behind, be it a consequence or the reason, is shown with the failure."""
    result = run("""
async def test_fails():
    Promise(forever())
    assert 0

@pytest.mark.xfail(strict=True)
async def test_fails_as_expected():
    Promise(forever())
    assert 0

async def test_skipped():
    Promise(forever())
    pytest.skip()
""")
    result.assert_outcomes(failed=1, xfailed=1, skipped=1)
    result.stdout.fnmatch_lines(["*Captured promises call*", "left behind: pending test_it.py:16"], consecutive=True)


def test_unittest_is_not_failed_twice_either(run: Run) -> None:
    """Nor skipped and failed, nor failed for a subtest and again; though it raises nothing that pytest sees."""
    result = run("""
import unittest

class TestIt(unittest.IsolatedAsyncioTestCase):
    async def test_fails(self):
        Promise.reject(KeyError())
        self.assertEqual(1, 2)

    async def test_is_skipped(self):
        Promise.reject(KeyError())
        self.skipTest("not now")

    @unittest.expectedFailure
    async def test_fails_as_expected(self):
        Promise.reject(KeyError())
        self.assertEqual(1, 2)
""")
    result.assert_outcomes(failed=1, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["*Captured promises call*", "left behind: unhandled *:19"], consecutive=True)


def test_a_failed_subtest_is_enough(run: Run) -> None:
    """What was left behind is shown with it, and fails nothing."""
    result = run("""
async def test_it(subtests):
    with subtests.test():
        Promise.reject(KeyError())
        assert 0
""")
    assert result.parseoutcomes().keys() == {"failed", "subtests failed"} or result.parseoutcomes() == {"failed": 2}
    assert {} == summaries(result)


def test_a_fixture_that_fails_or_skips_is_not_failed_twice(run: Run) -> None:
    """However the test before it has ended."""
    result = run("""
async def test_passes():
    pass

@pytest.fixture
async def fixture(request):
    Promise.reject(KeyError())
    request.param()

def fails():
    assert 0

@pytest.mark.parametrize("fixture", [fails, pytest.skip], indirect=True)
async def test_it(fixture):
    pass
""")
    result.assert_outcomes(passed=1, errors=1, skipped=1)


def test_a_test_that_removes_its_working_directory_shows_its_own_failure(run: Run) -> None:
    """The places are shown without asking for the directory that is gone."""
    result = run("""
import os
import tempfile

async def test_it(monkeypatch, request):
    request.addfinalizer(lambda: os.chdir("/"))
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        Promise.reject(KeyError())
    assert 0
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 0", "*Captured promises call*", "left behind: unhandled test_it.py:22"])


def test_many_of_one_place_are_told_once(run: Run) -> None:
    """With their number; and a summary names a few places only."""
    result = run(
        """
async def test_one_place(request):
    request.node.kept = [
        Promise.reject(KeyError()) for _ in range(2000)
    ]

async def test_many():
"""
        + "    Promise.reject(KeyError())\n" * 7
    )
    left = "ERROR test_it.py::test_{} - Failed: left behind: unhandled test_it.py:{}"
    result.stdout.fnmatch_lines(
        [
            "      ... and 1,999 more made there",
            left.format("one_place", "17 (2,000 times)"),
            left.format("many", "*, unhandled *, unhandled *, unhandled *, unhandled *, and 2 more places"),
        ]
    )
    assert 1 == result.stdout.str().count("made at test_it.py:17")


# ------------------------------------------------------------------ relaxed

TWO_LEFT = """
async def test_two():
    Promise.reject(ValueError("no"))
    Promise(forever())

async def test_good():
    pass
"""


@pytest.mark.parametrize(("kinds", "left"), [("unhandled", "pending"), ("losers, pending", "unhandled"), ("all", "")])
@pytest.mark.parametrize("way", ["marker", "option", "setting"])
def test_a_marker_an_option_and_a_setting_say_what_may_be_left(run: Run, way: str, kinds: str, left: str) -> None:
    """By kind, or all of them; what is not named fails the test as before."""
    marker = ", ".join(f'"{kind.strip()}"' for kind in kinds.split(","))
    tests = f"@pytest.mark.aiopromise_allow({marker})" + TWO_LEFT if way == "marker" else TWO_LEFT
    setting = f"aiopromise_allow={kinds.replace(',', ' ')}"
    arguments = {"marker": [], "option": [f"--aiopromise-allow={kinds}"], "setting": ["-o", setting]}[way]
    result = run(tests, "--strict-markers", *arguments)
    result.assert_outcomes(passed=2, errors=bool(left))
    assert [left] * bool(left) == [summary.split()[0] for summary in summaries(result).values()]


def test_what_is_allowed_is_reported_as_without_the_plugin(run: Run) -> None:
    """A rejection that a test may leave is logged when it dies, be it later."""
    result = run("""
kept = []

@pytest.mark.aiopromise_allow("unhandled")
@pytest.mark.asyncio(loop_scope="module")
async def test_allowed():
    kept.append(Promise.reject(KeyError()))
    await settle()

@pytest.mark.asyncio(loop_scope="module")
async def test_next(caplog):
    kept.clear()
    assert len(caplog.records) == 1
""")
    result.assert_outcomes(passed=2)


def test_a_run_that_is_broken_off_leaves_no_recording_on(pytester: pytest.Pytester) -> None:
    """As the code that called pytest.main() continues without it."""
    pytester.makepyfile("""
        def test_it():
            raise KeyboardInterrupt
    """)
    before = [*instruments]
    result = pytester.inline_run("-p", "no:cacheprovider", "-p", "no:asyncio", "--aiopromise", no_reraise_ctrlc=True)
    assert pytest.ExitCode.INTERRUPTED == result.ret
    assert before == instruments


def test_markers_add_up_and_one_without_kinds_is_for_all(run: Run) -> None:
    """A module may be relaxed in one kind, and a test in another."""
    result = run(f"""
pytestmark = pytest.mark.aiopromise_allow("pending")

@pytest.mark.aiopromise_allow("unhandled"){TWO_LEFT}
@pytest.mark.aiopromise_allow
async def test_all():
    Promise.reject(ValueError("no"))
""")
    result.assert_outcomes(passed=3)


def test_an_unknown_kind_is_refused_by_name(run: Run) -> None:
    """With the kinds that there are."""
    known = "takes unhandled, pending, losers or all, got"
    for option in ["--aiopromise-allow=losers,pendin", "-o=aiopromise_allow=pendin"]:
        # Without the library too: a worker that refuses it only later could not say so.
        result = run("def test_it(): pass", option, head="")
        assert pytest.ExitCode.USAGE_ERROR == result.ret
        assert "collected" not in result.stdout.str()
        result.stderr.fnmatch_lines([f"ERROR: *aiopromise*allow*pendin* {known} 'pendin'", "", "Write, for example: *"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("0", "takes unhandled, pending, losers or all, got 0"),
        ("['pending']", "takes unhandled, pending, losers or all, got ['pending']"),
        ("kinds='pending'", "takes no keyword arguments"),
    ],
)
def test_a_marker_that_is_misused_is_shown_as_written(run: Run, arguments: str, complaint: str) -> None:
    """With what to write instead; it does not allow all, and does not fail for a reason that says nothing."""
    result = run(f"@pytest.mark.aiopromise_allow({arguments})" + TWO_LEFT)
    result.assert_outcomes(passed=1, errors=1)
    written = f"@pytest.mark.aiopromise_allow({arguments}) {complaint}".replace("[", "[[]")
    right = 'Write*@pytest.mark.aiopromise_allow("pending", "losers")'
    result.stdout.fnmatch_lines([f"*UsageError: {written}", "E*", f"*{right}"], consecutive=True)


# ------------------------------------------------------------- on and off

LEFT = """
async def test_unhandled():
    Promise.reject(ValueError("no"))

async def test_pending():
    Promise(forever())

async def test_losers():
    await Promise.race([forever(), asyncio.sleep(0)], losers="keep")

class TestClass:
    async def test_in_a_class(self):
        Promise(forever())
"""

OFF = "--override-ini=aiopromise="


def test_nothing_is_checked_where_nobody_has_asked_for_it(run: Run) -> None:
    """No test fails, none is wrapped, and none is recorded; what it may leave says nothing by itself."""
    result = run(
        LEFT
        + """
import traceback
from aiopromise._loops import instruments_of_all as instruments

@pytest.mark.aiopromise_allow("pending")
async def test_what_is_allowed_switches_nothing_on(request):
    assert [] == instruments
    assert "looking" not in [frame.name for frame in traceback.extract_stack()]
    assert not request.config.pluginmanager.has_plugin("aiopromise-watch")
    assert not request.config.pluginmanager.has_plugin("aiopromise-start")
    Promise.reject(ValueError("no"))

@pytest.mark.aiopromise_allow("nonsense")
def test_a_marker_that_nobody_reads():
    pass
""",
        OFF,
        "--aiopromise-allow=losers",
    )
    result.assert_outcomes(passed=6)


ALL_FOUR = {"test_unhandled", "test_pending", "test_losers", "TestClass::test_in_a_class"}


@pytest.mark.parametrize(
    ("marker", "arguments", "failing"),
    [
        ("", ["-o=aiopromise=strict"], ALL_FOUR),
        ("", [OFF, "--aiopromise"], ALL_FOUR),
        ("pytestmark = pytest.mark.aiopromise", [OFF], ALL_FOUR),
        ("@pytest.mark.aiopromise", [OFF], {"test_unhandled"}),
    ],
    ids=["setting", "option", "module", "test"],
)
def test_a_setting_an_option_and_a_marker_switch_the_checks_on(
    run: Run, marker: str, arguments: list[str], failing: set[str]
) -> None:
    """For the project, for one run, and only for the tests that have the marker."""
    result = run(marker + LEFT, "--strict-markers", *arguments)
    result.assert_outcomes(passed=4, errors=len(failing))
    assert failing == {*summaries(result)}


def test_a_marker_at_a_class_checks_its_tests(run: Run) -> None:
    """And what is allowed narrows that, whichever way it is said."""
    result = run(
        """
@pytest.mark.aiopromise
class TestClass:
    async def test_left(self):
        Promise(forever())

    @pytest.mark.aiopromise_allow("unhandled")
    async def test_two(self):
        Promise.reject(ValueError("no"))
        Promise(forever())

    async def test_allowed_to_all(self):
        await Promise.race([forever(), asyncio.sleep(0)], losers="keep")

async def test_outside():
    Promise(forever())
""",
        OFF,
        "--aiopromise-allow=losers",
    )
    result.assert_outcomes(passed=4, errors=2)
    assert {
        "TestClass::test_left": "pending Promise(forever())",
        "TestClass::test_two": "pending Promise(forever())",
    } == summaries(result)


def test_a_marked_test_does_not_answer_for_others(run: Run) -> None:
    """For work left running by an unchecked test, or by a wider fixture set up in one."""
    result = run(
        """
import traceback
from aiopromise._loops import instruments_of_all as instruments

kept = []

async def poll():
    while True:
        await Promise.delay(0.001)
        Promise.reject(ValueError("of others"))

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server():
    task = asyncio.create_task(poll())
    yield Promise(forever())
    task.cancel()

@pytest.fixture(scope="module", autouse=True)
def thread():
    over = threading.Event()
    async def main():
        while not over.is_set():
            await Promise.delay(0.001)
    server = threading.Thread(target=asyncio.run, args=(main(),))
    server.start()
    yield
    over.set()
    server.join()

pytestmark = pytest.mark.asyncio(loop_scope="module")

async def test_sets_up(server):
    kept.append(asyncio.create_task(poll()))
    await asyncio.sleep(0.01)
    assert [] == instruments
    assert "looking" not in [frame.name for frame in traceback.extract_stack()]

@pytest.mark.aiopromise
async def test_checked(server, recorded_promises):
    await asyncio.sleep(0.02)
    assert [] == recorded_promises

@pytest.mark.aiopromise
async def test_leaves_one(server):
    Promise(forever())

async def test_after():
    assert [] == instruments
    Promise(forever())
""",
        OFF,
    )
    result.assert_outcomes(passed=4, errors=1)
    assert {"test_leaves_one": "pending Promise(forever())"} == summaries(result)


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ("-o=aiopromise=strct", "aiopromise = \"strct\" must be 'strict', got 'strct'"),
        ("-o=aiopromise=true", "aiopromise = \"true\" must be 'strict', got 'true'"),
        ("--aiopromise=on", "argument --aiopromise: ignored explicit argument 'on'"),
    ],
)
def test_a_setting_that_is_misspelt_is_refused_at_the_start(run: Run, argument: str, complaint: str) -> None:
    """As otherwise nothing would be checked, silently."""
    result = run("def test_it(): pass", argument, head="")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    assert "collected" not in result.stdout.str()
    result.stderr.fnmatch_lines([f"*: {complaint}"])


@pytest.mark.parametrize("arguments", ['"pending"', "allow='pending'"])
def test_the_marker_takes_no_arguments(run: Run, arguments: str) -> None:
    """What a test may leave behind is said by the other one."""
    result = run(f"@pytest.mark.aiopromise({arguments})" + TWO_LEFT, OFF)
    result.assert_outcomes(passed=1, errors=1)
    written = f"@pytest.mark.aiopromise({arguments})".replace('"', "'")
    right = (
        'Write @pytest.mark.aiopromise, and what the test may leave behind as @pytest.mark.aiopromise_allow("pending")'
    )
    result.stdout.fnmatch_lines([f"*UsageError: {written} takes no arguments", "E*", f"*{right}"], consecutive=True)


def test_the_fixture_works_where_nothing_is_checked(run: Run) -> None:
    """It lists what is made, and fails nothing; nor is anything recorded in the next test."""
    result = run(
        """
from aiopromise._loops import instruments_of_all as instruments

async def test_it(recorded_promises):
    promise = Promise(forever())
    assert [promise, Promise.reject(KeyError())] == recorded_promises

async def test_fails(recorded_promises):
    Promise(forever())
    assert 0

async def test_next():
    assert [] == instruments
    Promise(forever())
""",
        OFF,
    )
    result.assert_outcomes(passed=2, failed=1)
    assert "left behind" not in result.stdout.str()


# ---------------------------------------------------------- beside other runners


@pytest.mark.parametrize("checks", [[], ["--aiopromise"]], ids=["off", "on"])
def test_a_test_that_does_not_run_on_asyncio_is_not_disturbed(
    run: Run, pytester: pytest.Pytester, checks: list[str]
) -> None:
    """Whatever runs its coroutine; and what is made in an asyncio.run() inside is seen."""
    pytester.makeconftest("""
        def pytest_pyfunc_call(pyfuncitem):
            names = pyfuncitem._fixtureinfo.argnames
            try:
                pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}).send(None)
            except StopIteration:
                return True
    """)
    result = run(
        """
async def test_passes(tmp_path):
    assert asyncio._get_running_loop() is None

async def test_fails():
    assert 0

class TestClass:
    async def test_lists_promises(self, recorded_promises):
        assert [] == recorded_promises

async def test_loop_inside():
    async def main():
        Promise.reject(ValueError("no"))
    asyncio.run(main())
""",
        OFF,
        *checks,
        "-p",
        "no:asyncio",
        "-o",
        "asyncio_mode=",
        "-W",
        "ignore::pytest.PytestConfigWarning",
    )
    result.assert_outcomes(passed=3, failed=1, errors=bool(checks))
    assert (["test_loop_inside"] if checks else []) == [*summaries(result)]


@pytest.mark.parametrize("checks", [[], ["--aiopromise"]], ids=["off", "on"])
def test_a_test_on_trio_is_not_disturbed(run: Run, checks: list[str]) -> None:
    """Run by anyio's plugin beside the same on asyncio, which is checked."""
    pytest.importorskip("trio")
    result = run(
        """
pytestmark = pytest.mark.anyio

@pytest.fixture(params=["asyncio", "trio"], scope="module")
def anyio_backend(request):
    return request.param

@pytest.fixture(scope="module")
async def wide(anyio_backend):
    yield 1

@pytest.fixture
async def narrow(wide):
    yield 2

async def test_passes():
    pass

async def test_fixtures(wide, narrow, recorded_promises):
    assert (1, 2, []) == (wide, narrow, recorded_promises)

async def test_fails():
    assert 0

class TestBackends:
    async def test_leaves_one(self, anyio_backend):
        if anyio_backend == "asyncio":
            Promise(forever())
""",
        OFF,
        *checks,
        "-p",
        "no:asyncio",
        "-o",
        "asyncio_mode=",
        "-W",
        "ignore::pytest.PytestConfigWarning",
    )
    result.assert_outcomes(passed=6, failed=2, errors=bool(checks))
    assert (["TestBackends::test_leaves_one[asyncio]"] if checks else []) == [*summaries(result)]


@pytest.mark.parametrize(
    ("package", "version", "here"),
    [
        ("pytest", "6.2.5", "pytest 6.2.5 with pluggy *"),
        ("pluggy", "1.0.0", "pytest * with pluggy 1.0.0"),
        ("pytest", "unknown", "pytest unknown with pluggy *"),
    ],
)
def test_a_pytest_that_is_too_old_is_left_in_peace_until_checks_are_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, package: str, version: str, here: str
) -> None:
    """It starts and runs as without the plugin; using it says in one sentence what is needed."""
    needs = f"needs pytest 7.0 and pluggy 1.2 or later, got {here}"
    monkeypatch.setattr(f"{package}.__version__", version)
    silent = run(LEFT, OFF)
    silent.assert_outcomes(passed=4)
    for argument, written in (("-o=aiopromise=strict", 'aiopromise = "strict"'), ("--aiopromise", "--aiopromise")):
        refused = run(LEFT, OFF, argument)
        assert pytest.ExitCode.USAGE_ERROR == refused.ret
        refused.stderr.fnmatch_lines([f"ERROR: {written} {needs}"])
    asked = run(
        """
@pytest.mark.aiopromise
async def test_marked():
    pass

async def test_fixture(recorded_promises):
    pass

async def test_other():
    Promise(forever())
""",
        OFF,
    )
    asked.assert_outcomes(passed=1, errors=2)
    asked.stdout.fnmatch_lines(
        [f"*UsageError: @pytest.mark.aiopromise {needs}", f"*UsageError: recorded_promises {needs}"]
    )


def test_the_plugin_can_be_imported_where_pytest_has_fewer_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before 7.0, where a name that is missing in a signature would break every start."""
    for name in ("CallInfo", "Config", "Mark", "Parser", "StashKey", "TestReport"):
        monkeypatch.delattr(pytest, name)
    monkeypatch.delitem(sys.modules, "_aiopromise_pytest")
    assert callable(importlib.import_module("_aiopromise_pytest").pytest_addoption)


# ---------------------------------------------------------------- the fixture


def test_the_fixture_lists_every_promise_that_is_made(run: Run) -> None:
    """In the order in which they were made, links too, and none of another test, a fixture or the library itself."""
    result = run("""
@pytest.fixture
async def earlier():
    return Promise.resolve(0)

async def test_it(earlier, recorded_promises):
    first = Promise.resolve(1)
    link = first.then(lambda value: Promise.resolve(value))
    mapped = Promise.map([1], str)
    await mapped
    assert [first, link, mapped] == recorded_promises[:3]
    assert [1] == [promise.result() for promise in recorded_promises[3:]]

async def test_next(recorded_promises):
    assert [] == recorded_promises
""")
    result.assert_outcomes(passed=2)


def test_the_fixture_lists_them_on_a_loop_that_was_there_before(run: Run) -> None:
    """Also where everything is allowed, so that nothing was recorded on it until now."""
    result = run(
        """
pytestmark = pytest.mark.asyncio(loop_scope="module")

async def test_before():
    Promise.resolve(1)

async def test_it(recorded_promises):
    assert [Promise.resolve(1)] == recorded_promises
""",
        "--aiopromise-allow=all",
    )
    result.assert_outcomes(passed=2)


def test_the_fixture_serves_a_test_that_imports_the_library_itself(run: Run) -> None:
    """Nobody has to import it before."""
    tests = """
async def test_it(recorded_promises):
    from aiopromise import Promise
    promise = Promise.resolve(1)
    assert [promise] == recorded_promises
    Promise(forever())

async def forever():
    from asyncio import Event
    await Event().wait()
"""
    result = run(tests, head="")
    result.assert_outcomes(passed=1, errors=1)


# ----------------------------------------------------------------- the costs


def test_a_session_without_promises_does_not_import_the_library(pytester: pytest.Pytester) -> None:
    """The plugin is loaded at every start of pytest in the environment, so it asks for nothing then, on or off."""
    pytester.makepyfile("""
        def test_it():
            import pathlib
            import sys
            pathlib.Path("modules").write_text(" ".join(sys.modules))
    """)

    def modules(*options: str) -> set[str]:
        off = [argument for name in ("asyncio", "anyio", "hypothesispytest") for argument in ("-p", f"no:{name}")]
        pytester.runpytest_subprocess("-p", "no:cacheprovider", *off, *options).assert_outcomes(passed=1)
        return {*(pytester.path / "modules").read_text().split()}

    # What pytest imports is not ours: on Python 3.14 asyncio is among it.
    without = modules("-p", "no:aiopromise")
    for checks in ([], ["--aiopromise"]):
        assert {"_aiopromise_pytest"} == modules(*checks) - without


def test_watching_keeps_nothing_alive(run: Run) -> None:
    """A test that makes many promises runs in the same memory, and sees each of them die, and its loop."""
    result = run("""
import gc
import weakref

async def test_it():
    gc.collect()
    seen = weakref.WeakSet()
    for _ in range(5000):
        promise = Promise.resolve(1)
        seen.add(promise)
    assert [promise] == [*seen]

def test_loop():
    async def main():
        Promise.resolve(1).then(str)
        await settle()
        return weakref.ref(asyncio.get_running_loop())
    loop = asyncio.run(main())
    gc.collect()
    assert loop() is None
""")
    result.assert_outcomes(passed=2)


def test_promises_are_recorded_from_the_middle_of_a_test_on(run: Run) -> None:
    """Where nothing is watched the fixture switches the recording on; what was made before is none of its business."""
    result = run("""
@pytest.mark.aiopromise_allow
async def test_middle(request):
    before = Promise.reject(ValueError("no"))
    race = Promise.race([Promise(forever()), Promise.delay(0)])
    promises = request.getfixturevalue("recorded_promises")
    after = Promise.resolve(1)
    del before
    await race
    assert promises == [after]
""")
    result.assert_outcomes(passed=1)
