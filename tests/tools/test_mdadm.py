# SPDX-License-Identifier: Apache-2.0
"""mdadm: command lines, names, and superblocks."""

from __future__ import annotations

import pytest

from ignition.errors import IgnitionError
from ignition.host.command import Ran
from ignition.tools import mdadm
from ignition.tools.mdadm import Superblock


def test_create_command_line() -> None:
    command = mdadm.create("data", "raid1", ["/a/vdb", "/a/vdc"], shown_as=["/dev/vdb", "/dev/vdc"])
    assert " ".join(command.real_argv()) == (
        "mdadm --create /dev/md/data --force --run --homehost any --level raid1 --raid-devices 2 "
        "/a/vdb /a/vdc"
    )
    assert command.why == "creating RAID array data (raid1) of /dev/vdb, /dev/vdc"


@pytest.mark.parametrize(
    ("name", "device"),
    [("root", "/dev/md/root"), ("/dev/md/root", "/dev/md/root"), ("/dev/md0", "/dev/md0")],
)
def test_create_ignores_files_in_the_current_directory(name: str, device: str) -> None:
    """In an initramfs this is `/`, where mdadm would take `root` for the directory."""
    assert mdadm.create(name, "raid1", ["a", "b"]).argv[2] == device


def test_create_with_spares_and_options() -> None:
    command = mdadm.create("data", "5", ["a", "b", "c", "d"], spares=1, options=["--chunk", "64"])
    assert " ".join(command.real_argv()) == (
        "mdadm --create /dev/md/data --force --run --homehost any --level 5 --raid-devices 3 "
        "--spare-devices 1 --chunk 64 a b c d"
    )


def test_assemble_command_line() -> None:
    command = mdadm.assemble("data", ["/dev/vdb"])
    assert command.real_argv() == ["mdadm", "--assemble", "/dev/md/data", "--homehost", "any", "/dev/vdb"]


@pytest.mark.parametrize(
    ("name", "device", "recorded"),
    [
        ("data", "/dev/md/data", "data"),
        ("0", "/dev/md/0", "0"),
        ("/dev/md/data", "/dev/md/data", "data"),
        ("/dev/md0", "/dev/md0", "0"),
        ("/dev/md127", "/dev/md127", "127"),
        ("/dev/md_data", "/dev/md_data", "data"),
        ("/dev/md/md0", "/dev/md/md0", "md0"),
    ],
)
def test_names_map_to_device_and_recorded_name(name: str, device: str, recorded: str) -> None:
    assert (mdadm.device_of(name), mdadm.recorded_name(name)) == (device, recorded)


EXAMINED = "MD_LEVEL=raid1\nMD_DEVICES=2\nMD_NAME=any:a:b\nMD_ARRAY_SIZE=255.00MiB\nMD_UUID=1:2:3:4\n"


def test_parse_reads_a_superblock() -> None:
    assert mdadm.examine("/dev/vdb").argv == ("mdadm", "--examine", "--export", "/dev/vdb")
    assert mdadm.parse(Ran(0, EXAMINED), "/dev/vdb") == Superblock("raid1", 2, "a:b", "1:2:3:4")


def test_parse_reads_a_superblock_without_name() -> None:
    old = "MD_LEVEL=raid1\nMD_DEVICES=2\nMD_UUID=1:2:3:4\n"
    assert mdadm.parse(Ran(0, old), "/dev/vdb") == Superblock("raid1", 2, "", "1:2:3:4")


def test_parse_without_superblock_is_none() -> None:
    assert mdadm.parse(Ran(1, "", "mdadm: No md superblock detected on /dev/vdb."), "/dev/vdb") is None


def test_parse_of_invalid_output_raises() -> None:
    with pytest.raises(IgnitionError, match="cannot parse mdadm's output about /dev/vdb"):
        mdadm.parse(Ran(0, "MD_LEVEL=raid1\nMD_DEVICES=many\nMD_UUID=1\n"), "/dev/vdb")


def test_parse_brief_returns_the_array_line() -> None:
    assert mdadm.brief("data").argv == ("mdadm", "--detail", "--brief", "/dev/md/data")
    line = "ARRAY /dev/md/data metadata=1.2 spares=1 name=any:data UUID=1:2:3:4"
    assert mdadm.parse_brief(Ran(0, f"{line}\n"), "data") == line


@pytest.mark.parametrize("answer", ["", "ARRAY /dev/md/data\n", "ARRAY a UUID=1\nARRAY b UUID=2\n"])
def test_parse_brief_of_other_output_raises(answer: str) -> None:
    with pytest.raises(IgnitionError, match="cannot parse mdadm's output about RAID array data"):
        mdadm.parse_brief(Ran(0, answer), "data")
