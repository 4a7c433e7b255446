# SPDX-License-Identifier: Apache-2.0
"""A machine with three disks, for tests of LUKS volumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ignition.boot.state import State
from ignition.schemas.config import Config
from ignition.schemas.resource import Resource
from ignition.schemas.storage import Luks, Storage
from ignition.stages import Plan
from ignition.stages.disks.luks.step import LuksFacts, Volumes
from tests.host.fakes import FakeHost
from tests.lab.sysfs import Sysfs

KEY = Resource(source="https://example.com/key")


def machine(directory: Path) -> FakeHost:
    """A host whose fake fetch returns the key."""
    made = FakeHost(directory)
    made.fetch.resources[KEY.source or ""] = b"secret key"
    return made


def three_disks(host: FakeHost) -> Sysfs:
    """The sysfs of the machine, with the empty disks vdb, vdc and vdd."""
    made = Sysfs(Path(host.system))
    for name in ("vdb", "vdc", "vdd"):
        made.disk(name, 64 << 20)
    holds(host)
    return made


def opened_vault(host: FakeHost, sysfs: Sysfs) -> Sysfs:
    """The same machine, where LUKS volume "vault" on vdb is already open."""
    holds(host, vdb="crypto_LUKS")
    sysfs.disk("dm-0", 1 << 20, mapper_name="vault")
    sysfs.hold("/dev/vdb", "dm-0")
    sysfs.link("/dev/mapper/vault", "/dev/dm-0")
    return sysfs


def holds(host: FakeHost, **types: str) -> None:
    """Set the signatures of devices; LUKS volumes get the label L."""
    listed = [
        {"device": name, "type": type_, "usage": "crypto", "uuid": None, "label": "L"}
        for name, type_ in types.items()
    ]
    host.run.answer("wipefs", stdout=json.dumps({"signatures": listed}), having="--json")
    for name, type_ in types.items():
        host.run.answer("blkid", stdout=f"ID_FS_TYPE={type_}\n", having=alias(name))
    host.run.answer("cryptsetup", stdout="0c9e2f4a\n", having="luksUUID")
    host.run.answer("cryptsetup", stdout='{"config": {}}', having="luksDump")


def alias(name: str) -> str:
    return f"/run/ignition/dev_aliases/dev/{name}"


def volume(name: str, device: str = "vdb", **more: Any) -> Luks:
    return Luks(name=name, device=f"/dev/{device}", **more)


def facts_and_plan(host: FakeHost, *volumes: Luks) -> tuple[LuksFacts, Plan]:
    step, wanted = Volumes(), Config(storage=Storage(luks=volumes))
    facts = step.observe(wanted, host, State())
    return facts, step.plan(wanted, facts)


def described(found: Plan) -> list[str]:
    return [action.describe() for action in found.actions]


def plan(host: FakeHost, *volumes: Luks) -> Plan:
    return facts_and_plan(host, *volumes)[1]


def ran(host: FakeHost) -> list[str]:
    """Return the cryptsetup calls that change something."""
    asking = {"isLuks", "luksUUID", "luksDump"}
    return [" ".join(argv) for argv in host.run.ran("cryptsetup") if argv[1] not in asking]
