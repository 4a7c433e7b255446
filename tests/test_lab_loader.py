# SPDX-License-Identifier: Apache-2.0
"""Guests that boot through firmware and boot loader, and start again after a reboot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import guest, loader
from tests.lab.guest import Boot, Line
from tests.lab.kernel import Kernel
from tests.lab.loader import LoaderGuest


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(guest, "accelerator", lambda kernel: ("-accel", "tcg"))
    return LoaderGuest(
        Kernel("6.1", tmp_path), tmp_path / "initramfs", tmp_path / "root.img", loader=tmp_path / "loader.img"
    ).command()


def test_loader_guest_gets_no_kernel_from_qemu(command: list[str], tmp_path: Path) -> None:
    assert {"-kernel", "-initrd", "-append"}.isdisjoint(command)
    assert str(tmp_path / "initramfs") not in command
    assert "virtio-blk-pci,drive=loader,serial=loader,bootindex=0" in command


@pytest.mark.parametrize(
    ("ends", "starts"),
    [
        (["Power down"], 1),
        (["Restarting system", "Power down", "Restarting system"], 2),
        (["Restarting system"] * 9, loader.MOST),
        (["Provisioning failed."], 1),
    ],
)
def test_boots_starts_guest_again_after_each_reboot(
    monkeypatch: pytest.MonkeyPatch, ends: list[str], starts: int
) -> None:
    said = iter(ends)

    def one_boot(*_: object, **__: object) -> Boot:
        return Boot((Line(1.0, f"[   1.0] reboot: {next(said)}"),), powered_off=True)

    monkeypatch.setattr(loader, "boot", one_boot)
    machine = LoaderGuest(Kernel("6.1", Path()), Path(), Path())
    found = loader.boots(machine, seconds=1, until="x")
    assert [boot.console.partition("reboot: ")[2] for boot in found] == ends[:starts]


def test_loader_guest_firmware_is_read_only(command: list[str]) -> None:
    flashes = [word for word in command if word.startswith("if=pflash")]
    assert len(flashes) == 2
    assert all("readonly=on" in flash or "snapshot=on" in flash for flash in flashes)
