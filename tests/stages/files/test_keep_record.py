# SPDX-License-Identifier: Apache-2.0
"""The copy of the provisioning record in the target root."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ignition import distro, log
from ignition.boot import record
from ignition.boot.record import Record
from ignition.boot.state import State
from ignition.host.root import Root
from ignition.stages.files import STEPS
from ignition.stages.files.keep_record import KeepRecord, copy_after_failure, copy_record
from ignition.stages.files.sync import Sync
from tests.host.fakes import FakeHost
from tests.stages.files.lab import config_of, local, run_steps

KEPT = "/var/log/ignition"
NOTHING = config_of()


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "host")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """A record that is being written."""
    (tmp_path / "boot_id").write_text("this-boot\n")
    monkeypatch.setenv("IGNITION_BOOT_ID_PATH", str(tmp_path / "boot_id"))
    kept = Record(str(tmp_path / "run" / "record.jsonl"))
    kept.begin("files")
    with record.writing(kept):
        yield kept
    kept.close()


def texts(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def in_target(host: FakeHost, name: str = "this-boot") -> Path:
    return local(host, f"{KEPT}/{name}.jsonl")


def test_record_copy_has_earlier_and_later_lines(host: FakeHost, kept: Record) -> None:
    kept.write({"text": "before"})
    run_steps([KeepRecord()], NOTHING, host)
    kept.write({"text": "after"})
    kept.end()
    kept.close()
    assert in_target(host).read_text() == Path(kept.path).read_text()
    told = texts(in_target(host))
    assert [line.get("text", line.get("action")) for line in told[1:-1]] == [
        "before",
        'copying the record to "/var/log/ignition"',
        "after",
    ]
    assert told[-1]["ended"] == "passed"


def test_record_copy_is_private(host: FakeHost, kept: Record) -> None:
    copy_record(kept, host.root)
    assert in_target(host).stat().st_mode & 0o7777 == 0o600
    assert in_target(host).parent.stat().st_mode & 0o7777 == 0o700
    assert local(host, "/var/log").stat().st_mode & 0o7777 == 0o755


def test_records_of_other_boots_stay(host: FakeHost, kept: Record) -> None:
    host.root.write(f"{KEPT}/other-boot.jsonl", b"earlier\n", mode=0o600)
    copy_record(kept, host.root)
    assert in_target(host, "other-boot").read_text() == "earlier\n"


def test_record_copy_of_failed_try_is_replaced(host: FakeHost, kept: Record) -> None:
    copy_after_failure("files", NOTHING, host.root)
    kept.end(OSError("no"))
    kept.close()
    failed = in_target(host).read_text()
    again = Record(kept.path)
    again.begin("files")
    with record.writing(again):
        copy_record(again, host.root)
    again.end()
    again.close()
    assert in_target(host).read_text() == failed + "".join(Path(kept.path).read_text().partition(failed)[2])
    assert [line.get("ended") for line in texts(in_target(host))] == [None, "failed", None, "passed"]


def test_record_copy_is_labelled_and_synced(host: FakeHost, kept: Record) -> None:
    """Lines written after the sync reach the disk by normal writeback."""
    copy_record(kept, host.root)
    assert any(f"{KEPT}/".startswith(f"{path}/") for path in host.root.touched)
    assert KEPT in Sync().observe(NOTHING, host, State())
    steps = [step.name for step in STEPS]
    assert steps.index("record") < steps.index("relabel") < steps.index("sync")


def test_record_does_not_list_its_own_copy(host: FakeHost, kept: Record) -> None:
    root = Root(host.root.path, record.add_change)
    object.__setattr__(host, "root", root)
    run_steps([KeepRecord()], NOTHING, host)
    assert [each["path"] for each in texts(in_target(host))[1]["changes"]] == ["/var", "/var/log", KEPT]


def test_record_directory_is_configurable(
    host: FakeHost, kept: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGNITION_RECORD_DIRECTORY", "/etc/made-by")
    assert distro.record_directory() == "/etc/made-by"
    copy_record(kept, host.root)
    assert local(host, "/etc/made-by/this-boot.jsonl").exists()
    assert not local(host, "/var").exists()


def test_record_copy_through_symlink_stays_in_root(host: FakeHost, kept: Record, tmp_path: Path) -> None:
    local(host, "/var").mkdir()
    local(host, "/var/log").symlink_to("/elsewhere")
    copy_record(kept, host.root)
    assert local(host, "/elsewhere/ignition/this-boot.jsonl").exists()


def test_failed_record_copy_does_not_fail_stage(
    host: FakeHost, kept: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    log.setup(to_stdout=True)
    host.root.write("/var/log", b"a file")
    run_steps([KeepRecord()], NOTHING, host)
    kept.end()
    assert f"cannot copy the record {kept.path}" in capsys.readouterr().out
    assert texts(Path(kept.path))[-1]["ended"] == "passed"
    assert local(host, "/var/log").read_text() == "a file"


def test_record_without_boot_id_is_named_by_time(
    host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGNITION_BOOT_ID_PATH", str(tmp_path / "none"))
    kept = Record(str(tmp_path / "record.jsonl"))
    kept.begin("files")
    copy_record(kept, host.root)
    kept.close()
    (name,) = host.root.list(KEPT)
    assert name.startswith("unknown-boot-2")


def test_no_record_no_copy(host: FakeHost) -> None:
    """As when a config is applied to the tree of an image, which must be reproducible."""
    run_steps([KeepRecord()], NOTHING, host)
    copy_after_failure("files", NOTHING, host.root)
    assert not local(host, "/var").exists()


class TestCopyAfterFailure:
    @pytest.mark.parametrize(
        ("stage", "mounted", "kept_there"),
        [
            ("files", "/var", True),
            ("mount", "/srv", True),
            ("umount", "/var/lib", True),
            ("mount", "/var", False),
            ("mount", "/var/log/ignition", False),
            ("umount", "/", False),
            ("disks", "/srv", False),
            ("kargs", "/srv", False),
        ],
    )
    def test_record_copy_after_failure_is_written_when_reachable(
        self, host: FakeHost, kept: Record, stage: str, mounted: str, kept_there: bool
    ) -> None:
        config = config_of(storage={"filesystems": [{"device": "/dev/a", "format": "ext4", "path": mounted}]})
        copy_after_failure(stage, config, host.root)
        kept.end(OSError("no"))
        assert in_target(host).exists() is kept_there
        if kept_there:
            assert texts(in_target(host))[-1]["ended"] == "failed"

    def test_failed_record_copy_after_failure_is_logged(
        self, host: FakeHost, kept: Record, capsys: pytest.CaptureFixture[str]
    ) -> None:
        log.setup(to_stdout=True)
        host.root.write("/var", b"a file")
        copy_after_failure("files", NOTHING, host.root)
        assert f"cannot copy the record {kept.path} into" in capsys.readouterr().out
