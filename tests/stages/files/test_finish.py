"""Labels only where the target has SELinux, and everything onto the disks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ignition.errors import IgnitionError
from ignition.host.selinux import file_contexts
from ignition.stages.files.finish import Relabel, Sync, topmost
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


@pytest.mark.parametrize("text", [None, "SELINUX=disabled\nSELINUXTYPE=targeted\n"])
def test_without_selinux_nothing_is_labelled(host: FakeHost, text: str | None) -> None:
    """The reference fails on a root that has no policy (engine.md 14, point 28)."""
    if text:
        selinux(host, text)
    host.root.write("/f", b"")
    run_steps((Relabel(),), config_of(), host)
    assert host.run.commands == []


def test_a_root_that_does_not_name_its_policy_is_an_error(host: FakeHost) -> None:
    selinux(host, "SELINUX=enforcing\n#SELINUXTYPE=targeted\n")
    with pytest.raises(IgnitionError, match="does not say which policy"):
        file_contexts(host.root)


def test_all_that_was_touched_is_labelled_in_one_call(host: FakeHost) -> None:
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


def test_accounts_and_homes_are_labelled(host: FakeHost) -> None:
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


def test_nothing_touched_nothing_labelled(host: FakeHost) -> None:
    selinux(host)
    run_steps((Relabel(),), config_of(), host)
    assert host.run.commands == []


def test_what_is_below_another_path_is_not_named_again() -> None:
    assert topmost(["/a/b", "/a", "/a-b", "/c/d", "/c/d/e", "/a/b"]) == ("/a", "/a-b", "/c/d")
    assert topmost(["/", "/a"]) == ("/",)


def test_all_file_systems_of_the_target_are_synced(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
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
