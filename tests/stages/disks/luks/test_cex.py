# SPDX-License-Identifier: Apache-2.0
"""LUKS volumes that a crypto card unlocks, with fake cards and programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ignition.boot.state import State
from ignition.errors import ActionFailed
from ignition.host.command import Command, Ran
from ignition.schemas.config import Config
from ignition.schemas.luks import Cex
from ignition.schemas.storage import Luks, Storage
from ignition.stages import Plan
from ignition.stages.disks.luks import cex
from ignition.stages.disks.luks.step import Volumes
from ignition.url import dataurl
from tests.host.fakes import FakeHost
from tests.lab.performing import applied
from tests.lab.sysfs import Sysfs

VAULT = Luks(name="vault", device="/dev/vdb", cex=Cex(enabled=True), options=("--sector-size", "4096"))
ALIAS = "/run/ignition/dev_aliases/dev/vdb"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """A machine with crypto cards, and a fake zkey that creates key files."""
    made = FakeHost(tmp_path)
    Sysfs(Path(made.system)).disk("vdb", 64 << 20)
    passphrase = place(made, "/etc/luks/cex.key")
    passphrase.parent.mkdir(parents=True)
    passphrase.write_bytes(b"no secret\n")
    made.run.answer("wipefs", stdout='{"signatures": []}', having="--json")

    def zkey(command: Command) -> Ran:
        name = str(command.argv[command.argv.index("--name") + 1])
        place(made, f"/etc/zkey/repository/{name}.info").write_bytes(b"about")
        place(made, f"/etc/zkey/repository/{name}.skey").write_bytes(bytes(128))
        return Ran(0)

    made.run.answer("zkey", zkey)
    card(made, "00.0001", "cca")
    card(made, "02.0003", "cca")
    card(made, "01.0001", "ep11")
    card(made, "card00", "cca")
    return made


def place(host: FakeHost, path: str) -> Path:
    return Path(host.system + path)


def card(host: FakeHost, name: str, mode: str) -> None:
    uevent = place(host, f"/sys/bus/ap/devices/{name}/uevent")
    uevent.parent.mkdir(parents=True)
    uevent.write_text(f"DEV_TYPE=000d\nMODE={mode}\n")


def plan(host: FakeHost, state: State | None = None) -> Plan:
    step, config = Volumes(), Config(storage=Storage(luks=(VAULT,)))
    return step.plan(config, step.observe(config, host, state or State()))


def test_cards_lists_domains_in_cca_mode_only(host: FakeHost) -> None:
    assert cex.cards(host) == ("00.0001", "02.0003")


def test_machine_without_card_is_refused(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    Sysfs(Path(host.system)).disk("vdb", 64 << 20)
    host.run.answer("wipefs", stdout='{"signatures": []}', having="--json")
    (refusal,) = plan(host).refusals
    assert str(refusal) == ("$.storage.luks.0.cex: no CryptoExpress card in CCA mode found")


def test_new_cex_volume_is_created(host: FakeHost) -> None:
    left = applied(plan(host), host)
    called = [argv for argv in host.run.argvs if argv[0].startswith(("zkey", "cryptsetup"))]
    assert list(map(" ".join, called)) == [
        (
            "zkey generate --name ignition-luks-vault --key-type CCA-AESCIPHER --xts "
            "--description Secure Key for vault Volume --apqns 00.0001,02.0003"
        ),
        (
            f"cryptsetup luksFormat --type luks2 --key-file - --sector-size 4096 {ALIAS} "
            "--volume-key-file /etc/zkey/repository/ignition-luks-vault.skey "
            "--cipher paes-xts-plain64 --key-size 1024"
        ),
        f"zkey-cryptsetup setvp {ALIAS} --key-file /etc/luks/cex.key",
        f"cryptsetup luksOpen {ALIAS} vault --key-file - --persistent",
    ]
    assert {command.stdin for command in host.run.commands if command.stdin} == {b"no secret\n"}
    assert left == State(
        luks_keys={"vault": dataurl.encode(b"no secret\n")},
        luks_volume_keys={
            "ignition-luks-vault.info": dataurl.encode(b"about"),
            "ignition-luks-vault.skey": dataurl.encode(bytes(128)),
        },
    )
    assert place(host, "/etc/zkey/repository").stat().st_mode & 0o777 == 0o700


def test_second_try_in_same_boot_reuses_the_key(host: FakeHost) -> None:
    """The first try was killed before it opened the volume."""
    left = applied(plan(host), host)
    there = {"device": "vdb", "type": "crypto_LUKS", "usage": "crypto", "uuid": None, "label": None}
    host.run.answer("wipefs", stdout=json.dumps({"signatures": [there]}), having="--json")
    host.run.answer("cryptsetup", stdout='{"config": {}}', having="luksDump")
    before = len(host.run.commands)
    again = plan(host, left)
    assert [each.describe() for each in again.actions] == ['resuming LUKS volume "vault" on /dev/vdb']
    assert applied(again, host) == left
    assert not any(argv[0] == "zkey" for argv in host.run.argvs[before:])


def test_recreated_volume_in_same_boot_reuses_the_key(host: FakeHost) -> None:
    """Zkey refuses to create a second key with the same name."""
    left = applied(plan(host), host)
    before = len(host.run.commands)
    assert applied(plan(host, left), host) == left
    assert not any(argv[0] == "zkey" for argv in host.run.argvs[before:])


def test_missing_passphrase_file_writes_nothing(host: FakeHost) -> None:
    place(host, "/etc/luks/cex.key").unlink()
    with pytest.raises(
        ActionFailed, match=r"cannot read /etc/luks/cex.key in the initramfs: no such file"
    ) as caught:
        applied(plan(host), host)
    assert caught.value.path == ("storage", "luks", 0)
    assert host.run.ran("zkey") == []


def test_cex_config_needs_zkey_programs() -> None:
    assert list(cex.needs(("x",))) == [("zkey", ("x",)), ("zkey-cryptsetup", ("x",))]
