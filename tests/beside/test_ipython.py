"""IPython, whose cells may await."""

import atexit
from collections.abc import Iterator
from typing import Any

import pytest

interactiveshell = pytest.importorskip(
    "IPython.core.interactiveshell", reason="IPython is not installed: see .ci/beside"
)
traitlets = pytest.importorskip("traitlets.config")


@pytest.fixture
def shell() -> Iterator[Any]:
    """Return a shell that has imported what the cells need, and keeps no history on disk."""
    config = traitlets.Config({"HistoryManager": {"enabled": False}})
    shell = interactiveshell.InteractiveShell(config=config)
    shell.run_cell("import asyncio\nfrom aiopromise import Promise").raise_error()
    yield shell
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)


def test_a_cell_awaits_a_chain(shell: Any) -> None:
    """Its value is that of the cell."""
    result = shell.run_cell("await Promise(asyncio.sleep(0.001, 4)).then(lambda number: number * 2)")
    result.raise_error()
    assert 8 == result.result


def test_a_promise_of_one_cell_is_awaited_in_the_next(shell: Any) -> None:
    """Where the first one awaits anything, too: a loop runs in such cells only."""
    shell.run_cell("await asyncio.sleep(0)\npromise = Promise(asyncio.sleep(0.001, 4)).then(str)").raise_error()
    assert "4" == shell.run_cell("await promise").result


def test_a_promise_in_a_cell_without_await_is_refused_with_what_to_write(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """For no loop is running there."""
    error = shell.run_cell("Promise(asyncio.sleep(1))").error_in_exec
    assert "Promise(sleep(...)) needs a running event loop" in str(error)
    assert "needs a running event loop" in capsys.readouterr().out
