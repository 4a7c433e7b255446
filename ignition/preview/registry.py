# SPDX-License-Identifier: Apache-2.0
"""The table of adapters: stage and step name to adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ignition.preview.adapter import Adapter, Silent
from ignition.preview.disks import Filesystems, Partitions, Preflight
from ignition.preview.files import (
    Accounts,
    Crypttab,
    Enablement,
    MdadmConf,
    Nodes,
    Relabel,
    Result,
    UnitFiles,
)
from ignition.preview.kargs import KernelArguments
from ignition.preview.luks import Volumes
from ignition.preview.mount import Mounts
from ignition.preview.raid import Arrays

__all__ = ["ADAPTERS", "adapter_for"]

DEFAULT: Final = Adapter()

ADAPTERS: Final[Mapping[tuple[str, str], Adapter]] = {
    ("kargs", "kargs"): KernelArguments(),
    ("disks", "supported"): Preflight(),
    ("disks", "clevis"): Silent(),
    ("disks", "partitions"): Partitions(),
    ("disks", "raid"): Arrays(),
    ("disks", "luks"): Volumes(),
    ("disks", "filesystems"): Filesystems(),
    ("mount", "mounts"): Mounts(),
    ("mount", "labels"): Silent(),
    ("files", "unfinished"): DEFAULT,
    ("files", "passwd"): Accounts(),
    ("files", "nodes"): Nodes(),
    ("files", "units"): UnitFiles(),
    ("files", "enablement"): Enablement(),
    ("files", "crypttab"): Crypttab(),
    ("files", "mdadm"): MdadmConf(),
    ("files", "result"): Result(),
    ("files", "record"): Silent(),
    ("files", "relabel"): Relabel(),
    ("files", "sync"): Silent(),
    ("umount", "mounts"): Silent(),
}


def adapter_for(stage: str, step: str) -> Adapter:
    """Return the adapter of a step; the default one for a step that is not in the table."""
    return ADAPTERS.get((stage, step), DEFAULT)
