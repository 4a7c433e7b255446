# SPDX-License-Identifier: Apache-2.0
"""Helpers for tests of the files stage: configs from plain data, snapshots of trees, account files."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ignition.boot.state import State
from ignition.config.json.cache import load
from ignition.schemas.config import Config
from ignition.schemas.spec import LATEST
from ignition.stages import Step
from tests.host.fakes import FakeHost
from tests.lab.performing import applied

__all__ = ["accounts", "config_of", "contents", "local", "run_steps", "tree_of"]


def config_of(**sections: Any) -> Config:
    """Return a config from JSON-like data: `config_of(storage={"files": [...]})`."""
    return load(json.dumps({"ignition": {"version": LATEST.version}, **sections}).encode())


def contents(host: FakeHost, text: str) -> dict[str, Any]:
    """Return a data URL resource with this text; the fake fetch returns its contents."""
    url = "data:," + quote(text)
    host.fetch.resources[url] = text.encode()
    return {"source": url}


def local(host: FakeHost, path: str) -> Path:
    """Return the path in the running system of a path in the target root."""
    return Path(host.root.path + path)


def run_steps(steps: Iterable[Step[Any]], config: Config, host: FakeHost, state: State | None = None) -> None:
    """Observe, plan and perform the steps in order, like a stage."""
    for step in steps:
        if step.wanted(config):
            applied(step.plan(config, step.observe(config, host, state or State())), host)


def tree_of(directory: str, *, but: Iterable[str] = ()) -> Mapping[str, tuple[object, ...]]:
    """Return a snapshot of a tree: kinds, modes, owners, contents, symlink targets, and hard links."""
    left_out = set(but)
    found: dict[str, tuple[object, ...]] = {}
    first: dict[tuple[int, int], str] = {}
    for path in sorted(Path(directory).rglob("*")):
        name = f"/{path.relative_to(directory)}"
        if name in left_out:
            continue
        status = path.lstat()
        what: object = None
        if stat.S_ISLNK(status.st_mode):
            what = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            what = path.read_bytes()
        same = first.setdefault((status.st_dev, status.st_ino), name)
        found[name] = (stat.filemode(status.st_mode), status.st_uid, status.st_gid, what, same)
    return found


def accounts(host: FakeHost) -> None:
    """Write the account files of a small system, as useradd and related programs need them."""
    files = {
        "passwd": "root:x:0:0:root:/root:/bin/bash\ncore:x:500:500:Core:/home/core:/bin/sh\n",
        "shadow": "root:*:19000:0:99999:7:::\ncore:$y$old:19000:0:99999:7:::\n",
        "group": "root:x:0:\nwheel:x:10:core\ncore:x:500:\n",
        "gshadow": "root:*::\nwheel:!::core\ncore:!::\n",
        "login.defs": "UID_MIN 1000\nUID_MAX 60000\nSYS_UID_MIN 201\nSYS_UID_MAX 999\nGID_MIN 1000\n"
        "GID_MAX 60000\nUSERGROUPS_ENAB yes\nUMASK 022\nHOME_MODE 0700\n",
    }
    for name, text in files.items():
        host.root.write(f"/etc/{name}", text.encode(), mode=0o640 if "shadow" in name else 0o644)
    host.root.make_directories("/root", 0o700)
    host.root.make_directories("/home/core")
    host.root.chown("/home/core", (500, 500))
