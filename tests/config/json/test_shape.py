# SPDX-License-Identifier: Apache-2.0
"""Decoding rules; docs/reference/config-language.md, "JSON decoding"."""

from __future__ import annotations

import pytest

from ignition.config.json.shape import Shape, shape_of
from ignition.config.parse import check
from ignition.configpath import format_path
from ignition.schemas.config import Config
from ignition.schemas.spec import Spec
from tests.config.shorthand import findings

HEAD = '{"ignition":{"version":"3.3.0"},'


def read(body: str) -> Config:
    """Return the config of a document with these members after its version."""
    config = check((HEAD + body + "}").encode()).config
    assert config is not None
    return config


def findings_of(body: str) -> list[str]:
    return findings(check((HEAD + body + "}").encode()))


def paths_of(shape: Shape) -> int:
    return sum(1 if slot.shape is None else 1 + paths_of(slot.shape) for slot in shape.slots.values())


@pytest.mark.parametrize(
    ("spec", "count"),
    list(zip(Spec, (117, 140, 168, 171, 174, 176, 176, 176), strict=True)),
)
def test_shape_of_each_version_has_number_of_fields_of_reference(spec: Spec, count: int) -> None:
    assert paths_of(shape_of(Config, spec)) == count


class TestKeys:
    def test_key_in_other_case_takes_effect_with_warning(self) -> None:
        body = '"Storage":{"FILES":[{"PATH":"/a"}]}'
        assert [file.path for file in read(body).storage.files] == ["/a"]
        assert findings_of(body) == ["W $.Storage"]

    def test_long_s_and_kelvin_sign_match_s_and_k(self) -> None:
        body = '"\u017ftorage":{"links":[{"path":"/l","target":"t"}],"di\u017f\u212as":[{"device":"/d"}]}'
        assert read(body).storage.disks[0].device == "/d"

    def test_last_of_exact_and_other_case_key_wins(self) -> None:
        assert read('"storage":{"files":[{"path":"/a","Path":"/b"}]}').storage.files[0].path == "/b"

    def test_unknown_key_is_warned_of_once(self) -> None:
        body = '"x":{"y":1},"storage":{"files":[{"path":"/a","z":{"path":5}}]}'
        assert findings_of(body) == ["W $.x", "W $.storage.files.0.z"]

    def test_key_of_later_version_hint_names_version(self) -> None:
        checked = check(b'{"ignition":{"version":"3.1.0"},"storage":{"luks":[]}}')
        (entry,) = checked.report
        assert (entry.message, entry.code) == ("unused key luks", "newer-key")
        assert entry.hint == "set `ignition.version` to 3.2.0 or later: in spec 3.1.0 `luks` has no effect"

    def test_misspelt_key_hint_names_similar_key(self) -> None:
        (entry,) = check((HEAD + '"storage":{"file":[]}}').encode()).report
        assert entry.hint == "rename the key to `files`"

    def test_last_of_repeated_scalars_wins(self) -> None:
        assert read('"storage":{"files":[{"path":"/a","path":"/b"}]}').storage.files[0].path == "/b"

    def test_repeated_object_is_decoded_over_earlier_one(self) -> None:
        body = '"passwd":{"users":[{"name":"u","uid":1,"shell":"/s"}]},"passwd":{"groups":[{"name":"g"}]}'
        config = read(body)
        assert (config.passwd.users[0].uid, config.passwd.groups[0].name) == (1, "g")

    def test_repeated_list_is_decoded_over_earlier_items_and_shortened(self) -> None:
        files = read('"storage":{"files":[{"path":"/a"},{"path":"/b"}],"files":[{"mode":5}]}').storage.files
        assert [(file.path, file.mode) for file in files] == [("/a", 5)]

    def test_removed_items_return_in_longer_third_list(self) -> None:
        three = '"storage":{"files":[{"path":"/a"},{"path":"/b"}],"files":[{"mode":5}],"files":[{},{}]}'
        assert [file.path for file in read(three).storage.files] == ["/a", "/b"]

    @pytest.mark.parametrize("between", ["[]", "null"])
    def test_empty_list_in_between_drops_removed_items(self, between: str) -> None:
        body = f'"storage":{{"files":[{{"path":"/a"}}],"files":{between},"files":[{{}}]}}'
        assert [file.path for file in read(body).storage.files] == [""]


class TestNull:
    def test_null_unsets_optional_scalar(self) -> None:
        user = read('"passwd":{"users":[{"name":"u","uid":1,"uid":null,"shell":null}]}').passwd.users[0]
        assert (user.uid, user.shell) == (None, None)

    def test_null_keeps_scalar_that_cannot_be_null(self) -> None:
        assert read('"passwd":{"users":[{"name":"u","name":null}]}').passwd.users[0].name == "u"
        partition = '"storage":{"disks":[{"device":"/d","partitions":[{"number":1,"number":null}]}]}'
        assert read(partition).storage.disks[0].partitions[0].number == 1

    def test_null_object_is_empty_with_warning(self) -> None:
        body = '"storage":null,"passwd":{"users":[null]}'
        assert read(body).passwd.users == (read('"passwd":{"users":[{}]}').passwd.users[0],)
        assert findings_of(body) == ["W $.passwd.users.0", "W $.storage"]

    def test_null_keeps_earlier_object(self) -> None:
        assert read('"passwd":{"users":[{"name":"u"}]},"passwd":null').passwd.users[0].name == "u"

    def test_null_list_is_empty_without_warning(self) -> None:
        body = '"storage":{"files":null},"passwd":{"users":[{"name":"u","groups":[null]}]}'
        assert findings_of(body) == []
        assert read(body).passwd.users[0].groups == ("",)


class TestTypes:
    @pytest.mark.parametrize(
        "literal",
        ["420.0", "4e2", '"420"', "9223372036854775808", "-9223372036854775809", "true", "[]", "{}"],
    )
    def test_integer_field_refuses_other_values(self, literal: str) -> None:
        checked = check((HEAD + f'"passwd":{{"users":[{{"name":"u","uid":{literal}}}]}}}}').encode())
        (entry,) = checked.report
        assert (entry.severity.value, entry.path, entry.code) == ("error", None, "wrong-type")
        assert entry.message.startswith("$.passwd.users.0.uid: expected an integer, found ")
        assert checked.failure is not None

    @pytest.mark.parametrize(
        ("literal", "value"),
        [("-0", 0), ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63))],
    )
    def test_integer_field_accepts_64_bit_literals(self, literal: str, value: int) -> None:
        assert read(f'"passwd":{{"users":[{{"name":"u","uid":{literal}}}]}}').passwd.users[0].uid == value

    @pytest.mark.parametrize("literal", ["1", "0", '"true"', "[]"])
    def test_boolean_field_refuses_other_values(self, literal: str) -> None:
        (entry,) = check(
            (HEAD + f'"passwd":{{"users":[{{"name":"u","system":{literal}}}]}}}}').encode()
        ).report
        assert entry.code == "wrong-type"

    def test_wrong_types_are_all_reported_in_order_without_other_findings(self) -> None:
        body = '"storage":{"files":[{"path":5},{"mode":"x"}],"links":7},"zzz":1'
        checked = check((HEAD + body + "}").encode())
        assert [format_path(entry.mismatch.path) for entry in checked.report if entry.mismatch] == [
            "$.storage.files.0.path",
            "$.storage.files.1.mode",
            "$.storage.links",
        ]
        assert checked.config is None

    def test_wrong_type_error_does_not_contain_value(self) -> None:
        checked = check((HEAD + '"passwd":{"users":[{"name":"u","uid":"geheim"}]}}').encode())
        assert "geheim" not in str(checked.report)

    def test_invalid_utf8_becomes_replacement_characters(self) -> None:
        data = HEAD.encode() + b'"passwd":{"users":[{"name":"\xe2\x82","gecos":"\\ud800x"}]}}'
        config = check(data).config
        assert config is not None
        assert (config.passwd.users[0].name, config.passwd.users[0].gecos) == ("\ufffd\ufffd", "\ufffdx")


DOCUMENTS = [
    (HEAD + body + "}").encode()
    for body in (
        '"Storage":{"FILES":[{"PATH":"a"}]}',
        '"storage":{"Files":[{"path":"a","x":1}],"files":[{"path":"b"}]}',
        '"storage":{"files":[{"path":"a"}],"files":[{"mode":-1}]}',
        '"storage":{"files":[{"path":"/a"},{"path":"b"}],"files":[{"mode":5}],"files":[{},{}]}',
        '"storage":{"files":[{"path":"/a"}],"files":[],"files":[{}]}',
        '"storage":{"files":[{"path":"/a"}],"files":null,"files":[{}]}',
        '"storage":{"files":[{"path":"a"}]},"storage":null',
        '"storage":null,"passwd":{"users":[null,{"groups":[null,null]}]}',
        '"passwd":{"users":[{"uid":420.0}]}',
        '"passwd":{"users":[{"uid":9223372036854775808}]}',
        '"passwd":{"users":[{"uid":1e2}]}',
        '"passwd":{"users":[{"uid":-0}]}',
        '"passwd":{"users":[{"system":1,"uid":"x"}]}',
        '"passwd":{"users":[5]}',
        '"passwd":{"users":{}}',
        '"passwd":[]',
        '"x":[{"y":NaN}]',
        '"x":[1,]',
        '"x":01',
        '"x":"\t"',
        '"x":"\\ud800\\u0041","x":"\\q"',
        '"é":"é","x":[\n{}\n],\n "é":{"y":1}',
        '"storage":{"links":[{"path":"/l"}]}',
        '"storage":{"luks":[{"name":"l","device":"/d","clevis":null,"keyFile":null}]}',
    )
] + [
    b"",
    b" ",
    b"null",
    b"{}",
    b"[]",
    b"5",
    b'"x"',
    b"{",
    b'{"ignition":[]}',
    b'{"ignition":{"version":5}}',
    b'{"ignition":{"version":null}}',
    b'{"ignition":null}',
    b'{"ignition":{"version":"3.3.0"}} x',
    b'{"ignition":{"version":"3.3.0"}}\n\n',
    b'\xef\xbb\xbf{"ignition":{"version":"3.3.0"}}',
    b"\x1f\x8b\x08",
    b"#cloud-config\n",
    b"\xff\xfe{\x00}\x00",
    *(
        b'{"ignition":{"version":"%s"}}' % version
        for version in (
            b"03.0.0",
            b"3.00.0",
            b"3.0.0-",
            b"3.0.0+",
            b"3.0.0+x",
            b"3",
            b"3.0",
            b"3.9.0",
            b"2.3.0",
        )
    ),
    b'{"ignition":{"version":"3.0.0"},"ignition":{"version":"3.1.0"}}',
    b'{"ignition":{"version":"3.3.0"},"x":' + b"[" * 9998 + b"]" * 9998 + b"}",
    b'{"ignition":{"version":"3.3.0"},"x":' + b"[" * 10001 + b"]" * 10001 + b"}",
]
"""Documents whose verdict is compared with that of the packaged reference."""
