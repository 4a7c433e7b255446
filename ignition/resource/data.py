# SPDX-License-Identifier: Apache-2.0
"""Decode `data:` URLs (RFC 2397)."""

from __future__ import annotations

from ignition.errors import FetchError
from ignition.resource.stream import Sink
from ignition.url.dataurl import MalformedDataUrl, decode

__all__ = ["read"]


def read(url: str, sink: Sink) -> None:
    """Decode the URL into the sink.

    Raises:
        FetchError: the URL is not a valid `data:` URL; the message does not quote its data.
    """
    try:
        contents = decode(url)
    except MalformedDataUrl as caught:
        raise FetchError(f"cannot decode the data URL: {caught}") from caught
    sink.write(contents)
