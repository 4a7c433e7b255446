# SPDX-License-Identifier: Apache-2.0
"""Change the kernel arguments and reboot; the protocol is in docs/reference/stages.md, "kargs stage".

Filesystems are mounted read-only, and remounted only if a file on them changes. The machine reboots if files
changed and the running kernel lacks the requested arguments. A boot loader that reads other files therefore
causes only one reboot. If a program reverts the change between two boots, a marker file on the same
filesystem prevents a second reboot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.bootloader import files
from ignition.bootloader.arguments import ArgumentRequest, is_satisfied
from ignition.bootloader.mounts import Mounts
from ignition.bootloader.search import FoundFiles, Search
from ignition.errors import IgnitionError, text_of
from ignition.tools.kargs import reboot

if TYPE_CHECKING:
    from ignition.host import Run

__all__ = ["Helper"]

MARKER: Final = "ignition.kargs-reboot"
"""Marker file beside the boot loader files, from the reboot to the next run."""

REBOOT_TIMEOUT: Final = 120.0
"""Seconds in which systemd has to kill this process."""


@dataclass(frozen=True)
class Helper:
    """The helper; see `Search` for the attributes."""

    run: Run
    loader: str = ""
    device: str = ""
    system: str = "/"
    sleep: Callable[[float], None] = time.sleep

    def set(self, request: ArgumentRequest) -> None:
        """Make the machine boot with the requested arguments; does not return if the machine reboots.

        Raises:
            IgnitionError: no boot loader files found, they cannot express the request, or an earlier change
                was reverted.
            OSError: a file cannot be read or written.
        """
        request.check()
        with Mounts(self.run, self.system) as mounts:
            search = Search(self.run, mounts, request, self.loader, self.device, self.system, self.sleep)
            found = search.boot_loader()
            marker = RebootMarker(request, search.boot_id())
            has_changes = any(each.changes for each in found)
            if is_satisfied(request, search.command_line()):
                reboots = False
            else:
                reboots = has_changes or any(map(marker.is_from_this_boot, found))
            if reboots:
                marker.refuse_second_reboot(found)
            write_for_later_kernels(search, mounts)
            write(found, mounts)
            if reboots and has_changes:
                marker.write(found[0])
            elif not reboots:
                remove_markers(found, mounts)
        if reboots:
            self._reboot()

    def _reboot(self) -> None:
        """Reboot; never return, because the caller would continue with the disks."""
        log.info("kernel arguments changed: rebooting")
        self.run(reboot())
        self.sleep(REBOOT_TIMEOUT)
        raise IgnitionError(f"the machine did not reboot: timed out after {REBOOT_TIMEOUT:.0f} s")


def write(founds: Sequence[FoundFiles], mounts: Mounts) -> None:
    """Write the changed files; filesystems without changes stay read-only."""
    for found in founds:
        for edit in found.edits:
            log.info(
                f"{edit.path} {'changes' if edit.changes else 'needs no change'} ({found.candidate.what})"
            )
    changing = [found for found in founds if found.changes]
    for found in changing:
        mounts.make_writable(found.candidate)
    for found in changing:
        files.write(found.root, found.edits)


def write_for_later_kernels(search: Search, mounts: Mounts) -> None:
    """Change the installed system too; a failure is only logged, because this boot does not depend on it."""
    try:
        write(search.files_for_later_kernels(), mounts)
    except (IgnitionError, OSError) as error:
        log.notice(f"kernels that are installed later may lack the arguments: {text_of(error)}")


def remove_markers(found: Sequence[FoundFiles], mounts: Mounts) -> None:
    """Remove the marker files after the reboot."""
    for each in found:
        if each.root.exists(marker_path(each)):
            mounts.make_writable(each.candidate)
            each.root.remove(marker_path(each))
            each.root.sync([each.candidate.prefix or "/"])


def marker_path(found: FoundFiles) -> str:
    return f"{found.candidate.prefix}/{MARKER}"


@dataclass(frozen=True)
class RebootMarker:
    """The marker of a reboot: its kernel arguments and the id of the boot that it ended."""

    request: ArgumentRequest
    boot: str

    def write(self, found: FoundFiles) -> None:
        """Write the marker, after all other files."""
        found.root.write(marker_path(found), f"{self.boot}\n{self._arguments}".encode(), mode=0o600)
        found.root.sync([found.candidate.prefix or "/"])

    def is_from_this_boot(self, found: FoundFiles) -> bool:
        """Whether the marker was written in this boot, which should have ended with the reboot."""
        return self._read(found) == (self.boot, self._arguments)

    def refuse_second_reboot(self, founds: Sequence[FoundFiles]) -> None:
        """Check that the machine was not rebooted for the same arguments before.

        Raises:
            IgnitionError: it was.
        """
        for found in founds:
            boot, arguments = self._read(found)
            if arguments == self._arguments and boot != self.boot:
                raise IgnitionError(
                    "the machine was already rebooted for these kernel arguments, and"
                    f" {found.candidate.what} has lost them since",
                    hint=f"disable the program that reverts boot loader files, then remove {MARKER} there",
                )

    @property
    def _arguments(self) -> str:
        lines = [f"--should-exist {each}\n" for each in self.request.should_exist]
        return "".join([*lines, *(f"--should-not-exist {each}\n" for each in self.request.should_not_exist)])

    def _read(self, found: FoundFiles) -> tuple[str, str]:
        path = marker_path(found)
        boot, _, arguments = (
            found.root.read_text(path).partition("\n") if found.root.is_file(path) else ("", "", "")
        )
        return boot, arguments
