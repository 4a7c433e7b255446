# SPDX-License-Identifier: Apache-2.0
"""Progress messages of downloads and programs, in the log and on the console."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ignition import log
from ignition.host import progress
from ignition.host.command import Command, Ran
from ignition.host.progress import Download, Work
from ignition.host.run import communicate, run

MIB = 2**20


@dataclass
class FakeClock:
    time: float = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return the log lines since the last call."""
    log.setup(to_stdout=True)
    return lambda: capsys.readouterr().out.splitlines()


Out = Callable[[], list[str]]


class TestDownloads:
    def test_download_reports_at_growing_intervals(self, clock: FakeClock, out: Out) -> None:
        download = Download("GET http://u:***@h/f", clock)
        for second in range(1, 200):
            clock.time += 1
            download.update(second * 3 * MIB, 900 * MIB)
        assert out() == [
            f"INFO     : GET http://u:***@h/f: {seconds * 3}.0 of 900.0 MiB, 3.0 MiB/s"
            for seconds in (10, 30, 70, 130, 190)
        ]

    def test_short_work_reports_nothing(self, clock: FakeClock, out: Out) -> None:
        download = Download("GET x", clock)
        clock.time += 9.9
        download.update(10**9)
        assert out() == []

    def test_download_of_unknown_size_reports_received_bytes(self, clock: FakeClock, out: Out) -> None:
        download = Download("GET x", clock)
        clock.time += 20
        download.update(5 * MIB)
        assert out() == ["INFO     : GET x: 5.0 MiB, 256 KiB/s"]

    def test_restarted_download_counts_from_zero(self, clock: FakeClock, out: Out) -> None:
        download = Download("GET x", clock)
        clock.time += 10
        download.update(50 * MIB)
        clock.time += 20
        download.update(20 * MIB)
        assert out()[1] == "INFO     : GET x: 20.0 MiB, 1.0 MiB/s"


class Process:
    """A program that takes `seconds`; `waits` are the timeouts of the calls."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self.clock = clock
        self.end = clock.time + seconds
        self.waits: list[float] = []

    def communicate(self, timeout: float) -> tuple[bytes, bytes]:
        self.waits.append(timeout)
        if self.clock.time + timeout < self.end:
            self.clock.time += timeout
            raise subprocess.TimeoutExpired("mkfs.ext4", timeout)
        self.clock.time = self.end
        return b"out", b"err"


class TestPrograms:
    def follow(self, process: Process) -> tuple[bytes, bytes]:
        return communicate(process, Work("creating ext4 on /dev/vdb1", process.clock))  # type: ignore[arg-type]

    def test_program_reports_after_ten_seconds_then_every_thirty(self, clock: FakeClock, out: Out) -> None:
        process = Process(clock, seconds=95)
        assert self.follow(process) == (b"out", b"err")
        assert out() == [
            f"INFO     : still creating ext4 on /dev/vdb1 ({seconds} s)" for seconds in (10, 40, 70)
        ]
        assert process.waits == [10, 30, 30, 30]

    def test_short_work_reports_nothing(self, clock: FakeClock, out: Out) -> None:
        self.follow(Process(clock, seconds=9))
        assert out() == []

    @pytest.mark.real_commands("sh", "cat")
    def test_reports_lose_no_input_or_output(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The program continues only after three reports; input and output are larger than a pipe."""
        go = tmp_path / "go"
        os.mkfifo(go)
        reported: list[str] = []

        def report(text: str) -> None:
            reported.append(text)
            if len(reported) == 3:
                go.write_bytes(b"")

        monkeypatch.setattr(progress, "report", report)
        monkeypatch.setattr(progress, "PROGRAM_AFTER", 0.02)
        monkeypatch.setattr(progress, "PROGRAM_EVERY", 0.02)
        data = bytes(range(256)) * 4000
        script = f"echo first; echo ready >&2; cat {go}; cat"
        ran = run(Command(("sh", "-c", script), "waiting for the test", stdin=data))
        assert ran == Ran(0, "first\n" + data.decode("utf-8", "replace"), "ready\n")
        assert [text.partition(" (")[0] for text in reported] == ["still waiting for the test"] * len(
            reported
        )


class TestOutput:
    def test_report_is_not_held_back_with_lines_of_parallel_work(self, out: Out) -> None:
        with log.prefix("files"), log.hold_lines() as waiting:
            log.info("of the work")
            progress.report("still working")
            assert out() == ["INFO     : files: still working"]
        log.release(waiting)
        assert out() == ["INFO     : files: of the work"]

    def test_report_goes_to_the_console_in_an_initramfs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: Out
    ) -> None:
        console = tmp_path / "console"
        console.touch()
        monkeypatch.setattr(progress, "CONSOLE", str(console))
        monkeypatch.setattr(progress, "INITRAMFS", str(tmp_path / "initrd-release"))
        progress.report("still working")
        assert console.read_text() == ""
        (tmp_path / "initrd-release").touch()
        progress.report("still working (ü\x1b[2J)")
        assert console.read_bytes() == "\r\x1b[Kignition: still working (ü\\x1b[2J)\n".encode()
        assert len(out()) == 2

    def test_unusable_console_is_ignored(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: Out
    ) -> None:
        (tmp_path / "initrd-release").touch()
        monkeypatch.setattr(progress, "INITRAMFS", str(tmp_path / "initrd-release"))
        for console in (tmp_path / "missing", Path("/dev/full")):
            monkeypatch.setattr(progress, "CONSOLE", str(console))
            progress.report("still working")
        assert len(out()) == 2
