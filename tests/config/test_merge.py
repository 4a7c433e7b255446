# SPDX-License-Identifier: Apache-2.0
"""Merging: the rules of docs/reference/config-language.md, "Merging", and general laws."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from ignition.config.merge import is_zero, merge
from ignition.config.parse import parse
from ignition.config.validate import check_config, duplicates
from ignition.schemas.config import Config
from ignition.schemas.fields import fields_of
from ignition.schemas.kargs import KernelArguments
from ignition.schemas.resource import HttpHeader, Resource, Verification
from ignition.schemas.storage import (
    Directory,
    Disk,
    File,
    Filesystem,
    Link,
    Luks,
    Owner,
    Partition,
    Raid,
    Storage,
)
from ignition.schemas.systemd import Dropin, Systemd, Unit
from tests.config.configs import configs


def config(**sections: Any) -> Config:
    return parse(json.dumps({"ignition": {"version": "3.6.0"}, **sections}).encode()).config


def merged(parent: dict[str, Any], child: dict[str, Any]) -> Config:
    return merge(config(**parent), config(**child))


def storage(parent: dict[str, Any], child: dict[str, Any]) -> Storage:
    return merged({"storage": parent}, {"storage": child}).storage


def test_source_of_child_keeps_hash_compression_and_headers_of_parent() -> None:
    theirs = {
        "source": "http://old",
        "compression": "gzip",
        "verification": {"hash": "sha512-" + "a" * 128},
        "httpHeaders": [{"name": "A", "value": "b"}],
    }
    contents = (
        storage(
            {"files": [{"path": "/a", "contents": theirs}]},
            {"files": [{"path": "/a", "contents": {"source": "http://new"}}]},
        )
        .files[0]
        .contents
    )
    assert contents == Resource(
        source="http://new",
        compression="gzip",
        verification=Verification(hash="sha512-" + "a" * 128),
        http_headers=(HttpHeader(name="A", value="b"),),
    )


@pytest.mark.parametrize(("value", "result"), [(None, "/home/x"), ("", ""), ("/y", "/y")])
def test_null_in_child_keeps_value_and_empty_string_replaces_it(value: str | None, result: str) -> None:
    both = merged(
        {"passwd": {"users": [{"name": "u", "homeDir": "/home/x"}]}},
        {"passwd": {"users": [{"name": "u", "homeDir": value}]}},
    )
    assert both.passwd.users[0].home_dir == result


@pytest.mark.parametrize("value", [0, 5])
def test_zero_and_false_in_child_replace_value(value: int) -> None:
    both = merged(
        {"passwd": {"users": [{"name": "u", "uid": 7, "system": True}]}},
        {"passwd": {"users": [{"name": "u", "uid": value, "system": False}]}},
    )
    assert (both.passwd.users[0].uid, both.passwd.users[0].system) == (value, False)


def test_owner_id_of_parent_and_name_of_child_conflict() -> None:
    both = merged(
        {"storage": {"files": [{"path": "/a", "user": {"id": 5}}]}},
        {"storage": {"files": [{"path": "/a", "user": {"name": "u"}}]}},
    )
    assert both.storage.files[0].user == Owner(id=5, name="u")
    assert [entry.code for entry in check_config(both)] == ["id-and-name"]


def test_partition_with_number_does_not_merge_with_label_only() -> None:
    both = merged(
        {"storage": {"disks": [{"device": "/d", "partitions": [{"label": "y"}]}]}},
        {"storage": {"disks": [{"device": "/d", "partitions": [{"number": 3, "label": "y"}]}]}},
    )
    assert both.storage.disks[0].partitions == (Partition(label="y"), Partition(number=3, label="y"))
    assert [entry.code for entry in check_config(both)] == ["partition-labels"]


def test_partitions_merge_by_number_and_by_label() -> None:
    (disk,) = storage(
        {
            "disks": [
                {"device": "/d", "partitions": [{"number": 1, "sizeMiB": 5}, {"label": "x", "sizeMiB": 6}]}
            ]
        },
        {
            "disks": [
                {"device": "/d", "partitions": [{"label": "x", "startMiB": 7}, {"number": 1, "label": "n"}]}
            ]
        },
    ).disks
    assert disk == Disk(
        device="/d",
        partitions=(
            Partition(number=1, size_mib=5, label="n"),
            Partition(label="x", size_mib=6, start_mib=7),
        ),
    )


@pytest.mark.parametrize("kind", ["files", "directories"])
def test_link_of_child_replaces_node_of_parent(kind: str) -> None:
    result = storage(
        {kind: [{"path": "/a"}], "links": [{"path": "/l", "target": "/t"}]},
        {"links": [{"path": "/a", "target": "/b"}, {"path": "/l", "target": "/u"}]},
    )
    assert (result.files, result.directories) == ((), ())
    assert result.links == (Link(path="/l", target="/u"), Link(path="/a", target="/b"))


def test_file_of_child_replaces_directory_of_parent() -> None:
    result = storage({"directories": [{"path": "/a"}, {"path": "/b"}]}, {"files": [{"path": "/a"}]})
    assert (result.directories, result.files) == ((Directory(path="/b"),), (File(path="/a"),))


def test_kernel_argument_of_child_moves_between_lists() -> None:
    both = merged(
        {"kernelArguments": {"shouldExist": ["a", "b", "c"], "shouldNotExist": ["x", "y"]}},
        {"kernelArguments": {"shouldExist": ["x", "d", "a"], "shouldNotExist": ["b", "z"]}},
    )
    assert both.kernel_arguments == KernelArguments(
        should_exist=("a", "c", "x", "d"), should_not_exist=("y", "b", "z")
    )


def test_ssh_keys_and_groups_merge_without_duplicates_parent_first() -> None:
    both = merged(
        {"passwd": {"users": [{"name": "u", "groups": ["b", "a"], "sshAuthorizedKeys": ["k"]}]}},
        {"passwd": {"users": [{"name": "u", "groups": ["c", "a"], "sshAuthorizedKeys": ["l", "k"]}]}},
    )
    assert both.passwd.users[0].groups == ("b", "a", "c")
    assert both.passwd.users[0].ssh_authorized_keys == ("k", "l")


def test_options_are_appended_and_open_options_merge_without_duplicates() -> None:
    luks = {"name": "l", "device": "/d", "options": ["x"], "openOptions": ["x"]}
    raid = {"name": "r", "level": "raid1", "devices": ["/d"], "options": ["x"]}
    filesystem = {"device": "/d", "format": "xfs", "options": ["x"], "mountOptions": ["x"]}
    section = {"luks": [luks], "raid": [raid], "filesystems": [filesystem]}
    result = storage(section, section)
    assert result.luks == (Luks(name="l", device="/d", options=("x", "x"), open_options=("x",)),)
    assert result.raid == (Raid(name="r", level="raid1", devices=("/d",), options=("x", "x")),)
    assert result.filesystems == (
        Filesystem(device="/d", format="xfs", options=("x", "x"), mount_options=("x", "x")),
    )


def test_append_lists_are_concatenated() -> None:
    one = {"files": [{"path": "/a", "append": [{"source": "data:,x"}]}]}
    assert [resource.source for resource in storage(one, one).files[0].append] == ["data:,x", "data:,x"]


def test_dropins_merge_by_name_within_unit() -> None:
    both = merged(
        {"systemd": {"units": [{"name": "u.service", "dropins": [{"name": "a.conf", "contents": "[A]\n"}]}]}},
        {
            "systemd": {
                "units": [
                    {"name": "v.service"},
                    {
                        "name": "u.service",
                        "dropins": [{"name": "b.conf"}, {"name": "a.conf", "contents": ""}],
                    },
                ]
            }
        },
    )
    assert both.systemd == Systemd(
        units=(
            Unit(name="u.service", dropins=(Dropin(name="a.conf", contents=""), Dropin(name="b.conf"))),
            Unit(name="v.service"),
        )
    )


class TestHeaders:
    def merged(
        self, ours: list[dict[str, str]], theirs: list[dict[str, str]]
    ) -> list[tuple[str, str | None]]:
        result = storage(
            {"files": [{"path": "/a", "contents": {"source": "http://a", "httpHeaders": ours}}]},
            {"files": [{"path": "/a", "contents": {"source": "http://a", "httpHeaders": theirs}}]},
        )
        return [(header.name, header.value) for header in result.files[0].contents.http_headers]

    def test_header_names_are_case_sensitive(self) -> None:
        assert self.merged([{"name": "A", "value": "1"}], [{"name": "a", "value": "2"}]) == [
            ("A", "1"),
            ("a", "2"),
        ]

    def test_header_value_of_child_replaces_value(self) -> None:
        assert self.merged([{"name": "A", "value": "1"}], [{"name": "A", "value": "2"}]) == [("A", "2")]

    def test_header_without_value_removes_header_of_parent(self) -> None:
        assert self.merged([{"name": "A", "value": "1"}, {"name": "B", "value": "1"}], [{"name": "A"}]) == [
            ("B", "1")
        ]

    def test_header_without_value_remains_if_parent_is_empty(self) -> None:
        result = storage(
            {"files": [{"path": "/a", "mode": 5}]},
            {"files": [{"path": "/a", "contents": {"source": "http://a", "httpHeaders": [{"name": "A"}]}}]},
        )
        assert result.files[0].contents.http_headers == (HttpHeader(name="A"),)

    def test_header_without_value_remains_if_parent_lacks_header(self) -> None:
        assert self.merged([{"name": "A", "value": "1"}], [{"name": "B"}]) == [("A", "1"), ("B", None)]


def test_merge_lists_merge_by_source() -> None:
    both = merge(
        parse(b'{"ignition":{"version":"3.6.0","config":{"merge":[{"source":"data:,a"}]}}}').config,
        parse(
            b'{"ignition":{"version":"3.0.0","config":{"merge":[{"source":"data:,b"},{"source":"data:,a"}]}}}'
        ).config,
    )
    assert [resource.source for resource in both.ignition.config.merge] == ["data:,a", "data:,b"]


class TestLaws:
    @given(configs())
    @settings(deadline=None, max_examples=60)
    def test_empty_child_leaves_config_unchanged(self, one: Config) -> None:
        assert merge(one, Config.empty()) == one

    @given(configs())
    @settings(deadline=None, max_examples=60)
    def test_config_merged_over_empty_parent_is_unchanged(self, one: Config) -> None:
        assert merge(Config.empty(), one) == one

    @given(configs(), configs())
    @settings(deadline=None, max_examples=60)
    def test_merged_lists_have_unique_keys(self, parent: Config, child: Config) -> None:
        assert not [entry.path for entry in duplicates(merge(parent, child)) if not _is_node(entry.path)]

    @given(configs(), configs())
    @settings(deadline=None, max_examples=60)
    def test_merged_list_has_parent_order_first_and_all_items(self, parent: Config, child: Config) -> None:
        both = merge(parent, child)
        names = [user.name for user in both.passwd.users]
        ours = [user.name for user in parent.passwd.users]
        theirs = [user.name for user in child.passwd.users]
        assert names == ours + [name for name in theirs if name not in ours]

    @given(configs(), configs(), configs())
    @settings(deadline=None, max_examples=60)
    def test_merge_is_associative(self, a: Config, b: Config, c: Config) -> None:
        """Holds where no item of a child moves between lists or removes a header."""
        left, right = merge(merge(a, b), c), merge(a, merge(b, c))
        assert left.passwd == right.passwd
        assert left.systemd == right.systemd
        assert left.storage.disks == right.storage.disks
        assert left.storage.filesystems == right.storage.filesystems
        assert left.storage.raid == right.storage.raid

    @given(configs(), configs())
    @settings(deadline=None, max_examples=60)
    def test_plain_values_of_child_win(self, parent: Config, child: Config) -> None:
        both = merge(parent, child)
        for field in fields_of(type(child.ignition.timeouts)):
            theirs = getattr(child.ignition.timeouts, field.attribute)
            ours = getattr(parent.ignition.timeouts, field.attribute)
            assert getattr(both.ignition.timeouts, field.attribute) == (ours if theirs is None else theirs)


def _is_node(path: Any) -> bool:
    """Nodes of different kinds can have the same path after merging."""
    return path[:2] in (("storage", "files"), ("storage", "directories"), ("storage", "links"))


def test_object_is_zero_only_without_set_fields() -> None:
    assert is_zero(File(path=""))
    assert is_zero(Owner(id=None))
    assert not is_zero(Owner(id=0))
    assert not is_zero(Owner(name=""))
