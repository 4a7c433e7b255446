# SPDX-License-Identifier: Apache-2.0
"""RAID arrays, nested arrays and LUKS volumes: created in the initramfs, opened by the running system.

Before the boot, the disk has a partition table with labels and a LUKS volume. Missing partitions are created
and the volume is reused. One volume is bound to a TPM by Clevis in the initramfs; the image has no Clevis.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from ignition.host.command import Command
from ignition.host.run import run
from ignition.tools import cryptsetup
from tests.lab.firstboot import FAILED, LIMIT, finished, guest, machine, proofs, stage_times
from tests.lab.guest import Disk, boot
from tests.lab.tpm import guests_tpm

if TYPE_CHECKING:
    from tests.lab.guest import Boot

pytestmark = [pytest.mark.boot, pytest.mark.real_commands]

STORAGE = Path(__file__).with_name("storage")
KEY = "the key of the vault"
UUID = "0c9e2f4a-5b7d-4a52-9e86-3d1f60a7b2c4"
"""UUID of the existing volume in `storage/config.ign`."""

MIB = 1 << 20
TABLE = "label: gpt\n" + "".join(f"size=256MiB, name={name}\n" for name in ("left", "right", "more", "vault"))
VAULT = (1 + 3 * 256) * MIB
"""Start of the fourth partition in bytes."""
HEADER = 16 * MIB


def config_with_proof(folder: Path) -> Path:
    """Write the config together with the program that checks the result."""
    config = json.loads((STORAGE / "config.ign").read_text())
    contents = {"source": "data:," + quote((STORAGE / "proof").read_text())}
    config["storage"]["files"].append({"path": "/usr/local/sbin/proof", "mode": 0o755, "contents": contents})
    file = folder / "config.ign"
    file.write_text(json.dumps(config))
    return file


def disk_with_a_volume(folder: Path) -> Disk:
    """Create a disk with four of five partitions; the fourth is a LUKS volume with the config's key."""
    volume = Disk.empty(folder / "volume", "volume", 256 * MIB).file
    quick = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    run(cryptsetup.format_luks2(str(volume), KEY.encode(), label="VAULT", uuid=UUID, options=quick))
    disk = Disk.empty(folder / "data.img", "data", 2 << 30)
    run(Command(("sfdisk", "--quiet", str(disk.file)), "partitioning", stdin=TABLE.encode()))
    with volume.open("rb") as made, disk.file.open("r+b") as file:
        file.seek(VAULT)
        file.write(made.read(HEADER))
    return disk


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Boot:
    folder = tmp_path_factory.mktemp("storage")
    lab = machine(clevis=True)
    with guest(lab, config_with_proof(folder)) as new, guests_tpm(folder) as tpm:
        own = replace(new, disks=(disk_with_a_volume(folder),), tpm=tpm)
        return boot(own, seconds=LIMIT, until=FAILED, linger=6.0)


def test_machine_matches_config(outcome: Boot) -> None:
    asked = re.findall(r'^prove "([^"]+)"', (STORAGE / "proof").read_text(), re.MULTILINE)
    assert [proof.name for proof in proofs(outcome)] == asked, outcome.tail()
    assert [proof for proof in proofs(outcome) if not proof.holds] == []
    assert finished(outcome), outcome.tail()
    assert "disks" in [time.stage for time in stage_times(outcome)]


def test_console_shows_no_key(outcome: Boot) -> None:
    assert (KEY in outcome.console, quote(KEY) in outcome.console) == (False, False)
    assert quote(KEY) in (STORAGE / "config.ign").read_text()
