"""Merging: each consequence that config-spec section 8 lists, and the laws that hold for all configs."""

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


def test_a_childs_source_leaves_the_parents_hash_compression_and_headers() -> None:
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
def test_a_child_cannot_take_a_value_back_but_can_set_it_empty(value: str | None, result: str) -> None:
    both = merged(
        {"passwd": {"users": [{"name": "u", "homeDir": "/home/x"}]}},
        {"passwd": {"users": [{"name": "u", "homeDir": value}]}},
    )
    assert both.passwd.users[0].home_dir == result


@pytest.mark.parametrize("value", [0, 5])
def test_zero_and_false_are_values(value: int) -> None:
    both = merged(
        {"passwd": {"users": [{"name": "u", "uid": 7, "system": True}]}},
        {"passwd": {"users": [{"name": "u", "uid": value, "system": False}]}},
    )
    assert (both.passwd.users[0].uid, both.passwd.users[0].system) == (value, False)


def test_an_id_of_the_parent_and_a_name_of_the_child_do_not_go_together() -> None:
    both = merged(
        {"storage": {"files": [{"path": "/a", "user": {"id": 5}}]}},
        {"storage": {"files": [{"path": "/a", "user": {"name": "u"}}]}},
    )
    assert both.storage.files[0].user == Owner(id=5, name="u")
    assert [entry.code for entry in check_config(both)] == ["id-and-name"]


def test_partitions_by_label_and_by_number_are_not_the_same() -> None:
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
def test_a_childs_link_takes_the_place_of_the_parents_node(kind: str) -> None:
    result = storage(
        {kind: [{"path": "/a"}], "links": [{"path": "/l", "target": "/t"}]},
        {"links": [{"path": "/a", "target": "/b"}, {"path": "/l", "target": "/u"}]},
    )
    assert (result.files, result.directories) == ((), ())
    assert result.links == (Link(path="/l", target="/u"), Link(path="/a", target="/b"))


def test_a_childs_file_takes_the_place_of_the_parents_directory() -> None:
    result = storage({"directories": [{"path": "/a"}, {"path": "/b"}]}, {"files": [{"path": "/a"}]})
    assert (result.directories, result.files) == ((Directory(path="/b"),), (File(path="/a"),))


def test_kernel_arguments_share_one_key_space() -> None:
    both = merged(
        {"kernelArguments": {"shouldExist": ["a", "b", "c"], "shouldNotExist": ["x", "y"]}},
        {"kernelArguments": {"shouldExist": ["x", "d", "a"], "shouldNotExist": ["b", "z"]}},
    )
    assert both.kernel_arguments == KernelArguments(
        should_exist=("a", "c", "x", "d"), should_not_exist=("y", "b", "z")
    )


def test_keys_and_groups_of_users_are_united_parents_first() -> None:
    both = merged(
        {"passwd": {"users": [{"name": "u", "groups": ["b", "a"], "sshAuthorizedKeys": ["k"]}]}},
        {"passwd": {"users": [{"name": "u", "groups": ["c", "a"], "sshAuthorizedKeys": ["l", "k"]}]}},
    )
    assert both.passwd.users[0].groups == ("b", "a", "c")
    assert both.passwd.users[0].ssh_authorized_keys == ("k", "l")


def test_options_are_concatenated_and_open_options_united() -> None:
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


def test_what_is_appended_to_a_file_adds_up() -> None:
    one = {"files": [{"path": "/a", "append": [{"source": "data:,x"}]}]}
    assert [resource.source for resource in storage(one, one).files[0].append] == ["data:,x", "data:,x"]


def test_drop_ins_merge_by_name_within_their_unit() -> None:
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

    def test_names_are_compared_with_their_case(self) -> None:
        assert self.merged([{"name": "A", "value": "1"}], [{"name": "a", "value": "2"}]) == [
            ("A", "1"),
            ("a", "2"),
        ]

    def test_a_value_replaces(self) -> None:
        assert self.merged([{"name": "A", "value": "1"}], [{"name": "A", "value": "2"}]) == [("A", "2")]

    def test_no_value_removes(self) -> None:
        assert self.merged([{"name": "A", "value": "1"}, {"name": "B", "value": "1"}], [{"name": "A"}]) == [
            ("B", "1")
        ]

    def test_no_value_stays_when_the_parent_says_nothing_at_all(self) -> None:
        result = storage(
            {"files": [{"path": "/a", "mode": 5}]},
            {"files": [{"path": "/a", "contents": {"source": "http://a", "httpHeaders": [{"name": "A"}]}}]},
        )
        assert result.files[0].contents.http_headers == (HttpHeader(name="A"),)

    def test_no_value_stays_when_there_is_nothing_to_remove(self) -> None:
        assert self.merged([{"name": "A", "value": "1"}], [{"name": "B"}]) == [("A", "1"), ("B", None)]


def test_the_list_of_what_is_merged_adds_up_by_source() -> None:
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
    def test_nothing_merged_over_a_config_leaves_it(self, one: Config) -> None:
        assert merge(one, Config.empty()) == one

    @given(configs())
    @settings(deadline=None, max_examples=60)
    def test_a_config_merged_over_nothing_is_itself(self, one: Config) -> None:
        assert merge(Config.empty(), one) == one

    @given(configs(), configs())
    @settings(deadline=None, max_examples=60)
    def test_keys_stay_unique(self, parent: Config, child: Config) -> None:
        assert not [entry.path for entry in duplicates(merge(parent, child)) if not _is_node(entry.path)]

    @given(configs(), configs())
    @settings(deadline=None, max_examples=60)
    def test_the_parents_order_comes_first_and_nothing_is_lost(self, parent: Config, child: Config) -> None:
        both = merge(parent, child)
        names = [user.name for user in both.passwd.users]
        ours = [user.name for user in parent.passwd.users]
        theirs = [user.name for user in child.passwd.users]
        assert names == ours + [name for name in theirs if name not in ours]

    @given(configs(), configs(), configs())
    @settings(deadline=None, max_examples=60)
    def test_it_does_not_matter_which_two_are_merged_first(self, a: Config, b: Config, c: Config) -> None:
        """True where a child's item neither moves between lists nor removes a header."""
        left, right = merge(merge(a, b), c), merge(a, merge(b, c))
        assert left.passwd == right.passwd
        assert left.systemd == right.systemd
        assert left.storage.disks == right.storage.disks
        assert left.storage.filesystems == right.storage.filesystems
        assert left.storage.raid == right.storage.raid

    @given(configs(), configs())
    @settings(deadline=None, max_examples=60)
    def test_a_childs_plain_values_win(self, parent: Config, child: Config) -> None:
        both = merge(parent, child)
        for field in fields_of(type(child.ignition.timeouts)):
            theirs = getattr(child.ignition.timeouts, field.attribute)
            ours = getattr(parent.ignition.timeouts, field.attribute)
            assert getattr(both.ignition.timeouts, field.attribute) == (ours if theirs is None else theirs)


def _is_node(path: Any) -> bool:
    """Files, directories and links can meet when each document had one of two lists."""
    return path[:2] in (("storage", "files"), ("storage", "directories"), ("storage", "links"))


def test_an_object_is_zero_only_when_it_says_nothing() -> None:
    assert is_zero(File(path=""))
    assert is_zero(Owner(id=None))
    assert not is_zero(Owner(id=0))
    assert not is_zero(Owner(name=""))
