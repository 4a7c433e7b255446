# SPDX-License-Identifier: Apache-2.0
"""Pack the engine: find its modules and libraries, write the packed tree, run the packed engine."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import ignition
from ignition.errors import IgnitionError
from ignition.initramfs import imports, substitutes
from ignition.initramfs.imports import Import, Reach
from ignition.initramfs.packed_tree import LANDMARK, Module, PackedTree, base_interpreter
from ignition.initramfs.probe import EXTRAS
from ignition.initramfs.trials import Job, Outcome, perform, trials

__all__ = ["pack"]

SUBSTITUTED = frozenset({"certifi", "ctypes.util", "dataclasses"})
"""Modules whose own source is not packed; see `substitutes`."""


def pack(root: Path) -> list[str]:
    """Pack the engine below `root` and run its trials there.

    Args:
        root: the root directory of an initramfs that is being built.

    Returns:
        Paths of system files that the packed engine needs in addition: shared libraries
        and the CA bundle.

    Raises:
        IgnitionError: a file is missing, or the packed engine behaves differently.
    """
    reach = imports.reach()
    bundle = substitutes.ca_bundle()
    before = run_unpacked(reach, bundle)
    tree = PackedTree(root)
    tree.write(modules(before))
    tree.add(data(before))
    tree.substitute({**early_substitutes(bundle), "ctypes.util": substitutes.ctypes_util(before.asked)})
    after = run_packed(tree, reach)
    refuse_differences(before, after, tree)
    system_files = sorted({bundle, *libraries(after, tree)})
    tree.write_list(system_files)
    return system_files


def run_unpacked(reach: Reach, bundle: str) -> Outcome:
    """Run the trials in this Python; distributions that the engine does not require are hidden."""
    with tempfile.TemporaryDirectory() as directory, trials() as tried:
        for name, source in early_substitutes(bundle).items():
            Path(directory, f"{name}.py").write_text(source, "utf-8")
        job = Job(
            imports=ordered(reach),
            extras=extras(reach),
            trials=tried,
            # An import hook finds an editable installation, and a child interpreter has no such hook.
            path=(directory, str(Path(ignition.__file__).parents[1]), *sys.path),
            hidden=tuple(substitutes.hidden(item.module for item in reach.foreign)),
        )
        return perform((str(base_interpreter()), "-I", "-S"), job)


def run_packed(tree: PackedTree, reach: Reach) -> Outcome:
    """Run the same trials in the packed Python, whose search path is the packed tree alone."""
    with trials() as tried:
        job = Job(imports=ordered(reach), extras=extras(reach), trials=tried)
        return perform((str(tree.python), "-I", "-S", "-X", "utf8"), job)


def early_substitutes(bundle: str) -> dict[str, str]:
    """Sources of the substitutes that the first trials use too, because they need fewer modules."""
    return {"certifi": substitutes.certifi(bundle), "dataclasses": substitutes.dataclasses()}


def ordered(reach: Reach) -> tuple[Import, ...]:
    """All imports, the engine's modules first."""
    return (*(Import(module) for module in sorted(reach.modules)), *sorted(reach.foreign))


def extras(reach: Reach) -> tuple[str, ...]:
    """Names of the extra trials (`probe.EXTRAS`) for the foreign modules that the engine imports."""
    return tuple(sorted({item.module.partition(".")[0] for item in reach.foreign}.intersection(EXTRAS)))


def modules(seen: Outcome) -> list[Module]:
    """Modules to pack: all that were loaded from a file, and the landmark."""
    found = [
        Module(name, Path(file), package)
        for name, (file, package) in seen.modules.items()
        if file and name not in SUBSTITUTED
    ]
    return [*found, Module(LANDMARK, library_source(LANDMARK))]


def data(seen: Outcome) -> dict[Path, Path]:
    """Map places in the packed library to the data files that packages read from their directories.

    Other data files are not packed. boto3 describes all AWS services in 30 MB; S3 needs 1 % of it.
    """
    return {Path(package, path): Path(file) for package, path, file in seen.data}


def library_source(name: str) -> Path:
    """Path of the source of a top-level module of the standard library."""
    import sysconfig

    return Path(sysconfig.get_path("stdlib"), f"{name}.py")


def refuse_differences(before: Outcome, after: Outcome, tree: PackedTree) -> None:
    """Compare the trials in the packed Python with those before.

    Raises:
        IgnitionError: the packed engine misses a module, or loaded one from outside of its tree.
    """
    missing = sorted(
        name for name in after.missing - before.missing if not is_inside_substitute(name, before.modules)
    )
    if missing:
        raise IgnitionError(
            f"cannot pack the engine: modules not found in the packed tree: {', '.join(missing)}"
        )
    strays = sorted(file for file, _ in after.modules.values() if file and not tree.owns(file))
    if strays:
        raise IgnitionError(
            f"cannot pack the engine: modules loaded from outside the packed tree: {', '.join(strays)}"
        )


def is_inside_substitute(name: str, modules: Mapping[str, tuple[str, bool]]) -> bool:
    """Whether `name` is a submodule of a substituted module."""
    return name in modules and any(name.startswith(f"{part}.") for part in SUBSTITUTED)


def libraries(outcome: Outcome, tree: PackedTree) -> list[str]:
    """Shared libraries that the packed engine loaded from the system, with the links to them."""
    loaded = (Path(path) for path in outcome.libraries if ".so" in Path(path).name and not tree.owns(path))
    return [str(path) for library in loaded for path in (library, *links_to(library))]


def links_to(library: Path) -> list[Path]:
    """Versioned symlinks beside a library that lead to it: `libz.so.1` for `libz.so.1.2.13`."""
    siblings = library.parent.glob(f"{library.name.partition('.so')[0]}.so.*")
    return [path for path in siblings if path.is_symlink() and path.resolve() == library]
