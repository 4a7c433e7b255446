"""A machine with three disks, for tests of encrypted volumes."""

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
    """The machine; it gets the key."""
    made = FakeHost(directory)
    made.fetch.resources[KEY.source or ""] = b"secret key"
    return made


def three_disks(host: FakeHost) -> Sysfs:
    """Its disks vdb, vdc and vdd, with nothing on them."""
    made = Sysfs(Path(host.system))
    for name in ("vdb", "vdc", "vdd"):
        made.disk(name, 64 << 20)
    holds(host)
    return made


def opened_vault(host: FakeHost, sysfs: Sysfs) -> Sysfs:
    """The volume vault on vdb is open already."""
    holds(host, vdb="crypto_LUKS")
    sysfs.disk("dm-0", 1 << 20, mapper_name="vault")
    sysfs.hold("/dev/vdb", "dm-0")
    sysfs.link("/dev/mapper/vault", "/dev/dm-0")
    return sysfs


def holds(host: FakeHost, **types: str) -> None:
    """Let the devices hold these signatures; a volume has the label L."""
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
    """The calls of cryptsetup that do something."""
    asking = {"isLuks", "luksUUID", "luksDump"}
    return [" ".join(argv) for argv in host.run.ran("cryptsetup") if argv[1] not in asking]
