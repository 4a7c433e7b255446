# SPDX-License-Identifier: Apache-2.0
"""`ignition schema` prints published schemas and checks documents against them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from ignition.schemas.catalogue import DOCUMENTS, names
from ignition.schemas.spec import STABLE, Spec
from ignition.verbs.schema import main

PUBLISHED = Path(__file__).parents[2] / "schemas" / "published"
Capture = pytest.CaptureFixture[str]

CONFIG = """{
  "ignition": {"version": "3.4.0"},
  "storage": {"files": [
    {"path": 5,
     "contnts": {}}
  ]}
}
"""
TIMING = '{"stage": "disks", "started": 1.5, "ended": 2}\n'


@pytest.mark.parametrize("spec", Spec, ids=str)
def test_version_argument_prints_config_schema(spec: Spec, capsys: Capture) -> None:
    assert main([spec.version]) == 0
    assert capsys.readouterr().out == (PUBLISHED / f"ignition-{spec}.json").read_text()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_name_prints_its_schema(name: str, capsys: Capture) -> None:
    assert main([name]) == 0
    assert capsys.readouterr().out == (PUBLISHED / f"{name}.json").read_text()


def test_no_argument_prints_newest_stable_version(capsys: Capture) -> None:
    assert main([]) == 0
    assert f'"title": "Ignition config, spec {STABLE}"' in capsys.readouterr().out
    assert "experimental" not in STABLE.version


def test_list_has_all_names_with_titles(capsys: Capture) -> None:
    assert main(["--list"]) == 0
    listed = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in listed] == list(names())
    assert all(title for _, title in listed)


@pytest.mark.parametrize(
    "arguments",
    [["3.8.0"], ["--check"], ["--as", "record"], ["record", "--list"], ["record", "--check", "x"],
     ["--check", "x", "--as", "nothing"], ["--list", "--check", "x"]],
)  # fmt: skip
def test_wrong_command_line_is_exit_status_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: ignition schema" in capsys.readouterr().err


def test_unknown_name_lists_the_known_ones(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["3.8.0"])
    assert "3.7.0-experimental" in capsys.readouterr().err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_prints_line_and_path_of_each_violation(folder: Path, capsys: Capture) -> None:
    (folder / "a.ign").write_text(CONFIG)
    assert main(["--check", "a.ign"]) == 1
    assert capsys.readouterr().out == (
        "a.ign:5: $.storage.files.0.contnts: unknown member\n"
        "a.ign:4: $.storage.files.0.path: expected string, found integer\n"
        "invalid: 2 violations of schema 3.4.0\n"
    )


def test_check_of_valid_document_is_exit_status_0(folder: Path, capsys: Capture) -> None:
    (folder / "a.ign").write_text('{"ignition": {"version": "3.2.0"}}')
    assert main(["--check", "a.ign"]) == 0
    assert capsys.readouterr().out == "valid: schema 3.2.0\n"


def test_check_reads_json_lines_one_by_one(folder: Path, capsys: Capture) -> None:
    (folder / "timing.jsonl").write_text(f'{TIMING}\n{TIMING}{{"stage": "", "started": 1, "ended": -1}}\n')
    for arguments in (["--check", "timing.jsonl"], ["--check", "timing.jsonl", "--as", "timing"]):
        assert main(arguments) == 1
        assert capsys.readouterr().out == (
            "timing.jsonl:4: $.ended: expected at least 0\n"
            "timing.jsonl:4: $.stage: expected a string of at least 1 character\n"
            "invalid: 2 violations of schema timing\n"
        )


def test_check_accepts_a_single_line_and_a_line_with_breaks(folder: Path) -> None:
    (folder / "one").write_text(TIMING)
    assert main(["--check", "one"]) == 0
    (folder / "one").write_text(json.dumps(json.loads(TIMING), indent=2))
    assert main(["--check", "one", "--as", "timing"]) == 0


def test_check_reads_stdin(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TIMING.encode())))
    assert main(["--check", "-"]) == 0
    assert capsys.readouterr().out == "valid: schema timing\n"


def test_check_of_unknown_shape_is_exit_status_2_and_hints_at_as(folder: Path, capsys: Capture) -> None:
    (folder / "x.json").write_text("{}")
    assert main(["--check", "x.json"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ignition schema: cannot find the schema of x.json: no schema matches\n")
    assert "hint: add --as NAME with one of 3.0.0, " in said
    assert main(["--check", "x.json", "--as", "plan"]) == 1


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b'{"a": 1,}', "1:9"),
        (b"", "0:0"),
        (b'{"a": 1,\n"b": NaN}', "2:6"),
        (b"{}\n{}\n{,}", "3:2"),
        (b"[" * 100_000, "1:10001"),
    ],
)
@pytest.mark.parametrize("name", [[], ["--as", "timing"]])
def test_check_of_malformed_json_names_the_place(
    data: bytes, place: str, name: list[str], folder: Path, capsys: Capture
) -> None:
    (folder / "x.json").write_bytes(data)
    assert main(["--check", "x.json", *name]) == 1
    assert capsys.readouterr() == ("", f"x.json:{place}: expected JSON\n")


def test_check_of_json_lines_against_another_schema_is_malformed(folder: Path, capsys: Capture) -> None:
    (folder / "x.json").write_text(TIMING * 2)
    assert main(["--check", "x.json", "--as", "plan"]) == 1
    assert capsys.readouterr().err == "x.json:2:1: expected JSON\n"


def test_check_of_missing_file_is_exit_status_1(folder: Path, capsys: Capture) -> None:
    assert main(["--check", "absent"]) == 1
    assert capsys.readouterr().err == "ignition schema: cannot read absent: no such file or directory\n"


def test_check_prints_no_terminal_escapes(folder: Path, capsys: Capture) -> None:
    (folder / "x.json").write_text(json.dumps({"ignition": {"version": "3.4.0"}, "\x1b[2J": 1}))
    assert main(["--check", "x.json"]) == 1
    assert "\x1b" not in capsys.readouterr().out
