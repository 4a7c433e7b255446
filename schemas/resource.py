"""Something to be fetched: a config, a certificate bundle, a file's contents, a key.

Source: config-spec sections 4.1 and 5.4.
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
    """One header to send when the resource is requested."""

    name: str = ""
    """Name of the header."""
    value: Annotated[str | None, secret] = None
    """Value of the header. Without one, a header of the same name of a parent config is taken away."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """A header has a name, and a value that is not empty."""
        if not self.name:
            yield error("header-name-missing", "the header has no name", "name")
        if self.value == "":
            yield error("header-value-empty", "the header's value is empty", "value")


HASHES = {"sha512": (128, Spec.V3_0), "sha256": (64, Spec.V3_1)}
"""Hash functions: the number of hexadecimal digits, and the version that brought them."""


class Verification(Node):
    """How to know that the right bytes came."""

    hash: str | None = None
    """The expected hash of the decompressed contents: `sha512-` or `sha256-` and the hexadecimal digest."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """The hash names a function of this version and has that function's length."""
        if self.hash is None:
            return
        function, dash, digest = self.hash.partition("-")
        digits, first = HASHES.get(function, (0, Spec.V3_0))
        known = " or ".join(f"`{name}-...`" for name, (_, since) in HASHES.items() if since <= spec)
        if not dash:
            yield error(
                "hash-malformed", "the hash does not name its function", "hash", hint=f"write {known}"
            )
        elif not digits or first > spec:
            hint = f"`{function}` came with spec {first}" if digits else f"write {known}"
            yield error("hash-function", "the hash function is not known", "hash", hint=hint)
        elif len(digest.encode()) != digits:
            message = f"a {function} hash has {digits} hexadecimal digits, this one {len(digest)}"
            yield error("hash-length", message, "hash")


class Resource(Node):
    """Where bytes come from, and how they are checked."""

    compression: Annotated[str | None, values(gzip="3.0.0")] = None
    """How the resource is compressed: `gzip`, or absent."""
    http_headers: Annotated[
        tuple[HttpHeader, ...], since("3.1.0"), keyed("name", removed_without="value")
    ] = ()
    """Headers to send; only for `http` and `https` sources."""
    source: Annotated[str | None, secret] = None
    """URL of the resource: `http`, `https`, `tftp`, `s3`, `arn`, `gs` or `data`."""
    verification: Verification = Verification.empty()
    """How the contents are verified."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """The parts fit each other and the source is a URL of this version."""
        if self.compression not in (None, "", "gzip"):
            yield error("compression", "the compression is not known", "compression", hint="`gzip` is")
        if self.verification.hash is not None and self.source is None:
            yield error("hash-without-source", "there is a hash but no source", "verification", "hash")
        yield from self.check_source(spec)
        yield from self._check_headers()

    def check_lesser(self, spec: Spec, *, required: bool) -> Iterator[Entry]:
        """Of references and authorities in 3.0.0 only the source was checked."""
        if required and not self.source:
            yield error("source-missing", "the source is missing", "source")
        yield from self.check_source(spec)

    def check_source(self, spec: Spec) -> Iterator[Entry]:
        """The source, where there is one, is a URL of this version."""
        fault = fault_of_source(self.source, spec) if self.source else None
        if fault is not None:
            code, message, hint = fault
            yield error(code, message, "source", hint=hint)

    def check_required_source(self, spec: Spec) -> Iterator[Entry]:
        """There is a source; entries are about the resource as a whole."""
        if not self.source:
            yield error("source-missing", "the source is missing")
        elif (fault := fault_of_source(self.source, spec)) is not None:
            code, message, hint = fault
            yield error(code, message, hint=hint)

    def _check_headers(self) -> Iterator[Entry]:
        if not self.http_headers:
            return
        if scheme_of(self.source) not in ("http", "https"):
            message = "headers are sent only to http and https sources"
            yield error("headers-without-http", message, "httpHeaders")
