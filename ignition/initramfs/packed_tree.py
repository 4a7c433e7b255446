"""The packed tree: a Python installation with the engine in it and nothing else.

    usr/bin/ignition                              starts the engine
    usr/bin/python3                               leads to the next
    usr/lib/ignition-runtime/bin/python3          the distribution's interpreter
    usr/lib/ignition-runtime/lib/python3.X/       all modules, whoever wrote them
    usr/lib/ignition-runtime/files                what the image must hold (see `image`)

One directory for all modules means one look per import. Byte code stands where the
source would (`name.pyc`, no `__pycache__`): the interpreter then neither looks for
sources nor compares times.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ignition.host.command import Command
from ignition.host.run import run

__all__ = ["QUIET", "RUNTIME", "Module", "Tree", "base_interpreter"]

RUNTIME: Final = Path("usr/lib/ignition-runtime")
LAUNCHER: Final = Path("usr/bin/ignition")
LIST: Final = RUNTIME / "files"

LINK: Final = Path("usr/bin/python3")
"""dracut looks for the interpreters of scripts on the building machine, so the launcher
names one that is there; in the image it leads to the packed one."""

BYTECODE: Final = Path(__file__).with_name("bytecode.py")

WITH_ASSERTIONS: Final = 0
WITHOUT_ASSERTIONS: Final = 1

LANDMARK: Final = "os"
"""The interpreter knows its library's directory by this module, though it has a frozen copy."""

QUIET: Final = ("ignore:Unable to find acceptable character detection",)
"""requests misses what is left out on purpose, see `substitutes`."""

LAUNCH: Final = f"""\
#!/usr/bin/python3 -ISXutf8
import gc, os, sys
# A stage is over in seconds: collecting cycles costs more time than it saves memory.
gc.disable()
sys.warnoptions += {list(QUIET)}
from ignition.cli import main
status = main()
for stream in filter(None, (sys.stdout, sys.stderr)):
    stream.flush()
# The kernel takes the memory back at once; the interpreter would go through all of it.
os._exit(status)
"""


@dataclass(frozen=True)
class Module:
    """One module to be packed: its name, where its code is, whether it is a package."""

    name: str
    file: Path
    package: bool = False

    @property
    def is_source(self) -> bool:
        """Whether it is to be compiled; otherwise it is a shared object."""
        return self.file.suffix == ".py"

    @property
    def place(self) -> Path:
        """Where it goes, from the library's directory."""
        path = Path(*self.name.split("."))
        if self.package:
            path /= "__init__"
        suffix = ".pyc" if self.is_source else "".join(self.file.suffixes)
        return path.with_name(path.name + suffix)

    @property
    def level(self) -> int:
        """How far it is optimised. The engine keeps its assertions."""
        return WITH_ASSERTIONS if self.name.partition(".")[0] == "ignition" else WITHOUT_ASSERTIONS


@dataclass(frozen=True)
class Tree:
    """A packed tree below `root`, the initramfs's root directory."""

    root: Path

    @property
    def python(self) -> Path:
        """The packed interpreter."""
        return self.root / RUNTIME / "bin/python3"

    @property
    def library(self) -> Path:
        """The directory of the packed modules."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.root / RUNTIME / sys.platlibdir / version

    def write(self, modules: Iterable[Module]) -> None:
        """Write interpreter, modules and launcher.

        Raises:
            CommandFailed: a module does not compile.
            OSError: a file cannot be read or written, or another module has brought a Python.
        """
        self.python.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(base_interpreter(), self.python)
        # Its absence is reported on stderr at each start.
        (self.library / "lib-dynload").mkdir(parents=True, exist_ok=True)
        every = sorted(modules, key=lambda module: module.name)
        self._copy(module for module in every if not module.is_source)
        self._compile(module for module in every if module.is_source)
        launcher = self.root / LAUNCHER
        launcher.parent.mkdir(parents=True, exist_ok=True)
        launcher.write_text(LAUNCH, "utf-8")
        launcher.chmod(0o755)
        self._strip()
        link = self.root / LINK
        link.symlink_to(os.path.relpath(self.python, link.parent))

    def add(self, data: Mapping[Path, Path]) -> None:
        """Copy files that are no modules: from where they are to their places in the library.

        JSON goes without its blanks, which are half of it.
        """
        for place, file in data.items():
            target = self.library / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".json":
                target.write_text(json.dumps(json.loads(file.read_bytes()), separators=(",", ":")), "utf-8")
            else:
                shutil.copyfile(file, target)

    def substitute(self, sources: Mapping[str, str]) -> None:
        """Write modules whose sources are given, in place of those of the same names."""
        scratch = self.root / RUNTIME / "scratch.py"
        for name, source in sources.items():
            scratch.write_text(source, "utf-8")
            self._compile([Module(name, scratch)])
        scratch.unlink(missing_ok=True)

    def owns(self, path: str) -> bool:
        """Whether a file lies in the tree."""
        return Path(path).is_relative_to((self.root / RUNTIME).resolve())

    def files(self) -> Iterator[Path]:
        """The packed files, from the initramfs's root."""
        yield LAUNCHER
        yield LINK
        for path in sorted((self.root / RUNTIME).rglob("*")):
            if path.is_file():
                yield path.relative_to(self.root)

    def write_list(self, system_files: Iterable[str]) -> None:
        """Write down what the image must hold: the tree, and these files of the system."""
        packed = [f"/{path}" for path in self.files()]
        everything = sorted({*packed, f"/{LIST}", *system_files})
        (self.root / LIST).write_text("".join(f"{path}\n" for path in everything), "utf-8")

    def _copy(self, modules: Iterable[Module]) -> None:
        for module in modules:
            target = self.library / module.place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(module.file, target)
            # dracut looks at executable files only when it strips and resolves libraries.
            target.chmod(0o755)

    def _compile(self, modules: Iterable[Module]) -> None:
        work = []
        for module in modules:
            target = self.library / module.place
            target.parent.mkdir(parents=True, exist_ok=True)
            shown = module.place.with_suffix(".py")
            work.append((str(module.file), str(target), str(shown), module.level))
        compiler = (str(base_interpreter()), "-I", "-X", "no_debug_ranges", str(BYTECODE))
        run(Command(compiler, "compiling the packed modules", stdin=json.dumps(work).encode()))

    def _strip(self) -> None:
        """Drop symbols, when the building machine can: it makes the image smaller, nothing else."""
        if shutil.which("strip"):
            objects = (str(path) for path in (self.python, *self.library.rglob("*.so")))
            run(Command(("strip", "--strip-unneeded", *objects), "stripping the packed tree"))


def base_interpreter() -> Path:
    """The interpreter under the virtual environment, if there is one: the distribution's own."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(sys.base_prefix, "bin", version).resolve(strict=True)
