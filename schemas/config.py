"""`Config`, the whole document. Source: config-spec section 4."""

from __future__ import annotations

from typing import Annotated

from ignition.schemas.base import Node
from ignition.schemas.ignition import Ignition
from ignition.schemas.kargs import KernelArguments
from ignition.schemas.marks import since
from ignition.schemas.passwd import Passwd
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
