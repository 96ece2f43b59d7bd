"""A kernel of Jupyter: its loop runs on between the cells."""

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("ipykernel", reason="ipykernel is not installed: see .ci/beside")
manager = pytest.importorskip("jupyter_client.manager")

Run = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Start a kernel, and return a function that runs a cell and returns what it shows."""
    kernel, client = manager.start_new_kernel(startup_timeout=60)

    def run(cell: str) -> list[str]:
        shown = []

        def note(message: dict) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                shown.append(content["text"])
            elif message["msg_type"] == "execute_result":
                shown.append(content["data"]["text/plain"])
            elif message["msg_type"] == "error":
                shown.append(f"{content['ename']}: {content['evalue']}")

        client.execute_interactive(cell, timeout=30, output_hook=note, allow_stdin=False)
        return shown

    yield run
    client.stop_channels()
    kernel.shutdown_kernel(now=True)


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def test_a_promise_that_one_cell_makes_is_awaited_in_another(run: Run) -> None:
    """No cell has to await anything for it: the loop of the kernel is always there."""
    assert [] == run(
        "import asyncio\nfrom aiopromise import Promise\npromise = Promise(asyncio.sleep(0.001, 4)).then(str)"
    )
    assert ["'4'"] == run("await promise")


def test_an_error_of_a_chain_is_that_of_its_cell(run: Run) -> None:
    """And one that nobody handles is shown when its promise dies."""
    assert ["OSError: no"] == run("await Promise.resolve().then(lambda _: (_ for _ in ()).throw(OSError('no')))")[-1:]
    assert ["unhandled promise rejection\nOSError: forgotten\n"] == run(
        "_ = Promise.reject(OSError('forgotten'))\ndel _\nawait asyncio.sleep(0)"
    )


def test_work_is_cancelled_in_a_later_cell(run: Run) -> None:
    run("work = asyncio.ensure_future(asyncio.sleep(3600))\nlink = Promise(work).then(print)\nawait asyncio.sleep(0)")
    assert ["True"] == run("link.cancel()\nawait asyncio.wait([link])\nwork.cancelled()")
