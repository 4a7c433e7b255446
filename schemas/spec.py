# SPDX-License-Identifier: Apache-2.0
"""The versions of spec 3.x and their order.

Source: docs/reference/config-language.md, "Version matrix".
"""

from __future__ import annotations

import enum
from typing import Literal

__all__ = ["LATEST", "STABLE", "Spec", "SpecVersion"]

SpecVersion = Literal["3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0", "3.6.0", "3.7.0-experimental"]
"""Known values of `ignition.version`."""


class Spec(enum.IntEnum):
    """One version of the spec; later versions compare greater."""

    V3_0 = 0
    V3_1 = 1
    V3_2 = 2
    V3_3 = 3
    V3_4 = 4
    V3_5 = 5
    V3_6 = 6
    V3_7 = 7

    @property
    def version(self) -> SpecVersion:
        """The value of `ignition.version` in configs of this version."""
        return _VERSIONS[self]

    @classmethod
    def of(cls, version: SpecVersion) -> Spec:
        """Return the member of a known version."""
        return _SPECS[version]

    def __str__(self) -> str:
        return self.version


_VERSIONS: dict[Spec, SpecVersion] = {
    Spec.V3_0: "3.0.0",
    Spec.V3_1: "3.1.0",
    Spec.V3_2: "3.2.0",
    Spec.V3_3: "3.3.0",
    Spec.V3_4: "3.4.0",
    Spec.V3_5: "3.5.0",
    Spec.V3_6: "3.6.0",
    Spec.V3_7: "3.7.0-experimental",
}
_SPECS = {version: spec for spec, version in _VERSIONS.items()}

LATEST = Spec.V3_7
"""The version that every config is upgraded to before it is merged or used."""

STABLE = Spec.V3_6
"""The newest stable version, for hints and defaults."""
