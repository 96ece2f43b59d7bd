"""How many reactions, and how many seconds, should one drain of the queue take before others get a turn?

    python -m benchmarks.drain_bound [--loop uvloop] [--seconds 2] [--tries 3]

Runs the loads of latency.py under other bounds than those of `_engine/queue.py`; needs the pure Python build.
"""

import argparse
import asyncio
import sys

from aiopromise._engine import queue
from benchmarks.loads import LOADS, Lateness, Load, measure, p99
from benchmarks.measure import loop_factory

NO_BOUND = 10**9
BOUNDS = [
    (64, 0.002),
    (256, 0.002),
    (1024, 0.0005),
    (1024, 0.002),
    (1024, 0.01),
    (4096, 0.002),
    (4096, 0.01),
    (NO_BOUND, 0.05),
]


def under(bound: tuple[int, float], load: str, loop: str, seconds: float) -> Lateness:
    queue._MOST, queue._SECONDS = bound
    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        return runner.run(measure(Load.promises, LOADS[load], seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--tries", type=int, default=3)
    arguments = parser.parse_args()
    print(f"\nCPython {sys.version.split()[0]}, {arguments.loop} loop: bounds of a drain\n")
    print("| load | reactions | ms | timer p99 | echo p99 | steps a second |\n|---|---:|---:|---:|---:|---:|")
    for load in LOADS:
        tries: dict[tuple[int, float], list[Lateness]] = {bound: [] for bound in BOUNDS}
        for _ in range(arguments.tries):
            for bound in BOUNDS:
                tries[bound].append(under(bound, load, arguments.loop, arguments.seconds))
        for bound, results in tries.items():
            print(row(load, bound, results), flush=True)


def row(load: str, bound: tuple[int, float], results: list[Lateness]) -> str:
    most = "any" if bound[0] == NO_BOUND else str(bound[0])
    timer = min(p99(one.timer) for one in results) * 1000
    echo = min(p99(one.echo) for one in results) * 1000
    steps = max(one.rounds for one in results) * len(LOADS[load]) / 1000
    return f"| {load} | {most} | {bound[1] * 1000:g} | {timer:.1f} ms | {echo:.1f} ms | {steps:.0f} k |"


if __name__ == "__main__":
    main()
