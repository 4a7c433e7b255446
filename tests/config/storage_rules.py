"""The rules of config-spec section 5 on disks, arrays, volumes and filesystems."""

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
