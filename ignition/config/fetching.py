# SPDX-License-Identifier: Apache-2.0
"""Fetching for a config: its network settings, and the configs that it refers to.

    followed = follow(data, "user.ign", fetcher)
    followed.rendered.config     # one config, everything merged
    followed.fetcher             # uses the network settings of that config

The engine, `ignition apply`, `ignition resolve` and `ignition plan` all use `follow`.

Source of the order and of the settings in force:
docs/reference/config-language.md, "Rendering references" and "Ignition section".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ignition.config.source import source_of
from ignition.errors import IgnitionError
from ignition.resource import Fetcher, Settings
from ignition.schemas.config import Config

if TYPE_CHECKING:
    from ignition.config.parse import Parsed
    from ignition.config.render import Rendered
    from ignition.host.source import Source
    from ignition.schemas.resource import Resource

__all__ = ["Followed", "configured", "embed_authorities", "follow"]

DEFAULT_SETTINGS = Settings()

_ResultT = TypeVar("_ResultT")


@dataclass(frozen=True)
class Followed:
    """A config whose references were followed.

    Attributes:
        parsed: the document itself, before merging.
        rendered: the merged config and the documents that it was made of.
        fetcher: uses the network settings of the merged config.
    """

    parsed: Parsed
    rendered: Rendered
    fetcher: Fetcher

    def self_contained(self) -> Config:
        """Return the merged config with its certificate authorities embedded.

        Raises:
            FetchError: a certificate authority cannot be fetched.
        """
        return embed_authorities(self.rendered.config, self.fetcher)


def follow(data: bytes, source: str, fetcher: Fetcher, *, logged: bool = False) -> Followed:
    """Parse a document, then fetch and merge its references until none is left.

    Each fetch uses the network settings of the config that is merged so far.

    Args:
        data: the document.
        source: the document's origin, for messages ("user.ign"); must not contain secrets.
        fetcher: fetches the references, until a config brings its own settings.
        logged: whether to log the digest of the document and the warnings of all configs.

    Raises:
        EmptyConfig: the document has zero bytes.
        ConfigError: a document is invalid, or the references do not end.
        FetchError: a reference or a certificate authority cannot be fetched.
        NeedNetwork: the fetcher is offline and something needs the network.
    """
    from ignition import log
    from ignition.config.parse import parse
    from ignition.config.render import render

    if logged:
        from hashlib import sha512

        log.debug(f"{source}: SHA-512 of the config is {sha512(data).hexdigest()}")
    parsed = parse(data, source=source)
    if logged:
        log.report(parsed.report)
    session = _Session(configured(fetcher, parsed.config))
    name = f"the config from {source}"
    rendered = render(parsed.config, session.get, session.configure, source=name, data=data)
    if logged:
        for reference in rendered.every:
            log.report(reference.parsed.report)
    return Followed(parsed, rendered, configured(session.fetcher, rendered.config))


def configured(fetcher: Fetcher, config: Config) -> Fetcher:
    """Return a fetcher that uses the timeouts, proxies and certificate authorities of a config.

    The authorities are fetched with the config's timeouts and proxies, but verified only
    with the authorities that `fetcher` trusts, as in the reference.

    Raises:
        FetchError: a certificate authority cannot be fetched or is not a PEM bundle.
    """
    timeouts, proxy = config.ignition.timeouts, config.ignition.proxy
    headers, total = timeouts.http_response_headers, timeouts.http_total
    settings = Settings(
        response_headers=DEFAULT_SETTINGS.response_headers if headers is None else headers,
        total=DEFAULT_SETTINGS.total if total is None else total,
        http_proxy=proxy.http_proxy or "",
        https_proxy=proxy.https_proxy or "",
        no_proxy=proxy.no_proxy,
        certificate_authorities=fetcher.settings.certificate_authorities,
    )
    trusted = _each_authority(config, partial(_bundle, fetcher.with_settings(settings)))
    return fetcher.with_settings(replace(settings, certificate_authorities=trusted))


def embed_authorities(config: Config, fetcher: Fetcher) -> Config:
    """Replace the sources of the certificate authorities by data URLs.

    Later stages then need no network for them.

    Raises:
        FetchError: a certificate authority cannot be fetched.
    """
    tls = config.ignition.security.tls
    if not tls.certificate_authorities:
        return config
    bundles = _each_authority(config, partial(_embedded, fetcher))
    security = config.ignition.security.evolve(tls=tls.evolve(certificate_authorities=bundles))
    return config.evolve(ignition=config.ignition.evolve(security=security))


@dataclass
class _Session:
    """The fetcher in force while references are followed."""

    fetcher: Fetcher

    def configure(self, config: Config) -> None:
        self.fetcher = configured(self.fetcher, config)

    def get(self, source: Source) -> bytes:
        return self.fetcher.bytes(source)


def _each_authority(config: Config, function: Callable[[Resource], _ResultT]) -> tuple[_ResultT, ...]:
    """Call a function with each certificate authority; its errors get the authority's path."""
    results = []
    for index, resource in enumerate(config.ignition.security.tls.certificate_authorities):
        try:
            results.append(function(resource))
        except IgnitionError as error:
            error.path = ("ignition", "security", "tls", "certificateAuthorities", index)
            raise
    return tuple(results)


def _bundle(fetcher: Fetcher, resource: Resource) -> bytes:
    from ignition.resource.tls import certificates

    bundle = fetcher.bytes(source_of(resource))
    certificates(bundle)
    return bundle


def _embedded(fetcher: Fetcher, resource: Resource) -> Resource:
    from ignition.url.dataurl import encode

    contents = fetcher.bytes(source_of(resource))
    return resource.of({"source": encode(contents), "verification": resource.verification})
