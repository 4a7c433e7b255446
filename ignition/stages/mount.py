# SPDX-License-Identifier: Apache-2.0
"""The mount stage: mount the filesystems of the config in the target root, each after those above it.

Source of the rules: docs/reference/stages.md, "mount stage". Created directories are persisted for the files
stage. Filesystems that an earlier run has mounted stay mounted. With SELinux, created directories are
labelled before a filesystem is mounted on them, so that existing files keep their labels, and empty
filesystems afterwards.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View, blocks
from ignition.host.command import CommandFailed
from ignition.host.mounts import Mount, mounted
from ignition.host.selinux import file_contexts
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem
from ignition.stages import Action, Plan, persist
from ignition.stages.actions import in_parallel
from ignition.stages.relabel import set_labels
from ignition.tools import mount

__all__ = [
    "STEPS",
    "LabelFilesystems",
    "MakeMountpoints",
    "MountFilesystem",
    "MountFilesystems",
    "is_below",
    "missing_directories",
    "mountable",
]

PATH: ConfigPath = ("storage", "filesystems")
LOST_AND_FOUND: Final = "lost+found"


def mountable(config: Config) -> Iterator[tuple[int, str, Filesystem]]:
    """Yield the filesystems to mount: index, clean path in the target root, and the filesystem."""
    for index, filesystem in enumerate(config.storage.filesystems):
        if filesystem.is_mounted:
            yield index, posixpath.normpath("/" + (filesystem.path or "").lstrip("/")), filesystem


def is_below(path: str, other: str) -> bool:
    """Whether a clean path is strictly below another one."""
    return path != other and path.startswith(other if other == "/" else f"{other}/")


@dataclass(frozen=True)
class MakeMountpoints:
    """Create the directories of mount points.

    Attributes:
        mountpoints: config path → clean path in the target root.
    """

    path: ConfigPath
    mountpoints: tuple[tuple[ConfigPath, str], ...]

    def describe(self) -> str:
        return f"creating directories {', '.join(at for _, at in self.mountpoints)}"

    def perform(self, host: Host) -> None:
        """Create the directories; persist missing ones first, because a second run finds them existing."""
        made: list[str] = []
        for path, at in self.mountpoints:
            missing = missing_directories(host, path, at)
            persist(State(directories=missing))
            host.root.make_directories(at)
            made += missing
        self._label(host, made)

    @staticmethod
    def _label(host: Host, made: list[str]) -> None:
        tops = [path for path in made if posixpath.dirname(path) not in made]
        if tops and set_labels(host, tops):
            # Otherwise the files stage would label them, and the filesystems mounted there by then.
            for path in tops:
                host.root.touched.pop(path, None)


@dataclass(frozen=True)
class MountFilesystem:
    """Mount one filesystem on an existing directory.

    Attributes:
        at: clean path in the target root.
    """

    path: ConfigPath
    filesystem: Filesystem
    at: str

    def describe(self) -> str:
        return f"mounting {self.filesystem.device} at {self.at}"

    def perform(self, host: Host) -> None:
        filesystem = self.filesystem
        format_ = filesystem.format or ""
        target = host.root.host_path(self.at)
        try:
            host.run(mount.mount(format_, filesystem.device, target, filesystem.mount_options))
        except CommandFailed as error:
            if "unknown filesystem type" not in error.ran.stderr:
                raise
            raise IgnitionError(
                f"the kernel lacks {format_} support",
                hint=f"add the kernel module {format_} to the initramfs",
            ) from error


@dataclass(frozen=True)
class LabelFilesystems:
    """Label empty mounted filesystems.

    Attributes:
        mountpoints: clean paths of the mount points in the target root.
    """

    path: ConfigPath
    mountpoints: tuple[str, ...]

    def describe(self) -> str:
        return f"labelling empty filesystems at {', '.join(self.mountpoints)}"

    def perform(self, host: Host) -> None:
        """Label all with one process; start none without SELinux."""
        set_labels(host, (at for at in self.mountpoints if set(host.root.list(at)) <= {LOST_AND_FOUND}))


def missing_directories(host: View, path: ConfigPath, at: str) -> tuple[str, ...]:
    """Return the missing directories of a mount point, topmost first.

    Raises:
        IgnitionError: an existing part is a symlink, or not a directory.
    """
    parts = at.strip("/").split("/")
    places = [f"/{'/'.join(parts[: depth + 1])}" for depth in range(len(parts))]
    for depth, place in enumerate(places):
        found = host.root.find(place)
        if found is None:
            return tuple(places[depth:])
        if not stat.S_ISDIR(found.st_mode):
            kind = "a symlink" if stat.S_ISLNK(found.st_mode) else "not a directory"
            raise IgnitionError(
                f"cannot mount at {at}: {place} in the target root is {kind}",
                path=path,
                hint="set `path` to the directory itself",
            )
    return ()


class MountFilesystems:
    """The step that mounts all filesystems with a path."""

    name = "mounts"

    def wanted(self, config: Config) -> bool:
        return any(mountable(config))

    def observe(self, config: Config, host: View, state: State) -> frozenset[int]:  # noqa: ARG002
        """Return the indices of the filesystems that are already mounted."""
        visible = {each.target: each for each in mounted(host.system)}
        return frozenset(
            index
            for index, path, filesystem in mountable(config)
            if _is_mounted(host, visible, host.root.host_path(path), filesystem)
        )

    def plan(self, config: Config, facts: frozenset[int]) -> Plan:
        """Mount the other filesystems, each after those above it, independent ones in parallel."""
        wanted = list(mountable(config))
        keeps = [
            f"{each.device} is already mounted at {path}" for index, path, each in wanted if index in facts
        ]
        missing = [
            MountFilesystem((*PATH, index), each, path) for index, path, each in wanted if index not in facts
        ]
        actions: list[Action] = []
        for _, group in groupby(sorted(missing, key=partial(_level, missing)), partial(_level, missing)):
            mounts = tuple(group)
            actions.append(MakeMountpoints(PATH, tuple((each.path, each.at) for each in mounts)))
            what = f"mounting at {', '.join(each.at for each in mounts)}"
            actions += in_parallel(PATH, what, mounts)
        return Plan(actions=tuple(actions), keeps=tuple(keeps))


def _level(mounts: Iterable[MountFilesystem], one: MountFilesystem) -> int:
    """Return the number of mounts above one."""
    return sum(is_below(one.at, each.at) for each in mounts)


def _is_mounted(host: View, visible: Mapping[str, Mount], target: str, filesystem: Filesystem) -> bool:
    found = visible.get(target)
    if found is None:
        return False
    if found.source == filesystem.device:
        return True
    return filesystem.device.startswith("/") and blocks.resolve(
        host.system, filesystem.device
    ) == blocks.resolve(host.system, found.source)


class Labels:
    """The step that labels empty filesystems if the target root has SELinux."""

    name = "labels"

    def wanted(self, config: Config) -> bool:
        return any(mountable(config))

    def observe(self, config: Config, host: View, state: State) -> bool:
        """Return whether the target root has SELinux."""
        del config, state
        return file_contexts(host.root) is not None

    def plan(self, config: Config, facts: bool) -> Plan:
        mountpoints = tuple(path for _, path, _ in mountable(config))
        return Plan((LabelFilesystems(PATH, mountpoints),) if facts else ())


STEPS = (MountFilesystems(), Labels())
