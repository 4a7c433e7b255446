"""Marks: what a field's type cannot say.

    mount_options: Annotated[tuple[str, ...], since("3.1.0"), appended] = ()

A mark is a small frozen value inside `Annotated`. `ignition.schemas.fields` reads
them; the decoder, the merge, the duplicate check and the schemas follow from that.
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
    """The field came with this version; before it, the key is simply unused."""

    spec: Spec


@dataclass(frozen=True)
class Values:
    """The values a text field takes, each with the version that brought it.

    From `any_since` on, if given, any other text is fine too.
    """

    since: tuple[tuple[str, Spec], ...]
    any_since: Spec | None = None

    def known(self, spec: Spec) -> tuple[str, ...]:
        """The values that this version knows, in the order of declaration."""
        return tuple(value for value, first in self.since if first <= spec)

    def accepts(self, value: str, spec: Spec) -> bool:
        """Whether this version takes this value."""
        return (self.any_since is not None and spec >= self.any_since) or value in self.known(spec)

    def first(self, value: str) -> Spec | None:
        """The version that brought the value; None if none did."""
        return dict(self.since).get(value)


@dataclass(frozen=True)
class Keyed:
    """Items of the list are told apart by a key: merged by it, and an error when it repeats.

    The key is the item's `attribute`, or the item itself where it is a text.
    `handle` names the key space; lists of one object with the same handle share one,
    so that an item in one list stands for the same thing as an item in the other.
    An item whose attribute `removed_without` is null takes away, when it is merged,
    the parent's item with the same key.
    """

    attribute: str = ""
    handle: str = ""
    removed_without: str = ""


@dataclass(frozen=True)
class Appended:
    """Merging concatenates the list; repeated items are fine."""


@dataclass(frozen=True)
class Lacking:
    """Before `until`, the objects in this place do not have these fields yet."""

    attributes: tuple[str, ...]
    until: Spec


@dataclass(frozen=True)
class NotNull:
    """Before `until` the field was a plain string: null and absence meant `""`.

    With `attribute`, this is said of that field of the objects in this place.
    """

    until: Spec
    attribute: str = ""


@dataclass(frozen=True)
class Absent:
    """Before `until` the object could be null, and that differed from an empty one."""

    until: Spec


@dataclass(frozen=True)
class Secret:
    """The field may hold what nobody should see: contents, keys, tokens."""


def since(version: SpecVersion) -> Since:
    """The field exists from this version on."""
    return Since(Spec.of(version))


def values(*, any_since: SpecVersion | None = None, **known: SpecVersion) -> Values:
    """The field takes these values, each from its version on."""
    return Values(
        tuple((value, Spec.of(version)) for value, version in known.items()),
        None if any_since is None else Spec.of(any_since),
    )


def keyed(attribute: str = "", *, handle: str = "", removed_without: str = "") -> Keyed:
    """Items are told apart by this attribute of theirs; see `Keyed`."""
    return Keyed(attribute, handle, removed_without)


def lacking(*attributes: str, until: SpecVersion) -> Lacking:
    """The objects here have these fields only from this version on."""
    return Lacking(attributes, Spec.of(until))


def not_null_before(version: SpecVersion, attribute: str = "") -> NotNull:
    """Before this version the field, or that field of the objects here, was a plain string."""
    return NotNull(Spec.of(version), attribute)


def absent_before(version: SpecVersion) -> Absent:
    """Before this version the object could be null, which differed from an empty one."""
    return Absent(Spec.of(version))


secret = Secret()
"""A text that `repr` does not show."""

appended = Appended()
"""A list that merges by concatenation."""
