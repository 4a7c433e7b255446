"""Encrypted volumes: the decision table, the rules of reuse, the plan, and real headers."""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from ignition import dataurl
from ignition.errors import ActionFailed, CommandFailed, FetchError, Refused
from ignition.host.command import Command, Ran
from ignition.host.run import run
from ignition.schemas.config import Config
from ignition.schemas.luks import Cex, Clevis
from ignition.schemas.resource import Resource
from ignition.schemas.storage import Luks, Storage
from ignition.stages import Plan, apply, keeping
from ignition.stages.actions import Together
from ignition.stages.disks.luks import (
    Do,
    Facts,
    Found,
    Volumes,
    decide,
    differences,
    needs,
    refusals,
    room,
)
from ignition.stages.disks.volumes import MakeVolume, OpenVolume
from ignition.state import State
from ignition.tools.cryptsetup import Metadata
from tests.host.fakes import FakeHost
from tests.lab import loop, luks
from tests.lab.luks import QUICK, Killed, without_opening
from tests.lab.sysfs import Sysfs


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


KEY = Resource(source="https://example.com/key")
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
    made = FakeHost(tmp_path)
    made.fetch.resources[KEY.source or ""] = b"secret key"
    return made


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    made = Sysfs(Path(host.system))
    for name in ("vdb", "vdc", "vdd"):
        made.disk(name, 64 << 20)
    holds(host)
    return made


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


def facts_and_plan(host: FakeHost, *volumes: Luks) -> tuple[Facts, Plan]:
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
    left = apply(found, host)
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
        left = apply(plan(host, volume("vault", key_file=Resource(source=source))), host)
        keys.append(dataurl.decode(left.luks_keys["vault"]))
        assert [command.stdin for command in host.run.commands[-2:]] == [keys[-1]] * 2
    assert keys[0] != keys[1]
    assert all(len(key) == 8192 and set(key) <= set(b"0123456789abcdef") for key in keys)


def test_keys_are_in_no_repr_and_no_line(
    host: FakeHost, sysfs: Sysfs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "ignition")
    facts, found = facts_and_plan(host, volume("vault", key_file=KEY))
    left = apply(found, host)
    said = f"{facts!r} {found!r} {left!r} {host.run.commands!r} {caplog.text}"
    assert ("secret key" in said, dataurl.encode(b"secret key") in said) == (False, False)


def test_wiping_is_one_call_and_needs_no_second_look(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS", vdc="ext4")
    found = plan(host, *(volume(name, name, wipe_volume=True) for name in ("vdb", "vdc", "vdd")))
    assert len(host.run.argvs) == 1
    apply(found, host)
    assert host.run.ran("wipefs")[1:] == [("wipefs", "--all", alias("vdb"), alias("vdc"))]


def test_several_are_made_together_and_udev_looks_once(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(host, volume("a", "vdb"), volume("b", "vdc", key_file=KEY))
    together, settle = found.actions
    assert isinstance(together, Together)
    assert [each.describe() for each in together.actions] == [
        "creating the encrypted volume a on /dev/vdb",
        "creating the encrypted volume b on /dev/vdc",
    ]
    assert together.limit == room()
    assert settle.describe() == "waiting for udev to look at /dev/vdb, /dev/vdc"
    assert set(apply(found, host).luks_keys) == {"a", "b"}


def test_one_that_is_there_is_opened_before_another_is_made(host: FakeHost, sysfs: Sysfs) -> None:
    """A wrong key stops everything before anything is lost."""
    holds(host, vdb="crypto_LUKS", vdc="ext4")
    found = plan(host, volume("new", "vdc", wipe_volume=True), volume("old", "vdb", key_file=KEY, label="L"))
    assert isinstance(found.actions[0], OpenVolume)
    assert isinstance(found.actions[2], MakeVolume)
    host.run.answer("cryptsetup", status=2, stderr="No key available with this passphrase.", having="old")
    with pytest.raises(ActionFailed) as caught:
        apply(found, host)
    assert str(caught.value) == (
        "opening the encrypted volume old on /dev/vdb: "
        "the key of the config does not open the volume on /dev/vdb"
    )
    assert caught.value.path == ("storage", "luks", 1, "keyFile")
    assert host.run.ran("wipefs")[1:] == []


def test_one_that_is_there_leaves_its_key_too(host: FakeHost, sysfs: Sysfs) -> None:
    holds(host, vdb="crypto_LUKS")
    left = apply(plan(host, volume("vault", key_file=KEY, open_options=("--perf-x",))), host)
    assert ran(host) == [f"cryptsetup luksOpen {alias('vdb')} vault --key-file - --persistent --perf-x"]
    assert left.luks_keys == {"vault": dataurl.encode(b"secret key")}
    assert host.devices.settled == []


def test_one_that_is_open_already_is_only_tried(host: FakeHost, sysfs: Sysfs) -> None:
    """A second run in the same boot."""
    holds(host, vdb="crypto_LUKS")
    sysfs.disk("dm-0", 1 << 20, mapper_name="vault")
    sysfs.hold("/dev/vdb", "dm-0")
    sysfs.link("/dev/mapper/vault", "/dev/dm-0")
    left = apply(plan(host, volume("vault", key_file=KEY)), host)
    assert ran(host) == [f"cryptsetup luksOpen --test-passphrase {alias('vdb')} --key-file -"]
    assert set(left.luks_keys) == {"vault"}


def test_a_second_run_knows_the_key_that_the_first_has_generated(host: FakeHost, sysfs: Sysfs) -> None:
    step, wanted = Volumes(), Config(storage=Storage(luks=(volume("vault"),)))
    left = apply(plan(host, volume("vault")), host)
    holds(host, vdb="crypto_LUKS")
    assert refused(host, volume("vault")) == [
        (
            "$.storage.luks.0.wipeVolume: what is on /dev/vdb cannot be used as the volume vault: "
            "it has a key that the config does not name"
        )
    ]
    again = step.plan(wanted, step.observe(wanted, host, left))
    assert described(again) == ["opening the encrypted volume vault on /dev/vdb"]
    assert apply(again, host) == left


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
        "$.storage.luks.1.device: /dev/disk/by-id/x is the same device as /dev/vdb ($.storage.luks.0)"
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
    with pytest.raises(ActionFailed, match=says) as caught:
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
        apply(plan(host, volume("vault")), host)
    assert caught.value.hint == f"put the kernel module {module} into the initramfs"


# A second try in the same boot.


@pytest.fixture
def opened(host: FakeHost, sysfs: Sysfs) -> Sysfs:
    """The volume vault is open already."""
    holds(host, vdb="crypto_LUKS")
    sysfs.disk("dm-0", 1 << 20, mapper_name="vault")
    sysfs.hold("/dev/vdb", "dm-0")
    sysfs.link("/dev/mapper/vault", "/dev/dm-0")
    return sysfs


def test_one_that_is_open_and_to_be_made_anew_is_closed_first(host: FakeHost, opened: Sysfs) -> None:
    found = plan(host, volume("vault", key_file=KEY, wipe_volume=True))
    assert described(found) == [
        "closing the encrypted volume vault, to make it anew",
        "wiping all signatures from /dev/vdb",
        "creating the encrypted volume vault on /dev/vdb",
        "waiting for udev to look at /dev/vdb",
    ]
    assert "/dev/mapper/vault" in found.creates
    apply(found, host)
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


def test_the_key_is_left_before_there_is_a_volume(host: FakeHost, sysfs: Sysfs) -> None:
    """Who is killed in the middle of making it can open it in the next try."""
    kept: list[State] = []

    def format_or_open(command: Command) -> Ran:
        if "luksFormat" in command.argv:
            assert [state.luks_key("vault") for state in kept] == [command.stdin]
        return Ran(0)

    host.run.answer("cryptsetup", format_or_open)
    with keeping(kept.append):
        apply(plan(host, volume("vault")), host)
    assert kept


BOUND = (
    '{"config": {}, "keyslots": {"0": {}, "1": {}}, "tokens": {"0": {"type": "clevis", "keyslots": ["1"]}}}'
)
PINNED = Clevis(tpm2=True)
OURS = State(luks_keys={"vault": dataurl.encode(b"generated")})


def again(host: FakeHost, wanted: Luks, state: State = OURS, metadata: str = '{"config": {}}') -> Plan:
    """The plan of a try after one that has left this state and this volume."""
    holds(host, vdb="crypto_LUKS")
    host.run.answer("cryptsetup", stdout=metadata, having="luksDump")
    step, config = Volumes(), Config(storage=Storage(luks=(wanted,)))
    return step.plan(config, step.observe(config, host, state))


def test_a_bound_volume_is_made_tried_opened_and_loses_its_key(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("cryptsetup", stdout=BOUND, having="luksDump")
    left = apply(plan(host, volume("vault", clevis=PINNED, discard=True)), host)
    assert ran(host) == [
        f"cryptsetup luksFormat --type luks2 --key-file - {alias('vdb')}",
        f"cryptsetup luksOpen {alias('vdb')} vault --key-file - --persistent --allow-discards",
        f"cryptsetup luksRemoveKey {alias('vdb')} --key-file -",
    ]
    assert [argv[2] for argv in host.run.ran("clevis")] == ["bind", "unlock"]
    words = [argv[1] if argv[0] == "cryptsetup" else argv[2] for argv in host.run.argvs]
    assert words[-6:] == ["luksFormat", "bind", "luksDump", "unlock", "luksOpen", "luksRemoveKey"]
    assert len({command.stdin for command in host.run.commands if command.stdin}) == 1
    assert left.luks_keys == {"vault": "data:,"}


def test_a_bound_volume_keeps_the_config_s_key(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("cryptsetup", stdout=BOUND, having="luksDump")
    left = apply(plan(host, volume("vault", clevis=PINNED, key_file=KEY)), host)
    assert not any("luksRemoveKey" in call for call in ran(host))
    assert left.luks_keys == {"vault": dataurl.encode(b"secret key")}


def test_a_key_goes_only_when_the_binding_has_been_tried(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("cryptsetup", stdout=BOUND, having="luksDump")
    host.run.answer("clevis", status=1, stderr="Unsealing jwk from TPM failed!", having="unlock")
    with pytest.raises(ActionFailed, match="Unsealing jwk from TPM failed"):
        apply(plan(host, volume("vault", clevis=PINNED)), host)
    assert len(ran(host)) == 1


@pytest.mark.parametrize(
    ("metadata", "tried", "words"),
    [
        # Killed after: making it; binding it; taking the key away.
        ('{"config": {}}', 0, ["bind", "luksDump"]),
        (BOUND, 0, ["luksDump", "unlock", "luksOpen", "luksRemoveKey"]),
        (BOUND, 2, ["unlock"]),
    ],
)
def test_another_try_does_the_rest(
    host: FakeHost, sysfs: Sysfs, metadata: str, tried: int, words: list[str]
) -> None:
    found = again(host, volume("vault", clevis=PINNED), metadata=metadata)
    assert described(found) == ["going on with the encrypted volume vault on /dev/vdb"]
    host.run.answer("cryptsetup", status=tried, having="--test-passphrase")
    before = len(host.run.commands)
    with contextlib.suppress(ActionFailed):  # the fake volume is never bound
        assert apply(found, host).luks_keys == {"vault": "data:,"}
    did = [argv[1] if argv[0] == "cryptsetup" else argv[2] for argv in host.run.argvs[before:]]
    assert did == ["luksOpen", *words]


def test_another_try_after_the_last_step_opens_it_with_clevis(host: FakeHost, sysfs: Sysfs) -> None:
    gone = State(luks_keys={"vault": "data:,"})
    found = again(host, volume("vault", clevis=PINNED), gone, BOUND)
    before = len(host.run.commands)
    assert apply(found, host) == gone
    assert host.run.argvs[before:] == [("clevis", "luks", "unlock", "-d", alias("vdb"), "-n", "vault")]


def test_another_try_leaves_what_is_open_open(host: FakeHost, opened: Sysfs) -> None:
    gone = State(luks_keys={"vault": "data:,"})
    found = again(host, volume("vault", clevis=PINNED), gone, BOUND)
    before = len(host.run.commands)
    assert apply(found, host) == gone
    assert host.run.argvs[before:] == []


def test_a_volume_that_the_key_of_this_boot_does_not_open_is_not_touched(
    host: FakeHost, sysfs: Sysfs
) -> None:
    found = again(host, volume("vault", clevis=PINNED))
    host.run.answer("cryptsetup", status=2, having="--test-passphrase")
    with pytest.raises(
        ActionFailed, match="the key of this boot does not open the volume on /dev/vdb"
    ) as caught:
        apply(found, host)
    assert caught.value.hint.startswith("set wipeVolume: true")


@pytest.mark.parametrize(
    ("wanted", "state", "metadata", "why"),
    [
        ({"clevis": PINNED}, State(), BOUND, "Clevis unlocks only volumes that are made anew"),
        (
            {"clevis": PINNED, "key_file": KEY},
            State(),
            BOUND,
            "Clevis unlocks only volumes that are made anew",
        ),
        ({"cex": Cex(enabled=True)}, State(), BOUND, "a crypto card unlocks only volumes that are made anew"),
        ({}, State(), BOUND, "it has a key that the config does not name"),
        (
            {"clevis": PINNED},
            State(luks_keys={"vault": "data:,"}),
            '{"config": {}}',
            "it has a key that the config does not name",
        ),
    ],
)
def test_what_nobody_knows_how_to_unlock_is_refused(
    host: FakeHost, sysfs: Sysfs, wanted: dict[str, Any], state: State, metadata: str, why: str
) -> None:
    refusals = again(host, volume("vault", **wanted), state, metadata).refusals
    assert why in str(refusals[0])


def test_a_volume_without_any_key_slot_is_made_anew_if_this_boot_has_begun_it(
    host: FakeHost, sysfs: Sysfs
) -> None:
    void = '{"config": {}, "keyslots": {}}'
    for wanted in (volume("vault"), volume("vault", clevis=PINNED)):
        assert "creating the encrypted volume vault on /dev/vdb" in described(again(host, wanted, OURS, void))
        assert again(host, wanted, State(), void).refusals


def test_the_programs_that_volumes_need() -> None:
    volumes = (volume("a"), volume("b", clevis=PINNED), volume("c", cex=Cex(enabled=True)))
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


# Real headers. This kernel cannot open volumes, so opening stands for trying the key.

real = pytest.mark.real_commands(*luks.PROGRAMS, "mkfs.ext4", "sfdisk")
UUID = "0c9e2f4a-5b7d-4a52-9e86-3d1f60a7b2c4"


def real_apply(directory: Path, *volumes: Luks, commands: int = 1000) -> State:
    ran: list[str] = []

    def until_killed(command: Command) -> Ran:
        ran.append(command.program)
        answer = without_opening(command)
        if len(ran) >= commands:
            raise Killed
        return answer

    host = loop.machine(directory, runner=until_killed)
    host.fetch.resources[KEY.source or ""] = b"secret key"  # type: ignore[attr-defined]
    step, wanted = Volumes(), Config(storage=Storage(luks=volumes))
    return apply(step.plan(wanted, step.observe(wanted, host, State())), host)


@real
def test_a_real_volume_made_and_used_again(tmp_path: Path) -> None:
    with loop.attached(tmp_path / "disk", 64 << 20) as node:
        wanted = Luks(name="vault", device=node, key_file=KEY, label="a 'b' é", uuid=UUID, options=QUICK)
        first = real_apply(tmp_path, wanted)
        before = (tmp_path / "disk").read_bytes()
        assert real_apply(tmp_path, wanted) == first
        for other in (wanted.but(label="b"), wanted.but(key_file=Resource()), wanted.but(discard=True)):
            with pytest.raises(Refused, match="cannot be used as the volume vault"):
                real_apply(tmp_path, other)
        assert (tmp_path / "disk").read_bytes() == before
        real_apply(tmp_path, wanted.but(key_file=Resource(), wipe_volume=True))
        assert (tmp_path / "disk").read_bytes() != before


@real
@pytest.mark.parametrize(
    ("make", "found"),
    [
        (("cryptsetup", "luksFormat", "--type", "luks1", "--key-file", "-", *QUICK[2:]), "of version 1"),
        (("mkfs.ext4", "-q"), "there is ext4"),
    ],
)
def test_what_is_really_there_stays_to_the_byte(tmp_path: Path, make: tuple[str, ...], found: str) -> None:
    with loop.attached(tmp_path / "disk", 64 << 20) as node:
        run(Command((*make, node), "", stdin=b"key"))
        before = (tmp_path / "disk").read_bytes()
        wanted = Luks(name="vault", device=node, key_file=KEY, options=QUICK)
        with pytest.raises(Refused, match=found):
            real_apply(tmp_path, wanted)
        assert (tmp_path / "disk").read_bytes() == before
        real_apply(tmp_path, wanted.but(wipe_volume=True))
        assert real_apply(tmp_path, wanted).luks_keys


@real
@pytest.mark.parametrize("boundary", range(1, 5))
def test_killed_after_any_command_and_started_again_it_comes_to_the_same_end(
    tmp_path: Path, boundary: int
) -> None:
    with loop.attached(tmp_path / "disk", 64 << 20) as node:
        wanted = Luks(name="vault", device=node, key_file=KEY, label="L", uuid=UUID, options=QUICK)
        # A partition table alone is in nobody's way, but is wiped.
        run(Command(("sfdisk", "--quiet", node), "", stdin=b"label: gpt\n"))
        with contextlib.suppress(Killed):
            real_apply(tmp_path, wanted, commands=boundary)
        assert real_apply(tmp_path, wanted).luks_keys == {"vault": dataurl.encode(b"secret key")}
        shown = run(Command(("blkid", "-p", "-o", "value", "-s", "UUID", "-s", "LABEL", node), "")).stdout
        assert sorted(shown.split()) == [UUID, "L"]
