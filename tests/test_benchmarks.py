"""The benchmarks measure the same work whichever way it is done, and at every size that they run."""

import pytest
from benchmarks.measure import Way
from benchmarks.questions import QUESTIONS

SIZES = [1, 10, 1_000]

# The other libraries have warnings of their own.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def ways():
    for question in QUESTIONS:
        for way in question.ways:
            if isinstance(way, Way) and not way.lacks():
                for size in SIZES if question.size > 1 else [1]:
                    yield pytest.param(question, way, size, id=f"{question.name}-{way.name}-{size}".replace(" ", "_"))


@pytest.mark.parametrize(("question", "way", "size"), [*ways()])
def test_a_way_gives_the_result_that_the_question_expects(question, way, size):
    assert question.measure(way, size, "asyncio") >= 0
