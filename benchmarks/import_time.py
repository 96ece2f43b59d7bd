"""How long does the import take, in a fresh interpreter that has imported asyncio?

python -m benchmarks.import_time
"""

import asyncio
import subprocess
import sys
from dataclasses import dataclass

from benchmarks.measure import Cannot, Question, Way

PROGRAM = """
import asyncio, time
start = time.process_time()
import {module}
print(time.process_time() - start)
"""


async def nothing(size: int) -> int:
    return size


@dataclass(frozen=True)
class Import(Way):
    """The import of the program's first module; its package is found without importing it."""

    module: str = ""

    def seconds(self, size: int, expected: object, runner: asyncio.Runner) -> float:
        command = [sys.executable, "-c", PROGRAM.format(module=self.module)]
        return float(subprocess.run(command, capture_output=True, check=True).stdout)


QUESTION = Question(
    name="import_time",
    text="import, after asyncio",
    size=1,
    each="import",
    ways=[
        Import("promise", nothing, module="aiopromise"),
        Cannot("await", "nothing to import"),
        Cannot("futures", "nothing to import"),
        Cannot("callbacks", "nothing to import"),
        Cannot("eager Tasks", "nothing to import"),
        Cannot("gather", "nothing to import"),
        Cannot("TaskGroup", "nothing to import"),
        Import("promisio", nothing, module="promisio", package="promisio"),
        Import("promise 2.3", nothing, module="promise", package="promise"),
        Import("Twisted", nothing, module="twisted.internet.defer", package="twisted"),
        Import("aiostream", nothing, module="aiostream", package="aiostream"),
        Cannot("Node", "nothing to import"),
    ],
)

if __name__ == "__main__":
    QUESTION.main()
