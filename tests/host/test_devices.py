# SPDX-License-Identifier: Apache-2.0
"""Block devices: waiting, aliases, udev events, locks, zeroing."""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import pytest

from ignition.errors import IgnitionError
from ignition.host import devices
from ignition.host.command import CommandFailed, Ran
from ignition.host.devices import BlockDevices
from tests.host.fakes import FakeRun
from tests.lab.sysfs import Sysfs


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    made = Sysfs(tmp_path)
    made.disk("vdb", 1 << 20)
    return made


def local(
    sysfs: Sysfs, run: FakeRun | None = None, timeout: float = 5.0, reminder_interval: float = 5.0
) -> BlockDevices:
    return BlockDevices(
        str(sysfs.system), run=run or FakeRun(), timeout=timeout, reminder_interval=reminder_interval
    )


def test_wait_returns_at_once_for_existing_devices(sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyudev", None)
    local(sysfs, timeout=0).wait({"/dev/vdb": ("storage", "disks", 0)})


@pytest.mark.parametrize("with_events", [True, False])
def test_wait_reminds_until_the_device_appears(
    sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, with_events: bool
) -> None:
    """With udev events, and without them where pyudev cannot find its library."""
    if not with_events:
        monkeypatch.setitem(sys.modules, "pyudev", None)
    appearing = threading.Timer(0.3, sysfs.link, ("/dev/disk/by-id/late", "/dev/vdb"))
    appearing.start()
    with caplog.at_level(logging.INFO, "ignition"):
        local(sysfs, reminder_interval=0.1).wait(
            {"/dev/vdb": (), "/dev/disk/by-id/late": ("storage", "disks", 1)}
        )
    appearing.join()
    reminders = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert reminders[0] == "waiting for /dev/disk/by-id/late ($.storage.disks.1)"
    assert len(reminders) >= 2
    assert set(reminders) == {reminders[0]}


def test_wait_timeout_lists_missing_and_existing_devices(sysfs: Sysfs) -> None:
    began = time.monotonic()
    with pytest.raises(IgnitionError) as caught:
        local(sysfs, timeout=0.2).wait(
            {"/dev/vdc": ("storage", "disks", 0), "/dev/vdb": (), "/dev/vdd": ("x",)}
        )
    assert time.monotonic() - began < 2
    assert caught.value.path == ("storage", "disks", 0)
    assert str(caught.value) == (
        "/dev/vdc ($.storage.disks.0), /dev/vdd ($.x) not found: timed out after 0 s; "
        "existing devices:\n  /dev/vdb 1MiB"
    )


def test_device_timeout_is_that_of_systemd() -> None:
    assert devices.DEVICE_TIMEOUT == 90


def test_wait_ignores_dangling_symlinks(sysfs: Sysfs) -> None:
    sysfs.link("/dev/disk/by-id/gone", "/dev/vdz")
    with pytest.raises(IgnitionError, match="by-id/gone"):
        local(sysfs, timeout=0.1).wait({"/dev/disk/by-id/gone": ()})


def test_resolve_follows_all_symlinks(sysfs: Sysfs) -> None:
    sysfs.link("/dev/disk/by-label/a", "/dev/vdb")
    (sysfs.system / "dev/again").symlink_to("disk/by-label/a")
    assert local(sysfs).resolve("/dev/again") == "/dev/vdb"


def test_alias_is_unaffected_by_changed_udev_links(sysfs: Sysfs) -> None:
    sysfs.disk("vdc", 1 << 20)
    sysfs.link("/dev/disk/by-label/a", "/dev/vdb")
    alias = local(sysfs).alias("/dev/disk/by-label/a")
    assert alias == f"{sysfs.system}/run/ignition/dev_aliases/dev/disk/by-label/a"
    link = sysfs.system / "dev/disk/by-label/a"
    link.unlink()
    assert Path(alias).resolve() == sysfs.system / "dev/vdb"

    link.symlink_to("../../vdc")
    assert local(sysfs).alias("/dev/disk/by-label/a") == alias
    assert Path(alias).resolve() == sysfs.system / "dev/vdc"
    assert Path(alias).parent.stat().st_mode & 0o007 == 0


def test_alias_stays_in_its_directory(sysfs: Sysfs) -> None:
    (sysfs.system / "dev/disk").mkdir()
    alias = local(sysfs).alias("/dev/../dev/disk/../vdb")
    assert alias == f"{sysfs.system}/run/ignition/dev_aliases/dev/vdb"


def test_settle_triggers_and_waits_for_the_given_devices(sysfs: Sysfs) -> None:
    run = FakeRun()
    (sysfs.system / "run/udev").mkdir()
    (sysfs.system / "run/udev/control").touch()
    local(sysfs, run).settle(["/dev/vdb", "/dev/vdb1"])
    local(sysfs, run).settle([])
    base = str(sysfs.system)
    assert run.argvs == [("udevadm", "trigger", "--settle", f"{base}/dev/vdb", f"{base}/dev/vdb1")]


def test_settle_retries_when_a_partition_is_missing(sysfs: Sysfs) -> None:
    run = FakeRun()
    (sysfs.system / "run/udev").mkdir()
    (sysfs.system / "run/udev/control").touch()
    run.answer("udevadm", Ran(1, "", "Unknown device /dev/vdb1"), Ran(0))
    local(sysfs, run).settle(["/dev/vdb1"])
    assert len(run.argvs) == 2
    run.answer("udevadm", Ran(1, "", "Unknown device /dev/vdb1"))
    with pytest.raises(CommandFailed, match="Unknown device"):
        local(sysfs, run).settle(["/dev/vdb1"])


def test_settle_without_udev_runs_nothing(sysfs: Sysfs) -> None:
    run = FakeRun()
    local(sysfs, run).settle(["/dev/vdb"])
    assert run.argvs == []


def test_lock_is_released_at_the_end_of_the_block(sysfs: Sysfs) -> None:
    with (sysfs.system / "dev/vdb").open() as other:
        with local(sysfs).locked(["/dev/vdb", "/dev/vdb"]), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_lock_of_partition_locks_the_whole_disk(sysfs: Sysfs) -> None:
    sysfs.partition("vdb", 1, 8, 8)
    with (sysfs.system / "dev/vdb").open() as disk, (sysfs.system / "dev/vdb1").open() as part:
        with local(sysfs).locked(["/dev/vdb1"]):
            assert not is_free(disk)
            assert is_free(part)
        assert is_free(disk)


def is_free(file: IO[str]) -> bool:
    """Whether udev could lock the device: a shared lock, without waiting."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def test_lock_of_one_disk_is_shared_by_threads(sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one descriptor each, the threads would wait for each other."""
    monkeypatch.setattr(devices, "LOCK_TIMEOUT", 0.5)
    sysfs.disk("vdc", 1 << 20)
    for number in range(1, 9):
        sysfs.partition("vdb", number, 8 * number, 8)
    shared = local(sysfs)
    meeting = threading.Barrier(8, timeout=5)
    held = list[bool]()

    def work(number: int) -> None:
        with (
            (sysfs.system / "dev/vdb").open() as disk,
            shared.locked([f"/dev/vdb{number}", "/dev/vdc"]),
        ):
            meeting.wait()
            held.append(not is_free(disk))
            meeting.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held == [True] * 8
    with (sysfs.system / "dev/vdb").open() as disk:
        assert is_free(disk)


def test_lock_is_held_until_the_last_user_ends(sysfs: Sysfs) -> None:
    shared = local(sysfs)
    with (sysfs.system / "dev/vdb").open() as disk, shared.locked(["/dev/vdb"]):
        with shared.locked(["/dev/vdb"]):
            pass
        assert not is_free(disk)


def test_lock_of_other_process_is_waited_for_with_time_limit(
    sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "LOCK_TIMEOUT", 0.2)
    with (sysfs.system / "dev/vdb").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with (
            pytest.raises(IgnitionError, match="cannot lock /dev/vdb: held by another program for 0 s"),
            local(sysfs).locked(["/dev/vdb"]),
        ):
            raise AssertionError("not reached")
        monkeypatch.setattr(devices, "LOCK_TIMEOUT", 5)
        ending = threading.Timer(0.2, fcntl.flock, (other, fcntl.LOCK_UN))
        ending.start()
        with local(sysfs).locked(["/dev/vdb"]):
            pass
        ending.join()


def test_zero_overwrites_only_the_given_ranges(sysfs: Sysfs) -> None:
    node = sysfs.system / "dev/vdb"
    node.write_bytes(b"x" * 100)
    local(sysfs).zero("/dev/vdb", [(0, 10), (90, 10)])
    assert node.read_bytes() == bytes(10) + b"x" * 80 + bytes(10)
    with pytest.raises(IgnitionError, match="cannot write /dev/vdz: no such file"):
        local(sysfs).zero("/dev/vdz", [(0, 1)])


@pytest.mark.real_commands(Path(sys.executable).name)
def test_pyudev_is_not_imported_with_the_module() -> None:
    command = "import sys, ignition.host.devices; sys.exit('pyudev' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", command], env=environment, check=False).returncode == 0
