"""Commands are values that keep their secrets."""

from __future__ import annotations

from ignition.host.command import Command, CommandFailed, Ran, Secret

COMMAND = Command(
    ("/usr/sbin/useradd", "--password", Secret("$6$salt$hash"), "core"), "why", stdin=b"passphrase"
)


def test_secrets_are_not_shown_anywhere() -> None:
    failure = CommandFailed(COMMAND, Ran(1, "", "no"))
    for text in (str(COMMAND), repr(COMMAND), str(failure), repr(failure), f"{COMMAND.argv[2]}"):
        assert "hash" not in text
        assert "passphrase" not in text


def test_the_program_gets_them() -> None:
    assert COMMAND.real_argv() == ["/usr/sbin/useradd", "--password", "$6$salt$hash", "core"]
    assert COMMAND.program == "useradd"


def test_a_failure_tells_the_end_of_what_the_program_said() -> None:
    failure = CommandFailed(Command(("x", "-y"), "why"), Ran(3, "out", "1\n2\n3\n4\n5\n6\n\n"))
    assert str(failure) == '"x" "-y": exit status 3: 2\n3\n4\n5\n6'
    assert str(CommandFailed(Command(("x",), "why"), Ran(3))).endswith("no error output")


def test_a_failure_hides_what_the_program_repeats_of_its_secrets() -> None:
    said = "useradd: invalid hash '$6$salt$hash' for core\nno key: passphrase\n"
    failure = CommandFailed(COMMAND, Ran(1, said, said))
    assert "invalid hash '***' for core" in str(failure)
    for text in (str(failure), failure.ran.stdout, failure.ran.stderr):
        assert "salt" not in text
        assert "passphrase" not in text


def test_a_secret_that_says_nothing_is_not_looked_for() -> None:
    command = Command(("usermod", "--password", Secret("*"), "core"), "why", stdin=b"\n")
    assert CommandFailed(command, Ran(1, "", "*** no ***\n")).ran.stderr == "*** no ***\n"


def test_a_line_stays_a_line_whatever_the_arguments_hold() -> None:
    """As Go quotes them; source: engine.md 10.2."""
    command = Command(("echo", 'a "b"\\', "two\nlines\x1b[0m", "ä"), "why")
    assert str(command) == '"echo" "a \\"b\\"\\\\" "two\\nlines\\x1b[0m" "ä"'
