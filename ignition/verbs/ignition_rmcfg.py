# SPDX-License-Identifier: Apache-2.0
"""`ignition-rmcfg --platform=NAME`: delete the config from the platform.

A config may hold secrets, and on some platforms every user of the machine can read it. Command line and
exit codes are the reference's (docs/reference/stages.md, "ignition-rmcfg"); for an unknown platform the
reference prints a stack trace, with the same status.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ignition import log
from ignition.errors import IgnitionError, UsageError
from ignition.verbs import go_flags
from ignition.verbs.console import complain
from ignition.verbs.go_flags import Flag
from ignition.verbs.program import Program, Values
from ignition.version import VERSION

__all__ = ["main"]

FLAGS: Final = (
    Flag("log-to-stdout", "log to stdout instead of syslog", boolean=True),
    Flag("platform", "the platform this machine runs on"),
    Flag("version", "print the version and exit", boolean=True),
)
PROGRAM: Final = Program(FLAGS, go_flags.usage("ignition-rmcfg", FLAGS), go_flags.parse, words=0, misused=2)


def main(arguments: Sequence[str]) -> int:
    """Delete the config of the platform that the arguments name; return the exit status."""
    return PROGRAM.main(arguments, lambda values, _: delete_asked_for(values))


def delete_asked_for(values: Values) -> int:
    """Delete the config of the platform that the flags name."""
    if not values["platform"]:
        complain("'--platform' must be provided\n")
        return 2
    return delete(values["platform"], to_stdout=values["log-to-stdout"] == "true")


def delete(name: str, *, to_stdout: bool) -> int:
    """Delete the config of a platform."""
    from ignition.host.run import run
    from ignition.platform import provider as platform
    from ignition.resource import Fetcher

    try:
        provider = platform.load(name)
    except UsageError as error:
        complain(f"{error}\n")
        return error.exit_code
    log.setup(to_stdout=to_stdout)
    log.info(f"Ignition {VERSION}")
    if provider.delete is None:
        log.critical(f"couldn't delete config: the platform {name} has no way to delete it")
        return 1
    try:
        provider.delete(platform.ProviderContext(run=run, fetch=Fetcher()))
    except (IgnitionError, OSError) as error:
        log.critical(f"couldn't delete config: {error}")
        return 1
    log.info("deleted config from the platform")
    return 0
