"""What does a chain of 100 sync links cost, made on something pending and awaited?

python -m benchmarks.chain_of_100
"""

from functools import partial

from benchmarks import sync_link
from benchmarks.measure import Cannot, InNode, Question, Run, Way


async def _chains(run: Run, links: int) -> int:
    """Make as many chains as needed for that many links in total; a shorter one if they are fewer than 100."""
    length = min(links, 100)
    return sum([await run(length) for _ in range(links // length)])


QUESTION = Question(
    name="chain_of_100",
    text="a chain of 100 sync links, made and awaited",
    size=10_000,
    each="link",
    ways=[
        Way(way.name, partial(_chains, way.run), package=way.package, python=way.python)
        if isinstance(way, Way)
        else InNode("chain_of_100")
        if isinstance(way, InNode)
        else Cannot(way.name, "as in a long chain")
        for way in sync_link.QUESTION.ways
    ],
)

if __name__ == "__main__":
    QUESTION.main()
