# SPDX-License-Identifier: Apache-2.0
"""Groups and users: command lines of plans, and real programs on a small target root."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.errors import ActionFailed
from ignition.host.command import Secret
from ignition.host.run import run
from ignition.host.users import Accounts, Group, User, read_accounts
from ignition.stages import Action, Plan
from ignition.stages.actions import RunCommand
from ignition.stages.files.accounts.rollback import AllOrNothing
from ignition.stages.files.accounts.step import AccountFacts, Passwd
from tests.host.fakes import FakeHost
from tests.stages.files.lab import accounts, config_of, local, run_steps, tree_of

CORE = User("core", 500, 500, "Core", "/home/core", "/bin/sh", Secret("$y$old"))
FACTS = AccountFacts(
    "/sysroot",
    Accounts(
        {"core": CORE},
        {"core": Group("core", 500), "wheel": Group("wheel", 10, frozenset({"core"}), Secret("!"))},
    ),
)
NEW = ("useradd", "--root", "/sysroot")


def plan(facts: AccountFacts = FACTS, **passwd: Any) -> Plan:
    return Passwd().plan(config_of(passwd=passwd), facts)


def argv(made: Plan) -> list[tuple[str, ...]]:
    return [tuple(action.command.real_argv()) for action in steps(made) if isinstance(action, RunCommand)]


def steps(made: Plan) -> tuple[Action, ...]:
    """Return the actions of a plan, which it performs as one transaction."""
    if not made.actions:
        return ()
    (whole,) = made.actions
    assert isinstance(whole, AllOrNothing)
    return whole.actions


# Creation, change and deletion.


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({}, ("--create-home", "--password", "*")),
        ({"passwordHash": ""}, ("--create-home", "--password", "*")),
        (
            {
                "passwordHash": "$y$new",
                "uid": 7,
                "gecos": "A B",
                "homeDir": "/srv/a",
                "primaryGroup": "wheel",
                "groups": ["b", "c"],
                "shell": "/bin/x",
                "system": True,
                "noUserGroup": True,
                "noLogInit": True,
                "noCreateHome": True,
            },
            (
                *("--home-dir", "/srv/a", "--no-create-home", "--no-user-group", "--system", "--no-log-init"),
                *("--password", "$y$new", "--uid", "7", "--comment", "A B", "--gid", "wheel"),
                *("--groups", "b,c", "--shell", "/bin/x"),
            ),
        ),
    ],
)
def test_new_user_takes_one_useradd(user: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert argv(plan(users=[{"name": "a", **user}])) == [(*NEW, *expected, "a")]


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"passwordHash": "$y$new"}, ("--password", "$y$new")),
        ({"passwordHash": ""}, ("--password", "*")),
        ({"uid": 7, "gecos": "A"}, ("--uid", "7", "--comment", "A")),
        (
            {"homeDir": "/srv/core", "shell": "/bin/x"},
            ("--home", "/srv/core", "--move-home", "--shell", "/bin/x"),
        ),
        ({"primaryGroup": "wheel"}, ("--gid", "wheel")),
        ({"groups": ["wheel", "b"]}, ("--append", "--groups", "wheel,b")),
    ],
)
def test_existing_user_is_changed_only_where_it_differs(
    user: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """Groups are added; the reference removes the user from groups that the config does not list."""
    same = {"name": "core", "shell": "/bin/sh", "uid": 500}
    assert argv(plan(users=[{**same, **user}])) == [("usermod", "--root", "/sysroot", *expected, "core")]


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"passwordHash": "$y$old", "uid": 500, "gecos": "Core", "homeDir": "/home/core", "shell": "/bin/sh"},
        {"primaryGroup": "core", "groups": ["wheel"]},
        {"primaryGroup": "500", "gecos": "", "noCreateHome": True, "system": True},
    ],
)
def test_unchanged_user_runs_no_program(user: dict[str, Any]) -> None:
    made = plan(users=[{"name": "core", **user}])
    assert made.actions == ()
    assert made.keeps == ('user "core" is unchanged',)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"name": "new"}, ("groupadd", "--root", "/sysroot", "new")),
        (
            {"name": "new", "gid": 7, "passwordHash": "h", "system": True},
            ("groupadd", "--root", "/sysroot", "--gid", "7", "--password", "h", "--system", "new"),
        ),
        (
            {"name": "wheel", "gid": 11, "system": True},
            ("groupmod", "--root", "/sysroot", "--gid", "11", "wheel"),
        ),
        (
            {"name": "wheel", "passwordHash": "h"},
            ("groupmod", "--root", "/sysroot", "--password", "h", "wheel"),
        ),
        ({"name": "wheel", "shouldExist": False}, ("groupdel", "--root", "/sysroot", "wheel")),
        ({"name": "wheel", "gid": 10, "passwordHash": "!"}, None),
        ({"name": "new", "shouldExist": False}, None),
    ],
)
def test_groups_are_created_changed_and_kept(group: dict[str, Any], expected: tuple[str, ...] | None) -> None:
    made = plan(groups=[group])
    assert argv(made) == ([expected] if expected else [])
    assert len(made.keeps) == (expected is None)


def test_deleted_user_loses_its_home() -> None:
    gone = {"shouldExist": False, "sshAuthorizedKeys": ["key"]}
    assert argv(plan(users=[{"name": "core", **gone}, {"name": "nobody", **gone}])) == [
        ("userdel", "--remove", "--root", "/sysroot", "core")
    ]


def test_groups_are_handled_before_users_in_config_order() -> None:
    made = plan(users=[{"name": "b"}, {"name": "a"}], groups=[{"name": "d"}, {"name": "c"}])
    assert [action.describe() for action in steps(made)] == [
        'creating group "d"',
        'creating group "c"',
        'creating user "b"',
        'creating user "a"',
    ]


@pytest.mark.parametrize("name", ["", "--help", "a:b", "a,b", "a\nb", "../a"])
def test_invalid_account_name_is_refused(name: str) -> None:
    made = plan(users=[{"name": name}], groups=[{"name": name}])
    assert [refusal.path for refusal in made.refusals] == [
        ("passwd", "groups", 0, "name"),
        ("passwd", "users", 0, "name"),
    ]


def test_invalid_account_id_is_refused() -> None:
    """The reference turns -5 into 18446744073709551611."""
    made = plan(users=[{"name": "a", "uid": -5}], groups=[{"name": "a", "gid": 2**32 - 1}])
    assert [str(refusal) for refusal in made.refusals] == [
        "$.passwd.groups.0.gid: 4294967295 is not a valid id",
        "$.passwd.users.0.uid: -5 is not a valid id",
    ]


def test_password_hashes_are_never_printed() -> None:
    made = plan(
        users=[{"name": "a", "passwordHash": "s3cret"}, {"name": "core", "passwordHash": "s3cret"}],
        groups=[{"name": "a", "passwordHash": "s3cret"}],
    )
    assert "s3cret" not in f"{made!r} {made.actions} {FACTS!r}"
    assert "y$old" not in repr(FACTS)


# SSH keys and homes.


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path)
    accounts(host)
    return host


def seen(host: FakeHost, path: str) -> tuple[str, int, int]:
    status = host.root.lstat(path)
    return stat.filemode(status.st_mode), status.st_uid, status.st_gid


def write_keys(host: FakeHost, *keys: str, name: str = "core") -> None:
    user = {"name": name, "sshAuthorizedKeys": keys}
    run_steps((Passwd(),), config_of(passwd={"users": [user]}), host)


def test_ssh_keys_belong_to_the_user(host: FakeHost) -> None:
    write_keys(host, "ssh-ed25519 one", "ssh-ed25519 two")
    path = "/home/core/.ssh/authorized_keys.d/ignition"
    assert local(host, path).read_text() == "ssh-ed25519 one\nssh-ed25519 two\n"
    assert seen(host, path) == ("-rw-------", 500, 500)
    assert seen(host, "/home/core/.ssh/authorized_keys.d") == ("drwx------", 500, 500)
    assert seen(host, "/home/core/.ssh") == ("drwx------", 500, 500)


def test_ssh_keys_go_to_authorized_keys_when_distribution_wants(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGNITION_WRITE_AUTHORIZED_KEYS_FRAGMENT", "false")
    host.root.write("/home/core/.ssh/authorized_keys", b"old\n", owner=(500, 500))
    host.root.chown("/home/core/.ssh", (500, 500))
    write_keys(host, "new")
    assert local(host, "/home/core/.ssh/authorized_keys").read_text() == "new\n"


def test_ssh_keys_in_unwritable_directory_fail(host: FakeHost) -> None:
    host.root.symlink("/etc", "/home/core/.ssh")
    with pytest.raises(ActionFailed, match="permission denied") as caught:
        write_keys(host, "key")
    assert caught.value.path == ("passwd", "users", 0, "sshAuthorizedKeys")
    assert not host.root.exists("/etc/authorized_keys.d")


def test_mounted_directories_in_home_get_its_owner(host: FakeHost) -> None:
    state = State(directories=("/home/core/data", "/home/core/data/deep", "/home/corex", "/var/x"))
    for directory in state.directories:
        host.root.make_directories(directory)
    run_steps((Passwd(),), config_of(passwd={"users": [{"name": "core"}]}), host, state)
    assert seen(host, "/home/core/data") == ("drwx------", 500, 500)
    assert seen(host, "/home/core/data/deep") == ("drwx------", 500, 500)
    assert seen(host, "/home/corex") == seen(host, "/var/x") == ("drwxr-xr-x", 0, 0)


def test_no_create_home_leaves_directories_alone(host: FakeHost) -> None:
    state = State(directories=("/home/core",))
    host.root.chown("/home/core", (0, 0))
    user = {"name": "core", "noCreateHome": True}
    run_steps((Passwd(),), config_of(passwd={"users": [user]}), host, state)
    assert seen(host, "/home/core") == ("drwxr-xr-x", 0, 0)


# Real programs.


@pytest.mark.real_commands("useradd", "usermod", "userdel", "groupadd", "groupmod", "groupdel")
class TestRealPrograms:
    """On a root with a few files; the programs chroot into it and need no others."""

    @pytest.fixture(autouse=True)
    def real(self, host: FakeHost) -> None:
        object.__setattr__(host, "run", run)

    @staticmethod
    def passwd(host: FakeHost, **sections: Any) -> None:
        run_steps((Passwd(),), config_of(passwd=sections), host)

    def test_accounts_second_run_changes_nothing(self, host: FakeHost) -> None:
        sections = {
            "groups": [{"name": "team", "gid": 1234}, {"name": "wheel", "gid": 11}, {"name": "gone"}],
            "users": [
                {
                    "name": "alice",
                    "uid": 2000,
                    "gecos": "Alice A.",
                    "groups": ["team", "wheel"],
                    "passwordHash": "$y$hash",
                    "shell": "/bin/sh",
                    "homeDir": "/srv/homes/alice",
                    "sshAuthorizedKeys": ["key"],
                },
                {"name": "service", "system": True, "primaryGroup": "team", "noCreateHome": True},
                {"name": "core", "groups": ["team"], "passwordHash": "$y$changed"},
            ],
        }
        self.passwd(host, **sections)
        found = read_accounts(host.root)
        assert found.users["alice"] == User(
            "alice",
            2000,
            found.groups["alice"].gid,
            "Alice A.",
            "/srv/homes/alice",
            "/bin/sh",
            Secret("$y$hash"),
        )
        assert found.supplementary("alice") == {"team", "wheel"}
        assert found.supplementary("core") == {"team", "wheel"}
        assert found.users["core"].password == Secret("$y$changed")
        assert found.users["service"].uid < 1000
        assert found.users["service"].gid == 1234
        assert found.users["service"].password == Secret("*")
        assert found.groups["wheel"].gid == 11
        assert seen(host, "/srv/homes/alice/.ssh/authorized_keys.d/ignition")[:2] == ("-rw-------", 2000)
        first = tree_of(host.root.path)
        self.passwd(host, **sections)
        assert tree_of(host.root.path) == first

    def test_accounts_are_deleted(self, host: FakeHost) -> None:
        self.passwd(
            host,
            users=[{"name": "core", "shouldExist": False}],
            groups=[{"name": "wheel", "shouldExist": False}],
        )
        found = read_accounts(host.root)
        assert set(found.users) == {"root"}
        assert set(found.groups) == {"root"}
        assert not host.root.exists("/home/core")

    def test_unknown_group_failure_names_the_user(self, host: FakeHost) -> None:
        with pytest.raises(ActionFailed, match="group 'docker' does not exist") as caught:
            self.passwd(host, users=[{"name": "a"}, {"name": "b", "groups": ["docker"]}])
        assert caught.value.path == ("passwd", "users", 1)
