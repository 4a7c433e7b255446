# SPDX-License-Identifier: Apache-2.0
"""dmsetup: tables of device-mapper devices."""

from __future__ import annotations

from ignition.errors import IgnitionError
from ignition.host.command import Command

__all__ = ["parse_linear", "table"]


def table(name: str) -> Command:
    """Print the table of the device-mapper device `name`."""
    return Command(("dmsetup", "table", name), f"reading the device-mapper table of {name}")


def parse_linear(text: str, name: str) -> tuple[int, int]:
    """Parse the table of a partition on a device-mapper disk; return start and size in 512-byte sectors.

    The table of such a partition is one line, `<0> <size> linear <major:minor> <start>`.

    Raises:
        IgnitionError: the table is not that of a partition.
    """
    words = text.split()
    if len(words) == 5 and words[2] == "linear" and words[1].isdecimal() and words[4].isdecimal():
        return int(words[4]), int(words[1])
    raise IgnitionError(
        f"the device-mapper device {name} is not a partition: found the table {text.strip()!r},"
        " expected one linear segment"
    )
