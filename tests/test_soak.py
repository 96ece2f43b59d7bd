"""Nothing grows under a mixed load: the short run of ``python benchmarks/soak.py``, and that it would notice.

The run of a minute is ``python benchmarks/soak.py --minutes 1``.
"""

import asyncio
import importlib.util
import mmap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from aiopromise import Promise

pytestmark = pytest.mark.slow


def _soak() -> ModuleType:
    path = Path(__file__).parent.parent / "benchmarks" / "soak.py"
    specification = importlib.util.spec_from_file_location("soak", path)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


soak = _soak()
SYSTEM_TELLS = Path("/proc/self/fd").is_dir()


async def test_a_mixed_load_leaves_nothing_behind() -> None:
    """Neither memory nor objects, Tasks, timers, files or threads."""
    result = await soak.soak(links=200_000, seconds=60)
    assert [] == result.grown, str(result)
    assert result.done["cancellations"] > 20_000


def _objects(kept: list) -> object:
    return kept.append([Promise.resolve(number).then(str) for number in range(20)])


def _memory(kept: list) -> object:
    # Of its own: what other tests have freed is taken first for anything else.
    memory = mmap.mmap(-1, 200_000)
    memory.write(b"x" * 200_000)
    return kept.append(memory)


def _tasks(kept: list) -> object:
    return kept.append(asyncio.create_task(asyncio.sleep(3600)))


def _timers(kept: list) -> object:
    return kept.append(asyncio.get_running_loop().call_later(3600, str))


def _files(kept: list) -> object:
    return kept.append(Path(__file__).open("rb"))


@pytest.mark.parametrize(
    ("leak", "expected"),
    [(_objects, "objects"), (_memory, "bytes resident"), (_tasks, "tasks"), (_timers, "timers"), (_files, "files")],
    ids=["objects", "memory", "tasks", "timers", "files"],
)
async def test_what_grows_is_told(leak: Callable[[list], object], expected: str) -> None:
    """The run would fail if a thousand links left something behind."""
    if expected in {"files", "bytes resident"} and not SYSTEM_TELLS:
        pytest.skip("this system does not tell")
    kept: list = []

    async def leaking(load: object) -> None:
        load.links(1_000)
        leak(kept)

    result = await soak.soak(links=200_000, seconds=60, scenes=[leaking])
    assert expected in result.grown, str(result)
    assert str(result).endswith(f"GREW: {', '.join(result.grown)}")
    for one in kept:
        getattr(one, "cancel", getattr(one, "close", list))()
