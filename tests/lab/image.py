"""The root image that the guests boot from: a minimal Debian, as an image builder would leave it.

Two things about it are on purpose. `/etc/machine-id` is empty, as most builders leave it:
systemd does not take that for a first boot and applies no presets, and the engine has to
make "enabled" true all the same. And there is no SELinux policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab import cache
from tests.lab.commands import run, say

if TYPE_CHECKING:
    from pathlib import Path

_SUITE = "bookworm"
_PACKAGES = ("dbus", "e2fsprogs", "kmod", "passwd", "systemd-sysv", "udev", "xfsprogs")
_FSTAB = "LABEL=root / ext4 defaults 0 1\n"
_SIZE = "2G"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
_RECIPE = "1"
"""To be raised when the steps below change what they make."""


def image() -> Path:
    """A file with an ext4 filesystem labelled `root`; never written to (boot it with `snapshot=on`)."""
    key = cache.digest([_RECIPE, _SUITE, _SIZE, _FSTAB, *_PACKAGES, *_LEFT_OUT])
    return cache.made("image", key, _make) / "root.img"


def _make(folder: Path) -> None:
    tree = folder / "root"
    run(
        "mmdebstrap",
        "--variant=minbase",
        "--quiet",
        f"--include={','.join(_PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        f"--customize-hook=printf %s '{_FSTAB.strip()}' > \"$1/etc/fstab\"",
        '--customize-hook=: > "$1/etc/machine-id"',
        '--customize-hook=echo unnamed > "$1/etc/hostname"',
        _SUITE,
        tree,
    )
    say("  … and its filesystem")
    run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", tree, folder / "root.img", _SIZE)
    run("rm", "--recursive", "--one-file-system", tree)
