"""What does a link with an async handler that does not wait cost, in a long chain?

python -m benchmarks.async_link
"""

from benchmarks.async_steps import ways
from benchmarks.measure import Question
from benchmarks.steps import add_one_async

QUESTION = Question(
    name="async_link",
    text="an async link that does not wait",
    size=5_000,
    each="link",
    ways=ways(add_one_async, "async_link"),
)

if __name__ == "__main__":
    QUESTION.main()
