# SPDX-License-Identifier: Apache-2.0
"""wipefs: list and erase signatures, for many devices in one call.

The list also contains signatures that libblkid rejects, for example with a wrong checksum. A device without
a listed signature is certainly empty; for other devices `ignition.tools.blkid` decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ignition.errors import IgnitionError
from ignition.host.command import Command

__all__ = ["Signature", "erase", "parse", "show"]

PARTITION_TABLE = "partition-table"


@dataclass(frozen=True)
class Signature:
    """One signature; "" for missing values."""

    format: str
    label: str = ""
    uuid: str = ""
    is_table: bool = False


def show(nodes: Iterable[str]) -> Command:
    """List all signatures of devices, given as kernel nodes: the output has only their last parts."""
    nodes = tuple(nodes)
    return Command(
        ("wipefs", "--json", "--output", "DEVICE,TYPE,USAGE,UUID,LABEL", *nodes),
        f"listing the signatures on {', '.join(nodes)}",
    )


def parse(text: str, nodes: Iterable[str]) -> Mapping[str, tuple[Signature, ...]]:
    """Parse the output of `show`; return the signatures of each node in libblkid's order.

    Raises:
        IgnitionError: the output is invalid.
    """
    found: dict[str, tuple[Signature, ...]] = dict.fromkeys(nodes, ())
    by_name = {node.rpartition("/")[2]: node for node in found}
    try:
        # Without any signature, some versions print nothing and others an empty list.
        for each in json.loads(text)["signatures"] if text.strip() else ():
            signature = Signature(
                each["type"],
                each["label"] or "",
                each["uuid"] or "",
                is_table=each["usage"] == PARTITION_TABLE,
            )
            found[by_name[each["device"]]] += (signature,)
    except (ValueError, KeyError, TypeError) as error:
        raise IgnitionError("cannot parse the list that wipefs printed") from error
    return found


def erase(devices: Iterable[str], *, shown_as: Iterable[str]) -> Command:
    """Erase all signatures of the devices; the log names them `shown_as`."""
    return Command(("wipefs", "--all", *devices), f"wiping all signatures of {', '.join(shown_as)}")
