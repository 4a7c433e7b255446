# SPDX-License-Identifier: Apache-2.0
"""Tools of the tests: cache, guests, and console output."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.lab import cache, demo, guest
from tests.lab.commands import LabError, run
from tests.lab.firstboot import Proof, StageTime, finished, proofs, stage_times
from tests.lab.guest import Boot, Disk, Guest, Line
from tests.lab.kernel import Kernel


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "file").write_text("content")
    return folder


def test_digest_covers_content_names_and_modes_without_byte_code(tree: Path) -> None:
    seen = {cache.digest([tree])}
    (tree / "__pycache__" / "file.pyc").write_text("compiled")
    assert cache.digest([tree]) in seen
    (tree / "file").write_text("changed")
    seen.add(cache.digest([tree]))
    (tree / "file").chmod(0o755)
    seen.add(cache.digest([tree]))
    (tree / "file").rename(tree / "other")
    seen.add(cache.digest([tree]))
    assert len(seen) == 4


def test_digest_separates_its_parts() -> None:
    assert cache.digest(["ab", "c"]) != cache.digest(["a", "bc"])


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ignition-lab"


def test_cache_makes_folder_once_per_key(own_cache: Path) -> None:
    made: list[str] = []

    def make(folder: Path) -> None:
        made.append(folder.name)
        (folder / "thing").write_text("made")

    folders = [cache.made("image", key, make) for key in ("a", "a", "b")]
    assert [folder.name for folder in folders] == ["image-a", "image-a", "image-b"]
    assert len(made) == 2
    assert (own_cache / "image-b" / "thing").read_text() == "made"


def test_cache_discards_folder_after_failure(own_cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise LabError("no space")

    with pytest.raises(LabError):
        cache.made("image", "a", fail)
    assert not (own_cache / "image-a").exists()
    folder = cache.made("image", "a", lambda folder: None)
    assert list(folder.iterdir()) == []


def test_cache_keeps_last_three_and_recently_used_folders(own_cache: Path) -> None:
    minutes = {"a": 300, "b": 240, "c": 180, "d": 120, "e": 20, "f": 10, "g": 5}
    for key, age in minutes.items():
        folder = cache.made("image", key, lambda folder: None)
        os.utime(folder, times=(0, time.time() - 60 * age))
    cache.made("kernel", "a", lambda folder: None)
    cache.made("image", "a", lambda folder: None)
    kept = {folder.name for folder in own_cache.iterdir() if folder.is_dir()}
    assert kept == {"image-a", "image-e", "image-f", "image-g", "kernel-a"}


@pytest.mark.real_commands("sh")
def test_run_failed_program_is_error_with_stderr() -> None:
    with pytest.raises(LabError, match=r"status 3:\nwhy"):
        run("sh", "-c", "echo why >&2; exit 3")


def test_run_missing_program_is_error_with_name() -> None:
    with pytest.raises(LabError, match='program "no-such-program" not found'):
        run("no-such-program")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(guest, "accelerator", lambda kernel: ("-accel", "tcg"))
    disk = Disk.empty(tmp_path / "data.img", "data", 1 << 20)
    assert disk.file.stat().st_size == 1 << 20
    kernel = Kernel("6.1", tmp_path)
    return Guest(
        kernel, tmp_path / "initramfs", tmp_path / "root.img", tmp_path / "a,b.ign", (disk,), port=8080
    ).command()


def test_guest_network_is_restricted_to_server(command: list[str]) -> None:
    (nic,) = (value for flag, value in pairwise(command) if flag == "-nic")
    assert nic == ("user,model=virtio-net-pci,restrict=on,guestfwd=tcp:10.0.2.100:80-cmd:nc 127.0.0.1 8080")


def test_guest_root_image_is_snapshot(command: list[str]) -> None:
    (root,) = (value for value in command if "root.img" in value)
    assert "snapshot=on" in root.split(",")


def test_guest_config_is_fw_cfg_file(command: list[str], tmp_path: Path) -> None:
    assert f"name=opt/com.coreos/config,file={tmp_path}/a,,b.ign" in command


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("[\x1b[0;32m  OK  \x1b[0m] Started it.\r", "[  OK  ] Started it."),
        ("old text\rnew\r", "new"),
        ("\x1b[?2004lplain   ", "plain"),
    ],
)
def test_console_line_is_read_as_displayed(raw: str, shown: str) -> None:
    assert guest._plain(raw) == shown


def boot_with(*texts: str, powered_off: bool = True) -> Boot:
    return Boot(tuple(Line(float(n), text) for n, text in enumerate(texts)), powered_off=powered_off)


def test_proofs_and_times_are_found_among_other_console_lines() -> None:
    outcome = boot_with(
        "lab login: PROOF ok hostname: ignited",
        'PROOF FAILED user: expected "a", found "b"',
        'PROOF stage {"stage": "disks", "started": 4.5, "ended": 6.25}',
        "PROOF done, 1 failed",
    )
    assert proofs(outcome) == [
        Proof("hostname", "ignited", holds=True),
        Proof("user", 'expected "a", found "b"', holds=False),
    ]
    assert stage_times(outcome) == [StageTime("disks", 4.5, 6.25)]
    assert not finished(outcome)


def test_finished_requires_all_proofs_and_power_off() -> None:
    assert finished(boot_with("PROOF done, 0 failed"))
    assert not finished(boot_with("PROOF done, 0 failed", powered_off=False))
    assert not finished(boot_with("PROOF done, 10 failed"))
    assert not finished(boot_with("reboot: Power down"))


def test_demo_failure_shows_reason() -> None:
    stopped = boot_with("noise", "Provisioning failed. ...", "cause    it", powered_off=False)
    assert "cause    it" in demo._why(stopped)
    assert "hostname: expected" in demo._why(boot_with('PROOF FAILED hostname: expected "a", found "b"'))
    assert "before its checks ended" in demo._why(boot_with("reboot: Power down"))
