"""What is the same in both builds, and what is not: see docs/builds.md."""

import asyncio
import inspect
import pickle
import shutil
import subprocess
import sys
import sysconfig
import traceback
import weakref
from pathlib import Path
from types import ModuleType

import pytest

import aiopromise
from aiopromise import Promise
from type_checkers import run

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "aiopromise"
# What has declarations for the compiler beside it.
ENGINE = [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.pxd")]

only_compiled = pytest.mark.skipif(not aiopromise.compiled, reason="this build is in Python")


def module(name: str) -> ModuleType:
    return sys.modules[f"aiopromise.{name}"]


@pytest.mark.parametrize("name", ENGINE)
def test_the_package_tells_whether_its_engine_is_compiled(name: str) -> None:
    """`aiopromise.compiled` is true of all modules of the engine, or of none."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert aiopromise.compiled == (module(name).__file__ or "").endswith(suffix)


def test_nothing_but_the_engine_is_compiled() -> None:
    """Coroutines, generators and what is made once for many links are Python in both builds."""
    modules = [name for name in sys.modules if name.startswith("aiopromise.")]
    others = [name for name in modules if name.partition(".")[2] not in ENGINE]
    assert others
    assert [name for name in others if not (sys.modules[name].__file__ or "").endswith(".py")] == []


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        # Of a class of C there is none.
        *([] if aiopromise.compiled else [(Promise, "(source: Any, /) -> None")]),
        (Promise.then, "(self, on_fulfilled: Optional[Callable[[Any], Any]] = None, "),
        (Promise.finally_, "(self, on_settled: Callable[[], object], /) -> 'Promise[T_co]'"),
        (Promise.cancel, "(self, msg: Any = None) -> bool"),
        (Promise.done, "(self) -> bool"),
        (Promise.delay, "(seconds: float, value: Any = None) -> "),
    ],
)
def test_inspect_shows_the_signature_of_what_users_call(function, expected: str) -> None:
    """`inspect.signature()` reads them, in both builds."""
    shown = str(inspect.signature(function))
    if aiopromise.compiled:
        # Annotations are the text of the source.
        shown, expected = shown.replace("'", "").replace('"', ""), expected.replace("'", "")
        expected = expected.replace("Optional[Callable[[Any], Any]]", "Handler | None")
    for prefix in ("typing.", "collections.abc."):
        shown = shown.replace(prefix, "")
    shown = shown.replace("Callable[[Any], Any] | None", "Optional[Callable[[Any], Any]]")
    assert shown.startswith(expected)


def test_every_public_method_has_a_docstring_and_a_signature() -> None:
    """For help() and editors, in both builds."""
    methods = [getattr(Promise, name) for name in dir(Promise) if not name.startswith("_")]
    assert [method for method in methods if not method.__doc__ or not inspect.signature(method)] == []


def test_the_class_can_be_subscripted_and_nothing_can_inherit_from_it() -> None:
    """`Promise[int]` is an annotation at run time too; a subclass is refused with what to do instead."""
    assert f"{Promise.__module__}.Promise[int]" == str(Promise[int])
    in_python = r"^Mine cannot subclass Promise: write a function that returns one$"
    in_c = r"^type 'aiopromise._promise.Promise' is not an acceptable base type$"
    with pytest.raises(TypeError, match=in_c if aiopromise.compiled else in_python):
        type("Mine", (Promise,), {})


async def test_a_promise_can_be_referred_to_weakly_and_takes_no_attributes() -> None:
    """As a Future can; an attribute that is not there is a mistake."""
    promise = Promise.resolve(1)
    assert weakref.ref(promise)() is promise
    with pytest.raises(AttributeError):
        promise.done_ = True  # type: ignore[attr-defined]


async def test_a_promise_cannot_be_pickled_and_says_so() -> None:
    """It belongs to its event loop, in both builds."""
    with pytest.raises(
        TypeError, match="cannot be pickled or copied; it belongs to its event loop: <Promise fulfilled 1>"
    ):
        pickle.dumps(Promise.resolve(1))


async def test_a_traceback_shows_the_line_that_awaits_and_the_line_that_failed() -> None:
    """And no line of the library between them, whether that is Python or C."""

    async def fetch(number: int) -> None:
        raise OSError(f"no page {number}")

    with pytest.raises(OSError, match="no page 7") as caught:
        await Promise.resolve(7).then(fetch)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frames[0].name, "fetch"] == [frame.name for frame in frames]


async def test_an_error_of_the_call_shows_the_call() -> None:
    """The wrong call is the last line of user code in the traceback."""
    with pytest.raises(TypeError) as caught:
        Promise.resolve(1).then(3)  # type: ignore[call-overload]
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [__file__] == [frame.filename for frame in frames if "aiopromise/_" not in frame.filename.replace("\\", "/")]
    assert "then" in [frame.name.rpartition(".")[2] for frame in frames]


@only_compiled
def test_a_profiler_does_not_see_the_functions_of_a_compiled_engine() -> None:
    """What they cost is shown with what called them."""
    seen = set()

    def profile(frame, event: str, argument: object) -> None:
        seen.add(frame.f_globals.get("__name__"))

    async def main() -> int:
        sys.setprofile(profile)
        try:
            return await Promise.resolve(1).then(lambda number: number + 1)
        finally:
            sys.setprofile(None)

    assert 2 == asyncio.run(main())
    assert "asyncio.events" in seen
    assert not {f"aiopromise.{name}" for name in ENGINE} & seen


@only_compiled
def test_the_typed_face_is_that_of_a_compiled_build_too(tmp_path: Path) -> None:
    """stubtest finds no difference; test_typing.py asks it of the build in Python."""
    package = Path(aiopromise.__file__).parent
    shutil.copytree(package, tmp_path / package.name)
    shutil.copytree(ROOT / "stubs" / "aiopromise", tmp_path / package.name, dirs_exist_ok=True)
    allowed = ROOT / "tests" / "typing" / "stubtest_allowlist.txt"
    compared = run("mypy.stubtest", "aiopromise", "--concise", "--allowlist", str(allowed), PYTHONPATH=str(tmp_path))
    assert "" == compared.stdout


@only_compiled
def test_a_compiled_engine_checks_its_own_types() -> None:
    """A value that would corrupt it is refused when it is stored."""

    async def main() -> None:
        with pytest.raises(TypeError):
            Promise.resolve(1)._queue = "none"  # type: ignore[assignment]

    asyncio.run(main())


def test_importing_does_not_need_what_compiles() -> None:
    """Neither build depends on Cython or setuptools."""
    program = "import sys; sys.modules.update(dict.fromkeys(['Cython', 'cython', 'setuptools'])); import aiopromise"
    subprocess.run([sys.executable, "-c", program], check=True)
