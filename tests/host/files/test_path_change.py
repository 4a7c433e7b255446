"""The target root tells its witness of every change: how a path stood before, and how it stands after."""

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

from ignition.host.files.path_change import Change, Digest, Standing
from ignition.host.root import Root


class Watched:
    """A root on a directory, and what it has told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.told: list[Change] = []
        self.root = Root(str(directory), self.told.append)

    def put(self, path: str, contents: bytes = b"old", mode: int = 0o644) -> Path:
        place = self.directory / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(contents)
        place.chmod(mode)
        return place

    def change(self) -> Change:
        (change,) = self.told
        return change

    def real(self, path: str) -> Standing | None:
        """How a path really stands, found out without the engine."""
        place = self.directory / path.lstrip("/")
        if not place.exists() and not place.is_symlink():
            return None
        status = place.lstat()
        who, mode = (status.st_uid, status.st_gid), stat.S_IMODE(status.st_mode)
        if place.is_symlink():
            return Standing("link", *who, mode, target=os.readlink(place))
        if place.is_dir():
            return Standing("directory", *who, mode)
        return Standing("file", *who, mode, status.st_size, digest(place.read_bytes()))


def digest(contents: bytes) -> str:
    return f"sha256-{sha256(contents).hexdigest()}"


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_new_file(watched: Watched) -> None:
    watched.root.write("/f", b"new", mode=0o4755, owner=(5, 6))
    assert watched.change() == Change("/f", None, Standing("file", 5, 6, 0o4755, 3, digest(b"new")))


def test_a_file_in_the_place_of_another(watched: Watched) -> None:
    watched.put("/f", mode=0o600)
    with watched.root.replace("/f") as file:
        file.write(b"in ")
        file.write(b"pieces")
    before = Standing("file", os.geteuid(), os.getegid(), 0o600, 3, digest(b"old"))
    assert watched.change() == Change("/f", before, Standing("file", 0, 0, 0o644, 9, digest(b"in pieces")))


def test_a_file_in_the_place_of_a_link(watched: Watched) -> None:
    (watched.directory / "f").symlink_to("/nowhere")
    watched.root.write("/f", b"")
    before = watched.change().before
    assert before is not None
    assert (before.kind, before.target, before.digest) == ("link", "/nowhere", "")


def test_a_file_that_waited_is_told_of_when_it_gets_its_place(watched: Watched) -> None:
    with watched.root.create("/.waiting") as file:
        file.write(b"contents")
    watched.root.permit("/.waiting", (5, 6), 0o640)
    assert watched.told == []
    watched.root.rename("/.waiting", "/f", owner=(7, 8), mode=0o4711)
    after = Standing("file", 7, 8, 0o4711, 8, digest(b"contents"))
    assert watched.change() == Change("/f", None, after)


@pytest.mark.parametrize("verified", ["", f"sha512-{sha512(b'contents').hexdigest()}"])
def test_a_file_that_was_written_down_at_once_waits_too(watched: Watched, verified: str) -> None:
    watched.root.create_whole("/.waiting", b"contents", 0o640, digest=verified)
    assert watched.told == []
    watched.root.rename("/.waiting", "/f", owner=(7, 8))
    after = Standing("file", 7, 8, 0o640, 8, verified or digest(b"contents"))
    assert watched.change() == Change("/f", None, after)


def test_contents_that_were_taken_back_do_not_count(watched: Watched) -> None:
    with watched.root.create("/.waiting") as file:
        file.write(b"broken off")
        file.seek(0)
        file.truncate()
        file.write(b"complete")
    watched.root.rename("/.waiting", "/f")
    assert watched.change().after == watched.real("/f")


def test_contents_that_were_written_out_of_order_are_read(watched: Watched) -> None:
    with watched.root.create("/.waiting") as file:
        file.write(b"0123456789")
        file.seek(2)
        file.write(b"x")
    watched.root.rename("/.waiting", "/f")
    assert watched.change().after == watched.real("/f")


def test_a_digest_that_was_verified_is_not_computed_again(watched: Watched) -> None:
    verified = f"sha512-{sha512(b'contents').hexdigest()}"
    with watched.root.create("/.waiting", digest=verified) as file:
        file.write(b"contents")
    watched.root.rename("/.waiting", "/f")
    after = watched.change().after
    assert after is not None
    assert after.digest == verified


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("verified", ["", "sha512-00"])
def test_pieces_that_are_joined_have_the_digest_of_the_whole(
    watched: Watched, verified: str, *, at_once: bool
) -> None:
    if at_once:
        watched.root.create_whole("/.waiting", b"one", digest=verified)
    else:
        with watched.root.create("/.waiting", digest=verified) as file:
            file.write(b"one")
    with watched.root.open("/.waiting", append=True) as file:
        file.write(b"two")
    watched.root.rename("/.waiting", "/f")
    assert watched.change().after == watched.real("/f")
    assert watched.real("/f") == watched.real("/f")._replace(digest=digest(b"onetwo"))  # type: ignore[union-attr]


def test_an_append(watched: Watched) -> None:
    watched.put("/f", b"a" * 3_000_000)
    before = watched.real("/f")
    with watched.root.open("/f", append=True) as file:
        file.write(b"b")
        file.write(b"c")
    assert watched.change() == Change("/f", before, watched.real("/f"))


def test_an_append_of_nothing_is_no_change(watched: Watched) -> None:
    watched.put("/f")
    with watched.root.open("/f", append=True):
        pass
    assert watched.told == []


def test_what_is_only_read_is_no_change(watched: Watched) -> None:
    watched.put("/d/f")
    with watched.root.open("/d/f") as file:
        file.read()
    watched.root.read("/d/f")
    watched.root.list("/d")
    assert watched.told == []


def test_links(watched: Watched) -> None:
    watched.put("/f", b"one")
    watched.root.symlink("f", "/l", owner=(5, 6))
    watched.root.link("/f", "/h")
    assert watched.told == [
        Change("/l", None, Standing("link", 5, 6, 0o777, target="f")),
        Change("/h", None, watched.real("/f")),
    ]


def test_removing(watched: Watched) -> None:
    watched.put("/f")
    watched.put("/d/e/f")
    file, directory = watched.real("/f"), watched.real("/d")
    watched.root.remove("/f")
    watched.root.remove("/d")
    watched.root.remove("/never/there")
    assert watched.told == [Change("/f", file, None), Change("/d", directory, None)]


def test_directories(watched: Watched) -> None:
    watched.put("/a/f")
    watched.root.make_directories("/a/b/c", 0o700)
    watched.root.make_directories("/a/b")
    assert watched.told == [
        Change("/a/b", None, watched.real("/a/b")),
        Change("/a/b/c", None, watched.real("/a/b/c")),
    ]


def test_directories_that_a_file_needs(watched: Watched) -> None:
    watched.root.write("/new/f", b"")
    assert [change.path for change in watched.told] == ["/new", "/new/f"]


@pytest.mark.parametrize(
    "change",
    [
        lambda root: root.chown("/f", (5, 6)),
        lambda root: root.chmod("/f", 0o600),
        lambda root: root.permit("/f", (-1, 6), 0o640),
    ],
)
def test_owners_and_modes_need_no_contents(watched: Watched, change: Callable[[Root], None]) -> None:
    watched.put("/f")
    before = watched.real("/f")
    change(watched.root)
    after = watched.real("/f")
    assert before is not None
    assert after is not None
    assert watched.change() == Change("/f", before._replace(digest=""), after._replace(digest=""))


def test_what_is_as_it_should_be_is_no_change(watched: Watched) -> None:
    watched.root.write("/f", b"x")
    watched.told.clear()
    watched.root.permit("/f", (0, 0), 0o644)
    watched.root.write("/f", b"x")
    assert watched.told == []


def test_contents_that_cannot_be_read_hinder_nothing(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad block in a file that goes anyway."""
    watched.put("/f")

    def broken(descriptor: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("ignition.host.files.path_change.os.read", broken)
    watched.root.write("/f", b"new")
    before, after = watched.change().before, watched.change().after
    assert before is not None
    assert after is not None
    assert (before.digest, before.unread) == ("", "Input/output error")
    assert after.digest == digest(b"new")


@pytest.mark.parametrize("append", [True, False])
def test_what_is_very_large_is_not_read(watched: Watched, append: bool) -> None:
    place = watched.put("/f")
    os.truncate(place, 1 << 40)
    if append:
        with watched.root.open("/f", append=True) as file:
            file.write(b"x")
    else:
        watched.root.remove("/f")
    before, after = watched.change().before, watched.change().after
    assert before is not None
    assert (before.size, before.digest, before.unread) == (1 << 40, "", "it is larger than 256 MiB")
    if append:
        assert after == before._replace(size=(1 << 40) + 1)


def test_a_failure_leaves_no_change_behind(watched: Watched) -> None:
    watched.put("/f")
    with pytest.raises(UnicodeEncodeError), watched.root.replace("/f") as file:
        file.write(b"half" + "\udc80".encode())
    with pytest.raises(OSError, match="/none"):
        watched.root.rename("/none", "/f")
    assert watched.told == []


def test_without_a_witness_nothing_is_digested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_each_tale_begins_where_the_last_one_ended(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[Any, ...]]
) -> None:
    """Whatever is done, what is told is what is there: nothing is left out, nothing made up."""
    watched = Watched(tmp_path_factory.mktemp("root"))
    known: dict[str, Standing | None] = {}
    for name, *arguments in changes:
        watched.told.clear()
        try:
            if name == "append":
                with watched.root.open(arguments[0], append=True) as file:
                    file.write(arguments[1])
            else:
                getattr(watched.root, name)(*arguments)
        except OSError:
            assert watched.told == [] or name == "write"
        for path, before, after in watched.told:
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
