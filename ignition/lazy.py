# SPDX-License-Identifier: Apache-2.0
"""Imports that are put off until their module is needed.

A stage pays for each import on every first boot, and `validate`, `explain` and `schema` have to run without
the packages that only other commands need. Both go through the two functions of this module.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ignition.errors import MissingPackage

__all__ = ["load", "requires"]


def load(place: str) -> Any:
    """Import `"package.module:name"` and return the object of that name.

    The packer of the initramfs follows literal arguments of this function.
    """
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


@contextmanager
def requires(purpose: str, *packages: str, verb: str = "need") -> Iterator[None]:
    """Turn a missing third-party package inside the block into an error that names it.

    Args:
        purpose: what needs it, as the subject of a sentence: "http sources".
        packages: the top-level modules that are imported inside, directly or not.
        verb: "needs" for a subject in the singular.

    Raises:
        MissingPackage: a package cannot be imported. Other import errors pass through.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in packages:
            raise
        raise MissingPackage(package, purpose, verb=verb) from error
