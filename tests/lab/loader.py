# SPDX-License-Identifier: Apache-2.0
"""Guests whose firmware starts a boot loader from a disk.

The disks are built without mounting filesystems: with mtools, and with mke2fs at an offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.cache import PROJECT
from tests.lab.commands import run
from tests.lab.guest import Boot, Disk, Guest, boot

if TYPE_CHECKING:
    from tests.lab.firstboot import Machine

_FIRMWARE = Path("/usr/share/OVMF")
_SYSTEMD_BOOT = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
_SNIPPET = PROJECT / "dracut" / "host" / "05_ignition.cfg"

_MIB = 1 << 20
_EFI_SYSTEM = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"

MOST = 4
"""Maximum number of starts of a guest that reboots."""

ENTRY = "/loader/entries/lab+6.conf"
"""systemd-boot renames the file at each boot, because it counts the tries down."""

_GRUB_MODULES = (
    "part_gpt",
    "ext2",
    "normal",
    "configfile",
    "linux",
    "search",
    "search_label",
    "test",
    "echo",
)
_GRUB_START = (
    "search --no-floppy --label --set=root boot\nset prefix=($root)/grub\nnormal ($root)/grub/grub.cfg\n"
)


@dataclass(frozen=True)
class LoaderGuest(Guest):
    """A machine that boots from the disk `loader`."""

    loader: Path = Path()

    def command(self, console: str = "stdio") -> list[str]:
        """Return QEMU's command line, with firmware instead of a kernel."""
        words = super().command(console)
        for option in ("-kernel", "-initrd", "-append"):
            at = words.index(option)
            del words[at : at + 2]
        flash = "if=pflash,format=raw,unit="
        return [
            *words,
            "-drive", f"{flash}0,readonly=on,file={_FIRMWARE / 'OVMF_CODE_4M.fd'}",
            "-drive", f"{flash}1,snapshot=on,file={_FIRMWARE / 'OVMF_VARS_4M.fd'}",
            "-drive", f"if=none,id=loader,format=raw,file={self.loader},cache=unsafe",
            "-device", "virtio-blk-pci,drive=loader,serial=loader,bootindex=0",
        ]  # fmt: skip


def boots(guest: LoaderGuest, *, seconds: float, until: str) -> list[Boot]:
    """Start `guest`, and start it again after each reboot, until it powers off; return one result per start.

    QEMU is restarted too, because a reset in place made the second start of an emulated machine a minute
    slower. After `MOST` starts the guest is not started again.
    """
    found: list[Boot] = []
    while len(found) < MOST and (not found or "reboot: Restarting system" in found[-1].console):
        found.append(boot(guest, seconds=seconds, until=until, linger=6.0))
    return found


@dataclass(frozen=True)
class _Partition:
    """A partition; start and size in MiB."""

    type: str
    start: int
    size: int


def systemd_boot_disk(lab: Machine, folder: Path, arguments: Sequence[str]) -> Path:
    """Build a disk with systemd-boot and one entry on its EFI system partition."""
    disk, system = folder / "loader.img", _Partition(_EFI_SYSTEM, 1, 160)
    _partition(disk, [system])
    _make_fat(disk, system)
    middle = len(arguments) // 2
    entry = (
        f"title Lab\nlinux /vmlinuz\ninitrd /initramfs.img\noptions {' '.join(arguments[:middle])}\n"
        f"# the rest\noptions {' '.join(arguments[middle:])}\n"
    )
    _put(disk, system, "/EFI/BOOT/BOOTX64.EFI", _SYSTEMD_BOOT)
    _put(disk, system, "/loader/loader.conf", _text(folder / "loader.conf", "timeout 0\n"))
    _put(disk, system, ENTRY, _text(folder / "entry.conf", entry))
    _put(disk, system, "/vmlinuz", lab.kernel.image)
    _put(disk, system, "/initramfs.img", lab.initramfs)
    return disk


def other_disk(folder: Path) -> Disk:
    """Return a disk with an EFI system partition without a boot loader."""
    disk = folder / "other.img"
    _partition(disk, [_Partition(_EFI_SYSTEM, 1, 4)])
    return Disk(disk, "other")


def systemd_boot_entry(disk: Path) -> str:
    """Return the current content of the entry on such a disk."""
    return run("mtype", "-i", f"{disk}@@{_MIB}", "::/loader/entries/*.conf")


def grub_disk(lab: Machine, folder: Path, arguments: Sequence[str]) -> Path:
    """Build a disk with GRUB on its EFI system partition, and a filesystem labelled `boot` as on Debian.

    The filesystem contains the first-boot stamp, for the snippet of `dracut/host`.
    """
    disk, system, boot = folder / "loader.img", _Partition(_EFI_SYSTEM, 1, 40), _Partition(_LINUX, 41, 160)
    _partition(disk, [system, boot])
    _make_fat(disk, system)
    program = folder / "grub.efi"
    run(
        "grub-mkimage", "--format=x86_64-efi", f"--output={program}", "--prefix=/grub",
        f"--config={_text(folder / 'start.cfg', _GRUB_START)}", *_GRUB_MODULES,
    )  # fmt: skip
    _put(disk, system, "/EFI/BOOT/BOOTX64.EFI", program)
    tree = folder / "boot"
    (tree / "grub").mkdir(parents=True)
    (tree / "vmlinuz-lab").symlink_to(lab.kernel.image)
    (tree / "grub" / "grub.cfg").write_text(_grub_config(arguments))
    (tree / "ignition.firstboot").touch()
    for name, source in (("vmlinuz-lab", lab.kernel.image), ("initrd.img-lab", lab.initramfs)):
        run("cp", "--dereference", "--remove-destination", source, tree / name)
    run(
        "mke2fs", "-q", "-t", "ext4", "-L", "boot", "-d", tree,
        "-E", f"offset={boot.start * _MIB},root_owner=0:0", disk, f"{boot.size}M",
    )  # fmt: skip
    return disk


def _grub_config(arguments: Sequence[str]) -> str:
    """Return a grub.cfg like that of grub-mkconfig, with one entry and one for recovery."""
    line = " ".join(arguments)
    return f"""\
set timeout=0
### BEGIN /etc/grub.d/05_ignition ###
{_SNIPPET.read_text()}
### END /etc/grub.d/05_ignition ###
menuentry 'Debian GNU/Linux' --class debian {{
\tlinux\t/vmlinuz-lab {line} $ignition_firstboot
\tinitrd\t/initrd.img-lab
}}
menuentry 'Debian GNU/Linux (recovery mode)' --class debian {{
\tlinux\t/vmlinuz-lab single {line} $ignition_firstboot
\tinitrd\t/initrd.img-lab
}}
"""


def _partition(disk: Path, partitions: Sequence[_Partition]) -> None:
    with disk.open("wb") as file:
        file.truncate((partitions[-1].start + partitions[-1].size + 1) * _MIB)
    table = disk.with_suffix(".sfdisk")
    lines = (f"start={each.start}MiB, size={each.size}MiB, type={each.type}\n" for each in partitions)
    table.write_text("label: gpt\n" + "".join(lines))
    run("sh", "-c", 'exec sfdisk --quiet "$1" <"$2"', "sh", disk, table)


def _make_fat(disk: Path, partition: _Partition) -> None:
    sectors = partition.start * _MIB // 512
    run(
        "mkfs.fat", "-F", "32", "-S", "512", "--offset", str(sectors), "-n", "EFI", disk,
        str(partition.size * 1024),
    )  # fmt: skip


def _put(disk: Path, partition: _Partition, path: str, source: Path) -> None:
    """Copy a file, and create its parent directories, which mtools does not do."""
    drive = f"{disk}@@{partition.start * _MIB}"
    above = [str(folder) for folder in reversed(Path(path).parents) if folder != Path("/")]
    for folder in above:
        run("sh", "-c", 'mdir -i "$1" "::$2" >/dev/null 2>&1 || mmd -i "$1" "::$2"', "sh", drive, folder)
    run("mcopy", "-i", drive, source, f"::{path}")


def _text(file: Path, text: str) -> Path:
    file.write_text(text)
    return file
