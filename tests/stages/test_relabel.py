# SPDX-License-Identifier: Apache-2.0
"""SELinux labels, set by the real setfiles, which needs root but no SELinux in the kernel."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from ignition import distro
from ignition.boot.state import State
from ignition.host.command import Command, Ran
from ignition.host.run import run
from ignition.preview import preview, preview_host
from ignition.stages import STAGES
from tests.host.fakes import FakeHost
from tests.lab.performing import performed
from tests.lab.sysfs import Sysfs
from tests.stages.files.lab import config_of, contents, local

pytestmark = pytest.mark.real_commands("setfiles")

POLICY = """\
/.*                          system_u:object_r:default_t:s0
/etc(/.*)?                   system_u:object_r:etc_t:s0
/etc/systemd/system(/.*)?    system_u:object_r:systemd_unit_file_t:s0
/etc/shadow             --   system_u:object_r:shadow_t:s0
/etc/link               -l   system_u:object_r:etc_link_t:s0
/srv(/.*)?                   system_u:object_r:var_t:s0
/var(/.*)?                   system_u:object_r:var_t:s0
/var/lib(/.*)?               system_u:object_r:var_lib_t:s0
/var/log(/.*)?               system_u:object_r:var_log_t:s0
"""


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable sync, which could take minutes on real disks."""
    root = importlib.import_module("ignition.host.root").Root
    monkeypatch.setattr(root, "sync", lambda self, paths: None)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost(tmp_path)
    made.run.answer("setfiles", run)
    Sysfs(Path(made.system))
    boot_id = Path(made.system + distro.boot_id_path())
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("boot")
    made.root.write("/etc/passwd", b"root:x:0:0::/root:/bin/sh\n")
    made.root.write("/etc/group", b"root:x:0:\n")
    return made


@pytest.fixture
def policy(host: FakeHost) -> None:
    """Put an SELinux policy into the target root."""
    host.root.write("/etc/selinux/config", b"SELINUX=enforcing\nSELINUXTYPE=tested\n")
    host.root.write("/etc/selinux/tested/contexts/files/file_contexts", POLICY.encode())
    host.root.touched.clear()


def perform_stage(host: FakeHost, name: str, **sections: Any) -> None:
    (stage,) = (stage for stage in STAGES if stage.name == name)
    performed(stage, config_of(**sections), host, State())


def label(host: FakeHost, path: str) -> str:
    """Return the type in the label of a path, or ""."""
    try:
        context = os.getxattr(local(host, path), "security.selinux", follow_symlinks=False)
    except OSError:
        return ""
    return context.decode().rstrip("\0").split(":")[2]


def everything(host: FakeHost) -> dict[str, Any]:
    """Return a config with every kind of created object."""
    return {
        "storage": {
            "files": [
                {"path": "/etc/conf", "contents": contents(host, "x")},
                {"path": "/etc/passwd", "append": [contents(host, "y")]},
                {"path": "/var/log/deep/new", "contents": contents(host, "z")},
                {"path": "/etc/hard"},
            ],
            "directories": [{"path": "/srv/data"}],
            "links": [{"path": "/etc/link", "target": "conf"}],
        },
        "systemd": {"units": [{"name": "a.service", "contents": "[Unit]\n"}]},
    }


@pytest.mark.usefixtures("policy")
def test_files_stage_labels_all_created_objects(host: FakeHost) -> None:
    host.root.write("/var/log/old", b"")
    host.root.touched.clear()
    perform_stage(host, "files", **everything(host))
    assert {path: label(host, path) for path in LABELS} == LABELS


LABELS = {
    "/etc/conf": "etc_t",
    "/etc/passwd": "etc_t",
    "/etc/link": "etc_link_t",
    "/etc/.ignition-result.json": "etc_t",
    "/etc/systemd/system/a.service": "systemd_unit_file_t",
    "/var/log/deep": "var_log_t",
    "/var/log/deep/new": "var_log_t",
    "/srv": "var_t",
    "/srv/data": "var_t",
    # Existing objects keep their labels.
    "/var/log/old": "",
    "/var/log": "",
    "/etc": "",
    "/etc/selinux/config": "",
}


def test_target_without_selinux_is_not_labelled(host: FakeHost) -> None:
    perform_stage(host, "files", **everything(host))
    assert {label(host, path) for path in LABELS} == {""}
    assert host.run.ran("setfiles") == []


# Mounting.


def filesystem(path: str, device: str) -> dict[str, str]:
    return {"path": path, "device": device, "format": "ext4"}


MOUNTS = {
    "storage": {
        "filesystems": [
            filesystem("/var/lib/data", "/dev/kept"),
            filesystem("/srv", "/dev/new"),
            filesystem("/var/lib/data/sub", "/dev/empty"),
        ]
    }
}


def mounting(command: Command) -> Ran:
    """Simulate a mount: `new` has only the objects of mkfs, `kept` has data."""
    device, target = (str(word) for word in command.argv[-2:])
    if device == "/dev/new":
        Path(target, "lost+found").mkdir()
    if device == "/dev/kept":
        Path(target, "data").write_text("")
        os.removexattr(target, "security.selinux")  # the root directory of the filesystem
    return Ran(0)


@pytest.mark.usefixtures("policy")
def test_mount_stage_labels_directories_before_and_empty_filesystems_after(
    host: FakeHost,
) -> None:
    local(host, "/srv").mkdir()
    host.run.answer("mount", mounting)
    perform_stage(host, "mount", **MOUNTS)
    assert {
        path: label(host, path)
        for path in ("/var", "/var/lib", "/srv", "/srv/lost+found", "/var/lib/data", "/var/lib/data/data")
    } == {
        "/var": "var_t",
        "/var/lib": "var_lib_t",
        "/srv": "var_t",
        "/srv/lost+found": "var_t",
        "/var/lib/data": "",
        "/var/lib/data/data": "",
    }
    assert label(host, "/var/lib/data/sub") == "var_lib_t"


@pytest.mark.usefixtures("policy")
def test_files_stage_does_not_label_mounted_filesystems(host: FakeHost) -> None:
    """Both stages run in one process; the mount stage has created the parent directory."""
    host.run.answer("mount", mounting)
    local(host, "/srv").mkdir()
    perform_stage(host, "mount", **MOUNTS)
    perform_stage(host, "files", **MOUNTS)
    assert label(host, "/var/lib/data/data") == ""


def test_mount_stage_without_selinux_runs_only_mount(host: FakeHost) -> None:
    local(host, "/srv").mkdir()
    host.run.answer("mount", Ran(0))
    perform_stage(host, "mount", **MOUNTS)
    assert {argv[0] for argv in host.run.argvs} == {"mount"}


@pytest.mark.usefixtures("policy")
def test_preview_of_mounts_does_not_read_them(host: FakeHost) -> None:
    config = config_of(storage={"filesystems": [{"path": "/shared", "device": "tag", "format": "virtiofs"}]})
    seen = preview_host(host.root.path, host.run, host.fetch, host.system)
    (mounts,) = (each for each in preview(config, seen, State()) if each.stage == "mount")
    assert [each.what for each in mounts.effects] == ["tag mounted at /shared"]
    assert mounts.conflicts == ()
    assert host.run.argvs == []
