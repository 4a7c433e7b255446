# SPDX-License-Identifier: Apache-2.0
"""Enablement of units, for each kind of `/etc/machine-id` in an image.

systemd treats a missing or `uninitialized` machine-id as a first boot and applies presets to all units. With
an empty or an existing machine-id it applies none. One machine of each kind boots with the same config.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.lab.commands import run
from tests.lab.firstboot import FAILED, LIMIT, Machine, finished, guest, machine, proofs
from tests.lab.guest import ARGUMENTS, boot

if TYPE_CHECKING:
    from tests.lab.guest import Boot

pytestmark = pytest.mark.boot

ENABLEMENT = Path(__file__).with_name("enablement")

MACHINE_IDS = {
    "missing": None,
    "empty": "",
    "uninitialized": "uninitialized\n",
    "known": "5d7a1ce6a3b04be2b8f3f0b3a3e4c0f1\n",
}
"""Contents of `/etc/machine-id` in images."""

NO_QUESTIONS = "systemd.firstboot=no"
"""On a first boot, Debian's systemd would ask for a root password on the console."""


def config_with_proof(folder: Path) -> Path:
    """Write the config together with the program that checks the result."""
    config = json.loads((ENABLEMENT / "config.ign").read_text())
    contents = {"source": "data:," + quote((ENABLEMENT / "proof").read_text())}
    config["storage"]["files"].append({"path": "/usr/local/sbin/proof", "mode": 0o755, "contents": contents})
    file = folder / "config.ign"
    file.write_text(json.dumps(config))
    return file


def root_with(machine_id: str | None, lab: Machine, folder: Path) -> Path:
    """Copy the root image and set its `/etc/machine-id`."""
    root = folder / "root.img"
    run("cp", "--sparse=always", lab.image, root)
    run("debugfs", "-w", "-R", "rm /etc/machine-id", root)
    if machine_id is not None:
        text = folder / "machine-id"
        text.write_text(machine_id)
        run("debugfs", "-w", "-R", f"write {text} /etc/machine-id", root)
    return root


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Boot]:
    """Boot the machines, two at a time."""
    lab = machine()
    with ThreadPoolExecutor(max_workers=2) as pool:
        boots = {
            kind: pool.submit(booted, lab, tmp_path_factory.mktemp(kind), machine_id)
            for kind, machine_id in MACHINE_IDS.items()
        }
        return {kind: each.result() for kind, each in boots.items()}


def booted(lab: Machine, folder: Path, machine_id: str | None) -> Boot:
    root = root_with(machine_id, lab, folder)
    with guest(lab, config_with_proof(folder)) as new:
        own = replace(new, image=root, arguments=(*ARGUMENTS, NO_QUESTIONS))
        return boot(own, seconds=LIMIT, until=FAILED, linger=6.0)


@pytest.mark.parametrize("kind", MACHINE_IDS)
def test_enabled_units_run_and_disabled_units_do_not(kind: str, outcomes: dict[str, Boot]) -> None:
    outcome = outcomes[kind]
    asked = re.findall(r'^prove "([^"]+)"', (ENABLEMENT / "proof").read_text(), re.MULTILINE)
    assert [proof.name for proof in proofs(outcome)] == asked, outcome.tail()
    assert [proof for proof in proofs(outcome) if not proof.holds] == []
    assert finished(outcome), outcome.tail()
