"""`Config`, the whole document. Source: config-spec section 4."""

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
    """One config, in the newest shape of the spec."""

    ignition: Ignition = Ignition.empty()
    """Metadata of the config."""
    kernel_arguments: Annotated[KernelArguments, since("3.3.0")] = KernelArguments.empty()
    """Which kernel arguments the machine boots with."""
    passwd: Passwd = Passwd.empty()
    """Users and groups."""
    storage: Storage = Storage.empty()
    """Disks, arrays, encrypted volumes, filesystems, and the files on them."""
    systemd: Systemd = Systemd.empty()
    """systemd units."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """No file, directory or link stands where a unit or a drop-in will."""
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
                    message = "a unit or drop-in of this config is written to this path too"
                    yield error("unit-path", message, "storage", name, index, "path")
