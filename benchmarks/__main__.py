"""Runs all questions, and prints the results.

    python -m benchmarks [--fast] [--python PATH]... [--loop asyncio]... [--plot PATH]

With two interpreters of the same version, of which one has the compiled build, both stand in one table.

Every way runs in processes of its own, and all ways of all interpreters and loops take turns, round after round, so
that what else the machine does falls on all alike. `--fast` takes about two minutes on a quiet machine, the full run
about a quarter of an hour for each interpreter and loop.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.plot import draw
from benchmarks.questions import QUESTIONS
from benchmarks.report import Results, growth_table, table

NAMES = [*(question.name for question in QUESTIONS), "growth", "latency"]
HERE = Path(__file__).parent

# For each folder of results, the interpreter and the loop that produce them.
Runs = dict[Path, tuple[str, str]]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=f"only these, of {', '.join(NAMES)}")
    parser.add_argument("--fast", action="store_true", help="one round, one loop, and growth to 10,000 only")
    parser.add_argument("--rounds", type=int, default=4, help="how often all take their turn")
    parser.add_argument("--python", action="append", help="an interpreter that has the library and the group bench")
    parser.add_argument("--loop", action="append", choices=["asyncio", "uvloop"], help="default: both, --fast asyncio")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="the folder for what was measured")
    parser.add_argument("--plot", type=Path, help="where the plot of the first interpreter and loop goes, too")
    parser.add_argument("--report", action="store_true", help="measure nothing, show what is in the folder")
    return parser.parse_args()


def runs_of(arguments: argparse.Namespace) -> Runs:
    runs = {}
    for python in arguments.python or [sys.executable]:
        version = _output(python, "import platform; print(platform.python_version())")
        build = _output(python, "import aiopromise; print('compiled' if aiopromise.compiled else 'pure')")
        for loop in arguments.loop or (["asyncio"] if arguments.fast else ["asyncio", "uvloop"]):
            if loop == "uvloop" and not _output(
                python, "import importlib.util as u; print(u.find_spec('uvloop') or '')"
            ):
                print(f"{python} has no uvloop")
            else:
                runs[arguments.results.absolute() / f"cpython-{version}-{loop}-{build}"] = (python, loop)
    return runs


def _output(python: str, program: str) -> str:
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def measure(arguments: argparse.Namespace, runs: Runs) -> None:
    names = arguments.questions or NAMES
    for folder in runs:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            folder.joinpath(f"{name}.json").unlink(missing_ok=True)
    for _ in range(1 if arguments.fast else arguments.rounds):
        for name in names:
            if name not in ("growth", "latency"):
                for run in runs.items():
                    _ask(name, run, "--quiet", "--processes=1", "--values=2" if arguments.fast else "--values=6")
    for run in runs.items():
        if "growth" in names:
            _ask("growth", run, "--quiet", "--most=10000" if arguments.fast else "--most=1000000")
        if "latency" in names:
            text = _ask("latency", run, *(["--seconds=1", "--tries=1"] if arguments.fast else []))
            run[0].joinpath("latency.md").write_text(text)


def _ask(name: str, run: tuple[Path, tuple[str, str]], *options: str) -> str:
    folder, (python, loop) = run
    command = ["-m", f"benchmarks.{name}", "--loop", loop, *options]
    if name != "latency":
        command.append(f"--append={folder / name}.json")
    print(folder.name, name, file=sys.stderr, flush=True)
    return subprocess.run([python, *command], stdout=subprocess.PIPE, text=True, check=True, cwd=HERE.parent).stdout


def by_build(folders: list[Path]) -> list[list[Path]]:
    """Return lists of those that differ only in the build, the pure one first."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        found.setdefault(folder.name.rpartition("-")[0], []).append(folder)
    return [sorted(together, reverse=True) for together in found.values()]


def show(folders: list[Path], plot: Path | None) -> None:
    builds = [Results(folder) for folder in folders]
    print("\n".join(table(builds)))
    for results in builds:
        print("\n".join(growth_table(results)))
        latency = results.folder / "latency.md"
        print(latency.read_text() if latency.exists() else "")
    if builds[0].asked():
        for path in (folders[0] / "plot.svg", plot):
            if path is not None:
                _draw(builds, path)


def _draw(builds: list[Results], path: Path) -> None:
    try:
        draw(builds, path)
    except ImportError:
        print("there is no plot without matplotlib")
    else:
        print(f"{path} shows it")


def main() -> None:
    arguments = parsed()
    if arguments.report:
        folders = sorted(arguments.results.glob("cpython-*"))
    else:
        runs = runs_of(arguments)
        measure(arguments, runs)
        folders = list(runs)
    for together in by_build(folders):
        show(together, arguments.plot if folders[0] in together else None)


if __name__ == "__main__":
    main()
