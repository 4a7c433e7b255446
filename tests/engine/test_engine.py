# SPDX-License-Identifier: Apache-2.0
"""A stage from start to end, as the units start it: `ignition --stage=… --platform=file …`."""

from __future__ import annotations

import base64
import errno
import json
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ignition import cli
from ignition.boot import state
from ignition.boot.state import FetchedConfig, State
from ignition.errors import FetchError
from ignition.host import Host
from ignition.host.source import Source
from ignition.platform.provider import ProviderContext
from ignition.providers import file as file_provider
from ignition.resource import Credentials, Fetcher
from ignition.stages import persist
from ignition.stages.files.tree.actions import PlaceFile
from ignition.stages.kargs import SetKernelArguments
from ignition.verbs import stage as verb
from tests.lab.programs import Programs
from tests.lab.server import Answer, HttpServer

MINIMAL = {"ignition": {"version": "3.4.0"}}


class Machine:
    """The directories of a machine, and methods that run the engine on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "sysroot"
        self.run = directory / "run" / "ignition"
        self.cache = directory / "run" / "ignition.json"
        self.config = directory / "config.ign"
        for made in (self.root, self.run, directory / "system"):
            made.mkdir(parents=True)

    def give(self, config: Mapping[str, Any] | bytes | str) -> None:
        content = config if isinstance(config, bytes | str) else json.dumps(config)
        self.config.write_bytes(content if isinstance(content, bytes) else content.encode())

    def stage(self, name: str, *more: str) -> int:
        return verb.main(
            [
                f"--stage={name}",
                "--platform=file",
                "-log-to-stdout",
                f"-root={self.root}",
                f"-config-cache={self.cache}",
                f"-neednet={self.run / 'neednet'}",
                f"-state-file={self.run / 'state'}",
                "-fetch-timeout=2s",
                *more,
            ]
        )

    @property
    def pending_stages(self) -> set[str]:
        return {path.name for path in (self.run / "stages").iterdir()}

    @property
    def card(self) -> str:
        return (self.run / "failure").read_text()

    @property
    def cached(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.cache.read_text())
        return loaded


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    cmdline = tmp_path / "cmdline"
    cmdline.write_text("quiet\n")
    monkeypatch.setenv("IGNITION_KERNEL_CMDLINE_PATH", str(cmdline))
    monkeypatch.setenv("IGNITION_CONFIG_FILE", str(machine.config))
    for name in ("RUNTIME_", "LOCAL_", ""):
        place = tmp_path / "system" / (name.lower() or "vendor")
        monkeypatch.setenv(f"IGNITION_SYSTEM_{name}CONFIG_DIR", str(place))
    return machine


def file(path: str, source: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "contents": {"source": source, **more}}


def storage(**parts: Iterable[Any]) -> dict[str, Any]:
    return {**MINIMAL, "storage": {name: list(items) for name, items in parts.items()}}


def inline(config: Mapping[str, Any]) -> str:
    """Return a config as the data URL of a reference."""
    return "data:;base64," + base64.b64encode(json.dumps(config).encode()).decode()


class TestCredentials:
    """Credentials of the platform are used for its config, for references and for contents of files."""

    BUCKET = "gs://bucket/object"

    @pytest.fixture
    def platform(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Make `file` a platform whose credentials cannot be fetched; return the list of requests."""
        asked: list[str] = []

        def identity(fetcher: Fetcher) -> Credentials:
            def authorization() -> None:
                asked.append("Cloud Storage")
                raise FetchError("the metadata service has none")

            return Credentials(google=authorization)

        monkeypatch.setattr(file_provider, "PROVIDER", replace(file_provider.PROVIDER, credentials=identity))
        return asked

    def test_credentials_for_references_are_asked(self, machine: Machine, platform: list[str]) -> None:
        machine.give({"ignition": {"version": "3.4.0", "config": {"merge": [{"source": self.BUCKET}]}}})
        assert machine.stage("fetch") == 1
        assert platform == ["Cloud Storage"]
        assert "the metadata service has none" in machine.card

    def test_credentials_for_contents_are_asked(self, machine: Machine, platform: list[str]) -> None:
        machine.give(storage(files=[file("/etc/x", self.BUCKET)]))
        assert machine.stage("fetch") == 0
        assert platform == [], "nothing is asked before it is needed"
        assert machine.stage("files") == 1
        assert platform == ["Cloud Storage"]

    def test_credentials_for_the_config_itself_are_asked(
        self, machine: Machine, platform: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fetch(machine: ProviderContext) -> bytes:
            return machine.fetch.bytes(Source(self.BUCKET))

        monkeypatch.setattr(file_provider, "PROVIDER", replace(file_provider.PROVIDER, fetch=fetch))
        assert machine.stage("fetch") == 1
        assert platform == ["Cloud Storage"]

    def test_credentials_offline_are_not_asked(self, machine: Machine, platform: list[str]) -> None:
        machine.give({"ignition": {"version": "3.4.0", "config": {"merge": [{"source": self.BUCKET}]}}})
        assert machine.stage("fetch-offline") == 0
        assert platform == []


class TestFetchOffline:
    def test_fetch_offline_local_config_writes_cache_and_pending_stages(self, machine: Machine) -> None:
        machine.give(
            {
                **storage(
                    filesystems=[{"device": "/dev/a", "format": "ext4", "path": "/srv"}],
                    files=[file("/etc/x", "data:,x")],
                ),
                "kernelArguments": {"shouldExist": ["quiet"]},
            }
        )
        assert machine.stage("fetch-offline") == 0
        assert machine.cached["ignition"]["version"] == "3.7.0-experimental"
        assert machine.cached["storage"]["files"][0]["path"] == "/etc/x"
        assert machine.pending_stages == {"kargs", "disks", "mount", "files", "umount"}
        assert not (machine.run / "neednet").exists()
        assert state.read(str(machine.run / "state")).fetched == (FetchedConfig("user", "file", False),)

    def test_fetch_offline_marks_only_stages_with_work_pending(self, machine: Machine) -> None:
        machine.give(MINIMAL)
        assert machine.stage("fetch-offline") == 0
        assert machine.pending_stages == {"files"}

    def test_config_cache_is_not_world_readable(self, machine: Machine) -> None:
        machine.give(MINIMAL)
        machine.stage("fetch-offline")
        assert machine.cache.stat().st_mode & 0o007 == 0
        assert (machine.run / "state").stat().st_mode & 0o777 == 0o600

    def test_fetch_offline_remote_file_requests_network_and_keeps_cache(self, machine: Machine) -> None:
        machine.give(storage(files=[file("/x", "data:,x"), file("/y", "http://192.0.2.1/y")]))
        assert machine.stage("fetch-offline", "--then=files") == 0
        assert "$.storage.files.1.contents" in (machine.run / "neednet").read_text()
        assert machine.cache.exists()
        assert machine.pending_stages == {"files"}

    def test_then_stages_without_network_needs_run_at_once(
        self, machine: Machine, programs: Programs
    ) -> None:
        programs.add("ignition-kargs-helper")
        machine.give(
            {
                **storage(files=[file("/y", "http://192.0.2.1/y")]),
                "kernelArguments": {"shouldExist": ["quiet"]},
            }
        )
        assert machine.stage("fetch-offline", "--then=kargs,files") == 0
        assert [call.argv[1:] for call in programs.calls] == [("--should-exist", "quiet")]
        assert machine.pending_stages == {"files"}

    def test_then_stages_with_network_needs_wait(self, machine: Machine) -> None:
        machine.give(
            {
                **storage(
                    luks=[{"name": "x", "device": "/dev/a", "keyFile": {"source": "http://192.0.2.1/k"}}],
                    files=[file("/y", "http://192.0.2.1/y")],
                ),
            }
        )
        assert machine.stage("fetch-offline", "--then=kargs,disks") == 0
        assert machine.pending_stages == {"disks", "files"}

    def test_fetch_offline_remote_reference_requests_network_and_writes_no_cache(
        self, machine: Machine
    ) -> None:
        machine.give(
            {"ignition": {"version": "3.4.0", "config": {"merge": [{"source": "http://192.0.2.1/"}]}}}
        )
        assert machine.stage("fetch-offline", "--then=kargs,disks") == 0
        assert (machine.run / "neednet").exists()
        assert not machine.cache.exists()

    @pytest.mark.parametrize("config", [b"", {"ignition": {"version": "3.0.0"}}])
    def test_fetch_without_config_gives_empty_config(self, machine: Machine, config: Any) -> None:
        machine.give(config)
        assert machine.stage("fetch-offline") == 0
        assert machine.cached["ignition"]["version"] == "3.7.0-experimental"
        assert machine.pending_stages == {"files"}

    def test_fetch_offline_merges_local_references(self, machine: Machine) -> None:
        child = inline(storage(files=[file("/c", "data:,")]))
        machine.give(
            {
                "ignition": {"version": "3.4.0", "config": {"merge": [{"source": child}]}},
                "storage": {"files": [file("/p", "data:,")]},
            }
        )
        assert machine.stage("fetch-offline") == 0
        assert [item["path"] for item in machine.cached["storage"]["files"]] == ["/p", "/c"]
        assert state.read(str(machine.run / "state")).fetched[1] == FetchedConfig("user", "", True)


class TestFetch:
    def test_fetch_follows_http_references(self, machine: Machine, server: HttpServer) -> None:
        url = server.answer("/child.ign", json.dumps(storage(files=[file("/c", "data:,")])).encode())
        machine.give({"ignition": {"version": "3.4.0", "config": {"replace": {"source": url}}}})
        assert machine.stage("fetch-offline") == 0
        assert machine.stage("fetch") == 0
        assert [item["path"] for item in machine.cached["storage"]["files"]] == ["/c"]
        assert state.read(str(machine.run / "state")).fetched == (
            FetchedConfig("user", "file", False),
            FetchedConfig("user", "/child.ign", True),
        )

    def test_fetch_missing_reference_fails_and_names_its_place(
        self, machine: Machine, server: HttpServer
    ) -> None:
        machine.give(
            {
                "ignition": {
                    "version": "3.4.0",
                    "config": {"merge": [{"source": server.url("/none?sig=s3cret")}]},
                }
            }
        )
        assert machine.stage("fetch") == 1
        assert "$.ignition.config.merge.0" in machine.card
        assert "404" in machine.card
        assert "s3cret" not in machine.card
        assert not machine.cache.exists()

    def test_fetch_takes_config_from_kernel_argument(
        self, machine: Machine, server: HttpServer, tmp_path: Path
    ) -> None:
        url = server.answer("/a.ign", Answer(status=503), json.dumps(MINIMAL).encode())
        (tmp_path / "cmdline").write_text(f"ignition.config.url={url}\n")
        assert machine.stage("fetch-offline") == 0
        assert not machine.cache.exists()
        assert machine.stage("fetch") == 0
        assert state.read(str(machine.run / "state")).fetched == (FetchedConfig("user", "cmdline", False),)

    def test_fetch_empty_reference_is_an_error(self, machine: Machine) -> None:
        machine.give({"ignition": {"version": "3.4.0", "config": {"merge": [{"source": "data:,"}]}}})
        assert machine.stage("fetch-offline") == 1
        assert "empty" in machine.card
        assert not machine.cache.exists()


class TestFailure:
    @pytest.mark.parametrize(
        ("config", "part"),
        [
            (b"{", "not JSON"),
            ({"ignition": {"version": "9.9.9"}}, "9.9.9"),
            (storage(files=[{"path": "relative"}]), "$.storage.files.0.path, line 1 col"),
            (b"#cloud-config\n", "cloud-init"),
        ],
    )
    def test_invalid_config_fails_the_stage(self, machine: Machine, config: Any, part: str) -> None:
        machine.give(config)
        assert machine.stage("fetch-offline", "--then=disks") == 1
        assert part in machine.card
        assert "stage    fetch-offline" in machine.card
        assert len(machine.card.splitlines()) <= 20
        assert not machine.cache.exists()
        assert not (machine.run / "state").exists()

    def test_conflicting_configs_fail_the_stage(self, machine: Machine) -> None:
        child = inline(storage(files=[{"path": "/a", "user": {"name": "x"}}]))
        machine.give(
            {
                "ignition": {"version": "3.4.0", "config": {"merge": [{"source": child}]}},
                "storage": {"files": [{"path": "/a", "user": {"id": 5}}]},
            }
        )
        assert machine.stage("fetch-offline") == 1
        assert "$.storage.files.0.user" in machine.card
        assert "line 1 of the config from file" in machine.card

    def test_failure_prints_no_config_contents(
        self, machine: Machine, capsys: pytest.CaptureFixture[str]
    ) -> None:
        machine.give(
            {
                **storage(files=[file("/etc/key", "data:,TOPSECRET", verification={"hash": "sha512-00"})]),
                "passwd": {"users": [{"name": "core", "passwordHash": "$6$TOPSECRET"}]},
            }
        )
        assert machine.stage("fetch-offline") == 1
        assert "TOPSECRET" not in capsys.readouterr().out + machine.card

    def test_failure_card_is_private_and_removed_by_next_try(self, machine: Machine) -> None:
        machine.give(b"{")
        machine.stage("fetch-offline")
        assert (machine.run / "failure").stat().st_mode & 0o777 == 0o600
        machine.give(MINIMAL)
        assert machine.stage("fetch-offline") == 0
        assert not (machine.run / "failure").exists()

    def test_failure_card_of_first_failure_is_kept(self, machine: Machine) -> None:
        machine.give(b"{")
        machine.stage("fetch-offline")
        first = machine.card
        assert machine.stage("umount") == 1
        assert machine.card == first

    def test_unwritable_failure_card_keeps_the_failure(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        machine.give(b"{")
        monkeypatch.setattr(os, "fdopen", full)
        assert machine.stage("fetch-offline") == 1
        shown = capsys.readouterr()
        assert "CRITICAL : fetch-offline failed\n" in shown.out
        assert f"no failure card is written to {machine.run / 'failure'}: No space left" in shown.out
        assert shown.err == ""

    def test_stage_without_config_cache_fails(self, machine: Machine) -> None:
        assert machine.stage("files") == 1
        assert "fetch" in machine.card

    def test_unreadable_state_is_exit_status_3(self, machine: Machine) -> None:
        machine.give(MINIMAL)
        (machine.run / "state").write_text("{")
        assert machine.stage("fetch-offline") == 3

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--platform=file"],
            ["--stage=files"],
            ["--stage=nope", "--platform=file"],
            ["--stage=files", "--platform=nope"],
            ["--stage=files", "--platform="],
            ["--stage=files", "--platform=file", "--fetch-timeout=soon"],
            ["--nope"],
        ],
    )
    def test_bad_usage_is_exit_status_2(
        self, machine: Machine, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert verb.main([*arguments, f"--state-file={machine.run / 'state'}"]) == 2
        assert capsys.readouterr().err

    def test_version_and_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert verb.main(["--version"]) == 0
        assert capsys.readouterr().out.startswith("Ignition ")
        assert verb.main(["-h"]) == 0
        usage = capsys.readouterr().err
        assert "-config-cache" in usage
        assert [name for name in cli.VERBS if name not in usage] == []

    def test_call_without_flags_lists_the_commands(
        self, machine: Machine, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for arguments, wrong in (([], "'--platform' must be provided"), (["foo"], "command foo not found")):
            assert verb.main([f"--state-file={machine.run / 'state'}", *arguments]) == 2
            shown = capsys.readouterr().err
            assert shown.startswith(f"{wrong}\nUsage of ignition:")
            assert "ignition apply, explain" in shown
        assert not (machine.run / "failure").exists()

    def test_stage_without_platform_hints_at_kernel_argument(
        self, machine: Machine, capsys: pytest.CaptureFixture[str]
    ) -> None:
        state = f"--state-file={machine.run / 'state'}"
        assert verb.main(["--stage=files", "--platform=", state]) == 2
        for told in (capsys.readouterr().err, machine.card):
            assert "'--platform' must be provided" in told
            assert "set ignition.platform.id= on the kernel's command line" in told


class TestPersistedState:
    def test_second_try_knows_directories_of_the_first(self, machine: Machine, programs: Programs) -> None:
        programs.add("mount", status=32)
        machine.give(storage(filesystems=[{"device": "/dev/a", "format": "ext4", "path": "/home/core"}]))
        assert machine.stage("fetch-offline") == 0
        assert machine.stage("mount") == 1
        left = state.read(str(machine.run / "state"))
        assert left.directories == ("/home", "/home/core")
        assert left.fetched == (FetchedConfig("user", "file", False),)
        programs.add("mount")
        assert machine.stage("mount") == 0
        assert state.read(str(machine.run / "state")) == left

    def test_state_of_a_passed_stage_has_everything_its_actions_persisted(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def perform(self: SetKernelArguments, host: Host) -> None:
            persist(State(directories=("/before",)))
            persist(State(directories=("/after",)))

        monkeypatch.setattr(SetKernelArguments, "perform", perform)
        machine.give({**MINIMAL, "kernelArguments": {"shouldExist": ["quiet"]}})
        assert machine.stage("fetch-offline", "--then=kargs") == 0
        assert state.read(str(machine.run / "state")).directories == ("/before", "/after")


class TestRecord:
    CONFIG = storage(
        files=[file("/etc/one", "data:,1"), file("/etc/two", "data:,22")],
        directories=[{"path": "/opt"}],
    )

    @staticmethod
    def lines(path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    def kept(self, machine: Machine) -> Path:
        (path,) = (machine.root / "var/log/ignition").iterdir()
        return path

    def test_record_has_all_stages_and_is_copied_to_target(
        self, machine: Machine, programs: Programs
    ) -> None:
        programs.add("ignition-kargs-helper")
        machine.give({**self.CONFIG, "kernelArguments": {"shouldExist": ["quiet"]}})
        assert machine.stage("fetch-offline", "--then=kargs") == 0
        assert machine.stage("files") == 0
        told = self.lines(machine.run / "record.jsonl")
        assert self.lines(self.kept(machine)) == told
        assert [(line.get("started"), line.get("ended")) for line in told if "action" not in line] == [
            *(("fetch-offline", None), (None, "passed")),
            *(("kargs", None), (None, "passed")),
            *(("files", None), (None, "passed")),
        ]
        (helper,) = (line for line in told if line.get("stage") == "kargs" and "action" in line)
        assert helper["commands"] == [
            {"argv": ["ignition-kargs-helper", "--should-exist", "quiet"], "status": 0}
        ]
        changed = {
            change["path"]: (line["config"], change["after"]["digest"])
            for line in told
            for change in line.get("changes", ())
            if change["path"].startswith("/etc/o") or change["path"] == "/etc/two"
        }
        assert changed == {
            "/etc/one": ("$.storage.files.0", f"sha256-{sha256(b'1').hexdigest()}"),
            "/etc/two": ("$.storage.files.1", f"sha256-{sha256(b'22').hexdigest()}"),
        }

    def test_record_after_files_stage_is_only_in_running_system(self, machine: Machine) -> None:
        machine.give(self.CONFIG)
        machine.stage("fetch-offline")
        machine.stage("files")
        before = self.kept(machine).read_text()
        assert machine.stage("umount") == 0
        assert self.kept(machine).read_text() == before
        assert self.lines(machine.run / "record.jsonl")[-1]["stage"] == "umount"

    def test_failure_is_logged_once(self, machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
        (machine.root / "etc").mkdir()
        (machine.root / "etc/two").write_text("other")
        machine.give(self.CONFIG)
        machine.stage("fetch-offline")
        assert machine.stage("files") == 1
        critical = [line for line in capsys.readouterr().out.splitlines() if line.startswith("CRITICAL")]
        assert len(critical) == 2
        assert "other contents" in critical[0]
        assert critical[1] == "CRITICAL : files failed"

    def test_record_of_failed_stage_is_in_both_copies_and_on_card(self, machine: Machine) -> None:
        (machine.root / "etc").mkdir()
        (machine.root / "etc/two").write_text("other")
        machine.give(self.CONFIG)
        machine.stage("fetch-offline")
        assert machine.stage("files") == 1
        for path in (machine.run / "record.jsonl", self.kept(machine)):
            last = self.lines(path)[-1]
            assert (last["stage"], last["ended"]) == ("files", "failed")
            assert last["config"].startswith("$.storage.files.1")
            assert "other contents" in last["message"]
        assert "record   /" in machine.card

    def test_record_of_killed_stage_has_finished_actions(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine.give(self.CONFIG)
        machine.stage("fetch-offline")
        child = os.fork()
        if not child:
            try:
                place = PlaceFile.perform

                def kill(self: PlaceFile, host: Host) -> None:
                    if self.place == "/etc/two":
                        os.kill(os.getpid(), signal.SIGKILL)
                    place(self, host)

                monkeypatch.setattr(PlaceFile, "perform", kill)
                machine.stage("files")
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        before = self.lines(machine.run / "record.jsonl")
        assert before[-1]["action"] == 'writing file "/etc/one"'
        assert machine.stage("files") == 0
        told = self.lines(machine.run / "record.jsonl")
        assert told[: len(before)] == before
        assert told[len(before)]["started"] == "files"
        assert told[-1]["ended"] == "passed"
        assert self.lines(self.kept(machine)) == told

    def test_record_of_invalid_config_names_its_place(self, machine: Machine) -> None:
        machine.give(storage(files=[{"path": "relative"}]))
        assert machine.stage("fetch-offline") == 1
        last = self.lines(machine.run / "record.jsonl")[-1]
        assert (last["ended"], last["error"], last["config"]) == (
            *("failed", "ConfigError"),
            "$.storage.files.0.path",
        )

    def test_unreadable_earlier_record_does_not_fail_stage(self, machine: Machine) -> None:
        machine.give(MINIMAL)
        (machine.run / "state").write_text("{")
        assert machine.stage("fetch-offline") == 3
        assert self.lines(machine.run / "record.jsonl")[-1]["error"] == "JSONDecodeError"


class TestBaseConfigs:
    def test_base_configs_are_merged_below_user_config(self, machine: Machine) -> None:
        base = machine.directory / "system" / "vendor"
        for place, name, path in (
            ("base.d", "10-b.ign", "/b"),
            ("base.platform.d/file", "10-p.ign", "/p"),
            ("base.platform.d/other", "10-o.ign", "/o"),
        ):
            (base / place).mkdir(parents=True)
            (base / place / name).write_text(json.dumps(storage(directories=[{"path": path}])))
        override = machine.directory / "system" / "local_" / "base.d"
        override.mkdir(parents=True)
        (override / "10-b.ign").write_text(json.dumps(storage(links=[{"path": "/l", "target": "x"}])))
        machine.give(MINIMAL)
        assert machine.stage("fetch-offline") == 0
        assert "storage" not in machine.cached or not machine.cached["storage"].get("links")
        fetched = state.read(str(machine.run / "state")).fetched
        assert fetched == (FetchedConfig("base", "system", False), FetchedConfig("user", "file", False))

    @pytest.mark.parametrize("group", ["base.d", "base.platform.d/file"])
    @pytest.mark.parametrize("content", ["", "{"])
    def test_invalid_base_config_fails_the_stage(self, machine: Machine, group: str, content: str) -> None:
        place = machine.directory / "system" / "vendor" / group
        place.mkdir(parents=True)
        (place / "x.ign").write_text(content)
        machine.give(MINIMAL)
        assert machine.stage("fetch-offline") == 1
        assert "x.ign" in machine.card
