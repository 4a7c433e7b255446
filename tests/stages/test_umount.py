# SPDX-License-Identifier: Apache-2.0
"""The umount stage: order, retries of busy mounts, and the processes that use them."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.errors import ActionFailed
from ignition.host.command import Command, Ran
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem, Storage
from ignition.stages import STAGES, umount
from tests.host.fakes import FakeHost
from tests.lab.performing import performed
from tests.lab.sysfs import Sysfs

UMOUNT = next(stage for stage in STAGES if stage.name == "umount")
CONFIG = Config(
    storage=Storage(
        filesystems=tuple(
            Filesystem(device=f"/dev/{name}", path=path, format=format_)
            for name, path, format_ in (
                ("a", "/var", "ext4"),
                ("b", "/var/lib/data", "ext4"),
                ("c", "/srv", "xfs"),
                ("d", "/never", "swap"),
            )
        )
    )
)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    monkeypatch.setattr(umount, "PAUSE", 0.01)
    return FakeHost(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    made = Sysfs(Path(host.system))
    for path in ("/var", "/srv", "/var/lib/data"):
        made.mount(host.root.path + path, "/dev/x", "ext4")
    return made


def at(host: FakeHost, *paths: str) -> tuple[str, ...]:
    return tuple(host.root.path + path for path in paths)


def test_umount_is_one_call_deepest_first(host: FakeHost, sysfs: Sysfs) -> None:
    performed(UMOUNT, CONFIG, host, State())
    assert host.run.argvs == [("umount", *at(host, "/var/lib/data", "/var", "/srv"))]


def test_unmounted_filesystems_are_skipped(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.umount(at(host, "/var/lib/data", "/srv"))
    performed(UMOUNT, CONFIG, host, State())
    assert host.run.argvs == [("umount", *at(host, "/var"))]
    sysfs.umount(at(host, "/var"))
    performed(UMOUNT, CONFIG, host, State())
    assert len(host.run.argvs) == 1


def busy_times(times: int, host: FakeHost, sysfs: Sysfs) -> Any:
    left = [times]

    def answer(command: Command) -> Ran:
        targets = [str(word) for word in command.argv[1:]]
        busy = [target for target in targets if target.endswith("/srv")] if left[0] else []
        left[0] -= 1
        sysfs.umount(target for target in targets if target not in busy)
        return Ran(32, "", f"umount: {busy[0]}: target is busy.") if busy else Ran(0)

    return answer


def test_busy_mount_alone_is_retried(host: FakeHost, sysfs: Sysfs, caplog: pytest.LogCaptureFixture) -> None:
    host.run.answer("umount", busy_times(2, host, sysfs))
    with caplog.at_level(logging.INFO, "ignition"):
        performed(UMOUNT, CONFIG, host, State())
    assert host.run.argvs[1:] == [("umount", *at(host, "/srv"))] * 2
    assert "target is busy" in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def test_persistently_busy_mount_is_an_error_with_its_processes(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("umount", busy_times(99, host, sysfs))
    process = sysfs.system / "proc/4711"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("logger\n")
    (process / "fd/3").symlink_to(at(host, "/srv/log")[0])
    (sysfs.system / "proc/4712").mkdir()
    with pytest.raises(ActionFailed) as caught:
        performed(UMOUNT, CONFIG, host, State())
    assert f"cannot unmount {at(host, '/srv')[0]} (used by logger (4711))" in str(caught.value)
    assert len(host.run.argvs) == umount.ATTEMPTS
    assert os.path.basename(at(host, "/var")[0]) not in str(caught.value).partition("cannot unmount")[2]


def test_mount_that_disappears_meanwhile_is_no_error(host: FakeHost, sysfs: Sysfs) -> None:
    def answer(command: Command) -> Ran:
        sysfs.umount(str(word) for word in command.argv[1:])
        return Ran(32, "", "umount: not mounted")

    host.run.answer("umount", answer)
    performed(UMOUNT, CONFIG, host, State())
    assert len(host.run.argvs) == 1
