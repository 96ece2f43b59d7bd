"""Builds the wheel: with types that have the docstrings, and a compiled engine if AIOPROMISE_COMPILE=1 is set."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import docify
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Cython's options; annotations are for type checkers, and Cython has the declarations next to the modules.
DIRECTIVES = {"language_level": 3, "annotation_typing": False, "binding": True, "auto_pickle": False}


class WheelHook(BuildHookInterface[Any]):
    """Puts the types beside the modules, and compiles each module that has a ``.pxd`` file of declarations."""

    def dependencies(self) -> list[str]:
        """Return the requirements for compiling, if it is to be compiled."""
        return ["Cython>=3.2", "setuptools>=80"] if is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the types and the compiled modules into the wheel; an editable install stays pure Python."""
        self._folder = Path(tempfile.mkdtemp())
        stubs = documented(Path(self.root), self._folder / "stubs")
        build_data["force_include"][str(stubs / "aiopromise")] = "aiopromise"
        if not is_wanted() or version == "editable":
            return
        shutil.copytree(Path(self.root, "src", "aiopromise"), self._folder / "aiopromise")
        built = compiled(self._folder)
        for module in built.rglob("*.*"):
            build_data["force_include"][str(module)] = str(module.relative_to(built))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._folder)


def documented(root: Path, folder: Path) -> Path:
    """Copy the types to *folder*, each with the docstring of what it describes: language servers read it there."""
    sys.path.insert(0, str(root / "src"))
    import aiopromise

    # What only the types divide into several classes.
    for name in ("_Chainable", "_Factories", "_PromiseType"):
        setattr(aiopromise, name, aiopromise.Promise)
    shutil.copytree(root / "stubs", folder)
    docify.run(input_dirs=[folder])
    return folder


def is_wanted() -> bool:
    """Return whether the engine is to be compiled."""
    return os.environ.get("AIOPROMISE_COMPILE", "") not in {"", "0"}


def compiled(folder: Path) -> Path:
    """Compile the package in *folder*, and return the folder with the extension modules."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    extensions = []
    here = Path.cwd()
    os.chdir(folder)  # tracebacks show the files as they are given here
    try:
        for declarations in sorted(Path("aiopromise").rglob("*.pxd")):
            in_cython = declarations.with_suffix(".pyx")
            source = in_cython if in_cython.exists() else declarations.with_suffix(".py")
            name = ".".join(declarations.with_suffix("").parts)
            extensions.append(Extension(name, [str(source)], extra_compile_args=["-O3", "-g0"]))
        distribution = Distribution({"ext_modules": cythonize(extensions, compiler_directives=DIRECTIVES, quiet=True)})
        command = distribution.get_command_obj("build_ext")
        command.build_lib = "built"
        command.parallel = os.cpu_count()
        command.ensure_finalized()
        command.run()
        return folder / "built"
    finally:
        os.chdir(here)
