# SPDX-License-Identifier: Apache-2.0
"""`Config`, the whole document. Source: docs/reference/config-language.md, "Fields"."""

from collections.abc import Iterator
from typing import Annotated

from ignition.diagnostics import Entry
from ignition.schemas.base import Node
from ignition.schemas.findings import error
from ignition.schemas.ignition import Ignition
from ignition.schemas.kargs import KernelArguments
from ignition.schemas.marks import since
from ignition.schemas.passwd import Passwd
from ignition.schemas.spec import Spec
from ignition.schemas.storage import Storage
from ignition.schemas.systemd import Systemd

__all__ = ["Config"]


class Config(Node):
    """One config, in the newest version of the spec."""

    ignition: Ignition = Ignition.empty()
    """Metadata of the config."""
    kernel_arguments: Annotated[KernelArguments, since("3.3.0")] = KernelArguments.empty()
    """Kernel arguments of the machine."""
    passwd: Passwd = Passwd.empty()
    """Users and groups."""
    storage: Storage = Storage.empty()
    """Disks, RAID arrays, LUKS volumes, filesystems, and files."""
    systemd: Systemd = Systemd.empty()
    """systemd units."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that no file, directory or link has the path of a unit or a drop-in."""
        taken = {
            path
            for unit in self.systemd.units
            for path, contents in (
                (f"/etc/systemd/system/{unit.name}", unit.contents),
                *((f"/etc/systemd/system/{unit.name}.d/{one.name}", one.contents) for one in unit.dropins),
            )
            if contents
        }
        if not taken:
            return
        storage = self.storage
        for name, nodes in (
            ("files", storage.files),
            ("directories", storage.directories),
            ("links", storage.links),
        ):
            for index, node in enumerate(nodes):
                if node.path in taken:
                    message = "the path is also the path of a unit or drop-in of this config"
                    yield error("unit-path", message, "storage", name, index, "path")
