"""Waiting for devices, their aliases, udev, locks and zeros."""

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
    sysfs: Sysfs, run: FakeRun | None = None, patience: float = 5.0, reminder: float = 5.0
) -> BlockDevices:
    return BlockDevices(str(sysfs.system), run=run or FakeRun(), patience=patience, reminder=reminder)


def test_what_is_there_is_not_waited_for(sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyudev", None)
    local(sysfs, patience=0).wait({"/dev/vdb": ("storage", "disks", 0)})


@pytest.mark.parametrize("with_events", [True, False])
def test_what_comes_late_is_waited_for(
    sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, with_events: bool
) -> None:
    """With events from udev and, where pyudev cannot find its library, without."""
    if not with_events:
        monkeypatch.setitem(sys.modules, "pyudev", None)
    appearing = threading.Timer(0.3, sysfs.link, ("/dev/disk/by-id/late", "/dev/vdb"))
    appearing.start()
    with caplog.at_level(logging.INFO, "ignition"):
        local(sysfs, reminder=0.1).wait({"/dev/vdb": (), "/dev/disk/by-id/late": ("storage", "disks", 1)})
    appearing.join()
    reminders = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert reminders[0] == "waiting for /dev/disk/by-id/late ($.storage.disks.1)"
    assert len(reminders) >= 2
    assert set(reminders) == {reminders[0]}


def test_what_does_not_come_is_an_error_that_shows_what_is_there(sysfs: Sysfs) -> None:
    began = time.monotonic()
    with pytest.raises(IgnitionError) as caught:
        local(sysfs, patience=0.2).wait(
            {"/dev/vdc": ("storage", "disks", 0), "/dev/vdb": (), "/dev/vdd": ("x",)}
        )
    assert time.monotonic() - began < 2
    assert caught.value.path == ("storage", "disks", 0)
    assert str(caught.value) == (
        "/dev/vdc ($.storage.disks.0), /dev/vdd ($.x) did not appear within 0 seconds; "
        "devices that are there:\n  /dev/vdb 1MiB"
    )


def test_patience_is_systemds() -> None:
    assert devices.PATIENCE == 90


def test_a_dangling_link_is_no_device(sysfs: Sysfs) -> None:
    sysfs.link("/dev/disk/by-id/gone", "/dev/vdz")
    with pytest.raises(IgnitionError, match="by-id/gone"):
        local(sysfs, patience=0.1).wait({"/dev/disk/by-id/gone": ()})


def test_resolve_follows_all_links(sysfs: Sysfs) -> None:
    sysfs.link("/dev/disk/by-label/a", "/dev/vdb")
    (sysfs.system / "dev/again").symlink_to("disk/by-label/a")
    assert local(sysfs).resolve("/dev/again") == "/dev/vdb"


def test_an_alias_stays_when_udevs_links_change(sysfs: Sysfs) -> None:
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


def test_an_alias_never_leaves_its_directory(sysfs: Sysfs) -> None:
    (sysfs.system / "dev/disk").mkdir()
    alias = local(sysfs).alias("/dev/../dev/disk/../vdb")
    assert alias == f"{sysfs.system}/run/ignition/dev_aliases/dev/vdb"


def test_settle_waits_for_our_own_events(sysfs: Sysfs) -> None:
    run = FakeRun()
    (sysfs.system / "run/udev").mkdir()
    (sysfs.system / "run/udev/control").touch()
    local(sysfs, run).settle(["/dev/vdb", "/dev/vdb1"])
    local(sysfs, run).settle([])
    base = str(sysfs.system)
    assert run.argvs == [("udevadm", "trigger", "--settle", f"{base}/dev/vdb", f"{base}/dev/vdb1")]


def test_a_partition_that_is_gone_for_a_moment_is_tried_again(sysfs: Sysfs) -> None:
    run = FakeRun()
    (sysfs.system / "run/udev").mkdir()
    (sysfs.system / "run/udev/control").touch()
    run.answer("udevadm", Ran(1, "", "Unknown device /dev/vdb1"), Ran(0))
    local(sysfs, run).settle(["/dev/vdb1"])
    assert len(run.argvs) == 2
    run.answer("udevadm", Ran(1, "", "Unknown device /dev/vdb1"))
    with pytest.raises(CommandFailed, match="Unknown device"):
        local(sysfs, run).settle(["/dev/vdb1"])


def test_without_udev_there_is_nothing_to_wait_for(sysfs: Sysfs) -> None:
    run = FakeRun()
    local(sysfs, run).settle(["/dev/vdb"])
    assert run.argvs == []


def test_the_lock_is_held_while_it_lasts_and_no_longer(sysfs: Sysfs) -> None:
    with (sysfs.system / "dev/vdb").open() as other:
        with local(sysfs).locked(["/dev/vdb", "/dev/vdb"]), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_whoever_works_on_a_part_has_the_lock_of_the_whole_disk(sysfs: Sysfs) -> None:
    sysfs.partition("vdb", 1, 8, 8)
    with (sysfs.system / "dev/vdb").open() as disk, (sysfs.system / "dev/vdb1").open() as part:
        with local(sysfs).locked(["/dev/vdb1"]):
            assert not is_free(disk)
            assert is_free(part)
        assert is_free(disk)


def is_free(file: IO[str]) -> bool:
    """As udev asks: a shared lock, without waiting."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def test_several_who_work_on_one_disk_hold_its_lock_together(
    sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with a descriptor of its own, they would wait for each other."""
    monkeypatch.setattr(devices, "LOCK_PATIENCE", 0.5)
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


def test_the_first_to_end_does_not_take_the_lock_away(sysfs: Sysfs) -> None:
    shared = local(sysfs)
    with (sysfs.system / "dev/vdb").open() as disk, shared.locked(["/dev/vdb"]):
        with shared.locked(["/dev/vdb"]):
            pass
        assert not is_free(disk)


def test_a_lock_of_udev_is_waited_for_but_not_for_ever(sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "LOCK_PATIENCE", 0.2)
    with (sysfs.system / "dev/vdb").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with (
            pytest.raises(IgnitionError, match="has held the lock of /dev/vdb"),
            local(sysfs).locked(["/dev/vdb"]),
        ):
            raise AssertionError("not reached")
        monkeypatch.setattr(devices, "LOCK_PATIENCE", 5)
        ending = threading.Timer(0.2, fcntl.flock, (other, fcntl.LOCK_UN))
        ending.start()
        with local(sysfs).locked(["/dev/vdb"]):
            pass
        ending.join()


def test_zero_overwrites_what_it_is_told_and_nothing_else(sysfs: Sysfs) -> None:
    node = sysfs.system / "dev/vdb"
    node.write_bytes(b"x" * 100)
    local(sysfs).zero("/dev/vdb", [(0, 10), (90, 10)])
    assert node.read_bytes() == bytes(10) + b"x" * 80 + bytes(10)
    with pytest.raises(IgnitionError, match="cannot write /dev/vdz: No such file"):
        local(sysfs).zero("/dev/vdz", [(0, 1)])


@pytest.mark.real_commands(Path(sys.executable).name)
def test_pyudev_costs_nothing_until_a_device_is_missing() -> None:
    command = "import sys, ignition.host.devices; sys.exit('pyudev' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", command], env=environment, check=False).returncode == 0
