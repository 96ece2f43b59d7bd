"""Who makes a promise: the test being checked, or code that runs alongside; the project being tested, or others."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, Final

__all__ = ["Project", "TestScope", "others", "package_of"]

# Inherited by Tasks and callbacks from the code that starts them: the mark of a test, or of code that outlives tests.
_mark: Final[ContextVar[object]] = ContextVar("aiopromise_test", default=None)
_OTHERS: Final = object()

# Where installers put packages, also in an environment within a project.
_INSTALLED: Final = {"site-packages", "dist-packages"}


class Project:
    """The code below a folder, whether it is run from there or from an installed copy; but not its environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[str, str], bool] = {}

    def owns(self, frame: FrameType) -> bool:
        """Return whether the code of *frame* is the project's own, and not a dependency's."""
        # Generated code has no file, but belongs to a module.
        filename = str(frame.f_globals.get("__file__", frame.f_code.co_filename))
        place = filename, package_of(frame)
        if place not in self._known:
            self._known[place] = self._is_below(Path(filename)) or self._is_installed_from_here(place[1])
        return self._known[place]

    def _is_below(self, path: Path) -> bool:
        return path.is_relative_to(self._folder) and _INSTALLED.isdisjoint(path.relative_to(self._folder).parts)

    def _is_installed_from_here(self, package: str) -> bool:
        sources = (self._folder, self._folder / "src") if package else ()
        return any((source / package).is_dir() or (source / f"{package}.py").is_file() for source in sources)


class TestScope:
    """The code of one test, and everything that it starts."""

    def __init__(self) -> None:
        # A bare object, as a leftover Task keeps it alive.
        self._mark = object()
        # For code without the variable: before Python 3.14 a thread does not inherit it.
        self._preexisting_threads = {*threading.enumerate()} - {threading.current_thread()}

    def start(self) -> None:
        """Attribute new promises to this test."""
        _mark.set(self._mark)

    def stop(self) -> None:
        """Stop attributing promises to this test."""
        _mark.set(None)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Attribute promises made in this block to the test, whatever the current context."""
        with _marked(self._mark):
            yield

    @contextmanager
    def away(self) -> Iterator[None]:
        """Attribute this block, and whatever it starts, to others."""
        before = {*threading.enumerate()}
        try:
            with others():
                yield
        finally:
            self._preexisting_threads |= {*threading.enumerate()} - before

    def is_at_work(self) -> bool:
        """Return whether the current code belongs to this test."""
        mark = _mark.get()
        return threading.current_thread() not in self._preexisting_threads if mark is None else mark is self._mark

    def may_have_begun(self, task: "asyncio.Task[Any]") -> bool:
        """Return whether *task* is not known to belong to others; before Python 3.12 nothing is known."""
        context: Context = getattr(task, "get_context", Context)()
        return context.get(_mark) in (None, self._mark)


def package_of(frame: FrameType) -> str:
    """Return the top-level package whose code *frame* runs."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


@contextmanager
def others() -> Iterator[None]:
    """Attribute this block, and whatever it starts, to no test."""
    with _marked(_OTHERS):
        yield


@contextmanager
def _marked(mark: object) -> Iterator[None]:
    # Reset by hand: a token is only valid in its own context, and fixtures may be torn down in another one.
    before = _mark.get()
    _mark.set(mark)
    try:
        yield
    finally:
        _mark.set(before)
