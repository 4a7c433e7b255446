# SPDX-License-Identifier: Apache-2.0
"""Upgrade a config to the newest version of the spec.

All versions share one model, so an upgrade sets the version and removes values that had no
effect in the older version. A Tang advertisement of spec 3.4.0 is kept, a deliberate
difference: the reference drops it.

Source: docs/reference/config-language.md, "Translation between versions".
"""

from __future__ import annotations

from typing import TypeVar

from ignition.schemas.config import Config
from ignition.schemas.nodes import SPECIAL_BITS, Directory, File
from ignition.schemas.spec import LATEST, Spec

__all__ = ["upgrade"]

_Moded = TypeVar("_Moded", Directory, File)


def upgrade(config: Config, spec: Spec) -> Config:
    """Upgrade a config that was written for this version."""
    ignition = config.ignition.evolve(version=LATEST.version)
    if spec >= Spec.V3_6:
        return config.evolve(ignition=ignition)
    storage = config.storage
    return config.evolve(
        ignition=ignition,
        storage=storage.evolve(
            directories=tuple(map(_without_special_bits, storage.directories)),
            files=tuple(map(_without_special_bits, storage.files)),
        ),
    )


def _without_special_bits(node: _Moded) -> _Moded:
    """Clear the setuid, setgid and sticky bits, which have no effect before spec 3.6.0."""
    if node.mode is None or not node.mode & SPECIAL_BITS:
        return node
    return node.evolve(mode=node.mode & ~SPECIAL_BITS)
