# SPDX-License-Identifier: Apache-2.0
"""The packed tree: a Python installation that contains the engine and nothing else.

    usr/bin/ignition                              starts the engine
    usr/bin/python3                               symlink to the packed interpreter
    usr/lib/ignition-runtime/bin/python3          copy of the distribution's interpreter
    usr/lib/ignition-runtime/lib/python3.X/       all modules
    usr/lib/ignition-runtime/files                list of files that the image must contain (see `image`)

With one directory for all modules, an import looks into one directory. Byte code is written in the place of
the source (`name.pyc`, no `__pycache__`), so the interpreter does not look for sources and compares no times.
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

__all__ = ["QUIET", "RUNTIME", "Module", "PackedTree", "base_interpreter"]

RUNTIME: Final = Path("usr/lib/ignition-runtime")
LAUNCHER: Final = Path("usr/bin/ignition")
LIST: Final = RUNTIME / "files"

LINK: Final = Path("usr/bin/python3")
"""dracut looks for the interpreters of scripts on the build host, so the launcher names an interpreter that
exists there. In the image this path is a symlink to the packed interpreter."""

BYTECODE: Final = Path(__file__).with_name("bytecode.py")

WITH_ASSERTIONS: Final = 0
WITHOUT_ASSERTIONS: Final = 1

LANDMARK: Final = "os"
"""The interpreter finds its library directory by the file of this module, although the module is frozen."""

QUIET: Final = ("ignore:Unable to find acceptable character detection",)
"""Warning filter: requests warns about character set detection, which is left out (see `substitutes`)."""

LAUNCH: Final = f"""\
#!/usr/bin/python3 -ISXutf8
import gc, os, sys
# A stage takes seconds: collecting cycles costs more time than the memory is worth.
gc.disable()
sys.warnoptions += {list(QUIET)}
from ignition.cli import main
status = main()
for stream in filter(None, (sys.stdout, sys.stderr)):
    stream.flush()
# The kernel frees the memory at once; the interpreter would free object by object.
os._exit(status)
"""


@dataclass(frozen=True)
class Module:
    """A module to pack: its name, its file, whether it is a package."""

    name: str
    file: Path
    package: bool = False

    @property
    def is_source(self) -> bool:
        """Whether the file is Python source; otherwise it is a shared object."""
        return self.file.suffix == ".py"

    @property
    def place(self) -> Path:
        """Path of the packed module, relative to the library directory."""
        path = Path(*self.name.split("."))
        if self.package:
            path /= "__init__"
        suffix = ".pyc" if self.is_source else "".join(self.file.suffixes)
        return path.with_name(path.name + suffix)

    @property
    def level(self) -> int:
        """Optimisation level of the compiler. The engine keeps its assertions."""
        return WITH_ASSERTIONS if self.name.partition(".")[0] == "ignition" else WITHOUT_ASSERTIONS


@dataclass(frozen=True)
class PackedTree:
    """A packed tree below `root`, the root directory of the initramfs."""

    root: Path

    @property
    def python(self) -> Path:
        """Path of the packed interpreter."""
        return self.root / RUNTIME / "bin/python3"

    @property
    def library(self) -> Path:
        """Directory of the packed modules."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.root / RUNTIME / sys.platlibdir / version

    def write(self, modules: Iterable[Module]) -> None:
        """Write interpreter, modules and launcher.

        Raises:
            CommandFailed: a module does not compile.
            OSError: a file cannot be read or written, or another dracut module has installed a Python.
        """
        self.python.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(base_interpreter(), self.python)
        # Without this directory the interpreter prints a warning at each start.
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
        """Copy data files to their places in the library.

        JSON is written without white space, which is half of its size.
        """
        for place, file in data.items():
            target = self.library / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".json":
                target.write_text(json.dumps(json.loads(file.read_bytes()), separators=(",", ":")), "utf-8")
            else:
                shutil.copyfile(file, target)

    def substitute(self, sources: Mapping[str, str]) -> None:
        """Write modules from source texts, by module name."""
        scratch = self.root / RUNTIME / "scratch.py"
        for name, source in sources.items():
            scratch.write_text(source, "utf-8")
            self._compile([Module(name, scratch)])
        scratch.unlink(missing_ok=True)

    def owns(self, path: str) -> bool:
        """Whether the file is inside the packed Python installation."""
        return Path(path).is_relative_to((self.root / RUNTIME).resolve())

    def files(self) -> Iterator[Path]:
        """List the packed files, relative to the root of the initramfs."""
        yield LAUNCHER
        yield LINK
        for path in sorted((self.root / RUNTIME).rglob("*")):
            if path.is_file():
                yield path.relative_to(self.root)

    def write_list(self, system_files: Iterable[str]) -> None:
        """Write the list of files that the image must contain: the tree and these system files."""
        packed = [f"/{path}" for path in self.files()]
        everything = sorted({*packed, f"/{LIST}", *system_files})
        (self.root / LIST).write_text("".join(f"{path}\n" for path in everything), "utf-8")

    def _copy(self, modules: Iterable[Module]) -> None:
        for module in modules:
            target = self.library / module.place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(module.file, target)
            # dracut strips and resolves libraries only of executable files.
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
        """Remove symbols to save space, if the build host has `strip`."""
        if shutil.which("strip"):
            objects = (str(path) for path in (self.python, *self.library.rglob("*.so")))
            run(Command(("strip", "--strip-unneeded", *objects), "stripping the packed tree"))


def base_interpreter() -> Path:
    """Path of the distribution's interpreter, outside of any virtual environment."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(sys.base_prefix, "bin", version).resolve(strict=True)
