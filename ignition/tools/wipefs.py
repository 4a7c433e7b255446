"""wipefs: lists the signatures on devices, and erases them. One call for many devices.

What it lists are all places that look like a signature, some of which libblkid
would not take for one (the checksum is wrong). So a device that is not listed is
empty for certain; for others `ignition.tools.blkid` has the word that counts.
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
    """One signature; "" for what it does not have."""

    format: str
    label: str = ""
    uuid: str = ""
    is_table: bool = False


def show(nodes: Iterable[str]) -> Command:
    """List all signatures. Writes nothing.

    The nodes are kernel nodes: the answer has their last parts only.
    """
    nodes = tuple(nodes)
    return Command(
        ("wipefs", "--json", "--output", "DEVICE,TYPE,USAGE,UUID,LABEL", *nodes),
        f"listing the signatures on {', '.join(nodes)}",
    )


def parse(text: str, nodes: Iterable[str]) -> Mapping[str, tuple[Signature, ...]]:
    """The signatures on each node, in the order in which libblkid finds them.

    Raises:
        IgnitionError: the list cannot be understood.
    """
    found: dict[str, tuple[Signature, ...]] = dict.fromkeys(nodes, ())
    by_name = {node.rpartition("/")[2]: node for node in found}
    try:
        # Of devices without any signature some versions print nothing, and others an empty list.
        for each in json.loads(text)["signatures"] if text.strip() else ():
            signature = Signature(
                each["type"],
                each["label"] or "",
                each["uuid"] or "",
                is_table=each["usage"] == PARTITION_TABLE,
            )
            found[by_name[each["device"]]] += (signature,)
    except (ValueError, KeyError, TypeError) as error:
        raise IgnitionError("the list that wipefs printed cannot be understood") from error
    return found


def erase(devices: Iterable[str], *, shown_as: Iterable[str]) -> Command:
    """Erase all signatures from all devices; the log calls them `shown_as`."""
    return Command(("wipefs", "--all", *devices), f"wiping all signatures from {', '.join(shown_as)}")
