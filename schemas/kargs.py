"""Kernel arguments.

Source: config-spec section 4.6.
"""

from typing import Annotated

from ignition.schemas.base import Node
from ignition.schemas.marks import keyed

__all__ = ["KernelArguments"]


class KernelArguments(Node):
    """Which kernel arguments the machine boots with."""

    should_exist: Annotated[tuple[str, ...], keyed(handle="kernel argument")] = ()
    """Arguments that must be there; each may hold several words."""
    should_not_exist: Annotated[tuple[str, ...], keyed(handle="kernel argument")] = ()
    """Arguments that must not be there."""

    @property
    def present(self) -> bool:
        """Whether there is any."""
        return bool(self.should_exist or self.should_not_exist)
