"""Encrypted volumes: the decision table, the rules of reuse, and the plan."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ignition import dataurl
from ignition.errors import ActionFailed, FetchError, IgnitionError
from ignition.host.command import CommandFailed
from ignition.schemas.config import Config
from ignition.schemas.luks import Cex, Clevis
from ignition.schemas.resource import Resource
from ignition.schemas.storage import Luks, Storage
from ignition.stages.actions import Parallel
from ignition.stages.disks.luks.actions import MakeVolume, OpenVolume
from ignition.stages.disks.luks.step import Do, Found, Volumes, decide, differences, needs, refusals, room
from ignition.tools.cryptsetup import Metadata
from tests.host.fakes import FakeHost
from tests.lab.performing import applied
from tests.lab.sysfs import Sysfs
from tests.stages.disks.luks.vaults import (
    KEY,
    alias,
    described,
    facts_and_plan,
    holds,
    machine,
    opened_vault,
    plan,
    ran,
    three_disks,
    volume,
)


@pytest.mark.parametrize(
    ("wipe", "is_empty", "matches", "do"),
    [
        (True, True, False, Do.MAKE),
        (True, False, False, Do.MAKE),
        (True, False, True, Do.MAKE),
        (False, True, False, Do.MAKE),
        (False, False, True, Do.OPEN),
        (False, False, False, Do.REFUSE),
    ],
)
def test_decision_table(wipe: bool, is_empty: bool, matches: bool, do: Do) -> None:
    assert decide(wipe=wipe, is_empty=is_empty, matches=matches) is do


def test_nothing_that_is_there_is_ever_replaced_without_leave() -> None:
    for is_empty, matches in itertools.product((True, False), repeat=2):
        assert (decide(wipe=False, is_empty=is_empty, matches=matches) is Do.MAKE) <= is_empty


WANTED = Luks(name="vault", device="/dev/vdb", key_file=KEY)
THERE = Found(("crypto_LUKS",), is_luks2=True, label="L", uuid="0c9e2f4a")


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (WANTED, THERE, []),
        (WANTED.but(label="L", uuid="0c9e2f4a", discard=False), THERE, []),
        (WANTED.but(label=""), THERE, ['label is "L", not ""']),
        (WANTED.but(label="l"), THERE, ['label is "L", not "l"']),
        (WANTED.but(uuid="0C9E2F4A"), THERE, ["uuid is 0c9e2f4a, not 0C9E2F4A"]),
        (WANTED.but(discard=True), THERE, ["discard is off, not on"]),
        (WANTED, Found(("crypto_LUKS",)), ["there is crypto_LUKS of version 1"]),
        (WANTED, Found(("ext4", "xfs")), ["there is ext4, xfs"]),
    ],
)
def test_differences(wanted: Luks, found: Found, expected: list[str]) -> None:
    assert list(differences(wanted, found, has_key=True)) == expected


def test_without_a_key_nothing_can_be_used() -> None:
    assert list(differences(WANTED, THERE, has_key=False)) == ["it has a key that the config does not name"]


def test_discards_that_are_allowed_and_should_not_be() -> None:
    flags = Metadata(flags=frozenset({"allow-discards"}))
    allowed = Found(("crypto_LUKS",), is_luks2=True, metadata=flags)
    assert list(differences(WANTED, allowed, has_key=True)) == ["discard is on, not off"]
    assert list(differences(WANTED.but(discard=True), allowed, has_key=True)) == []


def test_there_is_always_room_for_one() -> None:
    assert 1 <= room() <= 8


# The step.


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return machine(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    return three_disks(host)


@pytest.fixture
def opened(host: FakeHost, sysfs: Sysfs) -> Sysfs:
    return opened_vault(host, sysfs)


def test_a_fresh_volume_with_all_options(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(
        host,
        volume(
            "vault",
            key_file=KEY,
            label="L",
            uuid="U",
            discard=True,
            options=("--cipher", "aes"),
            open_options=("--perf-x",),
        ),
    )
    assert host.devices.waited == [{"/dev/vdb": ("storage", "luks", 0, "device")}]
    assert ran(host) == []
    assert found.creates == {"/dev/mapper/vault", "/dev/disk/by-uuid/U", "/dev/disk/by-label/L"}
    left = applied(found, host)
    assert ran(host) == [
        f"cryptsetup luksFormat --type luks2 --key-file - --label L --uuid U --cipher aes {alias('vdb')}",
        f"cryptsetup luksOpen {alias('vdb')} vault --key-file - --persistent --allow-discards --perf-x",
    ]
    assert [command.stdin for command in host.run.commands[-2:]] == [b"secret key"] * 2
    assert left.luks_keys == {"vault": dataurl.encode(b"secret key")}
    assert host.devices.settled == [("/dev/vdb",)]
    assert host.run.ran("wipefs")[1:] == []


def test_a_volume_without_a_key_file_gets_a_key_of_its_own(host: FakeHost, sysfs: Sysfs) -> None:
    keys = []
    for source in (None, ""):
        left = applied(plan(host, volume("vault", key_file=Resource(source=source))), host)
        keys.append(dataurl.decode(left.luks_keys["vault"]))
        assert [command.stdin for command in host.run.commands[-2:]] == [keys[-1]] * 2
    assert keys[0] != keys[1]
    assert all(len(key) == 8192 and set(key) <= set(b"0123456789abcdef") for key in keys)


def test_keys_are_in_no_repr_and_no_line(
    host: FakeHost, sysfs: Sysfs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "ignition")
    facts, found = facts_and_plan(host, volume("vault", key_file=KEY))
    left = applied(found, host)
    said = f"{facts!r} {found!r} {left!r} {host.run.commands!r} {caplog.text}"
    assert ("secret key" in said, dataurl.encode(b"secret key") in said) == (False, False)


def test_wiping_is_one_call_and_needs_no_second_look(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS", vdc="ext4")
    found = plan(host, *(volume(name, name, wipe_volume=True) for name in ("vdb", "vdc", "vdd")))
    assert len(host.run.argvs) == 1
    applied(found, host)
    assert host.run.ran("wipefs")[1:] == [("wipefs", "--all", alias("vdb"), alias("vdc"))]


def test_several_are_made_together_and_udev_looks_once(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(host, volume("a", "vdb"), volume("b", "vdc", key_file=KEY))
    together, settle = found.actions
    assert isinstance(together, Parallel)
    assert [each.describe() for each in together.actions] == [
        "creating the encrypted volume a on /dev/vdb",
        "creating the encrypted volume b on /dev/vdc",
    ]
    assert together.limit == room()
    assert settle.describe() == "waiting for udev to look at /dev/vdb, /dev/vdc"
    assert set(applied(found, host).luks_keys) == {"a", "b"}


def test_one_that_is_there_is_opened_before_another_is_made(host: FakeHost, sysfs: Sysfs) -> None:
    """A wrong key stops everything before anything is lost."""
    holds(host, vdb="crypto_LUKS", vdc="ext4")
    found = plan(host, volume("new", "vdc", wipe_volume=True), volume("old", "vdb", key_file=KEY, label="L"))
    assert isinstance(found.actions[0], OpenVolume)
    assert isinstance(found.actions[2], MakeVolume)
    host.run.answer("cryptsetup", status=2, stderr="No key available with this passphrase.", having="old")
    with pytest.raises(ActionFailed) as caught:
        applied(found, host)
    assert str(caught.value) == (
        "opening the encrypted volume old on /dev/vdb: "
        "the key of the config does not open the volume on /dev/vdb"
    )
    assert caught.value.path == ("storage", "luks", 1, "keyFile")
    assert host.run.ran("wipefs")[1:] == []


def test_one_that_is_there_leaves_its_key_too(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS")
    left = applied(plan(host, volume("vault", key_file=KEY, open_options=("--perf-x",))), host)
    assert ran(host) == [f"cryptsetup luksOpen {alias('vdb')} vault --key-file - --persistent --perf-x"]
    assert left.luks_keys == {"vault": dataurl.encode(b"secret key")}
    assert host.devices.settled == []


def test_one_that_is_open_already_is_only_tried(host: FakeHost, sysfs: Sysfs) -> None:
    """A second run in the same boot."""
    holds(host, vdb="crypto_LUKS")
    sysfs.disk("dm-0", 1 << 20, mapper_name="vault")
    sysfs.hold("/dev/vdb", "dm-0")
    sysfs.link("/dev/mapper/vault", "/dev/dm-0")
    left = applied(plan(host, volume("vault", key_file=KEY)), host)
    assert ran(host) == [f"cryptsetup luksOpen --test-passphrase {alias('vdb')} --key-file -"]
    assert set(left.luks_keys) == {"vault"}


def test_a_second_run_knows_the_key_that_the_first_has_generated(host: FakeHost, sysfs: Sysfs) -> None:
    step, wanted = Volumes(), Config(storage=Storage(luks=(volume("vault"),)))
    left = applied(plan(host, volume("vault")), host)
    holds(host, vdb="crypto_LUKS")
    assert refused(host, volume("vault")) == [
        (
            "$.storage.luks.0.wipeVolume: what is on /dev/vdb cannot be used as the volume vault: "
            "it has a key that the config does not name"
        )
    ]
    again = step.plan(wanted, step.observe(wanted, host, left))
    assert described(again) == ["opening the encrypted volume vault on /dev/vdb"]
    assert applied(again, host) == left


def refused(host: FakeHost, *volumes: Luks) -> list[str]:
    found = plan(host, *volumes)
    assert found.actions == ()
    return [str(each) for each in found.refusals]


def test_what_is_in_use_is_refused(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS")
    sysfs.disk("dm-0", 1 << 20, mapper_name="other")
    sysfs.hold("/dev/vdb", "dm-0")
    sysfs.mount("/sysroot", "/dev/vdc", "ext4")
    assert refused(host, volume("vault", key_file=KEY), volume("more", "vdc", wipe_volume=True)) == [
        (
            "$.storage.luks.0.device: the volume vault would be opened on /dev/vdb, "
            "and that is held by /dev/dm-0, the device /dev/mapper/other"
        ),
        "$.storage.luks.1.device: the volume more would be made on /dev/vdc, and that is mounted at /sysroot",
    ]


def test_a_name_that_is_another_device_s_is_refused(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", 1 << 20, mapper_name="vault")
    sysfs.link("/dev/mapper/vault", "/dev/dm-0")
    assert refused(host, volume("vault")) == [
        "$.storage.luks.0.name: /dev/mapper/vault is there already, and is another device"
    ]


@pytest.mark.parametrize("there", ["ext4", "LVM2_member", "linux_raid_member", "zfs_member", "swap"])
def test_foreign_signatures_are_refused(host: FakeHost, sysfs: Sysfs, there: str) -> None:
    holds(host, vdb=there)
    (refusal,) = plan(host, volume("vault", key_file=KEY), volume("new", "vdc")).refusals
    assert str(refusal) == (
        "$.storage.luks.0.wipeVolume: what is on /dev/vdb cannot be used as the volume vault: "
        f"there is {there}"
    )
    assert refusal.hint == "set wipeVolume: true to make the volume anew, or correct the config"


def test_a_device_that_cannot_be_asked_is_not_taken_for_empty(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS")
    host.run.answer("cryptsetup", status=4, stderr="Device does not exist.", having="isLuks")
    with pytest.raises(CommandFailed, match="Device does not exist"):
        plan(host, volume("vault", key_file=KEY))


def test_two_names_of_one_device_are_refused(host: FakeHost, sysfs: Sysfs) -> None:
    host.devices.links["/dev/disk/by-id/x"] = "/dev/vdb"
    assert refused(host, volume("a"), volume("b", "disk/by-id/x")) == [
        "$.storage.luks.1.device: /dev/disk/by-id/x is the same device as /dev/vdb ($.storage.luks.0.device)"
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (FetchError("no route"), "the key of the volume vault could not be fetched: no route"),
        (b"", "the key of the volume vault is empty"),
    ],
)
def test_without_its_key_nothing_is_done(
    host: FakeHost, sysfs: Sysfs, answer: bytes | Exception, says: str
) -> None:
    host.fetch.resources[KEY.source or ""] = answer
    with pytest.raises(IgnitionError, match=says) as caught:
        plan(host, volume("vault", key_file=KEY), volume("new", "vdc", wipe_volume=True))
    assert caught.value.path == ("storage", "luks", 0, "keyFile")
    assert [argv[:2] for argv in host.run.argvs] == [("wipefs", "--json")]


@pytest.mark.parametrize(
    ("stderr", "module"),
    [
        ("Cannot initialize device-mapper. Is dm_mod kernel module loaded?", "dm_mod"),
        ("Check that kernel supports aes-xts-plain64 cipher", "dm_crypt and that of the cipher"),
    ],
)
def test_a_missing_kernel_module_is_named(host: FakeHost, sysfs: Sysfs, stderr: str, module: str) -> None:
    host.run.answer("cryptsetup", status=1, stderr=stderr, having="luksOpen")
    with pytest.raises(ActionFailed) as caught:
        applied(plan(host, volume("vault")), host)
    assert caught.value.hint == f"put the kernel module {module} into the initramfs"


def test_one_that_is_open_and_to_be_made_anew_is_closed_first(host: FakeHost, opened: Sysfs) -> None:
    found = plan(host, volume("vault", key_file=KEY, wipe_volume=True))
    assert described(found) == [
        "closing the encrypted volume vault, to make it anew",
        "wiping all signatures from /dev/vdb",
        "creating the encrypted volume vault on /dev/vdb",
        "waiting for udev to look at /dev/vdb",
    ]
    assert "/dev/mapper/vault" in found.creates
    applied(found, host)
    assert ran(host)[0] == "cryptsetup luksClose vault"


def test_one_that_is_open_and_in_use_is_not_closed(host: FakeHost, opened: Sysfs) -> None:
    opened.mount("/sysroot", "/dev/mapper/vault", "ext4")
    assert refused(host, volume("vault", key_file=KEY, wipe_volume=True)) == [
        (
            "$.storage.luks.0.device: the volume vault would be made on /dev/vdb, "
            "and /dev/mapper/vault is mounted at /sysroot"
        )
    ]


def test_one_that_is_open_under_another_name_is_not_closed(host: FakeHost, opened: Sysfs) -> None:
    assert refused(host, volume("other", wipe_volume=True)) == [
        (
            "$.storage.luks.0.device: the volume other would be made on /dev/vdb, "
            "and that is held by /dev/dm-0, the device /dev/mapper/vault"
        )
    ]


def test_the_programs_that_volumes_need() -> None:
    volumes = (volume("a"), volume("b", clevis=Clevis(tpm2=True)), volume("c", cex=Cex(enabled=True)))
    found = set(needs(Config(storage=Storage(luks=volumes))))
    path = ("storage", "luks")
    assert {("cryptsetup", (*path, index)) for index in range(3)} <= found
    assert ("clevis", (*path, 1, "clevis")) in found
    assert ("zkey-cryptsetup", (*path, 2, "cex")) in found
    assert {program for program, place in found if place[2] == 0} == {"cryptsetup"}


def test_what_could_never_be_unlocked_is_refused() -> None:
    (refusal,) = refusals(
        Config(storage=Storage(luks=(volume("a"), volume("b", clevis=Clevis(threshold=1)))))
    )
    assert refusal.path == ("storage", "luks", 1, "clevis", "threshold")
