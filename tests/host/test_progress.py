"""Long work says that it goes on: at once, also beside other work, and on the console of a boot."""

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
from ignition.host.run import run, to_its_end

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
    """The log's lines since the last call."""
    log.setup(to_stdout=True)
    return lambda: capsys.readouterr().out.splitlines()


Out = Callable[[], list[str]]


class TestDownloads:
    def test_after_ten_seconds_and_then_at_intervals_that_grow_to_a_minute(
        self, clock: FakeClock, out: Out
    ) -> None:
        download = Download("GET http://u:***@h/f", clock)
        for second in range(1, 200):
            clock.time += 1
            download.at(second * 3 * MIB, 900 * MIB)
        assert out() == [
            f"INFO     : GET http://u:***@h/f: {seconds * 3}.0 of 900.0 MiB, 3.0 MiB/s"
            for seconds in (10, 30, 70, 130, 190)
        ]

    def test_what_is_quick_says_nothing(self, clock: FakeClock, out: Out) -> None:
        download = Download("GET x", clock)
        clock.time += 9.9
        download.at(10**9)
        assert out() == []

    def test_the_size_may_be_unknown(self, clock: FakeClock, out: Out) -> None:
        download = Download("GET x", clock)
        clock.time += 20
        download.at(5 * MIB)
        assert out() == ["INFO     : GET x: 5.0 MiB, 256 KiB/s"]

    def test_one_that_began_again_counts_from_there(self, clock: FakeClock, out: Out) -> None:
        download = Download("GET x", clock)
        clock.time += 10
        download.at(50 * MIB)
        clock.time += 20
        download.at(20 * MIB)
        assert out()[1] == "INFO     : GET x: 20.0 MiB, 1.0 MiB/s"


class Process:
    """A program that takes `seconds`; writes down how long it is waited for."""

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
        return to_its_end(process, Work("creating ext4 on /dev/vdb1", process.clock))  # type: ignore[arg-type]

    def test_after_ten_seconds_and_then_every_thirty(self, clock: FakeClock, out: Out) -> None:
        process = Process(clock, seconds=95)
        assert self.follow(process) == (b"out", b"err")
        assert out() == [
            f"INFO     : still creating ext4 on /dev/vdb1 ({seconds} s)" for seconds in (10, 40, 70)
        ]
        assert process.waits == [10, 30, 30, 30]

    def test_what_is_quick_says_nothing(self, clock: FakeClock, out: Out) -> None:
        self.follow(Process(clock, seconds=9))
        assert out() == []

    @pytest.mark.real_commands("sh", "cat")
    def test_nothing_that_a_program_reads_or_writes_is_lost(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It goes on only after it was said that it still runs; either side holds more than a pipe does."""
        go = tmp_path / "go"
        os.mkfifo(go)
        said: list[str] = []

        def say(text: str) -> None:
            said.append(text)
            if len(said) == 3:
                go.write_bytes(b"")

        monkeypatch.setattr(progress, "say", say)
        monkeypatch.setattr(progress, "PROGRAM_AFTER", 0.02)
        monkeypatch.setattr(progress, "PROGRAM_EVERY", 0.02)
        data = bytes(range(256)) * 4000
        script = f"echo first; echo ready >&2; cat {go}; cat"
        ran = run(Command(("sh", "-c", script), "waiting for the test", stdin=data))
        assert ran == Ran(0, "first\n" + data.decode("utf-8", "replace"), "ready\n")
        assert [text.partition(" (")[0] for text in said] == ["still waiting for the test"] * len(said)


class TestWhereItIsSaid:
    def test_at_once_though_the_lines_of_work_beside_other_work_wait(self, out: Out) -> None:
        with log.prefix("files"), log.hold_lines() as waiting:
            log.info("of the work")
            progress.say("still working")
            assert out() == ["INFO     : files: still working"]
        log.release(waiting)
        assert out() == ["INFO     : files: of the work"]

    def test_on_the_console_of_a_boot(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: Out
    ) -> None:
        console = tmp_path / "console"
        console.touch()
        monkeypatch.setattr(progress, "CONSOLE", str(console))
        monkeypatch.setattr(progress, "INITRAMFS", str(tmp_path / "initrd-release"))
        progress.say("still working")
        assert console.read_text() == ""
        (tmp_path / "initrd-release").touch()
        progress.say("still working (ü\x1b[2J)")
        assert console.read_bytes() == "\r\x1b[Kignition: still working (ü\\x1b[2J)\n".encode()
        assert len(out()) == 2

    def test_a_console_that_takes_nothing_stops_nobody(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: Out
    ) -> None:
        (tmp_path / "initrd-release").touch()
        monkeypatch.setattr(progress, "INITRAMFS", str(tmp_path / "initrd-release"))
        for console in (tmp_path / "missing", Path("/dev/full")):
            monkeypatch.setattr(progress, "CONSOLE", str(console))
            progress.say("still working")
        assert len(out()) == 2
