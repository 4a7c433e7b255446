"""The section on the config itself: its version, its references, how to fetch them.

Source: config-spec sections 4.2 and 5.3.
"""

from __future__ import annotations

from typing import Annotated

from ignition.schemas.base import Node
from ignition.schemas.marks import keyed, lacking, not_null_before, since
from ignition.schemas.resource import Resource

__all__ = ["Ignition", "IgnitionConfig", "Proxy", "Security", "Timeouts", "Tls"]


class IgnitionConfig(Node):
    """Other configs that this one refers to."""

    merge: Annotated[tuple[Resource, ...], keyed("source"), lacking("compression", until="3.1.0")] = ()
    """Configs to be merged over this one, in this order."""
    replace: Annotated[Resource, lacking("compression", until="3.1.0")] = Resource.empty()
    """The config that takes this one's place."""


class Proxy(Node):
    """Proxies for fetching over the network."""

    http_proxy: str | None = None
    """URL of the proxy for `http` sources."""
    https_proxy: str | None = None
    """URL of the proxy for `https` sources."""
    no_proxy: Annotated[tuple[str, ...], keyed()] = ()
    """Hosts, domains and networks that are reached without a proxy."""


class Tls(Node):
    """Whom to trust when fetching over TLS."""

    certificate_authorities: Annotated[
        tuple[Resource, ...],
        keyed("source"),
        lacking("compression", until="3.1.0"),
        not_null_before("3.1.0", "source"),
    ] = ()
    """PEM bundles of certificate authorities to trust beside the system's own."""


class Security(Node):
    """Security of fetching."""

    tls: Tls = Tls.empty()
    """Options for TLS connections."""


class Timeouts(Node):
    """How long fetching may take."""

    http_response_headers: int | None = None
    """Seconds to wait for the headers of a response; 10 if absent, 0 for no limit."""
    http_total: int | None = None
    """Seconds for one fetch with all its attempts; no limit if absent or 0."""


class Ignition(Node):
    """Metadata of the config."""

    config: IgnitionConfig = IgnitionConfig.empty()
    """Other configs that this one refers to."""
    proxy: Annotated[Proxy, since("3.1.0")] = Proxy.empty()
    """Proxies for fetching over the network."""
    security: Security = Security.empty()
    """Security of fetching."""
    timeouts: Timeouts = Timeouts.empty()
    """How long fetching may take."""
    version: str = ""
    """Version of the spec that this config follows."""
