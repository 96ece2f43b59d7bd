"""The table of the results: a promise in absolute units, and its ratio to every alternative."""

from collections.abc import Iterator
from pathlib import Path

import pyperf

from benchmarks.growth import SIZES
from benchmarks.measure import OURS, Cannot, Question
from benchmarks.questions import QUESTIONS

PEERS = [way.name for way in QUESTIONS[0].ways if way.name != OURS]


class Results:
    """The results of one interpreter on one event loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.least: dict[str, float] = {}
        for path in folder.glob("*.json"):
            for bench in pyperf.BenchmarkSuite.load(str(path)).get_benchmarks():
                # Other load on the machine can only have increased a value.
                self.least[bench.get_name()] = min(bench.get_values())
        _, python, loop, self.build = folder.name.split("-")
        self.title = f"CPython {python}, {loop} loop"

    def of(self, question: Question, way: str) -> float | None:
        return self.least.get(f"{question.name}: {way}")

    def asked(self) -> list[Question]:
        return [question for question in QUESTIONS if self.of(question, OURS) is not None]

    def growing(self, question: Question) -> dict[int, float]:
        found = {size: self.least.get(f"growth of {question.name}: {size}") for size in SIZES}
        return {size: value for size, value in found.items() if value is not None}


def table(builds: list[Results]) -> Iterator[str]:
    """Yield the lines of a Markdown table, with all builds in each cell; bold means that the alternative is faster."""
    results = builds[0]
    if not results.asked():
        return
    names = " / ".join(build.build for build in builds)
    yield f"\n{results.title}: what a promise takes, divided by what the other way takes ({names})\n"
    yield f"| question | a promise | {' | '.join(PEERS)} |"
    yield f"|---|---:|{'---:|' * len(PEERS)}"
    for question in results.asked():
        amounts = [amount(build.of(question, OURS) or 0.0, question.unit) for build in builds]
        cells = [_cell([_ratio(build, question, peer) for build in builds]) for peer in PEERS]
        yield f"| {question.text}, per {question.each} | {' / '.join(amounts)} | {' | '.join(cells)} |"
    yield "\nWhere a cell is empty:\n"
    for question in results.asked():
        missing = [f"{way.name} {_why(way)}" for way in question.ways if results.of(question, way.name) is None]
        if missing:
            yield f"- {question.text}: {'; '.join(missing)}"


def growth_table(results: Results) -> Iterator[str]:
    """Yield the lines of the growth table, if that was measured."""
    rows = {question: grown for question in QUESTIONS if (grown := results.growing(question))}
    if rows:
        sizes = sorted({size for grown in rows.values() for size in grown})
        yield f"\n{results.title}, {results.build}: how the cost of each grows with their number\n"
        yield f"| each of | {' | '.join(f'{size:,}' for size in sizes)} | last / 10,000 |"
        yield f"|---|{'---:|' * (len(sizes) + 1)}"
        for question, grown in rows.items():
            cells = [amount(grown[size], question.unit) if size in grown else "" for size in sizes]
            cells.append(f"{grown[max(grown)] / grown[10_000]:.2f}" if 10_000 in grown else "")
            yield f"| {question.text} | {' | '.join(cells)} |"


def amount(value: float, unit: str) -> str:
    if unit == "byte":
        return f"{value:.0f} bytes"
    for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {name}"
    return f"{value * 1e9:.0f} ns"


def _cell(ratios: list[str]) -> str:
    return " / ".join(ratios) if any(ratios) else ""


def _ratio(results: Results, question: Question, peer: str) -> str:
    ours, theirs = results.of(question, OURS), results.of(question, peer)
    if ours is None or theirs is None:
        return ""
    ratio = ours / theirs
    text = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
    return f"**{text}**" if ratio > 1 else text


def _why(way: object) -> str:
    if isinstance(way, Cannot):
        return way.why
    needed = getattr(way, "python", (3, 11))
    return "not installed" if needed == (3, 11) else "needs Python {}.{}".format(*needed)
