"""The arrays of the config in the target's own `mdadm.conf`, if it has one.

Without such a file mdadm finds arrays by what their members say. With one, that may be switched off
(`AUTO -all`), and what makes the system's own initramfs takes the arrays that are listed: Debian's asks for
that. So each array gets the line that mdadm itself prints, once however often the stage runs. A file that
the config writes is the config's matter. The reference writes no such line. Source: mdadm.conf(5).
"""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ignition import distro
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.host import Host, blocks
from ignition.host.files.tree import MOST_LINKS
from ignition.host.root import Root
from ignition.schemas.config import Config
from ignition.schemas.storage import Raid
from ignition.stages import Plan
from ignition.tools import mdadm

if TYPE_CHECKING:
    from ignition.preview.effects import Effect

__all__ = ["Facts", "ListArrays", "Listed", "is_listed"]

PATH: ConfigPath = ("storage", "raid")


@dataclass(frozen=True)
class Facts:
    """What has to be known.

    Attributes:
        file: the target's file, in the target root; "" if nothing is to be written there.
        missing: indices of the arrays that it does not list.
    """

    file: str = ""
    missing: tuple[int, ...] = ()


@dataclass(frozen=True)
class ListArrays:
    """Add arrays to the target's file; the rest of it stays as it is, and so do its mode and owner."""

    file: str
    arrays: tuple[Raid, ...]
    path: ConfigPath = PATH

    def describe(self) -> str:
        """The arrays and the file."""
        return f'listing the arrays {", ".join(array.name for array in self.arrays)} in "{self.file}"'

    def perform(self, host: Host) -> None:
        """Ask mdadm for the lines, and write the file anew."""
        text = host.root.read_text(self.file)
        for array in self.arrays:
            text += "\n" if text and not text.endswith("\n") else ""
            text += f"{mdadm.listed(host.run(mdadm.brief(array.name)), array.name)}\n"
        there = host.root.lstat(self.file)
        mode, owner = stat.S_IMODE(there.st_mode), (there.st_uid, there.st_gid)
        host.root.write(self.file, text.encode("utf-8", "surrogateescape"), mode=mode, owner=owner)


def is_listed(line: str, text: str) -> bool:
    """Whether a file has a line for the array of this line: what counts is the UUID."""
    found = _uuid(line)
    lines = (each for each in text.splitlines() if not each.lstrip().startswith("#"))
    return any(_uuid(each) == found for each in lines)


def _uuid(line: str) -> str:
    found = re.search(r"\buuid=([0-9a-f:.-]+)", line, re.IGNORECASE)
    return re.sub("[^0-9a-f]", "", found[1].lower()) if found else ""


class Listed:
    """The system finds the arrays of the config under their names."""

    name = "mdadm"

    def wanted(self, config: Config) -> bool:
        """Whether the config has arrays."""
        return bool(config.storage.raid)

    def observe(self, config: Config, host: Host, state: State) -> Facts:
        """The target's file, and which arrays it lists; not those that are still to be made, in a preview."""
        del state
        written = {_followed(host.root, file.path) for file in config.storage.files}
        place = next((each for each in distro.MDADM_CONFS if host.root.is_file(each)), "")
        file = _followed(host.root, place) if place else ""
        if not file or file in written:
            return Facts()
        text = host.root.read_text(file)
        lines = (_line(host, array) for array in config.storage.raid)
        missing = (index for index, line in enumerate(lines) if not (line and is_listed(line, text)))
        return Facts(file, tuple(missing))

    def plan(self, config: Config, facts: Facts) -> Plan:
        """Add what is missing."""
        if not facts.missing:
            return Plan()
        arrays = tuple(config.storage.raid[index] for index in facts.missing)
        return Plan((ListArrays(facts.file, arrays),))

    def effects(self, config: Config, facts: Facts, host: Host) -> Iterator[Effect]:
        """The lines."""
        del host
        from ignition.preview.effects import Does, Effect

        for index in facts.missing:
            what = f"line of the array {config.storage.raid[index].name} in {facts.file}"
            yield Effect((*PATH, index), Does.CREATE, what)


def _followed(root: Root, path: str) -> str:
    """Where a path leads in the root, all links followed."""
    for _ in range(MOST_LINKS):
        path = root.resolve(path)
        there = root.find(path)
        if there is None or not stat.S_ISLNK(there.st_mode):
            break
        path = posixpath.join(posixpath.dirname(path), root.readlink(path))
    return path


def _line(host: Host, array: Raid) -> str:
    device = mdadm.device_of(array.name)
    if not blocks.exists(host.system, device):
        return ""
    return mdadm.listed(host.run(mdadm.brief(array.name)), array.name)
