# SPDX-License-Identifier: Apache-2.0
"""The kernel arguments helper on machines with various boot loaders: changes, and a single reboot."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from ignition.bootloader import candidates, files
from ignition.bootloader.arguments import ArgumentRequest
from ignition.bootloader.helper import MARKER
from ignition.errors import IgnitionError
from ignition.host.root import Root
from tests.bootloader.machine import Machine, Rebooted

REQUEST = ArgumentRequest(("nosmt",), ("quiet",))
LINE = "root=LABEL=root ro quiet"
CONFIG = f"menuentry 'Debian' {{\n\tlinux\t/vmlinuz {LINE}\n\tinitrd /initrd\n}}\n"
ENTRY = f"title A\nlinux /vmlinuz\noptions {LINE}\n"
ESP = {"parttype": candidates.EFI_SYSTEM[0]}
XBOOTLDR = {"parttype": candidates.EXTENDED_BOOT_LOADER[0]}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, LINE)


def with_request(text: str) -> str:
    return text.replace(LINE, "root=LABEL=root ro nosmt")


def set_and_reboot(machine: Machine, request: ArgumentRequest = REQUEST, **how: str) -> None:
    with pytest.raises(Rebooted):
        machine.helper(**how).set(request)


def test_grub_on_filesystem_labelled_boot_is_changed(machine: Machine) -> None:
    boot = machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG, "vmlinuz": "kernel"}, label="boot")
    set_and_reboot(machine)
    assert (boot / "grub/grub.cfg").read_text() == with_request(CONFIG)
    assert machine.log == [
        "mount /dev/vda2 ro",
        "write /dev/vda2",
        "umount /dev/vda2",
        "reboot",
    ]


def test_second_run_after_reboot_changes_nothing_and_removes_marker(machine: Machine) -> None:
    boot = machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    set_and_reboot(machine)
    assert (boot / MARKER).exists()
    machine.start("BOOT_IMAGE=/vmlinuz root=LABEL=root ro nosmt", "second")
    machine.log.clear()
    machine.helper().set(REQUEST)
    assert "reboot" not in machine.log
    assert os.listdir(boot) == ["grub"]


@pytest.mark.parametrize("line", ["root=LABEL=root ro nosmt", "root=LABEL=root ro other"])
def test_unchanged_files_are_not_written_and_cause_no_reboot(machine: Machine, line: str) -> None:
    # The second line is of a boot loader that reads other files: only one reboot.
    machine.add("/dev/vda2", {"grub/grub.cfg": with_request(CONFIG)}, label="boot")
    machine.add("/dev/vda4", {"etc/default/grub.d/a.cfg": "", "boot/x": ""}, label="root")
    machine.start(line)
    machine.helper().set(ArgumentRequest(("nosmt",), ("quiet",)))
    before = machine.files()
    machine.log.clear()
    machine.read_only = {"/dev/vda2", "/dev/vda4"}
    machine.helper().set(REQUEST)
    assert machine.log == [
        "mount /dev/vda2 ro",
        "mount /dev/vda4 ro",
        "umount /dev/vda4",
        "umount /dev/vda2",
    ]
    assert machine.files() == before


def test_running_kernel_with_the_arguments_needs_no_reboot(machine: Machine) -> None:
    # The arguments were added in the menu of the boot loader.
    boot = machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    machine.start("root=LABEL=root ro nosmt")
    machine.helper().set(REQUEST)
    assert (boot / "grub/grub.cfg").read_text() == with_request(CONFIG)
    assert not (boot / MARKER).exists()


def test_reverted_change_is_an_error_instead_of_a_reboot_loop(machine: Machine) -> None:
    boot = machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    set_and_reboot(machine)
    for number in ("second", "third"):
        (boot / "grub/grub.cfg").write_text(CONFIG)
        machine.start(LINE, number)
        machine.log.clear()
        with pytest.raises(IgnitionError, match="was already rebooted for these kernel arguments") as caught:
            machine.helper().set(REQUEST)
        assert MARKER in caught.value.hint
        assert machine.log == ["mount /dev/vda2 ro", "umount /dev/vda2"]
    # Another config may reboot again.
    set_and_reboot(machine, ArgumentRequest(("other",)))


def test_missed_reboot_is_repeated(machine: Machine) -> None:
    boot = machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    set_and_reboot(machine)
    machine.log.clear()
    marker = (boot / MARKER).stat()
    set_and_reboot(machine)
    assert machine.log == ["mount /dev/vda2 ro", "umount /dev/vda2", "reboot"]
    assert (boot / MARKER).stat().st_ino == marker.st_ino


def test_failed_reboot_is_an_error(machine: Machine) -> None:
    machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    machine.run.answer("systemctl", having="reboot")
    with pytest.raises(IgnitionError, match="did not reboot"):
        machine.helper().set(REQUEST)
    assert machine.log[-1] == "sleep 120"
    assert machine.run.ran("systemctl") == [("systemctl", "reboot", "--force")]


def test_grub_on_root_filesystem_and_files_for_later_kernels_are_changed(machine: Machine) -> None:
    root = machine.add(
        "/dev/vda1", {"boot/grub/grub.cfg": CONFIG, "etc/default/grub.d/x.cfg": ""}, label="root"
    )
    machine.add("/dev/vda15", {"EFI/debian/grub.cfg": "configfile /boot/grub/grub.cfg\n"}, **ESP)
    set_and_reboot(machine)
    assert (root / "boot/grub/grub.cfg").read_text() == with_request(CONFIG)
    assert (root / "etc/default/grub.d/zz-ignition.cfg").exists()
    assert "mount /dev/vda15 ro" not in machine.log


def test_grub_on_filesystem_of_fstab_is_changed(machine: Machine) -> None:
    machine.add("/dev/vda1", {"etc/fstab": "UUID=u2 /boot ext4 defaults\n", "boot/.keep": ""}, label="root")
    boot = machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, uuid="u2")
    set_and_reboot(machine)
    assert (boot / "grub/grub.cfg").read_text() == with_request(CONFIG)


def test_grub_with_entries_changes_the_entries(machine: Machine) -> None:
    boot = machine.add(
        "/dev/vda2",
        {
            "grub2/grub.cfg": "insmod blscfg\nblscfg\n",
            "loader.1/entries/a.conf": f"linux /v\noptions {LINE} $ignition_firstboot\n",
            "loader.1/entries/b+3-1.conf": "linux /v\noptions b\n",
            "loader.1/entries/shell.conf": "efi /shell.efi\noptions quiet\n",
            "loader.1/entries/a.conf.old": ENTRY,
        },
        label="boot",
    )
    (boot / "loader").symlink_to("loader.1")
    set_and_reboot(machine)
    entries = {path.name: path.read_text() for path in (boot / "loader.1/entries").iterdir()}
    assert entries == {
        "a.conf": "linux /v\noptions root=LABEL=root ro $ignition_firstboot nosmt\n",
        "b+3-1.conf": "linux /v\noptions b nosmt\n",
        "shell.conf": "efi /shell.efi\noptions quiet\n",
        "a.conf.old": ENTRY,
    }
    assert (boot / "loader").is_symlink()


def environment(value: str) -> bytes:
    return f"# GRUB Environment Block\nkernelopts={value}\n".encode().ljust(1024, b"#")


def test_entries_with_variable_change_the_environment_block(machine: Machine) -> None:
    boot = machine.add(
        "/dev/vda2",
        {
            "grub2/grub.cfg": "blscfg\n",
            "loader/entries/a.conf": "linux /v\noptions $kernelopts quiet\n",
            "efi/grubenv": environment(LINE),
        },
        label="boot",
    )
    (boot / "grub2/grubenv").symlink_to("../efi/grubenv")
    set_and_reboot(machine)
    assert (boot / "loader/entries/a.conf").read_text() == "linux /v\noptions $kernelopts\n"
    assert (boot / "efi/grubenv").read_bytes() == environment("root=LABEL=root ro nosmt")
    assert (boot / "grub2/grubenv").is_symlink()


def test_variable_that_no_file_sets_is_an_error(machine: Machine) -> None:
    machine.add(
        "/dev/vda2",
        {"grub2/grub.cfg": "blscfg\n", "loader/entries/a.conf": "linux /v\noptions $kernelopts\n"},
        label="boot",
    )
    with pytest.raises(IgnitionError, match="kernelopts, which no file sets"):
        machine.helper().set(REQUEST)


def test_systemd_boot_entries_on_both_partitions_are_changed(machine: Machine) -> None:
    machine.variable("LoaderInfo", "systemd-boot 252.39")
    machine.variable("LoaderDevicePartUUID", "E-1")
    machine.add("/dev/vdb1", {"loader/entries/a.conf": ENTRY}, pkname="/dev/vdb", partuuid="f-1", **ESP)
    system = machine.add(
        "/dev/vda1", {"loader/entries/a.conf": ENTRY}, pkname="/dev/vda", partuuid="e-1", **ESP
    )
    extended = machine.add("/dev/vda2", {"loader/entries/b+3.conf": ENTRY}, pkname="/dev/vda", **XBOOTLDR)
    root = machine.add("/dev/vda3", {"etc/kernel/cmdline": f"{LINE}\n"}, label="root")
    # GRUB's files on the same filesystem are ignored.
    machine.add("/dev/vda4", {"grub/grub.cfg": CONFIG}, label="boot")
    set_and_reboot(machine)
    assert (system / "loader/entries/a.conf").read_text() == with_request(ENTRY)
    assert (extended / "loader/entries/b+3.conf").read_text() == with_request(ENTRY)
    assert (root / "etc/kernel/cmdline").read_text() == f"{with_request(LINE)}\n"
    assert "/dev/vdb1" not in " ".join(machine.log)
    assert "/dev/vda4" not in " ".join(machine.log)


def test_unknown_boot_loader_is_detected_by_its_files(machine: Machine) -> None:
    system = machine.add("/dev/vda1", {"loader/entries/a.conf": ENTRY}, **ESP)
    set_and_reboot(machine)
    assert (system / "loader/entries/a.conf").read_text() == with_request(ENTRY)


@pytest.mark.parametrize("loader", ["grub", "systemd-boot"])
def test_configured_boot_loader_has_priority(machine: Machine, loader: str) -> None:
    machine.variable("LoaderInfo", "GRUB 2.12" if loader == "systemd-boot" else "systemd-boot 252")
    machine.add("/dev/vda1", {"loader/entries/a.conf": ENTRY, "grub/grub.cfg": CONFIG}, **ESP)
    set_and_reboot(machine, loader=loader)
    changed = {path for path, data in machine.files().items() if b"nosmt" in data and MARKER not in path}
    assert changed == {
        "_dev_vda1/grub/grub.cfg" if loader == "grub" else "_dev_vda1/loader/entries/a.conf",
    }


@pytest.mark.parametrize("device", ["LABEL=own", "/dev/disk/by-label/own", "/dev/vdc9"])
def test_configured_device_is_searched(machine: Machine, device: str) -> None:
    machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    own = machine.add("/dev/vdc9", {"grub/grub.cfg": CONFIG}, label="own")
    (machine.system / "dev/disk/by-label").mkdir(parents=True)
    (machine.system / "dev/disk/by-label/own").symlink_to("../../vdc9")
    set_and_reboot(machine, device=device)
    assert (own / "grub/grub.cfg").read_text() == with_request(CONFIG)
    assert "mount /dev/vda2 ro" not in machine.log


def test_unified_kernel_images_are_an_error(machine: Machine) -> None:
    machine.variable("LoaderInfo", "systemd-boot 255")
    machine.add("/dev/vda1", {"EFI/Linux/debian.efi": b"MZ", "EFI/BOOT/BOOTX64.EFI": b"MZ"}, **ESP)
    with pytest.raises(
        IgnitionError, match=r"cannot change arguments of unified kernel images \(/EFI/Linux/debian\.efi\)"
    ) as caught:
        machine.helper().set(REQUEST)
    assert "remove kernelArguments from the config" in caught.value.hint


def test_unified_kernel_images_beside_entries_are_logged(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ignition")
    machine.variable("LoaderInfo", "systemd-boot 255")
    both: dict[str, str | bytes] = {"EFI/Linux/debian.efi": b"MZ", "loader/entries/a.conf": ENTRY}
    system = machine.add("/dev/vda1", both, **ESP)
    set_and_reboot(machine)
    assert (system / "loader/entries/a.conf").read_text() == with_request(ENTRY)
    assert (system / "EFI/Linux/debian.efi").read_bytes() == b"MZ"
    assert "images keep their own arguments: /EFI/Linux/debian.efi" in caplog.text
    assert all(record.levelno <= logging.INFO for record in caplog.records)


def test_missing_boot_loader_files_list_the_searched_filesystems(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0, 40.0])
    monkeypatch.setattr("ignition.bootloader.search.time.monotonic", lambda: next(clock))
    machine.add("/dev/vda1", {"EFI/debian/grub.cfg": "configfile x\n"}, **ESP)
    machine.add("/dev/vda2", {}, label="boot")
    machine.add("/dev/vda3", {"boot/x": ""}, label="root")
    machine.broken = {"/dev/vda2"}
    with pytest.raises(IgnitionError) as caught:
        machine.helper().set(REQUEST)
    assert str(caught.value).count("/boot on the root filesystem (/dev/vda3)") == 1
    assert "the filesystem labelled boot (/dev/vda2) (cannot be mounted)" in str(caught.value)
    assert "the EFI system partition (/dev/vda1)" in str(caught.value)
    assert "IGNITION_BOOT_DEVICE" in caught.value.hint
    assert machine.slept == 1
    assert machine.log.count("mount /dev/vda1 ro") == 2
    assert machine.mounted == {}


def test_files_of_other_boot_loader_are_ignored(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignition.bootloader.search.DISK_TIMEOUT", 0.0)
    machine.add("/dev/vda1", {"loader/entries/a.conf": ENTRY}, **ESP)
    with pytest.raises(IgnitionError, match="no boot loader file with kernel arguments found"):
        machine.helper("grub").set(REQUEST)


def test_late_disk_is_waited_for(machine: Machine) -> None:
    machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    there = machine.devices
    machine.devices = {}
    helper = machine.helper()

    def appear(seconds: float) -> None:
        machine.devices = there

    object.__setattr__(helper, "sleep", appear)
    with pytest.raises(Rebooted):
        helper.set(REQUEST)


def test_read_only_filesystem_is_an_error(machine: Machine) -> None:
    machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    machine.read_only = {"/dev/vda2"}
    message = "cannot mount the filesystem labelled boot .* for writing: .*write-protected"
    with pytest.raises(IgnitionError, match=message):
        machine.helper().set(REQUEST)
    assert machine.mounted == {}


def test_full_filesystem_is_not_changed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    before = machine.files()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '/grub/grub\.cfg\.ignition-new'"):
        machine.helper().set(REQUEST)
    assert machine.files() == before


def test_one_read_only_filesystem_stops_all_writes(machine: Machine) -> None:
    machine.variable("LoaderInfo", "systemd-boot 252")
    machine.add("/dev/vda1", {"loader/entries/a.conf": ENTRY}, **ESP)
    machine.add("/dev/vda2", {"loader/entries/a.conf": ENTRY}, **XBOOTLDR)
    machine.read_only = {"/dev/vda1"}
    before = machine.files()
    with pytest.raises(IgnitionError, match=r"cannot mount the EFI system partition .* for writing"):
        machine.helper().set(REQUEST)
    assert machine.files() == before


def test_one_invalid_file_stops_all_writes(machine: Machine) -> None:
    entries = {f"loader/entries/{name}.conf": ENTRY for name in "ac"}
    machine.add("/dev/vda1", {**entries, "loader/entries/b.conf": 'linux /v\noptions "a b" "c d"\n'}, **ESP)
    before = machine.files()
    with pytest.raises(IgnitionError, match=r"/loader/entries/b\.conf: systemd-boot strips"):
        machine.helper().set(REQUEST)
    assert machine.files() == before


@pytest.mark.parametrize(
    "invalid", [ArgumentRequest(('a="b',)), ArgumentRequest(('a="b\nc"',)), ArgumentRequest(("a",), ("a",))]
)
def test_invalid_request_is_refused(machine: Machine, invalid: ArgumentRequest) -> None:
    machine.add("/dev/vda1", {"loader/entries/a.conf": ENTRY}, **ESP)
    before = machine.files()
    with pytest.raises(IgnitionError):
        machine.helper().set(invalid)
    assert machine.files() == before


def test_changes_are_logged(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "ignition")
    machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    set_and_reboot(machine)
    assert "/grub/grub.cfg changes (the filesystem labelled boot (/dev/vda2))" in caplog.text
    assert "rebooting" in caplog.text
    assert all(record.levelno <= logging.INFO for record in caplog.records)


@pytest.mark.parametrize("how", ["read-only", "broken line"])
def test_unwritable_installed_system_is_only_logged(
    machine: Machine, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    caplog.set_level(logging.INFO, "ignition")
    machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    line = 'a="b' if how == "broken line" else LINE
    machine.add("/dev/vda4", {"etc/kernel/cmdline": line}, label="root")
    machine.read_only = {"/dev/vda4"}
    set_and_reboot(machine)
    assert "kernels that are installed later may lack the arguments" in caplog.text
    assert machine.mounted == {}


class PowerCut(BaseException):
    """The machine loses power."""


@pytest.mark.parametrize("left", range(20))
def test_power_loss_at_any_step_is_completed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    machine = Machine(tmp_path, LINE)
    machine.variable("LoaderInfo", "systemd-boot 252")
    entries = {f"loader/entries/{name}.conf": ENTRY for name in "abc"}
    machine.add("/dev/vda1", entries, **ESP)
    changes = iter(range(left))

    for name in ("create", "rename", "permit", "sync", "write"):

        def counted(
            self: Root, *words: object, _real: object = getattr(Root, name), **more: object
        ) -> object:
            if next(changes, None) is None:
                raise PowerCut
            return _real(self, *words, **more)  # type: ignore[operator]

        monkeypatch.setattr(Root, name, counted)
    with pytest.raises((PowerCut, Rebooted)):
        machine.helper().set(REQUEST)
    monkeypatch.undo()
    for path, data in machine.files().items():
        if path.endswith(".conf"):
            assert data.decode() in {ENTRY, with_request(ENTRY)}
    # The machine boots with the current state of one entry.
    started = machine.files()["_dev_vda1/loader/entries/a.conf"].decode().rpartition("options ")[2]
    machine.start(started.strip(), "second")
    try:
        machine.helper().set(REQUEST)
    except Rebooted:
        assert "quiet" in started
        machine.start("root=LABEL=root ro nosmt", "third")
        machine.helper().set(REQUEST)
    names = {Path(path).name: data.decode() for path, data in machine.files().items()}
    assert names == {f"{name}.conf": with_request(ENTRY) for name in "abc"}


def test_changed_files_keep_owner_and_mode(machine: Machine) -> None:
    boot = machine.add("/dev/vda2", {"grub/grub.cfg": CONFIG}, label="boot")
    (boot / "grub/grub.cfg").chmod(0o444)
    os.chown(boot / "grub/grub.cfg", 12, 34)
    set_and_reboot(machine)
    status = (boot / "grub/grub.cfg").stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o444, 12, 34)


def test_all_files_are_synced_before_the_first_rename(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = machine.add("/dev/vda1", {f"loader/entries/{name}.conf": ENTRY for name in "ab"}, **ESP)
    synced: list[list[str]] = []
    monkeypatch.setattr(
        "ignition.bootloader.files.os.fsync",
        lambda file: synced.append(
            [path.read_text() for path in sorted((tree / "loader/entries").glob("*.conf"))]
        ),
    )
    set_and_reboot(machine)
    assert synced == [[ENTRY, ENTRY]] * 2


def test_full_disk_changes_no_file(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.add("/dev/vda1", {f"loader/entries/{name}.conf": ENTRY for name in "ab"}, **ESP)
    before = machine.files()
    written: list[str] = []
    real = files._write

    def full(root: Root, edit: files.Edit, beside: str) -> None:
        if written:
            raise OSError(28, "No space left on device", beside)
        written.append(beside)
        real(root, edit, beside)

    monkeypatch.setattr(files, "_write", full)
    with pytest.raises(OSError, match="No space"):
        machine.helper().set(REQUEST)
    assert machine.files() == before
