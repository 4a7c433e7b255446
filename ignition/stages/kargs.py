# SPDX-License-Identifier: Apache-2.0
"""The kargs stage: set kernel arguments; docs/reference/stages.md, "kargs stage"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ignition import distro, log
from ignition.boot.state import State
from ignition.bootloader.arguments import ArgumentRequest, is_satisfied
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View
from ignition.host.command import Command
from ignition.host.system_path import under
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.tools.kargs import set_arguments

__all__ = ["STEPS", "KernelArguments", "SetKernelArguments"]

PATH: Final[ConfigPath] = ("kernelArguments",)


@dataclass(frozen=True)
class SetKernelArguments:
    """Run the helper of the distribution, which reboots after a change."""

    request: ArgumentRequest
    path: ConfigPath = PATH

    @property
    def command(self) -> Command:
        return set_arguments(self.request.should_exist, self.request.should_not_exist)

    def describe(self) -> str:
        return self.command.why

    def perform(self, host: Host) -> None:
        """Run the helper; warn if it returns although the running kernel lacks the arguments."""
        try:
            host.run(self.command)
        except IgnitionError as error:
            raise IgnitionError(
                f"cannot set kernel arguments: {error}",
                hint="add a working ignition-kargs-helper to the initramfs, or remove kernelArguments from"
                " the config",
            ) from error
        if not is_satisfied(self.request, command_line(host)):
            log.warning(
                "the running kernel lacks the kernel arguments of the config, although ignition-kargs-helper"
                " succeeded: the boot loader may read other files, or the kernel was started otherwise"
            )


class KernelArguments:
    """One call of the helper for all arguments."""

    name = "kargs"

    def wanted(self, config: Config) -> bool:
        return config.kernel_arguments.present

    def observe(self, config: Config, host: View, state: State) -> None:
        """Observe nothing: only the helper knows the boot loader."""

    def plan(self, config: Config, facts: None) -> Plan:
        """Plan one call: arguments that should exist first, each list in config order."""
        del facts
        arguments = config.kernel_arguments
        return Plan(
            (SetKernelArguments(ArgumentRequest(arguments.should_exist, arguments.should_not_exist)),)
        )


def command_line(host: View) -> str:
    """Return the command line of the running kernel."""
    with open(
        under(host.system, distro.kernel_command_line_path()), encoding="utf-8", errors="replace"
    ) as file:
        return file.read()


STEPS: Final = (KernelArguments(),)
