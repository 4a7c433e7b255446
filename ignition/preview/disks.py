"""What the disks stage will have done to partitions and filesystems, and what is lost by it. For previews."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from ignition.host import Host, blocks
from ignition.preview.effects import Does, Effect
from ignition.schemas.config import Config
from ignition.stages.disks.filesystems import NO_FILESYSTEM, Decision, DeviceFacts, decisions
from ignition.stages.disks.filesystems import Do as DoFilesystem
from ignition.stages.disks.partitions.decide import Change, DiskChanges
from ignition.stages.disks.partitions.layout import Extent, in_mib
from ignition.stages.disks.partitions.match import Do
from ignition.stages.disks.partitions.observe import DiskFacts
from ignition.tools import blkid

if TYPE_CHECKING:
    from ignition.preview.host import PreviewHost

__all__ = ["filesystems", "formatted", "make_partitions", "partitions"]


def partitions(
    all_changes: Iterable[DiskChanges], facts: Iterable[DiskFacts], host: Host
) -> Iterator[Effect]:
    """The effects on each disk and its partitions; `facts` are those before any decision."""
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
    kind = before.unusable or ("GPT" if before.has_table else "what is in its place")
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


def _partition(change: Change, changes: DiskChanges, before: DiskFacts, nodes: Mapping[int, str]) -> Effect:
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
            return Effect(path, Does.DESTROY, what, f"made anew, {will}", lost=(was,), devices=lost)
        case Do.NOTHING:
            return Effect(path, Does.KEEP, what, "it does not exist, and should not")
        case _:
            return Effect(path, Does.KEEP, what, was)


def make_partitions(all_changes: Iterable[DiskChanges], host: PreviewHost) -> None:
    """Tell the preview which partitions there will be, and which no more."""
    for changes in all_changes:
        facts = changes.facts
        gone = set(_nodes(host, facts)) - changes.finished().keys()
        host.devices.will_lose(node for number, node in _nodes(host, facts).items() if number in gone)
        for node, names, extent in changes.made():
            place = _place(facts, extent)
            host.devices.will_make(node, names, place)
            if any(facts.lying.get(name) == blkid.Probe() for name in (node, *names)):
                host.devices.will_be_blank(place)


def _place(facts: DiskFacts, extent: Extent) -> tuple[str, int, int]:
    size = facts.disk.sector_size
    return facts.disk.node, extent.start * size, extent.size * size


def _nodes(host: Host, facts: DiskFacts) -> dict[int, str]:
    return {number: part.node for number, part in blocks.partitions(host.system, facts.disk.node).items()}


def filesystems(config: Config, facts: Mapping[int, DeviceFacts], host: Host) -> Iterator[Effect]:
    """The effects on each device that is looked at."""
    for each in decisions(config, facts):
        if each.do is DoFilesystem.KEEP:
            found = each.facts.found.format or "nothing"
            yield Effect(each.path, Does.KEEP, f"{found} on {each.wanted.device}")
        elif each.do is DoFilesystem.MAKE:
            yield _made(each, host)


def _made(decision: Decision, host: Host) -> Effect:
    path, wanted, facts = decision.path, decision.wanted, decision.facts
    size = blocks.size(host.system, facts.node)
    detail = (f"{in_mib(size)}" if size else "") + _labelled(wanted.label or "")
    nothing = wanted.format in NO_FILESYSTEM
    what = f"{'nothing' if nothing else wanted.format} on {wanted.device}"
    if not facts.listed:
        return Effect(path, Does.KEEP if nothing else Does.CREATE, what, detail.removeprefix(", "))
    on = f"what is on {wanted.device}"
    return Effect(path, Does.DESTROY, on, f"{what} instead", devices=(facts.node,))


def formatted(config: Config, facts: Mapping[int, DeviceFacts]) -> Iterator[str]:
    """The devices on which a filesystem will be made."""
    for each in decisions(config, facts):
        if each.do is DoFilesystem.MAKE and each.wanted.format not in NO_FILESYSTEM:
            yield each.wanted.device


def _size(sectors: int, sector_size: int) -> str:
    return in_mib(sectors * sector_size)


def _extent(extent: Extent, sector_size: int) -> str:
    return f"{_size(extent.size, sector_size)} from {_size(extent.start, sector_size)} on"


def _labelled(label: str) -> str:
    return f', labelled "{label}"' if label else ""
