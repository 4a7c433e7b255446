# SPDX-License-Identifier: Apache-2.0
"""Published JSON Schemas: one for each spec version, and one for each JSON document that the engine writes.

The schemas of configs are generated (`ignition.schemas.jsonschema`); those of documents are
written by hand, and tests validate the engine's output against them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from ignition.schemas.spec import STABLE, Spec, SpecVersion
from ignition.schemas.versions import SpecVersionError, spec_of

__all__ = [
    "DOCUMENTS",
    "FOLDER",
    "JSON_LINES",
    "Document",
    "Schema",
    "file_name",
    "names",
    "published",
    "schema_of",
]

Schema: TypeAlias = dict[str, Any]

Document = Literal["record", "state", "timing", "plan", "validate", "initramfs-sizes"]
"""Name of the schema of a document that the engine writes."""

DOCUMENTS: Final[tuple[Document, ...]] = get_args(Document)

JSON_LINES: Final = frozenset({"record", "timing", "validate"})
"""Schemas that describe one line of a document."""

FOLDER: Final = "published"


def names() -> tuple[str, ...]:
    """Return the names of all schemas: spec versions, then documents."""
    return (*(spec.version for spec in Spec), *DOCUMENTS)


def published(name: SpecVersion | Document = STABLE.version) -> Schema:
    """Return the JSON Schema of a spec version, or of a document that the engine writes.

    Raises:
        ValueError: the name is not one of `names()`.
    """
    from importlib.resources import files

    if name not in names():
        raise ValueError(f"no schema {name}, expected one of {', '.join(names())}")
    file = files("ignition.schemas").joinpath(FOLDER, file_name(name))
    return cast(Schema, json.loads(file.read_text(encoding="utf-8")))


def file_name(name: str) -> str:
    """Return the name of a schema's file in the folder `published`."""
    return f"{name}.json" if name in DOCUMENTS else f"ignition-{name}.json"


def schema_of(document: object) -> str | None:
    """Return the name of the schema that a document follows by its shape, or None.

    A config is recognised by `ignition.version`, a document of the engine by its required members.
    """
    if not isinstance(document, dict):
        return None
    section = document.get("ignition")
    if isinstance(section, dict):
        version = section.get("version")
        try:
            return spec_of(version).version if isinstance(version, str) else None
        except SpecVersionError:
            return None
    found = [name for name in DOCUMENTS if _has_required_members(published(name), document)]
    return found[0] if len(found) == 1 else None


def _has_required_members(schema: Schema, document: Mapping[str, Any]) -> bool:
    """Whether the document has all members that the schema, or one of its alternatives, requires."""
    alternatives = [schema["$defs"][each["$ref"].rpartition("/")[2]] for each in schema.get("oneOf", ())]
    return any(document.keys() >= set(each["required"]) for each in alternatives or [schema])
