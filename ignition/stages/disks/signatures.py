"""What is on devices, as libblkid sees it: one call of wipefs for all, a closer look only where needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ignition.host import Host
from ignition.tools import blkid, wipefs

__all__ = ["NOTHING", "found", "listed"]

NOTHING = wipefs.Signature("")


def listed(host: Host, nodes: Collection[str]) -> Mapping[str, tuple[wipefs.Signature, ...]]:
    """All signatures on the devices, also those that libblkid would not take for any, in one call."""
    return wipefs.parse(host.run(wipefs.show(nodes)).stdout, nodes)


def found(host: Host, alias: str, signatures: Sequence[wipefs.Signature]) -> wipefs.Signature | None:
    """The signature that counts, `NOTHING` if there is none, `None` if libblkid finds several.

    Partition tables do not count.
    """
    if all(each.is_table for each in signatures):
        return NOTHING
    command = blkid.probe(alias)
    probe = blkid.parse(command, host.run(command))
    return None if probe.is_ambivalent else wipefs.Signature(probe.format, probe.label, probe.uuid)
