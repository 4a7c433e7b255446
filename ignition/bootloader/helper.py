"""From the arguments that are asked for to the reboot. Source of what is expected of a helper: engine.md 9.2.

Everything is looked at on filesystems that are mounted read-only; only one with a file that has to change is
mounted for writing. The machine reboots when the boot loader's files changed and the running kernel was not
started as wished. So a boot loader that reads other files than these causes one reboot and no more; and
where something undoes the change between two boots, a note on the same filesystem ends it after the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.bootloader import files
from ignition.bootloader.arguments import Wish, is_met
from ignition.bootloader.mounts import Mounts
from ignition.bootloader.search import Found, Search
from ignition.errors import IgnitionError
from ignition.tools.kargs import reboot

if TYPE_CHECKING:
    from ignition.host import Run

__all__ = ["Helper"]

NOTE: Final = "ignition.kargs-reboot"
"""Beside the boot loader's files from the reboot to the next run: which arguments it was for."""

REBOOT_PATIENCE: Final = 120.0
"""Seconds in which systemd has to end this process."""


@dataclass(frozen=True)
class Helper:
    """The helper for one machine; see `Search` for the attributes."""

    run: Run
    loader: str = ""
    device: str = ""
    system: str = "/"
    sleep: Callable[[float], None] = time.sleep

    def set(self, wish: Wish) -> None:
        """See to it that the machine boots as wished. It does not return when the machine reboots.

        Raises:
            IgnitionError: no boot loader's files are found, they cannot be changed as wished, or what was
                changed before was undone.
            OSError: a file cannot be read or written.
        """
        wish.check()
        with Mounts(self.run, self.system) as mounts:
            search = Search(self.run, mounts, wish, self.loader, self.device, self.system, self.sleep)
            found = search.boot_loader()
            note = Note(wish, search.boot_id())
            has_changes = any(each.changes for each in found)
            if is_met(wish, search.command_line()):
                reboots = False
            else:
                reboots = has_changes or any(map(note.is_of_this_boot, found))
            if reboots:
                note.refuse_a_second_reboot(found)
            write_for_later(search, mounts)
            write(found, mounts)
            if reboots and has_changes:
                note.leave(found[0])
            elif not reboots:
                take_notes_away(found, mounts)
        if reboots:
            self._reboot()

    def _reboot(self) -> None:
        """Nothing else may happen any more: whoever called would go on with the disks."""
        log.info("kernel arguments changed: rebooting")
        self.run(reboot())
        self.sleep(REBOOT_PATIENCE)
        raise IgnitionError(f"the machine did not reboot: timed out after {REBOOT_PATIENCE:.0f} s")


def write(founds: Sequence[Found], mounts: Mounts) -> None:
    """Write the files that change; a filesystem on which none does is not even mounted for writing."""
    for found in founds:
        for edit in found.edits:
            log.info(f"{edit.path} {'changes' if edit.changes else 'needs no change'} ({found.place.what})")
    changing = [found for found in founds if found.changes]
    for found in changing:
        mounts.make_writable(found.place)
    for found in changing:
        files.write(found.root, found.edits)


def write_for_later(search: Search, mounts: Mounts) -> None:
    """The same in the installed system, as far as it can be written: this boot does not depend on it."""
    try:
        write(search.installed_system(), mounts)
    except (IgnitionError, OSError) as error:
        log.notice(f"kernels that are installed later may lack the arguments: {error}")


def take_notes_away(found: Sequence[Found], mounts: Mounts) -> None:
    """The reboot has done what it was for."""
    for each in found:
        if each.root.exists(place_of_note(each)):
            mounts.make_writable(each.place)
            each.root.remove(place_of_note(each))
            each.root.sync([each.place.prefix or "/"])


def place_of_note(found: Found) -> str:
    """Where the note is."""
    return f"{found.place.prefix}/{NOTE}"


@dataclass(frozen=True)
class Note:
    """What is written down before a reboot: for which arguments, and in which boot."""

    wish: Wish
    boot: str

    def leave(self, found: Found) -> None:
        """Write it, when all files are written."""
        found.root.write(place_of_note(found), f"{self.boot}\n{self._arguments}".encode(), mode=0o600)
        found.root.sync([found.place.prefix or "/"])

    def is_of_this_boot(self, found: Found) -> bool:
        """Whether it was written in this boot, which should have ended then."""
        return self._read(found) == (self.boot, self._arguments)

    def refuse_a_second_reboot(self, founds: Sequence[Found]) -> None:
        """Once for the same arguments is enough.

        Raises:
            IgnitionError: the machine was rebooted for them already.
        """
        for found in founds:
            boot, arguments = self._read(found)
            if arguments == self._arguments and boot != self.boot:
                raise IgnitionError(
                    f"the machine was rebooted for these kernel arguments already, and {found.place.what} has"
                    " lost them since",
                    hint=f"find the program that reverts the boot loader's files, then remove {NOTE} there",
                )

    @property
    def _arguments(self) -> str:
        lines = [f"--should-exist {each}\n" for each in self.wish.should_exist]
        return "".join([*lines, *(f"--should-not-exist {each}\n" for each in self.wish.should_not_exist)])

    def _read(self, found: Found) -> tuple[str, str]:
        path = place_of_note(found)
        boot, _, arguments = (
            found.root.read_text(path).partition("\n") if found.root.is_file(path) else ("", "", "")
        )
        return boot, arguments
