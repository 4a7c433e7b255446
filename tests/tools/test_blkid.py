"""blkid: the call, and what its answers mean. The samples are blkid 2.38's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ignition.host.command import CommandFailed, Ran
from ignition.host.run import run
from ignition.tools import blkid
from ignition.tools.blkid import Probe

EXT4 = r"""ID_FS_LABEL=my_"l$b\el_ü
ID_FS_LABEL_ENC=my\x20\x22l\x24b\x5cel\x20ü
ID_FS_UUID=92fa9330-663b-48a2-9bf4-2ad572953aa5
ID_FS_UUID_ENC=92fa9330-663b-48a2-9bf4-2ad572953aa5
ID_FS_VERSION=1.0
ID_FS_BLOCK_SIZE=1024
ID_FS_TYPE=ext4
ID_FS_USAGE=filesystem
"""


def parse(stdout: str = "", stderr: str = "", status: int = 0) -> Probe:
    return blkid.parse(blkid.probe("/dev/loop0"), Ran(status, stdout, stderr))


def test_call() -> None:
    command = blkid.probe("/dev/vdb1")
    assert command.argv == ("blkid", "-p", "-o", "udev", "/dev/vdb1")
    assert command.ok == (0, 2, 8)


def test_a_filesystem_with_its_label_read_back_exactly() -> None:
    assert parse(EXT4) == Probe("ext4", 'my "l$b\\el ü', "92fa9330-663b-48a2-9bf4-2ad572953aa5")


def test_nothing() -> None:
    assert parse(status=2) == Probe()


def test_a_partition_table_is_no_filesystem() -> None:
    assert parse("ID_PART_TABLE_UUID=8a71e06a\nID_PART_TABLE_TYPE=gpt\n") == Probe(table="gpt")


def test_several_signatures() -> None:
    stdout = "ID_FS_AMBIVALENT=filesystem:xfs filesystem:ext4:1.0\n"
    assert parse(stdout, "blkid: /dev/loop0: ambivalent result (…)\n", status=8) == Probe(is_ambivalent=True)


def test_a_complaint_is_an_error_and_not_nothing() -> None:
    with pytest.raises(CommandFailed, match="Input/output error"):
        parse("", "blkid: error: /dev/loop0: Input/output error\n", status=2)


@pytest.mark.real_commands("blkid", "mkfs.ext4")
@pytest.mark.parametrize("label", ["a \"b' $c", "é\\x20", "M-C^A"])
def test_the_program_itself(tmp_path: Path, label: str) -> None:
    image = tmp_path / "full"
    image.write_bytes(bytes(4 << 20))
    command = blkid.probe(str(image))
    assert blkid.parse(command, run(command)) == Probe()

    subprocess.run(["mkfs.ext4", "-q", "-L", label, image], check=True)
    found = blkid.parse(command, run(command))
    assert (found.format, found.label) == ("ext4", label)
