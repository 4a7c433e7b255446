"""The kargs stage: the arguments that the kernel is to boot with. Source: engine.md 9.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ignition import distro, log
from ignition.boot.state import State
from ignition.bootloader.arguments import Wish, is_met
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View
from ignition.host.command import Command
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.tools.kargs import set_arguments

__all__ = ["STEPS", "KernelArguments", "SetKernelArguments"]

PATH: Final[ConfigPath] = ("kernelArguments",)


@dataclass(frozen=True)
class SetKernelArguments:
    """Hand the arguments to the distribution's helper; it reboots when it has changed anything."""

    wish: Wish
    path: ConfigPath = PATH

    @property
    def command(self) -> Command:
        """The call of the helper."""
        return set_arguments(self.wish.should_exist, self.wish.should_not_exist)

    def describe(self) -> str:
        """The command's reason."""
        return self.command.why

    def perform(self, host: Host) -> None:
        """Run the helper. If it comes back, the kernel should have been started as wished."""
        try:
            host.run(self.command)
        except IgnitionError as error:
            raise IgnitionError(
                f"cannot set kernel arguments: {error}",
                hint="kernelArguments need a working ignition-kargs-helper, a program of the distribution"
                " that knows its boot loader; without one, leave kernelArguments out",
            ) from error
        if not is_met(self.wish, command_line(host)):
            log.warning(
                "this kernel was not started with the arguments that the config asks for, though the helper"
                " is content: the boot loader may read other files, or it was not the boot loader's"
            )


class KernelArguments:
    """One call of the helper for all arguments."""

    name = "kargs"

    def wanted(self, config: Config) -> bool:
        """Whether the config names any."""
        return config.kernel_arguments.present

    def observe(self, config: Config, host: View, state: State) -> None:
        """Only the helper can look."""

    def plan(self, config: Config, facts: None) -> Plan:
        """Those that should be there first, each list in config order."""
        del facts
        arguments = config.kernel_arguments
        return Plan((SetKernelArguments(Wish(arguments.should_exist, arguments.should_not_exist)),))


def command_line(host: View) -> str:
    """What the running kernel was started with."""
    path = host.system.rstrip("/") + distro.kernel_command_line_path()
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


STEPS: Final = (KernelArguments(),)
