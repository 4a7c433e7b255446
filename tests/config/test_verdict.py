# SPDX-License-Identifier: Apache-2.0
"""Verdicts: each finding has a code, a position and a hint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.config.codes import codes
from ignition.config.parse import check
from ignition.config.verdict import Verdict, judge, unreadable
from ignition.diagnostics import Severity
from tests.corpus import ALL, GOOD


@pytest.mark.parametrize("name", GOOD)
def test_valid_document_has_no_findings(name: str) -> None:
    verdict = judge(GOOD[name], name)
    assert (verdict.valid, verdict.findings) == (True, ())
    assert verdict.version


@pytest.mark.parametrize("name", ALL)
def test_verdict_matches_report_of_check(name: str) -> None:
    checked, verdict = check(ALL[name]), judge(ALL[name], name)
    assert verdict.valid == (checked.failure is None)
    shown = [(f.entry.severity, f.entry.path, f.entry.position, f.entry.message) for f in verdict.findings]
    told = [(e.severity, e.path, e.position, e.message) for e in checked.report]
    assert shown[: len(told)] == told
    assert len(shown) == len(told) or not checked.report.is_fatal
    assert all(finding.entry.code in codes() for finding in verdict.findings)


@pytest.mark.parametrize(
    ("data", "code", "column", "message", "hint"),
    [
        (b"", "empty", 0, "is empty", '{"ignition": {"version": "3.6.0"}}'),
        (b"{}", "spec-version", 2, "is missing", '"version": "3.6.0"'),
        (b'{"ignition": {}}', "spec-version", 15, "is missing", '"version": "3.6.0"'),
        (b'{"ignition": {"version": "2.2.0"}}', "spec-version", 26, "not supported", "translate"),
        (b'{"ignition": {"version": "3"}}', "spec-version", 26, "three numbers", "3.0.0"),
    ],
)
def test_rejected_document_has_one_finding(
    data: bytes, code: str, column: int, message: str, hint: str
) -> None:
    verdict = judge(data, "x.ign")
    (finding,) = verdict.findings
    assert (verdict.valid, verdict.version) == (False, None)
    assert (finding.entry.severity, finding.entry.code) == (Severity.ERROR, code)
    assert finding.character == column
    assert message in finding.entry.message
    assert hint in finding.entry.hint


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ('"mode": "0644"', "JSON numbers are decimal; for 0644 write 420"),
        ('"mode": "0o755"', "JSON numbers are decimal; for 0755 write 493"),
        ('"mode": "420"', "write 420 for the decimal number, or 272 for the octal mode 0420"),
        ('"mode": "9"', "remove the quotes"),
        ('"overwrite": "true"', "remove the quotes"),
        ('"overwrite": "yes"', ""),
        ('"overwrite": 1', ""),
        ('"contents": "1"', ""),
    ],
)
def test_wrong_type_hint_shows_intended_value(value: str, hint: str) -> None:
    data = f'{{"ignition": {{"version": "3.4.0"}}, "storage": {{"files": [{{"path": "/a", {value}}}]}}}}'
    (finding,) = judge(data.encode(), "x.ign").findings
    assert (finding.entry.code, finding.entry.hint) == ("wrong-type", hint)


def test_unreadable_file_is_invalid() -> None:
    verdict = unreadable("x.ign", "No such file or directory")
    assert not verdict.valid
    assert [finding.entry.code for finding in verdict.findings] == ["unreadable"]


def mutated(data: bytes, start: int, length: int, instead: bytes) -> bytes:
    return data[:start] + instead + data[start + length :]


@given(
    st.builds(
        mutated,
        st.sampled_from([data for data in ALL.values() if len(data) < 2000]),
        st.integers(0, 400),
        st.integers(0, 12),
        st.one_of(
            st.binary(max_size=6), st.sampled_from([b'"', b"{", b"[", b",", b"null", b"\n", b"3", b"}}"])
        ),
    )
)
def test_judge_of_damaged_document_never_raises(data: bytes) -> None:
    verdict = judge(data, "x.ign")
    assert isinstance(verdict, Verdict)
    assert verdict.valid == (verdict.count(Severity.ERROR) == 0)
