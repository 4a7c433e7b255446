# SPDX-License-Identifier: Apache-2.0
"""`ignition --stage=… --platform=…`: run one stage of the first boot.

Command line and exit status are the reference's (docs/reference/stages.md, "Command line" and "Exit
status"): 0 success, 1 the stage failed, 2 usage, 3 the state of earlier stages is unreadable.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.boot import record
from ignition.errors import ConfigError, IgnitionError, UsageError
from ignition.verbs import go_flags
from ignition.verbs.go_flags import Flag
from ignition.version import VERSION

if TYPE_CHECKING:
    from ignition.engine import StageFailed

__all__ = ["main"]

FLAGS: Final = (
    Flag("config-cache", "file for the rendered config", "/run/ignition.json"),
    Flag("fetch-timeout", "time limit for fetching the config", "2m0s"),
    Flag("log-to-stdout", "log to stdout instead of syslog", boolean=True),
    Flag("neednet", "file whose existence requests the network", "/run/ignition/neednet"),
    Flag("platform", "platform of this machine"),
    Flag("root", "target root", "/"),
    Flag("stage", "stage to run: disks, fetch, fetch-offline, files, kargs, mount or umount"),
    Flag("state-file", "file for the state that stages hand on", "/run/ignition/state"),
    Flag("then", "further stages to run in the same process, separated by commas"),
    Flag("version", "print the version and exit", boolean=True),
)

COMMANDS: Final = "ignition apply, explain, initramfs, plan, resolve, schema or validate, each with --help"


def main(arguments: Sequence[str]) -> int:
    """Run the stage that the arguments name; return the exit status."""
    try:
        values, words = go_flags.parse(FLAGS, arguments)
    except go_flags.HelpWanted:
        sys.stderr.write(usage())
        return 0
    except UsageError as error:
        sys.stderr.write(f"{error}\n{usage()}")
        return error.exit_code
    if values["version"] == "true":
        sys.stdout.write(f"Ignition {VERSION}\n")
        return 0
    if not (values["platform"] or values["stage"]):
        wrong = f"command {words[0]} not found" if words else "'--platform' must be provided"
        sys.stderr.write(f"{wrong}\n{usage()}")
        return UsageError.exit_code
    return run(values)


def usage() -> str:
    """Return the usage text with the flags and the other commands."""
    return f"{go_flags.usage('ignition', FLAGS)}\nOther commands: {COMMANDS}\n"


def run(values: dict[str, str]) -> int:
    """Run with the flags' values; a failure leaves the card beside the state file."""
    from ignition import engine

    try:
        if not values["platform"]:
            hint = "set ignition.platform.id= on the kernel's command line"
            raise UsageError("'--platform' must be provided", hint=hint)
        if not values["stage"]:
            raise UsageError("'--stage' must be provided")
        options = engine.Options(
            platform=values["platform"],
            stage=values["stage"],
            then=tuple(filter(None, values["then"].split(","))),
            root=values["root"],
            config_cache=values["config-cache"],
            neednet=values["neednet"],
            state_file=values["state-file"],
            fetch_timeout=go_flags.duration(values["fetch-timeout"]),
        )
        options.check()
    except UsageError as error:
        sys.stderr.write(f"{error}\n{error.hint}".rstrip() + "\n")
        leave_card(values["state-file"], values["stage"] or "none", error)
        return error.exit_code
    log.setup(to_stdout=values["log-to-stdout"] == "true")
    log.info(f"Ignition {VERSION}")
    try:
        engine.run(options)
    except engine.StageFailed as failure:
        say(failure)
        leave_card(options.state_file, failure.stage, failure.cause, failure.place)
        return failure.exit_status
    log.info("Ignition finished successfully")
    return 0


def say(failure: StageFailed) -> None:
    """Log how the stage ended: the error, or the place of the fault if it is the engine's own."""
    cause = failure.cause
    if isinstance(cause, ConfigError):
        log.report(cause.report)
    if isinstance(cause, IgnitionError | OSError):
        if not getattr(cause, "logged", False):
            log.critical(str(cause))
    else:
        log.critical(f"internal error: {described(cause)}; please report this bug with the full log")
    log.critical(f"{failure.stage} failed")


def described(error: BaseException) -> str:
    """An unexpected error's type and places; its message may hold config contents and is left out."""
    import traceback

    places = (
        f"{frame.name} ({frame.filename}:{frame.lineno})"
        for frame in traceback.extract_tb(error.__traceback__)
    )
    return f"{type(error).__name__} in {' > '.join(places)}"


def leave_card(state_file: str, stage: str, error: BaseException, place: str = "") -> None:
    """Write the failure card beside the state file, for root alone; the first one stays.

    A card that cannot be written must not hide the failure itself.
    """
    from ignition.boot.failure_card import failure_card

    path = os.path.join(os.path.dirname(state_file), "failure")
    done = record.path_beside(state_file)
    card = failure_card(stage, error, place, done if os.path.exists(done) else "")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(card)
    except OSError as problem:
        log.notice(f"no failure card is written to {path}: {problem.strerror}")
