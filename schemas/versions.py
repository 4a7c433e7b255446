"""What `ignition.version` may say: which version of the spec a text names.

Source: config-spec section 1.
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
    """The version is none that a config may have."""


class Unparsable(SpecVersionError):
    """The text is no version at all."""


class Unsupported(SpecVersionError):
    """A version, but not of a spec that is known here."""


@lru_cache(maxsize=64)
def spec_of(version: str) -> Spec:
    """The spec that a version text names; leading zeros and empty suffixes make no difference.

    Raises:
        Unparsable: the text is not a semantic version.
        Unsupported: no such spec is known.
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
        raise Unparsable("the spec version is not three numbers with dots between them")
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
