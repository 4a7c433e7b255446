# SPDX-License-Identifier: Apache-2.0
"""data URLs by the reference's grammar; docs/reference/config-language.md, "data URLs"."""

from __future__ import annotations

import contextlib
import re
from base64 import b64decode
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.url.dataurl import MalformedDataUrl, decode, encode


@pytest.mark.parametrize(
    ("url", "contents"),
    [
        ("data:,", b""),
        ("data:,hello%20world%21", b"hello world!"),
        ("data:,a?b&c=d+e", b"a?b&c=d+e"),
        ("data:,a,b;c", b"a,b;c"),
        ("data:text/plain,x", b"x"),
        ("data:text/,x", b"x"),
        ("data:textual/bar,x", b"x"),
        ("data:x-foo/bar,x", b"x"),
        ("data:X-/bar,x", b"x"),
        ("data:text/plain;charset=utf-8,x", b"x"),
        ('data:;x="q q;,",ab', b"ab"),
        ("data:;base64,", b""),
        ("data:;base64,Zm9v", b"foo"),
        ("data:;base64,Zg==", b"f"),
        ("data:;base64,Zh==", b"f"),
        ("data:text/plain;charset=utf-8;base64,Zm9vYg==", b"foob"),
        ("data:;charset=x;base64,Zm9v", b"foo"),
        ("data:,%C3%A9%00", b"\xc3\xa9\x00"),
    ],
)
def test_decode_table(url: str, contents: bytes) -> None:
    assert decode(url) == contents


@pytest.mark.parametrize(
    "url",
    [
        "",
        "data:",
        "DATA:,x",
        "http://a",
        "data:foo/bar,x",
        "data:text,x",
        "data:base64,Zm9v",
        "data:;Base64,Zm9v",
        "data:;base64;charset=x,Zm9v",
        "data:;charset,x",
        "data:;,x",
        'data:;x="q,ab',
        "data:,hello world",
        "data:,é",
        "data:,a#b",
        "data:,<",
        "data:,a\n",
        "data:,%",
        "data:,%zz",
        "data:;base64,Zm9",
        "data:;base64,Zm9v\n",
        "data:;base64,Zm9v%3D",
        "data:;base64,Zm-_",
        "data:;base64,Z===",
        "data:;base64,====",
        "data:;base64,Zm9v====",
    ],
)
def test_decode_malformed_url_is_an_error(url: str) -> None:
    with pytest.raises(MalformedDataUrl):
        decode(url)


@given(st.binary())
def test_encoded_contents_are_decoded(contents: bytes) -> None:
    assert decode(encode(contents)) == contents


@given(st.text(alphabet='data:,;=base64"%\\text/pl Zm9v', max_size=20))
def test_decode_error_never_quotes_the_text(text: str) -> None:
    with contextlib.suppress(MalformedDataUrl):
        decode(f"data:{text}")
        return
    with pytest.raises(MalformedDataUrl) as raised:
        decode(f"data:{text}")
    assert len(text) < 8 or text not in str(raised.value)


@given(st.text(alphabet="Az09+/=-_ \n", max_size=12))
def test_base64_needs_padding_and_standard_alphabet(text: str) -> None:
    if len(text) % 4 == 0 and re.fullmatch("[A-Za-z0-9+/]*={0,2}", text):
        assert decode(f"data:;base64,{text}") == b64decode(text)
    else:
        with pytest.raises(MalformedDataUrl):
            decode(f"data:;base64,{text}")


@given(st.text(alphabet="%%=0aAfFgz3D", max_size=20))
def test_percent_sign_needs_two_digits(text: str) -> None:
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        with pytest.raises(MalformedDataUrl):
            decode(f"data:,{text}")
    else:
        assert decode(f"data:,{text}") == unquote_to_bytes(text)


@given(st.binary(), st.booleans())
def test_percent_encoded_bytes_are_decoded(contents: bytes, upper: bool) -> None:
    spelled = "".join(f"%{byte:02X}" if upper else f"%{byte:02x}" for byte in contents)
    assert decode(f"data:,{spelled}") == contents
