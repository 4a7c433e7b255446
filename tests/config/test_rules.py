"""Every rule of config-spec section 5, in every version that has it.

A row says what a fragment gets from its first version on, and until which one. In
earlier versions of the spec it must not get that entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ignition.schemas.spec import LATEST, Spec
from tests.config.spoken import verdict

SHA512, SHA256 = "sha512-" + "a" * 128, "sha256-" + "b" * 64
GUID = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


@dataclass(frozen=True)
class Rule:
    name: str
    fragment: dict[str, Any]
    expected: tuple[str, ...] = ()
    first: Spec = Spec.V3_0
    last: Spec = LATEST


def file(**fields: Any) -> dict[str, Any]:
    return {"storage": {"files": [{"path": "/f", **fields}]}}


def contents(**fields: Any) -> dict[str, Any]:
    return file(contents=fields)


def directory(**fields: Any) -> dict[str, Any]:
    return {"storage": {"directories": [{"path": "/d", **fields}]}}


def link(**fields: Any) -> dict[str, Any]:
    return {"storage": {"links": [{"path": "/l", "target": "/t", **fields}]}}


def partitions(*partitions: dict[str, Any]) -> dict[str, Any]:
    return {"storage": {"disks": [{"device": "/dev/a", "partitions": list(partitions)}]}}


def filesystem(**fields: Any) -> dict[str, Any]:
    return {"storage": {"filesystems": [{"device": "/dev/a", **fields}]}}


def raid(**fields: Any) -> dict[str, Any]:
    return {"storage": {"raid": [{"name": "r", "level": "raid1", "devices": ["/dev/a"], **fields}]}}


def luks(**fields: Any) -> dict[str, Any]:
    return {"storage": {"luks": [{"name": "l", "device": "/dev/a", **fields}]}}


def clevis(**fields: Any) -> dict[str, Any]:
    return luks(clevis=fields)


def tang(**fields: Any) -> dict[str, Any]:
    return clevis(tang=[{"url": "http://t", "thumbprint": "x", **fields}])


def unit(**fields: Any) -> dict[str, Any]:
    return {"systemd": {"units": [{"name": "u.service", **fields}]}}


def merge(**fields: Any) -> dict[str, Any]:
    return {"ignition": {"config": {"merge": [fields]}}}


def replace(**fields: Any) -> dict[str, Any]:
    return {"ignition": {"config": {"replace": fields}}}


def authority(**fields: Any) -> dict[str, Any]:
    return {"ignition": {"security": {"tls": {"certificateAuthorities": [fields]}}}}


def proxy(**fields: Any) -> dict[str, Any]:
    return {"ignition": {"proxy": fields}}


FILE, DIR, LINK = "$.storage.files.0", "$.storage.directories.0", "$.storage.links.0"
DISK, PART = "$.storage.disks.0", "$.storage.disks.0.partitions"
FS, RAID, LUKS = "$.storage.filesystems.0", "$.storage.raid.0", "$.storage.luks.0"
UNIT, MERGE, REPLACE = "$.systemd.units.0", "$.ignition.config.merge.0", "$.ignition.config.replace"
AUTHORITY = "$.ignition.security.tls.certificateAuthorities.0"
V = Spec

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

DISKS = [
    Rule(
        "5.6 device missing",
        {"storage": {"disks": [{"partitions": [{"number": 1}, {"number": 1}]}]}},
        (f"E {DISK}.device", f"E {PART}.1"),
    ),
    Rule("5.6 device relative", {"storage": {"disks": [{"device": "sda"}]}}, (f"E {DISK}.device",)),
    Rule(
        "5.6 numbers twice",
        partitions({"number": 2}, {"number": 1}, {"number": 2}),
        (f"E {PART}.2", f"E {PART}.2"),
    ),
    Rule("5.6 number 0 twice", partitions({"label": "a"}, {"label": "b"})),
    Rule(
        "5.6 overlap",
        partitions({"number": 1, "startMiB": 10, "sizeMiB": 1}, {"number": 2, "startMiB": 9, "sizeMiB": 2}),
        (f"E {PART}.1",),
    ),
    Rule(
        "5.6 one in the other",
        partitions({"number": 1, "startMiB": 1, "sizeMiB": 9}, {"number": 2, "startMiB": 3, "sizeMiB": 2}),
        (f"E {PART}.1",),
    ),
    Rule(
        "5.6 size 0 is a point",
        partitions({"number": 1, "startMiB": 5, "sizeMiB": 0}, {"number": 2, "startMiB": 5, "sizeMiB": 3}),
        (f"E {PART}.1",),
    ),
    Rule(
        "5.6 side by side",
        partitions({"number": 1, "startMiB": 1, "sizeMiB": 9}, {"number": 2, "startMiB": 10, "sizeMiB": 2}),
    ),
    Rule(
        "5.6 start 0 does not overlap",
        partitions({"number": 1, "startMiB": 0, "sizeMiB": 9}, {"number": 2, "startMiB": 1, "sizeMiB": 2}),
    ),
    Rule(
        "5.6 unknown size does not overlap",
        partitions({"number": 1, "startMiB": 1}, {"number": 2, "startMiB": 1, "sizeMiB": 2}),
    ),
    Rule(
        "5.6 labels twice",
        partitions({"number": 1, "label": "x"}, {"number": 2, "label": "x"}),
        (f"E {PART}.1",),
    ),
    Rule(
        "5.6 empty labels twice",
        partitions({"number": 1, "label": ""}, {"number": 2, "label": ""}),
        (f"E {PART}.1",),
    ),
    *(
        Rule(
            f"5.6 not existing with {name}",
            partitions({"number": 1, "shouldExist": False, name: value}),
            (f"E {PART}.0",),
        )
        for name, value in {"label": "", "guid": GUID, "typeGuid": GUID, "startMiB": 0, "sizeMiB": 0}.items()
    ),
    Rule(
        "5.6 not existing with empty GUIDs",
        partitions({"number": 1, "shouldExist": False, "guid": "", "typeGuid": ""}),
    ),
    Rule("5.6 not existing beside number 0", partitions({"number": 1, "shouldExist": False}, {"label": "x"})),
    Rule("5.6 neither number nor label", partitions({}), (f"E {PART}.0",)),
    Rule("5.6 label of 36 bytes", partitions({"label": "é" * 18})),
    Rule("5.6 label of 38 bytes", partitions({"label": "é" * 19}), (f"E {PART}.0.label",)),
    Rule("5.6 label with a colon", partitions({"label": "a:b"}), (f"E {PART}.0.label",)),
    Rule("5.6 GUIDs", partitions({"number": 1, "guid": GUID.lower(), "typeGuid": GUID})),
    Rule(
        "5.6 malformed GUIDs",
        partitions({"number": 1, "guid": GUID + "\n", "typeGuid": GUID[1:]}),
        (f"E {PART}.0.guid", f"E {PART}.0.typeGuid"),
    ),
]

LEVELS = [
    "linear",
    "raid0",
    "0",
    "stripe",
    "raid1",
    "1",
    "mirror",
    "raid4",
    "4",
    "raid5",
    "5",
    "raid6",
    "6",
    "raid10",
    "10",
]
ARRAYS = [
    *(Rule(f"5.7 level {level}", raid(level=level)) for level in LEVELS),
    *(
        Rule(f"5.7 spares of {level}", raid(level=level, spares=1), (f"E {RAID}.level",))
        for level in LEVELS[:4]
    ),
    *(Rule(f"5.7 spares of {level}", raid(level=level, spares=1)) for level in LEVELS[4:]),
    Rule("5.7 no spares", raid(level="raid0", spares=0)),
    Rule("5.7 level missing", raid(level=None), (f"E {RAID}.level",)),
    Rule("5.7 level unknown", raid(level="raid7"), (f"E {RAID}.level",)),
    Rule("5.7 no devices", raid(devices=[]), (f"E {RAID}.devices",)),
    Rule("5.7 a device's path", raid(devices=["/dev/a", "b"]), (f"E {RAID}.devices.1",)),
    Rule("5.7 no name", raid(name="")),
]

FILESYSTEMS = [
    Rule("5.8 path", filesystem(format="ext4", path="a"), (f"E {FS}.path",)),
    Rule("5.8 empty path", filesystem(format="ext4", path="")),
    Rule("5.8 device missing", {"storage": {"filesystems": [{"format": "ext4"}]}}, (f"E {FS}.device",)),
    Rule(
        "5.8 device relative",
        {"storage": {"filesystems": [{"device": "x", "format": "ext4"}]}},
        (f"E {FS}.device",),
    ),
    *(
        Rule(f"5.8 no format with {name}", filesystem(**{name: value}), (f"E {FS}.format",))
        for name, value in {"path": "/a", "uuid": "x", "wipeFilesystem": True, "options": ["x"]}.items()
    ),
    Rule("5.8 no format with mount options", filesystem(mountOptions=["x"]), (f"E {FS}.format",), V.V3_1),
    Rule("5.8 no format with a label", filesystem(label="x"), (f"E {FS}.format", f"E {FS}.label")),
    Rule("5.8 no format but nothing else", filesystem(path="", label="", uuid="", wipeFilesystem=False)),
    *(
        Rule(f"5.8 format {name}", filesystem(format=name))
        for name in ("ext4", "btrfs", "xfs", "swap", "vfat")
    ),
    Rule("5.8 format none", filesystem(format="none"), (), V.V3_3),
    Rule("5.8 format none, before", filesystem(format="none"), (f"E {FS}.format",), last=V.V3_2),
    Rule("5.8 format virtiofs", filesystem(format="virtiofs"), (), V.V3_7),
    Rule(
        "5.8 format virtiofs, before",
        filesystem(format="virtiofs", label="x"),
        (f"E {FS}.format",),
        last=V.V3_6,
    ),
    Rule("5.8 format unknown", filesystem(format="zfs"), (f"E {FS}.format",)),
    *(
        Rule(f"5.8 label of {name}: {length} bytes", filesystem(format=name, label="x" * length))
        for name, length in {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}.items()
    ),
    *(
        Rule(
            f"5.8 label of {name}: {length} bytes",
            filesystem(format=name, label="x" * length),
            (f"E {FS}.label",),
        )
        for name, length in {"ext4": 17, "btrfs": 257, "xfs": 13, "swap": 16, "vfat": 12}.items()
    ),
    Rule(
        "5.8 virtiofs tag",
        {"storage": {"filesystems": [{"device": "tag", "format": "virtiofs"}]}},
        (),
        V.V3_7,
    ),
    Rule(
        "5.8 virtiofs without tag",
        {"storage": {"filesystems": [{"format": "virtiofs"}]}},
        (f"E {FS}.device",),
        V.V3_7,
    ),
    Rule(
        "5.8 virtiofs with a long tag",
        {"storage": {"filesystems": [{"device": "x" * 37, "format": "virtiofs"}]}},
        (f"E {FS}.device",),
        V.V3_7,
    ),
    Rule(
        "5.8 virtiofs is no block device",
        filesystem(format="virtiofs", label="x", uuid="x", wipeFilesystem=True, options=["x"]),
        tuple(f"E {FS}.{name}" for name in ("label", "uuid", "wipeFilesystem", "options")),
        V.V3_7,
    ),
    Rule(
        "5.8 on a disk with partitions",
        {
            "storage": {
                "disks": [{"device": "/dev/a", "wipeTable": True, "partitions": [{"number": 1}]}],
                "filesystems": [{"device": "/dev/a", "format": "xfs"}],
            }
        },
        (f"W {FS}.device",),
    ),
    Rule(
        "5.8 on a disk that is wiped",
        {
            "storage": {
                "disks": [{"device": "/dev/a", "wipeTable": True}],
                "filesystems": [{"device": "/dev/a", "format": "xfs"}],
            }
        },
        (f"W {FS}.device",),
    ),
    Rule(
        "5.8 wiped with its disk",
        {
            "storage": {
                "disks": [{"device": "/dev/a", "wipeTable": True}],
                "filesystems": [{"device": "/dev/a", "format": "xfs", "wipeFilesystem": True}],
            }
        },
    ),
]

PIN = {"pin": "tpm2", "config": "{}"}
VOLUMES = [
    Rule("5.9 name with a slash", luks(name="a/b"), (f"E {LUKS}.name",), V.V3_2),
    Rule("5.9 label of 47 bytes", luks(label="x" * 47), (), V.V3_2),
    Rule("5.9 label of 48 bytes", luks(label="x" * 48), (f"E {LUKS}.label",), V.V3_2),
    Rule("5.9 device missing", luks(device=None), (f"E {LUKS}.device",), V.V3_2),
    Rule("5.9 device relative", luks(device="a"), (f"E {LUKS}.device",), V.V3_2),
    Rule("5.9 volumes, before", luks(device="a"), ("W $.storage.luks",), last=V.V3_1),
    *(
        Rule(f"5.9 custom with {name}", clevis(custom=PIN, **{name: value}), (f"E {LUKS}.clevis",), V.V3_2)
        for name, value in {
            "tang": [{"url": "http://t", "thumbprint": "x"}],
            "tpm2": True,
            "threshold": 1,
        }.items()
    ),
    Rule(
        "5.9 an empty custom with tpm2", clevis(custom={}, tpm2=True), (f"E {LUKS}.clevis",), V.V3_2, V.V3_2
    ),
    Rule("5.9 an empty custom with tpm2, later", clevis(custom={}, tpm2=True), (), V.V3_3),
    Rule("5.9 custom null with tpm2", clevis(custom=None, tpm2=True), (), V.V3_2, V.V3_2),
    Rule("5.9 custom with threshold 0", clevis(custom=PIN, threshold=0, tpm2=False, tang=[]), (), V.V3_2),
    Rule(
        "5.9 key file",
        luks(keyFile={"source": "foo"}),
        (f"E {LUKS}.keys", f"E {LUKS}.keyFile.source"),
        V.V3_2,
    ),
    Rule(
        "5.9 cex and clevis", luks(cex={"enabled": True}, clevis={"tpm2": True}), (f"E {LUKS}.cex",), V.V3_5
    ),
    Rule(
        "5.9 cex and key file",
        luks(cex={"enabled": True}, keyFile={"source": "data:,x"}),
        (f"E {LUKS}.cex",),
        V.V3_5,
    ),
    Rule(
        "5.9 cex alone",
        luks(cex={"enabled": True}, clevis={"threshold": 0, "custom": {"pin": ""}}),
        (),
        V.V3_5,
    ),
    Rule(
        "5.9 cex, before",
        luks(cex={"enabled": True}, clevis={"tpm2": True}),
        (f"W {LUKS}.cex",),
        V.V3_2,
        V.V3_4,
    ),
    Rule("5.9 nothing custom", clevis(custom={"pin": "", "config": "", "needsNetwork": False}), (), V.V3_2),
    Rule("5.9 only the network", clevis(custom={"needsNetwork": True}), (), V.V3_2, V.V3_2),
    Rule(
        "5.9 only the network, later",
        clevis(custom={"needsNetwork": True}),
        (f"E {LUKS}.clevis.custom.pin", f"E {LUKS}.clevis.custom.config"),
        V.V3_3,
    ),
    Rule("5.9 pin missing", clevis(custom={"config": "{}"}), (f"E {LUKS}.clevis.custom.pin",), V.V3_2),
    Rule(
        "5.9 pin unknown",
        clevis(custom={"pin": "x", "config": "{}"}),
        (f"E {LUKS}.clevis.custom.pin",),
        V.V3_2,
        V.V3_5,
    ),
    Rule("5.9 any pin", clevis(custom={"pin": "x", "config": "{}"}), (), V.V3_6),
    Rule(
        "5.9 pin's config missing", clevis(custom={"pin": "sss"}), (f"E {LUKS}.clevis.custom.config",), V.V3_2
    ),
    Rule("5.9 tang URL", tang(url="ftp://t"), (f"E {LUKS}.clevis.tang.0.url",), V.V3_2),
    Rule("5.9 tang URL malformed", tang(url="http://a b"), (f"E {LUKS}.clevis.tang.0.url",), V.V3_2),
    Rule("5.9 tang thumbprint", tang(thumbprint=""), (f"E {LUKS}.clevis.tang.0.thumbprint",), V.V3_2),
    Rule(
        "5.9 tang advertisement", tang(advertisement="{"), (f"E {LUKS}.clevis.tang.0.advertisement",), V.V3_4
    ),
    Rule(
        "5.9 tang advertisement NaN",
        tang(advertisement="NaN"),
        (f"E {LUKS}.clevis.tang.0.advertisement",),
        V.V3_4,
    ),
    Rule("5.9 tang advertisement of any JSON", tang(advertisement="5"), (), V.V3_4),
    Rule("5.9 tang advertisement empty", tang(advertisement=""), (), V.V3_4),
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

RULES = [
    *CONFIG_LEVEL,
    *IGNITION,
    *RESOURCE,
    *NODES,
    *DISKS,
    *ARRAYS,
    *FILESYSTEMS,
    *VOLUMES,
    *DUPLICATES,
    *UNITS,
]

CASES = [
    pytest.param(rule, spec, id=f"{rule.name} in {spec.version}")
    for rule in RULES
    for spec in Spec
    if rule.first <= spec <= rule.last
]


@pytest.mark.parametrize(("rule", "spec"), CASES)
def test_rule(rule: Rule, spec: Spec) -> None:
    assert tuple(verdict(rule.fragment, spec)) == rule.expected


@pytest.mark.parametrize(
    ("rule", "spec"),
    [
        pytest.param(rule, spec, id=f"{rule.name} before it, in {spec.version}")
        for rule in RULES
        for spec in Spec
        if spec < rule.first and rule.expected
    ],
)
def test_rule_does_not_hold_before(rule: Rule, spec: Spec) -> None:
    assert tuple(verdict(rule.fragment, spec)) != rule.expected
