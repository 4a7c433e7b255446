"""Resource → source."""

from __future__ import annotations

import pytest

from ignition.config.resources import source_of
from ignition.errors import FetchError
from ignition.host.source import Source
from ignition.schemas.resource import HttpHeader, Resource, Verification


def test_all_that_has_to_be_known() -> None:
    resource = Resource(
        source="http://a",
        compression="gzip",
        http_headers=(HttpHeader(name="A", value="b"), HttpHeader(name="C", value="d")),
        verification=Verification(hash="sha512-x"),
    )
    assert source_of(resource) == Source("http://a", (("A", "b"), ("C", "d")), "gzip", "sha512-x")


def test_nothing_is_an_empty_source() -> None:
    assert source_of(Resource.empty()) == Source("")


@pytest.mark.parametrize(
    "header", [HttpHeader(name="A"), HttpHeader(name="A", value=""), HttpHeader(value="b")]
)
def test_a_header_is_complete(header: HttpHeader) -> None:
    with pytest.raises(FetchError, match="header"):
        source_of(Resource(source="http://a", http_headers=(header,)))
