"""The root gate: nothing leaves the root, files appear whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import pickle
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ignition.host.root import TEMPORARY, Root

Answer = tuple[int, int] | int
"""The device and inode that a path leads to, or the error number."""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """The directory that is the root; what lies beside it is outside."""
    directory = tmp_path / "root"
    directory.mkdir()
    (tmp_path / "outside").mkdir()
    return directory


@pytest.fixture
def root(top: Path) -> Root:
    return Root(str(top))


# Random trees of links, against the answer of a chroot.

names = st.sampled_from("abc")
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
targets = st.builds(
    lambda slash, parts: slash + "/".join(parts),
    st.sampled_from(["", "/"]),
    st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=5),
)
links = st.tuples(paths, targets)
entries = st.one_of(paths.map(lambda path: (path, "directory")), links, links)
trees = st.lists(entries, max_size=14)

Tree = list[tuple[str, str]]


def build(top: Path, tree: Tree) -> None:
    """Make the tree. An entry whose parent is no real directory, or whose path is taken, is left out."""
    real = {""}
    for path, what in tree:
        parent = path.rpartition("/")[0]
        place = f"{top}{path}"
        if parent not in real or os.path.lexists(place):
            continue
        if what == "directory":
            os.mkdir(place)
            real.add(path)
        else:
            os.symlink(what, place)


def in_chroot(top: Path, ask: Callable[[], object]) -> object:
    """What a function returns in a child whose root is `top`."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.chroot(top)
            os.chdir("/")
            os.write(writer, pickle.dumps(ask()))
        finally:
            os._exit(0)  # whatever happens, the child must not go on as a second test run
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer: object = pickle.load(pipe)
    os.waitpid(child, 0)
    return answer


def identity(look: Callable[[], os.stat_result]) -> Answer:
    try:
        status = look()
    except OSError as error:
        return error.errno or 0
    return status.st_dev, status.st_ino


@contextmanager
def grown(tree: Tree) -> Iterator[tuple[Path, Root]]:
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory) / "root"
        top.mkdir()
        build(top, tree)
        yield top, Root(str(top))


class Outcome:
    failed = False


@contextmanager
def possible(*errors: int) -> Iterator[Outcome]:
    """Errors with these numbers are right answers."""
    outcome = Outcome()
    try:
        yield outcome
    except OSError as error:
        if error.errno not in errors:
            raise
        outcome.failed = True


def outside_of(top: Path) -> list[str]:
    return sorted(os.listdir(top.parent))


many = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
some = settings(many, max_examples=150)


@many
@given(trees, st.lists(paths, min_size=1, max_size=6))
@example([("/a", "/b"), ("/b", "/c"), ("/c", "directory")], ["/a/x", "/a"])
@example([("/a", "../../.."), ("/b", "a/../b")], ["/a/a/b", "/b/c"])
def test_paths_lead_where_a_chroot_says(tree: Tree, asked: list[str]) -> None:
    with grown(tree) as (top, root):
        expected = in_chroot(top, lambda: [identity(lambda path=path: os.lstat(path)) for path in asked])  # type: ignore[misc]
        assert [identity(lambda path=path: root.lstat(path)) for path in asked] == expected  # type: ignore[misc]


@some
@given(trees, paths)
def test_resolved_paths_hold_no_links_and_lead_to_the_same(tree: Tree, path: str) -> None:
    with grown(tree) as (top, root):
        with possible(errno.ELOOP, errno.ENOTDIR) as outcome:
            resolved = root.resolve(path)
        if outcome.failed:
            return
        for above in Path(resolved).parents:
            assert not os.path.islink(f"{top}{above}")
        if root.exists(path):
            assert os.lstat(f"{top}{resolved}").st_ino == root.lstat(path).st_ino


@some
@given(trees, paths)
@example([("/a", "/b"), ("/b", "../../../x")], "/a/f")
@example([("/a", "b/../../c")], "/a/f")
def test_what_is_written_stays_inside_and_is_found_by_a_chroot(tree: Tree, path: str) -> None:
    with grown(tree) as (top, root):
        before = outside_of(top)
        directory = in_chroot(top, lambda: identity(lambda: os.stat(os.path.dirname(path))))
        with possible(errno.ELOOP, errno.EISDIR, errno.ENOTDIR) as outcome:
            place = root.resolve(path)
            root.write(path, b"written")
        if not outcome.failed:
            assert directory in {errno.ENOENT, identity(lambda: os.stat(f"{top}{os.path.dirname(place)}"))}
            assert in_chroot(top, lambda: Path(place).read_bytes()) == b"written"
            assert stat.S_ISREG(root.lstat(place).st_mode)
        assert outside_of(top) == before


@some
@given(trees, paths)
def test_removing_stays_inside(tree: Tree, path: str) -> None:
    with grown(tree) as (top, root):
        (top.parent / "a").mkdir()
        root.write("/kept", b"")
        with possible(errno.ELOOP, errno.ENOTDIR) as outcome:
            root.remove(path)
        if not outcome.failed:
            assert not root.exists(path)
        assert outside_of(top) == ["a", "root"]
        assert root.exists("/kept")


# Links, one by one.


def test_a_chain_of_absolute_links_stays_inside(root: Root, top: Path, tmp_path: Path) -> None:
    """The reference follows the second link in the running system (engine.md 14, point 15)."""
    (top / "one").symlink_to("/two")
    (top / "two").symlink_to(tmp_path / "outside")
    root.write("/one/file", b"inside")
    assert not (tmp_path / "outside" / "file").exists()
    assert (top / str(tmp_path / "outside" / "file").lstrip("/")).read_bytes() == b"inside"


def test_a_dangling_directory_link_is_written_through(root: Root, top: Path) -> None:
    (top / "a").symlink_to("/nonexist")
    root.write("/a/f", b"")
    assert (top / "nonexist/f").is_file()
    assert (top / "a").is_symlink()


def test_the_last_component_is_not_followed(root: Root, top: Path) -> None:
    (top / "target").write_bytes(b"kept")
    (top / "link").symlink_to("target")
    root.write("/link", b"new")
    assert (top / "target").read_bytes() == b"kept"
    assert not (top / "link").is_symlink()


def test_reading_follows_links_inside(root: Root, top: Path) -> None:
    (top / "etc").mkdir()
    (top / "etc/real").write_text("text")
    (top / "link").symlink_to("/etc/real")
    assert root.read_text("/link") == "text"
    assert root.is_file("/link")
    assert root.readlink("/link") == "/etc/real"


def test_a_loop_is_an_error_that_names_the_path(root: Root, top: Path) -> None:
    (top / "a").symlink_to("b")
    (top / "b").symlink_to("a")
    with pytest.raises(OSError, match=r"symbolic links: '/a'$") as caught:
        root.write("/a/f", b"")
    assert caught.value.errno == errno.ELOOP


def test_a_directory_that_becomes_a_link_meanwhile_is_not_followed_out(
    root: Root, top: Path, tmp_path: Path
) -> None:
    """A race between check and use: all the time somebody swaps the directory for a link to outside."""
    (top / "swapped").mkdir()
    (top / "hidden").symlink_to(tmp_path / "outside")
    done = threading.Event()

    def swap() -> None:
        exchange = ctypes.CDLL(None).renameat2
        one, other = bytes(top / "swapped"), bytes(top / "hidden")
        while not done.is_set():
            exchange(-100, one, -100, other, 2)  # AT_FDCWD, RENAME_EXCHANGE

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(300):
            try:
                root.write(f"/swapped/{number}", b"")
            except OSError:
                continue
    finally:
        done.set()
        thread.join()
    assert list((tmp_path / "outside").iterdir()) == []
    assert len(os.listdir(root.path)) > 2, "some were written through the link, inside"


def test_a_zero_byte_ends_no_path(root: Root, top: Path) -> None:
    (top / "etc").mkdir()
    with pytest.raises(OSError, match="zero byte"):
        root.write("/etc\0/hidden", b"")


def test_errors_name_the_whole_path(root: Root) -> None:
    root.make_directories("/opt/dir")
    with pytest.raises(IsADirectoryError) as caught:
        root.write("/opt/dir", b"")
    assert caught.value.filename == "/opt/dir"
    with pytest.raises(FileNotFoundError) as missing:
        root.lstat("/opt/none/file")
    assert missing.value.filename == "/opt/none"


# Writing.


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
