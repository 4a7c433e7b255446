# SPDX-License-Identifier: Apache-2.0
"""Build the image for `tests/guest`: a Debian with Python and all storage programs.

The system itself is not provisioned. The engine's stages run in it repeatedly, on its disks, as in an
initramfs. The image does not contain the engine, so that it need not be built again when the engine changes.

The initramfs contains a shell and six kernel modules, to mount the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import cache
from tests.lab.commands import as_root, run, say

if TYPE_CHECKING:
    from tests.lab.kernel import Kernel

_SUITE = "bookworm"
_PACKAGES = (
    "btrfs-progs", "busybox-static", "clevis", "clevis-luks", "clevis-systemd", "clevis-tpm2", "cryptsetup",
    "cryptsetup-bin", "curl", "dmsetup", "dosfstools", "e2fsprogs", "fdisk", "gdisk", "jose", "kmod",
    "kpartx", "lvm2", "mdadm", "passwd", "python3", "systemd-sysv", "tang", "tpm2-tools", "udev", "xfsprogs",
)  # fmt: skip
_SIZE = "3G"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
_MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
)
"""In the order of their dependencies. ext4 is built into the kernel."""


@dataclass(frozen=True)
class GuestImage:
    """A filesystem labelled `root`, which must not be written to, and the initramfs that mounts it."""

    root: Path
    initramfs: Path


def guest_image(kernel: Kernel) -> GuestImage:
    """Return the image with the modules of `kernel`."""
    key = cache.digest([Path(__file__), kernel.tree.name])
    folder = cache.made("guest", key, lambda folder: _make(kernel, folder))
    return GuestImage(folder / "root.img", folder / "initramfs.img")


def _make(kernel: Kernel, folder: Path) -> None:
    archive = folder / "root.tar"
    run(
        "mmdebstrap",
        "--variant=minbase",
        "--quiet",
        f"--include={','.join(_PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        _SUITE,
        archive,
    )
    say("  building its filesystem …")
    modules = [next(kernel.modules.rglob(f"{name}.ko")) for name in _MODULES]
    run(
        *as_root(), "sh", "-c", _TO_FILESYSTEM, "sh", archive, kernel.modules, folder, _SIZE, *modules
    )  # fmt: skip
    archive.unlink()


_TO_FILESYSTEM = """
set -e
archive=$1 modules=$2 folder=$3 size=$4
shift 4
root=$folder/root
mkdir "$root"
tar --extract --file="$archive" --directory="$root" --exclude='./dev/*'
mkdir --parents "$root/usr/lib/modules" "$root/cases"
cp --recursive "$modules" "$root/usr/lib/modules"
echo 00112233445566778899aabbccddeeff > "$root/etc/machine-id"
echo guest > "$root/etc/hostname"
units=$root/etc/systemd/system

# Runs the cases and powers off.
cat > "$units/cases.service" <<UNIT
[Unit]
Description=Storage cases
Requires=sysinit.target
After=sysinit.target
FailureAction=poweroff-force
SuccessAction=poweroff-force
[Service]
Type=oneshot
ExecStartPre=mount -t ext4 -o ro LABEL=cases /cases
ExecStart=/cases/start
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
UNIT

# Tang, on loopback only.
mkdir "$units/tangd.socket.d"
cat > "$units/tangd.socket.d/here.conf" <<UNIT
[Socket]
ListenStream=
ListenStream=127.0.0.1:80
UNIT

mke2fs -q -t ext4 -L root -d "$root" "$folder/root.img" "$size"

first=$folder/first
mkdir --parents "$first/bin" "$first/modules" "$first/root" "$first/dev" "$first/proc" "$first/sys"
cp "$root/bin/busybox" "$first/bin/busybox"
number=10
for module; do
    cp "$module" "$first/modules/$number.ko"
    number=$((number + 1))
done
cat > "$first/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
busybox mount -t devtmpfs none /dev
busybox mount -t sysfs none /sys
for module in /modules/*; do busybox insmod "$module"; done
tries=0
while [ "$tries" -lt 100 ]; do
    # Only the root disk has no serial number.
    for disk in /sys/block/vd*; do
        [ -z "$(busybox cat "$disk/serial" 2>/dev/null)" ] || continue
        busybox mount -t ext4 -o ro "/dev/${disk##*/}" /root || continue
        busybox mount --move /dev /root/dev
        busybox umount /sys
        exec busybox switch_root /root /sbin/init
    done
    tries=$((tries + 1))
    busybox sleep 0.1
done
exec busybox poweroff -f
INIT
chmod 755 "$first/init"
(cd "$first" && find . | cpio --quiet --create --format=newc) > "$folder/initramfs.img"
rm --recursive "$root" "$first"
"""
