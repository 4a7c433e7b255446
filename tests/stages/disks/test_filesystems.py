# SPDX-License-Identifier: Apache-2.0
"""Filesystems: the decision table, mismatches, and plans."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.host.command import Command, Ran
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem, Storage
from ignition.stages import Plan
from ignition.stages.actions import Parallel
from ignition.stages.disks.filesystems import Do, Filesystems, decide, differences, refusals
from ignition.tools.wipefs import Signature
from tests.host.fakes import FakeHost
from tests.lab.performing import applied
from tests.lab.sysfs import Sysfs


@pytest.mark.parametrize(
    ("wipe", "matches", "is_empty", "do"),
    [
        (True, True, False, Do.MAKE),
        (True, False, True, Do.MAKE),
        (True, False, False, Do.MAKE),
        (True, True, True, Do.MAKE),
        (False, True, False, Do.KEEP),
        (False, True, True, Do.KEEP),
        (False, False, True, Do.MAKE),
        (False, False, False, Do.REFUSE),
    ],
)
def test_decision_table(wipe: bool, matches: bool, is_empty: bool, do: Do) -> None:
    assert decide(wipe=wipe, matches=matches, is_empty=is_empty) is do


def test_existing_contents_are_replaced_only_when_allowed() -> None:
    for matches, is_empty in itertools.product((True, False), repeat=2):
        assert (decide(wipe=False, matches=matches, is_empty=is_empty) is Do.MAKE) <= is_empty


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"format": "ext4"}, Signature("ext4", "any", "any")),
        ({"format": "ext4", "label": "data", "uuid": "AbC"}, Signature("ext4", "data", "aBc")),
        ({"format": "vfat", "uuid": "ABCD-1234"}, Signature("vfat", "", "abcd1234")),
        ({"format": "vfat", "uuid": "abcd1234"}, Signature("vfat", "", "ABCD-1234")),
        ({"format": "none"}, Signature("")),
        ({"format": ""}, Signature("")),
    ],
)
def test_differences_of_matching_object_is_empty(wanted: dict[str, Any], found: Signature) -> None:
    assert list(differences(Filesystem(device="/dev/v", **wanted), found)) == []


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ({"format": "ext4"}, Signature("xfs"), ["found xfs, want ext4"]),
        ({"format": "none"}, Signature("xfs"), ["found xfs, want none"]),
        ({"format": "ext4", "label": "A"}, Signature("ext4", "a"), ['label is "a", want "A"']),
        ({"format": "ext4", "label": ""}, Signature("ext4", "a"), ['label is "a", want ""']),
        ({"format": "ext4", "uuid": "1"}, Signature("ext4"), ["uuid is not set, want 1"]),
        (
            {"format": "ext4", "uuid": "abcd-1234"},
            Signature("ext4", "", "abcd1234"),
            ["uuid is abcd1234, want abcd-1234"],
        ),
        (
            {"format": "swap", "label": "s"},
            Signature(""),
            ["found no filesystem, want swap", 'label is "", want "s"'],
        ),
    ],
)
def test_differences_lists_each_mismatch(
    wanted: dict[str, Any], found: Signature, expected: list[str]
) -> None:
    assert list(differences(Filesystem(device="/dev/v", **wanted), found)) == expected


# The step.


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    made = Sysfs(Path(host.system))
    made.disk("vdb", 64 << 20)
    for number in (1, 2, 3):
        made.partition("vdb", number, 2048 * number, 2048)
    return made


def holds(host: FakeHost, **signatures: str | tuple[str, ...]) -> None:
    """Set the signature types of devices; with several types, the probe of blkid is ambivalent."""
    listed = [
        {"device": name, "type": each, "usage": "filesystem", "uuid": None, "label": None}
        for name, types in signatures.items()
        for each in ([types] if isinstance(types, str) else types)
    ]
    host.run.answer("wipefs", stdout=json.dumps({"signatures": listed}), having="--json")
    for name, types in signatures.items():
        alias = f"/run/ignition/dev_aliases/dev/{name}"
        if isinstance(types, str):
            host.run.answer("blkid", stdout=f"ID_FS_TYPE={types}\n", having=alias)
        else:
            host.run.answer("blkid", status=8, stdout="ID_FS_AMBIVALENT=…\n", having=alias)


def config(*filesystems: dict[str, Any]) -> Config:
    return Config(storage=Storage(filesystems=tuple(Filesystem(**each) for each in filesystems)))


def plan(host: FakeHost, *filesystems: dict[str, Any]) -> Plan:
    step, wanted = Filesystems(), config(*filesystems)
    return step.plan(wanted, step.observe(wanted, host, State()))


def described(found: Plan) -> list[str]:
    return [action.describe() for action in found.actions]


def fs(number: int, format_: str | None, **more: Any) -> dict[str, Any]:
    return {"device": f"/dev/vdb{number}", "format": format_, **more}


def test_empty_devices_are_listed_once_and_not_wiped(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(host, fs(1, "ext4", label="data"), fs(2, "xfs", uuid="AB"))
    assert described(found) == [
        "creating filesystems on /dev/vdb1, /dev/vdb2",
        "waiting for udev to process /dev/vdb1, /dev/vdb2",
    ]
    assert len(host.run.argvs) == 1
    applied(found, host)
    assert sorted(host.run.argvs[1:]) == [
        ("mkfs.ext4", "-F", "-L", "data", "/run/ignition/dev_aliases/dev/vdb1"),
        ("mkfs.xfs", "-f", "-m", "uuid=ab", "/run/ignition/dev_aliases/dev/vdb2"),
    ]
    assert host.devices.settled == [("/dev/vdb1", "/dev/vdb2")]
    assert found.creates == {"/dev/disk/by-label/data", "/dev/disk/by-uuid/AB"}


def test_wiped_devices_take_one_wipefs_call(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb1="ext4", vdb2=("xfs", "ext4"))
    found = plan(
        host,
        fs(1, "ext4", wipe_filesystem=True),
        fs(2, "none", wipe_filesystem=True),
        fs(3, "swap", wipe_filesystem=True),
    )
    assert host.run.ran("blkid") == []
    assert described(found) == [
        "wiping all signatures of /dev/vdb1, /dev/vdb2",
        "creating filesystems on /dev/vdb1, /dev/vdb2, /dev/vdb3",
        "waiting for udev to process /dev/vdb1, /dev/vdb2, /dev/vdb3",
    ]
    together = found.actions[1]
    assert isinstance(together, Parallel)
    assert [action.describe() for action in together.actions] == [
        "creating ext4 on /dev/vdb1",
        "creating swap on /dev/vdb3",
    ]


def test_matching_filesystem_is_kept(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb1="ext4", vdb2="xfs")
    found = plan(host, fs(1, "ext4"), fs(2, "xfs"), fs(3, "none"))
    assert found.actions == ()
    assert found.keeps == (
        "keeping ext4 on /dev/vdb1",
        "keeping xfs on /dev/vdb2",
        "keeping no filesystem on /dev/vdb3",
    )


@pytest.mark.parametrize(
    "there", ["xfs", "crypto_LUKS", "LVM2_member", "linux_raid_member", "swap", "zfs_member"]
)
def test_mismatching_filesystem_is_refused(host: FakeHost, sysfs: Sysfs, there: str) -> None:
    holds(host, vdb1=there)
    found = plan(host, fs(1, "ext4"), fs(2, "ext4"))
    assert found.actions == ()
    assert [(str(each), each.hint) for each in found.refusals] == [
        (
            (
                "$.storage.filesystems.0.wipeFilesystem: existing filesystem on /dev/vdb1 does not match "
                "the config: "
                f"found {there}, want ext4"
            ),
            "set wipeFilesystem: true to replace it, or correct the config",
        )
    ]


def test_first_of_several_signatures_is_used(host: FakeHost, sysfs: Sysfs) -> None:
    """As in the reference: its safe probe fails, and its plain probe returns the first signature."""
    holds(host, vdb1=("xfs", "ext4"))
    assert plan(host, fs(1, "xfs")).keeps == ("keeping xfs on /dev/vdb1",)
    (refusal,) = plan(host, fs(1, "ext4")).refusals
    assert refusal.reason.endswith("found xfs, want ext4 (signatures: xfs, ext4)")


def test_signature_known_only_to_wipefs_is_wiped(host: FakeHost, sysfs: Sysfs) -> None:
    """A superblock with a wrong checksum, which libblkid, and therefore the reference, ignores."""
    holds(host, vdb1="ext4")
    host.run.answer("blkid", status=2)
    assert described(plan(host, fs(1, "xfs")))[:2] == [
        "wiping all signatures of /dev/vdb1",
        "creating xfs on /dev/vdb1",
    ]


def test_partition_table_alone_is_no_filesystem(host: FakeHost, sysfs: Sysfs) -> None:
    table = {"device": "vdb1", "type": "gpt", "usage": "partition-table", "uuid": None, "label": None}
    host.run.answer("wipefs", stdout=json.dumps({"signatures": [table]}), having="--json")
    assert described(plan(host, fs(1, "xfs")))[:2] == [
        "wiping all signatures of /dev/vdb1",
        "creating xfs on /dev/vdb1",
    ]
    assert host.run.ran("blkid") == []


@pytest.mark.parametrize("device", ["/dev/vdb1", "/dev/vdb"])
def test_filesystem_in_use_is_kept_or_refused(host: FakeHost, sysfs: Sysfs, device: str) -> None:
    sysfs.mount("/sysroot", "/dev/vdb1", "ext4")
    (refusal,) = plan(host, {"device": device, "format": "ext4", "wipe_filesystem": True}).refusals
    assert refusal.reason == f"cannot create a filesystem on {device}: in use (mounted at /sysroot)"
    holds(host, **{device.removeprefix("/dev/"): "ext4"})
    assert plan(host, {"device": device, "format": "ext4"}).refusals == ()


def test_two_paths_of_one_device_are_refused(host: FakeHost, sysfs: Sysfs) -> None:
    host.devices.links["/dev/disk/by-partlabel/a"] = "/dev/vdb1"
    found = plan(host, fs(1, "ext4"), {"device": "/dev/disk/by-partlabel/a", "format": "xfs"})
    assert [str(each) for each in found.refusals] == [
        (
            "$.storage.filesystems.1.device: /dev/disk/by-partlabel/a is the same device as /dev/vdb1 "
            "($.storage.filesystems.0.device)"
        )
    ]


def test_devices_without_format_are_waited_for(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(host, fs(1, None), {"device": "tag", "format": "virtiofs", "path": "/x"})
    assert host.devices.waited == [{"/dev/vdb1": ("storage", "filesystems", 0)}]
    assert (found.actions, host.run.argvs) == ((), [])


def test_virtiofs_only_config_has_no_devices() -> None:
    assert not Filesystems().wanted(config({"device": "tag", "format": "virtiofs", "path": "/x"}))


def test_begun_filesystems_are_finished_after_a_failure(host: FakeHost, sysfs: Sysfs) -> None:
    begun = Barrier(3)
    made = []

    def make(command: Command) -> Ran:
        begun.wait(60)
        if command.program == "mkfs.ext4":
            return Ran(1, "", "no")
        made.append(command.program)
        return Ran(0)

    for program in ("mkfs.ext4", "mkfs.xfs", "mkswap"):
        host.run.answer(program, make)
    found = plan(host, fs(1, "ext4"), fs(2, "xfs"), fs(3, "swap"))
    with pytest.raises(Exception, match="creating ext4 on /dev/vdb1") as caught:
        applied(found, host)
    assert getattr(caught.value, "path", None) == ("storage", "filesystems", 0)
    assert sorted(made) == ["mkfs.xfs", "mkswap"]


@pytest.mark.parametrize(
    ("wanted", "modules"),
    [
        (fs(1, "xfs", path="/srv"), ["xfs"]),
        (fs(1, "ext4", path="/srv"), []),
        (fs(1, "xfs"), []),
        (fs(1, "swap", path="/srv"), []),
    ],
)
def test_mount_modules_are_loaded_in_parallel(
    host: FakeHost, sysfs: Sysfs, wanted: dict[str, Any], modules: list[str]
) -> None:
    (sysfs.system / "proc/filesystems").write_text("nodev\tsysfs\n\text4\n")
    applied(plan(host, wanted), host)
    assert [argv[3:] for argv in host.run.ran("modprobe")] == [tuple(modules)][: len(modules)]
    assert len(host.run.argvs) == 2 + len(modules)


def test_unloadable_module_does_not_fail(host: FakeHost, sysfs: Sysfs) -> None:
    (sysfs.system / "proc/filesystems").write_text("nodev\tsysfs\n")
    host.run.answer("modprobe", status=2, stderr="no")
    applied(plan(host, fs(1, "xfs", path="/srv")), host)
    assert host.run.ran("modprobe")
    assert host.run.ran("mkfs.xfs")


def test_missing_mkfs_is_refused_only_where_needed(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.missing = {"mkfs.xfs"}
    holds(host, vdb1="xfs")
    assert plan(host, fs(1, "xfs"), fs(2, "ext4")).refusals == ()
    found = plan(host, fs(1, "xfs"), fs(2, "ext4"), fs(3, "xfs"))
    assert found.actions == ()
    assert [str(each) for each in found.refusals] == [
        '$.storage.filesystems.2: program "mkfs.xfs" not found (package xfsprogs)'
    ]


def test_multipath_device_is_named_in_hint(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", 64 << 20, mapper_name="mpatha")
    sysfs.attribute("dm-0", "dm/uuid", "mpath-3600508b4")
    sysfs.hold("/dev/vdb", "dm-0")
    (refusal,) = plan(host, fs(1, "ext4")).refusals
    assert refusal.reason == (
        "cannot create a filesystem on /dev/vdb1: in use (a part of /dev/vdb, which is a path of the "
        "multipath device /dev/mapper/mpatha)"
    )
    assert refusal.hint == "use the multipath device /dev/mapper/mpatha or its partitions"


def test_unsupported_format_is_refused_with_alternatives() -> None:
    (refusal,) = refusals(config(fs(1, "ext4"), fs(2, "zfs"), fs(3, None)))
    assert str(refusal) == '$.storage.filesystems.1.format: unsupported filesystem format "zfs"'
    assert refusal.hint == "use one of btrfs, ext4, none, swap, vfat, virtiofs, xfs"
