"""What the engine's own source imports, at any depth, read without running it.

The engine imports heavy libraries inside the functions that need them, so running
it once shows only part of what it may need. Its source shows all: every module of
the engine that the boot path can reach, and every foreign module that these name.
"""

from __future__ import annotations

import ast
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
"""Where the search starts. What is found by name at run time (the verb, the provider)
cannot be seen in the source; a star takes a package with all that is in it."""

LIBRARY_ONLY: Final = frozenset({"ignition.schemas.checked"})
"""Modules that only people who build configs in Python come to: the constructors of the
model import pydantic there. Stages make nodes without them; `tests/test_imports.py` watches that."""


@dataclass(frozen=True, order=True)
class Import:
    """One import of a foreign module; `name` is what is taken out of it, or empty."""

    module: str
    name: str = ""


@dataclass(frozen=True)
class Reach:
    """The engine's modules on the boot path, and the foreign imports in them."""

    modules: frozenset[str]
    foreign: frozenset[Import]


def reach(roots: Iterable[str] = BOOT_PATH) -> Reach:
    """Follow the imports of the engine's modules from `roots`.

    Raises:
        IgnitionError: a module of the engine imports one that does not exist.
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
    """The modules that a root stands for."""
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
    """The packages that importing `module` imports first."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def own_modules(found: Import) -> Iterator[str]:
    """The engine's modules that one import of the engine's brings."""
    yield found.module
    inner = f"{found.module}.{found.name}"
    if found.name and find_source(inner):
        yield inner


def imports_of(source: str) -> Iterator[Import]:
    """All imports in a module's source, except those for type checkers only."""
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
            case node:
                waiting.extend(ast.iter_child_nodes(node))


def source_of(module: str) -> Path:
    """The source file of one of the engine's modules."""
    path = find_source(module)
    if path is None:
        raise IgnitionError(f"the engine imports {module}, which does not exist")
    return path


def find_source(module: str) -> Path | None:
    """The same, or None. Found by place: importing it is what the caller wants to avoid."""
    base = Path(ignition.__file__).parent.joinpath(*module.split(".")[1:])
    candidates = (base / "__init__.py", base.with_name(base.name + ".py"))
    return next((path for path in candidates if path.is_file()), None)
