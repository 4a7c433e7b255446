# SPDX-License-Identifier: Apache-2.0
"""The parser for unit files follows the reference (docs/reference/config-language.md, "systemd units")."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.schemas.unitfile import MalformedUnit, Option, parse_unit


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", []),
        ("anything = at all\n", []),
        ("# [Unit]\n; [Unit]\n[A]\nB=c", [("A", "B")]),
        ("junk[A]\nB=c\n", [("A", "B")]),
        ("[A]\n", []),
        ("[A", None),
        ("[A\nB]\nC=d", [("A\nB", "C")]),
        ("[A] \t\r\nB=c", [("A", "B")]),
        ("[A] B=c", None),
        ("[A]\n\n  B = c\n#x\n;y\n[C]\nD=\n", [("A", "B"), ("C", "D")]),
        ("[A]\nB", None),
        ("[A]\nB\n=c", None),
        ("[A]\nB=c\\\nd=e\nF=g", [("A", "B"), ("A", "F")]),
        ("[A]\n#x\\\nB=c\nD=e", [("A", "D")]),
        ("[A]\nB=c\\", [("A", "B")]),
        ("[A]\n=c", [("A", "")]),
        ("[]\nA=b", [("", "A")]),
        ("[A]\nÄ=ö\u2003", [("A", "Ä")]),
    ],
)
def test_parse_unit_returns_options_or_fails(text: str, options: list[tuple[str, str]] | None) -> None:
    if options is None:
        with pytest.raises(MalformedUnit):
            parse_unit(text)
    else:
        assert parse_unit(text) == tuple(Option(*option) for option in options)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("[A]\nB=" + "c" * 2000 + "\n", True),
        ("[A]\nB=" + "c" * 3000 + "\n", False),
        ("x" * 3000, False),
        ("x\n" * 3000, True),
        ("[A]\n" + "B=c\n" * 3000, True),
    ],
)
def test_long_line_is_an_error_like_in_reference(text: str, *, fine: bool) -> None:
    if fine:
        parse_unit(text)
    else:
        with pytest.raises(MalformedUnit, match="longer than 2048"):
            parse_unit(text)


def test_message_names_line_and_quotes_no_contents() -> None:
    with pytest.raises(MalformedUnit, match=r"^line 3: ") as raised:
        parse_unit("[A]\nB=c\ngeheim\n")
    assert "geheim" not in str(raised.value)


@given(st.text(alphabet="[]=#;\\\n\r aé", max_size=30))
def test_parse_unit_accepts_or_refuses_any_text(text: str) -> None:
    try:
        options = parse_unit(text)
    except MalformedUnit:
        return
    assert not options or "[" in text
