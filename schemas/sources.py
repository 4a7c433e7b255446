# SPDX-License-Identifier: Apache-2.0
"""Rules for the URLs of resources. Source: docs/reference/config-language.md, "URLs"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ignition.schemas.spec import Spec

if TYPE_CHECKING:
    from ignition.schemas.findings import Fault
    from ignition.url import Url

__all__ = ["SCHEMES", "fault_of_source", "scheme_of"]

SCHEMES = {
    "http": Spec.V3_0,
    "https": Spec.V3_0,
    "tftp": Spec.V3_0,
    "s3": Spec.V3_0,
    "data": Spec.V3_0,
    "gs": Spec.V3_2,
    "arn": Spec.V3_4,
}
"""URL schemes, each with the version that introduced it."""


def fault_of_source(source: str, spec: Spec) -> Fault | None:
    """Return the fault of the URL of a resource, or None."""
    from ignition.url import MalformedUrl, parse_url

    try:
        url = parse_url(source)
    except MalformedUrl as wrong:
        return "url-malformed", f"the URL is malformed: {wrong}", ""
    first = SCHEMES.get(url.scheme)
    if first is None or first > spec:
        return _fault_of_scheme(url.scheme, spec)
    match url.scheme:
        case "data":
            return _fault_of_data(source)
        case "arn":
            return _fault_of_arn(url) or _fault_of_version_id(url)
        case "s3":
            return _fault_of_version_id(url)
        case _:
            return None


def scheme_of(source: str | None) -> str:
    """Return the scheme of a URL; empty if it has none or is malformed."""
    from ignition.url import MalformedUrl, parse_url

    try:
        return parse_url(source or "").scheme
    except MalformedUrl:
        return ""


def _fault_of_scheme(scheme: str, spec: Spec) -> Fault:
    first = SCHEMES.get(scheme)
    known = ", ".join(name for name, since in SCHEMES.items() if since <= spec)
    hint = f"`{scheme}:` needs spec {first} or later" if first else f"use one of {known}"
    return "url-scheme", f"the scheme of the URL is not supported by spec {spec}", hint


def _fault_of_data(source: str) -> Fault | None:
    from ignition.url.dataurl import MalformedDataUrl, decode

    try:
        decode(source)
    except MalformedDataUrl as wrong:
        return "data-url-malformed", f"the data URL is malformed: {wrong}", ""
    return None


def _fault_of_arn(url: Url) -> Fault | None:
    name = f"{url.scheme}:{url.opaque}"
    parts = name.split(":", 5)
    slashes = name.count("/")
    if len(parts) < 6 or parts[2] != "s3" or slashes < (2 if parts[5].startswith("accesspoint/") else 1):
        hint = "write `arn:aws:s3:::bucket/key` or `arn:aws:s3:region:account:accesspoint/name/object/key`"
        return "arn-malformed", "the ARN does not name an S3 object", hint
    return None


def _fault_of_version_id(url: Url) -> Fault | None:
    if url.first("versionId") == "":
        return "s3-version-id", "the S3 URL has an empty versionId", ""
    return None
