# SPDX-License-Identifier: Apache-2.0
"""Following references: order, network settings, replacement, cycles and depth."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ignition.config.origins import origins
from ignition.config.parse import parse
from ignition.config.render import MAX_DEPTH, render
from ignition.configpath import format_path
from ignition.errors import ConfigError, FetchError, IgnitionError, NeedNetwork
from ignition.host.source import Source
from ignition.schemas.config import Config
from ignition.schemas.spec import LATEST


def document(*merge: str, replace: str | None = None, version: str = "3.4.0", **sections: Any) -> bytes:
    references: dict[str, Any] = {"merge": [{"source": source} for source in merge]}
    if replace is not None:
        references["replace"] = {"source": replace}
    ignition = {"version": version, "config": references, **sections.pop("ignition", {})}
    return json.dumps({"ignition": ignition, **sections}).encode()


def user(name: str, **fields: Any) -> dict[str, Any]:
    return {"users": [{"name": name, **fields}]}


class Web:
    """Documents by URL; remembers the fetched URLs in order."""

    def __init__(self, **pages: bytes) -> None:
        self.pages = {f"http://{name}": page for name, page in pages.items()}
        self.fetched: list[str] = []
        self.sources: list[Source] = []

    def __call__(self, source: Source) -> bytes:
        self.fetched.append(source.url)
        self.sources.append(source)
        return self.pages[source.url]


def root(data: bytes) -> Config:
    return parse(data).config


def test_config_without_references_is_unchanged() -> None:
    config = root(document(passwd=user("a")))
    rendered = render(config, Web())
    assert (rendered.config, rendered.references, rendered.every) == (config, (), ())


def test_child_overrides_parent_and_later_child_overrides_earlier() -> None:
    web = Web(
        a=document("http://c", passwd=user("u", shell="a", gecos="a", uid=1)),
        b=document(passwd=user("u", shell="b")),
        c=document(passwd=user("u", gecos="c", homeDir="c")),
    )
    top = root(document("http://a", "http://b", passwd=user("u", uid=0, homeDir="top", primaryGroup="top")))
    rendered = render(top, web)
    (result,) = rendered.config.passwd.users
    assert (result.uid, result.gecos, result.shell, result.home_dir, result.primary_group) == (
        1,
        "c",
        "b",
        "c",
        "top",
    )
    assert web.fetched == ["http://a", "http://c", "http://b"]
    assert [reference.source.url for reference in rendered.every] == web.fetched
    assert rendered.config.ignition.version == LATEST.version


def test_replacement_discards_config_and_its_merge_list() -> None:
    web = Web(new=document("http://more", passwd=user("new")), more=document(passwd=user("more")))
    top = root(document("http://never", replace="http://new", passwd=user("old")))
    rendered = render(top, web)
    assert [one.name for one in rendered.config.passwd.users] == ["new", "more"]
    assert web.fetched == ["http://new", "http://more"]


def test_rendered_config_keeps_merge_list() -> None:
    web = Web(a=document("http://b"), b=document())
    config = render(root(document("http://a")), web).config
    assert [resource.source for resource in config.ignition.config.merge] == ["http://a", "http://b"]


def test_settings_in_force_are_those_of_config_merged_so_far() -> None:
    def timeouts(total: int) -> dict[str, Any]:
        return {"timeouts": {"httpTotal": total}}

    web = Web(
        a=document("http://c", ignition=timeouts(1)),
        b=document(),
        c=document(ignition={"timeouts": {"httpResponseHeaders": 3}}),
    )
    seen: list[tuple[int, int | None, int | None]] = []

    def configure(config: Config) -> None:
        limits = config.ignition.timeouts
        seen.append((len(web.fetched), limits.http_total, limits.http_response_headers))

    render(root(document("http://a", "http://b", ignition=timeouts(9))), web, configure)
    assert seen == [(1, 1, None), (2, 1, 3), (3, 1, 3)]


def test_replacement_takes_settings_from_new_config_only() -> None:
    web = Web(new=document())
    seen: list[int | None] = []
    top = root(document(replace="http://new", ignition={"timeouts": {"httpTotal": 9}}))
    render(top, web, lambda config: seen.append(config.ignition.timeouts.http_total))
    assert seen == [None]


def test_fetch_receives_headers_compression_and_hash() -> None:
    resource = {
        "source": "http://a",
        "compression": "gzip",
        "httpHeaders": [{"name": "A", "value": "b"}],
        "verification": {"hash": "sha256-" + "A" * 64},
    }
    web = Web(a=document())
    render(root(document(ignition={"config": {"merge": [resource]}})), web)
    assert web.sources == [Source("http://a", (("A", "b"),), "gzip", "sha256-" + "A" * 64)]


def test_child_of_other_version_is_upgraded() -> None:
    web = Web(a=document(version="3.0.0", storage={"files": [{"path": "/a", "mode": 0o4755}]}))
    (file,) = render(root(document("http://a", version="3.6.0")), web).config.storage.files
    assert file.mode == 0o755


@pytest.mark.parametrize(
    ("pages", "top"),
    [
        ({"a": document("http://a")}, document("http://a")),
        ({"a": document("http://b"), "b": document("http://a")}, document("http://a")),
        (
            {"a": document(replace="http://b"), "b": document(replace="http://a")},
            document(replace="http://a"),
        ),
    ],
)
def test_reference_cycle_is_refused(pages: dict[str, bytes], top: bytes) -> None:
    with pytest.raises(ConfigError, match="cycle"):
        render(root(top), Web(**pages))


def test_same_document_in_two_branches_is_no_cycle() -> None:
    web = Web(a=document("http://c"), b=document("http://c"), c=document(passwd=user("c")))
    rendered = render(root(document("http://a", "http://b")), web)
    assert [one.name for one in rendered.config.passwd.users] == ["c"]


def test_references_deeper_than_limit_are_refused() -> None:
    def fetch(source: Source) -> bytes:
        return document(f"http://{int(source.url.removeprefix('http://')) + 1}")

    with pytest.raises(ConfigError, match=f"more than {MAX_DEPTH} levels"):
        render(root(document("http://0")), fetch)


@pytest.mark.parametrize("top", [document("http://a"), document(replace="http://a"), document(replace="")])
def test_referenced_document_of_zero_bytes_is_refused(top: bytes) -> None:
    def fetch(source: Source) -> bytes:
        return b""

    with pytest.raises(ConfigError, match="is empty") as raised:
        render(root(top), fetch)
    assert format_path(raised.value.path or ()).startswith("$.ignition.config.")


def test_invalid_referenced_document_error_names_reference() -> None:
    web = Web(a=document("http://b"), b=document(storage={"files": [{"path": "x"}]}))
    with pytest.raises(ConfigError) as raised:
        render(root(document("http://a")), web, source="user.ign")
    assert str(raised.value) == (
        "the config from $.ignition.config.merge.0 of $.ignition.config.merge.0 of user.ign is invalid"
    )
    assert [entry.code for entry in raised.value.report] == ["path-relative"]


@pytest.mark.parametrize("error", [FetchError("no"), NeedNetwork("no", [("a",)])])
def test_fetch_error_gets_path_of_reference(error: IgnitionError) -> None:
    def fetch(source: Source) -> bytes:
        raise error

    with pytest.raises(type(error)) as raised:
        render(root(document("http://a")), fetch)
    assert raised.value is error
    assert raised.value.path == ("ignition", "config", "merge", 0)


def test_rendered_references_form_tree_with_reports() -> None:
    web = Web(a=document("http://b"), b=document(nonsense=1))
    (first,) = render(root(document("http://a")), web).references
    assert (first.source.url, [one.source.url for one in first.references]) == ("http://a", ["http://b"])
    assert [entry.code for entry in first.references[0].parsed.report] == ["unused-key"]


def test_origins_of_rendered_config_name_documents() -> None:
    pages = {
        "a": document("http://b", passwd=user("u", uid=1)),
        "b": document(passwd={"users": [{"name": "v"}, {"name": "u", "shell": "/s"}]}),
    }
    top = document("http://a", passwd=user("u", gecos="x", groups=["g"]))
    rendered = render(root(top), Web(**pages), source="top", data=top)

    def origin(*path: str | int) -> list[tuple[str, str, bytes]]:
        return [
            (place.document.source, format_path(place.path), place.document.data)
            for place in origins(rendered.tree, path)
        ]

    a, b = "$.ignition.config.merge.0 of top", "$.ignition.config.merge.0 of $.ignition.config.merge.0 of top"
    assert [one.name for one in rendered.config.passwd.users] == ["u", "v"]
    assert origin("passwd", "users", 0, "gecos") == [("top", "$.passwd.users.0.gecos", top)]
    assert origin("passwd", "users", 0, "uid") == [(a, "$.passwd.users.0.uid", pages["a"])]
    assert origin("passwd", "users", 0, "shell") == [(b, "$.passwd.users.1.shell", pages["b"])]
    assert origin("passwd", "users", 0, "groups", 0) == [("top", "$.passwd.users.0.groups.0", top)]
    assert origin("passwd", "users", 1, "name") == [(b, "$.passwd.users.0.name", pages["b"])]
    assert [source for source, _, _ in origin("passwd", "users", 0)] == ["top", a, b]
    assert origin("passwd", "users", 2) == []
