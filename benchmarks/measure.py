"""Runs the alternatives that a question compares, each in its own processes, through pyperf."""

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from time import process_time
from typing import Any

OURS = "promise"
NODE = "Node"

Run = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True)
class Way:
    """One way to do the work. It is called with the size, or with the result of *prepare*, which is not timed."""

    name: str
    run: Run
    prepare: Run | None = None
    package: str = ""
    python: tuple[int, int] = (3, 11)

    def lacks(self) -> str:
        """Return the reason why this way cannot run here, if any."""
        if sys.version_info < self.python:
            return "needs Python {}.{}".format(*self.python)
        if self.package and find_spec(self.package) is None:
            return "not installed"
        return ""

    def seconds(self, size: int, expected: object, runner: asyncio.Runner) -> float:
        return runner.run(self._seconds(size, expected))

    def bytes(self, size: int, expected: object, runner: asyncio.Runner) -> float:
        return runner.run(self._bytes(size, expected))

    async def _seconds(self, size: int, expected: object) -> float:
        subject = size if self.prepare is None else await self.prepare(size)
        gc.collect()
        # CPU time: none of the ways sleeps, and time taken by other programs is not its cost.
        start = process_time()
        result = await self.run(subject)
        seconds = process_time() - start
        _check(self.name, expected, result)
        return seconds

    async def _bytes(self, size: int, expected: object) -> float:
        """Measure the size of what *run* returns: a function that holds everything, and checks it when called."""
        gc.collect()
        tracemalloc.start()
        finish = await self.run(size)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        _check(self.name, expected, await finish())
        return held


@dataclass(frozen=True)
class InNode:
    """The same work in Node, by the function of that name in anchor.mjs, which measures itself."""

    function: str
    name: str = NODE

    def lacks(self) -> str:
        return "" if which("node") else "not installed"

    def seconds(self, size: int, expected: object, runner: asyncio.Runner) -> float:
        script = Path(__file__).with_name("anchor.mjs")
        command = ["node", "--expose-gc", str(script), self.function, str(size)]
        answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        _check(self.name, expected, answer["result"])
        return answer["measured"]

    bytes = seconds


@dataclass(frozen=True)
class Cannot:
    """A way that cannot do this work, and why."""

    name: str
    why: str

    def lacks(self) -> str:
        return self.why


@dataclass(frozen=True, eq=False)
class Question:
    """The question, how many of what are measured at a time, and the ways to do it."""

    name: str
    text: str
    size: int
    each: str
    ways: Sequence[Way | InNode | Cannot]
    expected: Callable[[int], object] = lambda size: size
    unit: str = "second"

    def measure(self, way: Way | InNode, size: int, loop: str) -> float:
        with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
            gauge = way.bytes if self.unit == "byte" else way.seconds
            return gauge(size, self.expected(size), runner)

    def main(self) -> None:
        """Run all ways: ``python -m benchmarks.<name> [--loop uvloop]``, and every option of pyperf."""
        runner = new_runner(self.name)
        for way in self.ways:
            if isinstance(way, Cannot) or way.lacks():
                if not runner.args.worker:
                    print(f"{self.name}: {way.name}: {way.lacks()}")
            else:
                self.bench(runner, way, self.size, f"{self.name}: {way.name}")

    def bench(self, runner: Any, way: Way | InNode, size: int, name: str, times: int = 1) -> None:
        """Measure *way* as one row of pyperf, per link or whatever there are *size* of; the smallest value counts."""

        def measure(loops: int) -> float:
            return loops * min(self.measure(way, size, runner.args.loop) for _ in range(times or 1))

        runner.bench_time_func(name, measure, inner_loops=size, metadata={"unit": self.unit})


def new_runner(script: str, options: Mapping[str, int] | None = None, **defaults: Any) -> Any:
    """Return the pyperf runner for ``python -m benchmarks.<script>``, with a choice of the event loop."""
    # Imported here, as the questions are also imported by code that does not run them.
    import pyperf

    options = options or {}

    def hand_on(command: list[str], arguments: Any) -> None:
        for option in ("--loop", *options):
            command += [option, str(getattr(arguments, option.strip("-")))]

    runner = pyperf.Runner(
        **{"values": 5, "processes": 3, "warmups": 1, "loops": 1} | defaults,
        program_args=("-m", f"benchmarks.{script}"),
        add_cmdline_args=hand_on,
    )
    runner.argparser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio", help="the event loop")
    for option, default in options.items():
        runner.argparser.add_argument(option, type=int, default=default)
    runner.parse_args()
    return runner


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop


def _check(name: str, expected: object, result: object) -> None:
    # Not `assert`: a way that does different work from the rest must also be detected under -O.
    if expected != result:
        raise SystemExit(f"{name} gives {result!r:.80}, not {expected!r:.80}")
