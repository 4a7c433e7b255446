# SPDX-License-Identifier: Apache-2.0
"""Conversion of a resource into a source."""

from __future__ import annotations

import pytest

from ignition.config.source import source_of
from ignition.errors import FetchError
from ignition.host.source import Source
from ignition.schemas.resource import HttpHeader, Resource, Verification


def test_source_has_url_headers_compression_and_hash() -> None:
    resource = Resource(
        source="http://a",
        compression="gzip",
        http_headers=(HttpHeader(name="A", value="b"), HttpHeader(name="C", value="d")),
        verification=Verification(hash="sha512-x"),
    )
    assert source_of(resource) == Source("http://a", (("A", "b"), ("C", "d")), "gzip", "sha512-x")


def test_source_of_empty_resource_has_empty_url() -> None:
    assert source_of(Resource.empty()) == Source("")


@pytest.mark.parametrize(
    "header", [HttpHeader(name="A"), HttpHeader(name="A", value=""), HttpHeader(value="b")]
)
def test_header_without_name_or_value_is_refused(header: HttpHeader) -> None:
    with pytest.raises(FetchError, match="header"):
        source_of(Resource(source="http://a", http_headers=(header,)))
