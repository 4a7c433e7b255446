# SPDX-License-Identifier: Apache-2.0
"""The files stage: users and groups, files, systemd units, and the files that describe the provisioning.

The order of the steps is the reference's (docs/reference/stages.md, "files stage"). Each step observes the
root after the step before it: owners by name are looked up after users were created, units after they were
written.
"""

from __future__ import annotations

from typing import Any, Final

from ignition.schemas.config import Config
from ignition.stages import LazyStep, Step
from ignition.stages.files.accounts.rollback import Rollback
from ignition.stages.files.accounts.step import Passwd
from ignition.stages.files.keep_record import KeepRecord
from ignition.stages.files.result import Result
from ignition.stages.files.selinux import Relabel
from ignition.stages.files.sync import Sync
from ignition.stages.files.systemd.enablement import Enablement
from ignition.stages.files.systemd.unit_files import Units
from ignition.stages.files.tree.step import Nodes

__all__ = ["STEPS"]


def _raid(config: Config) -> object:
    return config.storage.raid


def _luks(config: Config) -> object:
    return config.storage.luks


STEPS: Final[tuple[Step[Any], ...]] = (
    Rollback(),
    Passwd(),
    Nodes(),
    Units(),
    Enablement(),
    LazyStep("crypttab", _luks, "ignition.stages.files.crypttab:Crypttab"),
    LazyStep("mdadm", _raid, "ignition.stages.files.mdadm_conf:MdadmConf"),
    Result(),
    KeepRecord(),
    Relabel(),
    Sync(),
)
