# SPDX-License-Identifier: Apache-2.0
"""clevis: command lines, and hints for its error messages."""

from __future__ import annotations

import pytest

from ignition.host.command import Command, CommandFailed, Ran
from ignition.tools import clevis

CONFIG = '{"t":1,"password":"correct-horse"}'


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        (clevis.encrypt("sss", CONFIG, why="w"), f"clevis encrypt sss {CONFIG}"),
        (
            clevis.bind("/a/vdb", "sss", CONFIG, "/key", name="v"),
            f"clevis luks bind -f -k /key -d /a/vdb sss {CONFIG}",
        ),
        (clevis.unlock_slot("/a/vdb", 3, name="v"), "clevis luks unlock -d /a/vdb -t 3"),
        (clevis.unlock("/a/vdb", "v"), "clevis luks unlock -d /a/vdb -n v"),
    ],
)
def test_command_lines_hide_the_pin_config(command: Command, argv: str) -> None:
    assert " ".join(command.real_argv()) == argv
    assert "correct-horse" not in f"{command} {command!r} {command.why}"
    assert dict(command.environment) == {"LC_ALL": "C", "RD_DEBUG": "no", "TMPDIR": "/run"}


@pytest.mark.parametrize(
    ("stderr", "hint"),
    [
        (
            "/usr/bin/clevis-encrypt-tang: line 82: curl: command not found",
            'add the program "curl" (package curl) to the initramfs',
        ),
        ("'own' is not a valid pin!", 'add the program "clevis-encrypt-own" to the initramfs'),
        ("'tpm2' is not a valid pin!", "(package clevis-tpm2)"),
        ("A TPM2 device with the in-kernel resource manager is needed!", "add a TPM 2"),
        ("Trusted JWK 'x' did not sign the advertisement!", "correct the thumbprint"),
        ("Something else", ""),
    ],
)
def test_hint_for_error_messages(stderr: str, hint: str) -> None:
    assert hint in clevis.hint_for(stderr)
    assert bool(hint) == bool(clevis.hint_for(stderr))


def test_failure_hides_the_pin_config() -> None:
    said = f"Unable to perform encryption with PIN 'sss' and config '{CONFIG}'"
    error = CommandFailed(clevis.encrypt("sss", CONFIG, why="w"), Ran(1, "x", said))
    assert str(error).endswith("status 1: Unable to perform encryption with PIN 'sss' and config '***'")
    assert "correct-horse" not in f"{error.ran!r}"
