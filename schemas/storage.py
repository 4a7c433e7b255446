"""Disks, arrays, encrypted volumes, filesystems, and the files on them.

Source: config-spec sections 4.3, 5.5 and 5.8. This module has the section as a whole
and the rules between its parts; the parts have modules of their own.
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
    """Disks, arrays, encrypted volumes, filesystems, and the files on them."""

    directories: Annotated[tuple[Directory, ...], keyed("path", handle="path")] = ()
    """Directories that must exist."""
    disks: Annotated[tuple[Disk, ...], keyed("device")] = ()
    """Disks and their partitions."""
    files: Annotated[tuple[File, ...], keyed("path", handle="path")] = ()
    """Files that must exist."""
    filesystems: Annotated[tuple[Filesystem, ...], keyed("device")] = ()
    """Filesystems to make or to reuse."""
    links: Annotated[tuple[Link, ...], keyed("path", handle="path")] = ()
    """Links that must exist."""
    luks: Annotated[tuple[Luks, ...], since("3.2.0"), keyed("name")] = ()
    """Encrypted volumes."""
    raid: Annotated[tuple[Raid, ...], keyed("name")] = ()
    """Software RAID arrays."""

    @property
    def has_devices(self) -> bool:
        """Whether there is any disk, array, volume or filesystem."""
        return bool(self.disks or self.raid or self.luks or self.filesystems)

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Nothing lies below a link, links have targets, disks keep their filesystems."""
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
                hint = "say so with wipeFilesystem, or do not wipe the table"
                yield warning("filesystem-wiped", message, "filesystems", index, "device", hint=hint)


def _below_links(links: Prefixes, node: PathNode, name: str, index: int) -> Iterator[Entry]:
    for _ in range(links.above(node.path)):
        message = "the path lies below a link of this config"
        yield error("below-link", message, name, index, hint="give the path that the link points to")


def _check_hard_link(link: Link, directories: Counter[str], index: int) -> Iterator[Entry]:
    target = link.target or ""
    if not target.startswith("/"):
        target = "/".join(part for part in (link.path, target) if part)
    target = clean(target) if target else ""
    for _ in range(directories[target]):
        yield error("hard-link-to-directory", "a hard link cannot point to a directory", "links", index)
    for name, owner in (("user", link.user), ("group", link.group)):
        for attribute in ("id", "name"):
            if getattr(owner, attribute) is not None:
                message = "a hard link has no owner of its own"
                yield warning("hard-link-owner", message, "links", index, name, attribute)
