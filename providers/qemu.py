# SPDX-License-Identifier: Apache-2.0
"""QEMU's firmware config device, `-fw_cfg name=opt/com.coreos/config,file=…`.

On s390x and ppc64le, which have no such device, the config is on a virtio disk with the serial `ignition`.
Source: docs/reference/platforms.md, "qemu".
"""

from __future__ import annotations

import os
import platform as python_platform
import time

from ignition import log
from ignition.errors import IgnitionError
from ignition.platform.provider import Provider, ProviderContext

__all__ = ["PROVIDER"]

FIRMWARE = "/sys/firmware/qemu_fw_cfg"
KEY = f"{FIRMWARE}/by_name/opt/com.coreos/config"
WITHOUT_FIRMWARE = frozenset({"s390x", "ppc64le"})

DISK = "/dev/disk/by-id/virtio-ignition"
DISK_DRIVER = "/sys/bus/virtio/drivers/virtio_blk"
DISK_POLL = 5.0
DISK_LIMIT = 300.0

SLOW_AFTER = 10.0


def fetch(context: ProviderContext) -> bytes:
    """Return the config from the firmware device, or from the disk where QEMU has no such device."""
    if python_platform.machine() in WITHOUT_FIRMWARE:
        return read_disk(context)
    return read_firmware(context)


def read_firmware(context: ProviderContext) -> bytes:
    """Return the config from the firmware device; empty if the key does not exist."""
    context.need_module("qemu_fw_cfg", unless=FIRMWARE)
    try:
        with open(context.path(f"{KEY}/size"), encoding="ascii") as file:
            size = int(file.read())
    except FileNotFoundError:
        log.info("no config in QEMU's firmware device: opt/com.coreos/config not found")
        return b""
    except ValueError as error:
        raise IgnitionError(f"cannot parse {KEY}/size: not a number") from error
    return read_exactly(context.path(f"{KEY}/raw"), size)


def read_exactly(path: str, size: int) -> bytes:
    """Return all `size` bytes of a file, with as few reads as the kernel allows.

    A read of the device takes time in proportion to its offset, so small reads of a large config take
    quadratic time.

    Raises:
        IgnitionError: the file is shorter or longer than `size`.
    """
    data = bytearray()
    started = reported = time.monotonic()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while len(data) <= size:
            piece = os.read(descriptor, size + 1 - len(data))
            if not piece:
                break
            data += piece
            now = time.monotonic()
            if now - started > SLOW_AFTER and now - reported > SLOW_AFTER / 2:
                log.info(f"reading the config from QEMU: {len(data)} of {size} bytes (this is slow)")
                reported = now
    finally:
        os.close(descriptor)
    if len(data) != size:
        found = f"{len(data)} bytes" if len(data) < size else "more"
        raise IgnitionError(f"cannot read QEMU's firmware config: found {found}, expected {size} bytes")
    return bytes(data)


def read_disk(context: ProviderContext) -> bytes:
    """Return the contents of the virtio disk with the serial `ignition`, without padding."""
    context.need_module("virtio_blk", unless=DISK_DRIVER)
    waited = 0.0
    while not os.path.exists(context.path(DISK)):
        if waited >= DISK_LIMIT:
            raise IgnitionError(
                f"{DISK} not found: timed out after {DISK_LIMIT:g} s",
                hint="attach the config as a virtio disk with serial=ignition",
            )
        log.info(f"waiting for {DISK}")
        context.sleep(DISK_POLL)
        waited += DISK_POLL
    with open(context.path(DISK), "rb") as file:
        return file.read().rstrip(b"\0")


PROVIDER = Provider("qemu", "fw_cfg opt/com.coreos/config; a virtio disk on s390x and ppc64le", fetch)
