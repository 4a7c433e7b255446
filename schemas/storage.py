# SPDX-License-Identifier: Apache-2.0
"""The section `storage` and the rules between its parts.

The parts have modules of their own. Source: docs/reference/config-language.md, "Nodes" and
"Filesystems".
"""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from ignition.diagnostics import Entry
from ignition.schemas.base import Node
from ignition.schemas.disks import Disk, Partition, Raid
from ignition.schemas.filesystems import Filesystem
from ignition.schemas.findings import error, warning
from ignition.schemas.luks import Cex, Clevis, ClevisCustom, Luks, Tang
from ignition.schemas.marks import keyed, since
from ignition.schemas.nodes import Directory, File, Link, Owner, PathNode
from ignition.schemas.paths import Prefixes, clean
from ignition.schemas.spec import Spec

__all__ = [
    "Cex",
    "Clevis",
    "ClevisCustom",
    "Directory",
    "Disk",
    "File",
    "Filesystem",
    "Link",
    "Luks",
    "Owner",
    "Partition",
    "PathNode",
    "Raid",
    "Storage",
    "Tang",
]


class Storage(Node):
    """Disks, RAID arrays, LUKS volumes, filesystems, and files."""

    directories: Annotated[tuple[Directory, ...], keyed("path", handle="path")] = ()
    """Directories that must exist."""
    disks: Annotated[tuple[Disk, ...], keyed("device")] = ()
    """Disks and their partitions."""
    files: Annotated[tuple[File, ...], keyed("path", handle="path")] = ()
    """Files that must exist."""
    filesystems: Annotated[tuple[Filesystem, ...], keyed("device")] = ()
    """Filesystems to create or reuse."""
    links: Annotated[tuple[Link, ...], keyed("path", handle="path")] = ()
    """Links that must exist."""
    luks: Annotated[tuple[Luks, ...], since("3.2.0"), keyed("name")] = ()
    """LUKS volumes."""
    raid: Annotated[tuple[Raid, ...], keyed("name")] = ()
    """Software RAID arrays."""

    @property
    def has_devices(self) -> bool:
        """Whether any disk, RAID array, LUKS volume or filesystem is listed."""
        return bool(self.disks or self.raid or self.luks or self.filesystems)

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the paths below links, the targets of links, and the filesystems on whole disks."""
        if self.links:
            yield from self._check_links(spec)
        if self.disks:
            yield from self._check_filesystems()

    def _check_links(self, spec: Spec) -> Iterator[Entry]:
        links = Prefixes(link.path for link in self.links)
        directories = Counter(directory.path for directory in self.directories)
        for index, directory in enumerate(self.directories):
            yield from _below_links(links, directory, "directories", index)
        for index, file in enumerate(self.files):
            yield from _below_links(links, file, "files", index)
        for index, link in enumerate(self.links):
            yield from _below_links(links, link, "links", index)
            if spec >= Spec.V3_3 and not link.target:
                yield error("link-target-missing", "the link has no target", "links", index, "target")
            elif link.hard:
                yield from _check_hard_link(link, directories, index)

    def _check_filesystems(self) -> Iterator[Entry]:
        disks = {disk.device: disk for disk in reversed(self.disks)}
        for index, filesystem in enumerate(self.filesystems):
            disk = disks.get(filesystem.device)
            if disk is None:
                continue
            if disk.partitions:
                message = "the filesystem would overwrite the partitions of its disk"
                yield warning("filesystem-on-partitioned-disk", message, "filesystems", index, "device")
            elif disk.wipe_table and not filesystem.wipe_filesystem:
                message = "wiping the disk's partition table destroys the filesystem"
                hint = "set wipeFilesystem: true, or remove wipeTable"
                yield warning("filesystem-wiped", message, "filesystems", index, "device", hint=hint)


def _below_links(links: Prefixes, node: PathNode, name: str, index: int) -> Iterator[Entry]:
    for _ in range(links.above(node.path)):
        message = "the path is below a link of this config"
        yield error("below-link", message, name, index, hint="use the path that the link points to")


def _check_hard_link(link: Link, directories: Counter[str], index: int) -> Iterator[Entry]:
    target = link.target or ""
    if not target.startswith("/"):
        target = "/".join(part for part in (link.path, target) if part)
    target = clean(target) if target else ""
    for _ in range(directories[target]):
        yield error("hard-link-to-directory", "the hard link points to a directory", "links", index)
    for name, owner in (("user", link.user), ("group", link.group)):
        for attribute in ("id", "name"):
            if getattr(owner, attribute) is not None:
                message = "the owner of a hard link has no effect"
                yield warning("hard-link-owner", message, "links", index, name, attribute)
