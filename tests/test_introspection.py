"""What asyncio's own tools show of a program that makes promises."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
from aiopromise import Promise

async def fetch_page(text):
    await asyncio.Event().wait()

async def close_file():
    await asyncio.Event().wait()

async def main():
    page = Promise.resolve("home").then(fetch_page)
    file = Promise.resolve("home").finally_(close_file)
    await asyncio.sleep(0)
    print("running", flush=True)
    await asyncio.wait([page, file])

asyncio.run(main())
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="python -m asyncio pstree came with Python 3.14")
def test_pstree_shows_the_tasks_that_links_start_under_the_names_of_their_handlers() -> None:
    """Whoever looks at a running program from outside sees what it is about."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        try:
            assert "running\n" == program.stdout.readline()
            command = [sys.executable, "-m", "asyncio", "pstree", str(program.pid)]
            shown = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            program.kill()
    if "PermissionError" in shown.stderr or "Operation not permitted" in shown.stderr:
        pytest.skip("this machine does not let one program look at another")
    assert ["close_file", "fetch_page"] == sorted(
        line.rpartition(" ")[2] for line in shown.stdout.splitlines() if "(T)" in line and "Task-" not in line
    )
