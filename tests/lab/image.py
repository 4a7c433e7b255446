# SPDX-License-Identifier: Apache-2.0
"""Build the root image of the guests: a minimal Debian, as from an image builder.

`/etc/machine-id` is empty, as most image builders leave it: then systemd applies no presets, and the engine
has to enable units by symlinks. The image has no SELinux policy, and no Python, because the engine must bring
its own. The boot filesystem contains the first-boot stamp, and the unit that removes the stamp is installed
as by `make install`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import cache
from tests.lab.commands import as_root, run, say

if TYPE_CHECKING:
    from tests.lab.kernel import Kernel

_SUITE = "bookworm"
_PACKAGES = ("dbus", "e2fsprogs", "kmod", "mdadm", "passwd", "systemd-sysv", "udev")
_FSTAB = "LABEL=root / ext4 defaults 0 1"
_SIZE = "2G"
_HOST = cache.PROJECT / "dracut" / "host"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")


def image(kernel: Kernel) -> Path:
    """Return a read-only file with an ext4 filesystem labelled `root` and the modules of `kernel`."""
    key = cache.digest([Path(__file__), kernel.tree.name, *sorted(_HOST.glob("ignition-firstboot-*"))])
    return cache.made("image", key, lambda folder: _make(kernel, folder)) / "root.img"


def _make(kernel: Kernel, folder: Path) -> None:
    archive = folder / "root.tar"
    run(
        "mmdebstrap",
        "--variant=minbase",
        "--quiet",
        f"--include={','.join(_PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        f'--customize-hook=echo "{_FSTAB}" > "$1/etc/fstab"',
        '--customize-hook=: > "$1/etc/machine-id"',
        '--customize-hook=echo unnamed > "$1/etc/hostname"',
        _SUITE,
        archive,
    )
    say("  building its filesystem …")
    run(
        *as_root(), "sh", "-c", _TO_FILESYSTEM, "sh",
        archive, kernel.modules, _HOST, folder / "root", folder / "root.img", _SIZE,
    )  # fmt: skip
    archive.unlink()


_TO_FILESYSTEM = """
set -e
archive=$1 modules=$2 host=$3 root=$4 image=$5 size=$6
unit=ignition-firstboot-complete
units=$root/usr/lib/systemd/system
mkdir "$root"
tar --extract --file="$archive" --directory="$root" --exclude='./dev/*'
mkdir --parents "$root/usr/lib/modules" "$units/multi-user.target.wants"
cp --recursive "$modules" "$root/usr/lib/modules"
install --mode=644 "$host/$unit.service" "$units"
install --mode=755 -D "$host/$unit.sh" "$root/usr/libexec/$unit"
ln --symbolic "../$unit.service" "$units/multi-user.target.wants"
touch "$root/boot/ignition.firstboot"
mke2fs -q -t ext4 -L root -d "$root" "$image" "$size"
rm --recursive "$root"
"""
