# SPDX-License-Identifier: Apache-2.0
"""`ignition schema [NAME]`: print published JSON Schemas, or check a document against one.

Schemas exist for each spec version and for each JSON document that the engine writes. Exit status:
0 printed or valid, 1 the document is invalid or cannot be read, 2 usage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ignition.configpath import format_path
from ignition.errors import IgnitionError, UsageError
from ignition.lazy import requires
from ignition.schemas.catalogue import JSON_LINES, names, published, schema_of
from ignition.schemas.spec import STABLE
from ignition.text import printable, strerror
from ignition.verbs.console import complain, contents, say

if TYPE_CHECKING:
    import argparse

    from ignition.schemas.violations import Violation

__all__ = ["main"]


class NotJson(IgnitionError):
    """The document is not JSON; `line` and `column` are 0 for an empty text."""

    def __init__(self, line: int, column: int) -> None:
        super().__init__("expected JSON")
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Part:
    """A part of a document that is checked on its own: all of it, or one line.

    Attributes:
        value: the decoded JSON.
        data: the JSON text.
        line: the number of the first line, from 1.
    """

    value: Any
    data: bytes
    line: int = 1


def main(arguments: Sequence[str]) -> int:
    """Print or check what the arguments name; returns the exit status."""
    command = parser()
    options = command.parse_args(arguments)
    if options.name and (options.check or options.list):
        command.error("NAME cannot be combined with --list or --check; use --as NAME")
    if options.schema and not options.check:
        command.error("--as needs --check")
    if options.list:
        say("".join(f"{name:<20} {published(cast(Any, name))['title']}\n" for name in names()))
        return 0
    if not options.check:
        schema = published(options.name or STABLE.version)
        say(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
        return 0
    try:
        return check(options.check, options.schema)
    except NotJson as error:
        complain(f"{printable(options.check)}:{error.line}:{error.column}: {error}\n")
        return error.exit_code
    except IgnitionError as error:
        complain(f"ignition schema: {error}\n" if isinstance(error, UsageError) else f"{error}\n")
        if error.hint:
            complain(f"  hint: {error.hint}\n")
        return error.exit_code
    except OSError as error:
        complain(f"ignition schema: cannot read {printable(options.check)}: {strerror(error)}\n")
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    import argparse

    known = ", ".join(names())
    command = argparse.ArgumentParser(
        prog="ignition schema",
        description="Print a JSON Schema of a spec version or of a document that the engine writes, "
        "or check a document against one.",
        epilog=f"Names of schemas: {known}.",
        allow_abbrev=False,
    )
    action = command.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="list all schemas with their titles")
    action.add_argument("--check", metavar="FILE", help="check a document; - for stdin")
    command.add_argument(
        "--as",
        dest="schema",
        metavar="NAME",
        choices=names(),
        help="with --check: the schema (default: the one that the document's members match)",
    )
    command.add_argument(
        "name", nargs="?", metavar="NAME", choices=names(), help=f"the schema to print (default: {STABLE})"
    )
    return command


def check(file: str, name: str | None) -> int:
    """Print each violation with its line and path; returns the exit status.

    Raises:
        OSError: the file cannot be read.
        IgnitionError: the document is not JSON, its schema cannot be determined, or jsonschema is missing.
    """
    data = contents(file)
    with requires("ignition schema --check", "jsonschema", verb="needs"):
        from ignition.schemas.violations import violations
    name, parts = matched(data, name, file)
    schema = published(cast(Any, name))
    count = 0
    for part in parts:
        found = list(violations(part.value, schema))
        count += len(found)
        if found:
            say("".join(f"{line}\n" for line in placed(file, part, found)))
    if count:
        say(f"invalid: {count} violation{'' if count == 1 else 's'} of schema {name}\n")
    else:
        say(f"valid: schema {name}\n")
    return 1 if count else 0


def matched(data: bytes, name: str | None, file: str) -> tuple[str, list[Part]]:
    """Return the schema's name, and the parts of the document that it describes.

    Raises:
        NotJson: the document is neither JSON nor JSON lines.
        UsageError: no name is given, and the members of the document match no schema.
    """
    try:
        parts = [Part(decoded(data), data)]
    except NotJson:
        if (name is not None and name not in JSON_LINES) or not is_json(data.strip().split(b"\n")[0]):
            raise
        parts = lines(data)
    found = name or schema_of(parts[0].value)
    if found is None:
        hint = f"add --as NAME with one of {', '.join(names())}"
        raise UsageError(f"cannot find the schema of {printable(file)}: no schema matches", hint=hint)
    if found not in JSON_LINES:
        parts = [Part(decoded(data), data)]
    return found, parts


def lines(data: bytes) -> list[Part]:
    """Return the lines that are not blank.

    Raises:
        NotJson: a line is not JSON.
    """
    numbered = enumerate(data.split(b"\n"), start=1)
    return [Part(decoded(line, number), line, number) for number, line in numbered if line.strip()]


def is_json(data: bytes) -> bool:
    try:
        decoded(data)
    except NotJson:
        return False
    return True


def decoded(data: bytes, line: int = 1) -> Any:
    """Decode JSON text that starts at this line of its document.

    Raises:
        NotJson: the text is not JSON.
    """
    try:
        return json.loads(data.decode(errors="replace"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotJson(*_fault(data, line)) from error


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _fault(data: bytes, line: int) -> tuple[int, int]:
    """Return the line and the column of the first byte that is not JSON; 0 in an empty text."""
    from ignition.config.json.positions import NOWHERE, position_of_fault
    from ignition.config.json.scan import scan
    from ignition.config.json.values import Malformed

    place = NOWHERE
    try:
        scan(data)
    except Malformed as fault:
        place = position_of_fault(data, Malformed(str(fault), max(0, fault.offset - 1)))
    return (place.line + line - 1, place.column) if place.line else (place.line, place.column)


def placed(file: str, part: Part, found: Sequence[Violation]) -> Iterator[str]:
    """Yield a line for each violation: file, line, path, message."""
    from ignition.config.json.positions import Places

    places = Places(part.data)
    for each in found:
        position = places.of_key(each.path) if each.is_key else places.of(each.path)
        line = position.line + part.line - 1
        yield printable(f"{file}:{line}: {format_path(each.path)}: {each.message}")
