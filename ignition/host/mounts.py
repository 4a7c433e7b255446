# SPDX-License-Identifier: Apache-2.0
"""The mount table, and the processes that use a mount. Source: proc_pid_mountinfo(5)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from ignition.host.system_path import under

__all__ = ["Mount", "mounted", "parse", "processes_using", "unescape"]


@dataclass(frozen=True)
class Mount:
    """One mount.

    Attributes:
        target: mount point in the running system.
        source: device path, or the word that mount(2) was given instead.
        format: filesystem type.
        number: `major:minor` of the device; for btrfs and similar, the number of no device.
    """

    target: str
    source: str
    format: str
    number: str


def mounted(system: str) -> tuple[Mount, ...]:
    """Return all mounts, oldest first: the last one with a target covers the earlier ones."""
    with open(under(system, "/proc/self/mountinfo"), encoding="utf-8", errors="surrogateescape") as file:
        return tuple(map(parse, file))


def parse(line: str) -> Mount:
    """Parse one line of mountinfo: fields, optional fields, a dash, then type, source, options."""
    before, _, after = line.partition(" - ")
    fields, (format_, source) = before.split(" "), after.split(" ")[:2]
    return Mount(unescape(fields[4]), unescape(source), format_, fields[2])


def unescape(text: str) -> str:
    r"""Decode the octal escapes (`\040`) of a field in /proc."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)


def processes_using(system: str, target: str) -> Iterator[str]:
    """Yield `name (pid)` of the processes with a file or directory at or below a mount point.

    Processes that may not be inspected are left out.
    """
    processes = under(system, "/proc")
    for pid in filter(str.isdecimal, os.listdir(processes)):
        if any(_is_below(place, target) for place in _places(f"{processes}/{pid}")):
            yield f"{_name(f'{processes}/{pid}')} ({pid})"


def _places(process: str) -> Iterator[str]:
    links = [f"{process}/{name}" for name in ("cwd", "root", "exe")]
    with suppress(OSError):  # the process has ended, or may not be inspected
        links += [f"{process}/fd/{name}" for name in os.listdir(f"{process}/fd")]
    for link in links:
        with suppress(OSError):
            yield os.readlink(link)


def _name(process: str) -> str:
    with suppress(OSError), open(f"{process}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
    return "unknown process"


def _is_below(path: str, target: str) -> bool:
    return path == target or path.startswith(f"{target.rstrip('/')}/")
