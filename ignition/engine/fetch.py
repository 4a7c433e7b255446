# SPDX-License-Identifier: Apache-2.0
"""The fetch stages: find the platform's config and merge it with the configs that it references.

    answer = acquire(...)            the answer of the first config source that has one
    fetched = resolve(answer, ...)   the config, parsed and merged with its references

Source: docs/reference/stages.md, "Config sources". The two stages differ only in the use of the
network: in `fetch-offline`, fetching over the network raises `NeedNetwork`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ignition import log
from ignition.boot.state import FetchedConfig, State
from ignition.config.fetching import follow
from ignition.config.origins import Tree
from ignition.config.render import Rendered
from ignition.errors import NoProvider
from ignition.host import Run
from ignition.host.source import Source
from ignition.platform import provider as platform
from ignition.platform.provider import Provider, ProviderContext
from ignition.resource import Fetcher, Settings
from ignition.schemas.config import Config

__all__ = ["Answer", "Fetched", "acquire", "fetch_config", "resolve"]


@dataclass(frozen=True)
class Answer:
    """The config of a source, unparsed, and the name of the source; no bytes mean "no config"."""

    source: str
    data: bytes


@dataclass(frozen=True)
class Fetched:
    """The user's config with its references merged.

    Attributes:
        config: merged, not validated yet; every certificate authority is a `data:` URL, so that later
            stages reach the same servers without another download.
        parts: the configs that were merged.
        documents: the texts of these configs and how they were merged; None if no config was given.
    """

    config: Config
    parts: tuple[FetchedConfig, ...] = ()
    documents: Tree | None = None

    def record(self, *, with_base: bool) -> State:
        """Return the state that lists the merged configs; an entry for base configs comes first."""
        base = (FetchedConfig("base", "system", referenced=False),) if with_base else ()
        return State(fetched=base + self.parts)


def fetch_config(provider: Provider, run: Run, *, timeout: float, offline: bool) -> Fetched:
    """Fetch the config of the first source that has one, and merge its references.

    Args:
        provider: the platform's provider; kernel arguments and `user.ign` take precedence.
        run: runs programs.
        timeout: time limit for fetching the platform's config, in seconds.
        offline: whether the network must not be used.

    Raises:
        NeedNetwork: offline, and a config needs the network.
        ConfigError: a config is invalid.
        FetchError: a config cannot be fetched.
    """
    fetcher = provider.fetcher(offline=offline)
    hurried = fetcher.with_settings(Settings(total=timeout))
    answer = acquire(ProviderContext(run=run, fetch=hurried, offline=offline), provider)
    if not answer.data:
        log.info(f"no config was given ({answer.source} has none): applying base configs only")
        return Fetched(Config.of({}))
    return resolve(answer, fetcher)


def acquire(machine: ProviderContext, provider: Provider) -> Answer:
    """Return the answer of the first source that does not raise `NoProvider`; its errors are final.

    Raises:
        NoProvider: no source has a config.
    """
    for source in (*platform.load_first(), provider):
        try:
            data = source.fetch(machine)
        except NoProvider as nothing:
            log.debug(f"{source.name}: {nothing}")
            continue
        log.debug(f"{source.name}: a config of {len(data)} bytes")
        return Answer(source.name, data)
    raise NoProvider(f"the platform {provider.name} has no config")


def resolve(answer: Answer, fetcher: Fetcher) -> Fetched:
    """Parse a config and fetch its references with the network settings of the config."""
    followed = follow(answer.data, answer.source, fetcher, logged=True)
    parts = (FetchedConfig("user", answer.source, referenced=False), *referenced(followed.rendered))
    return Fetched(followed.self_contained(), parts, followed.rendered.tree)


def referenced(rendered: Rendered) -> tuple[FetchedConfig, ...]:
    """Return the referenced configs by the path of their URL; the rest of a URL may hold secrets."""
    return tuple(FetchedConfig("user", path_of(each.source), referenced=True) for each in rendered.every)


def path_of(source: Source) -> str:
    """Return the path of a source's URL; empty for `data:` (docs/reference/stages.md, "Config sources")."""
    from ignition.url import parse_url

    return "" if source.url.startswith("data:") else parse_url(source.url).path
