"""For pytest: a test fails for what it leaves behind: rejections that nobody handled, promises that still run."""

import os
from collections.abc import Generator, Iterable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Final, final

import pytest

from aiopromise._leftovers import KINDS, Leftover, Recording

__all__ = ["Watch"]

_HINTS: Final = {
    "unhandled": (
        "rejected, and nobody handled it",
        "Await it in the test, give it a catch(), or expect it with aiopromise.testing.assert_rejected()",
    ),
    "pending": (
        "still running when the test was over",
        "Await it in the test, or cancel() it and await its end",
    ),
    "losers": (
        "lost to another promise, and still running when the test was over",
        'Stop it with losers="cancel", or await it in the test',
    ),
}


@final
class Watch:
    """The hooks that watch over each test."""

    def __init__(self, config: pytest.Config) -> None:
        """Read what tests may leave behind."""
        option = config.getoption("--aiopromise-allow")
        self._allowed = _kinds("--aiopromise-allow", option.split(",") if option else [])
        self._allowed |= _kinds("aiopromise_allow", config.getini("aiopromise_allow"))
        self.recording: Recording | None = None
        self._passed = False

    def keep(self) -> list[Any]:
        """Return the list that the promises of the running test are added to from now on."""
        recording = self.recording or self._start()
        if recording.kept is None:
            recording.kept = []
        return recording.kept

    def _start(self) -> Recording:
        self.recording = Recording()
        self.recording.start()
        return self.recording

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record what is made from now on, if there is anything that may not be left behind."""
        if self._allowed_to(item) != {*KINDS}:
            self._start()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, object, object]:
        """Leave out what a fixture makes that outlives the test."""
        if self.recording is None or fixturedef.scope == "function":
            return (yield)
        with self.recording.paused():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: Any) -> Generator[None, object, object]:
        """Look at the end of a coroutine function: whoever runs it may close the loop before it returns to pytest."""
        function = pyfuncitem.obj
        if self.recording is None or not iscoroutinefunction(function):
            return (yield)
        pyfuncitem.obj = _looking(function, self.recording)
        try:
            return (yield)
        finally:
            pyfuncitem.obj = function

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Look when the test is over, before its fixtures are; where it failed, show what may be the reason."""
        self._passed = False
        try:
            result = yield
            self._passed = True
        finally:
            if self.recording is not None:
                self.recording.look()
                if not self._passed and (left := self._left_by(item, self.recording)):
                    item.add_report_section("call", "promises", _report(left))
        return result

    def pytest_fixture_post_finalizer(self) -> None:
        """Look again: a fixture may have ended what the test began. The last to go is the loop."""
        if self.recording is not None:
            self.recording.look()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail for what was left behind; not where the test has failed itself."""
        recording = self.recording
        try:
            result = yield
        finally:
            self.recording = None
            if recording is not None:
                recording.stop()
        if recording is not None and self._passed:
            left = self._left_by(item, recording)
            if left:
                pytest.fail(_report(left), pytrace=False)
        return result

    def _left_by(self, item: pytest.Item, recording: Recording) -> list[Leftover]:
        allowed = self._allowed_to(item)
        return [leftover for leftover in recording.leftovers() if leftover.kind not in allowed]

    def _allowed_to(self, item: pytest.Item) -> set[str]:
        return self._allowed.union(*map(_kinds_of, item.iter_markers("aiopromise_allow")))


def _looking(function: Any, recording: Recording) -> Any:
    @wraps(function)
    async def looking(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        finally:
            recording.look()

    return looking


def _kinds_of(mark: pytest.Mark) -> set[str]:
    return _kinds("@pytest.mark.aiopromise_allow", mark.args or ["all"])


def _kinds(where: str, names: Iterable[Any]) -> set[str]:
    given = {name.strip() if isinstance(name, str) else name for name in names}
    unknown = given - {*KINDS, "all"}
    if unknown:
        wrong = ", ".join(sorted(map(repr, unknown)))
        raise pytest.UsageError(f"{where} knows {', '.join(KINDS)} and all, got {wrong}")
    return {*KINDS} if "all" in given else given


def _report(left: list[Leftover]) -> str:
    # The first line is all that the summary shows.
    lines = [f"left behind: {', '.join(f'{one.kind} {_place(one)}' for one in left)}"]
    for kind in KINDS:
        found = [leftover for leftover in left if leftover.kind == kind]
        if found:
            what, hint = _HINTS[kind]
            lines += ["", f"{what}:", *map(_entry, found), hint]
            lines.append(f'If it is meant so, mark the test: @pytest.mark.aiopromise_allow("{kind}")')
    return "\n".join(lines)


def _entry(leftover: Leftover) -> str:
    frame = leftover.origin[-1]
    text = "\n".join(f"      {line}" for line in leftover.what.splitlines())
    return f"  made at {_place(leftover)}, in {frame.name}: {frame.line}\n{text}"


def _place(leftover: Leftover) -> str:
    frame = leftover.origin[-1]
    path = os.path.relpath(frame.filename)
    return f"{frame.filename if path.startswith('..') else path}:{frame.lineno}"
