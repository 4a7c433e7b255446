# SPDX-License-Identifier: Apache-2.0
"""`ignition-validate` matches the reference: streams, lines, exit status."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ignition.config.excerpt import Text
from ignition.verbs.ignition_validate import USAGE, main
from ignition.version import VERSION
from tests.corpus import ALL

PROGRAM = Path(sys.executable).with_name("ignition-validate")
REFERENCE = "/usr/bin/ignition-validate"
PLACE = re.compile(r"^((?:error|warning|info)(?: at (?:\$\S*, )?line \d+ col \d+)?): .+$")

DOCUMENTS = {
    "clean": b'{"ignition": {"version": "3.3.0"}}',
    "warning": b'{"ignition": {"version": "3.3.0"}, "storag": {}}',
    "error": b'{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "a"}, {"path": "/b/"}]}}',
    "both": b'{"ignition": {"version": "3.3.0"},\n "storage": {"files": [{"path": "a", "mod": 1}]}}',
    "not-json": b'{"ignition": {"version": "3.3.0"},}',
    "cut": b'{"ignition": {"version": "3.3.0"',
    "wrong-type": b'{"ignition": {"version": "3.3.0"}, "storage": {"files": {}}}',
    "empty": b"",
    "versionless": b"{}",
    "future": b'{"ignition": {"version": "3.99.0"}}',
    "list": b"[]",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in DOCUMENTS.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "directory").mkdir()
    return tmp_path


def lines(text: str) -> list[str]:
    """Return the parts of each line that match the reference: severity, path and position."""
    return [match[1] if (match := PLACE.match(line)) else line for line in text.splitlines()]


def start(text: str) -> str:
    """Return the start of the first line; the rest differs from the reference."""
    return re.split("[:\n]", text)[0]


@pytest.mark.real_commands("ignition-validate")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_output_matches_reference(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    theirs = subprocess.run([REFERENCE, name], capture_output=True, text=True, check=False)
    status = main([name])
    ours = capsys.readouterr()
    assert status == theirs.returncode
    assert lines(ours.out) == lines(theirs.stdout)
    assert ours.err.count("\n") == theirs.stderr.count("\n")
    assert start(ours.err) == start(theirs.stderr)


@pytest.mark.real_commands("ignition-validate")
@pytest.mark.parametrize(
    "arguments",
    [
        [], ["clean", "warning"], ["-x", "clean"], ["--x"], ["-h"], ["--help"], ["-version"], ["--version"],
        ["-version", "clean", "warning"], ["-version=false", "clean"], ["-version=x"], ["-version", "-x"],
        ["clean", "-version"], ["--", "clean"], ["absent"], ["directory"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_command_line_matches_reference(
    arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    theirs = subprocess.run([REFERENCE, *arguments], capture_output=True, text=True, check=False)
    status = main(arguments)
    ours = capsys.readouterr()
    assert status == theirs.returncode
    assert ours.out.count("\n") == theirs.stdout.count("\n")
    assert ours.err.count("\n") == theirs.stderr.count("\n")
    assert start(ours.err) == start(theirs.stderr)


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-version"]) == 0
    assert capsys.readouterr() == (f"Ignition {VERSION}\n", "")


def test_help_is_exit_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == 0
    assert capsys.readouterr() == ("", USAGE)


def stdin(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_dash_reads_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(DOCUMENTS["warning"], monkeypatch)
    assert main(["-"]) == 0
    assert capsys.readouterr() == ("warning at $.storag, line 1 col 36: unused key storag\n", "")


def test_percent_sign_in_key_is_printed_unchanged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(b'{"ignition": {"version": "3.3.0"}, "a%b%s%%": 1}', monkeypatch)
    assert main(["-"]) == 0
    assert capsys.readouterr().out == "warning at $.a%b%s%%, line 1 col 36: unused key a%b%s%%\n"


@pytest.mark.real_commands("ignition-validate")
@pytest.mark.parametrize("locale", ["C", "POSIX", "de_DE.ISO-8859-1"])
def test_c_locale_prints_any_key(locale: str, tmp_path: Path) -> None:
    (tmp_path / "x.ign").write_bytes('{"ignition": {"version": "3.3.0"}, "schlüssel→": 1}'.encode())
    ran = subprocess.run(
        [PROGRAM, tmp_path / "x.ign"],
        env={"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout == "warning at $.schlüssel→, line 1 col 36: unused key schlüssel→\n".encode()


@pytest.mark.real_commands("ignition-validate")
def test_closed_stdout_prints_no_traceback(tmp_path: Path) -> None:
    keys = ", ".join(f'"key{number}": 1' for number in range(10_000))
    (tmp_path / "x.ign").write_text(f'{{"ignition": {{"version": "3.3.0"}}, {keys}}}')
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run([PROGRAM, tmp_path / "x.ign"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, b"")


@pytest.mark.real_commands("python")
def test_validation_does_not_import_heavy_modules(tmp_path: Path) -> None:
    (tmp_path / "x.ign").write_bytes(DOCUMENTS["clean"])
    script = (
        "import sys; from ignition.verbs.ignition_validate import main; main(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "x.ign"], capture_output=True, text=True, check=True
    )
    heavy = {
        "argparse",
        "asyncio",
        "difflib",
        "jsonschema",
        "logging",
        "requests",
        "socket",
        "ssl",
        "tomllib",
    }
    assert not heavy & set(ran.stdout.split())


@pytest.mark.parametrize("name", ALL)
def test_positions_are_inside_the_text(name: str) -> None:
    from ignition.config.parse import check

    text = Text(ALL[name])
    for entry in check(ALL[name]).report:
        if entry.position is not None:
            assert 0 <= text.character(entry.position) <= entry.position.column
