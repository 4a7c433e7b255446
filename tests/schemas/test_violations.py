# SPDX-License-Identifier: Apache-2.0
"""Violations have a path and a message that holds no value of the document."""

from __future__ import annotations

from typing import Any

import pytest

from ignition.schemas.catalogue import published
from ignition.schemas.violations import Violation, violations

CONFIG = published("3.4.0")
RECORD = published("record")
TIME = "2026-08-02T12:30:00.123456Z"


def action(**changes: Any) -> dict[str, Any]:
    return {
        "time": TIME, "stage": "files", "step": "nodes", "action": "writing", "config": "$", "seconds": 0.5,
        "outcome": "done", **changes,
    }  # fmt: skip


def test_valid_documents_have_no_violations() -> None:
    assert list(violations({"ignition": {"version": "3.4.0"}}, CONFIG)) == []
    assert list(violations(action(), RECORD)) == []


def test_config_violations_name_each_place_in_order() -> None:
    files = [{"path": 5, "contnts": 1}, {"mode": "0644"}]
    config = {"ignition": {"version": "3.3.0"}, "storage": {"files": files}}
    assert list(violations(config, CONFIG)) == [
        Violation(("ignition", "version"), 'expected "3.4.0"'),
        Violation(("storage", "files", 0, "contnts"), "unknown member", is_key=True),
        Violation(("storage", "files", 0, "path"), "expected string, found integer"),
        Violation(("storage", "files", 1), 'required member "path" not found'),
        Violation(("storage", "files", 1, "mode"), "expected integer or null, found string"),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (action(outcome="failed"), [((), 'required member "error" not found')]),
        (action(outcome="maybe"), [(("outcome",), 'expected one of "done", "failed"')]),
        (action(error="ValueError"), [(("error",), "unexpected member")]),
        (action(sources=[]), [(("sources",), "expected at least 1 item")]),
        (
            action(changes=[{"path": "/a", "before": None, "after": {"kind": "file"}}]),
            [
                (("changes", 0, "after"), f'required member "{name}" not found')
                for name in ("gid", "mode", "uid")
            ],
        ),
        (
            {"time": TIME, "started": "files", "boot": 1},
            [((), 'required member "version" not found'), (("boot",), "expected string, found integer")],
        ),
    ],
)
def test_record_violations_are_those_of_the_nearest_line_type(
    line: Any, expected: list[tuple[Any, str]]
) -> None:
    found = [(each.path, each.message) for each in violations(line, RECORD)]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_messages_hold_no_values() -> None:
    secret = "5ecr3t"
    state = {"fetchedConfigs": secret, "luksPersistKeyFiles": {"a": secret, "b": [secret]}, "c": secret}
    for schema in (published("state"), CONFIG, RECORD, published("plan")):
        found = list(violations(state, schema))
        assert found
        assert secret not in str(found)
