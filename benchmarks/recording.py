"""What does a recording add to a link that is made, run and settled?

    python -m benchmarks.recording [--tries 200]

Chains of a thousand links, with and without `record()`, take turns; of all tries the least counts. The time is that of
the processor.
"""

import argparse
import asyncio
from contextlib import nullcontext
from time import process_time

from aiopromise import Promise
from aiopromise.inspect import record

LINKS = 1000


def step(number: int) -> int:
    return number


async def seconds() -> float:
    """Make a chain, settle it, and return the seconds for each link."""
    start = process_time()
    promise, resolve, _ = Promise.with_resolvers()
    for _ in range(LINKS):
        promise = promise.then(step)
    resolve(0)
    await promise
    return (process_time() - start) / LINKS


async def main(tries: int) -> None:
    without, recorded = [], []
    for _ in range(tries):
        for times, recording in ((without, nullcontext()), (recorded, record())):
            with recording:
                times.append(await seconds())
    added = min(recorded) - min(without)
    print(f"a link: {min(without) * 1e9:,.0f} ns; a recording adds {added * 1e9:,.0f} ns")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=200)
    asyncio.run(main(parser.parse_args().tries))
