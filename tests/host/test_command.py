# SPDX-License-Identifier: Apache-2.0
"""Commands: formatting, and redaction of secrets."""

from __future__ import annotations

from ignition.host.command import Command, CommandFailed, Ran, Secret

COMMAND = Command(
    ("/usr/sbin/useradd", "--password", Secret("$6$salt$hash"), "core"), "why", stdin=b"passphrase"
)


def test_secrets_are_hidden_in_every_format() -> None:
    failure = CommandFailed(COMMAND, Ran(1, "", "no"))
    for text in (str(COMMAND), repr(COMMAND), str(failure), repr(failure), f"{COMMAND.argv[2]}"):
        assert "hash" not in text
        assert "passphrase" not in text


def test_real_argv_contains_the_secrets() -> None:
    assert COMMAND.real_argv() == ["/usr/sbin/useradd", "--password", "$6$salt$hash", "core"]
    assert COMMAND.program == "useradd"


def test_failure_contains_the_last_lines_of_stderr() -> None:
    failure = CommandFailed(Command(("x", "-y"), "why"), Ran(3, "out", "1\n2\n3\n4\n5\n6\n\n"))
    assert str(failure) == '"x" "-y": exit status 3: 2\n3\n4\n5\n6'
    assert str(CommandFailed(Command(("x",), "why"), Ran(3))).endswith("no error output")


def test_failure_hides_secrets_in_program_output() -> None:
    said = "useradd: invalid hash '$6$salt$hash' for core\nno key: passphrase\n"
    failure = CommandFailed(COMMAND, Ran(1, said, said))
    assert "invalid hash '***' for core" in str(failure)
    for text in (str(failure), failure.ran.stdout, failure.ran.stderr):
        assert "salt" not in text
        assert "passphrase" not in text


def test_short_secret_is_not_redacted() -> None:
    command = Command(("usermod", "--password", Secret("*"), "core"), "why", stdin=b"\n")
    assert CommandFailed(command, Ran(1, "", "*** no ***\n")).ran.stderr == "*** no ***\n"


def test_command_line_escapes_unprintable_arguments() -> None:
    """Quoted like Go's %q; docs/reference/stages.md, "Logging"."""
    command = Command(("echo", 'a "b"\\', "two\nlines\x1b[0m", "ä"), "why")
    assert str(command) == '"echo" "a \\"b\\"\\\\" "two\\nlines\\x1b[0m" "ä"'
