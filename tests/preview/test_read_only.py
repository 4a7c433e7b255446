# SPDX-License-Identifier: Apache-2.0
"""Previews cannot change the machine: no type that they use has or reaches a method that does."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.host import Devices, DeviceView, Host
from ignition.host.devices import BlockDevices
from ignition.host.files.root_view import RootView
from ignition.host.root import Root
from ignition.initramfs.imports import reach
from ignition.preview import preview, preview_host
from ignition.preview.devices import PredictedDevices
from ignition.preview.host import PreviewHost
from ignition.preview.queries import Queries
from ignition.preview.registry import ADAPTERS
from ignition.preview.tree import PredictedTree
from ignition.resource import Fetcher
from ignition.stages import STAGES
from tests.host.fakes import FakeRun
from tests.lab.readonly import only_looking
from tests.preview.test_preview import artificial_system
from tests.stages.files.lab import config_of, tree_of


def methods_of(type_: type) -> set[str]:
    return {name for name, value in inspect.getmembers(type_) if callable(value) and name[0] != "_"}


TREE_MUTATORS = sorted(methods_of(Root) - methods_of(RootView))
DEVICE_MUTATORS = sorted((methods_of(Devices) | methods_of(BlockDevices)) - methods_of(DeviceView))
MUTATORS = [*((Root, name) for name in TREE_MUTATORS), *((BlockDevices, name) for name in DEVICE_MUTATORS)]
PREVIEW_TYPES = (PreviewHost, PredictedTree, PredictedDevices, Queries)

CONFIG = config_of(
    kernelArguments={"shouldExist": ["quiet"]},
    passwd={"users": [{"name": "core", "sshAuthorizedKeys": ["k"]}], "groups": [{"name": "g"}]},
    storage={
        "disks": [{"device": "/dev/d", "wipeTable": True}],
        "raid": [{"name": "md", "level": "raid1", "devices": ["/dev/a", "/dev/b"]}],
        "luks": [{"name": "v", "device": "/dev/md/md"}],
        "filesystems": [
            {"device": "/dev/mapper/v", "format": "ext4", "path": "/srv", "wipeFilesystem": True}
        ],
        "directories": [{"path": "/etc/old", "overwrite": True}],
        "files": [
            {"path": "/etc/new", "contents": {"source": "data:,x"}},
            {"path": "/etc/motd", "append": [{"source": "data:,x"}]},
            {"path": "/srv/x", "user": {"name": "core"}},
        ],
        "links": [
            {"path": "/etc/l", "target": "new"},
            {"path": "/etc/h", "target": "/etc/motd", "hard": True},
        ],
    },
    systemd={
        "units": [
            {"name": "a.service", "enabled": True, "contents": "[Install]\nWantedBy=x.target\n"},
            {"name": "b.service", "mask": True},
            {"name": "c.service", "mask": False},
        ]
    },
)


def test_known_mutators_are_enumerated() -> None:
    assert {"write", "create", "create_whole", "replace", "rename", "remove", "open"} <= set(TREE_MUTATORS)
    assert set(DEVICE_MUTATORS) == {"locked", "settle", "zero"}


@pytest.mark.parametrize("type_", PREVIEW_TYPES)
@pytest.mark.parametrize(("owner", "name"), MUTATORS)
def test_preview_type_has_no_mutator(type_: type, owner: type, name: str) -> None:
    assert not hasattr(type_, name)
    assert not issubclass(type_, (Root, BlockDevices, Host))


def reachable(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yield a value and everything that its attributes lead to."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    attributes = getattr(value, "__dict__", {})
    for each in [*attributes.values(), *(value.values() if isinstance(value, dict) else ())]:
        yield from reachable(each, seen)


def test_preview_host_reaches_no_object_with_a_mutator(tmp_path: Path) -> None:
    host = preview_host(str(tmp_path), FakeRun(), Fetcher(offline=True), str(tmp_path))
    found = [each for each in reachable(host, set()) if not inspect.isroutine(each)]
    assert any(isinstance(each, PredictedTree) for each in found)
    assert not [each for each in found if isinstance(each, (Root, BlockDevices, Host))]
    assert dataclasses.is_dataclass(host)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "etc/old").mkdir(parents=True)
    (made / "etc/motd").write_text("old")
    (made / "etc/mdadm").mkdir()
    (made / "etc/mdadm/mdadm.conf").write_text("")
    (made / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (made / "etc/group").write_text("root:x:0:\n")
    (made / "etc/systemd/system").mkdir(parents=True)
    (made / "etc/systemd/system/c.service").symlink_to("/dev/null")
    return made


def test_whole_preview_calls_no_mutator_and_writes_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = artificial_system(tmp_path / "system")
    for name in ("a", "b", "d"):
        system.disk(name, 1 << 20)
    host = preview_host(str(root), FakeRun(), Fetcher(offline=True), str(system.system))
    called: list[str] = []
    for owner, name in MUTATORS:
        monkeypatch.setattr(owner, name, lambda *_, name=name, **__: called.append(name))
    before, system_before = tree_of(str(root)), tree_of(str(system.system))
    with only_looking():
        previews = list(preview(CONFIG, host, State()))
    assert called == []
    assert {each.stage for each in previews} == {"kargs", "disks", "mount", "files"}
    assert sum(len(each.effects) for each in previews) > 15
    assert tree_of(str(root)) == before
    assert tree_of(str(system.system)) == system_before


def test_each_step_has_an_adapter() -> None:
    steps = {(stage.name, step.name) for stage in STAGES for step in stage.steps()}
    assert set(ADAPTERS) == steps


def test_previews_are_not_packed_into_the_initramfs() -> None:
    assert not [module for module in reach().modules if module.startswith("ignition.preview")]
