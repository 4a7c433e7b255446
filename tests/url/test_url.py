# SPDX-License-Identifier: Apache-2.0
"""URLs by the rules of Go's `net/url`; docs/reference/config-language.md, "URLs"."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.schemas import sources
from ignition.url import SCHEMES, MalformedUrl, Url, parse_url


def test_schema_knows_first_version_of_each_scheme() -> None:
    assert set(sources.SCHEMES) == SCHEMES


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", Url("")),
        ("foo", Url("", path="foo")),
        ("/a/b", Url("", path="/a/b")),
        ("http:", Url("http")),
        ("http://", Url("http")),
        ("HTTP://A/b c", Url("http", host="A", path="/b c")),
        (
            "http://u:p%20@h:80/p?q=1?2#f#g",
            Url("http", userinfo="u:p%20", host="h:80", path="/p", query="q=1?2", fragment="f#g"),
        ),
        ("http://a@b@c/", Url("http", userinfo="a@b", host="c", path="/")),
        ("http://[::1]:80/", Url("http", host="[::1]:80", path="/")),
        ("http://[fe80::1%25eth0]/", Url("http", host="[fe80::1%25eth0]", path="/")),
        ("http://h:/", Url("http", host="h:", path="/")),
        ("http://ü.de/%C3%A9", Url("http", host="ü.de", path="/%C3%A9")),
        ("http://%C3%BC/", Url("http", host="%C3%BC", path="/")),
        ("data:,a b", Url("data", opaque=",a b")),
        ("arn:aws:s3:::b/k?versionId=1", Url("arn", opaque="aws:s3:::b/k", query="versionId=1")),
        ("//h/p", Url("", host="h", path="/p")),
        ("///p", Url("", path="///p")),
        ("1a:b/c", None),
        ("a b:c", None),
        ("a/b:c", Url("", path="a/b:c")),
        (":x", None),
        ("http://a b/", None),
        ("http://a\\b/", None),
        ("http://a:b/", None),
        ("http://[::1", None),
        ("http://[::1]x/", None),
        ("http://a/%", None),
        ("http://a/%zz", None),
        ("http://a/#%zz", None),
        ("http://%41/", None),
        ("http://[::1%25%2F]/", None),
        ("http://a b@h/", None),
        ("http://%zz@h/", None),
        ("http://a/\n", None),
        ("http://a/\x7f", None),
        ("http://a/?%zz", Url("http", host="a", path="/", query="%zz")),
    ],
)
def test_parse_url_table(text: str, url: Url | None) -> None:
    if url is None:
        with pytest.raises(MalformedUrl):
            parse_url(text)
    else:
        assert parse_url(text) == url


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("", None),
        ("versionId", ""),
        ("versionId=", ""),
        ("versionId=a&versionId=", "a"),
        ("x=1&version%49d=a%20b+c", "a b c"),
        ("versionId=%zz&versionId=b", "b"),
        ("versionId=a;b", None),
        ("versionid=a", None),
    ],
)
def test_first_returns_the_first_decodable_value(query: str, value: str | None) -> None:
    assert parse_url(f"s3://b/k?{query}").first("versionId") == value


@given(st.text(alphabet="ahtp:/?#%[]@ é\x01\\2c", max_size=15))
def test_parse_url_error_never_quotes_the_text(text: str) -> None:
    with contextlib.suppress(MalformedUrl):
        parse_url(text)
        return
    with pytest.raises(MalformedUrl) as raised:
        parse_url(text)
    assert len(text) < 4 or text not in str(raised.value)
