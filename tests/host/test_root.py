"""The root gate: files appear whole or not at all, and nothing but what was asked for changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ignition.host.root import TEMPORARY, Root


def test_a_file_appears_whole_or_not_at_all(root: Root, top: Path) -> None:
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
def test_contents_at_hand_are_written_down_at_once(root: Root, top: Path, size: int) -> None:
    (top / "waiting").write_bytes(b"of an earlier run")
    root.create_whole("/waiting", b"x" * size, 0o4711)
    assert (top / "waiting").read_bytes() == b"x" * size
    assert stat.S_IMODE((top / "waiting").stat().st_mode) == 0o711


def test_contents_that_the_system_takes_in_parts_are_whole(
    root: Root, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]))
    root.create_whole("/file", b"contents")
    assert (top / "file").read_bytes() == b"contents"


def test_what_a_killed_run_left_is_taken_away_by_the_next(root: Root, top: Path) -> None:
    root.make_directories("/etc")
    (top / "etc" / TEMPORARY).write_bytes(b"half")
    root.write("/etc/file", b"new")
    assert os.listdir(top / "etc") == ["file"]


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_modes_do_not_depend_on_the_umask(root: Root, mask: int) -> None:
    before = os.umask(mask)
    try:
        root.write("/file", b"", mode=0o6755, owner=(1234, 1235))
    finally:
        os.umask(before)
    status = root.lstat("/file")
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o6755, 1234, 1235)


def test_directories_above_are_made_and_told(root: Root, top: Path) -> None:
    (top / "link").symlink_to("/var/lib")
    assert root.make_directories("/link/a/b") == ("/var", "/var/lib", "/var/lib/a", "/var/lib/a/b")
    assert root.make_directories("/link/a/b") == ()
    assert list(root.touched) == ["/var"]


def test_links_take_the_place_of_files(root: Root, top: Path) -> None:
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


def test_a_hard_link_to_a_link_is_one_to_the_link_itself(root: Root, top: Path) -> None:
    (top / "link").symlink_to("nowhere")
    root.link("/link", "/other")
    assert os.readlink(top / "other") == "nowhere"


def test_owner_and_mode_of_links_are_not_those_of_targets(root: Root, top: Path) -> None:
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
def test_a_mode_is_there_whatever_the_owner_was(
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


def test_only_regular_files_are_opened(root: Root, top: Path) -> None:
    os.mkfifo(top / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        root.open("/pipe")
    (top / "link").symlink_to("pipe")
    with pytest.raises(OSError, match="/link"):
        root.open("/link")


def test_appending_keeps_the_file(root: Root, top: Path) -> None:
    root.write("/file", b"one", mode=0o640)
    before = root.lstat("/file").st_ino
    with root.open("/file", append=True) as file:
        file.write(b" two")
    assert root.read("/file") == b"one two"
    assert root.lstat("/file").st_ino == before


def test_a_tree_is_removed_but_not_what_its_links_lead_to(root: Root, top: Path, tmp_path: Path) -> None:
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
    """Other file systems below the root."""

    @pytest.fixture
    def mounted(self, top: Path) -> Iterator[Path]:
        import subprocess

        (top / "var").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", top / "var"], check=True)
        yield top / "var"
        subprocess.run(["umount", top / "var"], check=True)

    def test_removal_stops_at_a_mount(self, root: Root, mounted: Path) -> None:
        (mounted / "kept").write_bytes(b"")
        with pytest.raises(OSError, match="mounted at var"):
            root.remove("/var")
        assert (mounted / "kept").exists()

    def test_files_are_replaced_on_their_own_file_system(self, root: Root, mounted: Path) -> None:
        root.write("/var/file", b"one")
        root.write("/var/file", b"two")
        assert (mounted / "file").read_bytes() == b"two"
        assert root.mount_id("/var") != root.mount_id("/")

    def test_what_is_mounted_later_is_seen(self, top: Path) -> None:
        import subprocess

        root = Root(str(top))
        root.write("/below", b"")
        subprocess.run(["mount", "-t", "tmpfs", "none", top], check=True)
        try:
            assert root.list("/") == []
        finally:
            subprocess.run(["umount", top], check=True)

    def test_file_systems_are_synced(self, root: Root, mounted: Path) -> None:
        """One in memory: a sync of this machine's disks could take minutes."""
        (mounted / "lib").mkdir()
        root.sync(["/var", "/var/lib"])
        with pytest.raises(FileNotFoundError, match="/none"):
            root.sync(["/var", "/none"])


# Acting as a user.


def test_a_user_makes_its_own_files(root: Root, top: Path) -> None:
    (top / "home").mkdir()
    os.chown(top / "home", 4321, 4321)
    with root.acting_as(4321, 4322):
        root.make_directories("/home/.ssh", 0o777)
        root.write("/home/.ssh/keys", b"", mode=0o600, owner=(4321, 4322))
    for path, mode in (("/home/.ssh", 0o700), ("/home/.ssh/keys", 0o600)):
        status = root.lstat(path)
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (4321, 4322, mode)


def test_a_user_cannot_write_where_it_may_not(root: Root, top: Path) -> None:
    """Not even through a link of its own that leads to a directory of somebody else."""
    (top / "etc").mkdir(mode=0o755)
    (top / "home").mkdir()
    os.chown(top / "home", 4321, 4321)
    (top / "home/.ssh").symlink_to("/etc")
    with root.acting_as(4321, 4321), pytest.raises(PermissionError):
        root.write("/home/.ssh/keys", b"", owner=(4321, 4321))
    assert os.listdir(top / "etc") == []
    assert (os.geteuid(), os.getegid()) == (0, 0)
    root.write("/etc/again-as-root", b"")


# Where the root is.


@pytest.mark.parametrize("path", ["", "/"])
def test_the_running_system_can_be_the_root(path: str, tmp_path: Path) -> None:
    root = Root(path)
    assert root.outside("/etc") == "/etc"
    root.write(f"{tmp_path}/file", b"content")
    assert root.read(f"{tmp_path}/file") == b"content"
    assert root.resolve(f"{tmp_path}/file") == os.path.realpath(f"{tmp_path}/file")


def test_paths_outside(root: Root, top: Path) -> None:
    assert root.outside("/etc/../etc/passwd") == f"{top}/etc/passwd"
    assert Root("relative").path == os.path.abspath("relative")


@pytest.mark.real_commands("mount", "umount")
def test_a_read_only_file_system_cannot_be_written_to(root: Root, top: Path) -> None:
    import subprocess

    root.make_directories("/image")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", top / "image"], check=True)
    try:
        assert (root.writable("/"), root.writable("/image")) == (True, False)
    finally:
        subprocess.run(["umount", top / "image"], check=True)
