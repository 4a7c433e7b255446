# SPDX-License-Identifier: Apache-2.0
"""Staging of contents: parallel downloads, and modes of staged files."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from ignition.errors import ActionFailed, FetchError, UsageError
from ignition.host.source import Source
from ignition.stages.files.tree.staging import STAGING
from ignition.stages.files.tree.step import Nodes
from tests.host.fakes import FakeHost
from tests.stages.files.lab import config_of, local, run_steps

FILES = [{"path": f"/{number}", "contents": {"source": f"https://h/{number}"}} for number in range(20)]


class SimultaneousFetch:
    """Resources that are returned when `together` requests wait at the same time."""

    def __init__(self, together: int) -> None:
        self.most = 0
        self._now = 0
        self._together = together
        self._change = threading.Condition()

    def bytes(self, source: Source) -> bytes:
        raise NotImplementedError

    def file(self, source: Source, into: BinaryIO) -> None:
        with self._change:
            self._now += 1
            self.most = max(self.most, self._now)
            self._change.notify_all()
            assert self._change.wait_for(lambda: self.most >= self._together, 20)
            self._now -= 1
        into.write(source.url.encode())


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.mark.parametrize(("setting", "limit"), [("", 8), ("3", 3)])
def test_downloads_setting_limits_parallel_fetches(
    host: FakeHost, setting: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGNITION_DOWNLOADS", setting)
    crowd = SimultaneousFetch(together=limit)
    object.__setattr__(host, "fetch", crowd)
    run_steps((Nodes(),), config_of(storage={"files": FILES}), host)
    assert crowd.most == limit
    for number in range(20):
        assert local(host, f"/{number}").read_bytes() == f"https://h/{number}".encode()


@pytest.mark.parametrize("setting", ["0", "-1", "many", "²"])
def test_downloads_setting_without_number_is_an_error(
    host: FakeHost, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGNITION_DOWNLOADS", setting)
    with pytest.raises(UsageError, match="IGNITION_DOWNLOADS"):
        run_steps((Nodes(),), config_of(storage={"files": FILES}), host)


def test_failed_fetch_leaves_tree_unchanged(host: FakeHost) -> None:
    for number in range(20):
        host.fetch.resources[f"https://h/{number}"] = b"content"
    host.fetch.resources["https://h/7"] = FetchError("the sha512 of what came is another one")
    with pytest.raises(ActionFailed, match="sha512") as caught:
        run_steps((Nodes(),), config_of(storage={"files": FILES}), host)
    assert caught.value.path == ("storage", "files", 7, "contents")
    assert os.listdir(host.root.path) == []


def test_staging_directory_is_private(host: FakeHost) -> None:
    modes: list[tuple[int, int]] = []

    class Look:
        def bytes(self, source: Source) -> bytes:
            raise NotImplementedError

        def file(self, source: Source, into: BinaryIO) -> None:
            directory = os.stat(local(host, f"/{STAGING}"))
            modes.append((stat.S_IMODE(directory.st_mode), stat.S_IMODE(os.fstat(into.fileno()).st_mode)))

    object.__setattr__(host, "fetch", Look())
    files = [{"path": "/program", "mode": 0o4755, "contents": {"source": "https://h/1"}}]
    run_steps((Nodes(),), config_of(storage={"files": files}), host)
    # Setuid and setgid bits are set only on complete files.
    assert modes == [(0o700, 0o755)]
    assert stat.S_IMODE(local(host, "/program").stat().st_mode) == 0o4755
