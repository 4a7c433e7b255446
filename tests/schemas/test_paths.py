# SPDX-License-Identifier: Apache-2.0
"""Rules for paths, and counting the parents of a path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.schemas.paths import Prefixes, check_path, clean, extension


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("/", "/"),
        ("//", "/"),
        ("//a", "/a"),
        ("/a/", "/a"),
        ("/a//b", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/..", "/"),
        ("", "."),
        ("a/..", "."),
        ("../a", "../a"),
    ],
)
def test_clean_simplifies_path(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/", None),
        ("/a/b", None),
        ("/...", None),
        ("/a b/é", None),
        ("", "path-missing"),
        ("a", "path-relative"),
        ("./a", "path-relative"),
        ("/a/", "path-unclean"),
        ("//a", "path-unclean"),
        ("/a/./b", "path-unclean"),
        ("/..", "path-unclean"),
    ],
)
def test_check_path_reports_code(path: str, code: str | None) -> None:
    assert [entry.code for entry in check_path(path, "p")] == ([code] if code else [])


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("a.service", ".service"),
        ("a.b.c", ".c"),
        ("a", ""),
        ("a.", "."),
        (".a", ".a"),
        ("a.b/c", ""),
        ("", ""),
    ],
)
def test_extension_is_suffix_of_last_element(name: str, result: str) -> None:
    assert extension(name) == result


PATHS = st.lists(st.sampled_from(["a", "b", ""]), max_size=4).map("/".join)


@given(st.lists(PATHS, max_size=6), PATHS)
def test_prefixes_count_all_parents(paths: list[str], path: str) -> None:
    assert Prefixes(paths).above(path) == sum(path.startswith(f"{one}/") for one in paths)
