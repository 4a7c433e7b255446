# SPDX-License-Identifier: Apache-2.0
"""`ignition initramfs`: its command line, and one of its three actions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ignition.errors import IgnitionError
from ignition.initramfs import image, packer, sizes
from ignition.verbs import initramfs

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--output=/x", "--check=/y"],
        ["--sizes", "--output=/x"],
        ["--output=/x", "more"],
        ["--output="],
        ["--sizes=false"],
        ["--unknown"],
        ["--output"],
    ],
)
def test_command_line_without_exactly_one_action_is_exit_status_2(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        initramfs.main(arguments)
    assert ended.value.code == 2
    assert "usage: ignition initramfs" in capsys.readouterr().err


def test_help_is_exit_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        initramfs.main(["--help"])
    assert ended.value.code == 0
    assert "--output DIR" in capsys.readouterr().out


def test_output_prints_needed_system_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[Path] = []

    def collected(root: Path) -> list[str]:
        asked.append(root)
        return ["/etc/ssl/bundle.crt", "/usr/lib/libz.so.1"]

    monkeypatch.setattr(packer, "pack", collected)
    monkeypatch.chdir(tmp_path)
    assert initramfs.main(["--output=initdir"]) == 0
    assert asked == [tmp_path / "initdir"]
    assert capsys.readouterr().out == "/etc/ssl/bundle.crt\n/usr/lib/libz.so.1\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            IgnitionError("no bundle", hint="install it"),
            "ignition initramfs: no bundle\n  hint: install it\n",
        ),
        (IgnitionError("no bundle"), "ignition initramfs: no bundle\n"),
        (PermissionError(13, "Permission denied", "/x"), "ignition initramfs: /x: permission denied\n"),
    ],
)
def test_failure_prints_message_and_is_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    def fails(_: Path) -> list[str]:
        raise error

    monkeypatch.setattr(packer, "pack", fails)
    assert initramfs.main(["--output=/x"]) == 1
    printed = capsys.readouterr()
    assert printed.err.endswith(said)
    assert printed.out == ""


def test_check_counts_files_of_image(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(image, "check", lambda path: 7 if path == Path("i.img") else 0)
    assert initramfs.main(["--check", "i.img"]) == 0
    assert capsys.readouterr().out == "i.img: all 7 files of the engine found\n"


def test_sizes_prints_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(packer, "pack", lambda _: ["/lib"])
    measured = sizes.Sizes(files=2, unpacked=30, compressed=10, largest=(("/a", 20),))
    monkeypatch.setattr(sizes, "measure", lambda tree, files: measured if files == ["/lib"] else None)
    assert initramfs.main(["--sizes"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"files": 2, "unpacked": 30, "compressed": 10, "largest": [["/a", 20]]}
