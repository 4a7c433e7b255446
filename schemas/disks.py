# SPDX-License-Identifier: Apache-2.0
"""Disks, partitions and RAID arrays.

Source: docs/reference/config-language.md, "Disks and partitions" and "RAID".
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Annotated

from ignition.diagnostics import Entry
from ignition.schemas.base import Node
from ignition.schemas.findings import error
from ignition.schemas.marks import appended, keyed, not_null_before, since
from ignition.schemas.paths import check_path
from ignition.schemas.spec import Spec

__all__ = ["Disk", "Partition", "Raid"]

LONGEST_LABEL = 36
"""Limit for a partition label, in bytes of UTF-8."""

_GUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"

LEVELS_WITHOUT_SPARES = ("linear", "raid0", "0", "stripe")
LEVELS_WITH_SPARES = ("raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6", "raid10", "10")


class Partition(Node):
    """One partition of a GPT."""

    guid: str | None = None
    """Unique GUID of the partition."""
    label: str | None = None
    """Label of the partition, at most 36 characters and no colon."""
    number: int = 0
    """Number of the partition; 0 for the next free number."""
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
    """Whether an existing partition that does not match may be deleted and created again."""

    @property
    def identity(self) -> str:
        """What tells partitions apart: the number, else the label."""
        if self.number != 0:
            return f"number:{self.number}"
        return "" if self.label is None else f"label:{self.label}"

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that the partition is identified and its fields are possible."""
        has_more = (
            self.label is not None
            or self.type_guid
            or self.guid
            or self.start_mib is not None
            or self.size_mib is not None
        )
        if self.should_exist is False and has_more:
            message = "with shouldExist: false only `number` may be set"
            yield error("partition-not-existing", message)
        if self.number == 0 and self.label is None:
            yield error("partition-unidentified", "the partition has neither a number nor a label")
        yield from self._check_label()
        for name, guid in (("guid", self.guid), ("typeGuid", self.type_guid)):
            if guid and not re.fullmatch(_GUID, guid):
                hint = "write a GUID such as 0FC63DAF-8483-4772-8E79-3D69D8477DE4"
                yield error("guid", "the GUID is malformed", name, hint=hint)

    def _check_label(self) -> Iterator[Entry]:
        if self.label is None:
            return
        length = len(self.label.encode())
        if length > LONGEST_LABEL:
            message = f"the label has {length} bytes, expected at most {LONGEST_LABEL}"
            yield error("partition-label-length", message, "label")
        elif ":" in self.label:
            yield error("partition-label-colon", "the label contains a colon", "label")

    @property
    def extent(self) -> tuple[int, int] | None:
        """First and last MiB if both start and size are set, else None."""
        if not self.start_mib or self.size_mib is None:
            return None
        return self.start_mib, self.start_mib + (self.size_mib - 1 if self.size_mib else 0)


class Disk(Node):
    """A disk and its partition table."""

    device: str = ""
    """Absolute path of the disk's device node."""
    partitions: Annotated[tuple[Partition, ...], keyed("identity")] = ()
    """Partitions that must exist or must not exist."""
    wipe_table: bool | None = None
    """Whether the partition table is wiped before use."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the device, and that partitions do not conflict with each other."""
        if not self.device:
            yield error("device-missing", "the device is missing", "device")
            return
        yield from check_path(self.device, "device")
        numbers = [one.number or None for one in self.partitions]
        if (index := _repeated(numbers)) is not None:
            message = f"partition number {numbers[index]} is used twice"
            yield error("partition-numbers", message, "partitions", index)
        if (index := self._overlapping()) is not None:
            message = "the partition overlaps another partition of the disk"
            yield error("partitions-overlap", message, "partitions", index)
        if (index := _repeated([one.label for one in self.partitions])) is not None:
            message = "another partition of the disk has the same label"
            yield error("partition-labels", message, "partitions", index)

    def _overlapping(self) -> int | None:
        """Return the first partition that the first overlapping partition overlaps, or None."""
        extents = [(index, one.extent) for index, one in enumerate(self.partitions)]
        known = [(index, extent) for index, extent in extents if extent is not None]
        starts = sorted(extent[0] for _, extent in known)
        ends = sorted(extent[1] for _, extent in known)
        orderly = all(first <= last for _, (first, last) in known)
        for index, (first, last) in known:
            if orderly and bisect_right(starts, last) - bisect_left(ends, first) == 1:
                continue  # overlaps only itself
            for other, (start, end) in known:
                if other != index and _meet(first, last, start, end):
                    return other
        return None


def _meet(first: int, last: int, start: int, end: int) -> bool:
    return start <= first <= end or start <= last <= end or (first < start and last > end)


def _repeated(values: list[str | None] | list[int | None]) -> int | None:
    """Return the index of the first repeated value; None values do not count."""
    seen: set[str | int] = set()
    for index, value in enumerate(values):
        if value is not None:
            if value in seen:
                return index
            seen.add(value)
    return None


class Raid(Node):
    """A software RAID array."""

    devices: Annotated[tuple[str, ...], keyed()] = ()
    """Absolute paths of the devices in the array."""
    level: Annotated[str | None, not_null_before("3.3.0")] = None
    """RAID level, for example `raid1`."""
    name: str = ""
    """Name of the array; its device is `/dev/md/` followed by the name."""
    options: Annotated[tuple[str, ...], appended] = ()
    """Further options for `mdadm --create`."""
    spares: int | None = None
    """Number of the devices that are spares."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the level, the spares and the devices."""
        if not self.level:
            levels = (level for level in LEVELS_WITHOUT_SPARES + LEVELS_WITH_SPARES if len(level) > 2)
            hint = f"set one of {', '.join(levels)}"
            yield error("raid-level-missing", "the RAID level is missing", "level", hint=hint)
        elif self.level in LEVELS_WITHOUT_SPARES:
            if self.spares:
                yield error("raid-spares", f"RAID level {self.level} does not support spares", "level")
        elif self.level not in LEVELS_WITH_SPARES:
            yield error("raid-level", "the RAID level is unknown", "level")
        if not self.devices:
            yield error("raid-devices-missing", "the RAID array has no devices", "devices")
        for index, device in enumerate(self.devices):
            yield from check_path(device, "devices", index)
