"""Something to be fetched: a config, a certificate bundle, a file's contents, a key.

Source: config-spec sections 4.1 and 5.4.
"""

from __future__ import annotations

from typing import Annotated

from ignition.schemas.base import Node
from ignition.schemas.marks import keyed, since, values

__all__ = ["HttpHeader", "Resource", "Verification"]


class HttpHeader(Node):
    """One header to send when the resource is requested."""

    name: str = ""
    """Name of the header."""
    value: str | None = None
    """Value of the header. Without one, a header of the same name of a parent config is taken away."""


class Verification(Node):
    """How to know that the right bytes came."""

    hash: str | None = None
    """The expected hash of the decompressed contents: `sha512-` or `sha256-` and the hexadecimal digest."""


class Resource(Node):
    """Where bytes come from, and how they are checked."""

    compression: Annotated[str | None, values(gzip="3.0.0")] = None
    """How the resource is compressed: `gzip`, or absent."""
    http_headers: Annotated[
        tuple[HttpHeader, ...], since("3.1.0"), keyed("name", removed_without="value")
    ] = ()
    """Headers to send; only for `http` and `https` sources."""
    source: str | None = None
    """URL of the resource: `http`, `https`, `tftp`, `s3`, `arn`, `gs` or `data`."""
    verification: Verification = Verification.empty()
    """How the contents are verified."""
