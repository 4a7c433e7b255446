# SPDX-License-Identifier: Apache-2.0
"""The predicted tree of a preview: predictions are readable, and nothing is written to disk."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ignition.host.users import read_accounts
from ignition.preview.tree import PredictedTree, Unseen
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


def test_predicted_files_are_readable_and_not_written(tree: Path) -> None:
    root, before = PredictedTree(str(tree)), tree_of(str(tree))
    with only_looking():
        root.predict_file("/etc/passwd", b"core:x:1:1::/home/core:\n")
        root.predict_file("/lib/systemd/system/a.service", b"[Install]\nWantedBy=x.target\n")
        root.predict_symlink("/etc/systemd/system/b.service", "/dev/null")
        root.predict_removal("/var/lib/app/data")
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


def test_predicted_mount_hides_files_below_it(tree: Path) -> None:
    root = PredictedTree(str(tree))
    root.predict_mount("/var")
    assert stat.S_ISDIR(root.lstat("/var").st_mode)
    assert root.list("/var") == []
    for path in ("/var/lib", "/var/lib/app/data", "/v/lib/app/data", "/var/none"):
        assert not root.exists(path), path
        assert not root.is_file(path), path
    assert root.follow("/v/lib/x") == "/var/lib/x"
    assert root.mount_id("/var") != root.mount_id("/")
    assert root.exists("/etc/passwd")


def test_predicted_mount_creates_directories_above_it(tree: Path) -> None:
    root = PredictedTree(str(tree))
    root.predict_mount("/srv/data")
    assert stat.S_ISDIR(root.lstat("/srv").st_mode)
    assert stat.S_ISDIR(root.lstat("/srv/data").st_mode)
    assert not root.exists("/srv/other")
    assert root.follow("/srv/data/x") == "/srv/data/x"


@pytest.mark.parametrize("mountpoint", ["/var", "/srv/data"])
@pytest.mark.parametrize("below", ["/lib", "/lib/app/data", "/nothing/there"])
def test_path_below_unseen_mount_raises_unseen(tree: Path, mountpoint: str, below: str) -> None:
    root = PredictedTree(str(tree))
    root.predict_mount(mountpoint, "it is not mounted")
    with pytest.raises(Unseen, match="it is not mounted"):
        root.find(mountpoint + below)
    assert root.find(mountpoint) is not None
