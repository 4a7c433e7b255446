# SPDX-License-Identifier: Apache-2.0
"""The published schemas of configs are current, describe every field, and agree with the engine."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ignition.config.parse import check
from ignition.config.verdict import judge
from ignition.diagnostics import Entry
from ignition.schemas.catalogue import DOCUMENTS, published
from ignition.schemas.jsonschema import schema_for
from ignition.schemas.spec import STABLE, Spec
from tests.corpus import ALL, GOOD, PROJECT

EACH_SPEC = pytest.mark.parametrize("spec", Spec, ids=str)

SHAPE_CODES = {
    "clevis-pin", "compression", "device-missing", "format", "header-name-missing", "link-target-missing",
    "newer-key", "not-an-object", "raid-devices-missing", "raid-level-missing", "source-missing",
    "spec-version", "tang-thumbprint-missing", "unused-key", "wrong-type",
}  # fmt: skip
"""Codes of findings about a single place, which a schema reports too."""


@cache
def validator(version: str) -> Draft202012Validator:
    schema = published(version)  # type: ignore[arg-type]
    return Draft202012Validator(schema)


def accepts(document: Any, version: str) -> bool:
    accepted: bool = validator(version).is_valid(document)
    return accepted


@EACH_SPEC
def test_published_schema_is_current(spec: Spec) -> None:
    hint = "run python -m ignition.schemas.jsonschema"
    assert published(spec.version) == schema_for(spec), hint
    file = PROJECT / "schemas" / "published" / f"ignition-{spec}.json"
    assert file.read_text() == json.dumps(schema_for(spec), indent=2, ensure_ascii=False) + "\n", hint


def test_published_folder_has_only_known_schemas() -> None:
    names = [path.name for path in (PROJECT / "schemas" / "published").iterdir()]
    expected = [f"ignition-{spec}.json" for spec in Spec] + [f"{name}.json" for name in DOCUMENTS]
    assert sorted(names) == sorted(expected)


@EACH_SPEC
def test_published_schema_is_valid(spec: Spec) -> None:
    schema = published(spec.version)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)


def objects(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all objects that a schema describes."""
    for part in (schema, *schema["$defs"].values()):
        yield part
        for field in part["properties"].values():
            items = field.get("items", {})
            if items.get("type") == "object":
                yield items


@EACH_SPEC
def test_schema_describes_every_field(spec: Spec) -> None:
    for part in objects(published(spec.version)):
        assert part["title"]
        assert part["description"].endswith(".")
        assert part["additionalProperties"] is False
        for name, field in part["properties"].items():
            assert field["title"], name
            assert field["description"].endswith("."), name
            assert ("default" in field) != (name in part["required"]), name


@pytest.mark.parametrize(
    ("place", "name", "title", "since"),
    [
        ("Luks", "discard", "Discard", "Since spec 3.4.0."),
        ("Partition", "sizeMiB", "Size MiB", ""),
        ("PasswdUser", "sshAuthorizedKeys", "SSH authorized keys", ""),
        ("Filesystem", "uuid", "UUID", ""),
        ("Filesystem", "format", "Format", "Value `none` since spec 3.3.0."),
        ("ClevisCustom", "pin", "Pin", "Any string since spec 3.6.0."),
    ],
)
def test_description_names_first_version(place: str, name: str, title: str, since: str) -> None:
    field = published(STABLE.version)["$defs"][place]["properties"][name]
    assert field["title"] == title
    assert field["description"].endswith(since)
    assert since or "Since" not in field["description"]


def test_unknown_schema_name_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no schema 3\.8\.0, expected one of 3\.0\.0"):
        published("3.8.0")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", GOOD)
def test_schema_accepts_good_documents(name: str) -> None:
    document = json.loads(GOOD[name])
    jsonschema.validate(document, published(document["ignition"]["version"]))


def about_shape(entry: Entry) -> bool:
    """Whether the entry is about a single place; a missing path counts unless it is in a list."""
    if entry.code == "path-missing":
        return not isinstance((entry.path or ("",))[-1], int)
    return entry.code in SHAPE_CODES


def agree(document: dict[str, Any], spec: Spec) -> None:
    """Check that the schema accepts documents without findings and no document of the wrong shape."""
    entries = [finding.entry for finding in judge(json.dumps(document).encode(), "x.ign").findings]
    if accepts(document, spec.version):
        assert not [entry for entry in entries if about_shape(entry)]
    else:
        assert entries


def versions_of(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield a document with each spec version."""
    try:
        document = json.loads(data)
    except ValueError:
        return
    for spec in Spec:
        if isinstance(document.get("ignition"), dict):
            yield document | {"ignition": document["ignition"] | {"version": spec.version}}


@pytest.mark.parametrize("name", ALL)
def test_schema_and_engine_agree_on_the_corpus(name: str) -> None:
    for document in versions_of(ALL[name]):
        agree(document, Spec.of(document["ignition"]["version"]))


CONFIGS = [json.loads(data) for data in GOOD.values()]

VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, 0, 1, -1, 420, 0.5, "", "a", "/a", "gzip", "none", "virtiofs",
        [], ["a"], ["a", "a"], [None], {}, {"name": "a"}, [{}], [{"path": "/a"}],
        {"source": "data:,"}, {"source": ""},
    ]
)  # fmt: skip

KEYS = st.sampled_from(
    ["path", "Path", "PATH", "name", "source", "mode", "discard", "cex", "compression", "nme"]
)


def places(value: Any) -> Iterator[tuple[dict[str, Any] | list[Any], Any]]:
    """Yield every container with each of its keys or indices."""
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


@st.composite
def changed(draw: Callable[..., Any]) -> tuple[dict[str, Any], Spec]:
    """Return a good document of any version with up to three changes."""
    spec = draw(st.sampled_from(Spec))
    document = copy.deepcopy(draw(st.sampled_from(CONFIGS)))
    document["ignition"]["version"] = spec.version
    for _ in range(draw(st.integers(0, 3))):
        found = [place for place in places(document) if place[1] not in ("ignition", "version")]
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                container[key] = copy.deepcopy(draw(VALUES))
            case "remove":
                del container[key]
            case _ if isinstance(container, dict):
                container[draw(KEYS)] = copy.deepcopy(draw(VALUES))
    return document, spec


@settings(max_examples=400, deadline=None)
@given(changed())
def test_schema_and_engine_agree_on_changed_documents(case: tuple[dict[str, Any], Spec]) -> None:
    agree(*case)


def test_schema_accepts_only_its_version() -> None:
    assert accepts({"ignition": {"version": "3.4.0"}}, "3.4.0")
    assert not accepts({"ignition": {"version": "3.3.0"}}, "3.4.0")
    assert not accepts({"ignition": {}}, "3.4.0")
    assert not accepts({}, "3.4.0")


def test_descriptions_come_from_the_model() -> None:
    from ignition.schemas.filesystems import Filesystem

    source = (PROJECT / "schemas" / "filesystems.py").read_text()
    field = published(STABLE.version)["$defs"][Filesystem.__name__]["properties"]["wipeFilesystem"]
    assert f'"""{field["description"]}"""' in source


def test_corpus_leads_to_all_shape_codes() -> None:
    """The corpus makes the engine report every code in SHAPE_CODES, so `agree` tests each of them."""
    spoken = {entry.code for data in ALL.values() for entry in check(data).report}
    assert spoken | {"spec-version"} >= SHAPE_CODES
