"""What pytest imports when it starts: only the names of the plugin.

It is next to the package, not in it, as importing a module imports its package; and most test sessions in an
environment do not use promises.
"""

# An older pytest lacks some of the names in the signatures, and must still be able to start.
from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any, Final, final

import pluggy
import pytest

KINDS: Final = ("unhandled", "pending", "losers")
_NAMES: Final = f"{', '.join(KINDS)}, or all"

_CHECK = "aiopromise"
_ALLOW = "aiopromise_allow"
_START = "aiopromise-start"
_WATCH = "aiopromise-watch"

# pytest 7.0 is the first with the names that the checks use, and pluggy 1.2 the first with `wrapper=True`.
_PYTEST: Final = "7.0"
_PLUGGY: Final = "1.2"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and settings that say whether tests are checked, and what they may leave behind."""
    parser.addini(_CHECK, "strict: fail a test that leaves promises behind", default="")
    parser.addini(_ALLOW, f"what a checked test may leave behind: {_NAMES}", type="args", default=[])
    group = parser.getgroup("aiopromise")
    text = 'fail tests that leave promises behind, like the setting aiopromise = "strict"'
    group.addoption("--aiopromise", action="store_true", default=False, help=text)
    text = f"what checked tests may leave behind, comma-separated: {_NAMES}"
    group.addoption("--aiopromise-allow", default="", metavar="KINDS", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and reject what is misspelt or unavailable before anything runs."""
    line = f"{_CHECK}: fail the test if it leaves promises behind"
    config.addinivalue_line("markers", line)
    line = f"{_ALLOW}(*kinds): what a checked test may leave behind: {_NAMES}"
    config.addinivalue_line("markers", line)
    allowed_to_all(config)
    if written := _checks_all(config):
        _refuse_old_versions(written)
    config.pluginmanager.register(_Start(bool(written)), _START)


def is_checked(item: pytest.Item) -> bool:
    """Return whether checks are enabled for the test: by the project, the command line or a marker."""
    return bool(_checks_all(item.config)) or item.get_closest_marker(_CHECK) is not None


def allowed_to_all(config: pytest.Config) -> set[str]:
    """Return the kinds that the option and the setting allow for every test."""
    option = config.getoption("--aiopromise-allow")
    setting = config.getini(_ALLOW)
    given = [name.strip() for name in option.split(",")] if option else []
    return _kinds(f"--aiopromise-allow={option}", given, "--aiopromise-allow=pending,losers") | _kinds(
        f"{_ALLOW} = {setting}", setting, f'{_ALLOW} = ["pending", "losers"]'
    )


def allowed_by(mark: pytest.Mark) -> set[str]:
    """Return the kinds that a marker allows for its tests."""
    written = _as_written(mark)
    right = f'@pytest.mark.{mark.name}("pending", "losers")'
    if mark.kwargs:
        raise pytest.UsageError(f"{written} takes no keyword arguments\n\nWrite {right}")
    return _kinds(written, mark.args or ["all"], right)


@final
class _Start:
    """The hooks that load the checks once there is something to check."""

    def __init__(self, checks_all: bool) -> None:
        self._checks_all = checks_all

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Unregister in a session without checks."""
        # If one test is marked, the others are watched too, so that their work is not attributed to that one.
        if not self._checks_all and not any(item.get_closest_marker(_CHECK) for item in session.items):
            session.config.pluginmanager.unregister(self)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Start watching at the first test before which the library has been imported."""
        _watch_if_imported(item.config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Reject a marker that is meaningless, or not available here."""
        for mark in item.iter_markers(_CHECK):
            if mark.args or mark.kwargs:
                right = f"Write @pytest.mark.{_CHECK}, and what the test may leave behind as @pytest.mark.{_ALLOW}"
                raise pytest.UsageError(f'{_as_written(mark)} takes no arguments\n\n{right}("pending")')
            _refuse_old_versions(f"@pytest.mark.{_CHECK}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> None:
        """Also watch a test whose fixtures were the first to import it."""
        _watch_if_imported(item.config)


@pytest.fixture
def recorded_promises(request: pytest.FixtureRequest) -> list[Any]:
    """Return the list of the promises made in this test from here on, in order."""
    _refuse_old_versions("recorded_promises")
    kept: list[Any] = _watch(request.config).keep()
    return kept


def _checks_all(config: pytest.Config) -> str:
    """Return the option or the setting that enables the checks for all tests, as written; else an empty string."""
    if config.getoption("--aiopromise"):
        return "--aiopromise"
    setting = config.getini(_CHECK)
    written = f'{_CHECK} = "{setting}"'
    if setting not in ("", "strict"):
        right = f'Write {_CHECK} = "strict", or leave it out for no checks'
        raise pytest.UsageError(f"{written} must be 'strict', got {setting!r}\n\n{right}")
    return written if setting else ""


def _refuse_old_versions(written: str) -> None:
    if _are_versions_old():
        here = f"pytest {pytest.__version__} with pluggy {pluggy.__version__}"
        raise pytest.UsageError(f"{written} needs pytest {_PYTEST} and pluggy {_PLUGGY} or later, got {here}")


def _are_versions_old() -> bool:
    return _numbers(pytest.__version__) < _numbers(_PYTEST) or _numbers(pluggy.__version__) < _numbers(_PLUGGY)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:2]]


def _as_written(mark: pytest.Mark) -> str:
    keywords = [f"{name}={value!r}" for name, value in mark.kwargs.items()]
    return f"@pytest.mark.{mark.name}({', '.join([*map(repr, mark.args), *keywords])})"


def _kinds(written: str, names: Iterable[Any], right: str) -> set[str]:
    unknown = [name for name in names if name not in (*KINDS, "all")]
    if unknown:
        wrong = ", ".join(map(repr, unknown))
        raise pytest.UsageError(
            f"{written} takes {', '.join(KINDS)} or all, got {wrong}\n\nWrite, for example: {right}"
        )
    return {*KINDS} if "all" in names else {*names}


def _watch_if_imported(config: pytest.Config) -> None:
    if "aiopromise" in sys.modules and not _are_versions_old():
        _watch(config)


def _watch(config: pytest.Config) -> Any:
    watch = config.pluginmanager.get_plugin(_WATCH)
    if watch is None:
        from aiopromise._pytest.plugin import Watch

        watch = Watch(config, is_checked, allowed_to_all(config), allowed_by)
        config.pluginmanager.register(watch, _WATCH)
    return watch
