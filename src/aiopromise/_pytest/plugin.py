"""The pytest hooks: fail a test that leaves behind unhandled rejections or running promises."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Final, final

import pytest

from aiopromise._pytest.attribution import Project, others
from aiopromise._pytest.recording import Leftover, Recording

__all__ = ["Watch"]

_HINTS: Final = {
    "unhandled": (
        "rejected, and never handled",
        "Await it in the test, give it a catch(), or expect it with aiopromise.testing.assert_rejected()",
    ),
    "pending": (
        "still running when the test ended",
        "Await it in the test, or cancel() it and await it",
    ),
    "losers": (
        "lost to another promise, and still running when the test ended",
        'Cancel it with losers="cancel", or await it in the test',
    ),
}

# A summary is one line, however much there is to report.
_MOST_PLACES: Final = 5


@final
class Watch:
    """The hooks that check each test."""

    def __init__(
        self,
        config: pytest.Config,
        is_checked: Callable[[pytest.Item], bool],
        allowed: set[str],
        allowed_by: Callable[[pytest.Mark], set[str]],
    ) -> None:
        """Read what tests may leave behind."""
        self._is_checked = is_checked
        self._allowed = allowed
        self._allowed_by = allowed_by
        # Not the working directory, which a test may change or remove.
        self._directory = config.invocation_params.dir
        self._project = Project(config.rootpath)
        self.recording: Recording | None = None
        # Entered for an unchecked test, so that its work is not attributed to a checked one.
        self._unchecked = ExitStack()
        # Leftovers are reported once: with the first failure, or as the only one.
        self._untold = True

    def keep(self) -> list[Any]:
        """Return the list to which the running test's promises are added from now on."""
        recording = self.recording or self._start()
        if recording.kept is None:
            recording.kept = []
        return recording.kept

    def _start(self) -> Recording:
        self.recording = Recording(self._project)
        self.recording.start()
        return self.recording

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record promises from now on."""
        self._untold = True
        self._allowed_to(item)  # a wrong marker is reported even if there are no leftovers
        self._start_if_wanted(item)
        if self.recording is None:
            self._unchecked.enter_context(others())
        return (yield)

    def _start_if_wanted(self, item: pytest.Item) -> None:
        # Even if a marker allows everything: on a wider-scoped loop, recording would start too late for the next test.
        if self.recording is None and self._allowed != {*_HINTS} and self._is_checked(item):
            self._start()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Ignore what a wider-scoped fixture makes in its setup and teardown."""
        if fixturedef.scope == "function":
            return (yield)
        ending = ExitStack()
        request.addfinalizer(ending.close)  # the first one added is called last
        with others() if self.recording is None else self.recording.paused():
            result = yield
        request.addfinalizer(lambda: ending.enter_context(others()))
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: Any) -> Generator[None, object, object]:
        """Look for leftovers after the test, before its fixtures are torn down."""
        self._start_if_wanted(item)  # its fixtures may have been the first to import the library
        if self.recording is None:
            return (yield)
        function = getattr(item, "obj", None)
        # A plugin that runs a coroutine function may close the loop before returning to pytest.
        if iscoroutinefunction(function):
            item.obj = _looking(function, self.recording)
        try:
            return (yield)
        finally:
            self.recording.look()
            if iscoroutinefunction(function):
                item.obj = function

    def pytest_fixture_post_finalizer(self) -> None:
        """Look again: a fixture may have ended work that the test started. The loop goes last."""
        if self.recording is not None:
            self.recording.look()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail for leftovers, if nothing else has failed."""
        try:
            result = yield
        finally:
            if self.recording is not None:
                self.recording.stop()
            self._unchecked.close()
        if self._untold and (text := self._told(item)):
            pytest.fail(text, pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show leftovers with a failure, as they may be the cause.

        Only here is it known how the test ended: unittest does not re-raise what it catches.
        """
        report = yield
        if self._untold and report.failed and (text := self._told(item)):
            report.sections.append((f"Captured promises {report.when}", text))
        self._untold = self._untold and report.passed
        if report.when == "teardown":
            self.recording = None
        return report

    def pytest_unconfigure(self) -> None:
        """Switch everything off if the run was interrupted."""
        if self.recording is not None:
            self.recording.stop()
        self._unchecked.close()

    def _told(self, item: pytest.Item) -> str | None:
        """Return the report of the leftovers, once."""
        self._untold = False
        left = self.recording.leftovers({*_HINTS} - self._allowed_to(item)) if self.recording else []
        return _report(left, self._directory) if left else None

    def _allowed_to(self, item: pytest.Item) -> set[str]:
        if not self._is_checked(item):
            return {*_HINTS}
        return self._allowed.union(*map(self._allowed_by, item.iter_markers("aiopromise_allow")))


def _looking(function: Any, recording: Recording) -> Any:
    @wraps(function)
    async def looking(*args: Any, **kwargs: Any) -> Any:
        with recording.at_work():
            return await function(*args, **kwargs)

    return looking


def _report(left: list[Leftover], directory: Path) -> str:
    def place(leftover: Leftover) -> str:
        frame = leftover.origin.frames[-1]
        path = Path(frame.filename)
        return f"{path.relative_to(directory) if path.is_relative_to(directory) else path}:{frame.lineno}"

    places: dict[str, dict[str, list[Leftover]]] = {}
    for one in sorted(left, key=lambda one: [*_HINTS].index(one.kind)):
        places.setdefault(one.kind, {}).setdefault(place(one), []).append(one)
    lines = [_summary(places)]
    for kind, found in places.items():
        what, hint = _HINTS[kind]
        lines += ["", f"{what}:", *(_entry(where, ones) for where, ones in found.items()), hint]
        lines.append(f'If this is intended, mark the test: @pytest.mark.aiopromise_allow("{kind}")')
    return "\n".join(lines)


def _summary(places: dict[str, dict[str, list[Leftover]]]) -> str:
    """Return the first line, which is all that the summary shows."""
    words = [
        f"{kind} {where}" + (f" ({len(ones):,} times)" if len(ones) > 1 else "")
        for kind, found in places.items()
        for where, ones in found.items()
    ]
    more = len(words) - _MOST_PLACES
    return f"left behind: {', '.join(words[:_MOST_PLACES])}" + (f", and {more:,} more places" if more > 0 else "")


def _entry(where: str, ones: list[Leftover]) -> str:
    frame = ones[0].origin.frames[-1]
    text = "\n".join(f"      {line}" for line in ones[0].what.splitlines())
    more = f"\n      ... and {len(ones) - 1:,} more made there" if len(ones) > 1 else ""
    return f"  made at {where}, in {frame.name}: {frame.line}\n{text}{more}"
