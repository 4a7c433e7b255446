# SPDX-License-Identifier: Apache-2.0
"""The mount stage: order, created directories, symlinks, existing mounts, and real mounts."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.errors import ActionFailed
from ignition.schemas.config import Config
from ignition.schemas.storage import Filesystem, Storage
from ignition.stages import STAGES, Plan, persisting
from ignition.stages.actions import Parallel
from ignition.stages.mount import MountFilesystems, is_below, mountable
from tests.host.fakes import FakeHost
from tests.lab import loop
from tests.lab.performing import performed
from tests.lab.sysfs import Sysfs

MOUNT = next(stage for stage in STAGES if stage.name == "mount")
UMOUNT = next(stage for stage in STAGES if stage.name == "umount")


def config(*filesystems: dict[str, Any]) -> Config:
    return Config(storage=Storage(filesystems=tuple(Filesystem(**each) for each in filesystems)))


def fs(path: str, device: str = "/dev/vdb1", format_: str | None = "ext4", **more: Any) -> dict[str, Any]:
    return {"path": path, "device": device, "format": format_, **more}


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def sysfs(host: FakeHost) -> Sysfs:
    return Sysfs(Path(host.system))


def plan(host: FakeHost, wanted: Config) -> Plan:
    step = MountFilesystems()
    return step.plan(wanted, step.observe(wanted, host, State()))


def test_mountable_selects_filesystems_with_path_and_format() -> None:
    wanted = config(
        fs("/var"),
        fs("", "/dev/a"),
        fs("/swap", "/dev/b", "swap"),
        fs("/none", "/dev/c", "none"),
        fs("/null", "/dev/d", None),
        fs("/empty", "/dev/e", ""),
        fs("/shared", "tag", "virtiofs"),
        {"device": "/dev/f", "format": "ext4"},
    )
    assert [(index, path) for index, path, _ in mountable(wanted)] == [(0, "/var"), (6, "/shared")]
    swap = config(fs("/swap", "/dev/b", "swap"))
    assert not MountFilesystems().wanted(swap)
    assert not MOUNT.wanted(swap)
    assert not UMOUNT.wanted(swap)


@pytest.mark.parametrize(
    ("path", "other", "below"),
    [("/a/b", "/a", True), ("/a", "/", True), ("/ab", "/a", False), ("/a", "/a", False), ("/", "/", False)],
)
def test_is_below_table(path: str, other: str, below: bool) -> None:
    assert is_below(path, other) is below


def test_mounts_are_ordered_by_depth_and_parallel_otherwise(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(
        host,
        config(
            fs("/var/lib/x", "/dev/d"),
            fs("/var/lib", "/dev/c"),
            fs("/var-x/y", "/dev/a"),
            fs("//srv/", "/dev/b"),
        ),
    )
    assert [action.describe() for action in found.actions] == [
        "creating directories /var/lib, /var-x/y, /srv",
        "mounting at /var/lib, /var-x/y, /srv",
        "creating directories /var/lib/x",
        "mounting /dev/d at /var/lib/x",
    ]
    assert isinstance(found.actions[1], Parallel)


def test_root_is_mounted_first(host: FakeHost, sysfs: Sysfs) -> None:
    found = plan(host, config(fs("/a", "/dev/a"), fs("/", "/dev/r")))
    assert [action.describe() for action in found.actions][1::2] == [
        "mounting /dev/r at /",
        "mounting /dev/a at /a",
    ]


def test_mount_uses_device_and_options_of_the_config(host: FakeHost, sysfs: Sysfs) -> None:
    wanted = config(fs("/var", "/dev/disk/by-label/x", "xfs", mount_options=("noatime", "pquota")))
    left = performed(MOUNT, wanted, host, State())
    target = f"{host.root.path}/var"
    assert host.run.argvs == [
        ("mount", "-o", "noatime,pquota", "-t", "xfs", "/dev/disk/by-label/x", target),
    ]
    assert left.directories == ("/var",)


def test_created_directories_are_persisted(host: FakeHost, sysfs: Sysfs) -> None:
    Path(host.root.path, "var").mkdir()
    left = performed(MOUNT, config(fs("/var/lib/data"), fs("/srv", "/dev/b")), host, State())
    assert sorted(left.directories) == ["/srv", "/var/lib", "/var/lib/data"]
    assert Path(host.root.path, "var/lib/data").stat().st_mode & 0o777 == 0o755


def test_directories_of_a_failed_run_are_persisted(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("mount", status=32, stderr="no")
    left: list[State] = []
    with pytest.raises(ActionFailed), persisting(left.append):
        performed(MOUNT, config(fs("/var/lib")), host, State())
    assert sum(left, State()).directories == ("/var", "/var/lib")


def test_directory_is_persisted_before_it_is_created(
    host: FakeHost, sysfs: Sysfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the process is killed in between, the next run creates the directory or finds it."""
    left: list[State] = []

    def full(self: object, path: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(host.root), "make_directories", full)
    with pytest.raises(ActionFailed), persisting(left.append):
        performed(MOUNT, config(fs("/srv")), host, State())
    assert left == [State(directories=("/srv",))]


@pytest.mark.parametrize(
    ("make", "place", "kind"),
    [
        (lambda root: (root / "var").symlink_to("/etc"), "/var", "a symlink"),
        (lambda root: (root / "var").symlink_to("missing"), "/var", "a symlink"),
        (
            lambda root: ((root / "var").mkdir(), (root / "var/lib").symlink_to("..")),
            "/var/lib",
            "a symlink",
        ),
        (lambda root: (root / "var").write_text(""), "/var", "not a directory"),
    ],
)
def test_symlink_in_mount_point_is_an_error(
    host: FakeHost, sysfs: Sysfs, make: Any, place: str, kind: str
) -> None:
    """A mount through a symlink would be outside of the target root, or at another path than configured."""
    make(Path(host.root.path))
    with pytest.raises(ActionFailed, match=f"{place} in the target root is {kind}") as caught:
        performed(MOUNT, config(fs("/var/lib/data")), host, State())
    assert caught.value.path == ("storage", "filesystems", 0)
    assert host.run.argvs == []


def test_missing_kernel_support_is_an_error_with_hint(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer("mount", status=32, stderr="mount: /sysroot/var: unknown filesystem type 'btrfs'.")
    with pytest.raises(ActionFailed, match="the kernel lacks btrfs support") as caught:
        performed(MOUNT, config(fs("/var", format_="btrfs")), host, State())
    assert caught.value.hint == "add the kernel module btrfs to the initramfs"


def test_other_failure_keeps_the_message_of_mount(host: FakeHost, sysfs: Sysfs) -> None:
    host.run.answer(
        "mount", status=32, stderr="mount: wrong fs type, bad option, bad superblock on /dev/vdb1"
    )
    with pytest.raises(ActionFailed, match="bad superblock"):
        performed(MOUNT, config(fs("/var")), host, State())


def test_existing_mounts_stay_and_others_are_mounted(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.link("/dev/disk/by-label/x", "/dev/vdb1")
    sysfs.mount(f"{host.root.path}/var", "/dev/vdb1", "ext4")
    sysfs.mount(f"{host.root.path}/shared", "tag", "virtiofs")
    wanted = config(
        fs("/var", "/dev/disk/by-label/x"), fs("/shared", "tag", "virtiofs"), fs("/var/lib", "/dev/vdb2")
    )
    found = plan(host, wanted)
    assert [action.describe() for action in found.actions][1:] == ["mounting /dev/vdb2 at /var/lib"]
    assert found.keeps == (
        "/dev/disk/by-label/x is already mounted at /var",
        "tag is already mounted at /shared",
    )


def test_other_existing_mount_is_covered(host: FakeHost, sysfs: Sysfs) -> None:
    sysfs.mount(f"{host.root.path}/var", "/dev/vdb1", "ext4")
    sysfs.mount(f"{host.root.path}/var", "tmpfs", "tmpfs")
    assert len(plan(host, config(fs("/var", "/dev/vdb1"))).actions) == 2


@pytest.mark.real_commands(*loop.PROGRAMS, "mkfs.ext4", "mount", "umount")
def test_real_mount_and_umount_in_depth_order(tmp_path: Path) -> None:
    with loop.attached(tmp_path / "one", 8 << 20) as outer, loop.attached(tmp_path / "two", 8 << 20) as inner:
        for node in (outer, inner):
            subprocess.run(["mkfs.ext4", "-q", node], check=True)
        host = loop.machine(tmp_path)
        wanted = config(fs("/var/lib/data", inner), fs("/var", outer, mount_options=("noatime",)))
        left = performed(MOUNT, wanted, host, State())
        try:
            assert left.directories == ("/var", "/var/lib", "/var/lib/data")
            mounts = [
                line.split()
                for line in Path("/proc/mounts").read_text().splitlines()
                if str(tmp_path) in line
            ]
            assert [(each[0], each[1]) for each in mounts] == [
                (outer, f"{host.root.path}/var"),
                (inner, f"{host.root.path}/var/lib/data"),
            ]
            assert "noatime" in mounts[0][3]

            subprocess.run(["umount", f"{host.root.path}/var/lib/data"], check=True)
            assert performed(MOUNT, wanted, host, State()).directories == ()
            assert sum(str(tmp_path) in line for line in Path("/proc/mounts").read_text().splitlines()) == 2
        finally:
            performed(UMOUNT, wanted, host, State())
        assert str(tmp_path) not in Path("/proc/mounts").read_text()
        performed(UMOUNT, wanted, host, State())
