# SPDX-License-Identifier: Apache-2.0
"""Boot Loader Specification entries of type 1: text files with a key and a value on each line.

`options` may occur several times; the values form one command line. Only entries with the key `linux` start a
kernel; options of other entries are for other programs. systemd-boot passes options to the kernel unchanged.
GRUB parses them as part of its script, with `$name` for its variables.
Source: UAPI.1, "Type #1 Boot Loader Entries"; systemd's src/boot; Fedora's blscfg.c.
"""

from __future__ import annotations

import re
from typing import Final

from ignition.bootloader.arguments import KERNEL, ArgumentRequest, Syntax, lines_of, new_lines
from ignition.errors import IgnitionError

__all__ = ["new_entry", "options", "starts_linux"]

KEY: Final = re.compile(r"(?P<key>[ \t]*(?P<name>[^#\s]\S*)[ \t]*)(?P<value>.*?)(?P<end>[ \t\r]*\n?)\Z")


def starts_linux(text: str) -> bool:
    """Whether an entry starts a kernel."""
    return any(_name(line) == "linux" for line in lines_of(text))


def options(text: str) -> list[str]:
    """Return the values of all `options`."""
    return [found["value"] for line in lines_of(text) if (found := _option(line))]


def new_entry(text: str, request: ArgumentRequest, syntax: Syntax) -> str:
    """Return the entry with the requested arguments in its options; nothing else changes.

    Raises:
        IgnitionError: the options are invalid, or cannot express the request.
    """
    lines = lines_of(text)
    places = [number for number, line in enumerate(lines) if _option(line)]
    if not places:
        # An entry without options gets them after the kernel.
        place = 1 + next(number for number, line in enumerate(lines) if _name(line) == "linux")
        end = "\n" if lines[place - 1].endswith("\n") else ""
        lines[place - 1] = lines[place - 1].removesuffix("\n") + "\n"
        lines.insert(place, f"options {end}")
        places = [place]
    values = new_lines([_value(lines[number], syntax) for number in places], request, syntax)
    if values is None:
        return text
    for number, value in zip(places, values, strict=True):
        found = _option(lines[number])
        assert found
        lines[number] = (
            f"{found['key'].rstrip()} {value}{found['end']}" if value else f"options{found['end']}"
        )
        _value(lines[number], syntax)
    return "".join(lines)


def _value(line: str, syntax: Syntax) -> str:
    found = _option(line)
    value = found["value"] if found else ""
    if syntax is KERNEL and len(value) > 1 and value[0] == value[-1] == '"':
        raise IgnitionError(
            "systemd-boot strips quotes from options that begin and end with a quote",
            hint="put an argument without quotes first or last",
        )
    return value


def _option(line: str) -> re.Match[str] | None:
    found = KEY.match(line)
    return found if found and found["name"] == "options" else None


def _name(line: str) -> str:
    found = KEY.match(line)
    return found["name"] if found else ""
