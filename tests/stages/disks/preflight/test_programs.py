# SPDX-License-Identifier: Apache-2.0
"""The refusal for a missing program."""

from __future__ import annotations

import pytest

from ignition.stages.disks.preflight.programs import missing_program


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("mkfs.btrfs", 'program "mkfs.btrfs" not found (package btrfs-progs)'),
        ("nobody-knows", 'program "nobody-knows" not found'),
    ],
)
def test_missing_program_refusal_names_the_package(program: str, reason: str) -> None:
    refusal = missing_program(program, ("storage", "filesystems", 1))
    assert (refusal.reason, refusal.hint) == (reason, "add the program to the initramfs")
    assert refusal.path == ("storage", "filesystems", 1)
