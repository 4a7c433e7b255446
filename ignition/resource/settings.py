# SPDX-License-Identifier: Apache-2.0
"""Settings of a fetcher, fixed for its lifetime."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ignition.resource.http.proxy import Proxies

__all__ = ["DEFAULT_SETTINGS", "Settings"]


@dataclass(frozen=True)
class Settings:
    """The settings of a config for fetching. Times are in seconds.

    Attributes:
        response_headers: time limit for the headers of a response, per attempt; 0 means no limit.
        total: time limit for one fetch with all its attempts; 0 means no limit.
        http_proxy: URL of the proxy for `http://`; empty for no proxy.
        https_proxy: URL of the proxy for `https://`; empty for no proxy.
        no_proxy: hosts that are reached without a proxy (`proxy.Proxies.exempt`).
        certificate_authorities: PEM bundles that are trusted in addition to the system's.
    """

    response_headers: float = 10.0
    total: float = 0.0
    http_proxy: str = field(default="", repr=False)
    https_proxy: str = field(default="", repr=False)
    no_proxy: tuple[str, ...] = ()
    certificate_authorities: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def proxies(self) -> Proxies:
        return Proxies(self.http_proxy, self.https_proxy, self.no_proxy)


DEFAULT_SETTINGS: Final = Settings()
