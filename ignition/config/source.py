# SPDX-License-Identifier: Apache-2.0
"""Conversion of a config's resource into the source that the fetcher takes.

Source of the rules: docs/reference/config-language.md, "HTTP headers" and "Resources".
"""

from __future__ import annotations

from ignition.errors import FetchError
from ignition.host.source import Source
from ignition.schemas.resource import Resource

__all__ = ["source_of"]


def source_of(resource: Resource) -> Source:
    """Return the source of a resource; without a URL, its URL is empty, which means zero bytes.

    Raises:
        FetchError: a header has no value. A null value removes the parent config's header
            and remains in the merged config when the parent had none.
    """
    for header in resource.http_headers:
        if not header.name or not header.value:
            from ignition.resource.http.headers import is_name

            # An invalid name may be a whole header line with its secret: it is not shown.
            shown = is_name(header.name)
            raise FetchError(
                f'cannot send the HTTP header "{header.name}": its value is missing'
                if shown
                else "cannot send an HTTP header: its name or value is missing",
                hint="set `value`, or remove the header; a null `value` only removes a header of "
                "the same name from a parent config",
            )
    return Source(
        url=resource.source or "",
        headers=tuple((header.name, header.value or "") for header in resource.http_headers),
        compression=resource.compression or "",
        hash=resource.verification.hash or "",
    )
