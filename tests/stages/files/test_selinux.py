# SPDX-License-Identifier: Apache-2.0
"""SELinux labels of the files stage, and sync."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ignition.errors import IgnitionError
from ignition.host.root import Root
from ignition.host.selinux import file_contexts
from ignition.stages.files.selinux import Relabel, topmost
from ignition.stages.files.sync import Sync
from tests.host.fakes import FakeHost
from tests.stages.files.lab import accounts, config_of, run_steps


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def selinux(host: FakeHost, text: str = "# x\nSELINUX=enforcing\nSELINUXTYPE = targeted\n") -> None:
    host.root.write("/etc/selinux/config", text.encode())
    host.root.touched.clear()


def labelled(host: FakeHost, **sections: Any) -> list[str]:
    run_steps((Relabel(),), config_of(**sections), host)
    (command,) = host.run.commands
    assert command.stdin is not None
    assert command.stdin.endswith(b"\0")
    return [path.removeprefix(host.root.path) for path in command.stdin.decode().split("\0")[:-1]]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "SELINUX=disabled\nSELINUXTYPE=targeted\n",
        "SELINUX=Disabled\n",
        "SELINUX=permissive\nSELINUXTYPE=removed\n",
    ],
)
def test_target_without_policy_is_not_labelled(host: FakeHost, text: str | None) -> None:
    """The reference fails on a root that has no policy (docs/reference/stages.md, "Relabelling")."""
    if text:
        selinux(host, text)
    host.root.write("/f", b"")
    run_steps((Relabel(),), config_of(), host)
    assert host.run.commands == []


@pytest.mark.parametrize("mode", ["permissive", "enforcing"])
def test_policy_of_target_is_used(host: FakeHost, mode: str) -> None:
    """If the policy is missing in enforcing mode, setfiles reports it."""
    contexts = "/etc/selinux/own/contexts/files/file_contexts"
    selinux(host, f"SELINUX={mode}\nSELINUXTYPE=own\n")
    assert file_contexts(host.root) == (contexts if mode == "enforcing" else None)
    host.root.write(contexts, b"")
    assert file_contexts(host.root) == contexts


def test_policy_symlinks_stay_in_root(host: FakeHost) -> None:
    selinux(host, "SELINUX=enforcing\nSELINUXTYPE=own\n")
    host.root.write("/usr/share/selinux/own/contexts/files/file_contexts", b"")
    host.root.symlink("/usr/share/selinux/own", "/etc/selinux/own")
    assert file_contexts(host.root) == "/usr/share/selinux/own/contexts/files/file_contexts"


def test_selinux_config_without_policy_is_an_error(host: FakeHost) -> None:
    selinux(host, "SELINUX=enforcing\n#SELINUXTYPE=targeted\n")
    with pytest.raises(IgnitionError, match="names no policy"):
        file_contexts(host.root)


def test_written_paths_are_labelled_in_one_call(host: FakeHost) -> None:
    selinux(host)
    host.root.write("/var/new/f", b"")
    host.root.write("/etc/g", b"")
    host.root.symlink("x", "/etc/l")
    host.root.write("/gone", b"")
    host.root.remove("/gone")
    assert labelled(host) == ["/etc/g", "/etc/l", "/var"]
    at = host.root.path
    contexts = f"{at}/etc/selinux/targeted/contexts/files/file_contexts"
    assert host.run.argvs == [("setfiles", "-vF0", "-r", at, contexts, "-f", "-")]


def test_account_files_and_homes_are_labelled(host: FakeHost) -> None:
    accounts(host)
    selinux(host)
    host.root.touched.clear()
    host.root.make_directories("/var/home/core")
    host.root.remove("/home")
    host.root.symlink("/var/home", "/home")
    host.root.touched.clear()
    users = [{"name": "core"}, {"name": "root", "noCreateHome": True}, {"name": "nobody"}]
    assert labelled(host, passwd={"users": users}) == [
        "/etc/group",
        "/etc/gshadow",
        "/etc/passwd",
        "/etc/shadow",
        "/var/home/core",
    ]


def label_all(host: FakeHost, *but: str) -> None:
    """Simulate an image whose paths have labels, except those that an earlier run of the stage created."""
    for path in (Path(host.root.path), *Path(host.root.path).rglob("*")):
        place = str(path).removeprefix(host.root.path)
        if not any(f"{place}/".startswith(f"{each}/") for each in but):
            os.setxattr(path, "security.selinux", b"system_u:object_r:etc_t:s0\0", follow_symlinks=False)


def test_unlabelled_paths_of_earlier_run_are_labelled(host: FakeHost) -> None:
    """This run changes nothing: paths and parent directories already match the config."""
    selinux(host)
    for path in (
        "/srv/new/f",
        "/srv/new/deep/g",
        "/srv/old",
        "/etc/systemd/system-preset/20-ignition.preset",
    ):
        host.root.write(path, b"")
    host.root.symlink("nowhere", "/srv/link")
    host.root.touched.clear()
    label_all(host, "/srv/new", "/srv/link", "/etc/systemd/system-preset")
    host.root.write("/srv/new/deep/touched", b"")
    storage = {
        "files": [{"path": "/srv/new/f"}, {"path": "/srv/old"}, {"path": "/srv/missing"}],
        "links": [{"path": "/srv/link", "target": "nowhere"}],
    }
    assert labelled(host, storage=storage) == ["/etc/systemd/system-preset", "/srv/link", "/srv/new"]


def test_filesystem_without_labels_is_not_labelled_whole(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filesystem may hold large amounts of user data."""
    selinux(host)
    host.root.write("/data/old/large", b"")
    host.root.touched.clear()
    label_all(host, "/data")
    host.root.write("/data/old/new", b"")
    assert labelled(host) == ["/data"]
    lstat = type(host.root).lstat

    def mounted(root: Root, path: str) -> os.stat_result:
        found = list(lstat(root, path))
        found[2] += path.startswith("/data")
        return os.stat_result(found)

    monkeypatch.setattr(type(host.root), "lstat", mounted)
    host.run.commands.clear()
    assert labelled(host) == ["/data/old/new"]


def test_image_without_labels_gets_labels_of_written_paths(host: FakeHost) -> None:
    """The next boot of the image labels everything; this stage does not."""
    selinux(host)
    host.root.write("/srv/f", b"")
    host.root.write("/srv/g", b"")
    host.root.touched.clear()
    host.root.write("/srv/f", b"")
    assert labelled(host, storage={"files": [{"path": "/srv/f"}, {"path": "/srv/g"}]}) == ["/srv/f"]


def test_home_that_is_no_directory_is_skipped(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian has system users whose home is /dev/null."""
    selinux(host)
    accounts(host)
    host.root.write("/etc/passwd", b"svc:x:500:500::/dev/null:/bin/false\n")
    host.root.write("/dev/null", b"")
    host.root.touched.clear()
    synced: list[str] = []
    monkeypatch.setattr(type(host.root), "sync", lambda self, paths: synced.extend(paths))
    users = [{"name": "svc", "groups": ["wheel"]}]
    found = labelled(host, passwd={"users": users})
    assert "/etc/passwd" in found
    assert not [path for path in found if path.startswith("/dev")]
    run_steps((Sync(),), config_of(passwd={"users": users}), host)
    assert synced == ["/"]


def test_homes_on_own_filesystem_are_synced(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filesystem that the initramfs mounted, and only useradd wrote to."""
    accounts(host)
    host.root.touched.clear()
    synced: list[str] = []
    monkeypatch.setattr(type(host.root), "sync", lambda self, paths: synced.extend(paths))
    users = [{"name": "core"}, {"name": "root", "noCreateHome": True}]
    run_steps((Sync(),), config_of(passwd={"users": users}), host)
    assert synced == ["/", "/home/core"]


def test_nothing_written_labels_nothing(host: FakeHost) -> None:
    selinux(host)
    run_steps((Relabel(),), config_of(), host)
    assert host.run.commands == []


def test_topmost_drops_paths_below_others() -> None:
    assert topmost(["/a/b", "/a", "/a-b", "/c/d", "/c/d/e", "/a/b"]) == ("/a", "/a-b", "/c/d")
    assert topmost(["/", "/a"]) == ("/",)


def test_all_target_filesystems_are_synced(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(type(host.root), "sync", lambda self, paths: synced.extend(paths))
    host.root.make_directories("/var/lib")
    host.root.write("/opt/f", b"")
    filesystems = [
        {"device": "/dev/vdb1", "format": "ext4", "path": "/var/lib"},
        {"device": "/dev/vdb2", "format": "swap", "path": "/not-mounted"},
    ]
    run_steps((Sync(),), config_of(storage={"filesystems": filesystems}), host)
    assert synced == ["/", "/var/lib"]
