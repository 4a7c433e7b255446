"""Directories that are kept open for many files: found once, and never another one than without."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ignition.host.files import openat2
from ignition.host.files import tree as gate
from ignition.host.files.tree import MOST_KEPT
from ignition.host.root import Root


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


names = st.sampled_from("ab")
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
targets = st.tuples(
    st.sampled_from(["", "/"]), st.lists(st.sampled_from(["a", "b", ".."]), min_size=1, max_size=2)
).map(lambda parts: parts[0] + "/".join(parts[1]))
changes = st.one_of(
    st.tuples(st.just("write"), paths, st.binary(max_size=3)),
    st.tuples(st.just("symlink"), targets, paths),
    st.tuples(st.just("remove"), paths),
    st.tuples(st.just("make_directories"), paths),
    st.tuples(st.just("rename"), paths, paths),
    st.tuples(st.just("link"), paths, paths),
    st.tuples(st.just("resolve"), paths),
    st.tuples(st.just("exists"), paths),
)


def outcome(root: Root, change: tuple[str, ...]) -> object:
    """What a change answers, or the error that it ends with."""
    if change[0] == "rename" and (not root.exists(change[1]) or os.path.isdir(root.outside(change[1]))):
        return "not a file"
    try:
        return getattr(root, change[0])(*change[1:])
    except OSError as error:
        return error.errno, error.filename


def tree(top: str) -> Iterator[tuple[str, str, object]]:
    for directory, directories, files in os.walk(top):
        for name in (*directories, *files):
            path = os.path.join(directory, name)
            if os.path.islink(path):
                yield path.removeprefix(top), "link", os.readlink(path)
            elif os.path.isdir(path):
                yield path.removeprefix(top), "directory", ""
            else:
                yield path.removeprefix(top), "file", Path(path).read_bytes()


def after(changes: list[tuple[str, ...]], *, steady: bool) -> tuple[list[object], object]:
    """All outcomes, and the tree that is left."""
    with tempfile.TemporaryDirectory() as top:
        root = Root(top)
        with root.steady() if steady else nullcontext():
            outcomes = []
            for change in changes:
                try:
                    outcomes.append(outcome(root, change))
                except OSError as error:
                    outcomes.append(error.errno)
        return outcomes, sorted(tree(top))


@settings(max_examples=300, deadline=None)
@given(st.lists(changes, max_size=12))
def test_it_makes_no_difference_but_of_time(changes: list[tuple[str, ...]]) -> None:
    assert after(changes, steady=True) == after(changes, steady=False)


def test_a_directory_is_looked_up_once(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root.make_directories("/a/b")
    asked = []

    def look_up(top: int, path: str, flags: int) -> int:
        asked.append(path)
        return openat2.open_in_root(top, path, flags)

    monkeypatch.setattr(gate, "open_in_root", look_up)
    with root.steady():
        for number in range(10):
            root.create(f"/a/b/{number}").close()
            root.permit(f"/a/b/{number}", (0, 0), 0o644)
            root.rename(f"/a/b/{number}", f"/a/b/{number}-done")
            assert root.resolve(f"/a/b/{number}-done") == f"/a/b/{number}-done"
    assert asked == ["/a/b"]
    root.find("/a/b/0")
    assert asked == ["/a/b", "/a/b"]


def test_a_path_through_a_link_is_looked_up_each_time(root: Root, top: Path) -> None:
    root.make_directories("/one")
    root.make_directories("/two")
    root.symlink("/one", "/way")
    with root.steady():
        root.write("/way/file", b"1")
        root.symlink("/two", "/way")
        root.write("/way/file", b"2")
    assert [(top / name / "file").read_bytes() for name in ("one", "two")] == [b"1", b"2"]


def test_what_was_removed_is_not_written_to(root: Root, top: Path) -> None:
    root.make_directories("/a/b")
    with root.steady():
        root.write("/a/b/file", b"old")
        root.remove("/a")
        assert root.find("/a/b/file") is None
        root.write("/a/b/file", b"new")
    assert (top / "a/b/file").read_bytes() == b"new"


def test_few_are_open_at_once_and_none_at_the_end(root: Root) -> None:
    before = open_descriptors()
    with root.steady():
        for number in range(2 * MOST_KEPT + 10):
            root.write(f"/{number}/file", b"")
            assert open_descriptors() <= before + MOST_KEPT + 1
    assert open_descriptors() == before


def test_threads_share_them(root: Root, top: Path) -> None:
    for number in range(2 * MOST_KEPT):
        root.make_directories(f"/{number}")

    def write(number: int) -> None:
        for directory in range(2 * MOST_KEPT):
            with root.create(f"/{directory}/{number}") as file:
                file.write(b"%d %d" % (directory, number))

    with root.steady(), ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    for directory in range(2 * MOST_KEPT):
        for number in range(8):
            assert (top / f"{directory}/{number}").read_bytes() == b"%d %d" % (directory, number)


def test_a_user_has_its_own_rights_all_the_same(root: Root, top: Path) -> None:
    (top / "private").mkdir(mode=0o700)
    with root.steady():
        root.write("/private/file", b"")
        with root.acting_as(4321, 4321), pytest.raises(PermissionError):
            root.find("/private/file")


def test_errors_tell_the_whole_path(root: Root) -> None:
    root.make_directories("/a/b")
    with root.steady(), pytest.raises(FileNotFoundError) as caught:
        root.lstat("/a/b/missing")
    assert caught.value.filename == "/a/b/missing"
