# SPDX-License-Identifier: Apache-2.0
"""The published schemas of documents agree with the documents that the engine writes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ignition.boot import record, state, timing
from ignition.boot.record import Record
from ignition.boot.state import FetchedConfig, State
from ignition.host.command import Command, CommandFailed, Ran
from ignition.host.files.path_change import KINDS, PathChange, PathState
from ignition.initramfs.sizes import Sizes
from ignition.preview import Does
from ignition.schemas.catalogue import DOCUMENTS, Document, published, schema_of
from ignition.schemas.violations import violations
from ignition.verbs import plan, stage, validate
from tests.corpus import ALL
from tests.lab.readonly import only_looking

Capture = pytest.CaptureFixture[str]

MINIMAL = {"ignition": {"version": "3.4.0"}}


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def check(name: Document, document: Any) -> None:
    """The document follows the schema, and its shape tells the name."""
    assert list(violations(document, published(name))) == []
    assert schema_of(document) == name


def required(name: Document) -> set[str]:
    """The members of an object that the schema describes; all are required."""
    schema = published(name)
    assert set(schema["required"]) == set(schema["properties"])
    return set(schema["required"])


def members(documents: Iterable[Any]) -> set[str]:
    """The names of all members at any depth."""
    found: set[str] = set()
    for document in documents:
        if isinstance(document, dict):
            found |= document.keys() | members(document.values())
        elif isinstance(document, list):
            found |= members(document)
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_schema_is_valid_and_has_id(name: Document) -> None:
    schema = published(name)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"] == f"urn:ignition:schema:{name}"
    Draft202012Validator.check_schema(schema)


def described(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield each member of each object with its schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield from schema["properties"].items()
        for part in schema.values():
            yield from described(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from described(part)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_schema_describes_each_member(name: Document) -> None:
    schema = published(name)
    assert schema["title"]
    assert schema["description"].endswith(".")
    for member, part in described(schema):
        assert part.get("description", ".").endswith("."), member
        assert part.get("description") or set(part) & {"type", "anyOf", "$ref"}, member


@dataclasses.dataclass(frozen=True)
class Act:
    """An action that reports changes and programs, or fails."""

    changes: tuple[PathChange, ...] = ()
    failure: Exception | None = None
    path: tuple[str | int, ...] = ("storage", "files", 0)
    sources: tuple[str, ...] = ()

    def describe(self) -> str:
        return "writing something"


FILE = PathState("file", 0, 0, 0o4755, 3, f"sha256-{'0' * 64}")
UNREAD = PathState("file", 1, 1, 0o644, 1 << 40, unread="larger than 256 MiB")
CHANGES = (
    PathChange("/new", None, FILE),
    PathChange("/old", UNREAD, None),
    PathChange("/link", None, PathState("link", 0, 0, 0o777, target="a")),
    PathChange("/directory", PathState("directory", 0, 0, 0o700), PathState("directory", 0, 0, 0o755)),
    PathChange("/device", PathState("other", 0, 0, 0o600), None),
    PathChange("/verified", None, FILE._replace(digest=f"sha512-{'0' * 128}")),
)


def recorded(path: Path) -> list[Any]:
    """Write a record with every kind of line and change."""
    command = Command(("mkfs.xfs", "/dev/vdb"), "making a filesystem")

    def fails(command: Command, /) -> Ran:
        raise CommandFailed(command, Ran(-9, "", ""))

    for failure in (None, ValueError("s3cret"), OSError(28, "No space left on device", "/x")):
        written = Record(str(path))
        written.begin("files")
        with record.writing(written), record.step("nodes"):
            for act in (
                Act(),
                Act(CHANGES, sources=("https://example.com/a",)),
                Act(failure=ValueError("s3cret")),
                Act(failure=OSError(28, "No space left on device", "/x")),
            ):
                try:
                    with record.entry(act):
                        for change in act.changes:
                            record.add_change(change)
                        if act.failure:
                            raise act.failure
                        record.watched(fails)(command)
                except (ValueError, OSError, CommandFailed):
                    pass
        written.end(failure, ("storage", "files", 0) if failure else None)
        written.close()
    return lines(path.read_text())


def test_record_schema_accepts_every_kind_of_line(tmp_path: Path) -> None:
    written = recorded(tmp_path / "record.jsonl")
    for line in written:
        check("record", line)
    schema = published("record")
    assert members(written) == {name for name, _ in described(schema)}
    assert set(schema["$defs"]["PathState"]["properties"]) == set(PathState._fields)
    assert set(schema["$defs"]["PathState"]["properties"]["kind"]["enum"]) == {*KINDS.values(), "other"}


def test_schemas_accept_files_of_a_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record, the state file and timing.jsonl of two stages, the second of which fails."""
    root, run = tmp_path / "root", tmp_path / "run"
    (root / "etc").mkdir(parents=True)
    (root / "etc/two").write_text("other")
    files = [
        {"path": "/etc/one", "contents": {"source": "data:,1"}},
        {"path": "/etc/two", "contents": {"source": "data:,2"}},
    ]
    (tmp_path / "config.ign").write_text(json.dumps({**MINIMAL, "storage": {"files": files}}))
    monkeypatch.setenv("IGNITION_CONFIG_FILE", str(tmp_path / "config.ign"))
    for name in ("RUNTIME_", "LOCAL_", ""):
        monkeypatch.setenv(f"IGNITION_SYSTEM_{name}CONFIG_DIR", str(tmp_path / "base"))
    common = [
        "--platform=file", "--log-to-stdout", f"--root={root}", f"--config-cache={tmp_path / 'cache'}",
        f"--state-file={run / 'state'}", f"--neednet={run / 'neednet'}",
    ]  # fmt: skip
    assert stage.main(["--stage=fetch-offline", *common]) == 0
    assert stage.main(["--stage=files", *common]) == 1
    (root / "etc/two").unlink()
    assert stage.main(["--stage=files", *common]) == 0
    written = lines((run / "record.jsonl").read_text())
    assert {line.get("ended") for line in written} >= {"passed", "failed"}
    for line in written:
        check("record", line)
    times = lines((run / "timing.jsonl").read_text())
    assert times
    for line in times:
        check("timing", line)
    check("state", json.loads((run / "state").read_text()))


def test_state_schema_accepts_empty_and_full_state(tmp_path: Path) -> None:
    full = State(
        fetched=(FetchedConfig("base", "base.ign", referenced=False), FetchedConfig("user", "/x", True)),
        directories=("/srv",),
        luks_keys={"data": "data:;base64,AAAA", "gone": state.KEY_REMOVED},
        luks_volume_keys={"file": "data:,key"},
    )
    documents = []
    for each in (State(), full):
        state.write(str(tmp_path / "state"), each)
        documents.append(json.loads((tmp_path / "state").read_text()))
        check("state", documents[-1])
    names = {name for name, _ in described(published("state"))}
    assert members(documents) - {"data", "gone", "file"} == names
    assert required("state") - {"providerOutputFiles"} == set(documents[0]) - {"providerOutputFiles"}
    assert len(required("state")) == len(dataclasses.fields(State)) + 1, "providerOutputFiles is always null"


def test_timing_schema_accepts_lines_of_span(tmp_path: Path) -> None:
    with timing.span(str(tmp_path / "timing.jsonl"), "disks"):
        pass
    (line,) = lines((tmp_path / "timing.jsonl").read_text())
    check("timing", line)
    assert set(line) == required("timing")


def test_plan_schema_accepts_effects_and_conflicts(tmp_path: Path, capsys: Capture) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "motd").write_text("old")
    (root / "kept").write_text("data:,")
    files = [
        {"path": "/new"},
        {"path": "/kept"},
        {"path": "/motd", "overwrite": True, "contents": {"source": "data:,n3w"}},
    ]
    disks = [{"device": "/dev/disk/by-id/none", "wipeTable": True}]
    (tmp_path / "a.ign").write_text(json.dumps({**MINIMAL, "storage": {"files": files, "disks": disks}}))
    with only_looking():
        status = plan.main(["--config", str(tmp_path / "a.ign"), "--root", str(root), "--output", "json"])
    assert status == 1
    document = json.loads(capsys.readouterr().out)
    check("plan", document)
    assert members([document]) == {name for name, _ in described(published("plan"))}
    effects = published("plan")["$defs"]["Effect"]["properties"]["does"]["enum"]
    assert effects == [does.value for does in Does]


def test_validate_schema_accepts_verdicts_on_the_corpus(tmp_path: Path, capsys: Capture) -> None:
    for number, data in enumerate(ALL.values()):
        (tmp_path / f"{number}.ign").write_bytes(data)
    assert validate.main(["--output", "json", str(tmp_path), str(tmp_path / "absent")]) == 1
    written = lines(capsys.readouterr().out)
    for line in written:
        check("validate", line)
    assert members(written) == {name for name, _ in described(published("validate"))}


def test_sizes_schema_has_the_fields_of_sizes() -> None:
    sizes = Sizes(files=2, unpacked=30, compressed=10, largest=(("/a", 20),))
    document = json.loads(json.dumps(dataclasses.asdict(sizes)))
    check("initramfs-sizes", document)
    assert required("initramfs-sizes") == {field.name for field in dataclasses.fields(Sizes)}


@pytest.mark.parametrize(
    "document", [{}, [], "a", None, {"ignition": {}}, {"ignition": {"version": "2.0.0"}}, {"time": 1}]
)
def test_schema_of_unknown_document_is_none(document: Any) -> None:
    assert schema_of(document) is None


def test_schema_of_config_follows_its_version() -> None:
    assert schema_of({"ignition": {"version": "3.4.0"}, "files": 1}) == "3.4.0"
