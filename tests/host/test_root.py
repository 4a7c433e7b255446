# SPDX-License-Identifier: Apache-2.0
"""Changes of the target root: atomic, and limited to the requested path."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ignition.host.root import TEMPORARY, Root


def test_interrupted_replace_keeps_the_old_file(root: Root, top: Path) -> None:
    root.write("/etc/file", b"old")

    def interrupted() -> None:
        with root.replace("/etc/file") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (top / "etc/file").read_bytes() == b"old"
    assert os.listdir(top / "etc") == ["file"]


@pytest.mark.parametrize("size", [0, 3, 1 << 17])
def test_create_whole_replaces_a_leftover_file(root: Root, top: Path, size: int) -> None:
    (top / "waiting").write_bytes(b"of an earlier run")
    root.create_whole("/waiting", b"x" * size, 0o4711)
    assert (top / "waiting").read_bytes() == b"x" * size
    assert stat.S_IMODE((top / "waiting").stat().st_mode) == 0o711


def test_create_whole_repeats_partial_writes(root: Root, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]))
    root.create_whole("/file", b"contents")
    assert (top / "file").read_bytes() == b"contents"


def test_write_removes_the_rest_of_an_interrupted_run(root: Root, top: Path) -> None:
    root.make_directories("/etc")
    (top / "etc" / TEMPORARY).write_bytes(b"half")
    root.write("/etc/file", b"new")
    assert os.listdir(top / "etc") == ["file"]


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_write_ignores_the_umask(root: Root, mask: int) -> None:
    before = os.umask(mask)
    try:
        root.write("/file", b"", mode=0o6755, owner=(1234, 1235))
    finally:
        os.umask(before)
    status = root.lstat("/file")
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o6755, 1234, 1235)


def test_make_directories_creates_and_returns_missing_parents(root: Root, top: Path) -> None:
    (top / "link").symlink_to("/var/lib")
    assert root.make_directories("/link/a/b") == ("/var", "/var/lib", "/var/lib/a", "/var/lib/a/b")
    assert root.make_directories("/link/a/b") == ()
    assert list(root.touched) == ["/var"]


def test_symlink_and_link_replace_files(root: Root, top: Path) -> None:
    root.write("/file", b"content")
    root.write("/a", b"")
    root.write("/b", b"")
    root.symlink("any text/../at all", "/a", owner=(5, 6))
    root.link("/file", "/b")
    root.link("/file", "/b")
    assert os.readlink(top / "a") == "any text/../at all"
    assert (root.lstat("/a").st_uid, root.lstat("/a").st_gid) == (5, 6)
    assert os.stat(top / "file").st_nlink == 2
    assert sorted(os.listdir(top)) == ["a", "b", "file"]


def test_link_to_symlink_links_the_symlink_itself(root: Root, top: Path) -> None:
    (top / "link").symlink_to("nowhere")
    root.link("/link", "/other")
    assert os.readlink(top / "other") == "nowhere"


def test_chown_and_chmod_do_not_follow_symlinks(root: Root, top: Path) -> None:
    (top / "target").write_bytes(b"")
    (top / "target").chmod(0o600)
    (top / "link").symlink_to("target")
    root.chown("/link", (7, 8))
    assert (root.lstat("/link").st_uid, root.lstat("/target").st_uid) == (7, 0)
    with pytest.raises(OSError, match="/link"):
        root.chmod("/link", 0o777)
    assert stat.S_IMODE(root.lstat("/target").st_mode) == 0o600


@pytest.mark.parametrize("wanted", [None, 0o755, 0o2755, 0o4711, 0o1777])
@pytest.mark.parametrize("owner", [(-1, -1), (0, 0), (5, -1), (-1, 6), (5, 6)])
@pytest.mark.parametrize("found", [0o755, 0o2755, 0o6755, 0o1700])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_permit_keeps_special_bits_when_the_owner_changes(
    root: Root, top: Path, kind: str, found: int, owner: tuple[int, int], wanted: int | None
) -> None:
    if kind == "file":
        root.write("/it", b"")
    else:
        root.make_directories("/it")
    root.chmod("/it", found)
    root.permit("/it", owner, wanted)
    status = (top / "it").stat()
    assert stat.S_IMODE(status.st_mode) == (found if wanted is None else wanted)
    assert (status.st_uid, status.st_gid) == (max(owner[0], 0), max(owner[1], 0))


def test_open_refuses_other_than_regular_files(root: Root, top: Path) -> None:
    os.mkfifo(top / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        root.open("/pipe")
    (top / "link").symlink_to("pipe")
    with pytest.raises(OSError, match="/link"):
        root.open("/link")


def test_append_keeps_the_inode(root: Root, top: Path) -> None:
    root.write("/file", b"one", mode=0o640)
    before = root.lstat("/file").st_ino
    with root.open("/file", append=True) as file:
        file.write(b" two")
    assert root.read("/file") == b"one two"
    assert root.lstat("/file").st_ino == before


def test_remove_does_not_follow_symlinks(root: Root, top: Path, tmp_path: Path) -> None:
    (tmp_path / "outside/file").write_bytes(b"kept")
    (top / "dir/sub").mkdir(parents=True)
    (top / "dir/sub/out").symlink_to(tmp_path / "outside")
    (top / "dir/file").write_bytes(b"")
    root.remove("/dir")
    root.remove("/dir")
    assert os.listdir(top) == []
    assert (tmp_path / "outside/file").exists()


@pytest.mark.real_commands("mount", "umount")
class TestMounts:
    """Other filesystems mounted below the root."""

    @pytest.fixture
    def mounted(self, top: Path) -> Iterator[Path]:
        import subprocess

        (top / "var").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", top / "var"], check=True)
        yield top / "var"
        subprocess.run(["umount", top / "var"], check=True)

    def test_remove_stops_at_a_mount_point(self, root: Root, mounted: Path) -> None:
        (mounted / "kept").write_bytes(b"")
        with pytest.raises(OSError, match="mounted at var"):
            root.remove("/var")
        assert (mounted / "kept").exists()

    def test_write_replaces_files_on_a_mounted_filesystem(self, root: Root, mounted: Path) -> None:
        root.write("/var/file", b"one")
        root.write("/var/file", b"two")
        assert (mounted / "file").read_bytes() == b"two"
        assert root.mount_id("/var") != root.mount_id("/")

    def test_root_sees_a_later_mount_over_itself(self, top: Path) -> None:
        import subprocess

        root = Root(str(top))
        root.write("/below", b"")
        subprocess.run(["mount", "-t", "tmpfs", "none", top], check=True)
        try:
            assert root.list("/") == []
        finally:
            subprocess.run(["umount", top], check=True)

    def test_sync_flushes_filesystems(self, root: Root, mounted: Path) -> None:
        """In memory, because a sync of real disks could take minutes."""
        (mounted / "lib").mkdir()
        root.sync(["/var", "/var/lib"])
        with pytest.raises(FileNotFoundError, match="/none"):
            root.sync(["/var", "/none"])


# Acting as a user.


def test_acting_as_user_creates_its_files(root: Root, top: Path) -> None:
    (top / "home").mkdir()
    os.chown(top / "home", 4321, 4321)
    with root.acting_as(4321, 4322):
        root.make_directories("/home/.ssh", 0o777)
        root.write("/home/.ssh/keys", b"", mode=0o600, owner=(4321, 4322))
    for path, mode in (("/home/.ssh", 0o700), ("/home/.ssh/keys", 0o600)):
        status = root.lstat(path)
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (4321, 4322, mode)


def test_acting_as_user_respects_its_permissions(root: Root, top: Path) -> None:
    """Not even through its own symlink to another user's directory."""
    (top / "etc").mkdir(mode=0o755)
    (top / "home").mkdir()
    os.chown(top / "home", 4321, 4321)
    (top / "home/.ssh").symlink_to("/etc")
    with root.acting_as(4321, 4321), pytest.raises(PermissionError):
        root.write("/home/.ssh/keys", b"", owner=(4321, 4321))
    assert os.listdir(top / "etc") == []
    assert (os.geteuid(), os.getegid()) == (0, 0)
    root.write("/etc/again-as-root", b"")


# The path of the root.


@pytest.mark.parametrize("path", ["", "/"])
def test_running_system_can_be_the_root(path: str, tmp_path: Path) -> None:
    root = Root(path)
    assert root.host_path("/etc") == "/etc"
    root.write(f"{tmp_path}/file", b"content")
    assert root.read(f"{tmp_path}/file") == b"content"
    assert root.resolve(f"{tmp_path}/file") == os.path.realpath(f"{tmp_path}/file")


def test_host_path_is_clean_and_absolute(root: Root, top: Path) -> None:
    assert root.host_path("/etc/../etc/passwd") == f"{top}/etc/passwd"
    assert Root("relative").path == os.path.abspath("relative")


@pytest.mark.real_commands("mount", "umount")
def test_is_writable_is_false_on_a_read_only_filesystem(root: Root, top: Path) -> None:
    import subprocess

    root.make_directories("/image")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", top / "image"], check=True)
    try:
        assert (root.is_writable("/"), root.is_writable("/image")) == (True, False)
    finally:
        subprocess.run(["umount", top / "image"], check=True)
