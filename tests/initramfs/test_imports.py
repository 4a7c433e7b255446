# SPDX-License-Identifier: Apache-2.0
"""The imports found in a source, and the modules that the boot path reaches."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.initramfs import imports
from ignition.initramfs.imports import Import, imports_of, reach


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a", {Import("a")}),
        ("import a.b as c, d", {Import("a.b"), Import("d")}),
        ("from a import b, c as d", {Import("a", "b"), Import("a", "c")}),
        ("def f():\n  import a", {Import("a")}),
        ("class A:\n  async def f(self):\n    if x:\n      from a import b", {Import("a", "b")}),
        ("try:\n  import a\nexcept ImportError:\n  import b", {Import("a"), Import("b")}),
        ("if TYPE_CHECKING:\n  import a", set()),
        ("if TYPE_CHECKING:\n  import a\nelse:\n  import b", {Import("b")}),
        ("if x:\n  import a", {Import("a")}),
        ("importlib.import_module('a.b')", {Import("a.b")}),
        ("importlib.import_module(f'a.{b}')", set()),
        ("load('a.b:C')", {Import("a.b", "C")}),
        ("load(a)", set()),
        ("Lazy(('ignition.a.b:C', 1))", {Import("ignition.a.b", "C")}),
        ("x = 'see ignition.a:b'", set()),
        ("x = 'import a'", set()),
    ],
)
def test_imports_of_finds_imports_at_any_depth(source: str, found: set[Import]) -> None:
    assert set(imports_of(source)) == found


def test_reach_contains_modules_imported_by_name_and_inside_functions() -> None:
    modules = reach().modules
    # Verbs and providers are imported by names made at run time.
    assert {"ignition.verbs.stage", "ignition.providers.qemu", "ignition.providers.metal"} <= modules
    # Imported inside functions.
    assert {"ignition.engine", "ignition.boot.failure_card", "ignition.host.devices"} <= modules


def test_reach_contains_no_build_tools() -> None:
    modules = reach().modules
    assert not {module for module in modules if module.startswith("ignition.initramfs")}
    assert "ignition.verbs.initramfs" not in modules


def test_reach_contains_nothing_of_preview() -> None:
    assert not {module for module in reach().modules if module.startswith("ignition.preview")}


def test_reach_foreign_imports_exclude_engine_modules() -> None:
    found = reach(["ignition.host.run"]).foreign
    assert Import("subprocess") in found
    assert not {item for item in found if item.module.startswith("ignition")}


def test_reach_contains_parent_packages() -> None:
    assert "ignition.host" in reach(["ignition.host.run"]).modules


def test_reach_unknown_module_is_error_with_its_name() -> None:
    with pytest.raises(IgnitionError, match=r"ignition\.nowhere"):
        reach(["ignition.nowhere"])


def test_expanded_star_lists_all_modules_of_package() -> None:
    found = set(imports.expanded("ignition.stages.*"))
    assert {"ignition.stages", "ignition.stages.disks", "ignition.stages.files"} <= found
    assert all(imports.find_source(module) for module in found)


def codecs_named_in(source: str) -> Iterator[str]:
    """Literal codec names in calls of `encode` and `decode`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="encode" | "decode"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield name


def test_codecs_named_in_engine_are_built_in() -> None:
    """The interpreter imports a codec by its name at run time, so the packer would not find it."""
    found = set()
    for module in reach().modules:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        if spec.origin:
            found |= set(codecs_named_in(Path(spec.origin).read_text()))
    assert "utf-8" in found
    assert found <= {"utf-8", "ascii", "latin-1"}
