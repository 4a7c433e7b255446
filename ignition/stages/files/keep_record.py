"""The record of all that was done, kept in the target: for whoever asks later what made this machine.

Each boot that provisions has a file of its own, named by the boot's id, which the result file names too.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition import distro, log
from ignition.boot import record
from ignition.boot.record import Record
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.host.root import Root
from ignition.schemas.config import Config
from ignition.stages import Plan

if TYPE_CHECKING:
    from ignition.preview.effects import Effect

__all__ = ["Keep", "KeepRecord", "keep", "keep_failed"]

PRIVATE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700
ON_ROOT: Final = frozenset({"mount", "files", "umount"})
"""The stages that run when the target's root is there."""

CHUNK: Final = 1 << 20


def keep(kept: Record, root: Root) -> None:
    """Copy the record into the target, and have what follows written there too.

    It is put beside records of other boots, and in the place of one of this boot: an earlier try of this
    stage may have left it, and the record holds that too.
    """
    directory = distro.record_directory()
    place = root.resolve(f"{directory}/{kept.name}.jsonl")
    root.make_directories(posixpath.dirname(directory))
    root.make_directories(directory, PRIVATE_DIRECTORY)
    # What the record does to itself is no change of the machine that it would have to tell.
    unwatched = Root(root.path)
    with unwatched.replace(place, mode=PRIVATE) as copy, open(kept.path, "rb") as file:
        while chunk := file.read(CHUNK):
            copy.write(chunk)
    root.touch(directory)
    root.touch(place)
    with unwatched.open(place, append=True) as file:
        kept.keep(place, os.dup(file.fileno()))


def keep_failed(stage: str, config: Config, root: Root) -> None:
    """After a failure, leave the record in the target if its place can be reached; without it, nothing fails.

    While the mount stage mounts, or the umount stage unmounts, a file system over that place, it would be
    left below it.
    """
    from ignition.stages.mount import mountable

    kept = record.current()
    if kept is None or kept.is_kept or stage not in ON_ROOT:
        return
    directory = f"{distro.record_directory()}/"
    if stage != "files" and any(
        directory.startswith(f"{path.rstrip('/')}/") for _, path, _ in mountable(config)
    ):
        return
    try:
        keep(kept, root)
    except (OSError, IgnitionError) as error:
        log.notice(f"the record is in {kept.path} alone: {error}")


@dataclass(frozen=True)
class Keep:
    """Keep the record that is being written."""

    path: ConfigPath = ()

    def describe(self) -> str:
        """Where."""
        return f'keeping the record in "{distro.record_directory()}"'

    def perform(self, host: Host) -> None:
        """Without it, the machine is still as its config says: that stops no boot."""
        kept = record.current()
        if kept is None:
            return
        try:
            keep(kept, host.root)
        except (OSError, IgnitionError) as error:
            log.notice(f"the record stays in {kept.path}, it cannot be kept in the target: {error}")


class KeepRecord:
    """Wherever a record is written: not where a config is applied to a tree that does not boot."""

    name = "record"

    def wanted(self, config: Config) -> bool:
        """Whether there is one."""
        del config
        return record.current() is not None

    def observe(self, config: Config, host: Host, state: State) -> None:
        """Nothing has to be known."""

    def plan(self, config: Config, facts: None) -> Plan:
        """Keep it before labels are set and everything is written back, for both have to reach it."""
        del config, facts
        return Plan((Keep(),))

    def effects(self, config: Config, facts: None, host: Host) -> Iterable[Effect]:
        """None; a preview writes no record."""
        del config, facts, host
        return ()
