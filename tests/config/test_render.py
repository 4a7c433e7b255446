"""Following references: order, settings, discarding, and the ends that the reference does not find."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ignition.config.origins import origins
from ignition.config.parse import parse
from ignition.config.render import MAX_DEPTH, embed_authorities, render
from ignition.configpath import format_path
from ignition.dataurl import decode
from ignition.errors import ConfigError, FetchError, IgnitionError, NeedNetwork
from ignition.host.source import Source
from ignition.schemas.config import Config
from ignition.schemas.resource import Verification
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
    """What can be fetched, and what was, in order."""

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


def test_a_config_without_references_is_itself() -> None:
    config = root(document(passwd=user("a")))
    rendered = render(config, Web())
    assert (rendered.config, rendered.references, rendered.every) == (config, (), ())


def test_children_win_over_parents_and_later_ones_over_earlier_ones() -> None:
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


def test_replacing_discards_everything_even_what_would_be_merged() -> None:
    web = Web(new=document("http://more", passwd=user("new")), more=document(passwd=user("more")))
    top = root(document("http://never", replace="http://new", passwd=user("old")))
    rendered = render(top, web)
    assert [one.name for one in rendered.config.passwd.users] == ["new", "more"]
    assert web.fetched == ["http://new", "http://more"]


def test_the_list_of_what_was_merged_stays() -> None:
    web = Web(a=document("http://b"), b=document())
    config = render(root(document("http://a")), web).config
    assert [resource.source for resource in config.ignition.config.merge] == ["http://a", "http://b"]


def test_the_settings_in_force_are_those_of_the_merged_config_so_far() -> None:
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


def test_replacing_takes_settings_from_the_new_config_only() -> None:
    web = Web(new=document())
    seen: list[int | None] = []
    top = root(document(replace="http://new", ignition={"timeouts": {"httpTotal": 9}}))
    render(top, web, lambda config: seen.append(config.ignition.timeouts.http_total))
    assert seen == [None]


def test_what_has_to_be_known_to_fetch_is_handed_over() -> None:
    resource = {
        "source": "http://a",
        "compression": "gzip",
        "httpHeaders": [{"name": "A", "value": "b"}],
        "verification": {"hash": "sha256-" + "A" * 64},
    }
    web = Web(a=document())
    render(root(document(ignition={"config": {"merge": [resource]}})), web)
    assert web.sources == [Source("http://a", (("A", "b"),), "gzip", "sha256-" + "A" * 64)]


def test_a_child_may_be_of_any_version() -> None:
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
def test_going_in_a_circle_is_an_error(pages: dict[str, bytes], top: bytes) -> None:
    with pytest.raises(ConfigError, match="leads back"):
        render(root(top), Web(**pages))


def test_the_same_document_twice_side_by_side_is_none() -> None:
    web = Web(a=document("http://c"), b=document("http://c"), c=document(passwd=user("c")))
    rendered = render(root(document("http://a", "http://b")), web)
    assert [one.name for one in rendered.config.passwd.users] == ["c"]


def test_references_that_never_end_are_an_error() -> None:
    def fetch(source: Source) -> bytes:
        return document(f"http://{int(source.url.removeprefix('http://')) + 1}")

    with pytest.raises(ConfigError, match=f"more than {MAX_DEPTH} levels"):
        render(root(document("http://0")), fetch)


@pytest.mark.parametrize("top", [document("http://a"), document(replace="http://a"), document(replace="")])
def test_an_empty_document_is_an_error_and_discards_nothing_silently(top: bytes) -> None:
    def fetch(source: Source) -> bytes:
        return b""

    with pytest.raises(ConfigError, match="is empty") as raised:
        render(root(top), fetch)
    assert format_path(raised.value.path or ()).startswith("$.ignition.config.")


def test_an_invalid_document_is_an_error_that_names_the_reference() -> None:
    web = Web(a=document("http://b"), b=document(storage={"files": [{"path": "x"}]}))
    with pytest.raises(ConfigError) as raised:
        render(root(document("http://a")), web, source="user.ign")
    assert str(raised.value) == (
        "the config from $.ignition.config.merge.0 of $.ignition.config.merge.0 of user.ign is invalid"
    )
    assert [entry.code for entry in raised.value.report] == ["path-relative"]


@pytest.mark.parametrize("error", [FetchError("no"), NeedNetwork("no", [("a",)])])
def test_what_fetching_raises_goes_through_with_the_place(error: IgnitionError) -> None:
    def fetch(source: Source) -> bytes:
        raise error

    with pytest.raises(type(error)) as raised:
        render(root(document("http://a")), fetch)
    assert raised.value is error
    assert raised.value.path == ("ignition", "config", "merge", 0)


def test_the_tree_tells_what_was_fetched_and_what_is_wrong_with_it() -> None:
    web = Web(a=document("http://b"), b=document(nonsense=1))
    (first,) = render(root(document("http://a")), web).references
    assert (first.source.url, [one.source.url for one in first.references]) == ("http://a", ["http://b"])
    assert [entry.code for entry in first.references[0].parsed.report] == ["unused-key"]


def test_origins_are_kept() -> None:
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


def test_authorities_are_put_into_the_config() -> None:
    bundle = {
        "source": "http://ca",
        "compression": "gzip",
        "verification": {"hash": "sha512-" + "a" * 128},
        "httpHeaders": [{"name": "A", "value": "b"}],
    }
    tls = {"security": {"tls": {"certificateAuthorities": [bundle]}}}
    config = embed_authorities(root(document(ignition=tls)), lambda source: b"PEM\n")
    (embedded,) = config.ignition.security.tls.certificate_authorities
    assert decode(embedded.source or "") == b"PEM\n"
    assert (embedded.compression, embedded.http_headers) == (None, ())
    assert embedded.verification == Verification(hash="sha512-" + "a" * 128)


def test_an_authority_that_cannot_be_had_is_named() -> None:
    def fetch(source: Source) -> bytes:
        raise FetchError("no")

    tls = {"security": {"tls": {"certificateAuthorities": [{"source": "http://ca"}]}}}
    with pytest.raises(FetchError) as raised:
        embed_authorities(root(document(ignition=tls)), fetch)
    assert format_path(raised.value.path or ()) == "$.ignition.security.tls.certificateAuthorities.0"
