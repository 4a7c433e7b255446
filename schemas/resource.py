# SPDX-License-Identifier: Apache-2.0
"""Resources to fetch: configs, certificate bundles, contents of files, keys.

Source: docs/reference/config-language.md, "Resources".
"""

from collections.abc import Iterator
from typing import Annotated

from ignition.diagnostics import Entry
from ignition.schemas.base import Node
from ignition.schemas.findings import error
from ignition.schemas.marks import keyed, secret, since, values
from ignition.schemas.sources import fault_of_source, scheme_of
from ignition.schemas.spec import Spec

__all__ = ["HttpHeader", "Resource", "Verification"]


class HttpHeader(Node):
    """One header of the request for a resource."""

    name: str = ""
    """Name of the header."""
    value: Annotated[str | None, secret] = None
    """Value of the header; if absent, the header of the same name of a parent config is removed."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that the header has a name, and no empty value."""
        if not self.name:
            yield error("header-name-missing", "the header has no name", "name")
        if self.value == "":
            yield error("header-value-empty", "the header's value is empty", "value")


HASHES = {"sha512": (128, Spec.V3_0), "sha256": (64, Spec.V3_1)}
"""Hash functions: number of hexadecimal digits, and the version that introduced them."""


class Verification(Node):
    """Verification of the contents of a resource."""

    hash: str | None = None
    """Expected hash of the decompressed contents: `sha512-` or `sha256-` and the hexadecimal digest."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that the hash has a function of this version and the length of that function."""
        if self.hash is None:
            return
        function, dash, digest = self.hash.partition("-")
        digits, first = HASHES.get(function, (0, Spec.V3_0))
        known = " or ".join(f"`{name}-...`" for name, (_, since) in HASHES.items() if since <= spec)
        if not dash:
            yield error("hash-malformed", "the hash has no function name", "hash", hint=f"write {known}")
        elif not digits or first > spec:
            hint = f"`{function}` needs spec {first} or later" if digits else f"write {known}"
            yield error("hash-function", "the hash function is unknown", "hash", hint=hint)
        elif len(digest.encode()) != digits:
            message = f"the {function} hash has {len(digest)} digits, expected {digits}"
            yield error("hash-length", message, "hash")


class Resource(Node):
    """A resource to fetch, and its verification."""

    compression: Annotated[str | None, values(gzip="3.0.0")] = None
    """Compression of the resource: `gzip`, or absent."""
    http_headers: Annotated[
        tuple[HttpHeader, ...], since("3.1.0"), keyed("name", removed_without="value")
    ] = ()
    """Headers to send; only for `http` and `https` sources."""
    source: Annotated[str | None, secret] = None
    """URL of the resource: `http`, `https`, `tftp`, `s3`, `arn`, `gs` or `data`."""
    verification: Verification = Verification.empty()
    """Verification of the contents."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that the fields fit together and the source is a URL of this version."""
        if self.compression not in (None, "", "gzip"):
            yield error("compression", "the compression is unknown", "compression", hint="write `gzip`")
        if self.verification.hash is not None and self.source is None:
            yield error("hash-without-source", "the hash has no source", "verification", "hash")
        yield from self.check_source(spec)
        yield from self._check_headers()

    def check_lacking(self, spec: Spec, *, required: bool) -> Iterator[Entry]:
        """Check only the source, like 3.0.0 for config references and certificate authorities."""
        if required and not self.source:
            yield error("source-missing", "the source is missing", "source")
        yield from self.check_source(spec)

    def check_source(self, spec: Spec) -> Iterator[Entry]:
        """Check that the source, if set, is a URL of this version."""
        fault = fault_of_source(self.source, spec) if self.source else None
        if fault is not None:
            code, message, hint = fault
            yield error(code, message, "source", hint=hint)

    def check_required_source(self, spec: Spec) -> Iterator[Entry]:
        """Check that the source is set and valid; entries have the path of the resource."""
        if not self.source:
            yield error("source-missing", "the source is missing")
        elif (fault := fault_of_source(self.source, spec)) is not None:
            code, message, hint = fault
            yield error(code, message, hint=hint)

    def _check_headers(self) -> Iterator[Entry]:
        if not self.http_headers:
            return
        if scheme_of(self.source) not in ("http", "https"):
            message = "headers need an http or https source"
            yield error("headers-without-http", message, "httpHeaders")
