"""The refusal for a program that is not here."""

from __future__ import annotations

import pytest

from ignition.stages.disks.preflight.programs import lacking


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("mkfs.btrfs", "the program mkfs.btrfs is not here; it comes with the package btrfs-progs"),
        ("nobody-knows", "the program nobody-knows is not here"),
    ],
)
def test_it_names_the_package(program: str, reason: str) -> None:
    refusal = lacking(program, ("storage", "filesystems", 1))
    assert (refusal.reason, refusal.hint) == (reason, "put it into the initramfs")
    assert refusal.path == ("storage", "filesystems", 1)
