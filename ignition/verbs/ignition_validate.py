# SPDX-License-Identifier: Apache-2.0
"""`ignition-validate [flags] FILE|-`: the reference's validator, with its command line.

Flags, streams, line format and exit codes are the reference's (docs/reference/config-language.md,
"ignition-validate"), with one deliberate difference: a `%` in a key is printed as `%`.
`ignition validate` (`ignition.verbs.validate`) explains findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ignition.verbs import go_flags
from ignition.verbs.console import complain, contents, say
from ignition.verbs.go_flags import Flag
from ignition.verbs.program import Program

__all__ = ["main"]

USAGE: Final = """\
Usage:
  ignition-validate [flags] config.ign

  -version
    \tprint the version of ignition-validate
"""

PROGRAM: Final = Program(
    (Flag("version", "print the version of ignition-validate", boolean=True),),
    USAGE,
    go_flags.parse,
    words=1,
    misused=1,
)


def main(arguments: Sequence[str]) -> int:
    """Validate the file that the arguments name; return the exit status."""
    return PROGRAM.main(arguments, lambda _, files: validate(files[0]))


def validate(file: str) -> int:
    """Print the report on a file, or on stdin for `-`; return the exit status."""
    try:
        data = contents(file)
    except OSError as error:
        complain(f"couldn't read config: {file}: {error.strerror}\n")
        return 1
    from ignition.config.parse import check

    checked = check(data)
    if checked.report:
        say(f"{checked.report}\n")
    if checked.failure is None:
        return 0
    if not checked.report.is_fatal:
        complain(f"couldn't parse config: {checked.failure}\n")
    return 1
