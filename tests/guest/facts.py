# SPDX-License-Identifier: Apache-2.0
"""Compare the disks with the expected state, by the system's programs and the kernel, without the engine."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.guest.cases import After
from tests.guest.world import PLACE, Broken, shell

__all__ = ["differences"]

MIB: Final = 1 << 20
KERNEL_SECTOR: Final = 512
FIELDS: Final = ("type=", "uuid=", "attrs=")
NOTHING_FOUND: Final = 2
"""Exit status of blkid if it finds no known signature."""
AMBIVALENT: Final = 8


def differences(after: After) -> Iterator[str]:
    """Yield each difference between the disks and the expected state."""
    for disk, lines in after.tables.items():
        yield from _table(disk, lines)
    for device, words in after.devices.items():
        yield from _device(device, words)
    for place, content in after.files.items():
        yield from _file(place, content)
    try:
        shell(after.shell, "after")
    except Broken as broken:
        yield str(broken)


def _table(disk: str, lines: tuple[str, ...]) -> Iterator[str]:
    if not os.path.exists(disk):
        yield f"{disk} not found"
        return
    found = _sfdisk(disk)
    if lines == ("none",) or found is None:
        if (lines == ("none",)) != (found is None):
            yield f"{disk} has {'no' if found is None else 'a'} partition table"
        return
    expected = {line.split()[0]: line for line in lines}
    partitions = {str(each["number"]): each for each in found["partitions"]}
    if expected.keys() != partitions.keys():
        yield f"partitions of {disk}: found {sorted(partitions)}, expected {sorted(expected)}"
    for number in sorted(expected.keys() & partitions.keys()):
        yield from _partition(f"partition {number} of {disk}", partitions[number], expected[number])
    yield from _kernel(disk, found)


def _sfdisk(disk: str) -> dict[str, Any] | None:
    """Return the partition table as sfdisk reads it, with start and size in bytes; None if there is none."""
    ran = _run("sfdisk", "--json", disk)
    if ran.returncode != 0:
        return None
    table: dict[str, Any] = json.loads(ran.stdout)["partitiontable"]
    sector = table["sectorsize"]
    node = os.path.realpath(disk)
    for each in table.setdefault("partitions", []):
        each["number"] = int(
            os.path.realpath(each["node"]).removeprefix(node).lstrip("p").rpartition("part")[2]
        )
        each["start"] *= sector
        each["size"] *= sector
    return table


def _partition(name: str, found: dict[str, Any], expected: str) -> Iterator[str]:
    """Compare with `NUMBER START+SIZE LABEL type=… uuid=… attrs=…`; `*` and missing fields match anything."""
    _, where, *rest = shlex.split(expected)
    start, _, size = where.partition("+")
    for what, wanted in (("start", start), ("size", size)):
        if wanted != "*" and found[what] != _bytes(wanted):
            yield f"{name}: {what} is {found[what] / MIB} MiB, expected {wanted}"
    if rest and not rest[0].startswith(FIELDS):
        label = rest.pop(0)
        if found.get("name", "") != label:
            yield f'{name}: label is "{found.get("name", "")}", expected "{label}"'
    for key, _, wanted in (word.partition("=") for word in rest):
        if found.get(key, "").lower() != wanted.lower():
            yield f'{name}: {key} is "{found.get(key, "")}", expected "{wanted}"'


def _bytes(figure: str) -> int:
    return int(figure[:-1]) if figure.endswith("B") else int(figure) * MIB


def _kernel(disk: str, table: dict[str, Any]) -> Iterator[str]:
    """Compare the partitions that the kernel sees with the table on the disk."""
    name = os.path.basename(os.path.realpath(disk))
    seen = {}
    for folder in Path(f"/sys/class/block/{name}").glob(f"{name}*/partition"):
        start, size = (int((folder.parent / each).read_text()) * KERNEL_SECTOR for each in ("start", "size"))
        seen[int(folder.read_text())] = (start, size)
    written = {each["number"]: (each["start"], each["size"]) for each in table["partitions"]}
    if not name.startswith("dm-") and seen != written:
        yield f"the kernel sees the partitions {seen} on {disk}, but the table has {written}"


def _device(device: str, words: str) -> Iterator[str]:
    if words == "absent":
        if os.path.exists(device):
            yield f"{device} exists, expected none"
        return
    if not os.path.exists(device):
        yield f"{device} not found"
        return
    found = _blkid(device)
    for word in shlex.split(words):
        key, equals, wanted = word.partition("=")
        if word == "nothing":
            if "TYPE" in found:
                yield f"found {found['TYPE']} on {device}, expected nothing"
        elif key == "signatures":
            if (listed := _signatures(device)) != sorted(filter(None, wanted.split(","))):
                yield f"signatures on {device}: found {listed}, expected {wanted}"
        elif not equals:
            yield f'unknown word "{word}" for {device}'
        elif found.get(key, "") != wanted:
            yield f'{key} of {device} is "{found.get(key, "")}", expected "{wanted}"'


def _blkid(device: str) -> dict[str, str]:
    ran = _run("blkid", "--probe", "--output", "export", device)
    if ran.returncode not in {0, NOTHING_FOUND, AMBIVALENT}:
        return {"TYPE": f"blkid: status {ran.returncode}"}
    # blkid escapes blanks in a value with a backslash.
    return dict("".join(shlex.split(line)).split("=", 1) for line in ran.stdout.splitlines() if "=" in line)


def _signatures(device: str) -> list[str]:
    text = _run("wipefs", "--json", "--output", "TYPE", device).stdout
    return sorted({each["type"] for each in json.loads(text)["signatures"]}) if text.strip() else []


def _file(place: str, content: str) -> Iterator[str]:
    device, _, path = place.partition(":")
    folder = PLACE / "look"
    folder.mkdir(exist_ok=True)
    # xfs replays its log, and thereby writes, even on a read-only mount.
    options = "ro,norecovery" if _blkid(device).get("TYPE") == "xfs" else "ro"
    mounted = _run("mount", "-o", options, device, str(folder))
    if mounted.returncode != 0:
        yield f"cannot mount {device}: {mounted.stderr.strip()}"
        return
    try:
        found = (folder / path.lstrip("/")).read_text(errors="replace")
        if found != content:
            yield f'{place} contains "{found[:200]}", expected "{content}"'
    except OSError as error:
        yield f"{place}: {error.strerror}"
    finally:
        _run("umount", str(folder))


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
