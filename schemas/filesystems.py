# SPDX-License-Identifier: Apache-2.0
"""Filesystems and swap areas.

Source: docs/reference/config-language.md, "Filesystems".
"""

from collections.abc import Iterator
from typing import Annotated

from ignition.diagnostics import Entry
from ignition.schemas.base import Node
from ignition.schemas.findings import error
from ignition.schemas.marks import appended, since, values
from ignition.schemas.paths import check_path
from ignition.schemas.spec import Spec

__all__ = ["FORMATS", "LONGEST_LABELS", "Filesystem"]

FORMATS = values(
    ext4="3.0.0",
    btrfs="3.0.0",
    xfs="3.0.0",
    swap="3.0.0",
    vfat="3.0.0",
    none="3.3.0",
    virtiofs="3.7.0-experimental",
)

LONGEST_LABELS = {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}
"""Limit for labels by format, in bytes of UTF-8."""

NOT_MOUNTED = (None, "", "none", "swap")
"""Formats that are not mounted."""

LONGEST_TAG = 36
"""Limit for the tag of a virtiofs device, in bytes of UTF-8."""


class Filesystem(Node):
    """A filesystem, or a swap area."""

    device: str = ""
    """Absolute path of the device; the tag for `virtiofs`."""
    format: Annotated[
        str | None,
        FORMATS,
    ] = None
    """Type of the filesystem."""
    label: str | None = None
    """Label of the filesystem."""
    mount_options: Annotated[tuple[str, ...], since("3.1.0"), appended] = ()
    """Options for mounting it during provisioning."""
    options: Annotated[tuple[str, ...], appended] = ()
    """Further options for the program that creates the filesystem."""
    path: str | None = None
    """Mount point while files are written."""
    uuid: str | None = None
    """UUID of the filesystem."""
    wipe_filesystem: bool | None = None
    """Whether the device is wiped first, regardless of its contents."""

    @property
    def is_mounted(self) -> bool:
        """Whether it is mounted while files are written."""
        return bool(self.path) and self.format not in NOT_MOUNTED

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check device, format and label."""
        if self.path:
            yield from check_path(self.path, "path")
        virtiofs = self.format == "virtiofs" and FORMATS.accepts(self.format, spec)
        yield from self._check_tag() if virtiofs else check_path(self.device, "device")
        yield from self._check_format(spec)
        yield from self._check_label()
        if virtiofs:
            yield from self._check_no_block_device()

    def _check_tag(self) -> Iterator[Entry]:
        if not self.device:
            yield error("device-missing", "the tag of the virtiofs device is missing", "device")
        elif len(self.device.encode()) > LONGEST_TAG:
            yield error(
                "virtiofs-tag-length", f"the virtiofs tag is longer than {LONGEST_TAG} bytes", "device"
            )

    def _check_format(self, spec: Spec) -> Iterator[Entry]:
        if not self.format:
            has_more = (
                self.path
                or self.label
                or self.uuid
                or self.wipe_filesystem
                or self.options
                or self.mount_options
            )
            if has_more:
                yield error("format-missing", "the format of the filesystem is missing", "format")
        elif not FORMATS.accepts(self.format, spec):
            first = FORMATS.first(self.format)
            known = ", ".join(FORMATS.known(spec))
            hint = f"`{self.format}` needs spec {first} or later" if first else f"use one of {known}"
            yield error("format", "the format of the filesystem is unknown", "format", hint=hint)

    def _check_label(self) -> Iterator[Entry]:
        if not self.label:
            return
        if not self.format:
            yield error("label-without-format", "the label has no format", "label")
            return
        length, longest = len(self.label.encode()), LONGEST_LABELS.get(self.format)
        if longest is not None and length > longest:
            message = f"the label has {length} bytes, expected at most {longest} for {self.format}"
            yield error("filesystem-label-length", message, "label")

    def _check_no_block_device(self) -> Iterator[Entry]:
        for name, given in (
            ("label", self.label),
            ("uuid", self.uuid),
            ("wipeFilesystem", self.wipe_filesystem),
            ("options", self.options),
        ):
            if given:
                yield error("virtiofs-is-no-block-device", f"virtiofs does not support {name}", name)
