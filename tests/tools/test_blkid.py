# SPDX-License-Identifier: Apache-2.0
"""blkid: command line and output. The samples are from blkid 2.38."""

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


def test_probe_command_line() -> None:
    command = blkid.probe("/dev/vdb1")
    assert command.argv == ("blkid", "-p", "-o", "udev", "/dev/vdb1")
    assert command.ok == (0, 2, 8)


def test_parse_unescapes_the_label() -> None:
    assert parse(EXT4) == Probe("ext4", 'my "l$b\\el ü', "92fa9330-663b-48a2-9bf4-2ad572953aa5")


def test_parse_of_no_signature_is_empty() -> None:
    assert parse(status=2) == Probe()


def test_parse_separates_table_from_filesystem() -> None:
    assert parse("ID_PART_TABLE_UUID=8a71e06a\nID_PART_TABLE_TYPE=gpt\n") == Probe(table="gpt")


def test_parse_of_several_signatures_is_ambivalent() -> None:
    stdout = "ID_FS_AMBIVALENT=filesystem:xfs filesystem:ext4:1.0\n"
    assert parse(stdout, "blkid: /dev/loop0: ambivalent result (…)\n", status=8) == Probe(is_ambivalent=True)


def test_parse_of_error_output_raises() -> None:
    with pytest.raises(CommandFailed, match="Input/output error"):
        parse("", "blkid: error: /dev/loop0: Input/output error\n", status=2)


@pytest.mark.real_commands("blkid", "mkfs.ext4")
@pytest.mark.parametrize("label", ["a \"b' $c", "é\\x20", "M-C^A"])
def test_real_blkid_probes_an_image(tmp_path: Path, label: str) -> None:
    image = tmp_path / "full"
    image.write_bytes(bytes(4 << 20))
    command = blkid.probe(str(image))
    assert blkid.parse(command, run(command)) == Probe()

    subprocess.run(["mkfs.ext4", "-q", "-L", label, image], check=True)
    found = blkid.parse(command, run(command))
    assert (found.format, found.label) == ("ext4", label)
