# SPDX-License-Identifier: Apache-2.0
"""Validation rules for disks, RAID, filesystems and LUKS.

Source: docs/reference/config-language.md, "Disks and partitions", "RAID", "Filesystems" and "LUKS".
"""

from __future__ import annotations

from ignition.schemas.spec import Spec
from tests.config.fragments import (
    DISK,
    FS,
    LUKS,
    PART,
    RAID,
    clevis,
    filesystem,
    luks,
    partitions,
    raid,
    tang,
)
from tests.config.rules import Rule

GUID = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
V = Spec

DISKS = [
    Rule(
        "disk: device missing",
        {"storage": {"disks": [{"partitions": [{"number": 1}, {"number": 1}]}]}},
        (f"E {DISK}.device", f"E {PART}.1"),
    ),
    Rule("disk: device relative", {"storage": {"disks": [{"device": "sda"}]}}, (f"E {DISK}.device",)),
    Rule(
        "disk: numbers twice",
        partitions({"number": 2}, {"number": 1}, {"number": 2}),
        (f"E {PART}.2", f"E {PART}.2"),
    ),
    Rule("disk: number 0 twice", partitions({"label": "a"}, {"label": "b"})),
    Rule(
        "disk: overlap",
        partitions({"number": 1, "startMiB": 10, "sizeMiB": 1}, {"number": 2, "startMiB": 9, "sizeMiB": 2}),
        (f"E {PART}.1",),
    ),
    Rule(
        "disk: one in the other",
        partitions({"number": 1, "startMiB": 1, "sizeMiB": 9}, {"number": 2, "startMiB": 3, "sizeMiB": 2}),
        (f"E {PART}.1",),
    ),
    Rule(
        "disk: size 0 is a point",
        partitions({"number": 1, "startMiB": 5, "sizeMiB": 0}, {"number": 2, "startMiB": 5, "sizeMiB": 3}),
        (f"E {PART}.1",),
    ),
    Rule(
        "disk: side by side",
        partitions({"number": 1, "startMiB": 1, "sizeMiB": 9}, {"number": 2, "startMiB": 10, "sizeMiB": 2}),
    ),
    Rule(
        "disk: start 0 does not overlap",
        partitions({"number": 1, "startMiB": 0, "sizeMiB": 9}, {"number": 2, "startMiB": 1, "sizeMiB": 2}),
    ),
    Rule(
        "disk: unknown size does not overlap",
        partitions({"number": 1, "startMiB": 1}, {"number": 2, "startMiB": 1, "sizeMiB": 2}),
    ),
    Rule(
        "disk: labels twice",
        partitions({"number": 1, "label": "x"}, {"number": 2, "label": "x"}),
        (f"E {PART}.1",),
    ),
    Rule(
        "disk: empty labels twice",
        partitions({"number": 1, "label": ""}, {"number": 2, "label": ""}),
        (f"E {PART}.1",),
    ),
    *(
        Rule(
            f"disk: not existing with {name}",
            partitions({"number": 1, "shouldExist": False, name: value}),
            (f"E {PART}.0",),
        )
        for name, value in {"label": "", "guid": GUID, "typeGuid": GUID, "startMiB": 0, "sizeMiB": 0}.items()
    ),
    Rule(
        "disk: not existing with empty GUIDs",
        partitions({"number": 1, "shouldExist": False, "guid": "", "typeGuid": ""}),
    ),
    Rule(
        "disk: not existing beside number 0", partitions({"number": 1, "shouldExist": False}, {"label": "x"})
    ),
    Rule("disk: neither number nor label", partitions({}), (f"E {PART}.0",)),
    Rule("disk: label of 36 bytes", partitions({"label": "é" * 18})),
    Rule("disk: label of 38 bytes", partitions({"label": "é" * 19}), (f"E {PART}.0.label",)),
    Rule("disk: label with a colon", partitions({"label": "a:b"}), (f"E {PART}.0.label",)),
    Rule("disk: GUIDs", partitions({"number": 1, "guid": GUID.lower(), "typeGuid": GUID})),
    Rule(
        "disk: malformed GUIDs",
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
RAIDS = [
    *(Rule(f"raid: level {level}", raid(level=level)) for level in LEVELS),
    *(
        Rule(f"raid: spares of {level}", raid(level=level, spares=1), (f"E {RAID}.level",))
        for level in LEVELS[:4]
    ),
    *(Rule(f"raid: spares of {level}", raid(level=level, spares=1)) for level in LEVELS[4:]),
    Rule("raid: no spares", raid(level="raid0", spares=0)),
    Rule("raid: level missing", raid(level=None), (f"E {RAID}.level",)),
    Rule("raid: level unknown", raid(level="raid7"), (f"E {RAID}.level",)),
    Rule("raid: no devices", raid(devices=[]), (f"E {RAID}.devices",)),
    Rule("raid: a device's path", raid(devices=["/dev/a", "b"]), (f"E {RAID}.devices.1",)),
    Rule("raid: no name", raid(name="")),
]

FILESYSTEMS = [
    Rule("filesystem: path", filesystem(format="ext4", path="a"), (f"E {FS}.path",)),
    Rule("filesystem: empty path", filesystem(format="ext4", path="")),
    Rule(
        "filesystem: device missing", {"storage": {"filesystems": [{"format": "ext4"}]}}, (f"E {FS}.device",)
    ),
    Rule(
        "filesystem: device relative",
        {"storage": {"filesystems": [{"device": "x", "format": "ext4"}]}},
        (f"E {FS}.device",),
    ),
    *(
        Rule(f"filesystem: no format with {name}", filesystem(**{name: value}), (f"E {FS}.format",))
        for name, value in {"path": "/a", "uuid": "x", "wipeFilesystem": True, "options": ["x"]}.items()
    ),
    Rule(
        "filesystem: no format with mount options",
        filesystem(mountOptions=["x"]),
        (f"E {FS}.format",),
        V.V3_1,
    ),
    Rule("filesystem: no format with a label", filesystem(label="x"), (f"E {FS}.format", f"E {FS}.label")),
    Rule(
        "filesystem: no format but nothing else", filesystem(path="", label="", uuid="", wipeFilesystem=False)
    ),
    *(
        Rule(f"filesystem: format {name}", filesystem(format=name))
        for name in ("ext4", "btrfs", "xfs", "swap", "vfat")
    ),
    Rule("filesystem: format none", filesystem(format="none"), (), V.V3_3),
    Rule(
        "filesystem: format none, older versions", filesystem(format="none"), (f"E {FS}.format",), last=V.V3_2
    ),
    Rule("filesystem: format virtiofs", filesystem(format="virtiofs"), (), V.V3_7),
    Rule(
        "filesystem: format virtiofs, older versions",
        filesystem(format="virtiofs", label="x"),
        (f"E {FS}.format",),
        last=V.V3_6,
    ),
    Rule("filesystem: format unknown", filesystem(format="zfs"), (f"E {FS}.format",)),
    *(
        Rule(f"filesystem: label of {name}: {length} bytes", filesystem(format=name, label="x" * length))
        for name, length in {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}.items()
    ),
    *(
        Rule(
            f"filesystem: label of {name}: {length} bytes",
            filesystem(format=name, label="x" * length),
            (f"E {FS}.label",),
        )
        for name, length in {"ext4": 17, "btrfs": 257, "xfs": 13, "swap": 16, "vfat": 12}.items()
    ),
    Rule(
        "filesystem: virtiofs tag",
        {"storage": {"filesystems": [{"device": "tag", "format": "virtiofs"}]}},
        (),
        V.V3_7,
    ),
    Rule(
        "filesystem: virtiofs without tag",
        {"storage": {"filesystems": [{"format": "virtiofs"}]}},
        (f"E {FS}.device",),
        V.V3_7,
    ),
    Rule(
        "filesystem: virtiofs with a long tag",
        {"storage": {"filesystems": [{"device": "x" * 37, "format": "virtiofs"}]}},
        (f"E {FS}.device",),
        V.V3_7,
    ),
    Rule(
        "filesystem: virtiofs is no block device",
        filesystem(format="virtiofs", label="x", uuid="x", wipeFilesystem=True, options=["x"]),
        tuple(f"E {FS}.{name}" for name in ("label", "uuid", "wipeFilesystem", "options")),
        V.V3_7,
    ),
    Rule(
        "filesystem: on a disk with partitions",
        {
            "storage": {
                "disks": [{"device": "/dev/a", "wipeTable": True, "partitions": [{"number": 1}]}],
                "filesystems": [{"device": "/dev/a", "format": "xfs"}],
            }
        },
        (f"W {FS}.device",),
    ),
    Rule(
        "filesystem: on a disk that is wiped",
        {
            "storage": {
                "disks": [{"device": "/dev/a", "wipeTable": True}],
                "filesystems": [{"device": "/dev/a", "format": "xfs"}],
            }
        },
        (f"W {FS}.device",),
    ),
    Rule(
        "filesystem: wiped with its disk",
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
    Rule("luks: name with a slash", luks(name="a/b"), (f"E {LUKS}.name",), V.V3_2),
    Rule("luks: label of 47 bytes", luks(label="x" * 47), (), V.V3_2),
    Rule("luks: label of 48 bytes", luks(label="x" * 48), (f"E {LUKS}.label",), V.V3_2),
    Rule("luks: device missing", luks(device=None), (f"E {LUKS}.device",), V.V3_2),
    Rule("luks: device relative", luks(device="a"), (f"E {LUKS}.device",), V.V3_2),
    Rule("luks: volumes, older versions", luks(device="a"), ("W $.storage.luks",), last=V.V3_1),
    *(
        Rule(f"luks: custom with {name}", clevis(custom=PIN, **{name: value}), (f"E {LUKS}.clevis",), V.V3_2)
        for name, value in {
            "tang": [{"url": "http://t", "thumbprint": "x"}],
            "tpm2": True,
            "threshold": 1,
        }.items()
    ),
    Rule(
        "luks: an empty custom with tpm2", clevis(custom={}, tpm2=True), (f"E {LUKS}.clevis",), V.V3_2, V.V3_2
    ),
    Rule("luks: an empty custom with tpm2, later", clevis(custom={}, tpm2=True), (), V.V3_3),
    Rule("luks: custom null with tpm2", clevis(custom=None, tpm2=True), (), V.V3_2, V.V3_2),
    Rule("luks: custom with threshold 0", clevis(custom=PIN, threshold=0, tpm2=False, tang=[]), (), V.V3_2),
    Rule(
        "luks: key file",
        luks(keyFile={"source": "foo"}),
        (f"E {LUKS}.keys", f"E {LUKS}.keyFile.source"),
        V.V3_2,
    ),
    Rule(
        "luks: cex and clevis", luks(cex={"enabled": True}, clevis={"tpm2": True}), (f"E {LUKS}.cex",), V.V3_5
    ),
    Rule(
        "luks: cex and key file",
        luks(cex={"enabled": True}, keyFile={"source": "data:,x"}),
        (f"E {LUKS}.cex",),
        V.V3_5,
    ),
    Rule(
        "luks: cex alone",
        luks(cex={"enabled": True}, clevis={"threshold": 0, "custom": {"pin": ""}}),
        (),
        V.V3_5,
    ),
    Rule(
        "luks: cex, older versions",
        luks(cex={"enabled": True}, clevis={"tpm2": True}),
        (f"W {LUKS}.cex",),
        V.V3_2,
        V.V3_4,
    ),
    Rule("luks: nothing custom", clevis(custom={"pin": "", "config": "", "needsNetwork": False}), (), V.V3_2),
    Rule("luks: only the network", clevis(custom={"needsNetwork": True}), (), V.V3_2, V.V3_2),
    Rule(
        "luks: only the network, later",
        clevis(custom={"needsNetwork": True}),
        (f"E {LUKS}.clevis.custom.pin", f"E {LUKS}.clevis.custom.config"),
        V.V3_3,
    ),
    Rule("luks: pin missing", clevis(custom={"config": "{}"}), (f"E {LUKS}.clevis.custom.pin",), V.V3_2),
    Rule(
        "luks: pin unknown",
        clevis(custom={"pin": "x", "config": "{}"}),
        (f"E {LUKS}.clevis.custom.pin",),
        V.V3_2,
        V.V3_5,
    ),
    Rule("luks: any pin", clevis(custom={"pin": "x", "config": "{}"}), (), V.V3_6),
    Rule(
        "luks: pin's config missing",
        clevis(custom={"pin": "sss"}),
        (f"E {LUKS}.clevis.custom.config",),
        V.V3_2,
    ),
    Rule("luks: tang URL", tang(url="ftp://t"), (f"E {LUKS}.clevis.tang.0.url",), V.V3_2),
    Rule("luks: tang URL malformed", tang(url="http://a b"), (f"E {LUKS}.clevis.tang.0.url",), V.V3_2),
    Rule("luks: tang thumbprint", tang(thumbprint=""), (f"E {LUKS}.clevis.tang.0.thumbprint",), V.V3_2),
    Rule(
        "luks: tang advertisement",
        tang(advertisement="{"),
        (f"E {LUKS}.clevis.tang.0.advertisement",),
        V.V3_4,
    ),
    Rule(
        "luks: tang advertisement NaN",
        tang(advertisement="NaN"),
        (f"E {LUKS}.clevis.tang.0.advertisement",),
        V.V3_4,
    ),
    Rule("luks: tang advertisement of any JSON", tang(advertisement="5"), (), V.V3_4),
    Rule("luks: tang advertisement empty", tang(advertisement=""), (), V.V3_4),
]
