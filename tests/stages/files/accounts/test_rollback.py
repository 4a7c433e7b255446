# SPDX-License-Identifier: Apache-2.0
"""Rollback of interrupted changes of users and groups, with real programs."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ignition.errors import ActionFailed, IgnitionError
from ignition.host.run import run
from ignition.host.users import read_accounts
from ignition.stages.files.accounts.rollback import BACKUP, RestoreAccounts, Rollback
from ignition.stages.files.accounts.step import Passwd
from tests.host.fakes import FakeHost
from tests.stages.files.lab import accounts, config_of, local, run_steps, tree_of

if TYPE_CHECKING:
    from ignition.host.command import Command, Ran

CONFIG = {
    "passwd": {
        "groups": [{"name": "crew", "gid": 900}],
        "users": [
            {"name": "new", "primaryGroup": "crew", "groups": ["wheel"], "sshAuthorizedKeys": ["key"]},
            {"name": "core", "groups": ["crew"], "passwordHash": "$y$new"},
            {"name": "other"},
        ],
    }
}

FILES = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
BACKUPS = ["/etc/.pwd.lock", *(f"/etc/{name}-" for name in FILES)]
"""Files that the programs leave beside the account files."""

ACCOUNTS = ("passwd", "shadow", "group", "gshadow")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return new_host(tmp_path)


def new_host(directory: Path) -> FakeHost:
    host = FakeHost(directory)
    accounts(host)
    host.root.write("/etc/skel/.profile", b"skeleton")
    object.__setattr__(host, "run", run)
    return host


def make_users(host: FakeHost, config: dict[str, Any]) -> None:
    run_steps((Rollback(), Passwd()), config_of(**config), host)


class Killed(BaseException):
    """Simulates a power loss."""


def killing(number: int, first: int) -> Any:
    """Run programs; end during program `number`, after `first` account files and half of a home."""
    count = 0

    def ending(command: Command) -> Ran:
        nonlocal count
        count += 1
        if count < number:
            return run(command)
        root = Path(str(command.argv[command.argv.index("--root") + 1]))
        before = {name: (root / "etc" / name).read_bytes() for name in ACCOUNTS}
        run(command)
        for name in ACCOUNTS[first:]:
            (root / "etc" / name).write_bytes(before[name])
            # This process still runs, like another process with the same id in the next boot.
            (root / "etc" / f"{name}.lock").write_text(str(os.getpid()))
        (root / "etc" / "passwd.123").write_text("123")
        (root / "home" / str(command.argv[-1]) / ".profile").unlink(missing_ok=True)
        raise Killed

    return ending


@pytest.mark.real_commands("useradd", "usermod", "groupadd")
class TestRealPrograms:
    def test_accounts_after_kill_and_second_run_equal_a_clean_run(self, tmp_path: Path) -> None:
        undisturbed = new_host(tmp_path / "undisturbed")
        make_users(undisturbed, CONFIG)
        expected = tree_of(undisturbed.root.path)
        assert BACKUP not in expected
        assert expected["/home/new/.profile"][3] == b"skeleton"
        for number in range(1, 5):
            for first in (0, 1, 4):
                host = new_host(tmp_path / f"{number}-{first}")
                object.__setattr__(host, "run", killing(number, first))
                with pytest.raises(Killed):
                    make_users(host, CONFIG)
                assert stat.S_IMODE(host.root.lstat(BACKUP).st_mode) == 0o600
                object.__setattr__(host, "run", run)
                make_users(host, CONFIG)
                assert tree_of(host.root.path) == expected, f"killed in program {number} after {first} files"

    def test_failed_accounts_fail_again_on_second_run(self, host: FakeHost) -> None:
        """The program writes the account, and then cannot create the home."""
        host.root.symlink("nowhere", "/srv")
        config = {"passwd": {"users": [{"name": "other"}, {"name": "new", "homeDir": "/srv/deep/new"}]}}
        before = tree_of(host.root.path, but=BACKUPS)
        for _ in range(2):
            with pytest.raises(ActionFailed, match="cannot create directory"):
                make_users(host, config)
            assert tree_of(host.root.path, but=BACKUPS) == before
        host.root.make_directories("/nowhere")
        make_users(host, config)
        assert local(host, "/nowhere/deep/new/.profile").read_text() == "skeleton"
        assert not host.root.exists(BACKUP)

    def test_failed_restore_is_done_by_next_run(
        self, host: FakeHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = {"name": "bad", "shell": "a:b"}
        with monkeypatch.context() as patch:
            patch.setattr(RestoreAccounts, "perform", refusing)
            with pytest.raises(ActionFailed, match="invalid shell"):
                make_users(host, {"passwd": {"users": [{"name": "other"}, bad]}})
        assert host.root.exists(BACKUP)
        host.root.write("/usr/lib/passwd", b"distribution:x:5:5::/:/bin/false\n")
        make_users(host, {"passwd": {"users": [{"name": "another"}]}})
        assert not host.root.exists(BACKUP)
        assert sorted(os.listdir(local(host, "/home"))) == ["another", "core"]
        assert read_accounts(host.root).users.keys() == {"root", "core", "another", "distribution"}

    def test_existing_home_survives_rollback(self, host: FakeHost) -> None:
        host.root.write("/home/new/kept", b"")
        with pytest.raises(ActionFailed):
            make_users(host, {"passwd": {"users": [{"name": "new"}, {"name": "bad", "shell": "a:b"}]}})
        make_users(host, {"passwd": {"users": [{"name": "new"}]}})
        assert os.listdir(local(host, "/home/new")) == ["kept"]


def test_parent_of_homes_is_read_from_target(host: FakeHost) -> None:
    host.root.write("/etc/default/useradd", b"# HOME=/no\nHOME=/var/people\n")
    object.__setattr__(host, "run", dying)
    with pytest.raises(Killed):
        make_users(host, CONFIG)
    kept = json.loads(local(host, BACKUP).read_text())
    assert kept["homes"] == ["/var/people/new", "/var/people/other"]


def dying(command: object) -> None:
    raise Killed(f"in {command}")


def refusing(*arguments: object) -> None:
    raise IgnitionError(f"no {arguments}")


def test_backup_older_than_a_new_user_is_not_restored(host: FakeHost) -> None:
    """A system that was used although provisioning never finished."""
    object.__setattr__(host, "run", dying)
    with pytest.raises(Killed):
        make_users(host, CONFIG)
    text = host.root.read("/etc/passwd") + b"later:x:2000:2000::/home/later:/bin/sh\n"
    host.root.write("/etc/passwd", text)
    with pytest.raises(IgnitionError, match='user "later" was created later'):
        make_users(host, CONFIG)
    assert host.root.read("/etc/passwd") == text


def test_restore_removes_new_files_and_keeps_symlinks(host: FakeHost) -> None:
    host.root.rename("/etc/group", "/usr/group")
    host.root.symlink("/usr/group", "/etc/group")
    object.__setattr__(host, "run", dying)
    with pytest.raises(Killed):
        make_users(host, CONFIG)
    host.root.write("/etc/subuid", b"new:100000:65536\n")
    run_steps((Rollback(),), config_of(**CONFIG), host)
    assert not host.root.exists("/etc/subuid")
    assert host.root.readlink("/etc/group") == "/usr/group"


def test_malformed_backup_is_an_error(host: FakeHost) -> None:
    host.root.write(BACKUP, b"")
    with pytest.raises(IgnitionError, match="not a backup of account files"):
        make_users(host, CONFIG)


def test_unchanged_accounts_write_no_backup(host: FakeHost) -> None:
    before = tree_of(host.root.path)
    make_users(host, {"passwd": {"users": [{"name": "core"}], "groups": [{"name": "wheel"}]}})
    assert tree_of(host.root.path) == before
