# SPDX-License-Identifier: Apache-2.0
"""Files, directories and links.

Source: docs/reference/config-language.md, "Nodes". Rules between several of them are in
`ignition.schemas.storage`.
"""

from collections.abc import Iterator
from typing import Annotated

from ignition.diagnostics import Entry
from ignition.schemas.base import Node
from ignition.schemas.findings import error, warning
from ignition.schemas.marks import appended, not_null_before
from ignition.schemas.paths import check_path
from ignition.schemas.resource import Resource
from ignition.schemas.spec import Spec

__all__ = ["SPECIAL_BITS", "Directory", "File", "Link", "Owner", "PathNode"]

SPECIAL_BITS = 0o7000
"""setuid, setgid and sticky bits; applied since spec 3.6.0."""


class Owner(Node):
    """A user or a group, by number or by name."""

    id: int | None = None
    """Numeric id."""
    name: str | None = None
    """Name, looked up in the target root."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that the owner has an id or a name, not both."""
        if self.id is not None and self.name:
            yield error("id-and-name", "the owner has both an id and a name", hint="remove one of the two")


class PathNode(Node):
    """The common fields of files, directories and links."""

    group: Owner = Owner.empty()
    """Owning group."""
    overwrite: bool | None = None
    """Whether an existing object at the path is removed first."""
    path: str = ""
    """Absolute path in the target root."""
    user: Owner = Owner.empty()
    """Owning user."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the path."""
        yield from check_path(self.path, "path")


def _check_mode(mode: int | None, spec: Spec) -> Iterator[Entry]:
    if mode is None:
        return
    if not 0 <= mode <= 0o7777:
        message = f"the mode {mode} ({_octal(mode)}) is not between 0 and {0o7777} (0o7777)"
        yield error("mode", message, "mode", hint=_mode_hint(mode))
    if mode & SPECIAL_BITS and spec < Spec.V3_6:
        message = f"setuid, setgid and sticky bits of the mode {mode} ({_octal(mode)}) have no effect"
        yield warning(
            "mode-special-bits",
            message,
            "mode",
            hint=_mode_hint(mode) or "set `ignition.version` to 3.6.0 or later to apply them",
        )


def _octal(mode: int) -> str:
    return f"{mode:#o}" if abs(mode) < 2**32 else "too large"


def _mode_hint(mode: int) -> str:
    """Return a hint for a decimal mode that looks like an octal number."""
    digits = str(mode)
    if 3 <= len(digits) <= 4 and set(digits) <= set("01234567"):
        return f"JSON numbers are decimal; for 0{digits.lstrip('0')} write {int(digits, 8)}"
    return ""


class Directory(PathNode):
    """A directory that must exist."""

    mode: int | None = None
    """Permissions as a decimal number; 493 (0755) for a new directory if absent."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the path and the mode."""
        yield from super().check(spec)
        yield from _check_mode(self.mode, spec)


class File(PathNode):
    """A file that must exist."""

    append: Annotated[tuple[Resource, ...], appended] = ()
    """Contents to append, in this order."""
    contents: Resource = Resource.empty()
    """Contents of the file; if absent, those of an existing file are kept."""
    mode: int | None = None
    """Permissions as a decimal number; 420 (0644) for a new file if absent."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check the path and the mode, and that an overwritten file has contents."""
        yield from super().check(spec)
        yield from _check_mode(self.mode, spec)
        if self.overwrite and self.contents.source is None:
            message = "overwrite is true but the contents have no source"
            hint = "set `contents.source`; `data:,` for an empty file"
            yield error("overwrite-without-source", message, "overwrite", hint=hint)


class Link(PathNode):
    """A symbolic or hard link that must exist."""

    hard: bool | None = None
    """Whether the link is a hard link."""
    target: Annotated[str | None, not_null_before("3.3.0")] = None
    """Target of the link."""
