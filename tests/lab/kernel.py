# SPDX-License-Identifier: Apache-2.0
"""Provide the guests' kernel: Debian's kernel for virtual machines, unpacked into the cache.

The package is not installed, because its hooks would build an initramfs and change the boot menu of the host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab import cache
from tests.lab.commands import LabError, run

if TYPE_CHECKING:
    from pathlib import Path

_META_PACKAGE = "linux-image-cloud-amd64"


@dataclass(frozen=True)
class Kernel:
    """A kernel: its `uname -r`, and the tree with `boot/` and `lib/modules/`."""

    release: str
    tree: Path

    @property
    def image(self) -> Path:
        """Argument of QEMU's `-kernel`."""
        return self.tree / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        """Argument of dracut's `--kmoddir`."""
        return self.tree / "lib" / "modules" / self.release


def kernel() -> Kernel:
    """Return the kernel that apt would install now; it is downloaded once.

    Raises:
        LabError: apt does not know the package.
    """
    package = _package()
    version = _version(package)
    tree = cache.made("kernel", cache.digest([package, version]), lambda folder: _unpack(package, folder))
    return Kernel(package.removeprefix("linux-image-"), tree)


def _package() -> str:
    depends = run("apt-cache", "depends", _META_PACKAGE)
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise LabError(f"package {_META_PACKAGE} not found; run `apt-get update` as root")
    return found[1]


def _version(package: str) -> str:
    return (
        run("apt-cache", "show", "--no-all-versions", package).partition("\nVersion: ")[2].partition("\n")[0]
    )


def _unpack(package: str, folder: Path) -> None:
    run("apt-get", "download", package, cwd=folder)
    (archive,) = folder.glob("*.deb")
    run("dpkg-deb", "--extract", archive, folder)
    archive.unlink()
    run("depmod", "--basedir", folder, package.removeprefix("linux-image-"))
