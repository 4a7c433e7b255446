# SPDX-License-Identifier: Apache-2.0
"""Checked construction of nodes with pydantic, for code that builds configs in Python.

    Filesystem(device="/dev/vdb1", formt="xfs")    # ValidationError: formt: unexpected keyword argument
    TypeAdapter(Config).validate_json(text)        # strict: no conversions, unknown names are errors

This is stricter than parsing a config, where unknown keys are only warnings. The only module that
imports pydantic; the boot path does not import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import ConfigDict, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from ignition.schemas.base import Node, json_name

__all__ = ["checked", "core_schema_of"]

_NodeT = TypeVar("_NodeT", bound=Node)


def checked(node: type[_NodeT], attributes: Mapping[str, Any]) -> _NodeT:
    """Check attributes and make a node.

    Raises:
        pydantic.ValidationError: a name is unknown, or a value is of the wrong type.
    """
    return _adapter(node).validate_python(dict(attributes))  # type: ignore[no-any-return]


@cache
def _adapter(node: type[Node]) -> TypeAdapter[Any]:
    # Errors hide the values, which may be keys or password hashes.
    return TypeAdapter(node, config=ConfigDict(title=node.__name__, hide_input_in_errors=True))


def core_schema_of(node: type[Node], handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the schema of a node, or of an object with JSON or Python names."""
    fields = {
        name: core_schema.typed_dict_field(
            handler.generate_schema(annotation), required=False, validation_alias=_names(name)
        )
        for name, annotation in node.annotations.items()
    }
    members = core_schema.typed_dict_schema(
        fields, cls_name=node.__name__, extra_behavior="forbid", config=core_schema.CoreConfig(strict=True)
    )

    def make(value: Any, check: core_schema.ValidatorFunctionWrapHandler) -> Node:
        return value if isinstance(value, node) else node.of(check(value))

    return core_schema.json_or_python_schema(
        core_schema.no_info_after_validator_function(node.of, members),
        core_schema.no_info_wrap_validator_function(make, members),
        serialization=core_schema.plain_serializer_function_ser_schema(_plain),
    )


def _names(attribute: str) -> list[list[str | int]]:
    return [[name] for name in dict.fromkeys((json_name(attribute), attribute))]


def _plain(value: Any) -> Any:
    """Return the given attributes as JSON values under their JSON names."""
    if isinstance(value, Node):
        names = (name for name in type(value).annotations if name in value.given)
        return {json_name(name): _plain(getattr(value, name)) for name in names}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
