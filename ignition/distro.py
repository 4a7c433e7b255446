"""What a distributor may want to change: paths, names, and the switches for them.

Each constant of engine.md section 2 that the reference lets the environment
override is a function here, read when asked for; an empty value counts as unset.
"""

from __future__ import annotations

import os
from typing import Final

from ignition.errors import UsageError

__all__ = [
    "BLOCK_DEVICE_ALIASES",
    "DEFAULT_PATH",
    "DISK_BY_LABEL",
    "LUKS_KEY_DIRECTORY",
    "PACKAGES",
    "RESULT_FILE",
    "boot_id_path",
    "kernel_command_line_path",
    "system_config_directories",
    "write_authorized_keys_fragment",
]

DISK_BY_LABEL: Final = "/dev/disk/by-label"
BLOCK_DEVICE_ALIASES: Final = "/run/ignition/dev_aliases"
LUKS_KEY_DIRECTORY: Final = "/etc/luks"
RESULT_FILE: Final = "/etc/.ignition-result.json"
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PACKAGES: Final = {
    "blkid": "util-linux",
    "clevis": "clevis",
    "cryptsetup": "cryptsetup-bin",
    "dmsetup": "dmsetup",
    "groupadd": "passwd",
    "groupdel": "passwd",
    "groupmod": "passwd",
    "ignition-kargs-helper": "ignition",
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
    "setfiles": "policycoreutils",
    "sfdisk": "fdisk",
    "systemctl": "systemd",
    "udevadm": "udev",
    "umount": "mount",
    "useradd": "passwd",
    "userdel": "passwd",
    "usermod": "passwd",
    "wipefs": "util-linux",
}
"""Program → Debian package that brings it, for the message when it is missing."""


def kernel_command_line_path() -> str:
    """The file that holds the kernel command line."""
    return _environment("KERNEL_CMDLINE_PATH", "/proc/cmdline")


def boot_id_path() -> str:
    """The file that holds this boot's id."""
    return _environment("BOOT_ID_PATH", "/proc/sys/kernel/random/boot_id")


def system_config_directories() -> tuple[str, str, str]:
    """Where base configs and `user.ign` are looked for, most important first."""
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
        raise UsageError(f"IGNITION_{name} must be true, 1, false or 0")
    return word in {"true", "1"}
