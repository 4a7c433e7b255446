# SPDX-License-Identifier: Apache-2.0
"""Settings of the distribution: paths, package names, and environment variables.

Settings that the reference takes from the environment are functions, evaluated at each call; an empty
variable counts as unset. Source: docs/reference/stages.md, "Environment".
"""

from __future__ import annotations

import os
from typing import Final

from ignition.errors import UsageError

__all__ = [
    "BLOCK_DEVICE_ALIASES",
    "CEX_KEY_REPOSITORY",
    "DEFAULT_PATH",
    "DISK_BY_LABEL",
    "LUKS_KEY_DIRECTORY",
    "MDADM_CONFS",
    "PACKAGES",
    "RESULT_FILE",
    "boot_device",
    "boot_id_path",
    "boot_loader",
    "downloads",
    "kernel_command_line_path",
    "record_directory",
    "system_config_directories",
    "write_authorized_keys_fragment",
]

DISK_BY_LABEL: Final = "/dev/disk/by-label"
BLOCK_DEVICE_ALIASES: Final = "/run/ignition/dev_aliases"
LUKS_KEY_DIRECTORY: Final = "/etc/luks"
CEX_KEY_REPOSITORY: Final = "/etc/zkey/repository"
MDADM_CONFS: Final = ("/etc/mdadm/mdadm.conf", "/etc/mdadm.conf")
"""Configuration files of mdadm in the target root; the first existing one is used."""
RESULT_FILE: Final = "/etc/.ignition-result.json"
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PACKAGES: Final = {
    "blkid": "util-linux",
    "clevis": "clevis",
    "clevis-decrypt": "clevis",
    "clevis-decrypt-sss": "clevis",
    "clevis-decrypt-tang": "clevis",
    "clevis-decrypt-tpm2": "clevis-tpm2",
    "clevis-encrypt-sss": "clevis",
    "clevis-encrypt-tang": "clevis",
    "clevis-encrypt-tpm2": "clevis-tpm2",
    "clevis-luks-bind": "clevis-luks",
    "clevis-luks-unlock": "clevis-luks",
    "cryptsetup": "cryptsetup-bin",
    "curl": "curl",
    "dmsetup": "dmsetup",
    "groupadd": "passwd",
    "groupdel": "passwd",
    "groupmod": "passwd",
    "ignition-kargs-helper": "ignition",
    "jose": "jose",
    "lsblk": "util-linux",
    "mdadm": "mdadm",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.fat": "dosfstools",
    "mkfs.xfs": "xfsprogs",
    "mkswap": "util-linux",
    "modprobe": "kmod",
    "mount": "mount",
    "partx": "util-linux",
    "pwmake": "libpwquality-tools",
    "setfiles": "policycoreutils",
    "sfdisk": "fdisk",
    "systemctl": "systemd",
    "tpm2_create": "tpm2-tools",
    "tpm2_unseal": "tpm2-tools",
    "udevadm": "udev",
    "umount": "mount",
    "useradd": "passwd",
    "userdel": "passwd",
    "usermod": "passwd",
    "wipefs": "util-linux",
    "zkey": "s390-tools",
    "zkey-cryptsetup": "s390-tools",
}
"""Program → Debian package that contains it."""


def kernel_command_line_path() -> str:
    """Path of the kernel command line."""
    return _environment("KERNEL_CMDLINE_PATH", "/proc/cmdline")


def boot_id_path() -> str:
    """Path of the id of this boot."""
    return _environment("BOOT_ID_PATH", "/proc/sys/kernel/random/boot_id")


def boot_loader() -> str:
    """The boot loader: `grub`, `systemd-boot`, or `auto` to detect it."""
    return _environment("BOOT_LOADER", "auto")


def boot_device() -> str:
    """The device or `TAG=value` of the filesystem with the boot loader's files; "" to search for it."""
    return _environment("BOOT_DEVICE", "")


def record_directory() -> str:
    """Directory of the provisioning record in the target root."""
    return _environment("RECORD_DIRECTORY", "/var/log/ignition")


def downloads() -> int:
    """The number of parallel downloads."""
    word = _environment("DOWNLOADS", "8")
    if not (word.isascii() and word.isdecimal() and int(word)):
        raise UsageError("invalid IGNITION_DOWNLOADS, expected a number of 1 or more")
    return int(word)


def system_config_directories() -> tuple[str, str, str]:
    """Directories of base configs and `user.ign`, highest priority first."""
    return (
        _environment("SYSTEM_RUNTIME_CONFIG_DIR", "/run/ignition"),
        _environment("SYSTEM_LOCAL_CONFIG_DIR", "/etc/ignition"),
        _environment("SYSTEM_CONFIG_DIR", "/usr/lib/ignition"),
    )


def write_authorized_keys_fragment() -> bool:
    """Whether SSH keys go to `authorized_keys.d/ignition` instead of `authorized_keys`."""
    return _boolean("WRITE_AUTHORIZED_KEYS_FRAGMENT", default=True)


def _environment(name: str, default: str) -> str:
    return os.environ.get(f"IGNITION_{name}") or default


def _boolean(name: str, *, default: bool) -> bool:
    word = _environment(name, str(default).lower())
    if word not in {"true", "1", "false", "0"}:
        raise UsageError(f"invalid IGNITION_{name}, expected true, 1, false or 0")
    return word in {"true", "1"}
