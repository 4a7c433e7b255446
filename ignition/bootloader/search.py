# SPDX-License-Identifier: Apache-2.0
"""Find the boot loader files of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ignition import distro, log
from ignition.bootloader import candidates, files
from ignition.bootloader.candidates import BootFacts, Candidate
from ignition.errors import IgnitionError
from ignition.host.command import CommandFailed
from ignition.host.system_path import under
from ignition.tools.kargs import list_devices, settle

if TYPE_CHECKING:
    from ignition.bootloader.arguments import ArgumentRequest
    from ignition.bootloader.files import Edit
    from ignition.bootloader.mounts import Mounts
    from ignition.host import Run
    from ignition.host.root import Root

__all__ = ["GRUB", "SYSTEMD_BOOT", "FoundFiles", "Search"]

GRUB: Final = "grub"
SYSTEMD_BOOT: Final = "systemd-boot"

VARIABLES: Final = "/sys/firmware/efi/efivars"
VENDOR: Final = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
"""Vendor GUID of the boot loader's EFI variables. Source: systemd's "Boot Loader Interface"."""

DISK_TIMEOUT: Final = 30.0
"""Seconds to wait for a disk."""


@dataclass(frozen=True)
class FoundFiles:
    """The boot loader files of one candidate."""

    candidate: Candidate
    root: Root
    edits: list[Edit]

    @property
    def changes(self) -> bool:
        return any(edit.changes for edit in self.edits)


@dataclass(frozen=True)
class Search:
    """A search for the files with kernel arguments.

    Attributes:
        run: starts programs.
        mounts: mounts filesystems.
        request: the requested kernel arguments.
        loader: `GRUB`, `SYSTEMD_BOOT`, or any other value to detect the boot loader.
        device: the device or `TAG=value` with the files; "" to search for it.
        system: path where the running system is mounted, `/` except in tests.
        sleep: waits the given number of seconds.
        searched: names of the searched candidates for messages.
    """

    run: Run
    mounts: Mounts
    request: ArgumentRequest
    loader: str = ""
    device: str = ""
    system: str = "/"
    sleep: Callable[[float], None] = time.sleep
    searched: list[str] = field(default_factory=list)

    def boot_loader(self) -> list[FoundFiles]:
        """Find the boot loader files; wait for disks that appear late.

        Raises:
            IgnitionError: no files found, or they cannot express the request.
        """
        self.run(settle())
        deadline = time.monotonic() + DISK_TIMEOUT
        while not (found := list(self._look())):
            if time.monotonic() >= deadline:
                raise IgnitionError(
                    "no boot loader file with kernel arguments found; searched"
                    f" {', '.join(self.searched) or 'no filesystem'}",
                    hint="build the initramfs with IGNITION_BOOT_DEVICE=DEVICE,"
                    " or with a program of your own as IGNITION_KARGS_HELPER",
                )
            self.mounts.release()
            self.searched.clear()
            self.sleep(1)
        return found

    def files_for_later_kernels(self) -> list[FoundFiles]:
        """Find the files from which the installed system generates boot loader files for later kernels."""
        for candidate in candidates.root_candidate(self.facts()):
            root = self._mounted(candidate)
            if root:
                return [FoundFiles(candidate, root, files.edits_for_later_kernels(root, self.request))]
        log.info("root filesystem not found: kernels that are installed later are not handled")
        return []

    def command_line(self) -> str:
        return self._line(distro.kernel_command_line_path())

    def boot_id(self) -> str:
        return self._line(distro.boot_id_path())

    def facts(self) -> BootFacts:
        devices = candidates.parse(self.run(list_devices(candidates.COLUMNS)).stdout)
        partition = self._variable("LoaderDevicePartUUID")
        return BootFacts(devices, candidates.arguments(self.command_line()), partition)

    def _look(self) -> Iterator[FoundFiles]:
        facts, loader = self.facts(), self.loader
        if loader not in {GRUB, SYSTEMD_BOOT}:
            # "systemd-boot 252", "GRUB 2.12". Older GRUBs, and those without EFI, set no variable.
            loader = self._variable("LoaderInfo").partition(" ")[0].lower()
        if loader != SYSTEMD_BOOT:
            found = next(self._search_candidates(self._grub_candidates(facts), files.grub_files), None)
            if found:
                yield found
                return
        if loader != GRUB:
            configured = self._configured_candidate(facts) if self.device else None
            places = configured or candidates.systemd_boot_candidates(facts)
            yield from self._search_candidates(places, files.systemd_boot_files)

    def _search_candidates(
        self, places: Iterable[Candidate], look: Callable[[Root, str, ArgumentRequest], list[Edit]]
    ) -> Iterator[FoundFiles]:
        images: list[str] = []
        found = False
        for candidate in candidates.without_duplicates(places):
            root = self._mounted(candidate)
            if root is None:
                continue
            if look is files.systemd_boot_files:
                images += files.unified_images(root, candidate.prefix)
            edits = look(root, candidate.prefix, self.request)
            if edits:
                found = True
                yield FoundFiles(candidate, root, edits)
        if images and found:
            log.info(f"unified kernel images keep their own arguments: {', '.join(images)}")
        elif images:
            raise IgnitionError(
                f"cannot change arguments of unified kernel images ({', '.join(images)})",
                hint="remove kernelArguments from the config, or build the images with other arguments",
            )

    def _grub_candidates(self, facts: BootFacts) -> Iterator[Candidate]:
        if self.device:
            yield from self._configured_candidate(facts)
            return
        for candidate in candidates.grub_candidates(facts):
            yield candidate
            root = self._mounted(candidate) if candidate.prefix else None
            if root and root.is_file("/etc/fstab"):
                yield from candidates.fstab_candidate(facts, root.read_text("/etc/fstab"))

    def _configured_candidate(self, facts: BootFacts) -> Iterator[Candidate]:
        """Yield the device of IGNITION_BOOT_DEVICE."""
        node = os.path.realpath(self._path(self.device)) if self.device[:1] == "/" else self.device
        device = facts.find_device(node.removeprefix(under(self.system, "")))
        if device:
            yield Candidate(device.path, f"IGNITION_BOOT_DEVICE ({device.path})")
        else:
            self._note_searched(f"{self.device} (not found)")

    def _mounted(self, candidate: Candidate) -> Root | None:
        """Mount the filesystem of a candidate; log a failure and return None."""
        try:
            root = self.mounts.at(candidate)
        except CommandFailed as error:
            log.info(f"skipping {candidate.what}: {error}")
            self._note_searched(f"{candidate.what} (cannot be mounted)")
            return None
        self._note_searched(candidate.what)
        return root

    def _note_searched(self, what: str) -> None:
        """Note a searched candidate, once."""
        if what not in self.searched:
            self.searched.append(what)

    def _variable(self, name: str) -> str:
        """Read an EFI variable of the boot loader: four bytes of flags, then UTF-16; "" if missing."""
        try:
            with open(self._path(f"{VARIABLES}/{name}-{VENDOR}"), "rb") as file:
                return file.read()[4::2].decode("ascii", "replace").rstrip("\0")
        except FileNotFoundError:  # no EFI, or a boot loader without the interface
            return ""

    def _line(self, path: str) -> str:
        with open(self._path(path), encoding="utf-8", errors="replace") as file:
            return file.read().strip()

    def _path(self, path: str) -> str:
        return under(self.system, path)
