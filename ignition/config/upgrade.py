"""The few meanings that changed with a version, brought to the newest.

All versions share one model, so bringing a config to the newest one is: naming it,
and undoing what the older version did not mean. A Tang advertisement of 3.4.0 is
kept, which is a deliberate difference: the reference loses it on the way.

Source: config-spec section 7.
"""

from __future__ import annotations

from typing import TypeVar

from ignition.schemas.config import Config
from ignition.schemas.nodes import SPECIAL_BITS, Directory, File
from ignition.schemas.spec import LATEST, Spec

__all__ = ["upgrade"]

_Moded = TypeVar("_Moded", Directory, File)


def upgrade(config: Config, spec: Spec) -> Config:
    """The same config, of this version so far, in the newest version."""
    ignition = config.ignition.but(version=LATEST.version)
    if spec >= Spec.V3_6:
        return config.but(ignition=ignition)
    storage = config.storage
    return config.but(
        ignition=ignition,
        storage=storage.but(
            directories=tuple(map(_without_special_bits, storage.directories)),
            files=tuple(map(_without_special_bits, storage.files)),
        ),
    )


def _without_special_bits(node: _Moded) -> _Moded:
    """Before 3.6.0, setuid, setgid and sticky bits had no effect."""
    if node.mode is None or not node.mode & SPECIAL_BITS:
        return node
    return node.but(mode=node.mode & ~SPECIAL_BITS)
