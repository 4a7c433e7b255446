# SPDX-License-Identifier: Apache-2.0
"""Fragments of configs with one object each, and the paths of these objects."""

from __future__ import annotations

from typing import Any

FILE, DIR, LINK = "$.storage.files.0", "$.storage.directories.0", "$.storage.links.0"
DISK, PART = "$.storage.disks.0", "$.storage.disks.0.partitions"
FS, RAID, LUKS = "$.storage.filesystems.0", "$.storage.raid.0", "$.storage.luks.0"
UNIT, MERGE, REPLACE = "$.systemd.units.0", "$.ignition.config.merge.0", "$.ignition.config.replace"
AUTHORITY = "$.ignition.security.tls.certificateAuthorities.0"


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
