"""What is mounted, and what swaps. Source: proc(5), `/proc/self/mountinfo` and `/proc/swaps`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from ignition.host import blocks

__all__ = ["Mount", "Use", "mounted", "parse", "remedy", "users"]


@dataclass(frozen=True)
class Mount:
    """One mount.

    Attributes:
        target: where, as the running system sees it.
        source: what, as the one who mounted it said: a device path, or any word.
        format: the filesystem's type.
        number: `major:minor` of the device; of no device for btrfs and the like.
    """

    target: str
    source: str
    format: str
    number: str


def mounted(system: str) -> tuple[Mount, ...]:
    """All mounts, oldest first, so that the last one with a target is the one to be seen there."""
    with open(
        f"{system.rstrip('/')}/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape"
    ) as file:
        return tuple(map(parse, file))


def parse(line: str) -> Mount:
    """One line of mountinfo: fields, a dash after the optional ones, then type, source, options."""
    before, _, after = line.partition(" - ")
    fields, (format_, source) = before.split(" "), after.split(" ")[:2]
    return Mount(_plain(fields[4]), _plain(source), format_, fields[2])


def _plain(text: str) -> str:
    r"""Space, tab, newline, backslash and `#` are written as `\040` and the like."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)


@dataclass(frozen=True)
class Use:
    """What of the system's block devices is in use; one look for many questions.

    Attributes:
        system: where the running system is mounted.
        by_number: `major:minor` → where it is mounted.
        by_node: kernel node → where it is mounted.
        swaps: kernel nodes that are swapped to.
        btrfs: kernel nodes that belong to a btrfs that is mounted.
    """

    system: str
    by_number: Mapping[str, str]
    by_node: Mapping[str, str]
    swaps: frozenset[str]
    btrfs: frozenset[str] = frozenset()

    @classmethod
    def now(cls, system: str) -> Use:
        """Look."""
        mounts = mounted(system)
        return cls(
            system,
            {mount.number: mount.target for mount in mounts},
            # A source that leads nowhere (its device is gone) is the node of no device.
            {
                blocks.resolve(system, mount.source): mount.target
                for mount in mounts
                if mount.source[:1] == "/"
            },
            frozenset(_swaps(system)),
            blocks.of_btrfs(system),
        )

    def of(self, node: str, *, held: bool = True) -> str:
        """Why a device is in use ("mounted at /"), or "" if it is not.

        Devices that are built on it count unless `held` is false.
        """
        if held and (reason := blocks.held(self.system, node)):
            return reason
        if node in self.swaps:
            return "used for swapping"
        if not blocks.is_known(self.system, node):
            return ""  # a device that is still to be made, of which a preview asks
        target = self.by_node.get(node) or self.by_number.get(blocks.number(self.system, node))
        if target:
            return f"mounted at {target}"
        return "part of a btrfs that is mounted" if node in self.btrfs else ""

    def of_any(self, node: str) -> str:
        """Why a device, one of its partitions, or the disk that it is a part of is in use, or ""."""
        parts = [part.node for part in blocks.partitions(self.system, node).values()]
        if reason := next(filter(None, map(self.of, (node, *parts))), ""):
            return reason
        # Whoever has a whole disk has all of it: no part of it can be opened for writing any more.
        whole = blocks.whole(self.system, node)
        reason = blocks.held(self.system, whole) if whole != node else ""
        return f"a part of {whole}, which is {reason}" if reason else ""


def remedy(reason: str) -> str:
    """What to try about a device that is in use for this reason."""
    before, found, device = reason.partition(blocks.MULTIPATH)
    if found:
        return f"name the device that all paths lead to, {device}" + (", or its parts" if before else "")
    return "unmount or detach it first; what the boot itself uses cannot be changed"


def _swaps(system: str) -> Iterable[str]:
    try:
        with open(f"{system.rstrip('/')}/proc/swaps", encoding="utf-8", errors="surrogateescape") as file:
            return [_plain(line.split()[0]) for line in file.readlines()[1:]]
    except FileNotFoundError:  # a kernel without swap
        return []


def users(system: str, target: str) -> Iterator[str]:
    """The processes that use something at or below a mount: `name (pid)`. As far as one may look."""
    processes = f"{system.rstrip('/')}/proc"
    for pid in filter(str.isdecimal, os.listdir(processes)):
        if any(_is_below(place, target) for place in _places(f"{processes}/{pid}")):
            yield f"{_name(f'{processes}/{pid}')} ({pid})"


def _places(process: str) -> Iterator[str]:
    links = [f"{process}/{name}" for name in ("cwd", "root", "exe")]
    with suppress(OSError):  # the process has ended, or is none of ours
        links += [f"{process}/fd/{name}" for name in os.listdir(f"{process}/fd")]
    for link in links:
        with suppress(OSError):
            yield os.readlink(link)


def _name(process: str) -> str:
    with suppress(OSError), open(f"{process}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
    return "a process"


def _is_below(path: str, target: str) -> bool:
    return path == target or path.startswith(f"{target.rstrip('/')}/")
