"""`ignition-apply [flags] config.ign`: the reference's program for containers, with its command line.

Only in a container, as there: on a machine, half of a provisioning would be taken for a whole one.
`ignition apply` (`ignition.verbs.apply`) is for image builds. Source: engine.md 1.2 and 12.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from ignition import flags, log
from ignition.errors import ConfigError, IgnitionError, UsageError
from ignition.flags import Flag
from ignition.verbs.console import complain, contents, say
from ignition.version import VERSION

__all__ = ["applied", "main"]

FLAGS: Final = (
    Flag("ignore-unsupported", "ignore unsupported config sections", boolean=True),
    Flag("offline", "error out if config references remote resources", boolean=True),
    Flag("root", "root of the filesystem", "/"),
    Flag("version", "print the version of ignition-apply", boolean=True),
)

USAGE: Final = """\
Usage:
  ignition-apply [flags] config.ign

      --ignore-unsupported   ignore unsupported config sections
      --offline              error out if config references remote resources
      --root string          root of the filesystem (default "/")
      --version              print the version of ignition-apply
"""

VARIABLE: Final = "container"
"""Set by container managers to their names; source: systemd's "Container Interface"."""

CONTAINERS: Final = ("/run/.containerenv", "/.dockerenv")
"""Files that only containers have, of podman and of docker."""


def main(arguments: Sequence[str]) -> int:
    """Apply the one config that the arguments name; returns the exit status."""
    try:
        values, files = flags.parse_gnu(FLAGS, arguments)
    except flags.HelpWanted:
        complain(USAGE)
        return 0
    except UsageError as error:
        complain(f"{error}\n{USAGE}")
        return error.exit_code
    if values["version"] == "true":
        say(f"Ignition {VERSION}\n")
        return 0
    if len(files) != 1:
        complain(USAGE)
        return 1
    return applied(
        files[0],
        values["root"],
        ignore_unsupported=values["ignore-unsupported"] == "true",
        offline=values["offline"] == "true",
        only_in_container=True,
    )


def applied(
    file: str,
    root: str,
    *,
    users: bool = False,
    ignore_unsupported: bool = False,
    offline: bool = False,
    only_in_container: bool = False,
) -> int:
    """Apply a config to a tree, with the log on stdout; returns the exit status."""
    log.setup(to_stdout=True)
    if only_in_container and not in_container():
        log.critical("this tool is not designed to run on a host system; use `ignition apply` for images")
        return 1
    try:
        data = contents(file)
    except OSError as error:
        log.critical(f"couldn't read config: {file}: {error.strerror}")
        return 1
    from ignition import building

    try:
        config = building.resolved(data, file, offline=offline)
        building.apply(config, root, users=users, ignore_unsupported=ignore_unsupported, offline=offline)
    except (IgnitionError, OSError) as error:
        return failed(error)
    return 0


def failed(error: IgnitionError | OSError) -> int:
    """Log how it ended; returns the exit status."""
    if isinstance(error, ConfigError):
        log.report(error.report)
    log.critical(str(error))
    if isinstance(error, IgnitionError) and error.hint:
        log.critical(f"hint: {error.hint}")
    return 1


def in_container(system: str = "/") -> bool:
    """Whether this process runs in a container."""
    there = (os.path.exists(system.rstrip("/") + path) for path in CONTAINERS)
    return bool(os.environ.get(VARIABLE)) or any(there)
