# SPDX-License-Identifier: Apache-2.0
"""The whole files stage: step order, second runs, and kills at any change."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ignition import distro
from ignition.boot.state import State
from ignition.host.run import run
from ignition.stages import STAGES
from ignition.stages.files import STEPS
from tests.host.fakes import FakeHost
from tests.lab.performing import performed
from tests.stages.files.lab import accounts, config_of, contents, local, run_steps, tree_of

RESULT = "/etc/.ignition-result.json"
(STAGE,) = (stage for stage in STAGES if stage.name == "files")


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable sync, which could take minutes on real disks."""
    root = importlib.import_module("ignition.host.root").Root
    monkeypatch.setattr(root, "sync", lambda self, paths: None)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return new_host(tmp_path)


def new_host(directory: Path) -> FakeHost:
    host = FakeHost(directory)
    accounts(host)
    host.root.write("/usr/lib/systemd/system/ssh.service", b"[Install]\nWantedBy=multi-user.target\n")
    host.root.write("/etc/hosts", b"127.0.0.1 localhost\n")
    boot_id = Path(host.system + distro.boot_id_path())
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("boot")
    return host


def everything(host: FakeHost) -> dict[str, Any]:
    """Return a config with every kind of object; the fake fetch of `host` returns its contents."""
    host.fetch.resources["https://example.com/f"] = b"remote"
    key = {"name": "core", "sshAuthorizedKeys": ["key"], "groups": ["wheel"]}
    unit = {"name": "own.service", "enabled": True, "contents": "[Install]\nWantedBy=multi-user.target\n"}
    return {
        "passwd": {"users": [key]},
        "storage": {
            "directories": [
                {"path": "/opt/data", "mode": 0o750, "user": {"name": "core"}},
                {"path": "/home", "mode": 0o711},
            ],
            "files": [
                {"path": "/opt/data/f", "contents": {"source": "https://example.com/f"}, "user": {"id": 5}},
                {"path": "/opt/data/g", "overwrite": True, "contents": contents(host, "g"), "mode": 0o4755},
                {
                    "path": "/etc/hosts",
                    "append": [contents(host, "10.0.0.1 a\n"), contents(host, "10.0.0.2 b\n")],
                },
                {"path": "/etc/login.defs", "overwrite": True, "contents": contents(host, "x")},
            ],
            "links": [
                {"path": "/opt/l", "target": "data", "group": {"id": 6}},
                {"path": "/opt/h", "target": "/opt/data/g", "hard": True},
            ],
        },
        "systemd": {
            "units": [
                {**unit, "dropins": [{"name": "a.conf", "contents": "# x\n"}]},
                {"name": "ssh.service", "enabled": False},
                {"name": "masked.service", "mask": True},
            ]
        },
    }


def test_step_order_is_the_reference_order() -> None:
    """But for what it does not have: half made users, the lines in mdadm.conf, and the record."""
    assert [step.name for step in STEPS] == [
        *("unfinished", "passwd", "nodes", "units", "enablement", "crypttab", "mdadm"),
        *("result", "record", "relabel", "sync"),
    ]


def test_empty_config_writes_result_file(host: FakeHost) -> None:
    before = tree_of(host.root.path)
    performed(STAGE, config_of(), host, State())
    assert set(tree_of(host.root.path)) - set(before) == {RESULT}
    assert host.run.argvs == []


@pytest.mark.real_commands("useradd", "systemctl")
def test_second_run_with_real_programs_changes_nothing(host: FakeHost) -> None:
    object.__setattr__(host, "run", run)
    config = everything(host)
    config["passwd"]["users"].append({"name": "new", "groups": ["wheel"]})
    config["storage"]["files"].append({"path": "/srv/new", "user": {"name": "new"}, "group": {"name": "new"}})
    performed(STAGE, config_of(**config), host, State())
    first = tree_of(host.root.path, but=[RESULT])
    assert first["/etc/systemd/system/multi-user.target.wants/own.service"][0] == "lrwxrwxrwx"
    assert first["/srv/new"][1:3] == (1000, 1000)
    performed(STAGE, config_of(**config), host, State())
    assert tree_of(host.root.path, but=[RESULT]) == first


def test_stage_starts_few_processes(host: FakeHost) -> None:
    """Each process takes about 0.1 s on an emulated machine."""
    config = everything(host)
    config["passwd"]["users"].append({"name": "new", "groups": ["wheel"], "passwordHash": "$y$x"})
    performed(STAGE, config_of(**config), host, State())
    assert [argv[0] for argv in host.run.argvs] == ["useradd", "systemctl"]


# Kills at any change.

CHANGES = (
    "rename",
    "mkdir",
    "chown",
    "fchown",
    "chmod",
    "fchmod",
    "link",
    "symlink",
    "unlink",
    "rmdir",
    "fsync",
)
KILLED = 9


def kill_at(number: int, work: Callable[[], None]) -> bool:
    """Run `work` in a child that dies before its change `number`; return whether it got to that change."""
    child = os.fork()
    if not child:
        try:
            count_changes(number)
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == KILLED


def count_changes(last: int) -> None:
    count = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == last:
                os._exit(KILLED)
            return change(*arguments, **options)

        return counting

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name)))


def test_tree_after_kill_and_second_run_equals_clean_run(tmp_path: Path) -> None:
    undisturbed = new_host(tmp_path / "undisturbed")
    config = config_of(**everything(undisturbed))
    run_steps(STEPS, config, undisturbed)
    expected = tree_of(undisturbed.root.path, but=[RESULT])
    for number in range(1, 1000):
        host = new_host(tmp_path / str(number))
        everything(host)
        killed = kill_at(number, lambda host=host: run_steps(STEPS, config, host))  # type: ignore[misc]
        run_steps(STEPS, config, host)
        assert tree_of(host.root.path, but=[RESULT]) == expected, f"killed before change {number}"
        if not killed:
            assert number > 40
            return
    pytest.fail("the work never ended")


def test_killed_run_leaves_only_staging_directory(host: FakeHost) -> None:
    host.root.write("/.ignition-staging/0-contents", b"of an earlier run")
    run_steps(STEPS, config_of(**everything(host)), host)
    assert not host.root.exists("/.ignition-staging")
    assert local(host, "/opt/data/f").read_bytes() == b"remote"
