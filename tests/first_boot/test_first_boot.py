# SPDX-License-Identifier: Apache-2.0
"""First boots in QEMU, from dracut's initramfs to the provisioned machine.

Each machine boots once, and the machines that must fail boot side by side. Each test checks one aspect of the
console.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.commands import run
from tests.lab.firstboot import (
    CONFIG,
    FAILED,
    LIMIT,
    PAGES,
    STOPPED,
    Machine,
    finished,
    guest,
    machine,
    proofs,
    stage_times,
)
from tests.lab.guest import LATER_ARGUMENTS, boot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.guest import Boot

pytestmark = pytest.mark.boot

SECRETS = (
    "correct-horse-battery-staple",
    "AAAAC3NzaC1lZDI1NTE5AAAAIFb4LFcrVqFyPjXRjx1kMfUQ2ClXkIWJ4Yqg3G1l0a0e",
    "6$rounds=5000$saltsalt$",
    "url-password",
)
"""Secrets in the configs of these boots."""


STAMP = "/boot/ignition.firstboot"
"""The file by which the boot loader detects a first boot."""


def demo_config() -> dict[str, Any]:
    """Return the demo's config with a password hash."""
    config: dict[str, Any] = json.loads(CONFIG.read_text())
    config["passwd"]["users"][0]["passwordHash"] = f"${SECRETS[2]}{'x' * 86}"
    return config


def broken_config() -> dict[str, Any]:
    """Return an invalid config: a file with a relative path."""
    config = demo_config()
    config["storage"]["files"][1]["path"] = "etc/demo/greeting"
    return config


def wrong_hash() -> dict[str, Any]:
    """Return a config with a wrong hash for a file; the URL contains a password."""
    config = demo_config()
    (page,) = (f for f in config["storage"]["files"] if f["path"] == "/srv/www/index.html")
    page["contents"] = {
        "source": "http://user:url-password@10.0.2.100/index.html",
        "verification": {"hash": "sha512-" + "0" * 128},
    }
    return config


@dataclass(frozen=True)
class Failure:
    """A failed boot, and its root filesystem."""

    boot: Boot
    root: Path


@pytest.fixture(scope="module")
def lab() -> Machine:
    return machine()


def own_root(lab: Machine, folder: Path) -> Path:
    """Copy the root image, so that a guest may change it."""
    root = folder / "root.img"
    run("cp", "--sparse=always", lab.image, root)
    return root


def written(folder: Path, config: dict[str, Any]) -> Path:
    file = folder / "config.ign"
    file.write_text(json.dumps(config, indent=2))
    return file


@pytest.fixture(scope="module")
def boots(lab: Machine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Boot, Boot]:
    """Boot a machine twice, first with the demo's config."""
    folder = tmp_path_factory.mktemp("demo")
    with guest(lab, written(folder, demo_config())) as new:
        own = replace(new, image=own_root(lab, folder), keeps=True)
        first = boot(own, seconds=LIMIT, until=STOPPED)
        again = replace(own, config=None, arguments=LATER_ARGUMENTS)
        return first, boot(again, seconds=LIMIT, until=STOPPED)


@pytest.fixture(scope="module")
def demo(boots: tuple[Boot, Boot]) -> Boot:
    return boots[0]


@pytest.fixture(scope="module")
def second(boots: tuple[Boot, Boot]) -> Boot:
    return boots[1]


@pytest.fixture(scope="module")
def failures(lab: Machine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Failure]:
    """Boot the machines that must fail; return the results by name."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        boots = {
            kind.__name__: pool.submit(failed, lab, tmp_path_factory.mktemp(kind.__name__), kind())
            for kind in (broken_config, wrong_hash)
        }
        return {name: each.result() for name, each in boots.items()}


def failed(lab: Machine, folder: Path, config: dict[str, Any]) -> Failure:
    root = own_root(lab, folder)
    with guest(lab, written(folder, config)) as new:
        outcome = boot(replace(new, image=root, keeps=True), seconds=LIMIT, until=STOPPED, linger=6.0)
    return Failure(outcome, root)


@pytest.fixture(params=["broken_config", "wrong_hash"])
def failure(request: pytest.FixtureRequest, failures: dict[str, Failure]) -> Failure:
    return failures[request.param]


def card(outcome: Boot) -> list[str]:
    """Return the lines from the failure card's first line to the end of the console."""
    texts = [line.text for line in outcome.lines]
    headline = max(n for n, text in enumerate(texts) if re.search(FAILED, text))
    while headline and texts[headline - 1].strip("-─═ ") == "" and texts[headline - 1]:
        headline -= 1
    return texts[headline:]


def test_machine_matches_config(demo: Boot) -> None:
    asked = re.findall(r'^prove "([^"]+)"', (PAGES / "proof").read_text(), re.MULTILINE)
    assert [proof.name for proof in proofs(demo)] == asked, demo.tail()
    assert [proof for proof in proofs(demo) if not proof.holds] == []
    assert finished(demo), demo.tail()


def test_stages_run_in_order_and_record_times(demo: Boot) -> None:
    times = stage_times(demo)
    stages = [time.stage for time in times if time.stage != "umount"]
    assert stages == ["fetch-offline", "disks", "mount", "files"]
    assert all(0 < time.started <= time.ended for time in times)


def test_stage_without_work_starts_no_process(demo: Boot) -> None:
    assert {"fetch", "kargs"}.isdisjoint(time.stage for time in stage_times(demo))
    assert "Ignition (fetch)" not in demo.console
    assert "Ignition (kargs)" not in demo.console


def test_console_shows_no_secret(demo: Boot) -> None:
    assert [secret for secret in SECRETS if secret in demo.console] == []


def test_second_boot_keeps_machine_and_runs_no_stage(second: Boot) -> None:
    assert [proof for proof in proofs(second) if not proof.holds] == []
    assert finished(second), second.tail()
    assert stage_times(second) == []
    assert "Ignition (" not in second.console


def test_failed_boot_stops_in_emergency_target(failure: Failure) -> None:
    assert not failure.boot.powered_off
    assert "emergency.target" in failure.boot.console
    assert "PROOF" not in failure.boot.console
    assert "initrd-switch-root.target" not in failure.boot.console


def test_failed_boot_keeps_first_boot_stamp(failure: Failure) -> None:
    assert "Type: regular" in run("debugfs", "-R", f"stat {STAMP}", failure.root)


def test_failure_card_is_last_on_console(failure: Failure) -> None:
    lines = card(failure.boot)
    assert 5 < len(lines) <= 20, "\n".join(lines)
    assert [
        line for line in lines if re.search(r"\[ +(OK|FAILED) +\]|Starting|audit:|systemd\[1\]", line)
    ] == []


def test_failed_boot_shows_no_secret(failure: Failure) -> None:
    assert [secret for secret in SECRETS if secret in failure.boot.console] == []


def test_card_of_invalid_config_names_stage_path_line_and_hint(failures: dict[str, Failure]) -> None:
    text = "\n".join(card(failures["broken_config"].boot))
    assert re.search(r"stage +fetch-offline", text)
    assert "$.storage.files.1.path" in text
    assert re.search(r"line \d+", text)
    assert re.search(r"^try +\S", text, re.MULTILINE)


def test_card_of_wrong_hash_names_stage_path_and_hint(failures: dict[str, Failure]) -> None:
    text = "\n".join(card(failures["wrong_hash"].boot))
    assert re.search(r"stage +files", text)
    assert "$.storage.files.4" in text
    assert "sha512" in text
    assert re.search(r"^try +\S", text, re.MULTILINE)


def test_invalid_config_starts_no_disks_stage(failures: dict[str, Failure]) -> None:
    assert "Ignition (disks)" not in failures["broken_config"].boot.console
