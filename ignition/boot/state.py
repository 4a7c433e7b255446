# SPDX-License-Identifier: Apache-2.0
"""The state that stages hand on to later stages, in one JSON file.

Shape and file mode are the reference's (docs/reference/stages.md, "State file"), so that tools
which read it keep working. The file is written atomically; the reference writes in place.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from ignition.errors import StateError
from ignition.host.files import atomic
from ignition.text import strerror

__all__ = ["KEY_REMOVED", "FetchedConfig", "State", "StateStore", "read", "write"]

T = TypeVar("T")

KEY_REMOVED: Final = "data:,"
"""Replaces the generated key of a LUKS volume from which that key was removed."""


@dataclass(frozen=True)
class FetchedConfig:
    """One of the configs that were merged into the config of this boot.

    Attributes:
        kind: "base" or "user".
        source: where it came from: a provider's name, or the path of its URL.
        referenced: whether another config named it.
    """

    kind: str
    source: str
    referenced: bool


@dataclass(frozen=True)
class State:
    """The state. `+` merges two states; the right one wins where both have a value.

    Attributes:
        fetched: the configs that were merged into the one that is applied.
        directories: directories that the mount stage created, as paths in the target root.
        luks_keys: LUKS volume name → `data:` URL of its key, or `KEY_REMOVED`; secret.
        luks_volume_keys: file name → `data:` URL of a CEX key file; secret.
    """

    fetched: tuple[FetchedConfig, ...] = ()
    directories: tuple[str, ...] = ()
    luks_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    luks_volume_keys: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __add__(self, more: State) -> State:
        return State(
            fetched=_union(self.fetched, more.fetched),
            directories=_union(self.directories, more.directories),
            luks_keys={**self.luks_keys, **more.luks_keys},
            luks_volume_keys={**self.luks_volume_keys, **more.luks_volume_keys},
        )

    def luks_key(self, name: str) -> bytes | None:
        """Return the key that the disks stage persisted for a LUKS volume, or None.

        Raises:
            StateError: the key is malformed.
        """
        url = self.luks_keys.get(name)
        return None if url == KEY_REMOVED else _key(url, f'the key of LUKS volume "{name}"')

    def luks_volume_key(self, file: str) -> bytes | None:
        """Return the contents of a CEX key file by its name, or None.

        Raises:
            StateError: the contents are malformed.
        """
        return _key(self.luks_volume_keys.get(file), f'the CEX key file "{file}"')

    def without_keys(self) -> State:
        """Return the state without its keys, for after the files stage wrote them to the target root."""
        return replace(self, luks_keys={}, luks_volume_keys={})


def _key(url: str | None, what: str) -> bytes | None:
    if url is None:
        return None
    from ignition.url import dataurl

    try:
        return dataurl.decode(url)
    except dataurl.MalformedDataUrl as error:
        raise StateError(f"cannot decode {what} in the state file: malformed data URL") from error


def read(path: str) -> State:
    """Read the state file; a missing file is an empty state.

    Raises:
        StateError: the file exists and is unreadable or malformed.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return _from_json(json.load(file))
    except FileNotFoundError:
        return State()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError(
            f"cannot read the state of earlier stages from {path}: {_fault(error)}",
            hint="remove the file only if no stage has run in this boot",
        ) from error


def _fault(error: Exception) -> str:
    """Say what is wrong with the file without its contents, which hold keys."""
    return strerror(error) if isinstance(error, OSError) else "not a state file"


def write(path: str, state: State) -> None:
    """Write the state file, readable by root only."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    atomic.write(path, json.dumps(_to_json(state)).encode() + b"\n", 0o600)


class StateStore:
    """The state of this process; `persist` adds to it and writes the file at once.

    Thread-safe: parallel actions persist at the same time.

    Attributes:
        state: everything that was persisted so far.
    """

    def __init__(self, state: State | None = None, path: str = "") -> None:
        """Start with a state; an empty path keeps it in memory only."""
        self.state = state or State()
        self._path = path
        self._lock = threading.Lock()

    def persist(self, more: State) -> None:
        """Merge `more` into the state and write the file if that changed anything."""
        with self._lock:
            merged = self.state + more
            if merged != self.state:
                self.state = merged
                self._write()

    def replace(self, state: State) -> None:
        """Set the state and write the file."""
        with self._lock:
            self.state = state
            self._write()

    def _write(self) -> None:
        if self._path:
            write(self._path, self.state)


def _to_json(state: State) -> dict[str, Any]:
    fetched = [
        {"kind": config.kind, "source": config.source, "referenced": config.referenced}
        for config in state.fetched
    ]
    return {
        "fetchedConfigs": fetched or None,
        "luksPersistKeyFiles": dict(state.luks_keys) or None,
        "notatedDirectories": list(state.directories) or None,
        "providerOutputFiles": None,
        "luksPersistVolumeKeyFiles": dict(state.luks_volume_keys) or None,
    }


def _from_json(raw: Mapping[str, Any]) -> State:
    return State(
        fetched=tuple(
            FetchedConfig(item["kind"], item["source"], item["referenced"])
            for item in raw.get("fetchedConfigs") or ()
        ),
        directories=tuple(raw.get("notatedDirectories") or ()),
        luks_keys=dict(raw.get("luksPersistKeyFiles") or {}),
        luks_volume_keys=dict(raw.get("luksPersistVolumeKeyFiles") or {}),
    )


def _union(first: tuple[T, ...], second: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(first + second))
