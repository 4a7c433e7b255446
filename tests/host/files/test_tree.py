"""Paths lead where a chroot says: nothing leaves the root, by whatever links."""

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

from ignition.host.root import Root

Answer = tuple[int, int] | int
"""The device and inode that a path leads to, or the error number."""


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


@pytest.mark.parametrize("ask", [Root.follow, Root.resolve, Root.lstat, Root.make_directories])
def test_a_root_that_is_not_there_is_named(tmp_path: Path, ask: Callable[[Root, str], object]) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        ask(Root(f"{tmp_path}/nowhere"), "/etc/file")
    assert caught.value.filename == f"{tmp_path}/nowhere"
