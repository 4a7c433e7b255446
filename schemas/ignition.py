# SPDX-License-Identifier: Apache-2.0
"""The section `ignition`: version, references to other configs, and fetching.

Source: docs/reference/config-language.md, "Ignition section".
"""

from collections.abc import Iterator
from typing import Annotated

from ignition.diagnostics import Entry
from ignition.schemas.base import Node
from ignition.schemas.findings import error, warning
from ignition.schemas.marks import keyed, lacking, not_null_before, since
from ignition.schemas.resource import Resource
from ignition.schemas.sources import scheme_of
from ignition.schemas.spec import Spec
from ignition.schemas.versions import SpecVersionError, spec_of

__all__ = ["Ignition", "IgnitionConfig", "Proxy", "Security", "Timeouts", "Tls"]


class IgnitionConfig(Node):
    """Other configs that this one refers to."""

    merge: Annotated[tuple[Resource, ...], keyed("source"), lacking("compression", until="3.1.0")] = ()
    """Child configs to merge into this one, in this order."""
    replace: Annotated[Resource, lacking("compression", until="3.1.0")] = Resource.empty()
    """Config that replaces this one."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that each config to merge has a source."""
        if spec >= Spec.V3_1:
            for index, reference in enumerate(self.merge):
                for entry in reference.check_required_source(spec):
                    yield entry.under(("merge", index))


class Proxy(Node):
    """Proxies for fetching over the network."""

    http_proxy: str | None = None
    """URL of the proxy for `http` sources."""
    https_proxy: str | None = None
    """URL of the proxy for `https` sources."""
    no_proxy: Annotated[tuple[str, ...], keyed()] = ()
    """Hosts, domains and networks to reach without a proxy."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that proxies are http or https URLs."""
        for name, proxy in (("httpProxy", self.http_proxy), ("httpsProxy", self.https_proxy)):
            yield from _check_proxy(proxy, name)


def _check_proxy(proxy: str | None, name: str) -> Iterator[Entry]:
    if proxy is None:
        return
    scheme = scheme_of(proxy)
    if scheme not in ("http", "https"):
        yield error("proxy", "the proxy is not an http or https URL", name, hint="write `http://host:port`")
    elif scheme == "http" and name == "httpsProxy":
        yield warning("proxy-insecure", "the proxy for https is reached without encryption", name)


class Tls(Node):
    """Trust settings for TLS."""

    certificate_authorities: Annotated[
        tuple[Resource, ...],
        keyed("source"),
        lacking("compression", until="3.1.0"),
        not_null_before("3.1.0", "source"),
    ] = ()
    """PEM bundles of certificate authorities to trust in addition to the system's own."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that each bundle has a source."""
        if spec >= Spec.V3_1:
            for index, bundle in enumerate(self.certificate_authorities):
                for entry in bundle.check_required_source(spec):
                    yield entry.under(("certificateAuthorities", index))


class Security(Node):
    """Security settings for fetching."""

    tls: Tls = Tls.empty()
    """Options for TLS connections."""


class Timeouts(Node):
    """Time limits for fetching."""

    http_response_headers: int | None = None
    """Seconds to wait for the headers of a response; 10 if absent, 0 for no limit."""
    http_total: int | None = None
    """Time limit in seconds for one resource with all retries; no limit if absent or 0."""


class Ignition(Node):
    """Metadata of the config."""

    config: IgnitionConfig = IgnitionConfig.empty()
    """Other configs that this one refers to."""
    proxy: Annotated[Proxy, since("3.1.0")] = Proxy.empty()
    """Proxies for fetching over the network."""
    security: Security = Security.empty()
    """Security settings for fetching."""
    timeouts: Timeouts = Timeouts.empty()
    """Time limits for fetching."""
    version: str = ""
    """Spec version of this config."""

    def check(self, spec: Spec) -> Iterator[Entry]:
        """Check that the version is the one that the config is checked against."""
        try:
            named = spec_of(self.version)
        except SpecVersionError as wrong:
            yield error("version", str(wrong), "version")
            return
        if named is not spec:
            yield error("version", f"the version is not {spec}", "version")
