# SPDX-License-Identifier: Apache-2.0
"""Path resolution in the target root: as in a chroot, and never outside of the root."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import pickle
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ignition.host.root import Root

Answer = tuple[int, int] | int
"""The device and inode of a path, or the error number."""


# Random trees of symlinks, compared with a chroot.

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
    """Create the tree. Entries without a real parent directory, or with an existing path, are skipped."""
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
    """Return the result of a function in a child process with `top` as its root."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.chroot(top)
            os.chdir("/")
            os.write(writer, pickle.dumps(ask()))
        finally:
            os._exit(0)  # the child must not continue as a second test run
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
def created_tree(tree: Tree) -> Iterator[tuple[Path, Root]]:
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory) / "root"
        top.mkdir()
        build(top, tree)
        yield top, Root(str(top))


class Outcome:
    failed = False


@contextmanager
def accepting(*errors: int) -> Iterator[Outcome]:
    """Accept errors with these numbers."""
    outcome = Outcome()
    try:
        yield outcome
    except OSError as error:
        if error.errno not in errors:
            raise
        outcome.failed = True


def paths_outside(top: Path) -> list[str]:
    return sorted(os.listdir(top.parent))


many = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
some = settings(many, max_examples=150)


@many
@given(trees, st.lists(paths, min_size=1, max_size=6))
@example([("/a", "/b"), ("/b", "/c"), ("/c", "directory")], ["/a/x", "/a"])
@example([("/a", "../../.."), ("/b", "a/../b")], ["/a/a/b", "/b/c"])
def test_lstat_resolves_paths_like_a_chroot(tree: Tree, asked: list[str]) -> None:
    with created_tree(tree) as (top, root):
        expected = in_chroot(top, lambda: [identity(lambda path=path: os.lstat(path)) for path in asked])  # type: ignore[misc]
        assert [identity(lambda path=path: root.lstat(path)) for path in asked] == expected  # type: ignore[misc]


@some
@given(trees, paths)
def test_resolved_path_has_no_symlinks_and_names_the_same_object(tree: Tree, path: str) -> None:
    with created_tree(tree) as (top, root):
        with accepting(errno.ELOOP, errno.ENOTDIR) as outcome:
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
def test_write_stays_inside_and_is_found_in_a_chroot(tree: Tree, path: str) -> None:
    with created_tree(tree) as (top, root):
        before = paths_outside(top)
        directory = in_chroot(top, lambda: identity(lambda: os.stat(os.path.dirname(path))))
        with accepting(errno.ELOOP, errno.EISDIR, errno.ENOTDIR) as outcome:
            place = root.resolve(path)
            root.write(path, b"written")
        if not outcome.failed:
            assert directory in {errno.ENOENT, identity(lambda: os.stat(f"{top}{os.path.dirname(place)}"))}
            assert in_chroot(top, lambda: Path(place).read_bytes()) == b"written"
            assert stat.S_ISREG(root.lstat(place).st_mode)
        assert paths_outside(top) == before


@some
@given(trees, paths)
def test_remove_stays_inside(tree: Tree, path: str) -> None:
    with created_tree(tree) as (top, root):
        (top.parent / "a").mkdir()
        root.write("/kept", b"")
        with accepting(errno.ELOOP, errno.ENOTDIR) as outcome:
            root.remove(path)
        if not outcome.failed:
            assert not root.exists(path)
        assert paths_outside(top) == ["a", "root"]
        assert root.exists("/kept")


# Single symlinks.


def test_chain_of_absolute_symlinks_stays_inside(root: Root, top: Path, tmp_path: Path) -> None:
    """The reference resolves the second symlink in the running system.

    Source: docs/reference/stages.md, "Target paths".
    """
    (top / "one").symlink_to("/two")
    (top / "two").symlink_to(tmp_path / "outside")
    root.write("/one/file", b"inside")
    assert not (tmp_path / "outside" / "file").exists()
    assert (top / str(tmp_path / "outside" / "file").lstrip("/")).read_bytes() == b"inside"


def test_write_below_dangling_symlink_creates_its_target(root: Root, top: Path) -> None:
    (top / "a").symlink_to("/nonexist")
    root.write("/a/f", b"")
    assert (top / "nonexist/f").is_file()
    assert (top / "a").is_symlink()


def test_write_replaces_a_symlink(root: Root, top: Path) -> None:
    (top / "target").write_bytes(b"kept")
    (top / "link").symlink_to("target")
    root.write("/link", b"new")
    assert (top / "target").read_bytes() == b"kept"
    assert not (top / "link").is_symlink()


def test_read_follows_symlinks_inside(root: Root, top: Path) -> None:
    (top / "etc").mkdir()
    (top / "etc/real").write_text("text")
    (top / "link").symlink_to("/etc/real")
    assert root.read_text("/link") == "text"
    assert root.is_file("/link")
    assert root.readlink("/link") == "/etc/real"


def test_symlink_loop_is_an_error_with_the_path(root: Root, top: Path) -> None:
    (top / "a").symlink_to("b")
    (top / "b").symlink_to("a")
    with pytest.raises(OSError, match=r"symbolic links: '/a'$") as caught:
        root.write("/a/f", b"")
    assert caught.value.errno == errno.ELOOP


def test_directory_exchanged_with_symlink_during_write_is_not_followed_outside(
    root: Root, top: Path, tmp_path: Path
) -> None:
    """Another thread exchanges the directory with a symlink to a directory outside all the time."""
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
        is_written_through_link = False
        deadline = time.monotonic() + 60
        for number in itertools.count():
            with suppress(OSError):
                root.write(f"/swapped/{number}", b"")
            # On a busy machine hundreds of writes may fail before one goes through the symlink.
            is_written_through_link = len(os.listdir(root.path)) > 2
            if (number >= 300 and is_written_through_link) or time.monotonic() > deadline:
                break
    finally:
        done.set()
        thread.join()
    assert list((tmp_path / "outside").iterdir()) == []
    assert is_written_through_link, "no write went through the symlink"


def test_path_with_nul_byte_is_an_error(root: Root, top: Path) -> None:
    (top / "etc").mkdir()
    with pytest.raises(OSError, match="NUL byte"):
        root.write("/etc\0/hidden", b"")


def test_error_has_the_whole_path(root: Root) -> None:
    root.make_directories("/opt/dir")
    with pytest.raises(IsADirectoryError) as caught:
        root.write("/opt/dir", b"")
    assert caught.value.filename == "/opt/dir"
    with pytest.raises(FileNotFoundError) as missing:
        root.lstat("/opt/none/file")
    assert missing.value.filename == "/opt/none"


@pytest.mark.parametrize("ask", [Root.follow, Root.resolve, Root.lstat, Root.make_directories])
def test_missing_root_is_an_error_with_its_path(tmp_path: Path, ask: Callable[[Root, str], object]) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        ask(Root(f"{tmp_path}/nowhere"), "/etc/file")
    assert caught.value.filename == f"{tmp_path}/nowhere"
