"""mdadm: the calls, names, and what members say."""

from __future__ import annotations

import pytest

from ignition.errors import IgnitionError
from ignition.host.command import Ran
from ignition.tools import mdadm
from ignition.tools.mdadm import Superblock


def test_create() -> None:
    command = mdadm.create("data", "raid1", ["/a/vdb", "/a/vdc"], shown_as=["/dev/vdb", "/dev/vdc"])
    assert " ".join(command.real_argv()) == (
        "mdadm --create /dev/md/data --force --run --homehost any --level raid1 --raid-devices 2 "
        "/a/vdb /a/vdc"
    )
    assert command.why == "creating the array data (raid1) of /dev/vdb, /dev/vdc"


@pytest.mark.parametrize(
    ("name", "device"),
    [("root", "/dev/md/root"), ("/dev/md/root", "/dev/md/root"), ("/dev/md0", "/dev/md0")],
)
def test_no_file_of_the_current_directory_is_taken_for_an_array(name: str, device: str) -> None:
    """In an initramfs that is `/`, and mdadm takes a bare `root` for the directory."""
    assert mdadm.create(name, "raid1", ["a", "b"]).argv[2] == device


def test_create_with_spares_and_options() -> None:
    command = mdadm.create("data", "5", ["a", "b", "c", "d"], spares=1, options=["--chunk", "64"])
    assert " ".join(command.real_argv()) == (
        "mdadm --create /dev/md/data --force --run --homehost any --level 5 --raid-devices 3 "
        "--spare-devices 1 --chunk 64 a b c d"
    )


def test_assemble() -> None:
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
def test_names(name: str, device: str, recorded: str) -> None:
    assert (mdadm.device_of(name), mdadm.recorded_name(name)) == (device, recorded)


EXAMINED = "MD_LEVEL=raid1\nMD_DEVICES=2\nMD_NAME=any:a:b\nMD_ARRAY_SIZE=255.00MiB\nMD_UUID=1:2:3:4\n"


def test_a_member() -> None:
    assert mdadm.examine("/dev/vdb").argv == ("mdadm", "--examine", "--export", "/dev/vdb")
    assert mdadm.parse(Ran(0, EXAMINED), "/dev/vdb") == Superblock("raid1", 2, "a:b", "1:2:3:4")


def test_a_member_without_a_name() -> None:
    old = "MD_LEVEL=raid1\nMD_DEVICES=2\nMD_UUID=1:2:3:4\n"
    assert mdadm.parse(Ran(0, old), "/dev/vdb") == Superblock("raid1", 2, "", "1:2:3:4")


def test_no_member() -> None:
    assert mdadm.parse(Ran(1, "", "mdadm: No md superblock detected on /dev/vdb."), "/dev/vdb") is None


def test_what_cannot_be_understood_is_an_error() -> None:
    with pytest.raises(IgnitionError, match="what mdadm says about /dev/vdb cannot be understood"):
        mdadm.parse(Ran(0, "MD_LEVEL=raid1\nMD_DEVICES=many\nMD_UUID=1\n"), "/dev/vdb")


def test_how_a_running_array_is_listed() -> None:
    assert mdadm.brief("data").argv == ("mdadm", "--detail", "--brief", "/dev/md/data")
    line = "ARRAY /dev/md/data metadata=1.2 spares=1 name=any:data UUID=1:2:3:4"
    assert mdadm.listed(Ran(0, f"{line}\n"), "data") == line


@pytest.mark.parametrize("answer", ["", "ARRAY /dev/md/data\n", "ARRAY a UUID=1\nARRAY b UUID=2\n"])
def test_what_does_not_list_one_array_is_an_error(answer: str) -> None:
    with pytest.raises(IgnitionError, match="array data cannot be understood"):
        mdadm.listed(Ran(0, answer), "data")
