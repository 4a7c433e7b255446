"""What a stage leaves for later ones: a small record on disk.

Shape and file mode as the reference's (engine.md section 5), so that tools which
look into it keep working. Written atomically, which the reference does not do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from ignition.errors import StateError
from ignition.host.files import atomic

__all__ = ["KEY_IS_GONE", "FetchedConfig", "OutputFile", "State", "read", "write"]

T = TypeVar("T")

KEY_IS_GONE: Final = "data:,"
"""Stands for the generated key of an encrypted volume that has no use for it any more."""


@dataclass(frozen=True)
class FetchedConfig:
    """One config that took part in this boot's config.

    Attributes:
        kind: "base" or "user".
        source: where it came from: a provider's name, or the path of its URL.
        referenced: whether another config named it.
    """

    kind: str
    source: str
    referenced: bool


@dataclass(frozen=True)
class OutputFile:
    """A file that the platform wants written in the files stage."""

    path: str
    source: str
    mode: int


@dataclass(frozen=True)
class State:
    """The record. Joins with `+`: what a stage leaves is added to what was there.

    Attributes:
        fetched: the configs that made up the one that is applied.
        directories: directories the mount stage created, as paths in the target root.
        output_files: files that the platform wants written.
        luks_keys: LUKS name → `data:` URL of its key; secret. `KEY_IS_GONE` if it has been taken away again.
        luks_volume_keys: file name → `data:` URL of a CEX key file; secret.
    """

    fetched: tuple[FetchedConfig, ...] = ()
    directories: tuple[str, ...] = ()
    output_files: tuple[OutputFile, ...] = ()
    luks_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    luks_volume_keys: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __add__(self, more: State) -> State:
        return State(
            fetched=_union(self.fetched, more.fetched),
            directories=_union(self.directories, more.directories),
            output_files=_union(self.output_files, more.output_files),
            luks_keys={**self.luks_keys, **more.luks_keys},
            luks_volume_keys={**self.luks_volume_keys, **more.luks_volume_keys},
        )

    def luks_key(self, name: str) -> bytes | None:
        """The key that the disks stage left for an encrypted volume; `None` if it left none.

        Raises:
            StateError: it cannot be read.
        """
        url = self.luks_keys.get(name)
        return None if url == KEY_IS_GONE else _key(url, f"the key of the encrypted volume {name}")

    def luks_volume_key(self, file: str) -> bytes | None:
        """The contents of a file of a crypto card's key, by its name; `None` if there is none.

        Raises:
            StateError: it cannot be read.
        """
        return _key(self.luks_volume_keys.get(file), f"the key file {file}")

    def without_keys(self) -> State:
        """The record after the keys have been written where they belong."""
        return replace(self, luks_keys={}, luks_volume_keys={})


def _key(url: str | None, what: str) -> bytes | None:
    if url is None:
        return None
    from ignition import dataurl

    try:
        return dataurl.decode(url)
    except dataurl.MalformedDataUrl as error:
        raise StateError(f"{what} in the state cannot be read") from error


def read(path: str) -> State:
    """The record at `path`; a missing file is an empty record.

    Raises:
        StateError: it is there and cannot be read or understood.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return _from_json(json.load(file))
    except FileNotFoundError:
        return State()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError(
            f"the state of earlier stages in {path} cannot be read",
            hint="remove the file only if this boot has not run a stage yet",
        ) from error


def write(path: str, state: State) -> None:
    """Write the record to `path`, for root alone."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    atomic.write(path, json.dumps(_to_json(state)).encode() + b"\n", 0o600)


def _to_json(state: State) -> dict[str, Any]:
    fetched = [
        {"kind": config.kind, "source": config.source, "referenced": config.referenced}
        for config in state.fetched
    ]
    files = [
        {"path": file.path, "overwrite": True, "contents": {"source": file.source}, "mode": file.mode}
        for file in state.output_files
    ]
    return {
        "fetchedConfigs": fetched or None,
        "luksPersistKeyFiles": dict(state.luks_keys) or None,
        "notatedDirectories": list(state.directories) or None,
        "providerOutputFiles": files or None,
        "luksPersistVolumeKeyFiles": dict(state.luks_volume_keys) or None,
    }


def _from_json(raw: Mapping[str, Any]) -> State:
    return State(
        fetched=tuple(
            FetchedConfig(item["kind"], item["source"], item["referenced"])
            for item in raw.get("fetchedConfigs") or ()
        ),
        directories=tuple(raw.get("notatedDirectories") or ()),
        output_files=tuple(
            OutputFile(item["path"], item["contents"]["source"], item["mode"])
            for item in raw.get("providerOutputFiles") or ()
        ),
        luks_keys=dict(raw.get("luksPersistKeyFiles") or {}),
        luks_volume_keys=dict(raw.get("luksPersistVolumeKeyFiles") or {}),
    )


def _union(first: tuple[T, ...], second: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(first + second))
