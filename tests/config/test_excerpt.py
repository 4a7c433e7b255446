# SPDX-License-Identifier: Apache-2.0
"""Excerpts: the caret, clipping to a terminal line, and hidden secrets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.config.excerpt import SECRET_FIELDS, WIDTH, Excerpt, Side, Text
from ignition.diagnostics import Position
from ignition.schemas.base import Node, json_name
from ignition.schemas.config import Config
from ignition.schemas.marks import secret


def marked(data: bytes, line: int, column: int, side: Side) -> str:
    """Return the part of the shown line that is marked."""
    excerpt = Text(data).excerpt(Position(line, column), side)
    assert excerpt is not None
    return excerpt.text[excerpt.indent : excerpt.indent + excerpt.width]


@pytest.mark.parametrize(
    ("data", "column", "side", "token"),
    [
        (b'{"key": "value"}', 2, Side.KEY, '"key"'),
        (b'{"key": "value"}', 9, Side.VALUE, '"value"'),
        (b'{"key": 644}', 9, Side.VALUE, "644"),
        (b'{"key": -1.5e3}', 9, Side.VALUE, "-1.5e3"),
        (b'{"key": {"a": 1}}', 10, Side.VALUE, "{"),
        (b'{"key": ["a"]}', 10, Side.VALUE, "["),
        (b'{"key": ["a"]}', 10, Side.ITEM, '"a"'),
        (b'{"key": [{"a": 1}]}', 11, Side.ITEM, "{"),
        (b'{"mode": "0644"}', 16, Side.READ, '"0644"'),
        (b'{"mode": "a \\"b\\" c"}', 21, Side.READ, '"a \\"b\\" c"'),
        (b'{"mode": 12.5}', 14, Side.READ, "12.5"),
        (b'{"mode": [1]}', 11, Side.READ, "["),
        (b'{"a": tru}', 11, Side.FAULT, "}"),
        (b'{"a": 1 "b": 2}', 10, Side.FAULT, '"b"'),
        (b'{"key": "unclosed', 9, Side.VALUE, '"unclosed'),
        (b'{"k\\"ey": 1}', 2, Side.KEY, '"k\\"ey"'),
    ],
)  # fmt: skip
def test_caret_is_under_token(data: bytes, column: int, side: Side, token: str) -> None:
    assert marked(data, 1, column, side) == token


def test_excerpt_prints_line_and_marker() -> None:
    excerpt = Text(b'{\n  "a": {\r\n    "b": 7\n}}').excerpt(Position(3, 10), Side.VALUE)
    assert str(excerpt) == '3 |     "b": 7\n  |          ^'


def test_fault_at_newline_is_shown_on_line_before_it() -> None:
    excerpt = Text(b'{"a\n": 1}').excerpt(Position(2, 1), Side.FAULT)
    assert excerpt == Excerpt(1, '{"a', 3, 1)


def test_position_at_end_of_text_has_no_excerpt() -> None:
    text = Text(b"{")
    assert text.excerpt(Position(0, 0), Side.FAULT) is None
    assert text.token(Position(0, 0), Side.FAULT) == b""
    assert text.character(Position(0, 0)) == 0


@pytest.mark.parametrize(
    ("before", "character", "indent"),
    [("", 2, 1), ("é", 3, 2), ("漢字", 4, 5), ("e\N{COMBINING ACUTE ACCENT}", 4, 2), ("\t", 3, 2)],
)
def test_wide_characters_move_caret_by_terminal_columns(before: str, character: int, indent: int) -> None:
    data = f'"{before}","x"'.replace('"', "", 2).encode()
    position = Position(1, data.index(b'"') + 1)
    assert Text(data).character(position) == character
    excerpt = Text(data).excerpt(position, Side.KEY)
    assert excerpt is not None
    assert excerpt.indent == indent


def test_character_column_in_long_line_is_exact() -> None:
    data = ("é" * 10_000 + '"x"').encode()
    assert Text(data).character(Position(1, 20_001)) == 10_001


def test_long_line_is_clipped_around_token() -> None:
    data = b'{"a": "' + b"x" * 500 + b'", "culprit": 1, "b": "' + b"y" * 500 + b'"}'
    excerpt = Text(data).excerpt(Position(1, data.index(b'"culprit"') + 1), Side.KEY)
    assert excerpt is not None
    assert excerpt.text.startswith("…xxx")
    assert excerpt.text.endswith("yyy…")
    assert len(excerpt.text) == WIDTH + 2
    assert excerpt.text[excerpt.indent : excerpt.indent + excerpt.width] == '"culprit"'


def test_control_characters_are_replaced() -> None:
    excerpt = Text(b'{"\x1b[2J": \xff\x9b}').excerpt(Position(1, 2), Side.KEY)
    assert excerpt is not None
    assert excerpt.text == '{"\ufffd[2J": \ufffd\ufffd}'


SECRET = "5ecr3t"


@pytest.mark.parametrize(
    "line",
    [
        f'{{"passwordHash": "{SECRET}", "x": 1}}',
        f'{{"PASSWORDHASH" : "{SECRET}", "x": 1}}',
        f'{{"passwordHash": ["a", "{SECRET}"], "x": 1}}',
        f'{{"source": "data:,{SECRET}", "x": 1}}',
        f'{{"source": "DATA:text/plain;base64,{SECRET}", "x": 1}}',
        f'{{"source": "http://user:{SECRET}@host/path", "x": 1}}',
        f'{{"source": "https://host/path?a=b&X-Amz-Signature={SECRET}", "x": 1}}',
        f'{{"source": "https://host/path?sig={SECRET}&sv=1", "x": 1}}',
        f'{{"source": "https://host/path?alt=media&temp_url_sig={SECRET}", "x": 1}}',
        f'{{"httpHeaders": [{{"name": "Authorization", "value": "Bearer {SECRET}"}}], "x": 1}}',
        f'{{"custom": {{"pin": "sss", "config": "{{\\"{SECRET}\\": 1}}"}}, "x": 1}}',
        f'{{"contents": "-----BEGIN EC PRIVATE KEY-----\\n{SECRET}", "x": 1}}',
        f'{{"units": [{{"contents": "[Service]\\nEnvironment=TOKEN={SECRET}", "x": 1}}',
        f'{{"passwordHash": "{SECRET}',
    ],
)
@given(data=st.data())
def test_secrets_are_hidden_for_any_caret_position(line: str, data: st.DataObject) -> None:
    column = data.draw(st.integers(1, len(line) + 1))
    side = data.draw(st.sampled_from(Side))
    if side in (Side.READ, Side.FAULT):
        column = max(column, 2)
    excerpt = Text(line.encode()).excerpt(Position(1, column), side)
    assert SECRET not in str(excerpt)


def classes(node: type[Node]) -> Iterator[type[Node]]:
    for one in node.__subclasses__():
        yield one
        yield from classes(one)


def test_secret_fields_are_those_of_the_model() -> None:
    assert issubclass(Config, Node)  # and its module has loaded all others
    marked = {
        json_name(attribute).lower().encode()
        for node in classes(Node)
        if node.__module__.startswith("ignition.")
        for attribute, hint in node.annotations.items()
        if secret in getattr(hint, "__metadata__", ())
    }
    assert marked == SECRET_FIELDS | {b"source"}


def test_values_that_are_not_secret_are_shown() -> None:
    line = '{"source": "https://user@host/a?versionId=c", "name": "passwordHash", "hash": "sha512-0"}'
    excerpt = Text(line.encode()).excerpt(Position(1, 2), Side.KEY)
    assert excerpt is not None
    assert excerpt.text == line.replace("user@", "***@")


@given(st.binary(max_size=300), st.data())
def test_excerpt_of_any_position_in_any_text_fits(data: bytes, draw: st.DataObject) -> None:
    offset = draw.draw(st.integers(0, len(data)))
    side = draw.draw(st.sampled_from(Side))
    if side in (Side.READ, Side.FAULT):
        offset = max(offset, min(1, len(data)))
    line = data.count(b"\n", 0, offset) + 1
    position = Position(line, offset - data.rfind(b"\n", 0, offset))
    text = Text(data)
    excerpt = text.excerpt(position, side)
    assert excerpt is not None
    assert excerpt.text.isprintable()
    assert excerpt.width >= 1
    assert 1 <= text.character(position) <= position.column
