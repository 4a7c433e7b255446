# SPDX-License-Identifier: Apache-2.0
"""Parser for `ignition.version`.

Source: docs/reference/config-language.md, "Accepting a document".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

from ignition.schemas.spec import Spec

__all__ = ["SpecVersionError", "Unparsable", "Unsupported", "spec_of"]

_Semver: TypeAlias = tuple[int, int, int, str, str]

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_INT64 = range(2**63)
_INT64_DIGITS = 19


class SpecVersionError(ValueError):
    """The version cannot be used in a config."""


class Unparsable(SpecVersionError):
    """The string is not a semantic version."""


class Unsupported(SpecVersionError):
    """The version is not a known spec version."""


@lru_cache(maxsize=64)
def spec_of(version: str) -> Spec:
    """Return the spec of a version string; leading zeros and empty suffixes are ignored.

    Raises:
        Unparsable: the string is not a semantic version.
        Unsupported: the version is not a known spec version.
    """
    semver = _parse(version)
    for spec in reversed(Spec):
        if semver == _parse(spec.version):
            return spec
    shown = version if len(version) <= 40 else f"{version[:37]}..."
    raise Unsupported(f"spec version {shown} is not supported")


def _parse(version: str) -> _Semver:
    rest, _, metadata = version.partition("+")
    rest, _, prerelease = rest.partition("-")
    numbers = rest.split(".")
    if len(numbers) != 3:
        raise Unparsable("the spec version is not three numbers separated by dots")
    for identifiers in (prerelease, metadata):
        if identifiers and not re.fullmatch(_IDENTIFIERS, identifiers):
            raise Unparsable("the spec version has a malformed suffix")
    major, minor, patch = map(_number, numbers)
    return major, minor, patch, prerelease, metadata


def _number(text: str) -> int:
    digits = text.lstrip("0") or text[:1]
    if not (text.isascii() and text.isdecimal()) or len(digits) > _INT64_DIGITS or int(digits) not in _INT64:
        raise Unparsable("a part of the spec version is not a number")
    return int(digits)
