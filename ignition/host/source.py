"""What has to be known to get one resource, whatever its scheme."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """One resource of a config: where it is and what must be true of its bytes.

    Attributes:
        url: any scheme of config-spec section 11; empty means zero bytes.
        headers: HTTP request headers, in config order.
        compression: "" or "gzip"; the bytes are decompressed before use.
        hash: "" or `<function>-<hex digest>` of the decompressed bytes.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    compression: str = ""
    hash: str = ""

    def __repr__(self) -> str:
        """Names the scheme only: the rest may be a secret (`data:`, signed URLs)."""
        return f"Source({self.url.partition(':')[0] or 'empty'}:…)"
