"""A finished image: does it hold what was put into it?

dracut leaves a module out when something that it depends on is missing, says so in
one line among hundreds, and ends with success. So each image is looked into.
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
"""What the dracut module brings beside the files that the packed tree lists itself."""


def check(image: Path) -> int:
    """Look into an image; returns the number of files that it was looked through for.

    Raises:
        IgnitionError: something is missing; the message names it.
        CommandFailed: `lsinitrd` cannot read the image.
    """
    listed = str(RUNTIME / "files")
    try:
        packed = lsinitrd("--file", listed, str(image)).split()
    except CommandFailed:
        packed = []
    if not packed:
        raise IgnitionError(
            f"{image} does not contain the dracut module ignition at all",
            hint="dracut's output says why: look for modules that it could not find or install",
        )
    wanted = {*packed, *REQUIRED}
    absent = missing(wanted, lsinitrd(str(image)))
    if absent:
        raise IgnitionError(f"{image} lacks {', '.join(absent)}")
    return len(wanted)


def missing(wanted: Iterable[str], listing: str) -> list[str]:
    """Which of these paths do not appear in the output of `lsinitrd`.

    A path may pass through directories that are links on this system (/lib, /sbin).
    """
    present = set()
    for line in listing.splitlines():
        # Like `ls -l`: mode, links, user, group, size, month, day, time, path[ -> target].
        fields = line.split(maxsplit=8)
        if len(fields) == 9:
            present.add("/" + fields[8].partition(" -> ")[0])
    return sorted(path for path in wanted if not present.intersection({path, resolved(path)}))


def resolved(path: str) -> str:
    """The path with all links in its directories followed."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def lsinitrd(*arguments: str) -> str:
    """What dracut's own tool says."""
    return run(Command(("lsinitrd", *arguments), "looking into the image")).stdout
