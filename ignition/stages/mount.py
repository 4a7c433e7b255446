"""The mount stage: mount the config's filesystems in the target root, each after those above it.

Rules: engine.md 9.4. Directories that have to be made are left for the files stage.
What an earlier run has mounted stays as it is. Where the target has SELinux, directories get their labels
before anything is mounted in them, so that what is there already keeps its own, and empty filesystems after.
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
    """The filesystems that are mounted: index, clean path in the root, and the filesystem itself."""
    for index, filesystem in enumerate(config.storage.filesystems):
        if filesystem.is_mounted:
            yield index, posixpath.normpath("/" + (filesystem.path or "").lstrip("/")), filesystem


def is_below(path: str, other: str) -> bool:
    """Whether a clean path is in the tree of another one, and not that one itself."""
    return path != other and path.startswith(other if other == "/" else f"{other}/")


@dataclass(frozen=True)
class MakeMountpoints:
    """Make the directories at which filesystems will be mounted.

    Attributes:
        mountpoints: config path → clean path in the target root.
    """

    path: ConfigPath
    mountpoints: tuple[tuple[ConfigPath, str], ...]

    def describe(self) -> str:
        """The directories."""
        return f"creating directories {', '.join(at for _, at in self.mountpoints)}"

    def perform(self, host: Host) -> None:
        """Make them. Persists the missing ones before they are made: a second try finds them in place."""
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
            # Otherwise the files stage would do it, and go into what is mounted there by then.
            for path in tops:
                host.root.touched.pop(path, None)


@dataclass(frozen=True)
class MountFilesystem:
    """Mount one filesystem; its directory is there.

    Attributes:
        at: where, as a clean path in the target root.
    """

    path: ConfigPath
    filesystem: Filesystem
    at: str

    def describe(self) -> str:
        """What and where."""
        return f"mounting {self.filesystem.device} at {self.at}"

    def perform(self, host: Host) -> None:
        """Mount."""
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
    """Give the filesystems that hold nothing yet the security labels of their place.

    Attributes:
        mountpoints: clean paths in the target root, with something mounted at each.
    """

    path: ConfigPath
    mountpoints: tuple[str, ...]

    def describe(self) -> str:
        """Which."""
        return f"labelling empty filesystems of {', '.join(self.mountpoints)}"

    def perform(self, host: Host) -> None:
        """One process for all, and none where the target has no SELinux."""
        set_labels(host, (at for at in self.mountpoints if set(host.root.list(at)) <= {LOST_AND_FOUND}))


def missing_directories(host: View, path: ConfigPath, at: str) -> tuple[str, ...]:
    """The parts of the path that do not exist; those that do are directories, and no links to one."""
    parts = at.strip("/").split("/")
    places = [f"/{'/'.join(parts[: depth + 1])}" for depth in range(len(parts))]
    for depth, place in enumerate(places):
        found = host.root.find(place)
        if found is None:
            return tuple(places[depth:])
        if not stat.S_ISDIR(found.st_mode):
            kind = "a symlink" if stat.S_ISLNK(found.st_mode) else "no directory"
            raise IgnitionError(
                f"cannot mount at {at}: {place} in the target root is {kind}",
                path=path,
                hint="set `path` to the directory itself",
            )
    return ()


class MountFilesystems:
    """All filesystems with a path."""

    name = "mounts"

    def wanted(self, config: Config) -> bool:
        """Whether there is any."""
        return any(mountable(config))

    def observe(self, config: Config, host: View, state: State) -> frozenset[int]:  # noqa: ARG002
        """The indices of those which are mounted already."""
        visible = {each.target: each for each in mounted(host.system)}
        return frozenset(
            index
            for index, path, filesystem in mountable(config)
            if _is_mounted(host, visible, host.root.host_path(path), filesystem)
        )

    def plan(self, config: Config, facts: frozenset[int]) -> Plan:
        """Mount the others, each after those above it, and side by side where none is."""
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
    """How many of the mounts are above one."""
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
    """What is mounted has the security labels of its place, where the target has SELinux."""

    name = "labels"

    def wanted(self, config: Config) -> bool:
        """Whether anything is mounted."""
        return any(mountable(config))

    def observe(self, config: Config, host: View, state: State) -> bool:
        """Whether the target has SELinux."""
        del config, state
        return file_contexts(host.root) is not None

    def plan(self, config: Config, facts: bool) -> Plan:
        """Label what is empty."""
        mountpoints = tuple(path for _, path, _ in mountable(config))
        return Plan((LabelFilesystems(PATH, mountpoints),) if facts else ())


STEPS = (MountFilesystems(), Labels())
