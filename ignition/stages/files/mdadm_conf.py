# SPDX-License-Identifier: Apache-2.0
"""The step that lists the config's RAID arrays in the target root's `mdadm.conf`, if that file exists.

Without the file, mdadm assembles arrays from their superblocks. With it, that may be disabled (`AUTO -all`),
and Debian's initramfs contains only arrays that are listed. So each array gets the line that mdadm prints,
once, however often the stage runs. A file that the config itself writes is not changed. The reference writes
no such line. Source: mdadm.conf(5).
"""

from __future__ import annotations

import posixpath
import re
import stat
from dataclasses import dataclass

from ignition import distro
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.host import Host, View, blocks
from ignition.host.files.root_view import MAX_SYMLINKS, RootView
from ignition.schemas.config import Config
from ignition.schemas.storage import Raid
from ignition.stages import Plan
from ignition.tools import mdadm

__all__ = ["ListArrays", "MdadmConf", "MdadmConfFacts", "is_listed"]

PATH: ConfigPath = ("storage", "raid")


@dataclass(frozen=True)
class MdadmConfFacts:
    """Facts about the target root's mdadm.conf.

    Attributes:
        file: its path in the target root; "" if it is not to be changed.
        missing: indices of the arrays that it does not list.
    """

    file: str = ""
    missing: tuple[int, ...] = ()


@dataclass(frozen=True)
class ListArrays:
    """Append arrays to mdadm.conf; other lines, mode and owner stay."""

    file: str
    arrays: tuple[Raid, ...]
    path: ConfigPath = PATH

    def describe(self) -> str:
        return f'adding RAID arrays {", ".join(array.name for array in self.arrays)} to "{self.file}"'

    def perform(self, host: Host) -> None:
        """Ask mdadm for the lines and rewrite the file."""
        text = host.root.read_text(self.file)
        for array in self.arrays:
            text += "\n" if text and not text.endswith("\n") else ""
            text += f"{mdadm.parse_brief(host.run(mdadm.brief(array.name)), array.name)}\n"
        there = host.root.lstat(self.file)
        mode, owner = stat.S_IMODE(there.st_mode), (there.st_uid, there.st_gid)
        host.root.write(self.file, text.encode("utf-8", "surrogateescape"), mode=mode, owner=owner)


def is_listed(line: str, text: str) -> bool:
    """Whether a file has a line with the UUID of this line."""
    found = _uuid(line)
    lines = (each for each in text.splitlines() if not each.lstrip().startswith("#"))
    return any(_uuid(each) == found for each in lines)


def _uuid(line: str) -> str:
    found = re.search(r"\buuid=([0-9a-f:.-]+)", line, re.IGNORECASE)
    return re.sub("[^0-9a-f]", "", found[1].lower()) if found else ""


class MdadmConf:
    """The step after which the running system finds the arrays under their names."""

    name = "mdadm"

    def wanted(self, config: Config) -> bool:
        return bool(config.storage.raid)

    def observe(self, config: Config, host: View, state: State) -> MdadmConfFacts:
        """Find mdadm.conf and the arrays that it does not list."""
        del state
        written = {_followed(host.root, file.path) for file in config.storage.files}
        place = next((each for each in distro.MDADM_CONFS if host.root.is_file(each)), "")
        file = _followed(host.root, place) if place else ""
        if not file or file in written:
            return MdadmConfFacts()
        text = host.root.read_text(file)
        lines = (_line(host, array) for array in config.storage.raid)
        missing = (index for index, line in enumerate(lines) if not (line and is_listed(line, text)))
        return MdadmConfFacts(file, tuple(missing))

    def plan(self, config: Config, facts: MdadmConfFacts) -> Plan:
        if not facts.missing:
            return Plan()
        arrays = tuple(config.storage.raid[index] for index in facts.missing)
        return Plan((ListArrays(facts.file, arrays),))


def _followed(root: RootView, path: str) -> str:
    """Resolve all symlinks of a path in the target root."""
    for _ in range(MAX_SYMLINKS):
        path = root.resolve(path)
        there = root.find(path)
        if there is None or not stat.S_ISLNK(there.st_mode):
            break
        path = posixpath.join(posixpath.dirname(path), root.readlink(path))
    return path


def _line(host: View, array: Raid) -> str:
    device = mdadm.device_of(array.name)
    if not blocks.exists(host.system, device):
        return ""
    return mdadm.parse_brief(host.run(mdadm.brief(array.name)), array.name)
