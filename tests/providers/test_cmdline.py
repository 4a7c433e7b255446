"""Kernel arguments that name a config."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from ignition.errors import IgnitionError, NoProvider
from ignition.host.command import Command, CommandFailed, Ran
from ignition.platform.provider import kernel_arguments
from ignition.providers.cmdline import PROVIDER

from .conftest import Machine


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=1 b=2", {"a": "1", "b": "2"}),
        ("a=1 a=2\n", {"a": "2"}),
        ("a=1 a=", {"a": "1"}),
        ("bare a=b=c", {"a": "b=c"}),
        ("a=\t b='x y'", {"b": "'x"}),
        ("", {}),
    ],
)
def test_words_of_the_command_line(line: str, expected: dict[str, str]) -> None:
    assert kernel_arguments(line) == expected


def test_the_url_is_fetched_as_it_is(machine: Machine) -> None:
    machine.write(
        "/proc/cmdline", "quiet ignition.config.url=http://x/first ignition.config.url=http://x/a?b=c\n"
    )
    machine.fetch.resources["http://x/a?b=c"] = b"{}"
    assert PROVIDER.fetch(machine.platform) == b"{}"


def test_the_url_wins_over_the_device(machine: Machine) -> None:
    machine.write(
        "/proc/cmdline", "ignition.config.device=d ignition.config.path=/p ignition.config.url=http://x/a"
    )
    machine.fetch.resources["http://x/a"] = b"{}"
    assert PROVIDER.fetch(machine.platform) == b"{}"
    assert machine.run.commands == []


def test_without_arguments_the_next_source_is_asked(machine: Machine) -> None:
    with pytest.raises(NoProvider):
        PROVIDER.fetch(machine.platform)


@pytest.mark.parametrize("given", ["ignition.config.device=OEM", "ignition.config.path=/x.ign"])
def test_half_of_a_pair_is_an_error(machine: Machine, given: str) -> None:
    machine.write("/proc/cmdline", given)
    with pytest.raises(IgnitionError, match="have to be given together"):
        PROVIDER.fetch(machine.platform)


@pytest.mark.parametrize("label", ["..", ".", "a/b", "/dev/sda"])
def test_the_device_is_a_label(machine: Machine, label: str) -> None:
    machine.write("/proc/cmdline", f"ignition.config.device={label} ignition.config.path=/x")
    with pytest.raises(IgnitionError, match="has to be a filesystem label"):
        PROVIDER.fetch(machine.platform)


def mounts(content: dict[str, str]) -> Callable[[Command], Ran]:
    """A `mount` that shows these files."""

    def mount(command: Command) -> Ran:
        directory = Path(command.real_argv()[-1])
        for name, text in content.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        return Ran(0)

    return mount


def test_a_file_on_a_labelled_filesystem(machine: Machine) -> None:
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=dir/x.ign")
    machine.write("/dev/disk/by-label/OEM", "")
    machine.run.answer("mount", mounts({"dir/x.ign": "{config}"}))
    assert PROVIDER.fetch(machine.platform) == b"{config}"
    mount, umount = machine.run.argvs
    assert mount[:-1] == ("mount", "-o", "ro", "-t", "auto", "/dev/disk/by-label/OEM")
    assert umount == ("umount", mount[-1])
    assert not Path(mount[-1]).exists()


def test_a_missing_file_on_it_is_fatal_and_leaves_nothing_mounted(machine: Machine) -> None:
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/x.ign")
    machine.write("/dev/disk/by-label/OEM", "")
    with pytest.raises(IgnitionError, match=r"couldn't read /x\.ign on OEM: No such file"):
        PROVIDER.fetch(machine.platform)
    assert machine.run.argvs[-1][0] == "umount"


def test_no_way_leads_out_of_the_filesystem(machine: Machine, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("outside")
    machine.write(
        "/proc/cmdline", f"ignition.config.device=OEM ignition.config.path=../../../../../../..{outside}"
    )
    machine.write("/dev/disk/by-label/OEM", "")
    with pytest.raises(IgnitionError, match="couldn't read"):
        PROVIDER.fetch(machine.platform)


def test_no_link_leads_out_of_the_filesystem(machine: Machine, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("outside")
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/link")
    machine.write("/dev/disk/by-label/OEM", "")

    def mount(command: Command) -> Ran:
        (Path(command.real_argv()[-1]) / "link").symlink_to(outside)
        return Ran(0)

    machine.run.answer("mount", mount)
    with pytest.raises(IgnitionError, match="couldn't read"):
        PROVIDER.fetch(machine.platform)


def test_a_busy_filesystem_is_unmounted_at_the_third_try(machine: Machine) -> None:
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/x")
    machine.write("/dev/disk/by-label/OEM", "")
    machine.run.answer("mount", mounts({"x": "{}"}))
    machine.run.answer("umount", Ran(32, "", "target is busy"))
    # Nothing is really mounted here, so after the first failure the look at the mount says that it is gone.
    assert PROVIDER.fetch(machine.platform) == b"{}"
    assert machine.slept == [1]


def test_a_filesystem_that_cannot_be_mounted_is_an_error(machine: Machine) -> None:
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/x")
    machine.write("/dev/disk/by-label/OEM", "")
    machine.run.answer("mount", status=32, stderr="wrong fs type")
    with pytest.raises(CommandFailed, match="wrong fs type"):
        PROVIDER.fetch(machine.platform)


def test_a_label_that_does_not_appear_is_waited_for_and_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", itertools.count().__next__)
    machine.write("/proc/cmdline", "ignition.config.device=OEM ignition.config.path=/x")
    with pytest.raises(IgnitionError, match="label OEM appeared in 30 s"):
        PROVIDER.fetch(machine.platform)
    assert 25 <= len(machine.slept) <= 31
