# SPDX-License-Identifier: Apache-2.0
"""QEMU's firmware config, and the disk on machines without one."""

from __future__ import annotations

import pytest

from ignition.errors import IgnitionError
from ignition.host.command import CommandFailed
from ignition.providers import qemu
from ignition.providers.qemu import PROVIDER

from .conftest import Machine


@pytest.fixture(autouse=True)
def architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def firmware(machine: Machine, content: bytes, size: str | None = None) -> None:
    machine.write(f"{qemu.KEY}/size", size or f"{len(content)}\n")
    machine.write(f"{qemu.KEY}/raw", content)


@pytest.mark.parametrize("content", [b"{}", b"x" * 300_000, b""])
def test_whole_config_is_read(machine: Machine, content: bytes) -> None:
    firmware(machine, content)
    assert PROVIDER.fetch(machine.platform) == content
    assert machine.run.commands == []


def test_missing_key_is_no_config(machine: Machine) -> None:
    (machine.system / qemu.FIRMWARE.lstrip("/")).mkdir(parents=True)
    assert PROVIDER.fetch(machine.platform) == b""


def test_module_is_loaded_when_device_is_missing(machine: Machine) -> None:
    assert PROVIDER.fetch(machine.platform) == b""
    assert machine.run.argvs == [("modprobe", "qemu_fw_cfg")]


def test_unloadable_module_is_an_error(machine: Machine) -> None:
    machine.run.answer("modprobe", status=1, stderr="not found")
    with pytest.raises(CommandFailed):
        PROVIDER.fetch(machine.platform)


@pytest.mark.parametrize(("size", "how"), [("3\n", "found 2 bytes"), ("1\n", "found more, expected 1")])
def test_wrong_size_is_an_error(machine: Machine, size: str, how: str) -> None:
    firmware(machine, b"{}", size)
    with pytest.raises(IgnitionError, match=how):
        PROVIDER.fetch(machine.platform)


def test_malformed_size_is_an_error(machine: Machine) -> None:
    firmware(machine, b"{}", "many")
    with pytest.raises(IgnitionError, match=r"cannot parse .*/size: not a number"):
        PROVIDER.fetch(machine.platform)


@pytest.mark.parametrize("name", ["s390x", "ppc64le"])
def test_machine_without_fw_cfg_reads_disk(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: name)
    machine.write(qemu.DISK, b"{}" + bytes(510))
    assert PROVIDER.fetch(machine.platform) == b"{}"
    assert machine.run.argvs == [("modprobe", "virtio_blk")]


def test_missing_disk_times_out_and_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    with pytest.raises(IgnitionError, match="not found: timed out after 300 s"):
        PROVIDER.fetch(machine.platform)
    assert sum(machine.slept) == 300
