"""The files stage: users and groups, files, systemd units, and the files that describe the provisioning.

The order of the steps is the reference's (docs/reference/stages.md, "files stage"). Each step observes the
root after the step before it: owners by name are looked up after users were created, units after they were
written.
"""

from __future__ import annotations

from typing import Any, Final

from ignition.stages import Step
from ignition.stages.files.accounts.rollback import Rollback
from ignition.stages.files.accounts.step import Passwd
from ignition.stages.files.keep_record import KeepRecord
from ignition.stages.files.result import OutputFiles, Result
from ignition.stages.files.selinux import Relabel
from ignition.stages.files.sync import Sync
from ignition.stages.files.systemd.enablement import Enablement
from ignition.stages.files.systemd.unit_files import Units
from ignition.stages.files.tree.step import Nodes
from ignition.stages.lazy import Later

__all__ = ["STEPS"]


def _crypttab() -> Step[Any]:
    from ignition.stages.files.crypttab import Crypttab

    return Crypttab()


def _mdadm_conf() -> Step[Any]:
    from ignition.stages.files.mdadm_conf import MdadmConf

    return MdadmConf()


STEPS: Final[tuple[Step[Any], ...]] = (
    Rollback(),
    Passwd(),
    Nodes(),
    Units(),
    Enablement(),
    Later("crypttab", lambda config: config.storage.luks, _crypttab),
    Later("mdadm", lambda config: config.storage.raid, _mdadm_conf),
    OutputFiles(),
    Result(),
    KeepRecord(),
    Relabel(),
    Sync(),
)
