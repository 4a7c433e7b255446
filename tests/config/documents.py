# SPDX-License-Identifier: Apache-2.0
"""Random config documents: mostly valid, with common mistakes.

The documents are generated from the fields of the model, so that new fields are covered
without changes here. An object is a list of pairs, so that keys can repeat.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from ignition.schemas.base import Node
from ignition.schemas.config import Config
from ignition.schemas.fields import Field, fields_of
from ignition.schemas.spec import Spec

PATHS = ["/a", "/a", "/b", "/a/b", "/l", "/l/x", "/dev/sda", "/dev/sdb", "/etc/systemd/system/a.service"]
BAD_PATHS = ["", "a", "/a/", "//a", "/a/../b", "/a/./b", "/", "/..", "a:b"]
SOURCES = [
    "data:,",
    "data:,x",
    "data:;base64,Zm9v",
    "http://a/b",
    "https://a",
    "http://u:p@[::1]:80/x?y#z",
    "tftp://a/b",
    "s3://b/k",
    "s3://b/k?versionId=1",
    "gs://b/o",
    "arn:aws:s3:::b/k",
]
BAD_SOURCES = [
    "",
    "foo",
    "data:",
    "data:;base64,Zm9",
    "data:,hello world",
    "data:,a#b",
    "data:,%zz",
    "DATA:,x",
    ":x",
    "http://a b",
    "http://a:x/",
    "http://[::1",
    "http://%41/",
    "http://%zz/",
    "ftp://a",
    "s3://b/k?versionId",
    "s3://b/k?versionId=",
    "arn:aws:s3:::b",
    "http://a/%",
    "HTTP://A",
    "http:",
    "http://",
    "http://a/\x01",
    "//a",
    "a/b:c",
    "a:b/c",
    "http://a/#%",
    "/a",
    "http://u@p@h/",
    "http://ü/",
    "http://a/ b",
    "mailto:a b",
    "data:text/plain",
]
UNITS = [
    "",
    "[Unit]\n",
    "[Unit]\nDescription=x",
    "[Install]\nWantedBy=a",
    "[Install]\n",
    "[Unit]\nfoo",
    "foo\n[Unit]\na=b",
    "[Unit\n",
    "[Unit] x\n",
    "[Unit]\na=b\\\n c\n[Install]\n#x\\\ny\nWantedBy=m\n",
    "[Unit]\n =b",
    "[A]\n\n;c\nk=v\n",
    "#[Unit]\n[X]",
    "[",
    "]",
    "[Unit]\r\na=b\r\n",
    "[Unit]\n" + "a=" + "b" * 2100,
    "x" * 2100,
    "[Unit]\n#" + "c" * 4200,
]
NAMES = ["a", "a", "b", "c", "", "a/b", "x y"]
UNIT_NAMES = [
    "a.service",
    "b@.service",
    "b@x.service",
    "c.timer",
    "d",
    "e.conf",
    ".service",
    "x.d/y",
    "f.socket",
    "b@.timer",
]
SHA512, SHA256 = "sha512-" + "a" * 128, "sha256-" + "b" * 64
GUIDS = [
    "",
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    "0fc63daf-8483-4772-8e79-3d69d8477de4",
    "x",
    "0FC63DAF84834772",
]

POOLS: dict[str, list[Any]] = {
    "path": PATHS + BAD_PATHS,
    "device": [*PATHS, "/dev/sda", "/dev/sdb", "", "a", "/dev/sda/"],
    "devices": ["/dev/a", "/dev/b", "/dev/a", "", "x"],
    "source": SOURCES + BAD_SOURCES,
    "httpProxy": ["http://p", "https://p", "", "ftp://p", "x", "http://a b"],
    "httpsProxy": ["http://p", "https://p", "", "p:80"],
    "compression": ["", "gzip", "xz"],
    "hash": [
        SHA512,
        SHA256,
        "",
        "sha512-",
        "sha512-ab",
        "md5-x",
        "sha256",
        SHA512.upper(),
        "sha256-é" + "b" * 63,
    ],
    "mode": [0, 420, 493, 511, 644, 4095, 4096, -1, 1000, 2**40],
    "target": ["/a", "", "../d", "x", "/d", "d/../e"],
    "format": ["ext4", "xfs", "btrfs", "swap", "vfat", "none", "virtiofs", "", "zfs"],
    "label": [
        "",
        "a",
        "b",
        "x" * 11,
        "x" * 12,
        "x" * 16,
        "x" * 17,
        "é" * 8,
        "é" * 9,
        "x" * 37,
        "a:b",
        "x" * 300,
        "x" * 48,
    ],
    "number": [0, 1, 2, 3, -1],
    "startMiB": [0, 1, 5, 10, -3],
    "sizeMiB": [0, 1, 4, 10, -2],
    "guid": GUIDS,
    "typeGuid": GUIDS,
    "level": ["raid0", "raid1", "0", "stripe", "raid10", "", "raid7", "linear", "mirror"],
    "spares": [0, 1, -1],
    "id": [0, 5, -1],
    "url": ["http://t", "https://t", "", "t", "ftp://t", "http://a b"],
    "thumbprint": ["", "t"],
    "pin": ["", "tpm2", "tang", "sss", "x"],
    "config": ["", "{}"],
    "threshold": [0, 1],
    "contents": UNITS,
    "value": ["", "v"],
    "uuid": ["", "u"],
}
STRINGS = ["", "a", "b", "é", "\U0001f600", "x\ty", '"q"', "\\", "a%b"]


class Text:
    """Generator of one random document."""

    def __init__(self, random: Random, spec: Spec) -> None:
        self.random = random
        self.spec = spec
        self.mess = random.choice((0.0, 0.0, 0.02, 0.1))
        """Probability that a member is of the wrong type, misspelt or repeated."""
        self.fill = random.choice((0.2, 0.4, 0.7))

    def often(self, likelihood: float) -> bool:
        return self.random.random() < likelihood

    def document(self) -> bytes:
        config = self.object(Config)
        config = [pair for pair in config if pair[0] != "ignition"]
        ignition = self.object(next(field.kind for field in fields_of(Config) if field.name == "ignition"))  # type: ignore[arg-type]
        ignition = [pair for pair in ignition if pair[0] != "version"]
        ignition.append(("version", self.spec.version))
        config.insert(self.random.randrange(len(config) + 1), ("ignition", ignition))
        return self.write(config).encode()

    def object(self, node: type[Node]) -> list[tuple[str, Any]]:
        pairs = []
        for field in fields_of(node):
            key = field.name in ("path", "device", "name", "url", "devices", "level")
            if self.often(0.85 if key else 0.4 if field.node else self.fill):
                pairs.append((self.key(field.name), self.value(node, field)))
                if self.often(self.mess / 2):
                    pairs.append((self.key(field.name), self.value(node, field)))
        if self.often(self.mess):
            pairs.append(
                (
                    self.random.choice(["x", "é", "", "Path", "comment"]),
                    self.random.choice([1, "y", {}, [{}]]),
                )
            )
        if self.often(0.2):
            self.random.shuffle(pairs)
        return pairs

    def key(self, name: str) -> str:
        if self.often(self.mess / 3):
            return self.random.choice(
                [name.upper(), name.capitalize(), name.replace("s", "\u017f"), name[:-1]]
            )
        return name

    def value(self, node: type[Node], field: Field) -> Any:
        if self.often(self.mess / 2):
            return None
        if self.often(self.mess / 4):
            return self.random.choice([5, 5.0, "x", True, [], {}, [5], [[]], [None], 2**70, -0.0])
        if field.many:
            return [self.item(node, field) for _ in range(self.random.choice((0, 1, 1, 2, 3)))]
        return self.item(node, field)

    def item(self, node: type[Node], field: Field) -> Any:
        if self.often(self.mess / 3):
            return None
        if field.node is not None:
            return self.object(field.node)
        if field.kind is bool:
            return self.often(0.5)
        pool = POOLS.get(field.name)
        if field.name == "name" and node.__name__ in ("Unit", "Dropin"):
            pool = [*UNIT_NAMES, "10-a.conf", "a.conf"] if node.__name__ == "Dropin" else UNIT_NAMES
        elif field.name == "name":
            pool = NAMES
        if pool is not None and field.kind is type(pool[0]):
            return self.random.choice(pool)
        return self.random.choice([0, 1, -5, 1000]) if field.kind is int else self.random.choice(STRINGS)

    def write(self, value: Any) -> str:
        space = self.random.choice(["", "", " ", "\n", "\t"])
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            members = (f"{space}{self.string(key)}{space}:{self.write(one)}" for key, one in value)
            return "{" + ",".join(members) + space + "}"
        if isinstance(value, list) and not isinstance(value, tuple):
            return space + "[" + ",".join(map(self.write, value)) + space + "]"
        if isinstance(value, str):
            return space + self.string(value)
        return space + json.dumps(value)

    def string(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.often(0.5))


def document(seed: int, spec: Spec) -> bytes:
    """Return a random document of this version."""
    return Text(Random(seed), spec).document()


def broken(seed: int, data: bytes) -> bytes:
    """Return the document with a few bytes changed, removed or repeated."""
    random = Random(seed)
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(changed)) if changed else 0
        match random.randrange(6):
            case 0:
                del changed[at : at + random.choice((1, 1, 5))]
            case 1:
                changed[at:at] = random.choice(
                    (b"{", b"}", b",", b'"', b"\x00", b"\xff", b"[", b"]", b"\\", b"null")
                )
            case 2:
                changed[at : at + 1] = random.choice((b"0", b"-", b"e", b".", b"\n", b"\xc3", b"t", b"\\u12"))
            case 3:
                del changed[at:]
            case 4:
                changed += random.choice((b" ", b"x", b"{}", b"\n"))
            case _:
                end = at + random.randrange(20)
                changed[at:at] = changed[at:end]
    return bytes(changed)
