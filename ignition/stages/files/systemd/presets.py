# SPDX-License-Identifier: Apache-2.0
"""The preset file of the config, and the names of templates and instances."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ignition.host.files.root_view import RootView
from ignition.schemas.systemd import Unit

__all__ = ["PRESETS", "instance_of", "preset_lines", "read_presets", "with_lines"]

PRESETS: Final = "/etc/systemd/system-preset/20-ignition.preset"


def instance_of(name: str) -> tuple[str, str] | None:
    """Return `("getty@.service", "tty1")` for `getty@tty1.service`; None if the name has no `@`.

    The instance is the text between the first `@` and the last dot.
    """
    prefix, at, rest = name.partition("@")
    if not at:
        return None
    instance, _, extension = rest.rpartition(".")
    return f"{prefix}@.{extension}", instance


def read_presets(root: RootView) -> str:
    """Return the preset file; empty if it does not exist."""
    return root.read_text(PRESETS) if root.is_file(PRESETS) else ""


def preset_lines(units: Iterable[Unit]) -> list[str]:
    """Return one line per unit in the reference's order; enabled instances of a template share a line."""
    lines: dict[str, list[str]] = {}
    for unit in units:
        if unit.enabled is None:
            continue
        verb = "enable" if unit.enabled else "disable"
        split = instance_of(unit.name) if unit.enabled else None
        name, instance = split or (unit.name, "")
        words = lines.setdefault(f"{name}-{verb}d", [verb, name])
        if instance:
            words.append(instance)
    return [" ".join(words) for _, words in sorted(lines.items())]


def with_lines(text: str, lines: Iterable[str]) -> str:
    """Return `text` with those of `lines` appended that it lacks."""
    missing = [line for line in lines if line not in text.split("\n")]
    separator = "\n" if text and not text.endswith("\n") and missing else ""
    return text + separator + "".join(f"{line}\n" for line in missing)
