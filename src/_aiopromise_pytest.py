"""What pytest imports when it starts: the names of the plugin, and no more.

It lies beside the package, for to import a module of a package is to import the package; and most of the test
sessions in an environment do without promises.
"""

import sys
from typing import Any

import pytest

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
    """Make the marker known."""
    line = f"{_ALLOW}(*kinds): what the test may leave behind of its promises: unhandled, pending, losers; or all"
    config.addinivalue_line("markers", line)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Watch over the tests from the first on before which somebody has imported the library."""
    if "aiopromise" in sys.modules:
        _watch(item.config)


@pytest.fixture
def recorded_promises(request: pytest.FixtureRequest) -> list[Any]:
    """Return the list of the promises that are made in this test, from here on, in their order."""
    kept: list[Any] = _watch(request.config).keep()
    return kept


def _watch(config: pytest.Config) -> Any:
    watch = config.pluginmanager.get_plugin(_WATCH)
    if watch is None:
        from aiopromise._pytest_plugin import Watch

        watch = Watch(config)
        config.pluginmanager.register(watch, _WATCH)
    return watch
