# SPDX-License-Identifier: Apache-2.0
"""The step that copies the provisioning record into the target root.

Each boot that provisions has its own file, named after the boot id, which is also in the result file.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import Final

from ignition import distro, log
from ignition.boot import record
from ignition.boot.record import Record
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError, text_of
from ignition.host import Host, View
from ignition.host.root import Root
from ignition.schemas.config import Config
from ignition.stages import Plan

__all__ = ["CopyRecord", "KeepRecord", "copy_after_failure", "copy_record"]

PRIVATE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700
ON_ROOT: Final = frozenset({"mount", "files", "umount"})
"""Stages that run while the target root is mounted."""

CHUNK: Final = 1 << 20


def copy_record(written: Record, root: Root) -> None:
    """Copy the record into the target root, and write further lines to the copy too.

    Records of other boots stay. A copy of this boot, from an earlier try of this stage, is replaced: the
    record contains its lines.
    """
    directory = distro.record_directory()
    place = root.resolve(f"{directory}/{written.name}.jsonl")
    root.make_directories(posixpath.dirname(directory))
    root.make_directories(directory, PRIVATE_DIRECTORY)
    # Writing the copy is not an action that the record has to list.
    unwatched = Root(root.path)
    with unwatched.replace(place, mode=PRIVATE) as copy, open(written.path, "rb") as file:
        while chunk := file.read(CHUNK):
            copy.write(chunk)
    root.touch(directory)
    root.touch(place)
    with unwatched.open(place, append=True) as file:
        written.keep(place, os.dup(file.fileno()))


def copy_after_failure(stage: str, config: Config, root: Root) -> None:
    """After a failure, copy the record if its directory is reachable; a failing copy is only logged.

    Nothing is copied while the mount or umount stage changes what is mounted over the directory: the
    copy would be hidden below a mount point.
    """
    from ignition.stages.mount import mountable

    written = record.current()
    if written is None or written.is_kept or stage not in ON_ROOT:
        return
    directory = f"{distro.record_directory()}/"
    if stage != "files" and any(
        directory.startswith(f"{path.rstrip('/')}/") for _, path, _ in mountable(config)
    ):
        return
    try:
        copy_record(written, root)
    except (OSError, IgnitionError) as error:
        log.notice(f"cannot copy the record {written.path} into the target root: {text_of(error)}")


@dataclass(frozen=True)
class CopyRecord:
    """Copy the record of this boot."""

    path: ConfigPath = ()

    def describe(self) -> str:
        return f'copying the record to "{distro.record_directory()}"'

    def perform(self, host: Host) -> None:
        """Copy it; a failure is only logged, because the machine still matches its config."""
        written = record.current()
        if written is None:
            return
        try:
            copy_record(written, host.root)
        except (OSError, IgnitionError) as error:
            log.notice(f"cannot copy the record {written.path} into the target root: {text_of(error)}")


class KeepRecord:
    """The step for machines that boot; `ignition apply` writes no record."""

    name = "record"

    def wanted(self, config: Config) -> bool:
        del config
        return record.current() is not None

    def observe(self, config: Config, host: View, state: State) -> None:
        """Observe nothing."""

    def plan(self, config: Config, facts: None) -> Plan:
        """Copy it before labels are set and filesystems are synced, so that both include the copy."""
        del config, facts
        return Plan((CopyRecord(),))
