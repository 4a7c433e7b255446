# SPDX-License-Identifier: Apache-2.0
"""A resource to fetch: URL, request headers, compression, digest."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """One resource of a config, and how to verify it.

    Attributes:
        url: with a scheme of docs/reference/config-language.md, "URLs"; empty for zero bytes.
        headers: HTTP request headers, in config order.
        compression: "" or "gzip"; the bytes are decompressed before use.
        hash: "" or `<function>-<hex digest>` of the decompressed bytes.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    compression: str = ""
    hash: str = ""

    def __repr__(self) -> str:
        """Show only the scheme: the rest may be secret (`data:`, signed URLs)."""
        return f"Source({self.url.partition(':')[0] or 'empty'}:…)"
