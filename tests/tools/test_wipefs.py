# SPDX-License-Identifier: Apache-2.0
"""wipefs: command lines, and the list of signatures."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.host.command import CommandFailed
from ignition.host.run import run
from ignition.tools import wipefs
from ignition.tools.wipefs import Signature


def test_command_lines() -> None:
    show = wipefs.show(["/dev/vdb1", "/dev/vdb2"])
    assert show.argv == (
        "wipefs",
        "--json",
        "--output",
        "DEVICE,TYPE,USAGE,UUID,LABEL",
        "/dev/vdb1",
        "/dev/vdb2",
    )
    erase = wipefs.erase(["/a/vdb1", "/a/vdb2"], shown_as=["/dev/vdb1", "/dev/vdb2"])
    assert erase.argv == ("wipefs", "--all", "/a/vdb1", "/a/vdb2")
    assert erase.why == "wiping all signatures of /dev/vdb1, /dev/vdb2"


@pytest.mark.parametrize("text", ["", '{"signatures": []}'])
def test_parse_without_signatures(text: str) -> None:
    assert wipefs.parse(text, ["/dev/a", "/dev/b"]) == {"/dev/a": (), "/dev/b": ()}


OTHER = (
    '{"signatures": [{"device": "c", "type": "ext4", "usage": "filesystem", "uuid": null, "label": null}]}'
)


@pytest.mark.parametrize("text", ["{", "{}", '{"signatures": [{"type": "ext4"}]}', "[1]", OTHER])
def test_parse_of_invalid_output_raises(text: str) -> None:
    with pytest.raises(IgnitionError, match="cannot parse the list that wipefs printed"):
        wipefs.parse(text, ["/dev/a"])


def test_parse_assigns_signatures_to_devices() -> None:
    text = """{"signatures": [
      {"device": "vdb", "type": "gpt", "usage": "partition-table", "uuid": null, "label": null},
      {"device": "vdc", "type": "ext4", "usage": "filesystem", "uuid": "u", "label": "l"}]}"""
    assert wipefs.parse(text, ["/dev/vda", "/dev/vdb", "/dev/vdc"]) == {
        "/dev/vda": (),
        "/dev/vdb": (Signature("gpt", is_table=True),),
        "/dev/vdc": (Signature("ext4", "l", "u"),),
    }


@pytest.mark.real_commands("wipefs", "mkfs.ext4", "mkfs.xfs")
def test_real_wipefs_lists_signatures_in_libblkid_order(tmp_path: Path) -> None:
    first, empty, second = (str(tmp_path / name) for name in ("first", "empty", "second"))
    for image in (first, empty, second):
        Path(image).touch()
        os.truncate(image, 320 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-L", "é \\x", first], check=True)
    subprocess.run(["mkfs.xfs", "-q", second], check=True)
    with open(first, "r+b") as file, open(second, "rb") as other:
        file.write(other.read(512))
    nodes = [empty, first, second]
    listed = wipefs.parse(run(wipefs.show(nodes)).stdout, nodes)
    assert [[each.format for each in listed[node]] for node in nodes] == [[], ["xfs", "ext4"], ["xfs"]]
    assert listed[first][1].label == "é \\x"

    run(wipefs.erase([first, second], shown_as=["it"]))
    assert wipefs.parse(run(wipefs.show(nodes)).stdout, nodes) == dict.fromkeys(nodes, ())


@pytest.mark.real_commands("wipefs")
def test_missing_device_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="No such file"):
        run(wipefs.show([str(tmp_path / "missing")]))
