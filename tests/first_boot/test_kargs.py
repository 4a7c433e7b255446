# SPDX-License-Identifier: Apache-2.0
"""Kernel arguments on machines with firmware and boot loader: one change, one reboot.

On its first boot, each machine gets a config with other kernel arguments than those of the boot. The machine
changes the arguments, reboots, is provisioned and powers off. Then it starts once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.lab.commands import run
from tests.lab.firstboot import FAILED, LIMIT, Machine, Proof, finished, machine, proofs
from tests.lab.guest import ARGUMENTS
from tests.lab.loader import LoaderGuest, boots, grub_disk, other_disk, systemd_boot_disk, systemd_boot_entry

if TYPE_CHECKING:
    from tests.lab.guest import Boot

pytestmark = pytest.mark.boot

WANTED = ("lab.new=1", 'lab.blanks="one two"')
UNWANTED = ("lab.old=1",)
FILES_STAGE = "Ignition (files)"
"""Status message of systemd for the files stage."""
STARTED = r"Welcome to .*(?:dracut|Initramfs)"
"""Message of systemd in the initramfs, once per start of the kernel."""

PROOF = """\
#!/bin/sh
# Runs in the guest after boot: checks the kernel arguments, prints PROOF lines on the console, powers off.
exec >/dev/console 2>&1
failed=0
prove() { # NAME EXPECTED FOUND
    if [ "$2" = "$3" ]; then
        printf '\\nPROOF ok %s: %s\\n' "$1" "$3"
    else
        failed=$((failed + 1))
        printf '\\nPROOF FAILED %s: expected "%s", found "%s"\\n' "$1" "$2" "$3"
    fi
}
prove "wanted" "1" "$(grep -cw 'lab.new=1' /proc/cmdline)"
prove "wanted, with a blank" "1" "$(tr -d '"' </proc/cmdline | grep -c 'lab.blanks=one two')"
prove "unwanted" "0" "$(grep -c 'lab.old' /proc/cmdline)"
prove "kept" "1" "$(grep -c 'lab.kept=1' /proc/cmdline)"
prove "the user's file" "hello" "$(cat /etc/greeting)"
prove "note of the reboot" "none" "$(ls /boot/ignition.kargs-reboot 2>/dev/null || echo none)"
LATER
printf '\\nPROOF done, %s failed\\n' "$failed"
sync
systemctl poweroff --force
"""

LATER = {
    "systemd-boot": """
prove "later kernels" 'root=LABEL=root lab.new=1 lab.blanks="one two"' "$(cat /etc/kernel/cmdline)"
""",
    "grub": """
GRUB_CMDLINE_LINUX='lab.old=1 quiet'
. /etc/default/grub.d/zz-ignition.cfg
prove "later kernels" 'quiet lab.new=1 lab.blanks="one two"' "$GRUB_CMDLINE_LINUX"
""",
}
"""Checks of the files from which the installed system creates boot entries."""

UNIT = (
    "[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=/usr/local/sbin/proof\n"
    "[Install]\nWantedBy=multi-user.target\n"
)
FSTAB = {
    "systemd-boot": "LABEL=root / ext4 defaults 0 1\n",
    "grub": "LABEL=root / ext4 defaults 0 1\nLABEL=boot /boot ext4 defaults 0 2\n",
}


def config(loader: str) -> dict[str, Any]:
    """Return a config with kernel arguments, a file, and a unit that checks both."""
    proof = PROOF.replace("LATER", LATER[loader])
    files = {"/etc/greeting": "hello", "/etc/fstab": FSTAB[loader]}
    return {
        "ignition": {"version": "3.4.0"},
        "kernelArguments": {"shouldExist": list(WANTED), "shouldNotExist": list(UNWANTED)},
        "storage": {
            "files": [
                *(
                    {"path": path, "overwrite": True, "contents": {"source": f"data:,{quote(text)}"}}
                    for path, text in files.items()
                ),
                {
                    "path": "/usr/local/sbin/proof",
                    "mode": 0o755,
                    "contents": {"source": f"data:,{quote(proof)}"},
                },
            ]
        },
        "systemd": {"units": [{"name": "proof.service", "enabled": True, "contents": UNIT}]},
    }


@dataclass(frozen=True)
class Loader:
    """A boot loader, its disk, and the preparation of the guest's root filesystem."""

    name: str
    disk: Callable[[Machine, Path, Sequence[str]], Path]
    arguments: tuple[str, ...]
    prepared: tuple[str, ...]
    """Commands of debugfs."""


LAB = ("lab.kept=1", *UNWANTED)
GRUB = Loader(
    "grub",
    grub_disk,
    # The stamp on the disk decides whether this is a first boot.
    tuple(argument for argument in (*ARGUMENTS, *LAB) if argument != "ignition.firstboot"),
    ("mkdir /etc/default/grub.d",),
)
SYSTEMD_BOOT = Loader(
    "systemd-boot",
    systemd_boot_disk,
    (*ARGUMENTS, *LAB),
    ("mkdir /etc/kernel", "write cmdline /etc/kernel/cmdline"),
)


@dataclass(frozen=True)
class Outcome:
    """Boots of a machine: each start until it powered off, and each start of a second run."""

    disk: Path
    first: list[Boot]
    again: list[Boot]


def booted(loader: Loader, folder: Path) -> Outcome:
    lab = machine()
    root = folder / "root.img"
    run("cp", "--sparse=always", lab.image, root)
    (folder / "cmdline").write_text("root=LABEL=root lab.old=1\n")
    for command in loader.prepared:
        run("debugfs", "-w", "-R", command, root, cwd=folder)
    file = folder / "config.ign"
    file.write_text(json.dumps(config(loader.name)))
    guest = LoaderGuest(
        lab.kernel,
        lab.initramfs,
        root,
        config=file,
        # Another EFI system partition, which the helper must not take for that of the boot loader.
        disks=(other_disk(folder),),
        keeps=True,
        loader=loader.disk(lab, folder, loader.arguments),
    )
    return Outcome(
        guest.loader,
        boots(guest, seconds=LIMIT, until=FAILED),
        boots(guest, seconds=LIMIT, until=FAILED),
    )


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Outcome]]:
    """Boot both machines side by side."""
    machine()
    with ThreadPoolExecutor(max_workers=2) as pool:
        return {
            loader.name: pool.submit(booted, loader, tmp_path_factory.mktemp(loader.name))
            for loader in (GRUB, SYSTEMD_BOOT)
        }


@pytest.fixture(scope="module")
def grub(outcomes: dict[str, Future[Outcome]]) -> Outcome:
    return outcomes["grub"].result()


@pytest.fixture(scope="module")
def systemd_boot(outcomes: dict[str, Future[Outcome]]) -> Outcome:
    return outcomes["systemd-boot"].result()


@pytest.fixture(params=["grub", "systemd_boot"])
def outcome(request: pytest.FixtureRequest) -> Outcome:
    found: Outcome = request.getfixturevalue(request.param)
    return found


def test_machine_reboots_once_and_is_provisioned(outcome: Outcome) -> None:
    assert len(outcome.first) == 2, outcome.first[-1].tail()
    changed, set_up = outcome.first
    assert finished(set_up), set_up.tail()
    assert [proof for proof in proofs(set_up) if not proof.holds] == []
    assert Proof("wanted", "1", holds=True) in proofs(set_up)
    # The first start runs no stage after kargs.
    assert FILES_STAGE not in changed.console
    assert FILES_STAGE in set_up.console


def test_next_start_does_not_reboot(outcome: Outcome) -> None:
    assert len(outcome.again) == 1, outcome.again[0].tail()
    assert finished(outcome.again[0]), outcome.again[0].tail()


def test_each_start_shows_one_welcome(outcome: Outcome) -> None:
    for each in (*outcome.first, *outcome.again):
        assert len(re.findall(STARTED, each.console)) == 1


def test_grub_next_start_is_no_first_boot(grub: Outcome) -> None:
    assert FILES_STAGE not in grub.again[0].console


def test_systemd_boot_first_boot_with_matching_arguments_continues(systemd_boot: Outcome) -> None:
    # The kernel arguments of its entry contain ignition.firstboot.
    assert FILES_STAGE in systemd_boot.again[0].console


def test_systemd_boot_entry_changes_options_only(systemd_boot: Outcome) -> None:
    entry = systemd_boot_entry(systemd_boot.disk)
    options = [line.removeprefix("options ") for line in entry.splitlines() if line.startswith("options ")]
    kept = [argument for argument in SYSTEMD_BOOT.arguments if argument not in UNWANTED]
    assert " ".join(options) == " ".join((*kept, *WANTED))
    assert entry.startswith("title Lab\nlinux /vmlinuz\ninitrd /initramfs.img\noptions ")
    assert "\n# the rest\n" in entry
