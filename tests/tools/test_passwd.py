# SPDX-License-Identifier: Apache-2.0
"""useradd and related programs: command lines."""

from __future__ import annotations

import pytest

from ignition.host.command import Command, Secret
from ignition.tools.passwd import Account, groupadd, groupdel, groupmod, useradd, userdel, usermod

FULL = Account("a", Secret("hash"), 7, "A", "g", ("b", "c"), "/bin/x", "/home/x")
COMMON = (
    "--password",
    "hash",
    "--uid",
    "7",
    "--comment",
    "A",
    "--gid",
    "g",
    "--groups",
    "b,c",
    "--shell",
    "/bin/x",
)


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        (useradd("/", Account("a")), ("useradd", "--root", "/", "--create-home", "a")),
        (
            useradd("/r", FULL, create_home=False, user_group=False, system=True, log_init=False),
            (
                *("useradd", "--root", "/r", "--home-dir", "/home/x", "--no-create-home"),
                *("--no-user-group", "--system", "--no-log-init", *COMMON, "a"),
            ),
        ),
        (
            usermod("/r", FULL),
            ("usermod", "--root", "/r", "--home", "/home/x", "--move-home", "--append", *COMMON, "a"),
        ),
        (usermod("/r", Account("a", gecos="")), ("usermod", "--root", "/r", "--comment", "", "a")),
        (userdel("/r", "a"), ("userdel", "--remove", "--root", "/r", "a")),
        (groupadd("/r", "g"), ("groupadd", "--root", "/r", "g")),
        (
            groupadd("/r", "g", gid=0, password=Secret("hash"), system=True),
            ("groupadd", "--root", "/r", "--gid", "0", "--password", "hash", "--system", "g"),
        ),
        (groupmod("/r", "g", gid=5), ("groupmod", "--root", "/r", "--gid", "5", "g")),
        (groupdel("/r", "g"), ("groupdel", "--root", "/r", "g")),
    ],
)
def test_command_lines(command: Command, argv: tuple[str, ...]) -> None:
    assert tuple(command.real_argv()) == argv


@pytest.mark.parametrize(
    "command", [useradd("/", FULL), usermod("/", FULL), groupadd("/", "g", password=Secret("hash"))]
)
def test_command_hides_password_hashes(command: Command) -> None:
    assert "hash" not in f"{command} {command!r} {command.why}"
