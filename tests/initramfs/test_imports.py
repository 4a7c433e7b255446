"""Which imports are seen in a source, and what the engine's boot path reaches."""

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
        ("x = 'import a'", set()),
    ],
)
def test_imports_are_seen_at_any_depth(source: str, found: set[Import]) -> None:
    assert set(imports_of(source)) == found


def test_the_boot_path_holds_what_is_found_by_name_only() -> None:
    modules = reach().modules
    # The verb and the provider are imported by names made at run time.
    assert {"ignition.verbs.stage", "ignition.providers.qemu", "ignition.providers.metal"} <= modules
    # Imported inside functions.
    assert {"ignition.engine", "ignition.boot.failure_card", "ignition.host.devices"} <= modules


def test_the_boot_path_has_no_build_tools() -> None:
    modules = reach().modules
    assert not {module for module in modules if module.startswith("ignition.initramfs")}
    assert "ignition.verbs.initramfs" not in modules


def test_foreign_imports_are_not_the_engine_s() -> None:
    found = reach(["ignition.host.run"]).foreign
    assert Import("subprocess") in found
    assert not {item for item in found if item.module.startswith("ignition")}


def test_packages_come_with_their_modules() -> None:
    assert "ignition.host" in reach(["ignition.host.run"]).modules


def test_a_module_that_does_not_exist_is_named() -> None:
    with pytest.raises(IgnitionError, match=r"ignition\.nowhere"):
        reach(["ignition.nowhere"])


def test_a_star_takes_all_modules_of_a_package() -> None:
    found = set(imports.expanded("ignition.stages.*"))
    assert {"ignition.stages", "ignition.stages.disks", "ignition.stages.files"} <= found
    assert all(imports.find_source(module) for module in found)


def codecs_named_in(source: str) -> Iterator[str]:
    """The literal names in calls of `encode` and `decode`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="encode" | "decode"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield name


def test_codecs_are_built_in() -> None:
    """A codec is a module that is found by its name at run time, so nothing would pack it."""
    found = set()
    for module in reach().modules:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        if spec.origin:
            found |= set(codecs_named_in(Path(spec.origin).read_text()))
    assert "utf-8" in found
    assert found <= {"utf-8", "ascii", "latin-1"}
