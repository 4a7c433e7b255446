# SPDX-License-Identifier: Apache-2.0
"""Violations of a JSON Schema, found by the package jsonschema and described without values.

The only module that imports jsonschema; its importers handle a missing package.
Documents hold keys and password hashes, so messages name types, members and limits only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError

from ignition.configpath import ConfigPath
from ignition.schemas.catalogue import Schema

__all__ = ["Violation", "violations"]

TYPES: Final = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


@dataclass(frozen=True)
class Violation:
    """One violation.

    Attributes:
        path: the place in the document.
        message: a description without values of the document.
        is_key: whether the violation is about the key at the end of the path, not about its value.
    """

    path: ConfigPath
    message: str
    is_key: bool = False


def violations(document: object, schema: Schema) -> Iterator[Violation]:
    """Yield the violations of a document in the order of their paths."""
    errors = Draft202012Validator(schema).iter_errors(document)
    found = [violation for error in errors for violation in _described(error)]
    yield from sorted(dict.fromkeys(found), key=lambda each: [(str(type(x)), x) for x in each.path])


def _described(error: ValidationError) -> Iterator[Violation]:
    path = tuple(error.absolute_path)
    schema: Any = error.schema
    value: Any = error.instance
    rule: Any = error.validator_value
    if error.validator in ("anyOf", "oneOf") and error.context:
        for inner in _nearest(error):
            yield from _described(inner)
    elif error.validator == "additionalProperties":
        known = schema.get("properties", {})
        for key in value:
            if key not in known:
                yield Violation((*path, key), "unknown member", is_key=True)
    elif error.validator == "required":
        for name in rule:
            if name not in value:
                yield Violation(path, f'required member "{name}" not found')
    elif error.validator == "not":  # written for members that are not allowed here
        yield Violation(path, "unexpected member", is_key=True)
    else:
        describe = _DESCRIPTIONS.get(str(error.validator))
        text = describe(rule) if describe else f"the rule {error.validator} is violated"
        found = f", found {_type(value)}" if error.validator == "type" else ""
        yield Violation(path, text + found)


def _nearest(error: ValidationError) -> list[ValidationError]:
    """Return the errors of the alternative that the value is nearest to.

    A wrong type counts more than a missing member, and that more than any other violation.
    """
    branches: dict[object, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.relative_schema_path[0], []).append(inner)
    return min(branches.values(), key=_distance)


def _distance(errors: list[ValidationError]) -> tuple[int, int, int]:
    depth = min(len(error.absolute_path) for error in errors)
    own = [error.validator for error in errors if len(error.absolute_path) == depth]
    return own.count("type"), own.count("required"), len(errors)


def _type(value: object) -> str:
    return TYPES.get(type(value), "value")


def _types(value: str | list[str]) -> str:
    return " or ".join([value] if isinstance(value, str) else value)


_DESCRIPTIONS: Final[dict[str, Callable[[Any], str]]] = {
    "type": lambda types: f"expected {_types(types)}",
    "enum": lambda values: f"expected one of {', '.join(map(json.dumps, values))}",
    "const": lambda value: f"expected {json.dumps(value)}",
    "pattern": lambda pattern: f"expected a string that matches {pattern}",
    "minLength": lambda least: f"expected a string of at least {least} character{'' if least == 1 else 's'}",
    "minItems": lambda least: f"expected at least {least} item{'' if least == 1 else 's'}",
    "maxItems": lambda most: f"expected at most {most} items",
    "minimum": lambda least: f"expected at least {least}",
    "maximum": lambda most: f"expected at most {most}",
    "uniqueItems": lambda _: "expected items that differ from each other",
}
