"""A resource of the config → what has to be known to fetch it.

Source: config-spec section 11.
"""

from __future__ import annotations

from ignition.errors import FetchError
from ignition.host.source import Source
from ignition.schemas.resource import Resource

__all__ = ["source_of"]


def source_of(resource: Resource) -> Source:
    """The source of a resource; an absent URL is an empty one, which means no bytes.

    Raises:
        FetchError: a header has no value. A null value only takes away a parent's
            header, and is left over when there was none.
    """
    for header in resource.http_headers:
        if not header.name or not header.value:
            from ignition.resource.http.headers import is_name

            # What is no name may be a whole header, with its secret.
            known = is_name(header.name)
            raise FetchError(
                f"the HTTP header {header.name} has no value"
                if known
                else "an HTTP header lacks its name or value",
                hint="a header without a value only removes a header of the same name from a parent config",
            )
    return Source(
        url=resource.source or "",
        headers=tuple((header.name, header.value or "") for header in resource.http_headers),
        compression=resource.compression or "",
        hash=resource.verification.hash or "",
    )
