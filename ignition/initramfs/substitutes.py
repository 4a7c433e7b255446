# SPDX-License-Identifier: Apache-2.0
"""Modules that the packed Python gets in another form, and modules that it does not get.

- `certifi` carries a CA bundle of its own. The packed module names the system's bundle, as the packages of
  distributions do.
- `ctypes.util` finds libraries by starting `ldconfig` or a compiler, and an initramfs has neither. The packed
  module holds the answers that the build host gave.
- `dataclasses` compiles the methods of each class when the class is made. The packed module does not
  (`shims/dataclasses.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from ignition.errors import IgnitionError
from ignition.resource import tls

__all__ = ["ca_bundle", "certifi", "ctypes_util", "dataclasses", "hidden"]

LEFT_OUT: Final = ("charset_normalizer", "chardet", "bz2", "lzma", "_bz2", "_lzma")
"""Character set detection, and compressions that no config field can name."""


def ca_bundle() -> str:
    """Path of the system's CA bundle.

    Raises:
        IgnitionError: the system has no bundle, so the engine could not use HTTPS.
    """
    bundle = tls.system_bundle()
    if not bundle:
        raise IgnitionError(
            "cannot pack the engine: CA bundle not found on this system",
            hint="install the package ca-certificates",
        )
    return bundle


def certifi(bundle: str) -> str:
    """Return the source of `certifi` for the CA bundle at this path."""
    return (
        f"def where():\n    return {bundle!r}\n\n"
        "def contents():\n    with open(where(), encoding='ascii') as file:\n        return file.read()\n"
    )


def ctypes_util(answers: Mapping[str, str | None]) -> str:
    """Return the source of `ctypes.util` with these answers of `find_library`."""
    return f"find_library = {dict(answers)!r}.get\n"


def dataclasses() -> str:
    """Return the source of `dataclasses`."""
    return Path(__file__).with_name("shims").joinpath("dataclasses.py").read_text("utf-8")


def hidden(modules: Iterable[str]) -> list[str]:
    """Installed top-level modules to hide from the engine while it is packed.

    A library may use another package if that is installed. Packages that are installed on the build host,
    and that the engine does not require, must not get into the image for that reason.

    Args:
        modules: the foreign modules that the engine imports.
    """
    providers = metadata.packages_distributions()
    needed = distributions({module.partition(".")[0] for module in modules}, providers)
    other = (top for top, names in providers.items() if not needed.intersection(map(normal, names)))
    return sorted({*LEFT_OUT, *other} - {"ignition"})


def distributions(tops: Iterable[str], providers: Mapping[str, list[str]]) -> frozenset[str]:
    """Normalised names of the distributions of these modules, and of all that they require."""
    waiting = [normal(name) for top in tops for name in providers.get(top, ())]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        waiting += requirements(name)
    return frozenset(needed)


def requirements(distribution: str) -> list[str]:
    """Distributions that one distribution requires, without those of its optional extras."""
    try:
        lines = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        # Required on other systems or versions only.
        return []
    return [
        normal(found[0])
        for line in lines
        if "extra ==" not in line and (found := re.match(r"[\w.-]+", line)) is not None
    ]


def normal(name: str) -> str:
    """Normalise a distribution name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
