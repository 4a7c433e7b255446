# SPDX-License-Identifier: Apache-2.0
"""Parsing: accepted documents, reports and errors.

Source: docs/reference/config-language.md, "Accepting a document" and "Reports".
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ignition.config.parse import check, parse
from ignition.errors import ConfigError, EmptyConfig, IgnitionError
from ignition.schemas.spec import LATEST, Spec
from tests.config.documents import broken, document


@pytest.mark.parametrize("spec", list(Spec))
def test_parse_upgrades_each_version_to_newest(spec: Spec) -> None:
    parsed = parse(b'{"ignition":{"version":"%s"}}' % spec.version.encode(), source="x")
    assert (parsed.spec, parsed.source, len(parsed.report)) == (spec, "x", 0)
    assert parsed.config.ignition.version == LATEST.version


@pytest.mark.parametrize("version", ["03.0.0", "3.00.0", "3.0.0-", "3.0.0+", "3.007.0-experimental"])
def test_version_with_leading_zeros_is_accepted(version: str) -> None:
    assert (
        parse(json.dumps({"ignition": {"version": version}}).encode()).config.ignition.version
        == LATEST.version
    )


def test_only_zero_bytes_are_empty_config() -> None:
    with pytest.raises(EmptyConfig):
        parse(b"")
    with pytest.raises(ConfigError):
        parse(b"\n")


@pytest.mark.parametrize(
    "data",
    [
        b" \n",
        b"{",
        b"[]",
        b"5",
        b'"x"',
        b"true",
        b'{"ignition":{"version":"3.0.0"}} x',
        b'{"ignition":{"version":"3.0.0"},}',
        b'{"ignition":{"version":NaN}}',
        b'{"ignition":{"version":3}}',
        b'{"ignition":"3.0.0"}',
        b"// x\n{}",
    ],
)
def test_document_that_is_no_config_has_one_error_without_path(data: bytes) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(data)
    assert [entry.path for entry in raised.value.report] == [None]
    assert raised.value.report.is_fatal


@pytest.mark.parametrize(
    "document",
    [
        "null",
        "{}",
        '{"ignition":{}}',
        '{"ignition":{"version":null}}',
        '{"ignition":{"version":""}}',
        *(
            f'{{"ignition":{{"version":"{version}"}}}}'
            for version in (
                "3",
                "3.0",
                "3.0.0.0",
                "a.b.c",
                "3.0.x",
                "3.0.0+x",
                "3.0.0-x",
                "3.0.0-é",
                "3.7.0",
                "3.6.0-experimental",
                "3.8.0-experimental",
                "2.3.0",
                "1.0.0",
                " 3.0.0",
                "+3.0.0",
                "٣.0.0",
                "99999999999999999999.0.0",
            )
        ),
    ],
)
def test_unknown_version_fails_without_report(document: str) -> None:
    with pytest.raises(ConfigError, match="version") as raised:
        parse(document.encode())
    assert not raised.value.report
    assert "3.6.0" in raised.value.hint


def test_spec_2_hint_says_to_translate() -> None:
    with pytest.raises(ConfigError) as raised:
        parse(b'{"ignition":{"version":"2.3.0"}}')
    assert raised.value.hint.startswith("translate the config")


def test_entries_are_in_order_of_reference() -> None:
    checked = check(
        b'{"ignition":{"version":"3.3.0","config":{"merge":[{},{}]}},"storage":{"files":[{"path":"a","x":1}],'
        b'"directories":[{"path":"b"}]},"passwd":{"groups":[{"name":"g"},{"name":"g"}]}}'
    )
    assert [entry.code for entry in checked.report] == [
        "source-missing",
        "source-missing",
        "path-relative",
        "path-relative",
        "duplicate",
        "duplicate",
        "unused-key",
    ]


def test_config_with_warnings_is_accepted() -> None:
    parsed = parse(b'{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/a","mode":2541,"x":0}]}}')
    assert [entry.code for entry in parsed.report] == ["mode-special-bits", "unused-key"]
    assert parsed.config.storage.files[0].mode == 0o755


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"#cloud-config\n", "cloud-init"),
        (b"#!/bin/sh\n", "script"),
        (b"variant: fcos\nversion: 1.5.0\n", "Butane"),
        (b"<html>", "HTML"),
    ],
)
def test_common_wrong_input_gets_hint(data: bytes, hint: str) -> None:
    (entry,) = check(data).report
    assert hint in entry.hint


def test_error_names_source() -> None:
    with pytest.raises(ConfigError, match=r"^the config from user\.ign is invalid$"):
        parse(b'{"ignition":{"version":"3.0.0"},"storage":{"files":[{}]}}', source="user.ign")


@pytest.mark.parametrize("spec", list(Spec))
def test_report_contains_no_secrets(spec: Spec) -> None:
    secret = "geheim"
    document = {
        "ignition": {"version": spec.version, "proxy": {"httpProxy": f"ftp://u:{secret}@p"}},
        "passwd": {"users": [{"name": "u", "passwordHash": secret}]},
        "storage": {
            "files": [
                {"path": "/a", "contents": {"source": f"http://u:{secret}@a:x"}},
                {"path": "/b", "contents": {"source": f"data:,{secret} {secret}"}},
                {
                    "path": "/c",
                    "contents": {"source": "http://a", "httpHeaders": [{"name": "", "value": secret}]},
                },
            ],
            "luks": [{"name": "l", "keyFile": {"source": f"data:{secret}"}}],
        },
        "systemd": {"units": [{"name": "u.service", "contents": secret + "\n[" + secret}]},
    }
    report = check(json.dumps(document).encode()).report
    assert report.is_fatal
    for entry in report:
        assert secret not in f"{entry} {entry.hint} {entry!r}"


class TestAnything:
    @given(st.binary(max_size=200))
    @settings(deadline=None)
    def test_check_of_any_bytes_never_raises(self, data: bytes) -> None:
        self.assert_checked(data)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=10,
        )
    )
    @settings(deadline=None)
    def test_check_of_any_json_never_raises(self, value: Any) -> None:
        self.assert_checked(json.dumps(value).encode())
        self.assert_checked(json.dumps({"ignition": {"version": "3.6.0"}, "storage": value}).encode())

    @given(st.integers(0, 10**9), st.sampled_from(list(Spec)))
    @settings(deadline=None)
    def test_check_of_random_configs_never_raises(self, seed: int, spec: Spec) -> None:
        data = document(seed, spec)
        self.assert_checked(data)
        self.assert_checked(broken(seed, data))

    def assert_checked(self, data: bytes) -> None:
        """Assert that only the documented errors are raised and each entry has a position."""
        checked = check(data)
        assert all(entry.position is not None for entry in checked.report)
        if checked.failure is None:
            assert not parse(data).report.is_fatal
        else:
            with pytest.raises(IgnitionError) as raised:
                parse(data)
            assert isinstance(raised.value, (EmptyConfig, ConfigError))
            assert str(raised.value)


class TestSize:
    """Time grows linearly with the input; the limits leave room for busy machines."""

    def seconds(self, data: bytes) -> float:
        start = time.process_time()
        check(data)
        return time.process_time() - start

    def test_ten_thousand_files_are_checked_in_time(self) -> None:
        files = [
            {"path": f"/f{index}", "mode": 420, "contents": {"source": "data:,hello"}}
            for index in range(10_000)
        ]
        data = json.dumps({"ignition": {"version": "3.6.0"}, "storage": {"files": files}}).encode()
        assert self.seconds(data) < 2

    def test_many_links_and_files_are_checked_in_time(self) -> None:
        storage = {
            "links": [{"path": f"/l{index}", "target": "t", "hard": True} for index in range(5_000)],
            "files": [{"path": f"/f{index}/x"} for index in range(5_000)],
            "disks": [
                {
                    "device": "/dev/a",
                    "partitions": [{"number": i + 1, "startMiB": i + 1, "sizeMiB": 1} for i in range(5_000)],
                }
            ],
        }
        data = json.dumps({"ignition": {"version": "3.6.0"}, "storage": storage}).encode()
        assert self.seconds(data) < 4

    @pytest.mark.parametrize(
        "data",
        [
            b"[" * 1_000_000,
            b'{"a":' * 200_000,
            b'"' + b"a" * 1_000_000,
            b'"' + b"\\n" * 500_000,
            b"1" * 1_000_000,
            b"-" * 1_000_000,
            b" " * 1_000_000,
            b'{"ignition":{"version":"' + b"1" * 1_000_000 + b'"}}',
        ],
        ids=lambda data: data[:8].decode(),
    )
    def test_long_run_of_one_token_is_checked_in_time(self, data: bytes) -> None:
        assert self.seconds(data) < 2

    def test_nesting_limit_is_ten_thousand_levels(self) -> None:
        def nested(levels: int) -> bytes:
            return b'{"ignition":{"version":"3.6.0"},"x":' + b"[" * levels + b"]" * levels + b"}"

        assert check(nested(9_999)).failure is None
        (entry,) = check(nested(10_000)).report
        assert "10000 levels" in entry.message
