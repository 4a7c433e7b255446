# SPDX-License-Identifier: Apache-2.0
"""Constructors check with pydantic; parsing does not import it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from ignition.config.parse import parse
from ignition.schemas.config import Config
from ignition.schemas.disks import Disk, Partition
from ignition.schemas.passwd import PasswdUser

EXAMPLE = Path(__file__).parents[2] / "examples" / "demo.ign"


def test_constructor_makes_same_node_as_decoder() -> None:
    made = Disk(device="/dev/a", partitions=(Partition(number=1, size_mib=5),))
    assert made == Disk.of({"device": "/dev/a", "partitions": (Partition.of({"number": 1, "size_mib": 5}),)})
    assert made.given == {"device", "partitions"}
    assert made.wipe_table is None


@pytest.mark.parametrize(
    ("attributes", "where", "what"),
    [
        ({"devic": "/dev/a"}, ("devic",), "extra_forbidden"),
        ({"device": 5}, ("device",), "string_type"),
        ({"wipe_table": "yes"}, ("wipe_table",), "bool_type"),
        ({"partitions": ({"number": "1"},)}, ("partitions", 0, "number"), "int_type"),
        ({"partitions": (Disk.of({}),)}, ("partitions", 0), "dict_type"),
    ],
)
def test_constructor_with_invalid_attribute_names_its_place(
    attributes: dict[str, Any], where: tuple[Any, ...], what: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Disk(**attributes)
    (error,) = caught.value.errors()
    assert error["type"] == what
    assert error["loc"][: len(where)] == where or error["loc"][-1:] == where[-1:]


def test_type_adapter_accepts_json_and_python_names() -> None:
    assert TypeAdapter(Partition).validate_python({"sizeMiB": 5}) == Partition(size_mib=5)


def test_validation_error_hides_values() -> None:
    with pytest.raises(ValidationError) as caught:
        PasswdUser(password_hash=["$6$s3cret"])  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)


def test_config_is_usable_in_pydantic_models() -> None:
    data = EXAMPLE.read_bytes()
    config = TypeAdapter(Config).validate_json(data)
    assert config == parse(data).config.evolve(ignition=config.ignition)
    assert json.loads(TypeAdapter(Config).dump_json(config)) == json.loads(data)

    class Machine(BaseModel):
        name: str
        config: Config

    machine = Machine(name="a", config=config)
    assert Machine.model_validate_json(machine.model_dump_json()) == machine


@pytest.mark.real_commands
def test_parse_does_not_import_pydantic() -> None:
    script = f"""
import sys
from ignition.config.parse import parse
parse(open({str(EXAMPLE)!r}, "rb").read())
sys.exit("pydantic" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
