"""The tree of a preview: what it is told shows, everything else is refused, nothing reaches the disk."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ignition.host.users import read_accounts
from ignition.preview.tree import PreviewRoot, Unseen
from ignition.stages.files.systemd.lookup import UnitFiles
from tests.lab.readonly import only_looking
from tests.stages.files.lab import tree_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("etc", "var/lib/app", "usr/lib/systemd/system"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (tmp_path / "var/lib/app/data").write_text("old")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "v").symlink_to("/var")
    return tmp_path


def test_what_is_written_is_read_and_stays_in_memory(tree: Path) -> None:
    root, before = PreviewRoot(str(tree)), tree_of(str(tree))
    with only_looking():
        root.write("/etc/passwd", b"core:x:1:1::/home/core:\n")
        root.write("/lib/systemd/system/a.service", b"[Install]\nWantedBy=x.target\n")
        root.symlink("/dev/null", "/etc/systemd/system/b.service")
        root.remove("/var/lib/app/data")
        assert list(read_accounts(root).users) == ["core"]
        assert root.is_file("/usr/lib/systemd/system/a.service")
        assert root.list("/usr/lib/systemd/system") == ["a.service"]
        assert root.list("/etc/systemd/system") == ["b.service"]
        assert stat.S_ISLNK(root.lstat("/etc/systemd/system/b.service").st_mode)
        assert root.readlink("/etc/systemd/system/b.service") == "/dev/null"
        assert not root.exists("/var/lib/app/data")
        assert root.list("/var/lib/app") == []
        assert UnitFiles(root).lookup("a.service") is not None
    assert tree_of(str(tree)) == before


def test_a_new_file_system_hides_what_is_below_it(tree: Path) -> None:
    root = PreviewRoot(str(tree))
    root.will_mount("/var")
    assert stat.S_ISDIR(root.lstat("/var").st_mode)
    assert root.list("/var") == []
    for path in ("/var/lib", "/var/lib/app/data", "/v/lib/app/data", "/var/none"):
        assert not root.exists(path), path
        assert not root.is_file(path), path
    assert root.follow("/v/lib/x") == "/var/lib/x"
    assert root.mount_id("/var") != root.mount_id("/")
    assert root.exists("/etc/passwd")


def test_the_way_to_a_mount_point_is_made(tree: Path) -> None:
    root = PreviewRoot(str(tree))
    root.will_mount("/srv/data")
    assert stat.S_ISDIR(root.lstat("/srv").st_mode)
    assert stat.S_ISDIR(root.lstat("/srv/data").st_mode)
    assert not root.exists("/srv/other")
    assert root.follow("/srv/data/x") == "/srv/data/x"


@pytest.mark.parametrize("mountpoint", ["/var", "/srv/data"])
@pytest.mark.parametrize("below", ["/lib", "/lib/app/data", "/nothing/there"])
def test_what_cannot_be_seen_is_neither_there_nor_not(tree: Path, mountpoint: str, below: str) -> None:
    root = PreviewRoot(str(tree))
    root.will_mount(mountpoint, "it is not mounted")
    with pytest.raises(Unseen, match="it is not mounted"):
        root.find(mountpoint + below)
    assert root.find(mountpoint) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda root: root.make_directories("/x"),
        lambda root: root.replace("/x"),
        lambda root: root.create("/x"),
        lambda root: root.open("/etc/passwd", append=True),
        lambda root: root.rename("/etc/passwd", "/x"),
        lambda root: root.link("/etc/passwd", "/x"),
        lambda root: root.chown("/etc/passwd", (1, 1)),
        lambda root: root.chmod("/etc/passwd", 0),
        lambda root: root.permit("/etc/passwd", (1, 1)),
        lambda root: root.sync(["/"]),
        lambda root: root.acting_as(1, 1),
    ],
)
def test_every_other_change_is_refused(tree: Path, change: Callable[[PreviewRoot], object]) -> None:
    with pytest.raises(RuntimeError, match="a preview would have changed the machine"):
        change(PreviewRoot(str(tree)))
