# SPDX-License-Identifier: Apache-2.0
"""The adapter of the kargs stage."""

from __future__ import annotations

from collections.abc import Iterator

from ignition.preview.adapter import Adapter
from ignition.preview.effects import Does, Effect, flat
from ignition.preview.host import PreviewHost
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.stages.kargs import SetKernelArguments

__all__ = ["KernelArguments"]

WHY = "only the distribution's helper knows the boot arguments; it reboots if it changes them"


class KernelArguments(Adapter):
    """Name each argument without its value, which may be confidential."""

    def effects(self, config: Config, facts: None, plan: Plan, host: PreviewHost) -> Iterator[Effect]:
        for action in flat(plan.actions):
            if not isinstance(action, SetKernelArguments):
                continue
            for key, how, arguments in (
                ("shouldExist", "with", action.request.should_exist),
                ("shouldNotExist", "without", action.request.should_not_exist),
            ):
                for index, argument in enumerate(arguments):
                    what = f"booting {how} the kernel argument {argument.partition('=')[0]}"
                    yield Effect((*action.path, key, index), Does.UNKNOWN, what, WHY)
