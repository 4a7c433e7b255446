# SPDX-License-Identifier: Apache-2.0
"""The host of a preview: read-only programs and predicted devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.host.command import Command, Ran
from ignition.preview.devices import MissingDevice, PredictedDevices
from ignition.preview.queries import Queries, is_query
from ignition.preview.tree import Unseen
from ignition.tools import (
    blkid,
    dmsetup,
    kargs,
    mkfs,
    modprobe,
    mount,
    partx,
    passwd,
    sfdisk,
    systemctl,
    wipefs,
)
from tests.host.fakes import FakeRun

QUERIES = [
    blkid.probe("/dev/a"),
    blkid.probe("/dev/a", within=(1, 2)),
    dmsetup.table("x"),
    wipefs.show(["/dev/a"]),
]
CHANGES = [
    wipefs.erase(["/dev/a"], shown_as=["a"]),
    Command(("wipefs", "--json", "--all", "/dev/a"), ""),
    mkfs.make("ext4", "/dev/a"),
    sfdisk.delete("/dev/a", [1], shown_as="a"),
    partx.update("add", "/dev/a", 1, 1),
    mount.mount("ext4", "/dev/a", "/x"),
    mount.umount(["/x"]),
    modprobe.load(["xfs"]),
    kargs.set_arguments(["a"], []),
    passwd.userdel("/", "core"),
    systemctl.enable("/", ["a.service"]),
    Command(("dmsetup", "remove", "x"), ""),
    Command(("blkid",), ""),
    Command(("sh", "-p"), ""),
]


@pytest.mark.parametrize("command", QUERIES, ids=str)
def test_read_only_command_is_query(command: Command) -> None:
    assert is_query(command)


@pytest.mark.parametrize("command", CHANGES, ids=str)
def test_command_that_is_no_query_raises_unseen(command: Command) -> None:
    run = FakeRun()
    with pytest.raises(Unseen):
        Queries(run, PredictedDevices())(command)
    assert run.commands == []


class TestDevices:
    def test_wait_knows_existing_missing_new_and_removed_devices(self, tmp_path: Path) -> None:
        (tmp_path / "dev").mkdir()
        (tmp_path / "dev/a1").touch()
        devices = PredictedDevices(str(tmp_path))
        devices.wait({"/dev/a1": ()})
        with pytest.raises(MissingDevice, match="device /dev/b1 not found"):
            devices.wait({"/dev/a1": (), "/dev/b1": ()})
        devices.predict_device("/dev/b1", ["/dev/disk/by-partlabel/data"])
        devices.wait({"/dev/b1": (), "/dev/disk/by-partlabel/data": ()})
        assert devices.resolve("/dev/disk/by-partlabel/data") == "/dev/b1"
        devices.predict_removal(["/dev/a1"])
        with pytest.raises(MissingDevice, match="its partition will be deleted"):
            devices.wait({"/dev/a1": ()})

    def test_uncertain_device_raises_unseen(self, tmp_path: Path) -> None:
        devices = PredictedDevices(str(tmp_path))
        devices.predict_uncertain(["/dev/md/x"], "that depends")
        with pytest.raises(Unseen, match="that depends"):
            devices.wait({"/dev/md/x": ()})

    def test_alias_of_predicted_name_is_new_device(self, tmp_path: Path) -> None:
        (tmp_path / "dev/disk/by-partlabel").mkdir(parents=True)
        (tmp_path / "dev/disk/by-partlabel/data").symlink_to("../../old1")
        devices = PredictedDevices(str(tmp_path))
        devices.predict_device("/dev/new1", ["/dev/disk/by-partlabel/data"])
        assert devices.alias("/dev/disk/by-partlabel/data") == "/dev/new1"


class TestContentsOfPredictedDevices:
    def devices(self, directory: Path, *, content: bytes = b"\1") -> PredictedDevices:
        (directory / "dev").mkdir()
        (directory / "dev/b").write_bytes(bytes(2 << 20) + content + bytes(3 << 20))
        devices = PredictedDevices(str(directory))
        devices.predict_device("/dev/b1", place=("/dev/b", 1 << 20, 2 << 20))
        devices.predict_device("/dev/md/x")
        return devices

    def test_predicted_device_without_place_is_empty(self, tmp_path: Path) -> None:
        run = FakeRun()
        queries = Queries(run, self.devices(tmp_path))
        assert queries(blkid.probe("/dev/md/x")).status == 2
        assert wipefs.parse(queries(wipefs.show(["/dev/md/x"])).stdout, ["/dev/md/x"]) == {"/dev/md/x": ()}
        assert run.commands == []

    def test_predicted_partition_has_signatures_of_its_extent(self, tmp_path: Path) -> None:
        run = FakeRun()
        run.answer("blkid", stdout="ID_FS_TYPE=xfs\nID_FS_LABEL_ENC=old\n", having="--offset")
        queries = Queries(run, self.devices(tmp_path))
        found = wipefs.parse(queries(wipefs.show(["/dev/b1", "/dev/md/x"])).stdout, ["/dev/b1", "/dev/md/x"])
        assert found == {"/dev/b1": (wipefs.Signature("xfs", "old"),), "/dev/md/x": ()}
        command = blkid.probe("/dev/b1")
        assert blkid.parse(command, queries(command)).format == "xfs"
        probe = ("blkid", "-p", "-o", "udev", "--offset", "1048576", "--size", "2097152", "/dev/b")
        assert run.argvs == [probe, probe]

    def test_extent_of_zeros_needs_no_probe(self, tmp_path: Path) -> None:
        run = FakeRun()
        assert Queries(run, self.devices(tmp_path, content=b"\0"))(blkid.probe("/dev/b1")).status == 2
        assert run.commands == []

    def test_query_for_existing_devices_is_run(self, tmp_path: Path) -> None:
        run = FakeRun()
        run.answer("wipefs", Ran(0, '{"signatures": [{"device": "a", "type": "ext4", "usage": "filesystem", '
                                    '"uuid": null, "label": null}]}'))  # fmt: skip
        nodes = ["/dev/a", "/dev/md/x"]
        found = wipefs.parse(Queries(run, self.devices(tmp_path))(wipefs.show(nodes)).stdout, nodes)
        assert found == {"/dev/a": (wipefs.Signature("ext4"),), "/dev/md/x": ()}
        assert run.argvs == [("wipefs", "--json", "--output", "DEVICE,TYPE,USAGE,UUID,LABEL", "/dev/a")]
