# SPDX-License-Identifier: Apache-2.0
"""`ignition resolve` prints the config that a machine would apply, and the tree of its documents."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ignition.verbs.resolve import main
from tests.lab.server import Answer, HttpServer

Capture = pytest.CaptureFixture[str]


def config(version: str = "3.4.0", **parts: Any) -> bytes:
    references = {"config": parts.pop("config")} if "config" in parts else {}
    return json.dumps({"ignition": {"version": version, **references}, **parts}).encode()


def merging(*references: dict[str, Any]) -> dict[str, Any]:
    return {"merge": list(references)}


def sha256(data: bytes) -> str:
    return f"sha256-{hashlib.sha256(data).hexdigest()}"


FILE = {"files": [{"path": "/a", "mode": 420}]}
LINK = {"links": [{"path": "/l", "target": "/a"}]}


def given(folder: Path, data: bytes) -> str:
    (folder / "user.ign").write_bytes(data)
    return str(folder / "user.ign")


def test_references_are_merged_and_printed_as_tree(
    tmp_path: Path, server: HttpServer, capsys: Capture
) -> None:
    grandchild = config("3.0.0", storage=LINK)
    child = config("3.2.0", storage=FILE, config=merging({"source": server.url("/grandchild.ign")}))
    server.answer("/grandchild.ign", Answer(grandchild))
    server.answer("/child.ign", Answer(child))
    secret = server.url("/child.ign").replace("http://", "http://user:5ecr3t@")
    user = config(
        config=merging(
            {"source": secret, "verification": {"hash": sha256(child)}},
            {"source": "data:;base64,eyJpZ25pdGlvbiI6eyJ2ZXJzaW9uIjoiMy4zLjAifX0="},
        ),
        passwd={"users": [{"name": "core"}]},
    )
    file = given(tmp_path, user)
    assert main([file]) == 0
    shown = capsys.readouterr()
    host = server.url("")
    assert shown.err == (
        f"""\
{file}: spec 3.4.0, {sha256(user)}
├── $.ignition.config.merge.0: {secret.replace("5ecr3t", "***")}
│   spec 3.2.0, {sha256(child)}, verified
│   └── $.ignition.config.merge.0: {host}/grandchild.ign
│       spec 3.0.0, {sha256(grandchild)}
└── $.ignition.config.merge.1: data:…
    spec 3.3.0, {sha256(config("3.3.0").replace(b" ", b""))}
"""
    )
    final = json.loads(shown.out)
    assert final["ignition"]["version"] == "3.7.0-experimental"
    assert final["storage"] == FILE | LINK
    assert final["passwd"] == {"users": [{"name": "core"}]}


def test_warnings_are_printed_below_their_document(
    tmp_path: Path, server: HttpServer, capsys: Capture
) -> None:
    server.answer("/child.ign", Answer(config("3.2.0", storag={})))
    assert main([given(tmp_path, config(config=merging({"source": server.url("/child.ign")})))]) == 0
    assert capsys.readouterr().err.endswith("\n    warning at $.storag, line 1 col 36: unused key storag\n")


def test_hash_mismatch_is_an_error(tmp_path: Path, server: HttpServer, capsys: Capture) -> None:
    server.answer("/child.ign", Answer(config()))
    reference = {"source": server.url("/child.ign"), "verification": {"hash": sha256(b"another")}}
    assert main([given(tmp_path, config(config=merging(reference)))]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "($.ignition.config.merge.0)" in shown.err


def test_offline_names_reference_that_needs_network(
    tmp_path: Path, server: HttpServer, capsys: Capture
) -> None:
    file = given(tmp_path, config(config={"replace": {"source": server.url("/child.ign")}}))
    assert main(["--offline", file]) == 1
    assert capsys.readouterr().err == (
        f"ignition resolve: {server.url('/child.ign')} needs the network ($.ignition.config.replace)\n"
    )
    assert server.requests == []


def test_conflict_of_configs_is_an_error(tmp_path: Path, server: HttpServer, capsys: Capture) -> None:
    server.answer("/c", Answer(config(storage={"files": [{"path": "/a", "user": {"name": "core"}}]})))
    user = config(
        config=merging({"source": server.url("/c")}), storage={"files": [{"path": "/a", "user": {"id": 1}}]}
    )
    assert main([given(tmp_path, user)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "\n  error at $.storage.files.0.user: " in shown.err


def test_invalid_config_is_reported_with_positions(tmp_path: Path, capsys: Capture) -> None:
    assert main([given(tmp_path, config(storage={"files": [{"path": "a"}]}))]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "\n  error at $.storage.files.0.path, line 1 col 67: " in shown.err


def test_root_merges_over_base_configs(tmp_path: Path, capsys: Capture) -> None:
    for folder, path in (("base.d", "/base"), ("base.platform.d/qemu", "/qemu")):
        directory = tmp_path / "usr/lib/ignition" / folder
        directory.mkdir(parents=True)
        (directory / "10.ign").write_bytes(config(storage={"files": [{"path": path}]}))
    file = given(tmp_path, config(storage=FILE))

    def paths(*arguments: str) -> list[str]:
        assert main([*arguments, file]) == 0
        return [one["path"] for one in json.loads(capsys.readouterr().out)["storage"]["files"]]

    root = str(tmp_path)
    assert paths() == ["/a"]
    assert paths("--root", root) == ["/base", "/a"]
    assert paths("--root", root, "--platform", "qemu") == ["/base", "/qemu", "/a"]


def test_dash_reads_stdin(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(config(storage=FILE))))
    assert main(["-"]) == 0
    assert json.loads(capsys.readouterr().out)["storage"] == FILE


def test_missing_file_is_exit_status_1(tmp_path: Path, capsys: Capture) -> None:
    assert main([str(tmp_path / "absent")]) == 1
    expected = f"ignition resolve: cannot read {tmp_path}/absent: no such file or directory\n"
    assert capsys.readouterr() == ("", expected)


def test_platform_without_root_is_exit_status_2(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--platform", "qemu", "x.ign"])
    assert ended.value.code == 2
