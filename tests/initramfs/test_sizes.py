# SPDX-License-Identifier: Apache-2.0
"""Size of what the engine adds to an initramfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.initramfs import sizes

pytestmark = pytest.mark.real_commands("tar", "zstd", "ldd")


def test_measure_counts_tree_and_system_files(tmp_path: Path) -> None:
    tree, brought = tmp_path / "tree", tmp_path / "brought.crt"
    (tree / "a").mkdir(parents=True)
    (tree / "a/one").write_bytes(b"1" * 1000)
    brought.write_bytes(b"2" * 5000)
    found = sizes.measure(tree, [str(brought)])
    assert (found.files, found.unpacked) == (2, 6000)
    assert 0 < found.compressed < 1000
    assert found.largest == ((str(brought), 5000), ("/a/one", 1000))


def test_measure_ignores_libraries_of_every_initramfs(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "one").write_text("1")
    (c_library,) = (path for path in sizes.libraries_of(["/usr/bin/mount"]) if Path(path).name == "libc.so.6")
    assert sizes.measure(tree, [c_library]).files == 1


def test_measure_counts_symlink_and_target_once(tmp_path: Path) -> None:
    tree, library = tmp_path / "tree", tmp_path / "libx.so.1.2"
    tree.mkdir()
    library.write_bytes(b"x" * 10)
    (tmp_path / "libx.so.1").symlink_to(library.name)
    found = sizes.measure(tree, [str(library), str(tmp_path / "libx.so.1")])
    assert (found.files, found.unpacked) == (1, 10)
