"""Collecting the engine: find out what it takes, pack that, try the packed engine out."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import ignition
from ignition.errors import IgnitionError
from ignition.initramfs import imports
from ignition.initramfs.imports import Import, Reach
from ignition.initramfs.packed_tree import LANDMARK, Module, Tree, base_interpreter
from ignition.initramfs.probe import EXTRAS
from ignition.initramfs.self_test import Job, Outcome, perform, trials
from ignition.initramfs.shims import substitutes

__all__ = ["collect"]

NEVER_PACKED = frozenset({"certifi", "ctypes.util", "dataclasses"})
"""Packed in another form, see `substitutes`."""


def collect(root: Path) -> list[str]:
    """Pack the engine below `root` and try it out there.

    Args:
        root: the root directory of the initramfs in the making.

    Returns:
        Files of the system that the packed engine needs besides: shared libraries
        and the bundle of certificate authorities.

    Raises:
        IgnitionError: something is missing, or the packed engine behaves differently.
    """
    wanted = imports.reach()
    bundle = substitutes.ca_bundle()
    seen = rehearse(wanted, bundle)
    tree = Tree(root)
    tree.write(modules(seen))
    tree.add(data(seen))
    tree.substitute({**earlier(bundle), "ctypes.util": substitutes.library_finder(seen.asked)})
    outcome = perform_packed(tree, wanted)
    refuse_differences(seen, outcome, tree)
    system_files = sorted({bundle, *libraries(outcome, tree)})
    tree.write_list(system_files)
    return system_files


def rehearse(wanted: Reach, bundle: str) -> Outcome:
    """Run the trials in this Python, with only the engine's own requirements in sight."""
    with tempfile.TemporaryDirectory() as directory, trials() as tried:
        for name, source in earlier(bundle).items():
            Path(directory, f"{name}.py").write_text(source, "utf-8")
        job = Job(
            imports=ordered(wanted),
            extras=extras(wanted),
            trials=tried,
            # What is installed as editable is found by a hook, which child interpreters do not have.
            path=(directory, str(Path(ignition.__file__).parents[1]), *sys.path),
            hidden=tuple(substitutes.hidden(item.module for item in wanted.foreign)),
        )
        return perform((str(base_interpreter()), "-I", "-S"), job)


def earlier(bundle: str) -> dict[str, str]:
    """The substitutes that are used when the engine is tried out first, too: they need fewer modules."""
    return {"certifi": substitutes.authorities(bundle), "dataclasses": substitutes.dataclasses()}


def perform_packed(tree: Tree, wanted: Reach) -> Outcome:
    """Run the same trials in the packed Python, which finds nothing but itself."""
    with trials() as tried:
        job = Job(imports=ordered(wanted), extras=extras(wanted), trials=tried)
        return perform((str(tree.python), "-I", "-S", "-X", "utf8"), job)


def ordered(wanted: Reach) -> tuple[Import, ...]:
    """All imports, the engine's modules first."""
    return (*(Import(module) for module in sorted(wanted.modules)), *sorted(wanted.foreign))


def extras(wanted: Reach) -> tuple[str, ...]:
    """The extra trials of those foreign modules that the engine does use."""
    return tuple(sorted({item.module.partition(".")[0] for item in wanted.foreign}.intersection(EXTRAS)))


def modules(seen: Outcome) -> list[Module]:
    """What to pack: everything that was loaded from a file, and the landmark."""
    found = [
        Module(name, Path(file), package)
        for name, (file, package) in seen.modules.items()
        if file and name not in NEVER_PACKED
    ]
    return [*found, Module(LANDMARK, library_source(LANDMARK))]


def data(seen: Outcome) -> dict[Path, Path]:
    """The files that packages read beside their modules, by their place in the library.

    Packages may have much more than that: boto3 describes all services of AWS in 30 MB,
    of which S3 is 1 %.
    """
    return {Path(package, path): Path(file) for package, path, file in seen.data}


def library_source(name: str) -> Path:
    """The source of a top-level module of the standard library."""
    import sysconfig

    return Path(sysconfig.get_path("stdlib"), f"{name}.py")


def refuse_differences(seen: Outcome, outcome: Outcome, tree: Tree) -> None:
    """The packed engine must be alone, and miss nothing that was there before.

    Raises:
        IgnitionError: it is not, or it does.
    """
    missing = sorted(name for name in outcome.missing - seen.missing if not hidden_inside(name, seen.modules))
    if missing:
        raise IgnitionError(f"the packed engine misses {', '.join(missing)}")
    strays = sorted(file for file, _ in outcome.modules.values() if file and not tree.owns(file))
    if strays:
        raise IgnitionError(f"the packed engine took from outside of its tree: {', '.join(strays)}")


def hidden_inside(name: str, modules: Mapping[str, tuple[str, bool]]) -> bool:
    """Whether it is a part of a module that is packed in another form on purpose."""
    return name in modules and any(name.startswith(f"{part}.") for part in NEVER_PACKED)


def libraries(outcome: Outcome, tree: Tree) -> list[str]:
    """The shared libraries that the packed engine loaded from the system, by the names that it asks for."""
    loaded = (Path(path) for path in outcome.libraries if ".so" in Path(path).name and not tree.owns(path))
    return [str(path) for library in loaded for path in (library, *links_to(library))]


def links_to(library: Path) -> list[Path]:
    """The versioned links beside a library that lead to it: `libz.so.1` for `libz.so.1.2.13`."""
    siblings = library.parent.glob(f"{library.name.partition('.so')[0]}.so.*")
    return [path for path in siblings if path.is_symlink() and path.resolve() == library]
