"""Disks, arrays, encrypted volumes, filesystems, and the files on them.

Source: config-spec sections 4.3 and 5.5 to 5.9.
"""

from __future__ import annotations

from typing import Annotated

from ignition.schemas.base import Node
from ignition.schemas.marks import absent_before, appended, keyed, not_null_before, since, values
from ignition.schemas.resource import Resource

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


class Owner(Node):
    """A user or a group, by number or by name."""

    id: int | None = None
    """Numeric id."""
    name: str | None = None
    """Name, looked up in the target system."""


class PathNode(Node):
    """What files, directories and links have in common."""

    group: Owner = Owner.empty()
    """The group it belongs to."""
    overwrite: bool | None = None
    """Whether what exists at the path is removed first."""
    path: str = ""
    """Absolute path in the target system."""
    user: Owner = Owner.empty()
    """The user it belongs to."""


class Directory(PathNode):
    """A directory that must exist."""

    mode: int | None = None
    """Permissions as a decimal number; 493 (0755) for a new directory if absent."""


class File(PathNode):
    """A file that must exist."""

    append: Annotated[tuple[Resource, ...], appended] = ()
    """Contents to be added at the end, in this order."""
    contents: Resource = Resource.empty()
    """The contents of the file; if absent an existing file keeps its own."""
    mode: int | None = None
    """Permissions as a decimal number; 420 (0644) for a new file if absent."""


class Link(PathNode):
    """A symbolic or hard link that must exist."""

    hard: bool | None = None
    """Whether the link is a hard one."""
    target: Annotated[str | None, not_null_before("3.3.0")] = None
    """What the link points to."""


class Partition(Node):
    """One partition of a GPT."""

    guid: str | None = None
    """Unique GUID of the partition."""
    label: str | None = None
    """Label of the partition, at most 36 characters and no colon."""
    number: int = 0
    """Number of the partition; 0 for the next free one."""
    resize: Annotated[bool | None, since("3.2.0")] = None
    """Whether an existing partition is resized if only its size is wrong."""
    should_exist: bool | None = None
    """Whether the partition must exist (the default) or must not."""
    size_mib: int | None = None
    """Size in MiB; 0 for as large as possible."""
    start_mib: int | None = None
    """Start in MiB; 0 for the start of the largest free block."""
    type_guid: str | None = None
    """GUID of the partition's type; Linux data if absent."""
    wipe_partition_entry: bool | None = None
    """Whether an existing partition that does not match may be deleted and made anew."""

    @property
    def identity(self) -> str:
        """What tells partitions apart: the number, else the label."""
        if self.number != 0:
            return f"number:{self.number}"
        return "" if self.label is None else f"label:{self.label}"


class Disk(Node):
    """A disk and its partition table."""

    device: str = ""
    """Absolute path of the disk's device node."""
    partitions: Annotated[tuple[Partition, ...], keyed("identity")] = ()
    """Partitions that must exist, or must not."""
    wipe_table: bool | None = None
    """Whether the partition table is wiped first."""


class Raid(Node):
    """A software RAID array."""

    devices: Annotated[tuple[str, ...], keyed()] = ()
    """Absolute paths of the devices in the array."""
    level: Annotated[str | None, not_null_before("3.3.0")] = None
    """RAID level, for example `raid1`."""
    name: str = ""
    """Name of the array; its device is `/dev/md/` and this name."""
    options: Annotated[tuple[str, ...], appended] = ()
    """Further options for `mdadm --create`."""
    spares: int | None = None
    """How many of the devices are spares."""


class Cex(Node):
    """Encryption with a key in an IBM CryptoExpress card."""

    enabled: bool | None = None
    """Whether the volume's key is bound to the card."""


class ClevisCustom(Node):
    """A Clevis pin written out by hand."""

    config: Annotated[str | None, not_null_before("3.3.0")] = None
    """The pin's own JSON configuration."""
    needs_network: bool | None = None
    """Whether unlocking needs the network."""
    pin: Annotated[
        str | None,
        not_null_before("3.3.0"),
        values(tpm2="3.2.0", tang="3.2.0", sss="3.2.0", any_since="3.6.0"),
    ] = None
    """Name of the Clevis pin."""


class Tang(Node):
    """A Tang server."""

    advertisement: Annotated[str | None, since("3.4.0")] = None
    """The server's advertisement as JSON text, for provisioning without reaching it."""
    thumbprint: str | None = None
    """Thumbprint of the server's trusted signing key."""
    url: str = ""
    """URL of the server."""


class Clevis(Node):
    """Automatic unlocking with Clevis."""

    custom: Annotated[ClevisCustom, absent_before("3.3.0")] = ClevisCustom.empty()
    """A pin written out by hand, instead of the rest."""
    tang: Annotated[tuple[Tang, ...], keyed("url")] = ()
    """Tang servers that help to unlock."""
    threshold: int | None = None
    """How many of the pins are needed; 1 if absent."""
    tpm2: bool | None = None
    """Whether the machine's TPM 2 helps to unlock."""


class Luks(Node):
    """An encrypted volume (LUKS 2)."""

    cex: Annotated[Cex, since("3.5.0")] = Cex.empty()
    """Encryption with a key in an IBM CryptoExpress card."""
    clevis: Annotated[Clevis, absent_before("3.3.0")] = Clevis.empty()
    """Automatic unlocking with Clevis."""
    device: str | None = None
    """Absolute path of the device to be encrypted."""
    discard: Annotated[bool | None, since("3.4.0")] = None
    """Whether discards pass through to the device."""
    key_file: Resource = Resource.empty()
    """The key; one is generated if absent."""
    label: str | None = None
    """Label of the volume, at most 47 bytes."""
    name: str = ""
    """Name of the volume; its device is `/dev/mapper/` and this name."""
    open_options: Annotated[tuple[str, ...], since("3.4.0"), keyed()] = ()
    """Options for `cryptsetup luksOpen` that are kept in the volume."""
    options: Annotated[tuple[str, ...], appended] = ()
    """Further options for `cryptsetup luksFormat`."""
    uuid: str | None = None
    """UUID of the volume."""
    wipe_volume: bool | None = None
    """Whether an existing volume is made anew."""


class Filesystem(Node):
    """A filesystem, or a swap area."""

    device: str = ""
    """Absolute path of the device; for `virtiofs` its tag."""
    format: Annotated[
        str | None,
        values(
            ext4="3.0.0",
            btrfs="3.0.0",
            xfs="3.0.0",
            swap="3.0.0",
            vfat="3.0.0",
            none="3.3.0",
            virtiofs="3.7.0-experimental",
        ),
    ] = None
    """Type of the filesystem."""
    label: str | None = None
    """Label of the filesystem."""
    mount_options: Annotated[tuple[str, ...], since("3.1.0"), appended] = ()
    """Options for mounting it while the machine is set up."""
    options: Annotated[tuple[str, ...], appended] = ()
    """Further options for the program that makes the filesystem."""
    path: str | None = None
    """Where it is mounted while files are written."""
    uuid: str | None = None
    """UUID of the filesystem."""
    wipe_filesystem: bool | None = None
    """Whether the device is wiped first, whatever is on it."""


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
