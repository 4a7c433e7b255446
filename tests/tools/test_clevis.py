"""clevis: the calls, and what its complaints mean."""

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
def test_calls(command: Command, argv: str) -> None:
    assert " ".join(command.real_argv()) == argv
    assert "correct-horse" not in f"{command} {command!r} {command.why}"
    assert dict(command.environment) == {"LC_ALL": "C", "RD_DEBUG": "no", "TMPDIR": "/run"}


@pytest.mark.parametrize(
    ("stderr", "hint"),
    [
        ("/usr/bin/clevis-encrypt-tang: line 82: curl: command not found", "comes with the package curl"),
        ("'own' is not a valid pin!", "the program clevis-encrypt-own is not here"),
        ("'tpm2' is not a valid pin!", "comes with the package clevis-tpm2"),
        ("A TPM2 device with the in-kernel resource manager is needed!", "the machine has no TPM 2"),
        ("Trusted JWK 'x' did not sign the advertisement!", "correct the thumbprint"),
        ("Something else", ""),
    ],
)
def test_hints(stderr: str, hint: str) -> None:
    assert hint in clevis.hint_for(stderr)
    assert bool(hint) == bool(clevis.hint_for(stderr))


def test_what_clevis_repeats_of_the_config_is_hidden() -> None:
    said = f"Unable to perform encryption with PIN 'sss' and config '{CONFIG}'"
    error = CommandFailed(clevis.encrypt("sss", CONFIG, why="w"), Ran(1, "x", said))
    assert str(error).endswith("status 1: Unable to perform encryption with PIN 'sss' and config '***'")
    assert "correct-horse" not in f"{error.ran!r}"
