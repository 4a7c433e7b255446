"""The rules of config-spec section 5, but for those on disks, arrays, volumes and filesystems."""

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
        f"5.2 a {kind} at the path of a unit",
        {
            "systemd": {"units": [{"name": "a.service", "contents": "[Unit]\n"}]},
            "storage": {kind: [{"path": "/etc/systemd/system/a.service", **more}]},
        },
        (f"E $.storage.{kind}.0.path",),
    )
    for kind, more in (("files", {"mode": 420}), ("links", {"target": "/t"}))
] + [
    Rule(
        "5.2 a directory at the path of a drop-in",
        {
            "systemd": {
                "units": [{"name": "a.service", "dropins": [{"name": "b.conf", "contents": "[X]\n"}]}]
            },
            "storage": {"directories": [{"path": "/etc/systemd/system/a.service.d/b.conf"}]},
        },
        ("E $.storage.directories.0.path",),
    ),
    Rule(
        "5.2 a unit without contents takes no path",
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
    Rule("5.3 merge without source", merge(), (f"E {MERGE}",), V.V3_1),
    Rule("5.3 merge with an empty source", merge(source=""), (f"E {MERGE}",), V.V3_1),
    Rule("5.3 merge of an invalid URL", merge(source="foo"), (f"E {MERGE}", f"E {MERGE}.source"), V.V3_1),
    Rule("5.3 merge without source, before", merge(), (), last=V.V3_0),
    Rule("5.3 merge of an invalid URL, before", merge(source="foo"), (f"E {MERGE}.source",), last=V.V3_0),
    Rule("5.3 replace by an invalid URL", replace(source="foo"), (f"E {REPLACE}.source",)),
    Rule("5.3 replace by an empty URL", replace(source="")),
    Rule("5.3 authority without source", authority(), (f"E {AUTHORITY}",), V.V3_1),
    Rule(
        "5.3 authority with an invalid URL",
        authority(source="foo"),
        (f"E {AUTHORITY}", f"E {AUTHORITY}.source"),
        V.V3_1,
    ),
    Rule("5.3 authority without source, before", authority(), (f"E {AUTHORITY}.source",), last=V.V3_0),
    Rule("5.3 authority, before", authority(source="foo"), (f"E {AUTHORITY}.source",), last=V.V3_0),
    Rule("5.3 empty proxy", proxy(httpProxy=""), ("E $.ignition.proxy.httpProxy",), V.V3_1),
    Rule(
        "5.3 proxy of another scheme", proxy(httpProxy="ftp://p"), ("E $.ignition.proxy.httpProxy",), V.V3_1
    ),
    Rule("5.3 malformed proxy", proxy(httpsProxy="https://a b"), ("E $.ignition.proxy.httpsProxy",), V.V3_1),
    Rule("5.3 proxies", proxy(httpProxy="http://p", httpsProxy="https://p:3128"), (), V.V3_1),
    Rule("5.3 insecure proxy", proxy(httpsProxy="http://p"), ("W $.ignition.proxy.httpsProxy",), V.V3_1),
]

HEADER = {"name": "A", "value": "b"}
RESOURCE = [
    Rule("5.4 compression", contents(source="data:,", compression="xz"), (f"E {FILE}.contents.compression",)),
    Rule("5.4 compression gzip", contents(source="data:,", compression="gzip")),
    Rule("5.4 compression empty", contents(source="data:,", compression="")),
    Rule(
        "5.4 reference's compression",
        replace(source="data:,", compression="xz"),
        (f"E {REPLACE}.compression",),
        V.V3_1,
    ),
    Rule(
        "5.4 reference's compression, before",
        replace(source="data:,", compression="xz"),
        (f"W {REPLACE}.compression",),
        last=V.V3_0,
    ),
    Rule(
        "5.4 hash without source",
        contents(verification={"hash": SHA512}),
        (f"E {FILE}.contents.verification.hash",),
    ),
    Rule("5.4 hash with an empty source", contents(source="", verification={"hash": SHA512})),
    Rule(
        "5.4 reference's hash",
        replace(verification={"hash": SHA512}),
        (f"E {REPLACE}.verification.hash",),
        V.V3_1,
    ),
    Rule("5.4 reference's hash, before", replace(verification={"hash": SHA512}), (), last=V.V3_0),
    Rule("5.4 invalid source", contents(source="foo"), (f"E {FILE}.contents.source",)),
    Rule("5.4 invalid source to append", file(append=[{"source": "data:"}]), (f"E {FILE}.append.0.source",)),
    Rule(
        "5.4 headers without source",
        contents(httpHeaders=[HEADER]),
        (f"E {FILE}.contents.httpHeaders",),
        V.V3_1,
    ),
    Rule(
        "5.4 headers to data",
        contents(source="data:,", httpHeaders=[HEADER]),
        (f"E {FILE}.contents.httpHeaders",),
        V.V3_1,
    ),
    Rule("5.4 headers to http", contents(source="http://a", httpHeaders=[HEADER]), (), V.V3_1),
    Rule(
        "5.4 headers, before",
        contents(source="data:,", httpHeaders=[HEADER]),
        (f"W {FILE}.contents.httpHeaders",),
        last=V.V3_0,
    ),
    Rule(
        "5.4 header without name",
        contents(source="http://a", httpHeaders=[{"value": "b"}]),
        (f"E {FILE}.contents.httpHeaders.0.name",),
        V.V3_1,
    ),
    Rule(
        "5.4 header with empty value",
        contents(source="http://a", httpHeaders=[{"name": "A", "value": ""}]),
        (f"E {FILE}.contents.httpHeaders.0.value",),
        V.V3_1,
    ),
    Rule("5.4 header without value", contents(source="http://a", httpHeaders=[{"name": "A"}]), (), V.V3_1),
    Rule(
        "5.4 hash without function",
        contents(source="data:,", verification={"hash": "abc"}),
        (f"E {FILE}.contents.verification.hash",),
    ),
    Rule(
        "5.4 hash of another function",
        contents(source="data:,", verification={"hash": "md5-abc"}),
        (f"E {FILE}.contents.verification.hash",),
    ),
    Rule("5.4 sha256", contents(source="data:,", verification={"hash": SHA256}), (), V.V3_1),
    Rule(
        "5.4 sha256, before",
        contents(source="data:,", verification={"hash": SHA256}),
        (f"E {FILE}.contents.verification.hash",),
        last=V.V3_0,
    ),
    Rule(
        "5.4 hash too short",
        contents(source="data:,", verification={"hash": SHA512[:-1]}),
        (f"E {FILE}.contents.verification.hash",),
    ),
    Rule(
        "5.4 hash is not looked into", contents(source="data:,", verification={"hash": "sha512-" + "z" * 128})
    ),
]

NODES = [
    Rule("5.5 path missing", {"storage": {"directories": [{}]}}, (f"E {DIR}.path",)),
    Rule("5.5 path relative", directory(path="d"), (f"E {DIR}.path",)),
    Rule("5.5 path unclean", link(path="/l/."), (f"E {LINK}.path",)),
    Rule("5.5 the root is a path", directory(path="/")),
    Rule("5.5 user by id and name", file(user={"id": 0, "name": "root"}), (f"E {FILE}.user",)),
    Rule("5.5 group by id and name", directory(group={"id": 0, "name": "root"}), (f"E {DIR}.group",)),
    Rule("5.5 user by id and empty name", file(user={"id": 0, "name": ""})),
    Rule("5.5 mode too large", directory(mode=0o10000), (f"E {DIR}.mode",)),
    Rule("5.5 mode negative", file(mode=-1), (f"E {FILE}.mode",), V.V3_6),
    Rule("5.5 special bits", file(mode=0o4755), (f"W {FILE}.mode",), last=V.V3_5),
    Rule("5.5 special bits of a directory", directory(mode=0o1777), (f"W {DIR}.mode",), last=V.V3_5),
    Rule("5.5 special bits honoured", file(mode=0o6755), (), V.V3_6),
    Rule("5.5 overwrite without source", file(overwrite=True), (f"E {FILE}.overwrite",)),
    Rule("5.5 overwrite with an empty source", file(overwrite=True, contents={"source": ""})),
    Rule("5.5 overwrite of a directory", directory(overwrite=True)),
    Rule(
        "5.5 below two links",
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
    Rule("5.5 link without target", link(target=None), (f"E {LINK}.target",), V.V3_3),
    Rule("5.5 link with empty target", link(target=""), (f"E {LINK}.target",), V.V3_3),
    Rule("5.5 link without target, before", link(target=None), (), last=V.V3_2),
    Rule(
        "5.5 hard link to a directory",
        {
            "storage": {
                "links": [{"path": "/l", "target": "/x/../d", "hard": True}],
                "directories": [{"path": "/d"}],
            }
        },
        (f"E {LINK}",),
    ),
    Rule(
        "5.5 relative hard link to a directory starts at the link itself",
        {
            "storage": {
                "links": [{"path": "/l/m", "target": "../d", "hard": True}],
                "directories": [{"path": "/l/d"}],
            }
        },
        (f"E {LINK}",),
    ),
    Rule(
        "5.5 symbolic link to a directory",
        {"storage": {"links": [{"path": "/l", "target": "/d"}], "directories": [{"path": "/d"}]}},
    ),
    Rule(
        "5.5 hard link with owners",
        link(hard=True, user={"id": 0}, group={"name": "g"}),
        (f"W {LINK}.user.id", f"W {LINK}.group.name"),
    ),
    Rule("5.5 symbolic link with owners", link(user={"id": 0}, group={"name": "g"})),
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
    *(Rule(f"5.10 twice at {path}", fragment, (f"E {path}",), first) for fragment, path, first in TWICE),
    Rule("5.10 appended twice", file(append=[{"source": "data:,x"}] * 2)),
    Rule("5.10 options twice", filesystem(format="ext4", options=["x"] * 2)),
    Rule("5.10 mount options twice", filesystem(format="ext4", mountOptions=["x"] * 2), (), V.V3_1),
    Rule("5.10 RAID options twice", raid(options=["x"] * 2)),
    Rule("5.10 LUKS options twice", luks(options=["x"] * 2), (), V.V3_2),
    Rule(
        "5.10 one path in three lists",
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
        "5.10 header names differ by case",
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
    *(Rule(f"5.11 type {kind}", unit(name=f"a.b.{kind}")) for kind in TYPES),
    Rule("5.11 no type", unit(name="a"), (f"E {UNIT}.name",)),
    Rule("5.11 the type without its dot", unit(name="xservice"), (f"E {UNIT}.name",)),
    Rule("5.11 another type", unit(name="a.conf"), (f"E {UNIT}.name",)),
    Rule("5.11 the type is that of the last element", unit(name="a.service/b"), (f"E {UNIT}.name",)),
    Rule("5.11 contents", unit(contents="[Unit"), (f"E {UNIT}.contents",)),
    Rule("5.11 enabled without Install", unit(contents=GOOD, enabled=True), (f"W {UNIT}.contents",)),
    Rule(
        "5.11 enabled with empty Install",
        unit(contents=GOOD + "[Install]\n#A=b\n", enabled=True),
        (f"W {UNIT}.contents",),
    ),
    Rule("5.11 enabled with Install", unit(contents=GOOD + "[Install]\nWantedBy=x\n", enabled=True)),
    Rule("5.11 enabled without contents", unit(enabled=True)),
    Rule("5.11 enabled with broken contents", unit(contents="[", enabled=True), (f"E {UNIT}.contents",)),
    Rule("5.11 disabled without Install", unit(contents=GOOD, enabled=False)),
    Rule(
        "5.11 drop-in contents",
        unit(dropins=[{"name": "a.conf", "contents": "[X]\ny"}]),
        (f"E {UNIT}.dropins.0.contents",),
    ),
    Rule("5.11 drop-in name", unit(dropins=[{"name": "a.service"}]), (f"E {UNIT}.dropins.0.name",)),
    Rule(
        "5.11 instance of a template without Install",
        {
            "systemd": {
                "units": [{"name": "a@.service", "contents": GOOD}, {"name": "a@b.service", "enabled": True}]
            }
        },
        ("W $.systemd.units.1.contents",),
    ),
    Rule(
        "5.11 instance of a template that is not a service",
        {
            "systemd": {
                "units": [{"name": "a@.timer", "contents": GOOD}, {"name": "a@b.timer", "enabled": True}]
            }
        },
    ),
    Rule(
        "5.11 instance of a broken template",
        {
            "systemd": {
                "units": [{"name": "a@.service", "contents": "["}, {"name": "a@b.service", "enabled": True}]
            }
        },
        ("E $.systemd.units.0.contents",),
    ),
    Rule(
        "5.11 the template itself is no instance",
        {
            "systemd": {
                "units": [{"name": "a@.service", "contents": GOOD}, {"name": "@b.service", "enabled": True}]
            }
        },
    ),
]
