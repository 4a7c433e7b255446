# SPDX-License-Identifier: Apache-2.0
"""Check that a finished initramfs image contains all files of the engine.

If a dependency of a module is missing, dracut leaves the module out, prints one line among hundreds, and
exits with status 0. Therefore each image is checked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ignition.errors import IgnitionError
from ignition.host.command import Command, CommandFailed
from ignition.host.run import run
from ignition.initramfs.packed_tree import RUNTIME

__all__ = ["check", "missing"]

UNITS: Final = "/usr/lib/systemd/system"

REQUIRED: Final = (
    f"{UNITS}/ignition-complete.target",
    f"{UNITS}/ignition-diskful.target",
    *(
        f"{UNITS}/ignition-complete.target.requires/ignition-{stage}.service"
        for stage in ("fetch-offline", "network", "fetch", "kargs", "disks", "mount", "files")
    ),
    f"{UNITS}/ignition-diskful.target.requires/ignition-remount-sysroot.service",
    f"{UNITS}/emergency.service.d/ignition.conf",
    "/usr/lib/systemd/system-generators/ignition-generator",
    "/usr/lib/systemd/systemd-networkd",
    "/usr/libexec/ignition-emergency",
    "/usr/libexec/ignition-network",
)
"""Files that the dracut module installs, in addition to those that the packed tree lists."""


def check(image: Path) -> int:
    """Check an image; return the number of files that were looked for.

    Raises:
        IgnitionError: files are missing; the message names them.
        CommandFailed: `lsinitrd` cannot read the image.
    """
    listed = str(RUNTIME / "files")
    try:
        packed = lsinitrd("--file", listed, str(image)).split()
    except CommandFailed:
        packed = []
    if not packed:
        raise IgnitionError(
            f'{image} does not contain the dracut module "ignition"',
            hint="search dracut's output for modules that were not found or could not be installed",
        )
    wanted = {*packed, *REQUIRED}
    absent = missing(wanted, lsinitrd(str(image)))
    if absent:
        raise IgnitionError(f"{image} is incomplete: not found: {', '.join(absent)}")
    return len(wanted)


def missing(wanted: Iterable[str], listing: str) -> list[str]:
    """List the paths that do not appear in the output of `lsinitrd`.

    Directories of a path may be symlinks on this system (/lib, /sbin).
    """
    present = set()
    for line in listing.splitlines():
        # Like `ls -l`: mode, links, user, group, size, month, day, time, path[ -> target].
        fields = line.split(maxsplit=8)
        if len(fields) == 9:
            present.add("/" + fields[8].partition(" -> ")[0])
    return sorted(path for path in wanted if not present.intersection({path, resolved(path)}))


def resolved(path: str) -> str:
    """Return the path with the symlinks in its directories resolved."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def lsinitrd(*arguments: str) -> str:
    return run(Command(("lsinitrd", *arguments), "checking the image")).stdout
