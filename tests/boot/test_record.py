# SPDX-License-Identifier: Apache-2.0
"""The provisioning record: one whole line per action, also after a kill."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ignition import log
from ignition.boot import record
from ignition.boot.record import Record
from ignition.configpath import ConfigPath
from ignition.errors import ActionFailed, IgnitionError, Refusal, Refused
from ignition.host.command import Command, CommandFailed, Ran, Secret
from ignition.host.files.path_change import PathChange, PathState
from ignition.stages import act
from ignition.stages.actions import Parallel, RunCommand
from ignition.stages.files.crypttab import WriteKey
from tests.host.fakes import FakeHost

FILE = PathState("file", 0, 0, 0o644, 3, "sha256-aa")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "record.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@dataclass(frozen=True)
class Do:
    """An action that reports changes, or fails."""

    changes: tuple[PathChange, ...] = ()
    failure: Exception | None = None
    path: ConfigPath = ("storage", "files", 3)
    what: str = "doing it"
    sources: tuple[str, ...] = ()

    def describe(self) -> str:
        return self.what

    def perform(self, host: object) -> None:
        for change in self.changes:
            record.add_change(change)
        if self.failure:
            raise self.failure


def recorded(path: Path, *actions: Any) -> list[dict[str, Any]]:
    """Return the record lines of the actions of a stage that passes."""
    kept = Record(str(path))
    kept.begin("files")
    with record.writing(kept), record.step("nodes"):
        for action in actions:
            act(action, FakeHost(path.parent.parent / "host"))
    kept.end()
    kept.close()
    return lines(path)[1:-1]


def test_record_has_start_and_end_of_stage(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boot_id").write_text("the-boot\n")
    monkeypatch.setenv("IGNITION_BOOT_ID_PATH", str(tmp_path / "boot_id"))
    before = time.time()
    recorded(path)
    first, last = lines(path)
    assert (first["started"], first["boot"]) == ("files", "the-boot")
    assert (last["stage"], last["ended"]) == ("files", "passed")
    assert 0 <= last["seconds"] < 5
    moment = time.strptime(first["time"][:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z")
    assert before - 1 <= time.mktime(moment) - time.timezone <= time.time() + 1
    assert first["time"].endswith("Z")


def test_record_is_private(path: Path) -> None:
    recorded(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_record_of_second_try_is_appended(path: Path) -> None:
    recorded(path)
    recorded(path)
    assert [line.get("started") or line["ended"] for line in lines(path)] == ["files", "passed"] * 2


def test_entry_has_all_members_of_an_action(path: Path) -> None:
    change = PathChange("/etc/x", None, FILE)
    (line,) = recorded(path, Do((change,), sources=("https://example.com/x",)))
    assert {key: value for key, value in line.items() if key not in {"time", "seconds"}} == {
        "stage": "files",
        "step": "nodes",
        "action": "doing it",
        "config": "$.storage.files.3",
        "outcome": "done",
        "sources": ["https://example.com/x"],
        "changes": [
            {
                "path": "/etc/x",
                "before": None,
                "after": {
                    "kind": "file",
                    "uid": 0,
                    "gid": 0,
                    "mode": "0644",
                    "size": 3,
                    "digest": "sha256-aa",
                },
            }
        ],
    }


def test_entry_is_written_when_its_action_ends(path: Path) -> None:
    @dataclass(frozen=True)
    class Look(Do):
        def perform(self, host: object) -> None:
            assert [line["action"] for line in lines(path)[1:]] == ["doing it"]

    assert len(recorded(path, Do(), Look())) == 2


def test_entry_members_depend_on_kind_of_path(path: Path) -> None:
    (line,) = recorded(
        path,
        Do(
            (
                PathChange("/d", PathState("directory", 1, 2, 0o700), None),
                PathChange("/l", None, PathState("link", 0, 0, 0o777, target="a")),
                PathChange("/f", FILE._replace(digest="", unread="Input/output error"), FILE),
            )
        ),
    )
    directory, link, file = line["changes"]
    assert directory["before"] == {"kind": "directory", "uid": 1, "gid": 2, "mode": "0700"}
    assert directory["after"] is None
    assert link["after"] == {"kind": "link", "uid": 0, "gid": 0, "mode": "0777", "target": "a"}
    assert file["before"]["unread"] == "Input/output error"
    assert "digest" not in file["before"]


def test_changes_of_one_path_are_joined(path: Path) -> None:
    bare = FILE._replace(digest="", mode=0o600)
    (line,) = recorded(
        path,
        Do(
            (
                PathChange("/f", None, FILE),
                PathChange("/g", FILE, None),
                PathChange("/f", FILE._replace(digest=""), bare),
                PathChange("/gone", None, FILE),
                PathChange("/gone", FILE, None),
            )
        ),
    )
    assert [(each["path"], each["before"]) for each in line["changes"]] == [
        ("/f", None),
        ("/g", line["changes"][1]["before"]),
    ]
    assert line["changes"][0]["after"]["mode"] == "0600"
    assert line["changes"][0]["after"]["digest"] == "sha256-aa"


def test_entry_of_secret_action_has_no_digest(path: Path, tmp_path: Path) -> None:
    host = FakeHost(tmp_path / "host")
    host.root.listener = record.add_change
    kept = Record(str(path))
    kept.begin("files")
    with record.writing(kept):
        act(WriteKey((), "vault", "/etc/luks/vault", b"password"), host)
    kept.close()
    (change,) = (each for each in lines(path)[1]["changes"] if each["path"] == "/etc/luks/vault")
    assert change["after"] == {"kind": "file", "uid": 0, "gid": 0, "mode": "0600", "size": 8}


def test_entry_of_failed_action_has_the_message(path: Path) -> None:
    with pytest.raises(ActionFailed):
        recorded(
            path, Do((PathChange("/f", None, FILE),), failure=OSError(28, "No space left on device", "/f"))
        )
    (line,) = lines(path)[1:]
    assert line["outcome"] == "failed"
    assert line["error"] == "OSError"
    assert "no space left" in line["message"]
    assert line["changes"][0]["path"] == "/f"


def test_entry_of_internal_error_has_no_message(path: Path) -> None:
    with pytest.raises(ValueError, match="contents"):
        recorded(path, Do(failure=ValueError("contents of the config")))
    (line,) = lines(path)[1:]
    assert line["error"] == "ValueError"
    assert "contents" not in path.read_text()


@pytest.mark.parametrize(
    ("error", "config", "said"),
    [
        (None, None, {"ended": "passed"}),
        (
            Refused([Refusal(("storage", "files", 0), "it is there")]),
            ("storage", "files", 0),
            {"ended": "failed", "error": "Refused", "config": "$.storage.files.0"},
        ),
        (ValueError("secret"), None, {"ended": "failed", "error": "ValueError"}),
    ],
)
def test_last_line_has_outcome_of_stage(
    path: Path, error: Exception | None, config: ConfigPath | None, said: dict[str, str]
) -> None:
    kept = Record(str(path))
    kept.begin("files")
    kept.end(error, config)
    kept.close()
    last = lines(path)[-1]
    assert {key: last[key] for key in said} == said
    assert "secret" not in path.read_text()


def test_failure_names_the_innermost_error(path: Path) -> None:
    command = Command(("useradd", "core"), "creating a user")
    outer = ActionFailed("creating a user", "…")
    outer.__cause__ = CommandFailed(command, Ran(9, "", "no"))
    kept = Record(str(path))
    kept.begin("files")
    kept.end(outer)
    kept.close()
    assert lines(path)[-1]["error"] == "CommandFailed"


def test_entry_lists_programs_without_secrets(path: Path, tmp_path: Path) -> None:
    host = FakeHost(tmp_path / "host")
    host.run.answer("false", status=3)
    run = record.watched(host.run)
    object.__setattr__(host, "run", run)
    command = Command(("useradd", "-p", Secret("$6$hash"), "core"), "creating user core", stdin=b"typed")
    kept = Record(str(path))
    kept.begin("files")
    with record.writing(kept):
        act(RunCommand((), command), host)
        act(RunCommand((), Command(("false",), "failing", ok=(0, 3))), host)
        with pytest.raises(ActionFailed):
            act(RunCommand((), Command(("false", "x"), "failing")), host)
        run(Command(("blkid",), "only looking"))
    kept.close()
    assert [line["commands"] for line in lines(path)[1:]] == [
        [{"argv": ["useradd", "-p", "***", "core"], "status": 0}],
        [{"argv": ["false"], "status": 3}],
        [{"argv": ["false", "x"], "status": 3}],
    ]
    assert "hash" not in path.read_text()
    assert "typed" not in path.read_text()


def test_entries_of_parallel_actions_are_separate(path: Path) -> None:
    many = [Do((PathChange(f"/{number}", None, FILE),), what=f"doing {number}") for number in range(30)]
    told = recorded(path, Parallel((), "doing all", tuple(many)))
    assert {line["action"]: [each["path"] for each in line["changes"]] for line in told[:-1]} == {
        f"doing {number}": [f"/{number}"] for number in range(30)
    }
    assert told[-1]["action"] == "doing all"
    assert "changes" not in told[-1]


def test_entry_without_record_writes_nothing(path: Path, tmp_path: Path) -> None:
    act(Do((PathChange("/f", None, FILE),)), FakeHost(tmp_path / "host"))
    assert not path.exists()
    assert record.current() is None


@given(st.text(), st.text(), st.integers(0, 2**32 - 2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_entry_with_any_names_is_valid_json(path: Path, name: str, text: str, uid: int) -> None:
    path.unlink(missing_ok=True)
    name = "/" + name.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    link = PathState("link", uid, 0, 0o777, target=text + "\udcff")
    (line,) = recorded(path, Do((PathChange(name, None, link),), what=text, sources=(name,)))
    assert line["action"] == text
    assert line["sources"] == [line["changes"][0]["path"]] == [name]
    assert line["changes"][0]["after"]["target"] == text + "\udcff"
    assert line["changes"][0]["after"]["uid"] == uid


def test_record_after_kill_has_whole_lines(path: Path) -> None:
    child = os.fork()
    if not child:
        try:
            kept = Record(str(path))
            kept.begin("files")
            while True:
                kept.write({"text": "x" * 300})
        finally:
            os._exit(0)
    while not path.exists() or path.stat().st_size < 100_000:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(lines(path)) > 100


@pytest.mark.parametrize("rest", ["", "{", '{"time":"…","sta', "x" * (3 << 16)])
@pytest.mark.parametrize("earlier", [[], ["disks"], ["kargs", "disks"]])
def test_incomplete_last_line_is_removed(path: Path, earlier: list[str], rest: str) -> None:
    path.parent.mkdir()
    path.write_text("".join(f'{{"started":"{stage}"}}\n' for stage in earlier) + rest)
    kept = Record(str(path))
    kept.begin("files")
    kept.close()
    assert [line["started"] for line in lines(path)] == [*earlier, "files"]


def test_line_on_full_disk_is_not_written_partly(path: Path) -> None:
    kept = Record(str(path))
    kept.begin("files")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 150, limits[1]))
    try:
        for text in ("one", "x" * 300, "y"):
            kept.write({"text": text})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    kept.close()
    assert [line.get("text") for line in lines(path)] == [None, "one"]


def test_full_target_keeps_record_of_running_system(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    kept = Record(str(path))
    kept.begin("files")
    kept.keep("/var/log/x", os.open("/dev/full", os.O_WRONLY))
    assert kept.is_kept
    kept.write({"text": "one"})
    kept.end()
    kept.close()
    assert [line.get("text") for line in lines(path)] == [None, "one", None]
    said = capsys.readouterr().out
    assert said.count("the record /var/log/x of the target root is incomplete") == 1


@pytest.mark.parametrize("trouble", ["no directory", "full"])
def test_unwritable_record_does_not_fail_stage(
    tmp_path: Path, trouble: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.setup(to_stdout=True)
    place = tmp_path / "record.jsonl"
    if trouble == "full":
        place = Path("/dev/full")
    else:
        (tmp_path / "file").touch()
        place = tmp_path / "file" / "record.jsonl"
    kept = Record(str(place))
    kept.begin("files")
    with record.writing(kept):
        for _ in range(3):
            act(Do(), FakeHost(tmp_path / "host"))
    kept.end(IgnitionError("x"))
    kept.close()
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("NOTICE")] == [
        "NOTICE   : the record /dev/full is incomplete: cannot write it: no space left on device"
        if trouble == "full"
        else f"NOTICE   : cannot write the record {place}: file exists"
    ]
