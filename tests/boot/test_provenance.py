# SPDX-License-Identifier: Apache-2.0
"""Line and source of places in the merged config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ignition.boot import provenance
from ignition.config.merge import merge
from ignition.config.origins import Document, Merged
from ignition.config.parse import parse
from ignition.configpath import ConfigPath

PARENT = """{"ignition": {"version": "3.4.0"},
 "storage": {"files": [
   {"path": "/a"},
   {"path": "/b"}]}}"""
CHILD = """{"ignition": {"version": "3.4.0"},
 "storage": {"files": [
   {"path": "/b", "mode": 384},
   {"path": "/c"}]}}"""


def document(text: str, source: str) -> Document:
    return Document(parse(text.encode()).config, source, text.encode())


@pytest.fixture
def path(tmp_path: Path) -> str:
    parent, child = document(PARENT, "the config from qemu"), document(CHILD, "the reference")
    path = str(tmp_path / "documents.json")
    provenance.save(path, Merged(merge(parent.config, child.config), parent, child))
    return path


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (("storage", "files", 0), "line 3 of the config from qemu"),
        (("storage", "files", 1, "mode"), "line 3 of the reference"),
        (("storage", "files", 1), "line 4 of the config from qemu and line 3 of the reference"),
        (("storage", "files", 2), "line 4 of the reference"),
        (("storage", "files", 9), ""),
    ],
)
def test_place_names_line_and_source(path: str, where: ConfigPath, expected: str) -> None:
    assert provenance.place(path, None, where) == expected


def test_place_names_base_configs(path: str) -> None:
    base = parse(
        json.dumps({"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/z"}]}}).encode()
    )
    assert provenance.place(path, base.config, ("storage", "files", 0)) == "the image's base configs"
    assert provenance.place(path, base.config, ("storage", "files", 1)) == "line 3 of the config from qemu"


def test_saved_documents_are_private(path: str) -> None:
    assert Path(path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, "", "[]", '{"source": "x"}', '{"source": "x", "data": "{"}'])
def test_place_with_unreadable_documents_is_empty(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "documents.json"
    if content is not None:
        path.write_text(content)
    assert provenance.place(str(path), None, ("storage",)) == ""
