"""QEMU's firmware config device, `-fw_cfg name=opt/com.coreos/config,file=…`.

Source: providers.md section 5.24. On s390x and ppc64le, where QEMU has no such
device, the reference reads a virtio disk with the serial `ignition`.
"""

from __future__ import annotations

import os
import platform as python_platform
import time

from ignition import log
from ignition.errors import IgnitionError
from ignition.platform.provider import Platform, Provider

__all__ = ["PROVIDER"]

FIRMWARE = "/sys/firmware/qemu_fw_cfg"
KEY = f"{FIRMWARE}/by_name/opt/com.coreos/config"
WITHOUT_FIRMWARE = frozenset({"s390x", "ppc64le"})

DISK = "/dev/disk/by-id/virtio-ignition"
DISK_DRIVER = "/sys/bus/virtio/drivers/virtio_blk"
DISK_POLL = 5.0
DISK_LIMIT = 300.0

SLOW_AFTER = 10.0


def fetch(platform: Platform) -> bytes:
    """The config from the firmware device, or from the disk where there is none."""
    if python_platform.machine() in WITHOUT_FIRMWARE:
        return read_disk(platform)
    return read_firmware(platform)


def read_firmware(platform: Platform) -> bytes:
    """The config of the firmware device; none if the key is not there."""
    platform.need_module("qemu_fw_cfg", unless=FIRMWARE)
    try:
        with open(platform.path(f"{KEY}/size"), encoding="ascii") as file:
            size = int(file.read())
    except FileNotFoundError:
        log.info("QEMU has no firmware config opt/com.coreos/config")
        return b""
    except ValueError as error:
        raise IgnitionError(f"couldn't parse the size in {KEY}/size") from error
    return read_exactly(platform.path(f"{KEY}/raw"), size)


def read_exactly(path: str, size: int) -> bytes:
    """All `size` bytes of a file, in as few reads as the kernel allows.

    Each read of the device costs the kernel time in proportion to its offset,
    so that small reads of a large config take quadratic time.

    Raises:
        IgnitionError: the file is shorter or longer than its stated size.
    """
    data = bytearray()
    started = said = time.monotonic()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while len(data) <= size:
            piece = os.read(descriptor, size + 1 - len(data))
            if not piece:
                break
            data += piece
            now = time.monotonic()
            if now - started > SLOW_AFTER and now - said > SLOW_AFTER / 2:
                log.info(f"reading the config from QEMU: {len(data)} of {size} bytes; large ones are slow")
                said = now
    finally:
        os.close(descriptor)
    if len(data) != size:
        how = "ends early" if len(data) < size else "goes on beyond its stated size"
        raise IgnitionError(f"the firmware config of {size} bytes {how}")
    return bytes(data)


def read_disk(platform: Platform) -> bytes:
    """The content of the virtio disk with the serial `ignition`, without its padding."""
    platform.need_module("virtio_blk", unless=DISK_DRIVER)
    waited = 0.0
    while not os.path.exists(platform.path(DISK)):
        if waited >= DISK_LIMIT:
            raise IgnitionError(
                f"the disk {DISK} did not appear in {DISK_LIMIT:g} s",
                hint="attach the config as a virtio disk with serial=ignition",
            )
        log.info(f"waiting for the disk {DISK}")
        platform.sleep(DISK_POLL)
        waited += DISK_POLL
    with open(platform.path(DISK), "rb") as file:
        return file.read().rstrip(b"\0")


PROVIDER = Provider("qemu", "fw_cfg opt/com.coreos/config; a virtio disk on s390x and ppc64le", fetch)
