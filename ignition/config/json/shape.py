# SPDX-License-Identifier: Apache-2.0
"""Raw JSON values to the model, by the reference's decoding rules.

The reference decodes with Go's `encoding/json`: keys match in any case, a repeated key is
decoded over its earlier value, null mostly means "not set", and an integer must be an
integer literal. A `Shape` lists the fields that a class has in one place of one version of
the spec. `decode` converts raw values by a shape and collects the values of the wrong type;
`irregularities` then reports unused keys.

Source: docs/reference/config-language.md, "JSON decoding".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

from ignition.config.json.values import Number, Pairs, Raw, repaired
from ignition.configpath import ConfigPath
from ignition.diagnostics import Entry, Severity, TypeMismatch
from ignition.schemas.base import Node
from ignition.schemas.fields import Field, fields_of
from ignition.schemas.marks import Lacking, NotNull
from ignition.schemas.spec import Spec

__all__ = ["ABOUT_KEYS", "Decoded", "Mismatches", "Shape", "decode", "irregularities", "shape_of"]

ABOUT_KEYS = ("unused-key", "newer-key")
"""Codes of entries whose position is that of a key, not of its value."""

Mismatches = list[tuple[tuple[int, ...], TypeMismatch]]
"""Values of the wrong type, each after the indices of members and items that lead to it, in the
order of the text (`Places.after`)."""


@dataclass(frozen=True)
class Slot:
    """A field in one place of one version."""

    field: Field
    shape: Shape | None
    null: Any
    """Value that null decodes to; None also means "unchanged" where null is not a value."""
    may_be_absent: bool

    @property
    def keeps_on_null(self) -> bool:
        """Whether null leaves the value of an earlier occurrence of the key."""
        if self.shape is not None and not self.field.many:
            return not self.may_be_absent
        return not self.field.many and (not self.field.nullable or self.null is not None)


@dataclass(frozen=True)
class Shape:
    """The fields of a class in one place of one version of the spec."""

    node: type[Node]
    spec: Spec
    slots: dict[str, Slot]
    """Fields by JSON name."""
    folded: dict[str, Slot]
    """Fields by case-folded JSON name."""
    initial: dict[str, Any]
    """Attributes whose value differs from the default even if the config does not set them."""
    newer: dict[str, Spec]
    """JSON names of fields of later versions, with their first version."""

    def only(self, **slots: Slot) -> Shape:
        """Return a shape with these fields only."""
        return replace(self, slots=slots, folded={_fold(name): slot for name, slot in slots.items()})

    def slot(self, key: str) -> Slot | None:
        """Return the field of a key, in any case; None if there is none."""
        return self.slots.get(key) or self.folded.get(_fold(key))


@dataclass
class Decoded:
    """Findings of a decoding."""

    mismatches: Mismatches = field(default_factory=list)
    irregular: bool = False
    """Whether a key is unknown, repeated or differs in case, or an object is null."""


@cache
def shape_of(
    node: type[Node],
    spec: Spec,
    lacking: Lacking | None = None,
    not_null: NotNull | None = None,
) -> Shape:
    """Return the shape of a class in one version; the marks describe the differences of this place."""
    slots, initial, newer = {}, {}, {}
    for one in fields_of(node):
        if one.since > spec:
            newer[one.name] = one.since
        elif lacking and one.attribute in lacking.attributes:
            newer[one.name] = lacking.until
        else:
            slot = _slot(one, spec, plain=not_null is not None and one.attribute == not_null.attribute)
            slots[one.name] = slot
            if one.nullable and slot.null is not None:
                initial[one.attribute] = slot.null
    return Shape(node, spec, slots, {_fold(name): slot for name, slot in slots.items()}, initial, newer)


def _slot(one: Field, spec: Spec, *, plain: bool) -> Slot:
    lacking, not_null = one.lacking, one.not_null
    shape = None
    if one.node is not None:
        shape = shape_of(
            one.node,
            spec,
            lacking if lacking and spec < lacking.until else None,
            not_null if not_null and spec < not_null.until else None,
        )
    elif not_null and spec < not_null.until:
        plain = True
    return Slot(one, shape, "" if plain else None, one.absent is not None and spec < one.absent.until)


def _fold(key: str) -> str:
    """Fold the case of a key; the long s and the Kelvin sign become s and k, as in Go."""
    return key.lower().replace("\u017f", "s")


def decode(raw: Raw, shape: Shape) -> tuple[Node, Decoded]:
    """Convert raw values by a shape; values of the wrong type become the defaults."""
    decoder = _Decoder()
    node = decoder.object(raw, shape, None, (), ())
    return node, decoder.found


class _Decoder:
    def __init__(self) -> None:
        self.found = Decoded()
        self._beyond: dict[int, tuple[tuple[Any, ...], tuple[Any, ...]]] = {}
        """By the identity of a list that a later occurrence shortened: the list, the removed items."""

    def object(
        self, raw: Raw, shape: Shape, over: Node | None, steps: tuple[int, ...], path: ConfigPath
    ) -> Node:
        """Decode an object over the value of an earlier occurrence of its key."""
        if type(raw) is dict:
            members: Iterable[tuple[str, Raw]] = raw.items()
        elif type(raw) is Pairs:
            members, self.found.irregular = raw, True
        else:
            if raw is None:
                self.found.irregular = True
            else:
                self.mismatch(raw, "an object", steps, path)
            return over or (shape.node.of(shape.initial) if shape.initial else shape.node.empty())
        attributes = dict(shape.initial)
        if over is not None:
            attributes |= {name: getattr(over, name) for name in over.given}
        slots = shape.slots
        for index, (key, value) in enumerate(members):
            slot = slots.get(key)
            if slot is None:
                self.found.irregular = True
                slot = shape.slot(key)
                if slot is None:
                    continue
            self.member(slot, value, attributes, (*steps, index), (*path, slot.field.name))
        return shape.node.of(attributes)

    def member(
        self, slot: Slot, raw: Raw, attributes: dict[str, Any], steps: tuple[int, ...], path: ConfigPath
    ) -> None:
        one = slot.field
        if raw is None:
            if slot.shape is not None and not one.many:
                self.found.irregular = True
            if not slot.keeps_on_null:
                attributes.pop(one.attribute, None)
        elif one.many:
            attributes[one.attribute] = self.list(slot, raw, attributes.get(one.attribute, ()), steps, path)
        elif slot.shape is not None:
            over = attributes.get(one.attribute)
            attributes[one.attribute] = self.object(raw, slot.shape, over, steps, path)
        else:
            value = self.scalar(one.kind, raw, steps, path)
            if value is not None:
                attributes[one.attribute] = value

    def list(
        self, slot: Slot, raw: Raw, over: tuple[Any, ...], steps: tuple[int, ...], path: ConfigPath
    ) -> tuple[Any, ...]:
        """Decode a list, each item over the item that an earlier occurrence had at its index.

        Items that an occurrence in between removed come back, unless it was empty: the
        reference's decoder reuses the memory.
        """
        if type(raw) is not list:
            self.mismatch(raw, "a list", steps, path)
            return over
        older = over + self._beyond.get(id(over), (over, ()))[1]
        items = []
        for index, item in enumerate(raw):
            before = older[index] if index < len(older) else None
            items.append(self.item(slot, item, before, (*steps, index), (*path, index)))
        result = tuple(items)
        if result and len(older) > len(result):
            self._beyond[id(result)] = (result, older[len(result) :])
        return result

    def item(self, slot: Slot, raw: Raw, before: Any, steps: tuple[int, ...], path: ConfigPath) -> Any:
        if slot.shape is not None:
            return self.object(raw, slot.shape, before, steps, path)
        value = None if raw is None else self.scalar(slot.field.kind, raw, steps, path)
        if value is None:
            return slot.field.kind() if before is None else before
        return value

    def scalar(self, kind: type, raw: Raw, steps: tuple[int, ...], path: ConfigPath) -> str | int | None:
        if type(raw) is kind:
            return repaired(raw) if kind is str else raw  # type: ignore[return-value]
        self.mismatch(raw, _EXPECTED[kind], steps, path)
        return None

    def mismatch(self, raw: Raw, expected: str, steps: tuple[int, ...], path: ConfigPath) -> None:
        self.found.mismatches.append((steps, TypeMismatch(path, expected, _type_of(raw))))


_EXPECTED: dict[type, str] = {str: "a string", int: "an integer", bool: "true or false"}


def _type_of(raw: Raw) -> str:
    """Return the type of a value with its article; never the value."""
    match raw:
        case Number():
            return "a number that is not a 64-bit integer"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "a number"
        case list():
            return "a list"
        case None:
            return "null"
        case _:
            return "an object"


def irregularities(raw: Raw, node: Node, shape: Shape, path: ConfigPath = ()) -> Iterator[Entry]:
    """Yield warnings for unused keys, and for null in the place of an object.

    The last occurrence of a repeated key is used. Below keys that differ in case nothing is reported.
    """
    if not isinstance(raw, (dict, Pairs)):
        yield Entry(
            Severity.WARNING,
            f"expected an object, found {_type_of(raw)}; it is treated as an empty object",
            path,
            code="not-an-object",
        )
        return
    members = dict(raw)
    for key in members:
        if key not in shape.slots:
            yield unused_key(repaired(key), shape, path)
    for name, slot in shape.slots.items():
        if slot.shape is None or name not in members:
            continue
        below = (*path, name)
        value, child = members[name], getattr(node, slot.field.attribute)
        if slot.field.many:
            if isinstance(value, list):
                for index, (item, one) in enumerate(zip(value, child, strict=False)):
                    yield from irregularities(item, one, slot.shape, (*below, index))
        elif not (slot.may_be_absent and slot.field.attribute not in node.given):
            yield from irregularities(value, child, slot.shape, below)


def unused_key(key: Any, shape: Shape, path: ConfigPath) -> Entry:
    """Return the warning for a key that is not the exact name of a field, with a suggestion."""
    newer = shape.newer.get(key)
    used = shape.slot(key)
    if newer is not None:
        hint = f"set `ignition.version` to {newer} or later: in spec {shape.spec} `{key}` has no effect"
    elif used is not None:
        hint = f"write `{used.field.name}`: this spelling takes effect, but is not part of the spec"
    else:
        hint = _suggestion(key, tuple(shape.slots))
    code = "newer-key" if newer is not None else "unused-key"
    return Entry(Severity.WARNING, f"unused key {key}", (*path, key), code=code, hint=hint)


@lru_cache(maxsize=256)
def _suggestion(key: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    meant = get_close_matches(key, known, n=1, cutoff=0.7) if len(key) < 64 else ()
    return f"rename the key to `{meant[0]}`" if meant else ""
