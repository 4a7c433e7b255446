# SPDX-License-Identifier: Apache-2.0
"""Appended fragments: once each, in repeated and in interrupted runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ignition.errors import ActionFailed
from ignition.host.root import Root
from ignition.stages.files.tree.append_journal import JOURNAL, append_once
from ignition.stages.files.tree.step import Nodes
from tests.host.fakes import FakeHost
from tests.stages.files.lab import config_of, contents, local, run_steps, tree_of


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def append(host: FakeHost, *texts: str, **more: Any) -> None:
    entry = {"path": "/etc/f", "append": [contents(host, text) for text in texts], **more}
    run_steps((Nodes(),), config_of(storage={"files": [entry]}), host)


def test_append_twice_appends_once(host: FakeHost) -> None:
    """The reference appends again in every run."""
    host.root.write("/etc/f", b"was there\n", mode=0o640, owner=(7, 8))
    append(host, "one\n", "two\n")
    first = tree_of(host.root.path)
    assert local(host, "/etc/f").read_text() == "was there\none\ntwo\n"
    assert host.root.lstat("/etc/f").st_uid == 7
    append(host, "one\n", "two\n")
    assert tree_of(host.root.path) == first


def test_append_of_text_that_file_ended_with_is_done(host: FakeHost) -> None:
    host.root.write("/etc/f", b"line\n")
    for _ in range(2):
        append(host, "line\n")
        assert local(host, "/etc/f").read_text() == "line\nline\n"


def test_append_creates_missing_file(host: FakeHost) -> None:
    for _ in range(2):
        append(host, "one", mode=0o600, user={"id": 5})
        assert local(host, "/etc/f").read_text() == "one"
        status = host.root.lstat("/etc/f")
        assert (status.st_mode & 0o7777, status.st_uid) == (0o600, 5)


def test_append_of_other_fragment_is_added(host: FakeHost) -> None:
    append(host, "one ")
    append(host, "two ")
    append(host, "two ")
    assert local(host, "/etc/f").read_text() == "one two "


def test_append_with_later_text_of_others_is_not_repeated(host: FakeHost) -> None:
    """For example lines of LUKS volumes, which follow those of the config in /etc/crypttab."""
    host.root.write("/etc/f", b"first ")
    append(host, "one ", "two ")
    with host.root.open("/etc/f", append=True) as file:
        file.write(b"later ")
    append(host, "one ", "two ")
    assert local(host, "/etc/f").read_text() == "first one two later "


def test_append_to_changed_file_is_repeated(host: FakeHost) -> None:
    append(host, "one ")
    local(host, "/etc/f").write_text("replaced ")
    append(host, "one ")
    append(host, "one ")
    assert local(host, "/etc/f").read_text() == "replaced one "


def test_append_keeps_hard_links(host: FakeHost) -> None:
    host.root.write("/etc/f", b"was there ")
    host.root.link("/etc/f", "/etc/g")
    append(host, "one")
    assert local(host, "/etc/g").read_text() == "was there one"


def test_append_journal_is_private(host: FakeHost) -> None:
    append(host, "one")
    assert host.root.lstat(JOURNAL).st_mode & 0o7777 == 0o600
    assert json.loads(host.root.read(JOURNAL)) == {"/etc/f": 0}


def test_no_append_writes_no_journal(host: FakeHost) -> None:
    run_steps((Nodes(),), config_of(storage={"files": [{"path": "/f"}]}), host)
    assert os.listdir(host.root.path) == ["f"]


def test_malformed_append_journal_is_an_error(host: FakeHost) -> None:
    host.root.write(JOURNAL, b"{broken")
    with pytest.raises(ActionFailed, match=r"cannot read /etc/\.ignition-appended\.json") as caught:
        append(host, "one")
    assert "remove /etc/.ignition-appended.json" in caught.value.hint


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=6), st.binary(min_size=1, max_size=6), st.integers(0, 5))
def test_interrupted_append_is_completed(tmp_path: Path, old: bytes, new: bytes, cut: int) -> None:
    """With any bytes, also where the fragment equals the end of the old contents."""
    root = Root(str(tmp_path))
    root.remove("/etc")
    root.write("/f", old)
    root.write("/new", new)
    root.write(JOURNAL, json.dumps({"/f": len(old)}).encode())
    with root.open("/f", append=True) as file:
        file.write(new[:cut])
    append_once(root, "/f", "/new")
    assert root.read("/f") == old + new
    assert not append_once(root, "/f", "/new")
    assert root.read("/f") == old + new
