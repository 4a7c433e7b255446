"""The log says where one is, once, and lets nothing secret through."""

from __future__ import annotations

import logging
import re
import socket
import threading
from pathlib import Path

import pytest

from ignition import log
from ignition.report import Entry, Report, Severity


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [re.sub(r"op\([0-9a-f]+\)", "op(N)", line) for line in capsys.readouterr().out.splitlines()]


def test_the_stdout_form_is_the_references(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    for say in (log.debug, log.info, log.notice, log.warning, log.error, log.critical):
        say("text with 100%s")
    assert said(capsys) == [
        "DEBUG    : text with 100%s",
        "INFO     : text with 100%s",
        "NOTICE   : text with 100%s",
        "WARNING  : text with 100%s",
        "ERROR    : text with 100%s",
        "CRITICAL : text with 100%s",
    ]


def test_operations_say_when_they_start_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    with log.prefix("files"), log.prefix("nodes"), log.step("writing /etc/x"):
        log.info("inside")
    assert said(capsys) == [
        "INFO     : files: nodes: op(N): [started]  writing /etc/x",
        "INFO     : files: nodes: op(N): inside",
        "INFO     : files: nodes: op(N): [finished] writing /etc/x",
    ]


def test_a_failure_is_logged_once_where_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    with pytest.raises(OSError, match="full"), log.step("outer"), log.step("inner"):
        raise OSError("disk full")
    assert [line for line in said(capsys) if "CRITICAL" in line] == [
        "CRITICAL : op(N): op(N): [failed]   inner: disk full"
    ]


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


def test_work_side_by_side_keeps_its_own_prefix(capsys: pytest.CaptureFixture[str]) -> None:
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
    assert sorted(said(capsys)) == ["INFO     : one: working", "INFO     : two: working"]


def test_held_back_lines_come_when_they_are_due(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    with log.prefix("disks"), log.collected() as held:
        log.info("second")
    log.info("first")
    log.release(held)
    assert said(capsys) == ["INFO     : first", "INFO     : disks: second"]


def test_a_report_is_logged_by_severity(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    log.report(Report.of([Entry(Severity.ERROR, "bad", ("a",)), Entry(Severity.WARNING, "odd", ("b",))]))
    assert said(capsys) == ["CRITICAL : error at $.a: bad", "WARNING  : warning at $.b: odd"]


def test_syslog_messages_carry_priority_name_and_pid(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        connection.connect(str(tmp_path / "log"))
        handler = log.SyslogHandler(connection)
        handler.emit(logging.LogRecord("ignition", log.NOTICE, "", 0, "hello %s", ("you",), None))
        connection.close()
        assert re.fullmatch(
            rb"<5>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d ignition\[\d+\]: hello you", syslog.recv(999)
        )


def test_journal_entries_have_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "journal"))
        monkeypatch.setattr(log, "JOURNAL_SOCKET", str(tmp_path / "journal"))
        log.journal("wrote it", {"IGNITION_PATH": "/x", "TWO_LINES": "a\nb"})
        entry = journal.recv(999).decode()
    assert entry == "MESSAGE=wrote it\nPRIORITY=6\nSYSLOG_IDENTIFIER=ignition\nIGNITION_PATH=/x\n"


def test_without_a_journal_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log.setup(to_stdout=True)
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(tmp_path / "none"))
    log.journal("wrote it", {})
    assert said(capsys) == ["INFO     : the journal cannot be reached: No such file or directory"]
