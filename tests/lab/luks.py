# SPDX-License-Identifier: Apache-2.0
"""LUKS volumes with real headers, on a kernel that cannot open them.

Commands that open a volume are replaced by commands that test the same key. A `Boot` keeps the state of its
runs of the stage, and a run may be killed after any command:

    boot = Boot(tmp_path, environment={"TPM2TOOLS_TCTI": tpm.tcti})
    with suppress(Killed):
        boot.run(volume, commands=3)
    boot.run(volume)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.host import Fetch, Host
from ignition.host.command import Command, Ran
from ignition.host.devices import BlockDevices
from ignition.host.run import run
from ignition.resource import Fetcher
from ignition.schemas.config import Config
from ignition.schemas.storage import Luks, Storage
from ignition.stages import persisting
from ignition.stages.disks.luks.clevis import TPM, Pins
from ignition.stages.disks.luks.step import Volumes
from ignition.tools import cryptsetup
from tests.lab import loop
from tests.lab.performing import applied

__all__ = ["PROGRAMS", "QUICK", "Boot", "Killed", "bindings", "opens", "without_opening"]

PROGRAMS = (*loop.PROGRAMS, "wipefs", "blkid", "cryptsetup")
QUICK = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
"""Options of a volume with a fast key derivation."""

_TIMEOUT = 2.0


class Killed(BaseException):
    """The run ends, as by SIGKILL."""


def without_opening(command: Command) -> Ran:
    """Run a command; if it opens a volume, test the key instead."""
    words = list(command.argv)
    if "luksOpen" in words and "--test-passphrase" not in words:
        words = [word for word in words if word != "--persistent"]
        del words[3]  # the name
        return run(replace(command, argv=(*words, "--test-passphrase")))
    if command.program == "clevis" and "-n" in words:
        slot = bindings(str(words[words.index("-d") + 1]))[-1]
        place = words.index("-n")
        return run(replace(command, argv=(*words[:place], "-t", str(slot))))
    return run(command)


def bindings(device: str) -> tuple[int, ...]:
    """Return the key slots that Clevis unlocks."""
    return cryptsetup.parse_metadata(run(cryptsetup.metadata(device)).stdout).bindings


def opens(device: str, key: bytes) -> bool:
    """Whether the key opens the volume."""
    command = replace(cryptsetup.try_key(device, "", key), ok=(0, cryptsetup.WRONG_KEY))
    return run(command).status == 0


@dataclass
class Boot:
    """One boot of a machine.

    Attributes:
        environment: additional environment of programs.
        state: state after the runs of the stage.
        commands: all commands that ran.
    """

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    fetch: Fetch = field(default_factory=Fetcher)
    state: State = field(default_factory=State)
    commands: list[Command] = field(default_factory=list)

    def run(self, *volumes: Luks, commands: int = 1000) -> State:
        """Run the stage; kill it after so many commands."""
        last = len(self.commands) + commands

        def until_killed(command: Command) -> Ran:
            seen = replace(command, environment=(*command.environment, *self.environment.items()))
            self.commands.append(seen)
            ran = without_opening(seen)
            if len(self.commands) >= last:
                raise Killed
            return ran

        host = self._host(until_killed)
        config = Config(storage=Storage(luks=volumes))
        with persisting(self._keep):
            for step in (Pins(), Volumes()):
                facts = step.observe(config, host, self.state)
                self.state += applied(step.plan(config, facts), host)  # type: ignore[arg-type]  # its own facts
        return self.state

    def _host(self, runner: object) -> Host:
        made = loop.machine(self.directory, runner=runner)  # type: ignore[arg-type]  # as there
        return replace(made, fetch=self.fetch, devices=_Devices(made.system, timeout=_TIMEOUT))

    def _keep(self, left: State) -> None:
        self.state += left


class _Devices(BlockDevices):
    """Devices of a machine with the software TPM, which has no device node."""

    def wait(self, wanted: Mapping[str, ConfigPath]) -> None:
        super().wait({device: path for device, path in wanted.items() if device != TPM})
