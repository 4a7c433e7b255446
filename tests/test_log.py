# SPDX-License-Identifier: Apache-2.0
"""The log: prefixes, sinks, and no secrets."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
from pathlib import Path

import pytest

from ignition import log
from ignition.diagnostics import Entry, Report, Severity


def logged_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [re.sub(r"op\([0-9a-f]+\)", "op(N)", line) for line in capsys.readouterr().out.splitlines()]


def test_stdout_lines_have_the_form_of_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    for say in (log.debug, log.info, log.notice, log.warning, log.error, log.critical):
        say("text with 100%s")
    assert logged_lines(capsys) == [
        "DEBUG    : text with 100%s",
        "INFO     : text with 100%s",
        "NOTICE   : text with 100%s",
        "WARNING  : text with 100%s",
        "ERROR    : text with 100%s",
        "CRITICAL : text with 100%s",
    ]


def test_operation_logs_start_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    with log.prefix("files"), log.prefix("nodes"), log.step("writing /etc/x"):
        log.info("inside")
    assert logged_lines(capsys) == [
        "INFO     : files: nodes: op(N): [started]  writing /etc/x",
        "INFO     : files: nodes: op(N): inside",
        "INFO     : files: nodes: op(N): [finished] writing /etc/x",
    ]


def test_failure_is_logged_by_the_innermost_operation_only(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    with pytest.raises(OSError, match="full"), log.step("outer"), log.step("inner"):
        raise OSError("disk full")
    assert [line for line in logged_lines(capsys) if "CRITICAL" in line] == [
        "CRITICAL : op(N): op(N): [failed]   inner: disk full"
    ]


def test_newline_in_path_does_not_start_a_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    with log.step('writing file "/a\nCRITICAL : forged \x1b[31m"'):
        log.info("a program said:\none\x1b[2J\n\ttwo — ü")
    started, *middle, finished = capsys.readouterr().out.splitlines()
    assert started.endswith(r'[started]  writing file "/a\nCRITICAL : forged \x1b[31m"')
    assert finished.endswith(r'[finished] writing file "/a\nCRITICAL : forged \x1b[31m"')
    assert middle[0].endswith("a program said:")
    assert middle[1:] == [r"one\x1b[2J", r"\ttwo — ü"]


def test_operation_numbers_count_up(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    with log.step("a"):
        pass
    with log.step("b"):
        pass
    numbers = [
        int(number, 16) for number in re.findall(r"op\(([0-9a-f]+)\): \[started", capsys.readouterr().out)
    ]
    assert numbers[1] == numbers[0] + 1


def test_parallel_work_keeps_its_own_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    barrier = threading.Barrier(2)

    def work(name: str) -> None:
        with log.prefix(name):
            barrier.wait(5)
            log.info("working")

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(logged_lines(capsys)) == ["INFO     : one: working", "INFO     : two: working"]


def test_held_lines_are_logged_on_release(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    with log.prefix("disks"), log.hold_lines() as held:
        log.info("second")
    log.info("first")
    log.release(held)
    assert logged_lines(capsys) == ["INFO     : first", "INFO     : disks: second"]


def test_report_is_logged_by_severity(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    log.report(Report.of([Entry(Severity.ERROR, "bad", ("a",)), Entry(Severity.WARNING, "odd", ("b",))]))
    assert logged_lines(capsys) == ["CRITICAL : error at $.a: bad", "WARNING  : warning at $.b: odd"]


def test_syslog_message_has_priority_name_and_pid(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        connection.connect(str(tmp_path / "log"))
        sink = log.Syslog(connection)
        sink(log.NOTICE, "hello 100%s")
        sink.close()
        assert re.fullmatch(
            rb"<5>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d ignition\[\d+\]: hello 100%s", syslog.recv(999)
        )


def test_journal_entries_have_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "journal"))
        monkeypatch.setattr(log, "JOURNAL_SOCKET", str(tmp_path / "journal"))
        log.journal("wrote it", {"IGNITION_PATH": "/x", "TWO_LINES": "a\nb"})
        entry = journal.recv(999).decode()
    assert entry == "MESSAGE=wrote it\nPRIORITY=6\nSYSLOG_IDENTIFIER=ignition\nIGNITION_PATH=/x\n"


def test_journal_without_socket_logs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log.setup(to_stdout=True)
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(tmp_path / "none"))
    log.journal("wrote it", {})
    log.journal("wrote something else", {})
    assert logged_lines(capsys) == ["INFO     : cannot send to the journal: no such file or directory"]


def test_unexpected_error_is_logged_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    """The text may contain contents of the config."""
    log.setup(to_stdout=True)
    with pytest.raises(KeyError), log.step("working"):
        raise KeyError("secret")
    failure = "internal error: KeyError (a bug in Ignition; please report it with the full log)"
    assert logged_lines(capsys)[-1] == f"CRITICAL : op(N): [failed]   working: {failure}"


def test_marked_error_is_not_logged_again(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    error = OSError("disk full")
    log.mark_logged(error)
    with pytest.raises(OSError, match="full"), log.step("working"):
        raise error
    assert "CRITICAL" not in capsys.readouterr().out


def test_unsendable_syslog_message_goes_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal may be restarted during the boot."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        monkeypatch.setattr(log, "SYSLOG_SOCKETS", (str(tmp_path / "none"), str(tmp_path / "log")))
        log.setup(to_stdout=False)
        log.info("before")
        assert syslog.recv(999).endswith(b": before")
    log.info("after")
    assert capsys.readouterr() == ("", "after\n")


def test_log_without_syslog_goes_to_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SYSLOG_SOCKETS", (str(tmp_path / "none"),))
    log.setup(to_stdout=False)
    log.info("hello")
    assert logged_lines(capsys) == ["INFO     : hello"]


@pytest.mark.parametrize("trouble", ["nobody reads on", "full"])
def test_closed_stdout_does_not_stop_work(trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if trouble == "full":
        writer = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, writer = os.pipe()
        os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        log.setup(to_stdout=True)
        for _ in range(3):
            log.info("to nobody")
        assert os.path.samestat(os.fstat(stdout.fileno()), os.stat(os.devnull))


def test_missing_stdout_does_not_stop_work(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    log.setup(to_stdout=True)
    log.info("to nobody")
    assert capfd.readouterr() == ("", "")


def test_library_log_goes_to_python_logger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "ignition")
    with log.prefix("files"):
        log.notice("100%s")
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("ignition", log.NOTICE, "files: 100%s")
    ]
