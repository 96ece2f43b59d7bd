"""What pytest imports when it starts: the names of the plugin, and no more.

It lies beside the package, for to import a module of a package is to import the package; and most of the test
sessions in an environment do without promises.
"""

import sys
from collections.abc import Iterable
from typing import Any, Final

import pytest

KINDS: Final = ("unhandled", "pending", "losers")

_ALLOW = "aiopromise_allow"
_WATCH = "aiopromise-watch"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the setting that say what tests may leave behind."""
    kinds = "unhandled, pending, losers, or all"
    parser.addini(_ALLOW, f"what a test may leave behind of its promises: {kinds}", type="args", default=[])
    group = parser.getgroup("aiopromise")
    text = f"what tests may leave behind of their promises, with commas: {kinds}"
    group.addoption("--aiopromise-allow", default="", metavar="KINDS", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and refuse what is misspelt before anything runs."""
    line = f"{_ALLOW}(*kinds): what the test may leave behind of its promises: unhandled, pending, losers; or all"
    config.addinivalue_line("markers", line)
    allowed_to_all(config)


def allowed_to_all(config: pytest.Config) -> set[str]:
    """Return the kinds that the option and the setting allow to every test."""
    option = config.getoption("--aiopromise-allow")
    setting = config.getini(_ALLOW)
    given = [name.strip() for name in option.split(",")] if option else []
    return _kinds(f"--aiopromise-allow={option}", given, "--aiopromise-allow=pending,losers") | _kinds(
        f"{_ALLOW} = {setting}", setting, f'{_ALLOW} = ["pending", "losers"]'
    )


def allowed_by(mark: pytest.Mark) -> set[str]:
    """Return the kinds that a marker allows to its tests."""
    keywords = [f"{name}={value!r}" for name, value in mark.kwargs.items()]
    written = f"@pytest.mark.{mark.name}({', '.join([*map(repr, mark.args), *keywords])})"
    right = f'@pytest.mark.{mark.name}("pending", "losers")'
    if keywords:
        raise pytest.UsageError(f"{written} takes no keywords\n\nWrite the kinds by themselves, as {right}")
    return _kinds(written, mark.args or ["all"], right)


def _kinds(written: str, names: Iterable[Any], right: str) -> set[str]:
    unknown = [name for name in names if name not in (*KINDS, "all")]
    if unknown:
        wrong = ", ".join(map(repr, unknown))
        raise pytest.UsageError(
            f"{written} knows {', '.join(KINDS)} and all, got {wrong}\n\nWrite some of these, as {right}"
        )
    return {*KINDS} if "all" in names else {*names}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Watch over the tests from the first on before which somebody has imported the library."""
    _watch_if_imported(item.config)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> None:
    """Watch over the test whose fixtures were the first to import it, too."""
    _watch_if_imported(item.config)


@pytest.fixture
def recorded_promises(request: pytest.FixtureRequest) -> list[Any]:
    """Return the list of the promises that are made in this test, from here on, in their order."""
    kept: list[Any] = _watch(request.config).keep()
    return kept


def _watch_if_imported(config: pytest.Config) -> None:
    if "aiopromise" in sys.modules:
        _watch(config)


def _watch(config: pytest.Config) -> Any:
    watch = config.pluginmanager.get_plugin(_WATCH)
    if watch is None:
        from aiopromise._pytest_plugin import Watch

        watch = Watch(config, allowed_to_all(config), allowed_by)
        config.pluginmanager.register(watch, _WATCH)
    return watch
