# SPDX-License-Identifier: Apache-2.0
"""cryptsetup: command lines, metadata, and real volumes in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.host.command import Command
from ignition.host.run import run
from ignition.tools import cryptsetup
from ignition.tools.cryptsetup import Metadata

QUICK = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
UUID = "0c9e2f4a-5b7d-4a52-9e86-3d1f60a7b2c4"


def test_format_command_line() -> None:
    command = cryptsetup.format_luks2(
        "/a/vdb", b"key", label="L", uuid="U", options=["--cipher", "x"], shown_as="/dev/vdb"
    )
    assert " ".join(command.real_argv()) == (
        "cryptsetup luksFormat --type luks2 --key-file - --label L --uuid U --cipher x /a/vdb"
    )
    assert (command.stdin, command.why) == (b"key", "creating a LUKS volume on /dev/vdb")


def test_open_command_line() -> None:
    command = cryptsetup.open_volume("/a/vdb", "data", b"key", discard=True, options=["--perf-x"])
    assert " ".join(command.real_argv()) == (
        "cryptsetup luksOpen /a/vdb data --key-file - --persistent --allow-discards --perf-x"
    )
    assert command.stdin == b"key"
    assert "--allow-discards" not in cryptsetup.open_volume("/a/vdb", "data", b"key").argv


def test_command_hides_the_key() -> None:
    command = cryptsetup.format_luks2("/dev/vdb", b"correct-horse")
    assert "correct-horse" not in f"{command} {command!r} {command.why}"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"config": []}'])
def test_parse_metadata_of_invalid_output_raises(text: str) -> None:
    with pytest.raises(IgnitionError, match="cannot parse the metadata"):
        cryptsetup.parse_metadata(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"config": {"flags": ["allow-discards"]}}', Metadata(flags=frozenset({"allow-discards"}))),
        ('{"config": {"json_size": "12288"}, "keyslots": {"0": {}}}', Metadata()),
        ('{"config": {}, "keyslots": {}}', Metadata(is_void=True)),
        (
            (
                '{"config": {}, "tokens": {"10": {"type": "clevis", "keyslots": ["3"]},'
                ' "2": {"type": "clevis", "keyslots": ["1"]}, "0": {"type": "other", "keyslots": ["0"]}}}'
            ),
            Metadata(bindings=(1, 3)),
        ),
    ],
)
def test_parse_metadata_table(text: str, expected: Metadata) -> None:
    assert cryptsetup.parse_metadata(text) == expected


@pytest.fixture
def device(tmp_path: Path) -> str:
    file = tmp_path / "volume"
    with file.open("wb") as made:
        made.truncate(32 << 20)
    return str(file)


@pytest.mark.real_commands("cryptsetup")
def test_real_volume_is_created_and_unlocked(device: str) -> None:
    """The key may contain newlines and NUL bytes."""
    key = b"two\nlines\0"
    run(cryptsetup.format_luks2(device, key, label="L", uuid=UUID, options=QUICK))
    assert run(cryptsetup.is_luks2(device)).status == 0
    assert run(cryptsetup.uuid(device)).stdout == f"{UUID}\n"
    assert cryptsetup.parse_metadata(run(cryptsetup.metadata(device)).stdout) == Metadata()
    assert run(cryptsetup.try_key(device, "data", key)).status == 0


@pytest.mark.real_commands("cryptsetup")
def test_wrong_key_has_its_own_exit_status(device: str) -> None:
    from ignition.host.command import CommandFailed

    run(cryptsetup.format_luks2(device, b"two\nlines", options=QUICK))
    with pytest.raises(CommandFailed) as caught:
        run(cryptsetup.try_key(device, "data", b"two"))
    assert caught.value.ran.status == cryptsetup.WRONG_KEY


@pytest.mark.real_commands("cryptsetup")
def test_is_luks2_rejects_luks1(device: str) -> None:
    assert run(cryptsetup.is_luks2(device)).status == 1
    made = cryptsetup.format_luks2(device, b"key", options=("--pbkdf-force-iterations", "1000"))
    old = tuple("luks1" if word == "luks2" else word for word in made.argv)
    run(type(made)(old, made.why, stdin=made.stdin))
    assert run(Command(("cryptsetup", "isLuks", device), "")).status == 0
    assert run(cryptsetup.is_luks2(device)).status == 1
