# SPDX-License-Identifier: Apache-2.0
"""zkey: command lines."""

from __future__ import annotations

from ignition.tools import zkey


def test_generate_command_line() -> None:
    command = zkey.generate("ignition-luks-data", "data", ("00.0001", "02.0003"))
    assert command.argv == (
        *("zkey", "generate", "--name", "ignition-luks-data", "--key-type", "CCA-AESCIPHER", "--xts"),
        *("--description", "Secure Key for data Volume", "--apqns", "00.0001,02.0003"),
    )
    assert command.why == "generating the CEX key of LUKS volume data"


def test_set_pattern_command_line() -> None:
    command = zkey.set_pattern("/a/vdb", "data", "/etc/luks/cex.key")
    assert command.argv == ("zkey-cryptsetup", "setvp", "/a/vdb", "--key-file", "/etc/luks/cex.key")
