# SPDX-License-Identifier: Apache-2.0
"""Host, Host header and request URL of http(s) URLs."""

from __future__ import annotations

import pytest

from ignition.errors import FetchError
from ignition.resource.http.endpoint import Target


@pytest.mark.parametrize(
    ("url", "host", "authority", "wire"),
    [
        ("http://h", "h", "h", "http://h/"),
        ("HTTP://h:80/a", "h", "h:80", "http://h:80/a"),
        ("http://h:/a", "h", "h", "http://h/a"),
        ("http://u:p@h/a?b#c", "h", "h", "http://h/a?b"),
        ("http://h/a/../b//c", "h", "h", "http://h/a/../b//c"),
        ("http://h/%26?a=%26+%7e${uuid}", "h", "h", "http://h/%26?a=%26+%7e${uuid}"),
        ("http://h/?a=100%&b=%20", "h", "h", "http://h/?a=100%25&b=%20"),
        ("http://[::1]:8080/a", "::1", "[::1]:8080", "http://[::1]:8080/a"),
        ("http://[fe80::1%25lo]/a", "fe80::1%lo", "[fe80::1]", "http://[fe80::1%25lo]/a"),
        ("http://[fe80::1%25nonE]/a", "fe80::1%nonE", "[fe80::1]", "http://[fe80::1%25nonE]/a"),
        ("http://bücher.example/ü", "xn--bcher-kva.example", "xn--bcher-kva.example",
         "http://xn--bcher-kva.example/ü"),
        ("http://b%C3%BCcher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example",
         "http://xn--bcher-kva.example/"),
        ("http://under_score.example/", "under_score.example", "under_score.example",
         "http://under_score.example/"),
    ],
)  # fmt: skip
def test_target_of_url_has_host_authority_and_wire(url: str, host: str, authority: str, wire: str) -> None:
    target = Target.of(url)
    assert (target.host, target.authority, target.wire) == (host, authority, wire)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://", "has no host"),
        ("http:foo", "has no host"),
        ("ftp://h/", "found ftp, expected http or https"),
        ("//h/", "found no scheme"),
        ("http://h:70000/", "the port is above 65535"),
        (f"http://h:{'9' * 5000}/", "the port is above 65535"),
        ("http://h:x/", "is not a URL"),
        ("http://[::1/", "is not a URL"),
        ("http://user:secret@h:x/", "http://user:***@h:x/"),
        ("http://ü..example/", "not a valid international name"),
    ],
)
def test_target_of_invalid_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(FetchError) as caught:
        Target.of(url)
    assert why in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        ("http://h/a", "http://h/b", True),
        ("http://h/a", "http://H:80/b", True),
        ("http://h/a", "https://h/b", True),
        ("https://h/a", "http://h/b", False),
        ("http://h/a", "http://other/a", False),
        ("http://h/a", "http://h:8080/a", False),
        ("http://h:8080/a", "https://h/a", False),
        ("http://h/a", "http://h.evil.example/a", False),
    ],
)
def test_redirect_keeps_headers_only_for_same_host(before: str, after: str, may: bool) -> None:
    assert Target.of(after).may_receive_headers_of(Target.of(before)) is may
