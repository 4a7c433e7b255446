# SPDX-License-Identifier: Apache-2.0
"""RAID arrays: the decision table, mismatches, order, and plans."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.errors import ActionFailed
from ignition.schemas.config import Config
from ignition.schemas.storage import Raid, Storage
from ignition.stages import Plan
from ignition.stages.actions import Parallel
from ignition.stages.disks.raid.step import Arrays, Do, MemberFacts, decide, differences
from ignition.tools.mdadm import Superblock
from tests.host.fakes import FakeHost
from tests.lab.performing import applied
from tests.lab.sysfs import Sysfs


@pytest.mark.parametrize(
    ("matches", "runs", "in_use", "name_is_taken", "do"),
    [
        (False, False, False, False, Do.MAKE),
        (False, False, True, False, Do.REFUSE),
        (False, False, False, True, Do.REFUSE),
        (False, True, True, True, Do.REFUSE),
        (True, False, False, False, Do.START),
        (True, False, True, False, Do.REFUSE),
        (True, False, False, True, Do.REFUSE),
        (True, True, True, True, Do.KEEP),
    ],
)
def test_decision_table(matches: bool, runs: bool, in_use: bool, name_is_taken: bool, do: Do) -> None:
    assert decide(matches=matches, runs=runs, in_use=in_use, name_is_taken=name_is_taken) is do


def test_used_or_matching_array_is_never_recreated() -> None:
    for matches, runs, in_use, taken in itertools.product((True, False), repeat=4):
        do = decide(matches=matches, runs=runs, in_use=in_use, name_is_taken=taken)
        assert (do is Do.MAKE) <= (not matches and not in_use and not taken)


FOUND = Superblock("raid1", 2, "data", "1:2")
WANTED = Raid(name="data", level="raid1", devices=("/dev/a", "/dev/b"))


def members(*superblocks: Superblock | None) -> list[MemberFacts]:
    return [MemberFacts(f"/dev/{'abcd'[n]}", superblock=each) for n, each in enumerate(superblocks)]


@pytest.mark.parametrize(
    "wanted",
    [
        WANTED,
        WANTED.evolve(level="mirror"),
        WANTED.evolve(level="1"),
        WANTED.evolve(name="/dev/md/data"),
        WANTED.evolve(devices=("/dev/a", "/dev/b", "/dev/c"), spares=1),
    ],
)
def test_differences_of_matching_object_is_empty(wanted: Raid) -> None:
    assert list(differences(wanted, members(*[FOUND] * len(wanted.devices)))) == []


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (WANTED, (None, None), ["/dev/a, /dev/b is not a RAID member"]),
        (WANTED, (FOUND, None), ["/dev/b is not a RAID member"]),
        (
            WANTED,
            (FOUND, Superblock("raid1", 2, "data", "3:4")),
            ["the members belong to different arrays"],
        ),
        (WANTED.evolve(level="raid5"), (FOUND, FOUND), ["level is raid1, want raid5"]),
        (WANTED.evolve(spares=1), (FOUND, FOUND), ["it has 2 active devices, want 1"]),
        (WANTED.evolve(name="other"), (FOUND, FOUND), ['name is "data", want "other"']),
        (WANTED.evolve(name="/dev/md0"), (FOUND, FOUND), ['name is "data", want "0"']),
        (WANTED, (Superblock("raid1", 2, "", "1:2"),) * 2, ['name is "", want "data"']),
    ],
)
def test_differences_lists_each_mismatch(
    wanted: Raid, found: tuple[Superblock | None, ...], expected: list[str]
) -> None:
    assert list(differences(wanted, members(*found))) == expected


# The step.


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    made = Sysfs(Path(host.system))
    for name in ("vdb", "vdc", "vdd", "vde"):
        made.disk(name, 64 << 20)
    holds(host)
    return made


def holds(host: FakeHost, **types: str) -> None:
    """Set the signatures of devices."""
    listed = [
        {"device": name, "type": type_, "usage": "raid", "uuid": None, "label": None}
        for name, type_ in types.items()
    ]
    host.run.answer("wipefs", stdout=json.dumps({"signatures": listed}), having="--json")


def add_members(
    host: FakeHost, *names: str, level: str = "raid1", name: str = "data", uuid: str = "1:2"
) -> None:
    """Make the devices members of a RAID array of two."""
    text = f"MD_LEVEL={level}\nMD_DEVICES=2\nMD_NAME=any:{name}\nMD_UUID={uuid}\n"
    for each in names:
        host.run.answer("mdadm", stdout=text, having=f"/dev/{each}")


def running(sysfs: Sysfs, node: str, name: str, *members: str, state: str = "clean") -> None:
    """Add a running RAID array."""
    sysfs.disk(node, 64 << 20)
    sysfs.attribute(node, "md/array_state", state)
    sysfs.link(f"/dev/md/{name}", f"/dev/{node}")
    for member in members:
        sysfs.hold(f"/dev/{member}", node)


def array(name: str = "data", *devices: str, level: str = "raid1", **more: Any) -> Raid:
    return Raid(name=name, level=level, devices=devices or ("/dev/vdb", "/dev/vdc"), **more)


def plan(host: FakeHost, *arrays: Raid, rank: int = 0) -> Plan:
    step, wanted = Arrays(rank), Config(storage=Storage(raid=arrays))
    assert step.wanted(wanted)
    return step.plan(wanted, step.observe(wanted, host, State()))


def described(found: Plan) -> list[str]:
    return [action.describe() for action in found.actions]


def alias(name: str) -> str:
    return f"/run/ignition/dev_aliases/dev/{name}"


def test_new_array_is_created(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(host, array(options=("--bitmap", "none")))
    assert host.devices.waited == [
        {"/dev/vdb": ("storage", "raid", 0, "devices", 0), "/dev/vdc": ("storage", "raid", 0, "devices", 1)}
    ]
    assert host.run.ran("mdadm") == []
    assert described(found) == ["creating RAID array data (raid1) of /dev/vdb, /dev/vdc"]
    assert found.creates == {"/dev/md/data"}
    applied(found, host)
    assert [" ".join(argv) for argv in host.run.ran("mdadm")] == [
        (
            "mdadm --create /dev/md/data --force --run --homehost any --level raid1 --raid-devices 2 "
            f"--bitmap none {alias('vdb')} {alias('vdc')}"
        )
    ]
    assert host.devices.waited[-1] == {"/dev/md/data": ("storage", "raid", 0)}


def test_independent_arrays_are_created_in_parallel_before_dependent_ones(
    host: FakeHost, sysfs: Sysfs
) -> None:
    arrays = (
        array("top", "/dev/md/a", "/dev/md/b", level="raid0"),
        array("a", "/dev/vdb", "/dev/vdc"),
        array("b", "/dev/vdd", "/dev/vde"),
    )
    found = plan(host, *arrays)
    assert "/dev/md/a" not in host.devices.waited[0]
    assert found.creates == {"/dev/md/a", "/dev/md/b"}
    (together,) = found.actions
    assert isinstance(together, Parallel)
    assert [each.describe() for each in together.actions] == [
        "creating RAID array a (raid1) of /dev/vdb, /dev/vdc",
        "creating RAID array b (raid1) of /dev/vdd, /dev/vde",
    ]
    running(sysfs, "md127", "a", "vdb", "vdc")
    running(sysfs, "md126", "b", "vdd", "vde")
    holds(host, **dict.fromkeys(("vdb", "vdc", "vdd", "vde"), "linux_raid_member"))
    add_members(host, "vdb", "vdc", name="a")
    add_members(host, "vdd", "vde", name="b")
    host.devices.links = {"/dev/md/a": "/dev/md127", "/dev/md/b": "/dev/md126"}
    found = plan(host, *arrays, rank=1)
    assert described(found) == ["creating RAID array top (raid0) of /dev/md/a, /dev/md/b"]
    applied(found, host)
    assert host.run.ran("mdadm")[-1][-2:] == (alias("md/a"), alias("md/b"))
    assert not Arrays(2).wanted(Config(storage=Storage(raid=arrays)))


def test_refusals_of_upper_arrays_come_before_any_write(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.mount("/sysroot", "/dev/vdd", "ext4")
    found = plan(host, array(), array("top", "/dev/md/data", "/dev/vdd", level="raid0"))
    assert found.actions == ()
    assert [each.path for each in found.refusals] == [("storage", "raid", 1, "devices", 1)]


def test_matching_array_is_kept(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="linux_raid_member", vdc="linux_raid_member")
    add_members(host, "vdb", "vdc")
    running(sysfs, "md127", "data", "vdb", "vdc")
    found = plan(host, array())
    assert (found.actions, found.refusals, found.creates) == ((), (), frozenset())
    assert found.keeps == ("keeping RAID array /dev/md/data",)


def test_stopped_matching_array_is_assembled(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="linux_raid_member", vdc="linux_raid_member")
    add_members(host, "vdb", "vdc")
    found = plan(host, array())
    assert described(found) == ["assembling RAID array data of /dev/vdb, /dev/vdc"]
    applied(found, host)
    assert host.run.ran("mdadm")[-1] == (
        *("mdadm", "--assemble", "/dev/md/data", "--homehost", "any"),
        *(alias("vdb"), alias("vdc")),
    )


def test_array_on_stopped_array_is_decided_when_that_runs(host: FakeHost, sysfs: Sysfs) -> None:
    """Otherwise it would look empty and be recreated."""
    holds(host, vdb="linux_raid_member", vdc="linux_raid_member", vdd="linux_raid_member")
    add_members(host, "vdb", "vdc")
    add_members(host, "vdd", level="raid0", name="top", uuid="5:6")
    arrays = (array(), array("top", "/dev/md/data", "/dev/vdd", level="raid0"))
    assert described(plan(host, *arrays)) == ["assembling RAID array data of /dev/vdb, /dev/vdc"]

    # As in a preview, which assembles nothing.
    (refusal,) = plan(host, *arrays, rank=1).refusals
    assert str(refusal) == (
        "$.storage.raid.1.devices.0: /dev/md/data exists but does not run, so its contents are unknown"
    )

    running(sysfs, "md127", "data", "vdb", "vdc")
    host.devices.links["/dev/md/data"] = "/dev/md127"
    types = dict.fromkeys(("vdb", "vdc", "vdd", "md127"), "linux_raid_member")
    holds(host, **types)
    add_members(host, "md127", level="raid0", name="top", uuid="5:6")
    assert described(plan(host, *arrays, rank=1)) == ["assembling RAID array top of /dev/md/data, /dev/vdd"]


def test_array_on_running_array_is_observed(host: FakeHost, sysfs: Sysfs) -> None:
    holds(
        host,
        vdb="linux_raid_member",
        vdc="linux_raid_member",
        md127="linux_raid_member",
        vdd="linux_raid_member",
    )
    host.devices.links["/dev/md/data"] = "/dev/md127"
    add_members(host, "vdb", "vdc")
    add_members(host, "md127", "vdd", level="raid0", name="top", uuid="5:6")
    running(sysfs, "md127", "data", "vdb", "vdc")
    running(sysfs, "md126", "top", "md127", "vdd")
    arrays = (array(), array("top", "/dev/md/data", "/dev/vdd", level="raid0"))
    for rank in (0, 1):
        found = plan(host, *arrays, rank=rank)
        assert (len(found.keeps), found.actions, found.refusals) == (1, (), ())


def test_signatures_on_unused_members_are_replaced_and_named(host: FakeHost, sysfs: Sysfs) -> None:
    """The reference uses `mdadm --force`."""
    holds(host, vdb="ext4", vdc="linux_raid_member")
    add_members(host, "vdc", name="old")
    assert described(plan(host, array())) == [
        (
            "creating RAID array data (raid1) of /dev/vdb, /dev/vdc, replacing ext4 on /dev/vdb, "
            "linux_raid_member on /dev/vdc"
        )
    ]


def test_members_of_other_running_array_are_refused(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="linux_raid_member", vdc="linux_raid_member")
    add_members(host, "vdb", "vdc", level="raid0")
    running(sysfs, "md127", "data", "vdb", "vdc")
    found = plan(host, array())
    assert found.actions == ()
    unlike = "level is raid0, want raid1"
    theirs = f"in use (held by /dev/md127, a RAID array) (existing array: {unlike})"
    held = f"in RAID array data: {theirs}"
    assert [(each.path[3:], each.reason) for each in found.refusals] == [
        (("devices", 0), f"cannot use /dev/vdb {held}"),
        (("devices", 1), f"cannot use /dev/vdc {held}"),
        (("name",), f"/dev/md/data exists and does not match the config: {unlike}"),
    ]


def test_partial_array_is_not_treated_as_running(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="linux_raid_member", vdc="linux_raid_member")
    add_members(host, "vdb", "vdc")
    running(sysfs, "md127", "data", "vdb", "vdc", state="inactive")
    assert len(plan(host, array()).refusals) == 3


def test_mounted_member_is_refused(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdc="ext4")
    sysfs.mount("/sysroot", "/dev/vdc", "ext4")
    (refusal,) = plan(host, array()).refusals
    assert str(refusal) == (
        "$.storage.raid.0.devices.1: cannot use /dev/vdc in RAID array data: in use (mounted at /sysroot)"
    )


def test_two_paths_of_one_member_are_refused(host: FakeHost, sysfs: Sysfs) -> None:
    host.devices.links["/dev/disk/by-id/x"] = "/dev/vdb"
    (refusal,) = plan(host, array(), array("more", "/dev/disk/by-id/x", "/dev/vdd")).refusals
    assert str(refusal) == (
        "$.storage.raid.1.devices.0: /dev/disk/by-id/x is the same device as /dev/vdb "
        "($.storage.raid.0.devices.0)"
    )


@pytest.mark.parametrize(
    ("mdstat", "level", "hint"),
    [
        (None, "raid1", "add the kernel module md_mod to the initramfs"),
        ("Personalities : [raid0] \n", "mirror", "add the kernel module raid1 to the initramfs"),
        ("Personalities : \n", "raid6", "add the kernel module raid456 to the initramfs"),
        ("Personalities : [raid6] [raid5] [raid4] \n", "5", ""),
    ],
)
def test_missing_kernel_module_is_named(
    host: FakeHost, sysfs: Sysfs, mdstat: str | None, level: str, hint: str
) -> None:
    if mdstat is not None:
        (Path(host.system) / "proc/mdstat").write_text(mdstat)
    host.run.answer("mdadm", status=1, stderr="mdadm: RUN_ARRAY failed: Invalid argument")
    with pytest.raises(ActionFailed, match="RUN_ARRAY failed: Invalid argument") as caught:
        applied(plan(host, array(level=level)), host)
    assert caught.value.hint == hint
    assert caught.value.path == ("storage", "raid", 0)
