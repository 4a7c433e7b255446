# SPDX-License-Identifier: Apache-2.0
"""Marks: properties of a field that its type cannot express.

    mount_options: Annotated[tuple[str, ...], since("3.1.0"), appended] = ()

A mark is a small frozen value inside `Annotated`, read by `ignition.schemas.fields`. The decoder, the
merge, the duplicate check and the JSON Schemas are derived from marks.
"""

from __future__ import annotations

from dataclasses import dataclass

from ignition.schemas.spec import Spec, SpecVersion

__all__ = [
    "Absent",
    "Appended",
    "Keyed",
    "Lacking",
    "NotNull",
    "Secret",
    "Since",
    "Values",
    "absent_before",
    "appended",
    "keyed",
    "lacking",
    "not_null_before",
    "secret",
    "since",
    "values",
]


@dataclass(frozen=True)
class Since:
    """The version that introduced the field; in earlier versions the key is unused."""

    spec: Spec


@dataclass(frozen=True)
class Values:
    """The values of a string field, each with the version that introduced it.

    Since `any_since`, if set, any other string is accepted too.
    """

    since: tuple[tuple[str, Spec], ...]
    any_since: Spec | None = None

    def known(self, spec: Spec) -> tuple[str, ...]:
        """Return the values of a version, in the order of declaration."""
        return tuple(value for value, first in self.since if first <= spec)

    def accepts(self, value: str, spec: Spec) -> bool:
        """Whether a version accepts a value."""
        return (self.any_since is not None and spec >= self.any_since) or value in self.known(spec)

    def first(self, value: str) -> Spec | None:
        """Return the version that introduced a value, or None."""
        return dict(self.since).get(value)


@dataclass(frozen=True)
class Keyed:
    """The items of the list have a key: they merge by key, and a repeated key is an error.

    The key is the item's `attribute`, or the item itself if it is a string. Lists of one object
    with the same `handle` share a key space, so that items of both lists can have the same key.
    Merging an item whose attribute `removed_without` is null removes the parent's item with the
    same key.
    """

    attribute: str = ""
    handle: str = ""
    removed_without: str = ""


@dataclass(frozen=True)
class Appended:
    """Merging concatenates the list; items may repeat."""


@dataclass(frozen=True)
class Lacking:
    """Before `until`, the objects in this place lack these fields."""

    attributes: tuple[str, ...]
    until: Spec


@dataclass(frozen=True)
class NotNull:
    """Before `until` the field was a plain string: null and absence meant `""`.

    With `attribute`, the mark is about that field of the objects in this place.
    """

    until: Spec
    attribute: str = ""


@dataclass(frozen=True)
class Absent:
    """Before `until` the object could be null, which differed from an empty object."""

    until: Spec


@dataclass(frozen=True)
class Secret:
    """The field may hold secrets: contents, keys, tokens."""


def since(version: SpecVersion) -> Since:
    """Mark a field that this version introduced."""
    return Since(Spec.of(version))


def values(*, any_since: SpecVersion | None = None, **known: SpecVersion) -> Values:
    """Mark the values of a field, each with the version that introduced it."""
    return Values(
        tuple((value, Spec.of(version)) for value, version in known.items()),
        None if any_since is None else Spec.of(any_since),
    )


def keyed(attribute: str = "", *, handle: str = "", removed_without: str = "") -> Keyed:
    """Mark a list whose items have this attribute as their key; see `Keyed`."""
    return Keyed(attribute, handle, removed_without)


def lacking(*attributes: str, until: SpecVersion) -> Lacking:
    """Mark objects that have these fields only since this version."""
    return Lacking(attributes, Spec.of(until))


def not_null_before(version: SpecVersion, attribute: str = "") -> NotNull:
    """Mark a field, or that field of the objects, that was a plain string before this version."""
    return NotNull(Spec.of(version), attribute)


def absent_before(version: SpecVersion) -> Absent:
    """Mark an object that could be null before this version, which differed from an empty object."""
    return Absent(Spec.of(version))


secret = Secret()
"""A string that `repr` hides."""

appended = Appended()
"""A list that is concatenated when merged."""
