# SPDX-License-Identifier: Apache-2.0
"""The partitions step: waiting for devices, and plans compared by their describe() text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.schemas.config import Config
from ignition.schemas.storage import Disk, Partition, Storage
from ignition.stages import Plan
from ignition.stages.actions import Parallel
from ignition.stages.disks.partitions.step import Partitions
from tests.host.fakes import FakeHost
from tests.lab import gptimage
from tests.lab.sysfs import Sysfs

SIZE = 64 << 20


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    return Sysfs(Path(host.system))


def config(*disks: dict[str, Any]) -> Config:
    return Config(storage=Storage(disks=tuple(Disk(**each) for each in disks)))


def plan(host: FakeHost, wanted: Config) -> Plan:
    step = Partitions()
    return step.plan(wanted, step.observe(wanted, host, State()))


def described(found: Plan) -> list[str]:
    return [action.describe() for action in found.actions]


ONE = (Partition(number=1, label="data"),)


def test_step_without_disks_is_not_wanted() -> None:
    assert not Partitions().wanted(config())
    assert Partitions().wanted(config({"device": "/dev/vdb"}))


def test_all_disks_are_waited_for_at_once(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("vdb", SIZE)
    sysfs.disk("vdc", SIZE)
    plan(host, config({"device": "/dev/vdb"}, {"device": "/dev/vdc"}))
    assert host.devices.waited == [{"/dev/vdb": ("storage", "disks", 0), "/dev/vdc": ("storage", "disks", 1)}]


def test_disks_are_written_in_parallel_then_settled_then_checked(host: FakeHost, sysfs: Sysfs) -> None:
    for name in ("vdb", "vdc", "vdd"):
        sysfs.disk(name, SIZE)
    found = plan(
        host,
        config(
            {"device": "/dev/vdb", "partitions": ONE},
            {"device": "/dev/vdc"},
            {"device": "/dev/vdd", "partitions": ONE},
        ),
    )
    assert described(found) == [
        "partitioning 2 disks",
        "waiting for udev to process /dev/vdb, /dev/vdd",
        "checking that the kernel sees the partitions of /dev/vdb",
        "checking that the kernel sees the partitions of /dev/vdd",
    ]
    together = found.actions[0]
    assert isinstance(together, Parallel)
    assert [action.describe() for action in together.actions] == [
        "partitioning /dev/vdb",
        "partitioning /dev/vdd",
    ]
    assert found.creates == {"/dev/vdb1", "/dev/vdd1", "/dev/disk/by-partlabel/data"}


def test_unchanged_disks_run_nothing(host: FakeHost, sysfs: Sysfs) -> None:
    for name in ("vdb", "vdc", "vdd", "vde"):
        gptimage.write(sysfs.disk(name, SIZE), SIZE, [gptimage.Part(1, 2048, 4096, "data")])
        sysfs.partition(name, 1, 2048, 4096)
    found = plan(host, config(*({"device": f"/dev/vd{letter}", "partitions": ONE} for letter in "bcde")))
    assert found.actions == ()
    assert found.refusals == ()
    assert found.keeps[0] == "partition 1 of /dev/vdb matches the config"
    assert host.run.argvs == []


@pytest.mark.parametrize("seen", [None, 2048])
def test_kernel_gets_partitions_of_interrupted_run(host: FakeHost, sysfs: Sysfs, seen: int | None) -> None:
    gptimage.write(sysfs.disk("vdb", SIZE), SIZE, [gptimage.Part(1, 2048, 4096, "data")])
    if seen:
        sysfs.partition("vdb", 1, 2048, seen)
    found = plan(host, config({"device": "/dev/vdb", "partitions": ONE}))
    assert described(found)[0] == "telling the kernel about the partitions of /dev/vdb"
    found.actions[0].perform(host)
    assert [argv[1] for argv in host.run.ran("partx")] == ["--delete", "--add"][0 if seen else 1 :]


def test_kernel_forgets_partitions_of_wiped_table(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("vdb", SIZE)
    sysfs.partition("vdb", 3, 2048, 4096)
    found = plan(host, config({"device": "/dev/vdb", "wipe_table": True}))
    found.actions[0].perform(host)
    assert host.run.argvs == [("partx", "--delete", "--nr", "3", "/dev/vdb")]


def test_partition_in_use_is_left_alone(host: FakeHost, sysfs: Sysfs) -> None:
    gptimage.write(sysfs.disk("vdb", SIZE), SIZE, [gptimage.Part(1, 2048, 4096, "data")])
    sysfs.mount("/sysroot", sysfs.partition("vdb", 1, 2048, 2048), "ext4")
    assert plan(host, config({"device": "/dev/vdb", "partitions": ONE})).actions == ()


def test_one_refusal_refuses_all_disks(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("vdb", SIZE)
    for name in ("vdc", "vdd"):
        gptimage.write(sysfs.disk(name, SIZE), SIZE, [gptimage.Part(1, 2048, 4096, "other")])
    found = plan(host, config(*({"device": f"/dev/vd{letter}", "partitions": ONE} for letter in "bcd")))
    assert found.actions == ()
    assert [each.path for each in found.refusals] == [
        ("storage", "disks", 1, "partitions", 0),
        ("storage", "disks", 2, "partitions", 0),
    ]


def test_two_paths_of_one_disk_are_refused(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("vdb", SIZE)
    host.devices.links["/dev/disk/by-id/x"] = "/dev/vdb"
    found = plan(host, config({"device": "/dev/vdb"}, {"device": "/dev/disk/by-id/x"}))
    assert [str(each) for each in found.refusals] == [
        "$.storage.disks.1: /dev/disk/by-id/x is the same device as /dev/vdb ($.storage.disks.0)"
    ]


def test_large_machine_is_planned_in_linear_time(host: FakeHost, sysfs: Sysfs) -> None:
    """16 disks with 16 partitions; the limit is generous, planning takes about 20 ms."""
    import time

    parts = tuple(Partition(number=number, size_mib=1) for number in range(1, 17))
    for index in range(16):
        entries = [gptimage.Part(number, 2048 * number, 2048) for number in range(1, 17)]
        gptimage.write(sysfs.disk(f"vd{chr(98 + index)}", SIZE), SIZE, entries)
        for number in range(1, 17):
            sysfs.partition(f"vd{chr(98 + index)}", number, 2048 * number, 2048)
    wanted = config(*({"device": f"/dev/vd{chr(98 + index)}", "partitions": parts} for index in range(16)))
    began = time.process_time()
    assert plan(host, wanted).actions == ()
    assert time.process_time() - began < 0.3
