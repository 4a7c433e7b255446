"""What the running kernel can do: what it knows already, and which modules it could load. Reads only."""

from __future__ import annotations

import os
import re

__all__ = ["can_load", "filesystems", "raid_levels"]


def filesystems(system: str) -> frozenset[str]:
    """The filesystem types that it can mount as it is. Source: proc(5), `/proc/filesystems`."""
    with open(f"{system.rstrip('/')}/proc/filesystems", encoding="utf-8") as file:
        return frozenset(line.split()[-1] for line in file if line.strip())


def raid_levels(system: str) -> frozenset[str] | None:
    """The levels of arrays that it can run as it is; `None` without any support for arrays.

    Source: the kernel's drivers/md/md.c, the first line of `/proc/mdstat`.
    """
    try:
        with open(f"{system.rstrip('/')}/proc/mdstat", encoding="utf-8") as file:
            return frozenset(re.findall(r"\[([^\]]+)\]", file.readline()))
    except FileNotFoundError:
        return None


def can_load(system: str, module: str) -> bool | None:
    """Whether a module is there: loaded, built in, or where it is loaded from; `None` if nobody can tell.

    A kernel whose modules lie nowhere loads none, and does not say what it has built in.
    Source: depmod(8) and modules.dep(5), `modules.dep` and `modules.builtin`.
    """
    if os.path.exists(f"{system.rstrip('/')}/sys/module/{module}"):
        return True
    # In file names `-` and `_` are the same.
    wanted = re.compile(rf"(?:^|/){re.sub('[-_]', '[-_]', module)}\.ko", re.MULTILINE)
    directory = f"{system.rstrip('/')}/lib/modules/{os.uname().release}"
    lists = [text for name in ("modules.dep", "modules.builtin") if (text := _read(f"{directory}/{name}"))]
    return any(map(wanted.search, lists)) if lists else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""
