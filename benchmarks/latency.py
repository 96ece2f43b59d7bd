"""With 10,000 chains busy, how late are a timer and a socket echo on the same loop, against plain Tasks?

    python -m benchmarks.latency [--loop uvloop] [--seconds 3] [--tries 5]

Promises and Tasks take turns; of all tries the least p99 and the least maximum count, for other programs on the
machine can only add to them. The steps of all chains a second tell how much work was done meanwhile. Seconds are
those of the processor.
"""

import argparse
import asyncio
import sys

import aiopromise
from benchmarks.loads import LOADS, Lateness, Load, measure, p99
from benchmarks.measure import loop_factory

WAYS = {"promise": Load.promises, "Tasks": Load.tasks}


def tries_of(load: str, loop: str, seconds: float, tries: int) -> dict[str, list[Lateness]]:
    results: dict[str, list[Lateness]] = {name: [] for name in WAYS}
    for _ in range(tries):
        for name, begin in WAYS.items():
            with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
                results[name].append(runner.run(measure(begin, LOADS[load], seconds)))
    return results


def rows(load: str, results: dict[str, list[Lateness]]) -> list[str]:
    gauges = {
        "timer, p99 late": lambda one: p99(one.timer),
        "timer, most late": lambda one: one.timer[-1],
        "echo, p99": lambda one: p99(one.echo),
        "echo, longest": lambda one: one.echo[-1],
    }
    lines = []
    for name, gauge in gauges.items():
        ours, theirs = (min(map(gauge, results[way])) * 1000 for way in WAYS)
        lines.append(f"| {load} | {name} | {ours:.1f} ms | {theirs:.1f} ms | {ours / theirs:.2f} |")
    steps = len(LOADS[load])
    ours, theirs = (max(one.rounds for one in results[way]) * steps / 1000 for way in WAYS)
    lines.append(f"| {load} | steps a second | {ours:.0f} k | {theirs:.0f} k | {ours / theirs:.2f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--tries", type=int, default=5)
    arguments = parser.parse_args()
    build = "compiled" if aiopromise.compiled else "pure"
    print(f"\nCPython {sys.version.split()[0]}, {build}, {arguments.loop} loop: 10,000 busy chains beside others\n")
    print("| load | measured | promise | Tasks | promise / Tasks |\n|---|---|---:|---:|---:|")
    for load in LOADS:
        results = tries_of(load, arguments.loop, arguments.seconds, arguments.tries)
        print("\n".join(rows(load, results)), flush=True)


if __name__ == "__main__":
    main()
