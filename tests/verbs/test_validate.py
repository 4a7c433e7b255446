# SPDX-License-Identifier: Apache-2.0
"""`ignition validate`: files, output formats, exit status."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ignition.verbs import validate
from ignition.verbs.outputs import OUTPUTS
from ignition.verbs.validate import main
from tests.corpus import ALL

CLEAN = '{"ignition": {"version": "3.4.0"}}'
WARNS = '{"ignition": {"version": "3.4.0"},\n "storag": {}}'
WRONG = '{"ignition": {"version": "3.4.0"},\n "storage": {"files": [{"path": "é", "mode": "0644"}]}}'
SPOILT = '{"ignition": {"version": "3.4.0"},\n "storage": {"files": [{"path": "é"}], "é": 1}}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"clean": CLEAN, "warns": WARNS, "wrong": WRONG, "spoilt": SPOILT}.items():
        (tmp_path / f"{name}.ign").write_text(text)
    return tmp_path


Capture = pytest.CaptureFixture[str]


def test_text_output_shows_place_and_hint(folder: Path, capsys: Capture) -> None:
    assert main(["clean.ign", "warns.ign", "wrong.ign", "spoilt.ign"]) == 1
    assert capsys.readouterr() == (
        """\
warns.ign:2:2: warning: unused key storag [unused-key]
2 |  "storag": {}}
  |  ^~~~~~~~
  at $.storag
  hint: rename the key to `storage`

wrong.ign:2:52: error: $.storage.files.0.mode: expected an integer, found a string [wrong-type]
2 |  "storage": {"files": [{"path": "é", "mode": "0644"}]}}
  |                                              ^~~~~~
  hint: JSON numbers are decimal; for 0644 write 420

spoilt.ign:2:33: error: the path is not absolute [path-relative]
2 |  "storage": {"files": [{"path": "é"}], "é": 1}}
  |                                 ^~~
  at $.storage.files.0.path
  hint: write `/é`

spoilt.ign:2:40: warning: unused key é [unused-key]
2 |  "storage": {"files": [{"path": "é"}], "é": 1}}
  |                                        ^~~
  at $.storage.é

2 of 4 files valid; 2 errors, 2 warnings
""",
        "",
    )


@pytest.mark.parametrize(
    ("files", "summary"),
    [
        (["clean.ign"], "valid\n"),
        (["clean.ign", "clean.ign"], "2 files valid\n"),
        (["warns.ign"], "valid; 1 warning\n"),
    ],
)
def test_text_output_ends_with_summary(files: list[str], summary: str, folder: Path, capsys: Capture) -> None:
    assert main(files) == 0
    assert capsys.readouterr().out.endswith(summary)


def test_json_output_is_one_object_per_file(folder: Path, capsys: Capture) -> None:
    assert main(["--output", "json", "clean.ign", "spoilt.ign"]) == 1
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"file": "clean.ign", "valid": True, "version": "3.4.0", "entries": []},
        {
            "file": "spoilt.ign",
            "valid": False,
            "version": "3.4.0",
            "entries": [
                {
                    "severity": "error",
                    "path": "$.storage.files.0.path",
                    "line": 2,
                    "column": 33,
                    "code": "path-relative",
                    "message": "the path is not absolute",
                    "hint": "write `/é`",
                },
                {
                    "severity": "warning",
                    "path": "$.storage.é",
                    "line": 2,
                    "column": 41,
                    "code": "unused-key",
                    "message": "unused key é",
                    "hint": "",
                },
            ],
        },
    ]


@pytest.mark.parametrize(
    ("data", "entry"),
    [
        (b"", {"code": "empty", "path": "", "line": 0, "column": 0}),
        (b"{", {"code": "not-json", "path": "", "line": 0, "column": 0}),
        (b"{}", {"code": "spec-version", "path": "$.ignition.version", "line": 1, "column": 2}),
    ],
)
def test_json_output_has_zero_for_unknown_position(
    data: bytes, entry: dict[str, Any], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "x.ign").write_bytes(data)
    assert main(["--output", "json", str(tmp_path / "x.ign")]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["valid"], verdict["version"]) == (False, None)
    (only,) = verdict["entries"]
    assert only | entry == only


def test_github_output_is_escaped(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "a,b:c%d.ign"
    file.write_text('{"ignition": {"version": "3.4.0"}, "ä\\n::error::100%\\r": 1}')
    assert main(["--output", "github", str(file)]) == 0
    shown = str(file).replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
    place = r"$.ä\n::error::100%25\r"
    assert capsys.readouterr().out == (
        f"::warning file={shown},line=1,col=36,title=unused-key::{place}: unused key ä%0A::error::100%25%0D\n"
    )


def closed(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    """Return the schema of an object with these members and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
MESSAGE = closed({"text": TEXT})
LEVEL = {"enum": ["none", "note", "warning", "error"]}
COUNT = {"type": "integer", "minimum": 1}
RULE = closed(
    {
        "id": TEXT,
        "shortDescription": MESSAGE,
        "fullDescription": MESSAGE,
        "help": MESSAGE,
        "defaultConfiguration": closed({"level": LEVEL}),
    }
)
LOCATION = closed(
    {
        "physicalLocation": closed(
            {
                "artifactLocation": closed({"uri": TEXT}),
                "region": closed({"startLine": COUNT, "startColumn": COUNT}),
            },
            "region",
        ),
        "logicalLocations": {"type": "array", "items": closed({"fullyQualifiedName": TEXT})},
    },
    "logicalLocations",
)
RESULT = closed(
    {
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": MESSAGE,
        "locations": {"type": "array", "items": LOCATION},
    }
)
DRIVER = closed(
    {"name": TEXT, "version": TEXT, "rules": {"type": "array", "items": RULE, "uniqueItems": True}}
)
RUN = closed(
    {
        "tool": closed({"driver": DRIVER}),
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "results": {"type": "array", "items": RESULT},
    }
)
SARIF = closed({"$schema": TEXT, "version": {"const": "2.1.0"}, "runs": {"type": "array", "items": RUN}})
"""The part of SARIF 2.1.0 (sections 3.13 to 3.49) that the output uses."""


def test_sarif_output_follows_its_schema(tmp_path: Path, capsys: Capture) -> None:
    for number, data in enumerate(ALL.values()):
        (tmp_path / f"{number} é.ign").write_bytes(data)
    assert main(["--output", "sarif", str(tmp_path)]) == 1
    log = json.loads(capsys.readouterr().out)
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"file:///[\w./%-]+%20%C3%A9\.ign", uri)


def test_sarif_output_names_files_and_positions(folder: Path, capsys: Capture) -> None:
    assert main(["--output", "sarif", "spoilt.ign"]) == 1
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["path-relative", "unused-key"]
    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    assert run["results"][1]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "spoilt.ign"},
                "region": {"startLine": 2, "startColumn": 40},
            },
            "logicalLocations": [{"fullyQualifiedName": "$.storage.é"}],
        }
    ]


def test_warnings_are_exit_status_1_only_with_strict(folder: Path) -> None:
    assert main(["warns.ign"]) == 0
    assert main(["--strict", "warns.ign"]) == 1
    assert main(["--strict", "clean.ign"]) == 0


def files_in(output: str) -> list[str]:
    return [json.loads(line)["file"] for line in output.splitlines()]


def test_directory_is_searched_in_order_of_names(folder: Path, capsys: Capture) -> None:
    for name in ("d/b.ign", "d/a/z.json", "d/readme.txt", "d/.hidden/c.ign"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(CLEAN)
    assert main(["--output", "json", "clean.ign", "d"]) == 0
    assert files_in(capsys.readouterr().out) == ["clean.ign", "d/.hidden/c.ign", "d/a/z.json", "d/b.ign"]


def test_dash_reads_stdin(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WARNS.encode())))
    assert main(["-"]) == 0
    assert capsys.readouterr().out.startswith("<stdin>:2:2: warning")


def test_unreadable_file_is_invalid(folder: Path, capsys: Capture) -> None:
    assert main(["clean.ign", "absent.ign"]) == 1
    assert capsys.readouterr().out == (
        "absent.ign: error: cannot read the file: no such file or directory [unreadable]\n\n"
        "1 of 2 files valid; 1 error\n"
    )


def test_directory_without_configs_is_exit_status_2(tmp_path: Path, capsys: Capture) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr() == (
        "",
        f"ignition validate: cannot find configs in {tmp_path}: no *.ign and *.json files\n",
    )


@pytest.mark.parametrize("arguments", [[], ["--output", "yaml", "x"], ["--stric", "x"], ["--unknown", "x"]])
def test_wrong_command_line_is_exit_status_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: ignition validate")


@pytest.mark.parametrize("output", OUTPUTS)
def test_several_processes_print_the_same_as_one(
    output: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, data in enumerate(ALL.values()):
        (tmp_path / f"{number:03}.ign").write_bytes(data)
    arguments = ["--output", output, str(tmp_path), "-", str(tmp_path / "absent")]

    def run() -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WARNS.encode())))
        return main(arguments), capsys.readouterr().out

    alone = run()
    monkeypatch.setattr(validate, "MANY", 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert run() == alone
    assert alone[0] == 1


SECRETS = """{
  "ignition": {"version": "3.4.0", "config": {"merge": [{"source": "http://u:5ecr3t@h?sig=5ecr3t", "a": 1}]}},
  "passwd": {"users": [{"name": "core", "passwordHash": "$6$5ecr3t", "b": 2}]},
  "systemd": {"units": [{"name": "a", "contents": "[Service]\\nEnvironment=A=5ecr3t"}]},
  "storage": {
    "files": [{"path": "x", "contents": {
      "source": "data:,5ecr3t", "httpHeaders": [{"name": "A", "value": "5ecr3t", "c": 3}]}}],
    "luks": [{"name": "a/b", "keyFile": {"source": "data:;base64,5ecr3t%"}}]
  }
}"""


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("cut", [None, -2])
def test_output_holds_no_secret(output: str, cut: int | None, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "x.ign").write_text(SECRETS[:cut])
    assert main(["--output", output, str(tmp_path / "x.ign")]) == 1
    shown = capsys.readouterr().out
    assert "x.ign" in shown
    assert "5ecr3t" not in shown


def test_text_output_escapes_control_characters(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "x.ign").write_text('{"ignition": {"version": "3.4.0"}, "\\u001b[2J\\u202e": 1}')
    assert main([str(tmp_path / "x.ign")]) == 0
    assert capsys.readouterr().out.replace("\n", "").isprintable()
