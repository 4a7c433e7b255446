# SPDX-License-Identifier: Apache-2.0
"""Kernel arguments.

Source: docs/reference/config-language.md, "Fields".
"""

from typing import Annotated

from ignition.schemas.base import Node
from ignition.schemas.marks import keyed

__all__ = ["KernelArguments"]


class KernelArguments(Node):
    """Kernel arguments of the machine."""

    should_exist: Annotated[tuple[str, ...], keyed(handle="kernel argument")] = ()
    """Arguments that must be set; each may hold several words."""
    should_not_exist: Annotated[tuple[str, ...], keyed(handle="kernel argument")] = ()
    """Arguments that must not be set."""

    @property
    def present(self) -> bool:
        """Whether any argument is listed."""
        return bool(self.should_exist or self.should_not_exist)
