# SPDX-License-Identifier: Apache-2.0
"""Actions on one LUKS volume: resuming after interruption, and real headers."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.errors import ActionFailed, Refused
from ignition.host.command import Command, Ran
from ignition.host.run import run
from ignition.schemas.config import Config
from ignition.schemas.luks import Cex, Clevis
from ignition.schemas.resource import Resource
from ignition.schemas.storage import Luks, Storage
from ignition.stages import Plan, persisting
from ignition.stages.disks.luks.step import Volumes
from ignition.url import dataurl
from tests.host.fakes import FakeHost
from tests.lab import loop, luks
from tests.lab.luks import QUICK, Killed, without_opening
from tests.lab.performing import applied
from tests.lab.sysfs import Sysfs
from tests.stages.disks.luks.vaults import (
    KEY,
    alias,
    described,
    holds,
    machine,
    opened_vault,
    plan,
    ran,
    three_disks,
    volume,
)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return machine(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    return three_disks(host)


@pytest.fixture
def opened(host: FakeHost, sysfs: Sysfs) -> Sysfs:
    return opened_vault(host, sysfs)


# A second try in the same boot.


def test_key_is_persisted_before_volume_exists(host: FakeHost, sysfs: Sysfs) -> None:
    """After a kill during creation, the next try can open the volume."""
    kept: list[State] = []

    def format_or_open(command: Command) -> Ran:
        if "luksFormat" in command.argv:
            assert [state.luks_key("vault") for state in kept] == [command.stdin]
        return Ran(0)

    host.run.answer("cryptsetup", format_or_open)
    with persisting(kept.append):
        applied(plan(host, volume("vault")), host)
    assert kept


BOUND = (
    '{"config": {}, "keyslots": {"0": {}, "1": {}}, "tokens": {"0": {"type": "clevis", "keyslots": ["1"]}}}'
)
PINNED = Clevis(tpm2=True)
OURS = State(luks_keys={"vault": dataurl.encode(b"generated")})


def plan_of_next_try(
    host: FakeHost, wanted: Luks, state: State = OURS, metadata: str = '{"config": {}}'
) -> Plan:
    """Return the plan of a try after an earlier one that left this state and this volume."""
    holds(host, vdb="crypto_LUKS")
    host.run.answer("cryptsetup", stdout=metadata, having="luksDump")
    step, config = Volumes(), Config(storage=Storage(luks=(wanted,)))
    return step.plan(config, step.observe(config, host, state))


def test_bound_volume_is_created_tried_opened_and_loses_its_key(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("cryptsetup", stdout=BOUND, having="luksDump")
    left = applied(plan(host, volume("vault", clevis=PINNED, discard=True)), host)
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


def test_bound_volume_keeps_the_key_of_the_config(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("cryptsetup", stdout=BOUND, having="luksDump")
    left = applied(plan(host, volume("vault", clevis=PINNED, key_file=KEY)), host)
    assert not any("luksRemoveKey" in call for call in ran(host))
    assert left.luks_keys == {"vault": dataurl.encode(b"secret key")}


def test_key_is_removed_only_after_binding_was_tried(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("cryptsetup", stdout=BOUND, having="luksDump")
    host.run.answer("clevis", status=1, stderr="Unsealing jwk from TPM failed!", having="unlock")
    with pytest.raises(ActionFailed, match="Unsealing jwk from TPM failed"):
        applied(plan(host, volume("vault", clevis=PINNED)), host)
    assert len(ran(host)) == 1


@pytest.mark.parametrize(
    ("metadata", "tried", "words"),
    [
        # Killed after creation, after binding, and after removal of the key.
        ('{"config": {}}', 0, ["bind", "luksDump"]),
        (BOUND, 0, ["luksDump", "unlock", "luksOpen", "luksRemoveKey"]),
        (BOUND, 2, ["unlock"]),
    ],
)
def test_second_try_does_the_remaining_steps(
    host: FakeHost, sysfs: Sysfs, metadata: str, tried: int, words: list[str]
) -> None:
    found = plan_of_next_try(host, volume("vault", clevis=PINNED), metadata=metadata)
    assert described(found) == ['resuming LUKS volume "vault" on /dev/vdb']
    host.run.answer("cryptsetup", status=tried, having="--test-passphrase")
    before = len(host.run.commands)
    with contextlib.suppress(ActionFailed):  # the fake volume is never bound
        assert applied(found, host).luks_keys == {"vault": "data:,"}
    did = [argv[1] if argv[0] == "cryptsetup" else argv[2] for argv in host.run.argvs[before:]]
    assert did == ["luksOpen", *words]


def test_second_try_after_last_step_opens_with_clevis(host: FakeHost, sysfs: Sysfs) -> None:
    gone = State(luks_keys={"vault": "data:,"})
    found = plan_of_next_try(host, volume("vault", clevis=PINNED), gone, BOUND)
    before = len(host.run.commands)
    assert applied(found, host) == gone
    assert host.run.argvs[before:] == [("clevis", "luks", "unlock", "-d", alias("vdb"), "-n", "vault")]


def test_second_try_leaves_open_volume_open(host: FakeHost, opened: Sysfs) -> None:
    gone = State(luks_keys={"vault": "data:,"})
    found = plan_of_next_try(host, volume("vault", clevis=PINNED), gone, BOUND)
    before = len(host.run.commands)
    assert applied(found, host) == gone
    assert host.run.argvs[before:] == []


def test_volume_with_other_key_is_not_changed(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan_of_next_try(host, volume("vault", clevis=PINNED))
    host.run.answer("cryptsetup", status=2, having="--test-passphrase")
    with pytest.raises(
        ActionFailed, match="the key of this boot does not open the LUKS volume on /dev/vdb"
    ) as caught:
        applied(found, host)
    assert caught.value.hint.startswith("set wipeVolume: true")


@pytest.mark.parametrize(
    ("wanted", "state", "metadata", "why"),
    [
        ({"clevis": PINNED}, State(), BOUND, "Clevis needs a newly created volume"),
        (
            {"clevis": PINNED, "key_file": KEY},
            State(),
            BOUND,
            "Clevis needs a newly created volume",
        ),
        ({"cex": Cex(enabled=True)}, State(), BOUND, "a CEX key needs a newly created volume"),
        ({}, State(), BOUND, "its key is unknown, because the config has no keyFile"),
        (
            {"clevis": PINNED},
            State(luks_keys={"vault": "data:,"}),
            '{"config": {}}',
            "its key is unknown, because the config has no keyFile",
        ),
    ],
)
def test_volume_without_known_key_is_refused(
    host: FakeHost, sysfs: Sysfs, wanted: dict[str, Any], state: State, metadata: str, why: str
) -> None:
    refusals = plan_of_next_try(host, volume("vault", **wanted), state, metadata).refusals
    assert why in str(refusals[0])


def test_volume_of_this_boot_without_key_slot_is_recreated(host: FakeHost, sysfs: Sysfs) -> None:
    void = '{"config": {}, "keyslots": {}}'
    for wanted in (volume("vault"), volume("vault", clevis=PINNED)):
        assert 'creating LUKS volume "vault" on /dev/vdb' in described(
            plan_of_next_try(host, wanted, OURS, void)
        )
        assert plan_of_next_try(host, wanted, State(), void).refusals


# Real headers. The kernel of the tests may be unable to open volumes, so the key is tried instead.

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
    return applied(step.plan(wanted, step.observe(wanted, host, State())), host)


@real
def test_real_volume_is_created_and_reused(tmp_path: Path) -> None:
    with loop.attached(tmp_path / "disk", 64 << 20) as node:
        wanted = Luks(name="vault", device=node, key_file=KEY, label="a 'b' é", uuid=UUID, options=QUICK)
        first = real_apply(tmp_path, wanted)
        before = (tmp_path / "disk").read_bytes()
        assert real_apply(tmp_path, wanted) == first
        for other in (
            wanted.evolve(label="b"),
            wanted.evolve(key_file=Resource()),
            wanted.evolve(discard=True),
        ):
            with pytest.raises(Refused, match='as LUKS volume "vault"'):
                real_apply(tmp_path, other)
        assert (tmp_path / "disk").read_bytes() == before
        real_apply(tmp_path, wanted.evolve(key_file=Resource(), wipe_volume=True))
        assert (tmp_path / "disk").read_bytes() != before


@real
@pytest.mark.parametrize(
    ("make", "found"),
    [
        (("cryptsetup", "luksFormat", "--type", "luks1", "--key-file", "-", *QUICK[2:]), "of version 1"),
        (("mkfs.ext4", "-q"), "found ext4, want LUKS 2"),
    ],
)
def test_existing_contents_stay_unchanged_to_the_byte(
    tmp_path: Path, make: tuple[str, ...], found: str
) -> None:
    with loop.attached(tmp_path / "disk", 64 << 20) as node:
        run(Command((*make, node), "", stdin=b"key"))
        before = (tmp_path / "disk").read_bytes()
        wanted = Luks(name="vault", device=node, key_file=KEY, options=QUICK)
        with pytest.raises(Refused, match=found):
            real_apply(tmp_path, wanted)
        assert (tmp_path / "disk").read_bytes() == before
        real_apply(tmp_path, wanted.evolve(wipe_volume=True))
        assert real_apply(tmp_path, wanted).luks_keys


@real
@pytest.mark.parametrize("boundary", range(1, 5))
def test_result_after_kill_at_any_command_equals_clean_run(tmp_path: Path, boundary: int) -> None:
    with loop.attached(tmp_path / "disk", 64 << 20) as node:
        wanted = Luks(name="vault", device=node, key_file=KEY, label="L", uuid=UUID, options=QUICK)
        # A partition table alone is no conflict, but is wiped.
        run(Command(("sfdisk", "--quiet", node), "", stdin=b"label: gpt\n"))
        with contextlib.suppress(Killed):
            real_apply(tmp_path, wanted, commands=boundary)
        assert real_apply(tmp_path, wanted).luks_keys == {"vault": dataurl.encode(b"secret key")}
        shown = run(Command(("blkid", "-p", "-o", "value", "-s", "UUID", "-s", "LABEL", node), "")).stdout
        assert sorted(shown.split()) == [UUID, "L"]
