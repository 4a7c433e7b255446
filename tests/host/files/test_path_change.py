# SPDX-License-Identifier: Apache-2.0
"""Reports of the target root about changed paths: the state before and after."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ignition.host.files.path_change import Digest, PathChange, PathState
from ignition.host.root import Root


class Watched:
    """A root on a directory, and its reported changes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.reported: list[PathChange] = []
        self.root = Root(str(directory), self.reported.append)

    def put(self, path: str, contents: bytes = b"old", mode: int = 0o644) -> Path:
        place = self.directory / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(contents)
        place.chmod(mode)
        return place

    def change(self) -> PathChange:
        (change,) = self.reported
        return change

    def real(self, path: str) -> PathState | None:
        """Read the state of a path without the engine."""
        place = self.directory / path.lstrip("/")
        if not place.exists() and not place.is_symlink():
            return None
        status = place.lstat()
        who, mode = (status.st_uid, status.st_gid), stat.S_IMODE(status.st_mode)
        if place.is_symlink():
            return PathState("link", *who, mode, target=os.readlink(place))
        if place.is_dir():
            return PathState("directory", *who, mode)
        return PathState("file", *who, mode, status.st_size, digest(place.read_bytes()))


def digest(contents: bytes) -> str:
    return f"sha256-{sha256(contents).hexdigest()}"


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_write_reports_a_new_file(watched: Watched) -> None:
    watched.root.write("/f", b"new", mode=0o4755, owner=(5, 6))
    assert watched.change() == PathChange("/f", None, PathState("file", 5, 6, 0o4755, 3, digest(b"new")))


def test_replace_reports_both_states(watched: Watched) -> None:
    watched.put("/f", mode=0o600)
    with watched.root.replace("/f") as file:
        file.write(b"in ")
        file.write(b"pieces")
    before = PathState("file", os.geteuid(), os.getegid(), 0o600, 3, digest(b"old"))
    assert watched.change() == PathChange(
        "/f", before, PathState("file", 0, 0, 0o644, 9, digest(b"in pieces"))
    )


def test_write_over_symlink_reports_the_symlink(watched: Watched) -> None:
    (watched.directory / "f").symlink_to("/nowhere")
    watched.root.write("/f", b"")
    before = watched.change().before
    assert before is not None
    assert (before.kind, before.target, before.digest) == ("link", "/nowhere", "")


def test_created_file_is_reported_when_it_is_renamed(watched: Watched) -> None:
    with watched.root.create("/.unplaced") as file:
        file.write(b"contents")
    watched.root.permit("/.unplaced", (5, 6), 0o640)
    assert watched.reported == []
    watched.root.rename("/.unplaced", "/f", owner=(7, 8), mode=0o4711)
    after = PathState("file", 7, 8, 0o4711, 8, digest(b"contents"))
    assert watched.change() == PathChange("/f", None, after)


@pytest.mark.parametrize("verified", ["", f"sha512-{sha512(b'contents').hexdigest()}"])
def test_file_from_create_whole_is_reported_when_it_is_renamed(watched: Watched, verified: str) -> None:
    watched.root.create_whole("/.unplaced", b"contents", 0o640, digest=verified)
    assert watched.reported == []
    watched.root.rename("/.unplaced", "/f", owner=(7, 8))
    after = PathState("file", 7, 8, 0o640, 8, verified or digest(b"contents"))
    assert watched.change() == PathChange("/f", None, after)


def test_truncated_contents_are_not_digested(watched: Watched) -> None:
    with watched.root.create("/.unplaced") as file:
        file.write(b"broken off")
        file.seek(0)
        file.truncate()
        file.write(b"complete")
    watched.root.rename("/.unplaced", "/f")
    assert watched.change().after == watched.real("/f")


def test_contents_written_out_of_order_are_read_for_the_digest(watched: Watched) -> None:
    with watched.root.create("/.unplaced") as file:
        file.write(b"0123456789")
        file.seek(2)
        file.write(b"x")
    watched.root.rename("/.unplaced", "/f")
    assert watched.change().after == watched.real("/f")


def test_verified_digest_is_not_computed_again(watched: Watched) -> None:
    verified = f"sha512-{sha512(b'contents').hexdigest()}"
    with watched.root.create("/.unplaced", digest=verified) as file:
        file.write(b"contents")
    watched.root.rename("/.unplaced", "/f")
    after = watched.change().after
    assert after is not None
    assert after.digest == verified


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("verified", ["", "sha512-00"])
def test_appended_pieces_have_the_digest_of_the_whole(
    watched: Watched, verified: str, *, at_once: bool
) -> None:
    if at_once:
        watched.root.create_whole("/.unplaced", b"one", digest=verified)
    else:
        with watched.root.create("/.unplaced", digest=verified) as file:
            file.write(b"one")
    with watched.root.open("/.unplaced", append=True) as file:
        file.write(b"two")
    watched.root.rename("/.unplaced", "/f")
    assert watched.change().after == watched.real("/f")
    assert watched.real("/f") == watched.real("/f")._replace(digest=digest(b"onetwo"))  # type: ignore[union-attr]


def test_append_reports_the_digest_of_the_whole_file(watched: Watched) -> None:
    watched.put("/f", b"a" * 3_000_000)
    before = watched.real("/f")
    with watched.root.open("/f", append=True) as file:
        file.write(b"b")
        file.write(b"c")
    assert watched.change() == PathChange("/f", before, watched.real("/f"))


def test_append_of_nothing_is_not_reported(watched: Watched) -> None:
    watched.put("/f")
    with watched.root.open("/f", append=True):
        pass
    assert watched.reported == []


def test_reading_is_not_reported(watched: Watched) -> None:
    watched.put("/d/f")
    with watched.root.open("/d/f") as file:
        file.read()
    watched.root.read("/d/f")
    watched.root.list("/d")
    assert watched.reported == []


def test_symlink_and_hard_link_are_reported(watched: Watched) -> None:
    watched.put("/f", b"one")
    watched.root.symlink("f", "/l", owner=(5, 6))
    watched.root.link("/f", "/h")
    assert watched.reported == [
        PathChange("/l", None, PathState("link", 5, 6, 0o777, target="f")),
        PathChange("/h", None, watched.real("/f")),
    ]


def test_remove_reports_the_removed_object(watched: Watched) -> None:
    watched.put("/f")
    watched.put("/d/e/f")
    file, directory = watched.real("/f"), watched.real("/d")
    watched.root.remove("/f")
    watched.root.remove("/d")
    watched.root.remove("/never/there")
    assert watched.reported == [PathChange("/f", file, None), PathChange("/d", directory, None)]


def test_make_directories_reports_each_new_directory(watched: Watched) -> None:
    watched.put("/a/f")
    watched.root.make_directories("/a/b/c", 0o700)
    watched.root.make_directories("/a/b")
    assert watched.reported == [
        PathChange("/a/b", None, watched.real("/a/b")),
        PathChange("/a/b/c", None, watched.real("/a/b/c")),
    ]


def test_write_reports_created_parents(watched: Watched) -> None:
    watched.root.write("/new/f", b"")
    assert [change.path for change in watched.reported] == ["/new", "/new/f"]


@pytest.mark.parametrize(
    "change",
    [
        lambda root: root.chown("/f", (5, 6)),
        lambda root: root.chmod("/f", 0o600),
        lambda root: root.permit("/f", (-1, 6), 0o640),
    ],
)
def test_owner_and_mode_changes_do_not_read_contents(
    watched: Watched, change: Callable[[Root], None]
) -> None:
    watched.put("/f")
    before = watched.real("/f")
    change(watched.root)
    after = watched.real("/f")
    assert before is not None
    assert after is not None
    assert watched.change() == PathChange("/f", before._replace(digest=""), after._replace(digest=""))


def test_unchanged_state_is_not_reported(watched: Watched) -> None:
    watched.root.write("/f", b"x")
    watched.reported.clear()
    watched.root.permit("/f", (0, 0), 0o644)
    watched.root.write("/f", b"x")
    assert watched.reported == []


def test_unreadable_contents_do_not_stop_a_write(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad block in a file that is replaced."""
    watched.put("/f")

    def broken(descriptor: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("ignition.host.files.path_change.os.read", broken)
    watched.root.write("/f", b"new")
    before, after = watched.change().before, watched.change().after
    assert before is not None
    assert after is not None
    assert (before.digest, before.unread) == ("", "input/output error")
    assert after.digest == digest(b"new")


@pytest.mark.parametrize("append", [True, False])
def test_contents_above_the_limit_are_not_read(watched: Watched, append: bool) -> None:
    place = watched.put("/f")
    os.truncate(place, 1 << 40)
    if append:
        with watched.root.open("/f", append=True) as file:
            file.write(b"x")
    else:
        watched.root.remove("/f")
    before, after = watched.change().before, watched.change().after
    assert before is not None
    assert (before.size, before.digest, before.unread) == (1 << 40, "", "larger than 256 MiB")
    if append:
        assert after == before._replace(size=(1 << 40) + 1)


def test_failed_change_is_not_reported(watched: Watched) -> None:
    watched.put("/f")
    with pytest.raises(UnicodeEncodeError), watched.root.replace("/f") as file:
        file.write(b"half" + "\udc80".encode())
    with pytest.raises(OSError, match="/none"):
        watched.root.rename("/none", "/f")
    assert watched.reported == []


def test_root_without_listener_computes_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Digest, "__init__", None)
    root = Root(str(tmp_path))
    root.write("/f", b"x")
    with root.create("/w") as file:
        file.write(b"x")
    root.rename("/w", "/g")
    with root.open("/g", append=True) as file:
        file.write(b"y")
    root.remove("/f")
    assert [(name, root.read(f"/{name}")) for name in root.list("/")] == [("g", b"xy")]


PATHS = st.sampled_from(["/a", "/b", "/d/a", "/d/b"])
CHANGES = st.one_of(
    st.tuples(st.just("write"), PATHS, st.binary(max_size=20)),
    st.tuples(st.just("append"), PATHS, st.binary(max_size=20)),
    st.tuples(st.just("symlink"), st.sampled_from(["x", "/d"]), PATHS),
    st.tuples(st.just("chmod"), PATHS, st.sampled_from([0o600, 0o755])),
    st.tuples(st.just("remove"), st.one_of(PATHS, st.just("/d"))),
)


@given(st.lists(CHANGES, max_size=12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_reported_states_match_the_tree(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[Any, ...]]
) -> None:
    """Reported states match the tree, with no change missing and none invented."""
    watched = Watched(tmp_path_factory.mktemp("root"))
    known: dict[str, PathState | None] = {}
    for name, *arguments in changes:
        watched.reported.clear()
        try:
            if name == "append":
                with watched.root.open(arguments[0], append=True) as file:
                    file.write(arguments[1])
            else:
                getattr(watched.root, name)(*arguments)
        except OSError:
            assert watched.reported == [] or name == "write"
        for path, before, after in watched.reported:
            earlier = known.get(path)
            if before and earlier:
                assert before._replace(digest="", unread="") == earlier._replace(digest="", unread="")
                assert before.digest in {"", earlier.digest}
            else:
                assert before == earlier
            known[path] = after if after is None or after.digest else watched.real(path)
            for below in [each for each in known if after is None and each.startswith(f"{path}/")]:
                known[below] = None
            assert known[path] == watched.real(path)
        for path in ("/a", "/b", "/d/a", "/d/b", "/d"):
            assert known.get(path) == watched.real(path)
