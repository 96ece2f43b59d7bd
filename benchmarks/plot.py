"""The plot of the results: a panel for each question, and one for the growth."""

from pathlib import Path
from typing import Any

from benchmarks.measure import OURS
from benchmarks.report import Results, amount

COLUMNS = 4


def draw(builds: list[Results], path: Path) -> None:
    """Write the plot to *path*: SVG, PNG or whatever its suffix says. They differ only in the build."""
    results = builds[0]
    import matplotlib as mpl

    mpl.use("Agg")
    # The same results give the same file.
    mpl.rcParams.update(
        {"svg.hashsalt": "aiopromise", "svg.fonttype": "none", "font.size": 8, "axes.spines.top": False}
    )
    import matplotlib.pyplot as plt

    questions = results.asked()
    grown = [question for question in questions if results.growing(question)]
    lines = -(-(len(questions) + bool(grown)) // COLUMNS)
    figure, axes = plt.subplots(lines, COLUMNS, figsize=(16, 2.9 * lines), layout="constrained", squeeze=False)
    panels = iter(axes.flat)
    for question in questions:
        _bars(next(panels), builds, question)
    if grown:
        _lines(next(panels), results, grown)
    for unused in panels:
        unused.set_visible(False)
    figure.suptitle(f"{results.title}; shorter is better, and the scales are logarithmic")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _bars(panel: Any, builds: list[Results], question: Any) -> None:
    measured = {way.name: builds[0].of(question, way.name) for way in question.ways}
    measured = {f"{OURS}, {build.build}": build.of(question, OURS) for build in builds} | measured
    del measured[OURS]
    values = {name: value for name, value in reversed(measured.items()) if value is not None}
    colors = ["#d4572a" if name.startswith(f"{OURS},") else "#8aa5b8" for name in values]
    bars = panel.barh(list(values), list(values.values()), color=colors)
    panel.bar_label(bars, [amount(value, question.unit) for value in values.values()], padding=2, fontsize=7)
    panel.set_xscale("log")
    panel.set_xlim(min(values.values()) / 2, max(values.values()) * 6)
    panel.set_xticks([])
    panel.minorticks_off()
    panel.set_title(f"{question.text}, per {question.each}", fontsize=8, loc="left")


def _lines(panel: Any, results: Results, grown: list[Any]) -> None:
    for question in grown:
        if question.unit == "second":
            costs = results.growing(question)
            panel.plot(list(costs), [cost * 1e6 for cost in costs.values()], marker=".", label=question.name)
    panel.set(xscale="log", yscale="log", ylabel="µs each", xlabel="how many")
    panel.set_title("growth of the promise's rows", fontsize=8, loc="left")
    # In the empty space next to it.
    panel.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.02, 1)).set_in_layout(False)
