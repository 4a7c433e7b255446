"""Filesystems: the decision table, what differs, and the plan for several devices."""

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


def test_nothing_that_is_there_is_ever_replaced_without_leave() -> None:
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
def test_what_matches(wanted: dict[str, Any], found: Signature) -> None:
    assert list(differences(Filesystem(device="/dev/v", **wanted), found)) == []


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ({"format": "ext4"}, Signature("xfs"), ["format is xfs, not ext4"]),
        ({"format": "none"}, Signature("xfs"), ["format is xfs, not none"]),
        ({"format": "ext4", "label": "A"}, Signature("ext4", "a"), ['label is "a", not "A"']),
        ({"format": "ext4", "label": ""}, Signature("ext4", "a"), ['label is "a", not ""']),
        ({"format": "ext4", "uuid": "1"}, Signature("ext4"), ["uuid is not set, not 1"]),
        (
            {"format": "ext4", "uuid": "abcd-1234"},
            Signature("ext4", "", "abcd1234"),
            ["uuid is abcd1234, not abcd-1234"],
        ),
        (
            {"format": "swap", "label": "s"},
            Signature(""),
            ["format is none, not swap", 'label is "", not "s"'],
        ),
    ],
)
def test_what_does_not(wanted: dict[str, Any], found: Signature, expected: list[str]) -> None:
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
    """Let the devices hold these types; one of them is what blkid says, several are ambivalent."""
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


def test_fresh_devices_are_listed_once_and_not_wiped(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(host, fs(1, "ext4", label="data"), fs(2, "xfs", uuid="AB"))
    assert described(found) == [
        "creating filesystems on /dev/vdb1, /dev/vdb2",
        "waiting for udev to look at /dev/vdb1, /dev/vdb2",
    ]
    assert len(host.run.argvs) == 1
    applied(found, host)
    assert sorted(host.run.argvs[1:]) == [
        ("mkfs.ext4", "-F", "-L", "data", "/run/ignition/dev_aliases/dev/vdb1"),
        ("mkfs.xfs", "-f", "-m", "uuid=ab", "/run/ignition/dev_aliases/dev/vdb2"),
    ]
    assert host.devices.settled == [("/dev/vdb1", "/dev/vdb2")]
    assert found.creates == {"/dev/disk/by-label/data", "/dev/disk/by-uuid/AB"}


def test_what_is_to_be_wiped_is_wiped_with_one_call_and_needs_no_second_look(
    host: FakeHost, sysfs: Sysfs
) -> None:
    holds(host, vdb1="ext4", vdb2=("xfs", "ext4"))
    found = plan(
        host,
        fs(1, "ext4", wipe_filesystem=True),
        fs(2, "none", wipe_filesystem=True),
        fs(3, "swap", wipe_filesystem=True),
    )
    assert host.run.ran("blkid") == []
    assert described(found) == [
        "wiping all signatures from /dev/vdb1, /dev/vdb2",
        "creating filesystems on /dev/vdb1, /dev/vdb2, /dev/vdb3",
        "waiting for udev to look at /dev/vdb1, /dev/vdb2, /dev/vdb3",
    ]
    together = found.actions[1]
    assert isinstance(together, Parallel)
    assert [action.describe() for action in together.actions] == [
        "creating ext4 on /dev/vdb1",
        "creating swap on /dev/vdb3",
    ]


def test_what_is_as_the_config_says_is_kept_and_nothing_is_done(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb1="ext4", vdb2="xfs")
    found = plan(host, fs(1, "ext4"), fs(2, "xfs"), fs(3, "none"))
    assert found.actions == ()
    assert found.keeps == (
        "/dev/vdb1 has ext4 as the config says, it is kept",
        "/dev/vdb2 has xfs as the config says, it is kept",
        "/dev/vdb3 has no filesystem as the config says, it is kept",
    )


@pytest.mark.parametrize(
    "there", ["xfs", "crypto_LUKS", "LVM2_member", "linux_raid_member", "swap", "zfs_member"]
)
def test_anything_else_is_refused(host: FakeHost, sysfs: Sysfs, there: str) -> None:
    holds(host, vdb1=there)
    found = plan(host, fs(1, "ext4"), fs(2, "ext4"))
    assert found.actions == ()
    assert [(str(each), each.hint) for each in found.refusals] == [
        (
            (
                f"$.storage.filesystems.0.wipeFilesystem: what is on /dev/vdb1 is not what the config says: "
                f"format is {there}, not ext4"
            ),
            "set wipeFilesystem: true to replace it, or correct the config",
        )
    ]


def test_of_several_signatures_the_first_one_counts(host: FakeHost, sysfs: Sysfs) -> None:
    """As for the reference, whose careful probe fails and whose plain one stops at the first."""
    holds(host, vdb1=("xfs", "ext4"))
    assert plan(host, fs(1, "xfs")).keeps == ("/dev/vdb1 has xfs as the config says, it is kept",)
    (refusal,) = plan(host, fs(1, "ext4")).refusals
    assert refusal.reason.endswith("format is xfs, not ext4 (signatures there: xfs, ext4)")


def test_what_only_wipefs_takes_for_a_signature_is_wiped_away(host: FakeHost, sysfs: Sysfs) -> None:
    """A superblock with a wrong checksum: to libblkid, and so to the reference, there is nothing."""
    holds(host, vdb1="ext4")
    host.run.answer("blkid", status=2)
    assert described(plan(host, fs(1, "xfs")))[:2] == [
        "wiping all signatures from /dev/vdb1",
        "creating xfs on /dev/vdb1",
    ]


def test_a_partition_table_alone_is_no_filesystem(host: FakeHost, sysfs: Sysfs) -> None:
    table = {"device": "vdb1", "type": "gpt", "usage": "partition-table", "uuid": None, "label": None}
    host.run.answer("wipefs", stdout=json.dumps({"signatures": [table]}), having="--json")
    assert described(plan(host, fs(1, "xfs")))[:2] == [
        "wiping all signatures from /dev/vdb1",
        "creating xfs on /dev/vdb1",
    ]
    assert host.run.ran("blkid") == []


@pytest.mark.parametrize("device", ["/dev/vdb1", "/dev/vdb"])
def test_what_is_in_use_is_not_made_anew_but_may_be_kept(host: FakeHost, sysfs: Sysfs, device: str) -> None:
    sysfs.mount("/sysroot", "/dev/vdb1", "ext4")
    (refusal,) = plan(host, {"device": device, "format": "ext4", "wipe_filesystem": True}).refusals
    assert refusal.reason == f"a filesystem would be made on {device}, and it is mounted at /sysroot"
    holds(host, **{device.removeprefix("/dev/"): "ext4"})
    assert plan(host, {"device": device, "format": "ext4"}).refusals == ()


def test_two_names_of_one_device_are_refused(host: FakeHost, sysfs: Sysfs) -> None:
    host.devices.links["/dev/disk/by-partlabel/a"] = "/dev/vdb1"
    found = plan(host, fs(1, "ext4"), {"device": "/dev/disk/by-partlabel/a", "format": "xfs"})
    assert [str(each) for each in found.refusals] == [
        (
            "$.storage.filesystems.1.device: /dev/disk/by-partlabel/a is the same device as /dev/vdb1 "
            "($.storage.filesystems.0.device)"
        )
    ]


def test_devices_without_a_format_are_waited_for_and_tags_are_not(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(host, fs(1, None), {"device": "tag", "format": "virtiofs", "path": "/x"})
    assert host.devices.waited == [{"/dev/vdb1": ("storage", "filesystems", 0)}]
    assert (found.actions, host.run.argvs) == ((), [])


def test_a_config_with_tags_only_has_no_devices() -> None:
    assert not Filesystems().wanted(config({"device": "tag", "format": "virtiofs", "path": "/x"}))


def test_those_that_have_begun_are_made_even_if_one_fails(host: FakeHost, sysfs: Sysfs) -> None:
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
def test_modules_that_mounting_will_need_are_loaded_meanwhile(
    host: FakeHost, sysfs: Sysfs, wanted: dict[str, Any], modules: list[str]
) -> None:
    (sysfs.system / "proc/filesystems").write_text("nodev\tsysfs\n\text4\n")
    applied(plan(host, wanted), host)
    assert [argv[3:] for argv in host.run.ran("modprobe")] == [tuple(modules)][: len(modules)]
    assert len(host.run.argvs) == 2 + len(modules)


def test_a_module_that_cannot_be_loaded_is_mounts_to_tell(host: FakeHost, sysfs: Sysfs) -> None:
    (sysfs.system / "proc/filesystems").write_text("nodev\tsysfs\n")
    host.run.answer("modprobe", status=2, stderr="no")
    applied(plan(host, fs(1, "xfs", path="/srv")), host)
    assert host.run.ran("modprobe")
    assert host.run.ran("mkfs.xfs")


def test_what_would_be_made_is_refused_without_its_program_and_what_is_kept_is_not(
    host: FakeHost, sysfs: Sysfs
) -> None:
    host.run.missing = {"mkfs.xfs"}
    holds(host, vdb1="xfs")
    assert plan(host, fs(1, "xfs"), fs(2, "ext4")).refusals == ()
    found = plan(host, fs(1, "xfs"), fs(2, "ext4"), fs(3, "xfs"))
    assert found.actions == ()
    assert [str(each) for each in found.refusals] == [
        "$.storage.filesystems.2: the program mkfs.xfs is not here; it comes with the package xfsprogs"
    ]


def test_devices_of_a_multipath_disk_are_named_in_the_hint(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", 64 << 20, mapper_name="mpatha")
    sysfs.attribute("dm-0", "dm/uuid", "mpath-3600508b4")
    sysfs.hold("/dev/vdb", "dm-0")
    (refusal,) = plan(host, fs(1, "ext4")).refusals
    assert refusal.reason == (
        "a filesystem would be made on /dev/vdb1, and it is a part of /dev/vdb, which is one path of the "
        "multipath device /dev/mapper/mpatha"
    )
    assert refusal.hint == "name the device that all paths lead to, /dev/mapper/mpatha, or its parts"


def test_unknown_formats_are_refused_with_what_is_known() -> None:
    (refusal,) = refusals(config(fs(1, "ext4"), fs(2, "zfs"), fs(3, None)))
    assert str(refusal) == '$.storage.filesystems.1.format: the format "zfs" is not supported'
    assert refusal.hint == "use one of btrfs, ext4, none, swap, vfat, virtiofs, xfs"
