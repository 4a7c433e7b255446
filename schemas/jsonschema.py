# SPDX-License-Identifier: Apache-2.0
"""Generator of JSON Schemas (draft 2020-12) for all spec versions, from the annotated model.

Types, marks and the strings below the fields give most of a schema. The required fields are found by
checking objects that lack them. A key without effect is a warning of the engine and a violation of the
schema, so that editors report it.

`python -m ignition.schemas.jsonschema` writes the schemas to `published/`; a test fails if they are
outdated.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from ignition.diagnostics import Severity
from ignition.schemas.base import Node
from ignition.schemas.catalogue import FOLDER, Schema, file_name
from ignition.schemas.config import Config
from ignition.schemas.fields import Field, fields_of, since_at
from ignition.schemas.ignition import Ignition
from ignition.schemas.marks import Values
from ignition.schemas.spec import Spec

__all__ = ["schema_for"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

TYPES: Final[Mapping[type, str]] = {str: "string", int: "integer", bool: "boolean"}

ACRONYMS: Final = ("CEX", "GECOS", "GID", "GUID", "HTTP", "HTTPS", "ID", "LUKS", "MiB", "RAID", "SSH", "TLS",
                   "TPM2", "UID", "URL", "UUID")  # fmt: skip


def schema_for(spec: Spec) -> Schema:
    """Return the JSON Schema of a spec version."""
    generator = _Generator(spec)
    config = generator.object(Config)
    title = {"title": f"Ignition config, spec {spec}"}
    definitions = dict(sorted(generator.definitions.items()))
    identity = {"$schema": DIALECT, "$id": f"urn:ignition:schema:config:{spec}"}
    return {**identity, **config, **title, "$defs": definitions}


class _Generator:
    """Generator of the schemas of objects; `definitions` has the schemas that others refer to."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.definitions: dict[str, Schema] = {}

    def object(self, node: type[Node], place: Field | None = None) -> Schema:
        """Return the schema of a class, without the fields that it lacks in this place."""
        required = _required(node, self.spec)
        properties = {
            field.name: self.property(node, field, required=field.name in required)
            for field in fields_of(node)
            if since_at(field, place) <= self.spec
        }
        return {
            "title": _title(node.__name__),
            "description": (node.__doc__ or "").partition("\n")[0],
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name in required],
            "additionalProperties": False,
        }

    def property(self, node: type[Node], field: Field, *, required: bool) -> Schema:
        """Return the schema of a field."""
        described: Schema = {"title": _title(field.name), "description": self.description(node, field)}
        if node is Ignition and field.name == "version":
            return described | {"const": self.spec.version}
        if field.many:
            kind = self.list(node, field, required=required)
        elif field.node is not None:
            kind = self.reference(node, field)
        else:
            kind = self.scalar(field, required=required)
        return described | kind | ({} if required else {"default": _default(field)})

    def description(self, node: type[Node], field: Field) -> str:
        """Return the string below the field, and the versions that introduced the field and its values."""
        notes = [_texts(node)[field.attribute]]
        if field.since > Spec.V3_0:
            notes.append(f"Since spec {field.since}.")
        if field.values is not None:
            notes += _history(field.values, self.spec)
        return " ".join(notes)

    def scalar(self, field: Field, *, required: bool) -> Schema:
        """Return the schema of a string, a number or a boolean; null is allowed for optional fields."""
        kind = TYPES[field.kind]
        if required:
            return {"type": kind, "minLength": 1}
        schema: Schema = {"type": [kind, "null"]}
        values = field.values
        if values is None or (values.any_since is not None and values.any_since <= self.spec):
            return schema
        return schema | {"enum": [*values.known(self.spec), "", None]}

    def list(self, node: type[Node], field: Field, *, required: bool) -> Schema:
        """Return the schema of a list; strings that are their own keys must be unique."""
        schema: Schema = {"type": "array", "minItems": 1} if required else {"type": ["array", "null"]}
        if field.node is not None:
            return schema | {"items": self.reference(node, field)}
        schema["items"] = {"type": [TYPES[field.kind], "null"]}
        return schema if field.keyed is None else schema | {"uniqueItems": True}

    def reference(self, owner: type[Node], field: Field) -> Schema:
        """Return a reference to the schema of an object, with the demands of its owner in this place."""
        node, demanded = field.node, _demanded(owner, field, self.spec)
        assert node is not None
        if field.lacking is not None and self.spec < field.lacking.until:
            schema = self.object(node, field)
        else:
            if node.__name__ not in self.definitions:
                self.definitions[node.__name__] = self.object(node)
            schema = {"$ref": f"#/$defs/{node.__name__}"}
        if demanded:
            properties = schema.get("properties", {})
            schema["properties"] = properties | {
                name: _narrowed(properties.get(name, {})) for name in demanded
            }
            schema["required"] = demanded
        if field.absent is not None and self.spec < field.absent.until:
            return {"anyOf": [schema, {"type": "null"}]}
        return schema


@cache
def _required(node: type[Node], spec: Spec) -> frozenset[str]:
    """Return the fields without which an object of this class has an error."""
    missing = {
        str(entry.path[0])
        for entry in node.of({}).check(spec)
        if entry.severity is Severity.ERROR and entry.path is not None and len(entry.path) == 1
    }
    objects = (field for field in fields_of(node) if field.node is not None and not field.many)
    missing |= {field.name for field in objects if field.node is not None and _required(field.node, spec)}
    return frozenset(missing)


def _demanded(owner: type[Node], field: Field, spec: Spec) -> list[str]:
    """Return the fields that the owner of a list requires of its items, beyond their own rules.

    The path of the owner's entry ends at the field, or at the item; then the code of the entry
    (`source-missing`) names the field.
    """
    if not field.many or field.node is None:
        return []
    names = {one.name for one in fields_of(field.node)}
    item = field.node.of({})
    found = (
        [entry.path or () for entry in item.check_lacking(spec, required=True)]
        if _is_lacking(field, spec)
        else []
    )
    for entry in owner.of({field.attribute: (item,)}).check(spec):
        if entry.severity is Severity.ERROR and entry.path is not None and entry.path[0] == field.name:
            found += [entry.path, (entry.code.removesuffix("-missing"),)]
    return sorted({str(path[-1]) for path in found if path and path[-1] in names})


def _is_lacking(field: Field, spec: Spec) -> bool:
    """Whether the items are of a class with fewer fields in this version, one of which is required."""
    lacking, not_null = field.lacking, field.not_null
    return lacking is not None and spec < lacking.until and not_null is not None


def _narrowed(schema: Schema) -> Schema:
    """Return the schema of an optional string where it is required."""
    return {key: value for key, value in schema.items() if key != "default"} | {
        "type": "string",
        "minLength": 1,
    }


def _history(values: Values, spec: Spec) -> Iterator[str]:
    """Yield sentences on the values that later versions introduced."""
    earliest = min(first for _, first in values.since)
    later = [f"`{value}` since spec {first}" for value, first in values.since if earliest < first <= spec]
    if later:
        yield f"Value {', '.join(later)}."
    if values.any_since is not None and values.any_since <= spec:
        yield f"Any string since spec {values.any_since}."


def _default(field: Field) -> Any:
    """Return the default of a field as JSON."""
    if isinstance(field.default, Node):
        return {}
    return list(field.default) if field.many else field.default


def _title(name: str) -> str:
    """Return a name in plain words: `httpHeaders` and `HttpHeaders` are `HTTP headers`."""
    spelled = {word.lower(): word for word in ACRONYMS}
    words = re.findall(r"MiB|[A-Z]?[a-z0-9]+", name)
    title = " ".join(spelled.get(word.lower(), word.lower()) for word in words)
    return title[0].upper() + title[1:]


@cache
def _texts(node: type[Node]) -> dict[str, str]:
    """Return the strings below the fields of a class and its bases.

    Python does not keep them at run time, so they are read from the source.
    """
    texts: dict[str, str] = {}
    for one in reversed(node.__mro__):
        if issubclass(one, Node) and one is not Node:
            texts |= _texts_of_module(one.__module__)[one.__name__]
    return texts


@cache
def _texts_of_module(module: str) -> dict[str, dict[str, str]]:
    source = Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8")
    return {
        node.name: {
            before.target.id: str(after.value.value)
            for before, after in zip(node.body, node.body[1:], strict=False)
            if isinstance(before, ast.AnnAssign)
            and isinstance(before.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        }
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }


def _write() -> None:
    """Write the published schemas of all spec versions."""
    folder = Path(__file__).resolve().parent / FOLDER
    for spec in Spec:
        text = json.dumps(schema_for(spec), indent=2, ensure_ascii=False)
        (folder / file_name(spec.version)).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
