"""Does the cost of each link, await, input and item stay the same from 10 to 1,000,000 of them?

    python -m benchmarks.growth [--most 1000000]

Runs the row of the promise of every other question at growing sizes. A million inputs of `all` take some 4 GB.
"""

from benchmarks.measure import new_runner
from benchmarks.questions import QUESTIONS

SIZES = [10, 100, 1_000, 10_000, 100_000, 1_000_000]


def main() -> None:
    runner = new_runner("growth", values=2, processes=1, options={"--most": SIZES[-1]})
    for question in QUESTIONS:
        if question.size > 1:
            for size in (size for size in SIZES if size <= runner.args.most):
                # Work of microseconds is repeated until it takes long enough to be measured.
                question.bench(runner, question.ways[0], size, f"growth of {question.name}: {size}", 100 // size)


if __name__ == "__main__":
    main()
