# SPDX-License-Identifier: Apache-2.0
"""Users and groups from the files of the target root."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.host.command import Secret
from ignition.host.root import Root
from ignition.host.users import Accounts, Group, User, read_accounts


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path))


def test_read_accounts_reads_all_fields(root: Root) -> None:
    root.write("/etc/passwd", b"core:x:500:501:C\xc3\xb6re:/home/core:/bin/sh\n")
    root.write("/etc/shadow", b"core:$y$hash:19000:0:99999:7:::\n")
    root.write("/etc/group", b"wheel:x:10:core,a\ncore:p:501:\n")
    root.write("/etc/gshadow", b"wheel:!::core,a\n")
    found = read_accounts(root)
    assert found.users == {"core": User("core", 500, 501, "Cöre", "/home/core", "/bin/sh", Secret("$y$hash"))}
    assert found.groups == {
        "wheel": Group("wheel", 10, frozenset({"core", "a"}), Secret("!")),
        "core": Group("core", 501, frozenset(), Secret("p")),
    }
    assert found.supplementary("core") == {"wheel"}


def test_missing_files_mean_no_accounts(root: Root) -> None:
    assert read_accounts(root) == Accounts()


def test_invalid_lines_are_ignored(root: Root) -> None:
    root.write(
        "/etc/passwd", b"\n# x:x:1:1:::\n:x:1:1:::\nshort:x:1\nbad:x:one:1:::\nneg:x:-1:1:::\na:x:1:1:::\n"
    )
    root.write("/etc/group", b"+:::\nbad:x:ten:\na:x:1:\n")
    found = read_accounts(root)
    assert (list(found.users), list(found.groups)) == (["a"], ["a"])


def test_first_entry_wins_and_etc_has_priority(root: Root) -> None:
    root.write("/etc/passwd", b"a:x:1:1:::\na:x:2:2:::\n")
    root.write("/usr/lib/passwd", b"a:x:3:3:::\nb:x:4:4:::\n")
    root.write("/usr/lib/group", b"sudo:x:27:\n")
    found = read_accounts(root)
    assert {name: user.uid for name, user in found.users.items()} == {"a": 1, "b": 4}
    assert found.groups["sudo"].gid == 27


def test_symlinks_are_followed_inside_the_root(root: Root) -> None:
    root.write("/usr/share/accounts", b"a:x:1:1:::\n")
    root.symlink("/usr/share/accounts", "/etc/passwd")
    assert read_accounts(root).users["a"].uid == 1


def test_repr_hides_password_hashes(root: Root) -> None:
    root.write("/etc/passwd", b"a:s3cret:1:1:::\n")
    assert read_accounts(root).users["a"].password.value == "s3cret"
    assert "s3cret" not in repr(read_accounts(root))
