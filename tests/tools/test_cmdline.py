# SPDX-License-Identifier: Apache-2.0
"""Kernel command lines, as the kernel and as the reference's config sources read them."""

from __future__ import annotations

import pytest

from ignition.tools import cmdline


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=1 b=2", {"a": "1", "b": "2"}),
        ("a=1 a=2\n", {"a": "2"}),
        ("a=1 a=", {"a": "1"}),
        ("a= a=1", {"a": "1"}),
        ("bare a=b=c", {"bare": "", "a": "b=c"}),
        ("a=\t b='x y'", {"a": "", "b": "'x", "y'": ""}),
        ("", {}),
    ],
)
def test_values_table(line: str, expected: dict[str, str]) -> None:
    assert cmdline.values(line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('a "b c" d', ["a", '"b c"', "d"]),
        ('a="b c"d e', ['a="b c"d', "e"]),
        ('a="b c', ['a="b c']),
        ("'a b'", ["'a", "b'"]),
    ],
)
def test_quoted_words_splits_like_the_kernel(line: str, words: list[str]) -> None:
    assert cmdline.quoted_words(line) == words
