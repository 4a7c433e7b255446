# SPDX-License-Identifier: Apache-2.0
"""`ignition plan`: its command line, its two outputs, its exit statuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ignition.config.json import cache
from ignition.config.parse import parse
from ignition.errors import Refusal
from ignition.platform import base_configs
from ignition.preview import DeviceAbsent, Does, Effect, StagePreview
from ignition.verbs import plan
from tests.lab.readonly import only_looking

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (made := tmp_path / "root").mkdir()
    (made / "motd").write_text("old")
    return made


def given(directory: Path, **sections: Any) -> str:
    (directory / "my.ign").write_text(json.dumps({"ignition": {"version": "3.4.0"}, **sections}))
    return str(directory / "my.ign")


def main(arguments: Sequence[str]) -> int:
    with only_looking():
        return plan.main(arguments)


FILES = {
    "files": [{"path": "/motd", "overwrite": True, "contents": {"source": "data:,n3w"}}, {"path": "/new"}]
}
CONFLICT = {"files": [{"path": "/motd", "contents": {"source": "data:,n3w"}}]}


def test_text_output_lists_effects_and_totals(tmp_path: Path, root: Path, capsys: Capture) -> None:
    assert main(["--config", given(tmp_path, storage=FILES), "--root", str(root)]) == 0
    assert capsys.readouterr().out == (
        "files:\n"
        "  change   file /motd (replaced)\n"
        "             lost: /motd (3 bytes)\n"
        "  create   file /new\n"
        "  create   the result file /etc/.ignition-result.json\n"
        "2 create, 1 change, 0 conflicts\n"
    )


def test_conflicts_are_printed_last_with_hints_and_status_1(
    tmp_path: Path, root: Path, capsys: Capture
) -> None:
    assert main(["--config", given(tmp_path, storage=CONFLICT), "--root", str(root)]) == 1
    assert capsys.readouterr().out == (
        "files:\n"
        "  create   the result file /etc/.ignition-result.json\n"
        "conflicts (provisioning would be refused):\n"
        "  $.storage.files.0: /motd exists with other contents\n"
        "    hint: set overwrite: true to replace it\n"
        "1 create, 1 conflict\n"
    )


def test_json_output_lists_objects_and_conflicts(tmp_path: Path, root: Path, capsys: Capture) -> None:
    arguments = ["--config", given(tmp_path, storage=CONFLICT), "--root", str(root), "--output", "json"]
    assert main(arguments) == 1
    assert json.loads(capsys.readouterr().out) == {
        "objects": [
            {
                "stage": "files",
                "path": "$",
                "does": "create",
                "what": "the result file /etc/.ignition-result.json",
                "detail": "",
                "lost": [],
            }
        ],
        "conflicts": [
            {
                "stage": "files",
                "path": "$.storage.files.0",
                "reason": "/motd exists with other contents",
                "hint": "set overwrite: true to replace it",
            }
        ],
    }


def test_missing_devices_list_existing_devices_once(tmp_path: Path) -> None:
    block = tmp_path / "sys/class/block/vdb"
    block.mkdir(parents=True)
    (block / "size").write_text("2097152\n")
    missing = [DeviceAbsent(("storage", "disks", index), f"/dev/{index} is not there") for index in (0, 1)]
    text = list(plan.in_text([StagePreview("disks", (), tuple(missing))], str(tmp_path)))
    assert text == [
        "conflicts (provisioning would be refused):",
        "  $.storage.disks.0: /dev/0 is not there",
        "  $.storage.disks.1: /dev/1 is not there",
        "existing devices:",
        "  /dev/vdb 1GiB",
        "2 conflicts",
    ]


def test_control_characters_are_escaped_on_output(tmp_path: Path, root: Path, capsys: Capture) -> None:
    storage = {"files": [{"path": "/\u001b[2J"}]}
    assert main(["--config", given(tmp_path, storage=storage), "--root", str(root)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_config_cache_is_default(
    tmp_path: Path, root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(given(tmp_path, storage=FILES)).read_bytes()
    (tmp_path / "cache").write_bytes(cache.dump(parse(data).config))
    monkeypatch.setattr(base_configs, "load", lambda platform, system: None)
    monkeypatch.setattr(plan, "STATE", str(tmp_path / "state"))
    assert main(["--config-cache", str(tmp_path / "cache"), "--root", str(root)]) == 0
    explicit = capsys.readouterr().out
    monkeypatch.setattr(plan, "CACHE", str(tmp_path / "cache"))
    assert main(["--root", str(root)]) == 0
    assert capsys.readouterr().out == explicit
    assert "create   file /new" in explicit


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", "ignition plan: "),
        (None, "my.ign: no such file or directory"),
        (
            '{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "a"}]}}',
            "$.storage.files.0.path",
        ),
    ],
)
def test_invalid_config_exits_1(tmp_path: Path, capsys: Capture, config: str | None, says: str) -> None:
    if config is not None:
        (tmp_path / "my.ign").write_text(config)
    assert plan.main(["--config", str(tmp_path / "my.ign")]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--output", "xml"], ["x"], ["--config", "a", "--config-cache", "b"], ["--config"]]
)
def test_usage_error_exits_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        plan.main(arguments)
    assert ended.value.code == 2
    capsys.readouterr()


def test_reason_of_several_lines_is_indented() -> None:
    outlook = StagePreview("x", (Effect((), Does.KEEP, "a"),), (Refusal((), "one\ntwo"),))
    assert list(plan.in_text([outlook]))[3:5] == ["  $: one", "    two"]
