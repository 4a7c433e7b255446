# SPDX-License-Identifier: Apache-2.0
"""Verified examples; docs/reference/config-language.md, "Test vectors"."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ignition.config.parse import check
from ignition.schemas.spec import Spec
from tests.config.shorthand import findings, verdict


def files(*files: dict[str, Any] | None) -> dict[str, Any]:
    return {"storage": {"files": list(files)}}


def source(url: str) -> dict[str, Any]:
    return files({"path": "/f", "contents": {"source": url}})


def units(*units: dict[str, Any]) -> dict[str, Any]:
    return {"systemd": {"units": list(units)}}


@pytest.mark.parametrize(
    ("document", "status", "printed"),
    [
        (b"", 1, ""),
        (b'{"Ignition":{"VERSION":"3.0.0"}}', 0, "warning at $.Ignition, line 1 col 2: unused key Ignition"),
        (
            b'{"ignition":{"version":"3.6.0"},"storage":null}',
            0,
            (
                "warning at $.storage, line 1 col 43: expected an object, found null; "
                "it is treated as an empty object"
            ),
        ),
    ],
)
def test_document_prints_lines_of_reference(document: bytes, status: int, printed: str) -> None:
    checked = check(document)
    assert (1 if checked.failure else 0, str(checked.report)) == (status, printed)


@pytest.mark.parametrize(
    ("fragment", "spec", "expected"),
    [
        (files(None), Spec.V3_6, ["E $.storage.files.0.path", "W $.storage.files.0"]),
        (
            {"storage": {"directories": [{"path": "/a"}], "files": [{"path": "/a"}, {"path": "/a"}]}},
            Spec.V3_6,
            ["E $.storage.files.0", "E $.storage.files.1"],
        ),
        (
            files(*({"path": path} for path in ("a", "/a/", "/a/../b", "", "//a"))),
            Spec.V3_6,
            [f"E $.storage.files.{index}.path" for index in range(5)],
        ),
        (files({"path": "/a", "mode": 4096}), Spec.V3_6, ["E $.storage.files.0.mode"]),
        (files({"path": "/a", "mode": -1}), Spec.V3_6, ["E $.storage.files.0.mode"]),
        (files({"path": "/a", "mode": 4095}), Spec.V3_5, ["W $.storage.files.0.mode"]),
        (
            files({"path": "/a", "mode": -1}),
            Spec.V3_5,
            ["E $.storage.files.0.mode", "W $.storage.files.0.mode"],
        ),
        (
            {
                "storage": {
                    "links": [{"path": "/l", "target": "/t"}],
                    "files": [{"path": "/l/f"}],
                    "directories": [{"path": "/l/d"}],
                }
            },
            Spec.V3_6,
            ["E $.storage.directories.0", "E $.storage.files.0"],
        ),
        ({"storage": {"links": [{"path": "/l"}]}}, Spec.V3_2, []),
        (
            {"kernelArguments": {"shouldExist": ["a", "a", "b"], "shouldNotExist": ["b"]}},
            Spec.V3_6,
            ["E $.kernelArguments.shouldExist.1", "E $.kernelArguments.shouldNotExist.0"],
        ),
        (
            {
                "storage": {
                    "luks": [
                        {"name": "l", "device": "/d", "openOptions": ["a", "a"], "options": ["b", "b"]},
                    ]
                }
            },
            Spec.V3_6,
            ["E $.storage.luks.0.openOptions.1"],
        ),
        (
            units({"name": "a.service", "contents": "[Unit]\nfoo"}),
            Spec.V3_6,
            ["E $.systemd.units.0.contents"],
        ),
        (units({"name": "a.service", "contents": "hello\n[Unit]\nA=b"}), Spec.V3_6, []),
        (
            units({"name": "c.service", "enabled": True, "contents": "[Unit]\nA=b\n[Install]\n"}),
            Spec.V3_6,
            ["W $.systemd.units.0.contents"],
        ),
        (
            units(
                {"name": "d@x.service", "enabled": True}, {"name": "d@.service", "contents": "[Unit]\nA=b"}
            ),
            Spec.V3_6,
            ["W $.systemd.units.0.contents"],
        ),
        (source("data:,hello world"), Spec.V3_6, ["E $.storage.files.0.contents.source"]),
        (source("data:,a#b"), Spec.V3_6, ["E $.storage.files.0.contents.source"]),
        (source("data:,%zz"), Spec.V3_6, ["E $.storage.files.0.contents.source"]),
        (source("data:;base64,Zm9"), Spec.V3_6, ["E $.storage.files.0.contents.source"]),
        (source("data:text/plain;charset=utf-8;base64,Zm9v"), Spec.V3_6, []),
        (source("data:,a?b&c=d"), Spec.V3_6, []),
        (source('data:;x="q q",ab'), Spec.V3_6, []),
        (source("arn:aws:s3:::b"), Spec.V3_6, ["E $.storage.files.0.contents.source"]),
        (
            source("arn:aws:s3:us-west-2:1:accesspoint/test"),
            Spec.V3_6,
            ["E $.storage.files.0.contents.source"],
        ),
        (source("arn:aws:s3:us-west-2:1:accesspoint/test/object"), Spec.V3_6, []),
        (source("arn:aws:s3:::b/k"), Spec.V3_3, ["E $.storage.files.0.contents.source"]),
        (source("gs://b/o"), Spec.V3_1, ["E $.storage.files.0.contents.source"]),
        ({"storage": {"filesystems": [{"device": "/dev/a"}]}}, Spec.V3_6, []),
        (
            {"storage": {"filesystems": [{"device": "/dev/a", "format": "ext4", "label": "é" * 8}]}},
            Spec.V3_6,
            [],
        ),
        (
            {"storage": {"filesystems": [{"device": "/dev/a", "format": "ext4", "label": "é" * 9}]}},
            Spec.V3_6,
            ["E $.storage.filesystems.0.label"],
        ),
        (
            {
                "storage": {
                    "disks": [
                        {
                            "device": "/dev/a",
                            "partitions": [
                                {"number": 1, "startMiB": 1, "sizeMiB": 10},
                                {"number": 2, "startMiB": 5, "sizeMiB": 5},
                            ],
                        }
                    ]
                }
            },
            Spec.V3_6,
            ["E $.storage.disks.0.partitions.1"],
        ),
        (
            {"storage": {"raid": [{"name": "r", "level": "raid0", "devices": ["/dev/a"], "spares": 1}]}},
            Spec.V3_6,
            ["E $.storage.raid.0.level"],
        ),
        (
            {"ignition": {"config": {"merge": [{"source": "http://a"}, {"source": "http://a"}]}}},
            Spec.V3_6,
            ["E $.ignition.config.merge.1"],
        ),
    ],
)
def test_fragment_yields_findings_of_reference(
    fragment: dict[str, Any], spec: Spec, expected: list[str]
) -> None:
    assert verdict(fragment, spec) == expected


def test_percent_sign_in_key_is_printed_verbatim() -> None:
    checked = check(json.dumps({"ignition": {"version": "3.6.0"}, "a%b%d": 1}).encode())
    assert str(checked.report).endswith("unused key a%b%d")
    assert findings(checked) == ["W $.a%b%d"]
