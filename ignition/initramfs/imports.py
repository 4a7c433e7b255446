# SPDX-License-Identifier: Apache-2.0
"""Find the imports of the engine by reading its source.

The engine imports large libraries inside the functions that need them, so one run shows only some of the
imports. The source shows all: every module of the engine that the boot path can reach, and every foreign
module that these modules name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ignition
from ignition.errors import IgnitionError

__all__ = ["BOOT_PATH", "Import", "Reach", "reach"]

PACKAGE: Final = "ignition"

BOOT_PATH: Final = (
    "ignition.cli",
    "ignition.verbs.stage",
    "ignition.verbs.ignition_kargs_helper",
    "ignition.providers.*",
    "ignition.stages.*",
)
"""Modules where the search starts: those that are imported by a name made at run time (verbs, providers).
A star takes a package with all modules in it."""

LIBRARY_ONLY: Final = frozenset({"ignition.schemas.checked"})
"""Modules for Python programs that build configs: the constructors of the model import pydantic there.
Stages make nodes without constructors; `tests/test_imports.py` checks that."""

LAZY: Final = re.compile(rf"({PACKAGE}(?:\.\w+)+):(\w+)")
"""A name for `ignition.lazy.load`."""


@dataclass(frozen=True, order=True)
class Import:
    """One import; `name` is the imported attribute or submodule, or empty for `import module`."""

    module: str
    name: str = ""


@dataclass(frozen=True)
class Reach:
    """The engine's modules on the boot path, and the imports of foreign modules in them."""

    modules: frozenset[str]
    foreign: frozenset[Import]


def reach(roots: Iterable[str] = BOOT_PATH) -> Reach:
    """Follow the imports of the engine's modules from `roots`.

    Raises:
        IgnitionError: the source of a module of the engine is not found.
    """
    waiting = [module for root in roots for module in expanded(root)]
    modules: set[str] = set()
    foreign: set[Import] = set()
    while waiting:
        module = waiting.pop()
        if module in modules or module in LIBRARY_ONLY:
            continue
        modules.add(module)
        waiting.extend(parents(module))
        for found in imports_of(source_of(module).read_text("utf-8")):
            if found.module.split(".")[0] == PACKAGE:
                waiting.extend(own_modules(found))
            else:
                foreign.add(found)
    return Reach(frozenset(modules), frozenset(foreign))


def expanded(root: str) -> Iterator[str]:
    """List the modules of a root: one, or all of a package (`package.*`)."""
    package = root.removesuffix(".*")
    yield package
    if package == root:
        return
    directory = source_of(package).parent
    for path in sorted(directory.rglob("*.py")):
        relative = path.relative_to(directory).with_suffix("")
        parts = [part for part in relative.parts if part != "__init__"]
        yield ".".join([package, *parts])


def parents(module: str) -> Iterator[str]:
    """List the parent packages of a module, the nearest first."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def own_modules(found: Import) -> Iterator[str]:
    """List the engine's modules that one import of the engine loads."""
    yield found.module
    inner = f"{found.module}.{found.name}"
    if found.name and find_source(inner):
        yield inner


def imports_of(source: str) -> Iterator[Import]:
    """Imports in a module's source, at any depth, except those for type checkers only.

    Literals that name a module count too: the argument of `importlib.import_module` or `ignition.lazy.load`,
    and any string of the form `"ignition.module:name"`.
    """
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        match waiting.pop():
            case ast.Import(names=names):
                yield from (Import(alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (Import(module, alias.name) for alias in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) as branch:
                waiting.extend(branch.orelse)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(module))]):
                yield Import(module)
            case ast.Call(func=ast.Name(id="load"), args=[ast.Constant(value=str(place))]) if ":" in place:
                module, _, name = place.partition(":")
                yield Import(module, name)
            case ast.Constant(value=str(text)) if lazy := LAZY.fullmatch(text):
                yield Import(lazy[1], lazy[2])
            case node:
                waiting.extend(ast.iter_child_nodes(node))


def source_of(module: str) -> Path:
    """Return the source file of a module of the engine."""
    path = find_source(module)
    if path is None:
        raise IgnitionError(f"cannot pack the engine: source of module {module} not found")
    return path


def find_source(module: str) -> Path | None:
    """Return the source file of a module of the engine, or None. Does not import the module."""
    base = Path(ignition.__file__).parent.joinpath(*module.split(".")[1:])
    candidates = (base / "__init__.py", base.with_name(base.name + ".py"))
    return next((path for path in candidates if path.is_file()), None)
