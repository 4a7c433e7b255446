"""`ignition initramfs`: one of three things, told apart by its one flag."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ignition.errors import IgnitionError
from ignition.initramfs import collect, image, sizes
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
def test_anything_but_exactly_one_action_is_a_usage_error(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert initramfs.main(arguments) == 2
    assert "Usage of ignition initramfs:" in capsys.readouterr().err


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert initramfs.main(["--help"]) == 0
    assert "-output" in capsys.readouterr().err


def test_output_prints_what_else_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[Path] = []

    def collected(root: Path) -> list[str]:
        asked.append(root)
        return ["/etc/ssl/bundle.crt", "/usr/lib/libz.so.1"]

    monkeypatch.setattr(collect, "collect", collected)
    monkeypatch.chdir(tmp_path)
    assert initramfs.main(["--output=initdir"]) == 0
    assert asked == [tmp_path / "initdir"]
    assert capsys.readouterr().out == "/etc/ssl/bundle.crt\n/usr/lib/libz.so.1\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IgnitionError("no bundle", hint="install it"), "ignition initramfs: no bundle\ninstall it\n"),
        (IgnitionError("no bundle"), "ignition initramfs: no bundle\n"),
        (PermissionError(13, "Permission denied", "/x"), "Permission denied: '/x'\n"),
    ],
)
def test_a_failure_is_told_and_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    def fails(_: Path) -> list[str]:
        raise error

    monkeypatch.setattr(collect, "collect", fails)
    assert initramfs.main(["--output=/x"]) == 1
    printed = capsys.readouterr()
    assert printed.err.endswith(said)
    assert printed.out == ""


def test_check_looks_into_the_image(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(image, "check", lambda path: 7 if path == Path("i.img") else 0)
    assert initramfs.main(["--check", "i.img"]) == 0
    assert capsys.readouterr().out == "i.img: all 7 files of the engine are there\n"


def test_sizes_are_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(collect, "collect", lambda _: ["/lib"])
    measured = sizes.Sizes(files=2, unpacked=30, compressed=10, largest=(("/a", 20),))
    monkeypatch.setattr(sizes, "measure", lambda tree, files: measured if files == ["/lib"] else None)
    assert initramfs.main(["--sizes"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"files": 2, "unpacked": 30, "compressed": 10, "largest": [["/a", 20]]}
