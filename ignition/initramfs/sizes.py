# SPDX-License-Identifier: Apache-2.0
"""Measure how much the engine adds to an initramfs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ignition.host.command import Command
from ignition.host.run import run

__all__ = ["Sizes", "measure"]

PRESENT_ANYWAY = ("/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd-udevd", "/usr/bin/mount")
"""Programs of every initramfs with systemd; their libraries do not count as the engine's."""


@dataclass(frozen=True)
class Sizes:
    """Number of files, and sizes in bytes; `compressed` is a tar archive compressed by `zstd -19`."""

    files: int
    unpacked: int
    compressed: int
    largest: tuple[tuple[str, int], ...]


def measure(tree: Path, system_files: Iterable[str]) -> Sizes:
    """Measure a packed tree together with the system files that it needs.

    Raises:
        IgnitionError: `tar`, `zstd` or `ldd` is not found.
    """
    shared = libraries_of(PRESENT_ANYWAY)
    packed = [str(path.relative_to(tree)) for path in tree.rglob("*") if is_plain(path)]
    brought = sorted({os.path.realpath(path) for path in system_files} - shared)
    sizes = {f"/{path}": (tree / path).stat().st_size for path in packed}
    sizes.update((path, os.stat(path).st_size) for path in brought)
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory, "all.tar")
        parts = ["-C", str(tree), *sorted(packed)]
        if brought:
            parts += ["-C", "/", *(path.lstrip("/") for path in brought)]
        run(Command(("tar", "--create", f"--file={archive}", *parts), "packing the tree"))
        run(Command(("zstd", "-19", "--quiet", str(archive)), "compressing the tree"))
        compressed = archive.with_name("all.tar.zst").stat().st_size
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:10]
    return Sizes(len(sizes), sum(sizes.values()), compressed, tuple(largest))


def is_plain(path: Path) -> bool:
    """Whether a path is a regular file and not a symlink."""
    return path.is_file() and not path.is_symlink()


def libraries_of(programs: Iterable[str]) -> frozenset[str]:
    """Shared libraries that these programs load, with symlinks resolved."""
    lines = run(Command(("ldd", *programs), "listing libraries")).stdout.splitlines()
    words = (word for line in lines for word in line.split())
    return frozenset(os.path.realpath(word) for word in words if word.startswith("/") and ".so" in word)
