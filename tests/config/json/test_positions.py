# SPDX-License-Identifier: Apache-2.0
"""Lines and columns; docs/reference/config-language.md, "Reports"."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ignition.config.json.decode import load
from ignition.config.json.positions import NOWHERE, Places, position_of_fault
from ignition.config.json.scan import scan
from ignition.config.json.values import Malformed
from ignition.configpath import ConfigPath
from ignition.diagnostics import Position

TEXT = """{
  "ignition": {"version": "3.0.0"},
\t"é": [ 1, {"a" : null},
    [], "x"],
  "twice": 1, "twice":   {"b": true}
}""".encode()


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ((), 1, 2),
        (("ignition",), 2, 16),
        (("ignition", "version"), 2, 27),
        (("é",), 3, 9),
        (("é", 0), 3, 10),
        (("é", 1), 3, 14),
        (("é", 1, "a"), 3, 20),
        (("é", 2), 4, 6),
        (("é", 3), 4, 9),
        (("twice",), 5, 27),
        (("twice", "b"), 5, 32),
        (("missing", "x"), 1, 2),
        (("ignition", "missing"), 2, 16),
        (("é", 9, "a"), 3, 9),
        (("ignition", "version", "deeper"), 2, 27),
        (("ignition", 0), 2, 16),
    ],
)
def test_position_of_value(path: ConfigPath, line: int, column: int) -> None:
    """Plain values start at their first byte, objects and lists after the bracket."""
    assert Places(TEXT).of(path) == Position(line, column)


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [(("ignition",), 2, 3), (("ignition", "version"), 2, 16), (("é",), 3, 2), (("twice",), 5, 15)],
)
def test_position_of_key(path: ConfigPath, line: int, column: int) -> None:
    assert Places(TEXT).of_key(path) == Position(line, column)


@pytest.mark.parametrize(
    ("text", "steps", "where"),
    [
        (b'{"a":[5]}', (0,), Position(1, 7)),
        (b'{"a":[5]}', (0, 0), Position(1, 8)),
        (b'{"a":1,"a":{}}', (0,), Position(1, 7)),
        (b'{"a":1,"a":{}}', (1,), Position(1, 13)),
        (b'{"a":"xy"}', (0,), Position(1, 10)),
        (b"[]", (), Position(1, 2)),
        (b"5", (), NOWHERE),
    ],
)
def test_position_after_value_for_type_errors(text: bytes, steps: tuple[int, ...], where: Position) -> None:
    assert Places(text).after(steps) == where


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"", NOWHERE),
        (b"{", NOWHERE),
        (b'{"a"', NOWHERE),
        (b"[1,2", NOWHERE),
        (b"[1,]", NOWHERE),
        (b"[1,] ", Position(1, 5)),
        (b"{,} ", Position(1, 3)),
        (b'{"a" 1} ', Position(1, 7)),
        (b'{"a":1 "b":2} ', Position(1, 9)),
        (b"[1 2] ", Position(1, 5)),
        (b"\n\n[x] ", Position(3, 3)),
        (b'["\n"]', Position(2, 1)),
        (b'["\\x"] ', Position(1, 5)),
        (b'["\\u00g0"] ', Position(1, 8)),
        (b"[01] ", Position(1, 4)),
        (b"[-] ", Position(1, 4)),
        (b"[1.] ", Position(1, 5)),
        (b"[1e+] ", Position(1, 6)),
        (b"[trux] ", Position(1, 6)),
        (b"[NaN] ", Position(1, 3)),
        (b"{} {} ", Position(1, 5)),
        ("\ufeff{}".encode(), Position(1, 2)),
    ],
)
def test_position_of_fault_in_malformed_text(text: bytes, where: Position) -> None:
    with pytest.raises(Malformed) as raised:
        load(text)
    assert position_of_fault(text, raised.value) == where


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=10,
    ),
    st.sampled_from([None, 1]),
    st.booleans(),
)
@settings(deadline=None)
def test_scanner_and_standard_library_read_same_value(value: object, indent: int | None, plain: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=plain).encode()
    assert scan(text).value == load(text) == value


@given(st.text(alphabet='{}[],:"\\u0a1e+-. \ntrfn', max_size=12))
@settings(deadline=None, max_examples=500)
def test_scanner_and_standard_library_accept_same_text(text: str) -> None:
    """The alphabet has no NaN and Infinity, which only the standard library accepts."""
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(Malformed):
            scan(text.encode())
    else:
        scan(text.encode())
