# SPDX-License-Identifier: Apache-2.0
"""The adapters of the disks stage's steps for partitions and filesystems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ignition.boot.state import State
from ignition.host import blocks
from ignition.preview.adapter import Adapter
from ignition.preview.effects import Does, Effect
from ignition.preview.host import PreviewHost
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.stages.disks.filesystems import NO_FILESYSTEM, Decision, DeviceFacts
from ignition.stages.disks.filesystems import Do as DoFilesystem
from ignition.stages.disks.partitions.decide import DiskChanges, PartitionChange
from ignition.stages.disks.partitions.layout import Extent, in_mib
from ignition.stages.disks.partitions.match import Do
from ignition.stages.disks.partitions.observe import DiskFacts
from ignition.tools import blkid

__all__ = ["Filesystems", "Partitions", "Preflight"]


class Preflight(Adapter):
    """The preflight step only refuses; objects that it does not refuse can still be previewed."""

    handles_refusals = True


class Partitions(Adapter):
    """Each disk and its partitions."""

    handles_refusals = True

    def effects(
        self, config: Config, facts: tuple[DiskFacts, ...], plan: Plan, host: PreviewHost
    ) -> Iterator[Effect]:
        return _partitions(plan.decisions, facts, host)

    def predict(self, config: Config, facts: tuple[DiskFacts, ...], plan: Plan, host: PreviewHost) -> State:
        """Predict new partitions, and the removal of deleted ones."""
        for changes in plan.decisions:
            _predict_partitions(changes, host)
        return State()


class Filesystems(Adapter):
    """The filesystem, or other contents, of each device."""

    handles_refusals = True

    def effects(
        self, config: Config, facts: Mapping[int, DeviceFacts], plan: Plan, host: PreviewHost
    ) -> Iterator[Effect]:
        for each in plan.decisions:
            if each.do is DoFilesystem.KEEP:
                found = each.facts.found.format or "no filesystem"
                yield Effect(each.path, Does.KEEP, f"{found} on {each.wanted.device}")
            elif each.do is DoFilesystem.MAKE:
                yield _filesystem(each, host)

    def predict(self, config: Config, facts: Any, plan: Plan, host: PreviewHost) -> State:
        """Note the devices on which a filesystem will be created."""
        for each in plan.decisions:
            if each.do is DoFilesystem.MAKE and each.wanted.format not in NO_FILESYSTEM:
                host.formatted.add(each.wanted.device)
        return State()


def _partitions(
    all_changes: Iterable[DiskChanges], facts: Iterable[DiskFacts], host: PreviewHost
) -> Iterator[Effect]:
    for changes, before in zip(all_changes, facts, strict=True):
        nodes = _nodes(host, before)
        if changes.is_wiped and not before.is_blank:
            yield _wiped(changes, before, nodes)
        elif changes.is_new and any(each.is_active for each in changes.changes):
            disk = before.disk
            what = f"the partition table of {changes.device}"
            yield Effect(changes.path, Does.CREATE, what, f"GPT, {_size(disk.sectors, disk.sector_size)}")
        for change in changes.changes:
            if change.do is not Do.REFUSE and change.misfit is None:
                yield _partition(change, changes, before, nodes)


def _wiped(changes: DiskChanges, before: DiskFacts, nodes: Mapping[int, str]) -> Effect:
    disk = before.disk
    kind = before.unusable or ("GPT" if before.has_table else "unknown contents")
    table = {entry.number: (entry.size, entry.label) for entry in before.table.entries}
    if not table:
        table = {number: (extent.size, "") for number, extent in (before.seen or {}).items()}
    lost = [
        f"partition {number}{_labelled(label)}, {_size(size, disk.sector_size)}"
        for number, (size, label) in sorted(table.items())
    ]
    return Effect(
        changes.path,
        Does.DESTROY,
        f"the partition table of {changes.device}",
        f"{_size(disk.sectors, disk.sector_size)}; {kind} is wiped",
        lost=tuple(lost),
        devices=tuple(nodes[number] for number in sorted(table) if number in nodes),
    )


def _partition(
    change: PartitionChange, changes: DiskChanges, before: DiskFacts, nodes: Mapping[int, str]
) -> Effect:
    number, sector_size = change.wanted.number, before.disk.sector_size
    what = f"partition {number} of {changes.device}"
    there = next((entry for entry in before.table.entries if entry.number == number), None)
    was = f"{_size(there.size, sector_size)}{_labelled(there.label)}" if there else ""
    will = _extent(change.extent, sector_size) + _labelled(change.wanted.label or "") if change.extent else ""
    lost = (nodes[number],) if number in nodes else ()
    path = change.wanted.path
    match change.do:
        case Do.CREATE:
            return Effect(path, Does.CREATE, what, will)
        case Do.RESIZE:
            return Effect(path, Does.CHANGE, what, f"{was} becomes {will}")
        case Do.DELETE:
            return Effect(path, Does.DESTROY, what, lost=(was,), devices=lost)
        case Do.REPLACE:
            return Effect(path, Does.DESTROY, what, f"created again, {will}", lost=(was,), devices=lost)
        case Do.NOTHING:
            return Effect(path, Does.KEEP, what, "absent, as configured")
        case _:
            return Effect(path, Does.KEEP, what, was)


def _predict_partitions(changes: DiskChanges, host: PreviewHost) -> None:
    facts = changes.facts
    nodes = _nodes(host, facts)
    gone = set(nodes) - changes.finished().keys()
    host.devices.predict_removal(node for number, node in nodes.items() if number in gone)
    for node, names, extent in changes.made():
        place = _place(facts, extent)
        host.devices.predict_device(node, names, place)
        if any(facts.stale.get(name) == blkid.Probe() for name in (node, *names)):
            host.devices.predict_blank(place)


def _place(facts: DiskFacts, extent: Extent) -> tuple[str, int, int]:
    size = facts.disk.sector_size
    return facts.disk.node, extent.start * size, extent.size * size


def _nodes(host: PreviewHost, facts: DiskFacts) -> dict[int, str]:
    return {number: part.node for number, part in blocks.partitions(host.system, facts.disk.node).items()}


def _filesystem(decision: Decision, host: PreviewHost) -> Effect:
    path, wanted, facts = decision.path, decision.wanted, decision.facts
    size = blocks.size(host.system, facts.node)
    detail = (f"{in_mib(size)}" if size else "") + _labelled(wanted.label or "")
    nothing = wanted.format in NO_FILESYSTEM
    what = f"{'no filesystem' if nothing else wanted.format} on {wanted.device}"
    if not facts.listed:
        return Effect(path, Does.KEEP if nothing else Does.CREATE, what, detail.removeprefix(", "))
    on = f"contents of {wanted.device}"
    return Effect(path, Does.DESTROY, on, f"replaced by {what}", devices=(facts.node,))


def _size(sectors: int, sector_size: int) -> str:
    return in_mib(sectors * sector_size)


def _extent(extent: Extent, sector_size: int) -> str:
    return f"{_size(extent.size, sector_size)} at offset {_size(extent.start, sector_size)}"


def _labelled(label: str) -> str:
    return f', labelled "{label}"' if label else ""
