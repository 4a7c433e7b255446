# SPDX-License-Identifier: Apache-2.0
"""Features of the running kernel: built-in, loaded, and loadable. Reads only."""

from __future__ import annotations

import os
import re

from ignition.host.system_path import under

__all__ = ["can_load", "filesystems", "raid_levels"]


def filesystems(system: str) -> frozenset[str]:
    """Return the filesystem types that need no further module. Source: proc_filesystems(5)."""
    with open(under(system, "/proc/filesystems"), encoding="utf-8") as file:
        return frozenset(line.split()[-1] for line in file if line.strip())


def raid_levels(system: str) -> frozenset[str] | None:
    """Return the RAID levels that need no further module; None without RAID support.

    Source: drivers/md/md.c in the kernel, the first line of `/proc/mdstat`.
    """
    try:
        with open(under(system, "/proc/mdstat"), encoding="utf-8") as file:
            return frozenset(re.findall(r"\[([^\]]+)\]", file.readline()))
    except FileNotFoundError:
        return None


def can_load(system: str, module: str) -> bool | None:
    """Whether a module is loaded, built in or loadable; None if the system has no list of modules.

    Source: modules.dep(5), and kernel documentation "Kbuild" for `modules.builtin`.
    """
    if os.path.exists(under(system, f"/sys/module/{module}")):
        return True
    # `-` and `_` are equivalent in file names of modules.
    wanted = re.compile(rf"(?:^|/){re.sub('[-_]', '[-_]', module)}\.ko", re.MULTILINE)
    directory = under(system, f"/lib/modules/{os.uname().release}")
    lists = [text for name in ("modules.dep", "modules.builtin") if (text := _read(f"{directory}/{name}"))]
    return any(map(wanted.search, lists)) if lists else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""
