# SPDX-License-Identifier: Apache-2.0
"""Kernel arguments that name a config."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from ignition.errors import IgnitionError, NoProvider
from ignition.host.command import Command, CommandFailed, Ran
from ignition.providers.cmdline import PROVIDER

from .conftest import Machine


def test_kernel_arguments_without_value_are_left_out(machine: Machine) -> None:
    machine.write("/proc/cmdline", "a=1 bare ignition.config.url= b=2")
    assert machine.platform.kernel_arguments() == {"a": "1", "b": "2"}


def test_url_is_fetched_unchanged(machine: Machine) -> None:
    machine.write(
        "/proc/cmdline", "quiet ignition.config.url=http://x/first ignition.config.url=http://x/a?b=c\n"
    )
    machine.fetch.resources["http://x/a?b=c"] = b"{}"
    assert PROVIDER.fetch(machine.platform) == b"{}"


def test_url_takes_precedence_over_device(machine: Machine) -> None:
    machine.write(
        "/proc/cmdline", "ignition.config.device=d ignition.config.path=/p ignition.config.url=http://x/a"
    )
    machine.fetch.resources["http://x/a"] = b"{}"
    assert PROVIDER.fetch(machine.platform) == b"{}"
    assert machine.run.commands == []


def test_no_arguments_raises_no_provider(machine: Machine) -> None:
    with pytest.raises(NoProvider):
        PROVIDER.fetch(machine.platform)


@pytest.mark.parametrize("given", ["ignition.config.device=OEM", "ignition.config.path=/x.ign"])
def test_device_without_path_is_an_error(machine: Machine, given: str) -> None:
    machine.write("/proc/cmdline", given)
    with pytest.raises(IgnitionError, match="must be set together"):
        PROVIDER.fetch(machine.platform)


@pytest.mark.parametrize("label", ["..", ".", "a/b", "/dev/sda"])
def test_device_that_is_no_label_is_an_error(machine: Machine, label: str) -> None:
    machine.write("/proc/cmdline", f"ignition.config.device={label} ignition.config.path=/x")
    with pytest.raises(IgnitionError, match="must be a filesystem label"):
        PROVIDER.fetch(machine.platform)


def mounts(content: dict[str, str]) -> Callable[[Command], Ran]:
    """Return a fake `mount` that provides these files."""

    def mount(command: Command) -> Ran:
        directory = Path(command.real_argv()[-1])
        for name, text in content.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        return Ran(0)

    return mount


def test_file_on_labelled_filesystem_is_read(machine: Machine) -> None:
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=dir/x.ign")
    machine.write("/dev/disk/by-label/OEM", "")
    machine.run.answer("mount", mounts({"dir/x.ign": "{config}"}))
    assert PROVIDER.fetch(machine.platform) == b"{config}"
    mount, umount = machine.run.argvs
    assert mount[:-1] == ("mount", "-o", "ro", "-t", "auto", "/dev/disk/by-label/OEM")
    assert umount == ("umount", mount[-1])
    assert not Path(mount[-1]).exists()


def test_missing_file_on_drive_fails_and_unmounts(machine: Machine) -> None:
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/x.ign")
    machine.write("/dev/disk/by-label/OEM", "")
    with pytest.raises(IgnitionError, match=r"cannot read /x\.ign on .OEM.: no such file"):
        PROVIDER.fetch(machine.platform)
    assert machine.run.argvs[-1][0] == "umount"


def test_path_with_dots_stays_on_drive(machine: Machine, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("outside")
    machine.write(
        "/proc/cmdline", f"ignition.config.device=OEM ignition.config.path=../../../../../../..{outside}"
    )
    machine.write("/dev/disk/by-label/OEM", "")
    with pytest.raises(IgnitionError, match="cannot read"):
        PROVIDER.fetch(machine.platform)


def test_symlink_stays_on_drive(machine: Machine, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("outside")
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/link")
    machine.write("/dev/disk/by-label/OEM", "")

    def mount(command: Command) -> Ran:
        (Path(command.real_argv()[-1]) / "link").symlink_to(outside)
        return Ran(0)

    machine.run.answer("mount", mount)
    with pytest.raises(IgnitionError, match="cannot read"):
        PROVIDER.fetch(machine.platform)


def test_busy_drive_is_unmounted_at_third_try(machine: Machine) -> None:
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/x")
    machine.write("/dev/disk/by-label/OEM", "")
    machine.run.answer("mount", mounts({"x": "{}"}))
    machine.run.answer("umount", Ran(32, "", "target is busy"))
    # Nothing is mounted here, so after the first failure the mount table has no entry for the drive.
    assert PROVIDER.fetch(machine.platform) == b"{}"
    assert machine.slept == [1]


def test_unmountable_drive_is_an_error(machine: Machine) -> None:
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/x")
    machine.write("/dev/disk/by-label/OEM", "")
    machine.run.answer("mount", status=32, stderr="wrong fs type")
    with pytest.raises(CommandFailed, match="wrong fs type"):
        PROVIDER.fetch(machine.platform)


def test_missing_label_times_out_and_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", itertools.count().__next__)
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/x")
    with pytest.raises(IgnitionError, match=r"label .OEM. found: timed out after 30 s"):
        PROVIDER.fetch(machine.platform)
    assert 25 <= len(machine.slept) <= 31
