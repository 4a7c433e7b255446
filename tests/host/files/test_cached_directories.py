# SPDX-License-Identifier: Apache-2.0
"""Cached directories: resolved once, with the same results as without the cache."""

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

from ignition.host.files import openat2, root_view
from ignition.host.files.root_view import MAX_CACHED
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
    """Return the result of a change, or the number and path of its error."""
    if change[0] == "rename" and (not root.exists(change[1]) or os.path.isdir(root.host_path(change[1]))):
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


def results(changes: list[tuple[str, ...]], *, cached: bool) -> tuple[list[object], object]:
    """Perform the changes in an empty root; return all outcomes and the resulting tree."""
    with tempfile.TemporaryDirectory() as top:
        root = Root(top)
        with root.cached_directories() if cached else nullcontext():
            outcomes = []
            for change in changes:
                try:
                    outcomes.append(outcome(root, change))
                except OSError as error:
                    outcomes.append(error.errno)
        return outcomes, sorted(tree(top))


@settings(max_examples=300, deadline=None)
@given(st.lists(changes, max_size=12))
def test_cache_does_not_change_results(changes: list[tuple[str, ...]]) -> None:
    assert results(changes, cached=True) == results(changes, cached=False)


def test_directory_is_resolved_once(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root.make_directories("/a/b")
    resolved = []

    def open_in_root(top: int, path: str, flags: int) -> int:
        resolved.append(path)
        return openat2.open_in_root(top, path, flags)

    monkeypatch.setattr(root_view, "open_in_root", open_in_root)
    with root.cached_directories():
        for number in range(10):
            root.create(f"/a/b/{number}").close()
            root.permit(f"/a/b/{number}", (0, 0), 0o644)
            root.rename(f"/a/b/{number}", f"/a/b/{number}-done")
            assert root.resolve(f"/a/b/{number}-done") == f"/a/b/{number}-done"
    assert resolved == ["/a/b"]
    root.find("/a/b/0")
    assert resolved == ["/a/b", "/a/b"]


def test_path_through_symlink_is_resolved_each_time(root: Root, top: Path) -> None:
    root.make_directories("/one")
    root.make_directories("/two")
    root.symlink("/one", "/way")
    with root.cached_directories():
        root.write("/way/file", b"1")
        root.symlink("/two", "/way")
        root.write("/way/file", b"2")
    assert [(top / name / "file").read_bytes() for name in ("one", "two")] == [b"1", b"2"]


def test_removed_directory_is_not_written_to(root: Root, top: Path) -> None:
    root.make_directories("/a/b")
    with root.cached_directories():
        root.write("/a/b/file", b"old")
        root.remove("/a")
        assert root.find("/a/b/file") is None
        root.write("/a/b/file", b"new")
    assert (top / "a/b/file").read_bytes() == b"new"


def test_cache_is_limited_and_closed_at_the_end(root: Root) -> None:
    before = open_descriptors()
    with root.cached_directories():
        for number in range(2 * MAX_CACHED + 10):
            root.write(f"/{number}/file", b"")
            assert open_descriptors() <= before + MAX_CACHED + 1
    assert open_descriptors() == before


def test_cache_is_shared_by_threads(root: Root, top: Path) -> None:
    for number in range(2 * MAX_CACHED):
        root.make_directories(f"/{number}")

    def write(number: int) -> None:
        for directory in range(2 * MAX_CACHED):
            with root.create(f"/{directory}/{number}") as file:
                file.write(b"%d %d" % (directory, number))

    with root.cached_directories(), ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    for directory in range(2 * MAX_CACHED):
        for number in range(8):
            assert (top / f"{directory}/{number}").read_bytes() == b"%d %d" % (directory, number)


def test_acting_as_user_ignores_the_cache(root: Root, top: Path) -> None:
    (top / "private").mkdir(mode=0o700)
    with root.cached_directories():
        root.write("/private/file", b"")
        with root.acting_as(4321, 4321), pytest.raises(PermissionError):
            root.find("/private/file")


def test_error_below_cached_directory_has_the_whole_path(root: Root) -> None:
    root.make_directories("/a/b")
    with root.cached_directories(), pytest.raises(FileNotFoundError) as caught:
        root.lstat("/a/b/missing")
    assert caught.value.filename == "/a/b/missing"
