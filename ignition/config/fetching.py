"""What a config says about fetching: timeouts, proxies, certificate authorities.

Source: config-spec section 4.2, engine.md section 7.1.
"""

from __future__ import annotations

from dataclasses import replace

from ignition.errors import IgnitionError
from ignition.resource import Fetcher, Settings
from ignition.schemas.config import Config

__all__ = ["settings_of"]

DEFAULT_SETTINGS = Settings()


def settings_of(config: Config, fetcher: Fetcher) -> Settings:
    """What a config says about fetching.

    Its certificate authorities are fetched with its own timeouts and proxies already, but trusting only
    whom `fetcher` trusts, as in the reference.

    Raises:
        FetchError: an authority cannot be had.
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
    trusted = authorities(config, fetcher.with_settings(settings))
    return replace(settings, certificate_authorities=trusted)


def authorities(config: Config, fetcher: Fetcher) -> tuple[bytes, ...]:
    """The PEM bundles that a config wants trusted; a bad one is found here, where its place is known."""
    if not config.ignition.security.tls.certificate_authorities:
        return ()
    from ignition.config.resources import source_of
    from ignition.resource.tls import certificates

    bundles = []
    for index, resource in enumerate(config.ignition.security.tls.certificate_authorities):
        try:
            bundle = fetcher.bytes(source_of(resource))
            certificates(bundle)
        except IgnitionError as error:
            error.path = ("ignition", "security", "tls", "certificateAuthorities", index)
            raise
        bundles.append(bundle)
    return tuple(bundles)
