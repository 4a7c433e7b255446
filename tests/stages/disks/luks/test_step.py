# SPDX-License-Identifier: Apache-2.0
"""LUKS volumes: the decision table, reuse of existing volumes, and the plan."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ignition.errors import ActionFailed, FetchError, IgnitionError
from ignition.host.command import CommandFailed
from ignition.schemas.config import Config
from ignition.schemas.luks import Cex, Clevis
from ignition.schemas.resource import Resource
from ignition.schemas.storage import Luks, Storage
from ignition.stages.actions import Parallel
from ignition.stages.disks.luks.actions import MakeVolume, OpenVolume
from ignition.stages.disks.luks.step import (
    DeviceContents,
    Do,
    Volumes,
    decide,
    differences,
    needs,
    refusals,
    room,
)
from ignition.tools.cryptsetup import Metadata
from ignition.url import dataurl
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


def test_existing_contents_are_replaced_only_when_allowed() -> None:
    for is_empty, matches in itertools.product((True, False), repeat=2):
        assert (decide(wipe=False, is_empty=is_empty, matches=matches) is Do.MAKE) <= is_empty


WANTED = Luks(name="vault", device="/dev/vdb", key_file=KEY)
THERE = DeviceContents(("crypto_LUKS",), is_luks2=True, label="L", uuid="0c9e2f4a")


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (WANTED, THERE, []),
        (WANTED.evolve(label="L", uuid="0c9e2f4a", discard=False), THERE, []),
        (WANTED.evolve(label=""), THERE, ['label is "L", want ""']),
        (WANTED.evolve(label="l"), THERE, ['label is "L", want "l"']),
        (WANTED.evolve(uuid="0C9E2F4A"), THERE, ["uuid is 0c9e2f4a, want 0C9E2F4A"]),
        (WANTED.evolve(discard=True), THERE, ["discard is off, want on"]),
        (WANTED, DeviceContents(("crypto_LUKS",)), ["found crypto_LUKS of version 1, want LUKS 2"]),
        (WANTED, DeviceContents(("ext4", "xfs")), ["found ext4, xfs, want LUKS 2"]),
    ],
)
def test_differences_lists_each_mismatch(wanted: Luks, found: DeviceContents, expected: list[str]) -> None:
    assert list(differences(wanted, found, has_key=True)) == expected


def test_differences_without_key_is_a_mismatch() -> None:
    assert list(differences(WANTED, THERE, has_key=False)) == [
        "its key is unknown, because the config has no keyFile"
    ]


def test_unwanted_discard_flag_is_a_mismatch() -> None:
    flags = Metadata(flags=frozenset({"allow-discards"}))
    allowed = DeviceContents(("crypto_LUKS",), is_luks2=True, metadata=flags)
    assert list(differences(WANTED, allowed, has_key=True)) == ["discard is on, want off"]
    assert list(differences(WANTED.evolve(discard=True), allowed, has_key=True)) == []


def test_room_is_at_least_one() -> None:
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


def test_new_volume_with_all_options_is_created(host: FakeHost, sysfs: Sysfs) -> None:
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


def test_volume_without_key_file_gets_generated_key(host: FakeHost, sysfs: Sysfs) -> None:
    keys = []
    for source in (None, ""):
        left = applied(plan(host, volume("vault", key_file=Resource(source=source))), host)
        keys.append(dataurl.decode(left.luks_keys["vault"]))
        assert [command.stdin for command in host.run.commands[-2:]] == [keys[-1]] * 2
    assert keys[0] != keys[1]
    assert all(len(key) == 8192 and set(key) <= set(b"0123456789abcdef") for key in keys)


def test_keys_are_not_in_repr_or_description(
    host: FakeHost, sysfs: Sysfs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "ignition")
    facts, found = facts_and_plan(host, volume("vault", key_file=KEY))
    left = applied(found, host)
    said = f"{facts!r} {found!r} {left!r} {host.run.commands!r} {caplog.text}"
    assert ("secret key" in said, dataurl.encode(b"secret key") in said) == (False, False)


def test_wipe_is_one_call_without_second_probe(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS", vdc="ext4")
    found = plan(host, *(volume(name, name, wipe_volume=True) for name in ("vdb", "vdc", "vdd")))
    assert len(host.run.argvs) == 1
    applied(found, host)
    assert host.run.ran("wipefs")[1:] == [("wipefs", "--all", alias("vdb"), alias("vdc"))]


def test_volumes_are_created_in_parallel_with_one_settle(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(host, volume("a", "vdb"), volume("b", "vdc", key_file=KEY))
    together, settle = found.actions
    assert isinstance(together, Parallel)
    assert [each.describe() for each in together.actions] == [
        'creating LUKS volume "a" on /dev/vdb',
        'creating LUKS volume "b" on /dev/vdc',
    ]
    assert together.limit == room()
    assert settle.describe() == "waiting for udev to process /dev/vdb, /dev/vdc"
    assert set(applied(found, host).luks_keys) == {"a", "b"}


def test_existing_volume_is_opened_before_new_ones_are_created(host: FakeHost, sysfs: Sysfs) -> None:
    """A wrong key fails the stage before any contents are lost."""
    holds(host, vdb="crypto_LUKS", vdc="ext4")
    found = plan(host, volume("new", "vdc", wipe_volume=True), volume("old", "vdb", key_file=KEY, label="L"))
    assert isinstance(found.actions[0], OpenVolume)
    assert isinstance(found.actions[2], MakeVolume)
    host.run.answer("cryptsetup", status=2, stderr="No key available with this passphrase.", having="old")
    with pytest.raises(ActionFailed) as caught:
        applied(found, host)
    assert str(caught.value) == (
        'opening LUKS volume "old" on /dev/vdb: '
        "the key of the config does not open the LUKS volume on /dev/vdb"
    )
    assert caught.value.path == ("storage", "luks", 1, "keyFile")
    assert host.run.ran("wipefs")[1:] == []


def test_existing_volume_persists_its_key(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS")
    left = applied(plan(host, volume("vault", key_file=KEY, open_options=("--perf-x",))), host)
    assert ran(host) == [f"cryptsetup luksOpen {alias('vdb')} vault --key-file - --persistent --perf-x"]
    assert left.luks_keys == {"vault": dataurl.encode(b"secret key")}
    assert host.devices.settled == []


def test_open_volume_only_has_its_key_tried(host: FakeHost, sysfs: Sysfs) -> None:
    """A second run in the same boot."""
    holds(host, vdb="crypto_LUKS")
    sysfs.disk("dm-0", 1 << 20, mapper_name="vault")
    sysfs.hold("/dev/vdb", "dm-0")
    sysfs.link("/dev/mapper/vault", "/dev/dm-0")
    left = applied(plan(host, volume("vault", key_file=KEY)), host)
    assert ran(host) == [f"cryptsetup luksOpen --test-passphrase {alias('vdb')} --key-file -"]
    assert set(left.luks_keys) == {"vault"}


def test_second_run_uses_generated_key_of_first(host: FakeHost, sysfs: Sysfs) -> None:
    step, wanted = Volumes(), Config(storage=Storage(luks=(volume("vault"),)))
    left = applied(plan(host, volume("vault")), host)
    holds(host, vdb="crypto_LUKS")
    assert refused(host, volume("vault")) == [
        (
            '$.storage.luks.0.wipeVolume: cannot use /dev/vdb as LUKS volume "vault": '
            "its key is unknown, because the config has no keyFile"
        )
    ]
    again = step.plan(wanted, step.observe(wanted, host, left))
    assert described(again) == ['opening LUKS volume "vault" on /dev/vdb']
    assert applied(again, host) == left


def refused(host: FakeHost, *volumes: Luks) -> list[str]:
    found = plan(host, *volumes)
    assert found.actions == ()
    return [str(each) for each in found.refusals]


def test_device_in_use_is_refused(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS")
    sysfs.disk("dm-0", 1 << 20, mapper_name="other")
    sysfs.hold("/dev/vdb", "dm-0")
    sysfs.mount("/sysroot", "/dev/vdc", "ext4")
    assert refused(host, volume("vault", key_file=KEY), volume("more", "vdc", wipe_volume=True)) == [
        (
            '$.storage.luks.0.device: cannot open LUKS volume "vault" on /dev/vdb: '
            "in use (held by /dev/dm-0, the device /dev/mapper/other)"
        ),
        '$.storage.luks.1.device: cannot create LUKS volume "more" on /dev/vdc: in use (mounted at /sysroot)',
    ]


def test_name_of_other_device_is_refused(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.disk("dm-0", 1 << 20, mapper_name="vault")
    sysfs.link("/dev/mapper/vault", "/dev/dm-0")
    assert refused(host, volume("vault")) == [
        "$.storage.luks.0.name: /dev/mapper/vault exists and is another device"
    ]


@pytest.mark.parametrize("there", ["ext4", "LVM2_member", "linux_raid_member", "zfs_member", "swap"])
def test_foreign_signature_is_refused(host: FakeHost, sysfs: Sysfs, there: str) -> None:
    holds(host, vdb=there)
    (refusal,) = plan(host, volume("vault", key_file=KEY), volume("new", "vdc")).refusals
    assert str(refusal) == (
        f'$.storage.luks.0.wipeVolume: cannot use /dev/vdb as LUKS volume "vault": found {there}, want LUKS 2'
    )
    assert refusal.hint == "set wipeVolume: true to recreate the volume, or correct the config"


def test_unreadable_device_is_not_treated_as_empty(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS")
    host.run.answer("cryptsetup", status=4, stderr="Device does not exist.", having="isLuks")
    with pytest.raises(CommandFailed, match="Device does not exist"):
        plan(host, volume("vault", key_file=KEY))


def test_two_paths_of_one_device_are_refused(host: FakeHost, sysfs: Sysfs) -> None:
    host.devices.links["/dev/disk/by-id/x"] = "/dev/vdb"
    assert refused(host, volume("a"), volume("b", "disk/by-id/x")) == [
        "$.storage.luks.1.device: /dev/disk/by-id/x is the same device as /dev/vdb ($.storage.luks.0.device)"
    ]


def test_volume_with_empty_key_is_refused(host: FakeHost, sysfs: Sysfs) -> None:
    host.fetch.resources[KEY.source or ""] = b""
    assert refused(host, volume("vault", key_file=KEY)) == [
        '$.storage.luks.0.keyFile: the key of LUKS volume "vault" is empty'
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [(FetchError("no route"), 'cannot fetch the key of LUKS volume "vault": no route')],
)
def test_unfetchable_key_writes_nothing(
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
def test_missing_kernel_module_is_named(host: FakeHost, sysfs: Sysfs, stderr: str, module: str) -> None:
    host.run.answer("cryptsetup", status=1, stderr=stderr, having="luksOpen")
    with pytest.raises(ActionFailed) as caught:
        applied(plan(host, volume("vault")), host)
    assert caught.value.hint == f"add the kernel module {module} to the initramfs"


def test_open_volume_to_be_recreated_is_closed_first(host: FakeHost, opened: Sysfs) -> None:
    found = plan(host, volume("vault", key_file=KEY, wipe_volume=True))
    assert described(found) == [
        'closing LUKS volume "vault" to recreate it',
        "wiping all signatures of /dev/vdb",
        'creating LUKS volume "vault" on /dev/vdb',
        "waiting for udev to process /dev/vdb",
    ]
    assert "/dev/mapper/vault" in found.creates
    applied(found, host)
    assert ran(host)[0] == "cryptsetup luksClose vault"


def test_open_volume_in_use_is_not_closed(host: FakeHost, opened: Sysfs) -> None:
    opened.mount("/sysroot", "/dev/mapper/vault", "ext4")
    assert refused(host, volume("vault", key_file=KEY, wipe_volume=True)) == [
        (
            '$.storage.luks.0.device: cannot create LUKS volume "vault" on /dev/vdb: '
            "/dev/mapper/vault is in use (mounted at /sysroot)"
        )
    ]


def test_volume_open_under_other_name_is_not_closed(host: FakeHost, opened: Sysfs) -> None:
    assert refused(host, volume("other", wipe_volume=True)) == [
        (
            '$.storage.luks.0.device: cannot create LUKS volume "other" on /dev/vdb: '
            "in use (held by /dev/dm-0, the device /dev/mapper/vault)"
        )
    ]


def test_needs_lists_programs_of_volumes() -> None:
    volumes = (volume("a"), volume("b", clevis=Clevis(tpm2=True)), volume("c", cex=Cex(enabled=True)))
    found = set(needs(Config(storage=Storage(luks=volumes))))
    path = ("storage", "luks")
    assert {("cryptsetup", (*path, index)) for index in range(3)} <= found
    assert ("clevis", (*path, 1, "clevis")) in found
    assert ("zkey-cryptsetup", (*path, 2, "cex")) in found
    assert {program for program, place in found if place[2] == 0} == {"cryptsetup"}


def test_volume_that_can_never_be_unlocked_is_refused() -> None:
    (refusal,) = refusals(
        Config(storage=Storage(luks=(volume("a"), volume("b", clevis=Clevis(threshold=1)))))
    )
    assert refusal.path == ("storage", "luks", 1, "clevis", "threshold")
