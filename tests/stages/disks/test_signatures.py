# SPDX-License-Identifier: Apache-2.0
"""Signatures on devices, and in extents of future partitions."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.host.command import Ran
from ignition.stages.disks.signatures import NOTHING, found, listed, under
from ignition.tools.blkid import Probe
from ignition.tools.wipefs import Signature
from tests.host.fakes import FakeHost
from tests.lab.sysfs import Sysfs

MIB = 1 << 20
PLACE = ("/dev/vdb", 4 * MIB, 8 * MIB)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def node(host: FakeHost) -> Path:
    return Sysfs(Path(host.system)).disk("vdb", 16 * MIB)


@pytest.mark.parametrize(
    ("offset", "is_looked_at"),
    [
        # The start of the extent, the place of the VMFS label, and the end.
        (4 * MIB, True),
        (4 * MIB + (256 << 10) - 1, True),
        (5 * MIB, True),
        (12 * MIB - 1, True),
        # Contents between the probed regions, and outside of the extent.
        (6 * MIB, False),
        (4 * MIB - 1, False),
        (12 * MIB, False),
    ],
)
def test_blkid_runs_only_on_nonzero_regions(
    host: FakeHost, node: Path, offset: int, is_looked_at: bool
) -> None:
    with node.open("r+b") as file:
        file.seek(offset)
        file.write(b"x")
    host.run.answer("blkid", stdout="ID_FS_TYPE=xfs\n")
    probe = under(host.run, host.system, PLACE)
    assert probe == Probe(format="xfs" if is_looked_at else "")
    assert len(host.run.argvs) == is_looked_at


def test_region_smaller_than_probe_regions(host: FakeHost, node: Path) -> None:
    with node.open("r+b") as file:
        file.seek(4 * MIB + 4096)
        file.write(b"x")
    assert under(host.run, host.system, ("/dev/vdb", 4 * MIB, 4096)) == Probe()
    assert host.run.argvs == []


def test_all_devices_take_one_wipefs_call(host: FakeHost) -> None:
    assert listed(host, ("/dev/a", "/dev/b")) == {"/dev/a": (), "/dev/b": ()}
    assert len(host.run.argvs) == 1


def test_found_returns_the_signature_of_blkid(host: FakeHost) -> None:
    table = Signature("gpt", is_table=True)
    assert found(host, "/dev/a", ()) is NOTHING
    assert found(host, "/dev/a", (table,)) is NOTHING
    host.run.answer("blkid", stdout="ID_FS_TYPE=ext4\nID_FS_LABEL_ENC=a\nID_FS_UUID_ENC=1\n")
    assert found(host, "/dev/a", (Signature("ext4"),)) == Signature("ext4", "a", "1")
    host.run.answer("blkid", Ran(8))
    assert found(host, "/dev/a", (Signature("ext4"), Signature("xfs"))) is None
