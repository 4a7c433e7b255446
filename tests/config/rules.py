# SPDX-License-Identifier: Apache-2.0
"""Validation rules, except those for disks, RAID, filesystems and LUKS.

Source: docs/reference/config-language.md, "Fields" and "Duplicates".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ignition.schemas.spec import LATEST, Spec
from tests.config.fragments import (
    AUTHORITY,
    DIR,
    FILE,
    LINK,
    LUKS,
    MERGE,
    RAID,
    REPLACE,
    UNIT,
    authority,
    clevis,
    contents,
    directory,
    file,
    filesystem,
    link,
    luks,
    merge,
    proxy,
    raid,
    replace,
    unit,
)

SHA512, SHA256 = "sha512-" + "a" * 128, "sha256-" + "b" * 64
V = Spec


@dataclass(frozen=True)
class Rule:
    name: str
    fragment: dict[str, Any]
    expected: tuple[str, ...] = ()
    first: Spec = Spec.V3_0
    last: Spec = LATEST


CONFIG_LEVEL = [
    Rule(
        f"config: a {kind} at the path of a unit",
        {
            "systemd": {"units": [{"name": "a.service", "contents": "[Unit]\n"}]},
            "storage": {kind: [{"path": "/etc/systemd/system/a.service", **more}]},
        },
        (f"E $.storage.{kind}.0.path",),
    )
    for kind, more in (("files", {"mode": 420}), ("links", {"target": "/t"}))
] + [
    Rule(
        "config: a directory at the path of a drop-in",
        {
            "systemd": {
                "units": [{"name": "a.service", "dropins": [{"name": "b.conf", "contents": "[X]\n"}]}]
            },
            "storage": {"directories": [{"path": "/etc/systemd/system/a.service.d/b.conf"}]},
        },
        ("E $.storage.directories.0.path",),
    ),
    Rule(
        "config: a unit without contents takes no path",
        {
            "systemd": {"units": [{"name": "a.service", "contents": ""}, {"name": "b.service"}]},
            "storage": {
                "files": [
                    {"path": "/etc/systemd/system/a.service"},
                    {"path": "/etc/systemd/system/b.service"},
                ]
            },
        },
    ),
]

IGNITION = [
    Rule("ignition: merge without source", merge(), (f"E {MERGE}",), V.V3_1),
    Rule("ignition: merge with an empty source", merge(source=""), (f"E {MERGE}",), V.V3_1),
    Rule(
        "ignition: merge of an invalid URL", merge(source="foo"), (f"E {MERGE}", f"E {MERGE}.source"), V.V3_1
    ),
    Rule("ignition: merge without source, older versions", merge(), (), last=V.V3_0),
    Rule(
        "ignition: merge of an invalid URL, older versions",
        merge(source="foo"),
        (f"E {MERGE}.source",),
        last=V.V3_0,
    ),
    Rule("ignition: replace by an invalid URL", replace(source="foo"), (f"E {REPLACE}.source",)),
    Rule("ignition: replace by an empty URL", replace(source="")),
    Rule("ignition: authority without source", authority(), (f"E {AUTHORITY}",), V.V3_1),
    Rule(
        "ignition: authority with an invalid URL",
        authority(source="foo"),
        (f"E {AUTHORITY}", f"E {AUTHORITY}.source"),
        V.V3_1,
    ),
    Rule(
        "ignition: authority without source, older versions",
        authority(),
        (f"E {AUTHORITY}.source",),
        last=V.V3_0,
    ),
    Rule(
        "ignition: authority, older versions",
        authority(source="foo"),
        (f"E {AUTHORITY}.source",),
        last=V.V3_0,
    ),
    Rule("ignition: empty proxy", proxy(httpProxy=""), ("E $.ignition.proxy.httpProxy",), V.V3_1),
    Rule(
        "ignition: proxy of another scheme",
        proxy(httpProxy="ftp://p"),
        ("E $.ignition.proxy.httpProxy",),
        V.V3_1,
    ),
    Rule(
        "ignition: malformed proxy",
        proxy(httpsProxy="https://a b"),
        ("E $.ignition.proxy.httpsProxy",),
        V.V3_1,
    ),
    Rule("ignition: proxies", proxy(httpProxy="http://p", httpsProxy="https://p:3128"), (), V.V3_1),
    Rule(
        "ignition: insecure proxy", proxy(httpsProxy="http://p"), ("W $.ignition.proxy.httpsProxy",), V.V3_1
    ),
]

HEADER = {"name": "A", "value": "b"}
RESOURCE = [
    Rule(
        "resource: compression",
        contents(source="data:,", compression="xz"),
        (f"E {FILE}.contents.compression",),
    ),
    Rule("resource: compression gzip", contents(source="data:,", compression="gzip")),
    Rule("resource: compression empty", contents(source="data:,", compression="")),
    Rule(
        "resource: reference's compression",
        replace(source="data:,", compression="xz"),
        (f"E {REPLACE}.compression",),
        V.V3_1,
    ),
    Rule(
        "resource: reference's compression, older versions",
        replace(source="data:,", compression="xz"),
        (f"W {REPLACE}.compression",),
        last=V.V3_0,
    ),
    Rule(
        "resource: hash without source",
        contents(verification={"hash": SHA512}),
        (f"E {FILE}.contents.verification.hash",),
    ),
    Rule("resource: hash with an empty source", contents(source="", verification={"hash": SHA512})),
    Rule(
        "resource: reference's hash",
        replace(verification={"hash": SHA512}),
        (f"E {REPLACE}.verification.hash",),
        V.V3_1,
    ),
    Rule(
        "resource: reference's hash, older versions", replace(verification={"hash": SHA512}), (), last=V.V3_0
    ),
    Rule("resource: invalid source", contents(source="foo"), (f"E {FILE}.contents.source",)),
    Rule(
        "resource: invalid source to append",
        file(append=[{"source": "data:"}]),
        (f"E {FILE}.append.0.source",),
    ),
    Rule(
        "resource: headers without source",
        contents(httpHeaders=[HEADER]),
        (f"E {FILE}.contents.httpHeaders",),
        V.V3_1,
    ),
    Rule(
        "resource: headers to data",
        contents(source="data:,", httpHeaders=[HEADER]),
        (f"E {FILE}.contents.httpHeaders",),
        V.V3_1,
    ),
    Rule("resource: headers to http", contents(source="http://a", httpHeaders=[HEADER]), (), V.V3_1),
    Rule(
        "resource: headers, older versions",
        contents(source="data:,", httpHeaders=[HEADER]),
        (f"W {FILE}.contents.httpHeaders",),
        last=V.V3_0,
    ),
    Rule(
        "resource: header without name",
        contents(source="http://a", httpHeaders=[{"value": "b"}]),
        (f"E {FILE}.contents.httpHeaders.0.name",),
        V.V3_1,
    ),
    Rule(
        "resource: header with empty value",
        contents(source="http://a", httpHeaders=[{"name": "A", "value": ""}]),
        (f"E {FILE}.contents.httpHeaders.0.value",),
        V.V3_1,
    ),
    Rule(
        "resource: header without value", contents(source="http://a", httpHeaders=[{"name": "A"}]), (), V.V3_1
    ),
    Rule(
        "resource: hash without function",
        contents(source="data:,", verification={"hash": "abc"}),
        (f"E {FILE}.contents.verification.hash",),
    ),
    Rule(
        "resource: hash of another function",
        contents(source="data:,", verification={"hash": "md5-abc"}),
        (f"E {FILE}.contents.verification.hash",),
    ),
    Rule("resource: sha256", contents(source="data:,", verification={"hash": SHA256}), (), V.V3_1),
    Rule(
        "resource: sha256, older versions",
        contents(source="data:,", verification={"hash": SHA256}),
        (f"E {FILE}.contents.verification.hash",),
        last=V.V3_0,
    ),
    Rule(
        "resource: hash too short",
        contents(source="data:,", verification={"hash": SHA512[:-1]}),
        (f"E {FILE}.contents.verification.hash",),
    ),
    Rule(
        "resource: hash is not looked into",
        contents(source="data:,", verification={"hash": "sha512-" + "z" * 128}),
    ),
]

NODES = [
    Rule("node: path missing", {"storage": {"directories": [{}]}}, (f"E {DIR}.path",)),
    Rule("node: path relative", directory(path="d"), (f"E {DIR}.path",)),
    Rule("node: path unclean", link(path="/l/."), (f"E {LINK}.path",)),
    Rule("node: the root is a path", directory(path="/")),
    Rule("node: user by id and name", file(user={"id": 0, "name": "root"}), (f"E {FILE}.user",)),
    Rule("node: group by id and name", directory(group={"id": 0, "name": "root"}), (f"E {DIR}.group",)),
    Rule("node: user by id and empty name", file(user={"id": 0, "name": ""})),
    Rule("node: mode too large", directory(mode=0o10000), (f"E {DIR}.mode",)),
    Rule("node: mode negative", file(mode=-1), (f"E {FILE}.mode",), V.V3_6),
    Rule("node: special bits", file(mode=0o4755), (f"W {FILE}.mode",), last=V.V3_5),
    Rule("node: special bits of a directory", directory(mode=0o1777), (f"W {DIR}.mode",), last=V.V3_5),
    Rule("node: special bits honoured", file(mode=0o6755), (), V.V3_6),
    Rule("node: overwrite without source", file(overwrite=True), (f"E {FILE}.overwrite",)),
    Rule("node: overwrite with an empty source", file(overwrite=True, contents={"source": ""})),
    Rule("node: overwrite of a directory", directory(overwrite=True)),
    Rule(
        "node: below two links",
        {
            "storage": {
                "links": [{"path": "/a", "target": "/t"}, {"path": "/a/b", "target": "/t"}],
                "directories": [{"path": "/a/b/c"}],
                "files": [{"path": "/a/x"}, {"path": "/ab"}],
            }
        },
        (
            "E $.storage.directories.0",
            "E $.storage.directories.0",
            "E $.storage.files.0",
            "E $.storage.links.1",
        ),
    ),
    Rule("node: link without target", link(target=None), (f"E {LINK}.target",), V.V3_3),
    Rule("node: link with empty target", link(target=""), (f"E {LINK}.target",), V.V3_3),
    Rule("node: link without target, older versions", link(target=None), (), last=V.V3_2),
    Rule(
        "node: hard link to a directory",
        {
            "storage": {
                "links": [{"path": "/l", "target": "/x/../d", "hard": True}],
                "directories": [{"path": "/d"}],
            }
        },
        (f"E {LINK}",),
    ),
    Rule(
        "node: relative hard link to a directory starts at the link itself",
        {
            "storage": {
                "links": [{"path": "/l/m", "target": "../d", "hard": True}],
                "directories": [{"path": "/l/d"}],
            }
        },
        (f"E {LINK}",),
    ),
    Rule(
        "node: symbolic link to a directory",
        {"storage": {"links": [{"path": "/l", "target": "/d"}], "directories": [{"path": "/d"}]}},
    ),
    Rule(
        "node: hard link with owners",
        link(hard=True, user={"id": 0}, group={"name": "g"}),
        (f"W {LINK}.user.id", f"W {LINK}.group.name"),
    ),
    Rule("node: symbolic link with owners", link(user={"id": 0}, group={"name": "g"})),
]

TWICE = [
    ({"storage": {"disks": [{"device": "/dev/a"}] * 2}}, "$.storage.disks.1", V.V3_0),
    ({"storage": {"raid": [raid()["storage"]["raid"][0]] * 2}}, "$.storage.raid.1", V.V3_0),
    ({"storage": {"luks": [luks()["storage"]["luks"][0]] * 2}}, "$.storage.luks.1", V.V3_2),
    ({"storage": {"filesystems": [{"device": "/dev/a"}] * 2}}, "$.storage.filesystems.1", V.V3_0),
    ({"storage": {"files": [{"path": "/a"}] * 2}}, "$.storage.files.1", V.V3_0),
    (raid(devices=["/dev/a"] * 2), f"{RAID}.devices.1", V.V3_0),
    (luks(openOptions=["a"] * 2), f"{LUKS}.openOptions.1", V.V3_4),
    (clevis(tang=[{"url": "http://t", "thumbprint": "x"}] * 2), f"{LUKS}.clevis.tang.1", V.V3_2),
    (contents(source="http://a", httpHeaders=[HEADER] * 2), f"{FILE}.contents.httpHeaders.1", V.V3_1),
    (proxy(noProxy=["a"] * 2), "$.ignition.proxy.noProxy.1", V.V3_1),
    ({"ignition": {"config": {"merge": [{"source": "data:,"}] * 2}}}, "$.ignition.config.merge.1", V.V3_0),
    (
        {"ignition": {"security": {"tls": {"certificateAuthorities": [{"source": "data:,"}] * 2}}}},
        "$.ignition.security.tls.certificateAuthorities.1",
        V.V3_0,
    ),
    ({"passwd": {"users": [{"name": "a"}] * 2}}, "$.passwd.users.1", V.V3_0),
    ({"passwd": {"groups": [{"name": "a"}] * 2}}, "$.passwd.groups.1", V.V3_0),
    ({"passwd": {"users": [{"name": "a", "groups": ["g"] * 2}]}}, "$.passwd.users.0.groups.1", V.V3_0),
    (
        {"passwd": {"users": [{"name": "a", "sshAuthorizedKeys": ["g"] * 2}]}},
        "$.passwd.users.0.sshAuthorizedKeys.1",
        V.V3_0,
    ),
    ({"systemd": {"units": [{"name": "a.service"}] * 2}}, "$.systemd.units.1", V.V3_0),
    (unit(dropins=[{"name": "a.conf"}] * 2), f"{UNIT}.dropins.1", V.V3_0),
    ({"kernelArguments": {"shouldExist": ["a"] * 2}}, "$.kernelArguments.shouldExist.1", V.V3_3),
]
DUPLICATES = [
    *(
        Rule(f"duplicate: twice at {path}", fragment, (f"E {path}",), first)
        for fragment, path, first in TWICE
    ),
    Rule("duplicate: appended twice", file(append=[{"source": "data:,x"}] * 2)),
    Rule("duplicate: options twice", filesystem(format="ext4", options=["x"] * 2)),
    Rule("duplicate: mount options twice", filesystem(format="ext4", mountOptions=["x"] * 2), (), V.V3_1),
    Rule("duplicate: RAID options twice", raid(options=["x"] * 2)),
    Rule("duplicate: LUKS options twice", luks(options=["x"] * 2), (), V.V3_2),
    Rule(
        "duplicate: one path in three lists",
        {
            "storage": {
                "directories": [{"path": "/a"}],
                "files": [{"path": "/a"}],
                "links": [{"path": "/a", "target": "/t"}],
            }
        },
        ("E $.storage.files.0", "E $.storage.links.0"),
    ),
    Rule(
        "duplicate: header names differ by case",
        contents(source="http://a", httpHeaders=[HEADER, {"name": "a", "value": "c"}]),
        (),
        V.V3_1,
    ),
]

GOOD = "[Unit]\nA=b\n"
TYPES = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "snapshot",
    "slice",
    "scope",
]
UNITS = [
    *(Rule(f"unit: type {kind}", unit(name=f"a.b.{kind}")) for kind in TYPES),
    Rule("unit: no type", unit(name="a"), (f"E {UNIT}.name",)),
    Rule("unit: the type without its dot", unit(name="xservice"), (f"E {UNIT}.name",)),
    Rule("unit: another type", unit(name="a.conf"), (f"E {UNIT}.name",)),
    Rule("unit: the type is that of the last element", unit(name="a.service/b"), (f"E {UNIT}.name",)),
    Rule("unit: contents", unit(contents="[Unit"), (f"E {UNIT}.contents",)),
    Rule("unit: enabled without Install", unit(contents=GOOD, enabled=True), (f"W {UNIT}.contents",)),
    Rule(
        "unit: enabled with empty Install",
        unit(contents=GOOD + "[Install]\n#A=b\n", enabled=True),
        (f"W {UNIT}.contents",),
    ),
    Rule("unit: enabled with Install", unit(contents=GOOD + "[Install]\nWantedBy=x\n", enabled=True)),
    Rule("unit: enabled without contents", unit(enabled=True)),
    Rule("unit: enabled with broken contents", unit(contents="[", enabled=True), (f"E {UNIT}.contents",)),
    Rule("unit: disabled without Install", unit(contents=GOOD, enabled=False)),
    Rule(
        "unit: drop-in contents",
        unit(dropins=[{"name": "a.conf", "contents": "[X]\ny"}]),
        (f"E {UNIT}.dropins.0.contents",),
    ),
    Rule("unit: drop-in name", unit(dropins=[{"name": "a.service"}]), (f"E {UNIT}.dropins.0.name",)),
    Rule(
        "unit: instance of a template without Install",
        {
            "systemd": {
                "units": [{"name": "a@.service", "contents": GOOD}, {"name": "a@b.service", "enabled": True}]
            }
        },
        ("W $.systemd.units.1.contents",),
    ),
    Rule(
        "unit: instance of a template that is not a service",
        {
            "systemd": {
                "units": [{"name": "a@.timer", "contents": GOOD}, {"name": "a@b.timer", "enabled": True}]
            }
        },
    ),
    Rule(
        "unit: instance of a broken template",
        {
            "systemd": {
                "units": [{"name": "a@.service", "contents": "["}, {"name": "a@b.service", "enabled": True}]
            }
        },
        ("E $.systemd.units.0.contents",),
    ),
    Rule(
        "unit: the template itself is no instance",
        {
            "systemd": {
                "units": [{"name": "a@.service", "contents": GOOD}, {"name": "@b.service", "enabled": True}]
            }
        },
    ),
]
