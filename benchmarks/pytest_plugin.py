"""What does the pytest plugin cost, unused and with its checks on: a session without promises, and a promise in a test?

    python -m benchmarks.pytest_plugin [--tries 30]

Sessions without the plugin, with it, and with its checks on take turns; of all tries the least counts. Seconds are
those of the processor, of the whole session, and in the test of the making of its promises.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

WAYS = {"without it": ("-p", "no:aiopromise"), "with it": (), "checking": ("--aiopromise",)}

EMPTY = """
def test_nothing():
    pass
"""

PROMISES = 10_000

MAKING = f"""
import asyncio
import time

from aiopromise import Promise


def test_many():
    async def main():
        start = time.process_time()
        for _ in range({PROMISES}):
            Promise.resolve()
        print("seconds:", time.process_time() - start)

    asyncio.run(main())
"""


def session(tests: str, options: tuple[str, ...]) -> tuple[float, str]:
    """Run pytest on *tests*; return the CPU time in seconds, and the output."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_it.py").write_text(tests)
        command = [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider", *options, "test_it.py"]
        environment = os.environ | {"PYTEST_ADDOPTS": ""}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, shown.stdout


def start_up(options: tuple[str, ...]) -> float:
    return session(EMPTY, options)[0]


def promise(options: tuple[str, ...]) -> float:
    [seconds] = re.findall(r"seconds: (\S+)", session(MAKING, options)[1])
    return float(seconds) / PROMISES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=30)
    tries = parser.parse_args().tries
    print(f"| measured | {' | '.join(WAYS)} | with it / without | checking / without |\n|---|{'---:|' * 5}")
    for name, gauge, unit, factor in (
        ("a session that makes no promise", start_up, "ms", 1e3),
        ("making a promise", promise, "µs", 1e6),
    ):
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(tries):
            for way, options in WAYS.items():
                found[way].append(gauge(options))
        without, unused, checking = (min(found[way]) * factor for way in WAYS)
        times = " | ".join(f"{time:.1f} {unit}" for time in (without, unused, checking))
        print(f"| {name} | {times} | {unused / without:.3f} | {checking / without:.3f} |", flush=True)


if __name__ == "__main__":
    main()
