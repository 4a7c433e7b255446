"""Finding the boot loader's files on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ignition import distro, log
from ignition.bootloader import candidates as places
from ignition.bootloader import files
from ignition.bootloader.candidates import Known, Place
from ignition.errors import IgnitionError
from ignition.host.command import CommandFailed
from ignition.tools.kargs import list_devices, settle

if TYPE_CHECKING:
    from ignition.bootloader.arguments import Wish
    from ignition.bootloader.files import Edit
    from ignition.bootloader.mounts import Mounts
    from ignition.host import Run
    from ignition.host.root import Root

__all__ = ["GRUB", "SYSTEMD_BOOT", "Found", "Search"]

GRUB: Final = "grub"
SYSTEMD_BOOT: Final = "systemd-boot"

VARIABLES: Final = "/sys/firmware/efi/efivars"
VENDOR: Final = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
"""Of the variables in which a boot loader speaks of itself. Source: systemd's "Boot Loader Interface"."""

PATIENCE: Final = 30.0
"""Seconds for a disk to appear; the reference gives its drives as many."""


@dataclass(frozen=True)
class Found:
    """What one directory of one filesystem has."""

    place: Place
    root: Root
    edits: list[Edit]

    @property
    def changes(self) -> bool:
        """Whether any file has to change."""
        return any(edit.changes for edit in self.edits)


@dataclass(frozen=True)
class Search:
    """A search for the files that hold kernel arguments.

    Attributes:
        run: starts programs.
        mounts: where filesystems are mounted.
        wish: what is asked for.
        loader: `GRUB`, `SYSTEMD_BOOT`, or anything else for the one that is found.
        device: the device or `TAG=value` with the files; "" to look for it.
        system: where the running system is mounted; `/` except in tests.
        sleep: waits that many seconds.
        looked: what was looked at, for people.
    """

    run: Run
    mounts: Mounts
    wish: Wish
    loader: str = ""
    device: str = ""
    system: str = "/"
    sleep: Callable[[float], None] = time.sleep
    looked: list[str] = field(default_factory=list)

    def boot_loader(self) -> list[Found]:
        """The boot loader's files; a disk may need its time to appear.

        Raises:
            IgnitionError: there are none, or they cannot be changed as wished.
        """
        self.run(settle())
        deadline = time.monotonic() + PATIENCE
        while not (found := list(self._look())):
            if time.monotonic() >= deadline:
                raise IgnitionError(
                    "no boot loader file with kernel arguments found; searched"
                    f" {', '.join(self.looked) or 'no filesystem'}",
                    hint="build the initramfs with IGNITION_BOOT_DEVICE=DEVICE,"
                    " or with a program of your own as IGNITION_KARGS_HELPER",
                )
            self.mounts.release()
            self.looked.clear()
            self.sleep(1)
        return found

    def installed_system(self) -> list[Found]:
        """The files from which the installed system will make those for its later kernels."""
        for place in places.root_place(self.known()):
            root = self._mounted(place)
            if root:
                return [Found(place, root, files.for_later_kernels(root, self.wish))]
        log.info("root filesystem not found: kernels that are installed later are not handled")
        return []

    def command_line(self) -> str:
        """The command line of the running kernel."""
        return self._line(distro.kernel_command_line_path())

    def boot_id(self) -> str:
        """Which boot this is."""
        return self._line(distro.boot_id_path())

    def known(self) -> Known:
        """What the machine is now."""
        devices = places.parse(self.run(list_devices(places.COLUMNS)).stdout)
        partition = self._variable("LoaderDevicePartUUID")
        return Known(devices, places.arguments(self.command_line()), partition)

    def _look(self) -> Iterator[Found]:
        known, loader = self.known(), self.loader
        if loader not in {GRUB, SYSTEMD_BOOT}:
            # "systemd-boot 252", "GRUB 2.12"; older GRUBs, and those without EFI, do not say.
            loader = self._variable("LoaderInfo").partition(" ")[0].lower()
        if loader != SYSTEMD_BOOT:
            found = next(self._looked_at(self._grub_places(known), files.grub_files), None)
            if found:
                yield found
                return
        if loader != GRUB:
            candidates = self._own_place(known) if self.device else places.systemd_boot_places(known)
            yield from self._looked_at(candidates, files.systemd_boot_files)

    def _looked_at(
        self, candidates: Iterable[Place], look: Callable[[Root, str, Wish], list[Edit]]
    ) -> Iterator[Found]:
        images: list[str] = []
        found = False
        for place in places.first_of_each(candidates):
            root = self._mounted(place)
            if root is None:
                continue
            if look is files.systemd_boot_files:
                images += files.unified_images(root, place.prefix)
            edits = look(root, place.prefix, self.wish)
            if edits:
                found = True
                yield Found(place, root, edits)
        if images and found:
            log.info(f"unified kernel images keep their own arguments: {', '.join(images)}")
        elif images:
            raise IgnitionError(
                f"this machine boots unified kernel images ({', '.join(images)}): the arguments are in these",
                hint="remove kernelArguments from the config, or build the images with other arguments",
            )

    def _grub_places(self, known: Known) -> Iterator[Place]:
        if self.device:
            yield from self._own_place(known)
            return
        for place in places.grub_places(known):
            yield place
            root = self._mounted(place) if place.prefix else None
            if root and root.is_file("/etc/fstab"):
                yield from places.mounted_at_boot(known, root.read_text("/etc/fstab"))

    def _own_place(self, known: Known) -> Iterator[Place]:
        """The device that the distributor names."""
        node = os.path.realpath(self._path(self.device)) if self.device[:1] == "/" else self.device
        device = known.meant(node.removeprefix(self.system.rstrip("/")))
        if device:
            yield Place(device.path, f"IGNITION_BOOT_DEVICE ({device.path})")
        else:
            self._say(f"{self.device} (not found)")

    def _mounted(self, place: Place) -> Root | None:
        """The filesystem of a place; `None`, and a word about it, if it cannot be mounted."""
        try:
            root = self.mounts.at(place)
        except CommandFailed as error:
            log.info(f"skipping {place.what}: {error}")
            self._say(f"{place.what} (cannot be mounted)")
            return None
        self._say(place.what)
        return root

    def _say(self, what: str) -> None:
        """Take down what was looked at, once."""
        if what not in self.looked:
            self.looked.append(what)

    def _variable(self, name: str) -> str:
        """What the boot loader says of itself: four bytes of flags, then UTF-16 with a zero at the end."""
        try:
            with open(self._path(f"{VARIABLES}/{name}-{VENDOR}"), "rb") as file:
                return file.read()[4::2].decode("ascii", "replace").rstrip("\0")
        except FileNotFoundError:  # no EFI, or a boot loader that does not say
            return ""

    def _line(self, path: str) -> str:
        with open(self._path(path), encoding="utf-8", errors="replace") as file:
            return file.read().strip()

    def _path(self, path: str) -> str:
        return self.system.rstrip("/") + path
