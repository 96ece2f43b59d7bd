"""Each way of each benchmark does the work that its question expects, at every size.

In a process of their own, as other libraries keep the loop that they have first seen.
"""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from benchmarks.measure import Way
from benchmarks.questions import QUESTIONS

for question in QUESTIONS:
    for way in question.ways:
        if isinstance(way, Way) and not way.lacks():
            for size in (1, 10, 1_000) if question.size > 1 else (1,):
                try:
                    question.measure(way, size, "asyncio")
                except (Exception, SystemExit) as error:
                    print(question.name, way.name, size, repr(error))
print("measured")
"""


@pytest.mark.slow
def test_every_way_gives_the_result_that_its_question_expects() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=Path(__file__).parent.parent, capture_output=True, check=True, text=True
    )
    assert "measured\n" == ran.stdout, ran.stderr
