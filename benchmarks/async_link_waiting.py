"""What does a link with an async handler that waits one turn of the loop cost, in a long chain?

python -m benchmarks.async_link_waiting
"""

from benchmarks.async_steps import ways
from benchmarks.measure import Question
from benchmarks.steps import add_one_later

QUESTION = Question(
    name="async_link_waiting",
    text="an async link that waits one turn",
    size=5_000,
    each="link",
    ways=ways(add_one_later, "async_link_waiting"),
)

if __name__ == "__main__":
    QUESTION.main()
