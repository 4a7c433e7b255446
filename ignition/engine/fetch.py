"""The fetch stages: from a platform to the one config that is applied.

    answer = acquire(...)            the first source that has something to say
    config = resolve(answer, ...)    parsed, its references followed and merged

Source: engine.md sections 4.2 and 4.3. The two stages differ only in what they may
use: `fetch-offline` is refused the network, with `NeedNetwork` for an answer.
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
    """What a source handed over: its name and the bytes."""

    source: str
    data: bytes


@dataclass(frozen=True)
class Fetched:
    """The user's config, ready to be applied.

    Attributes:
        config: merged, not judged yet; every certificate authority is a `data:` URL, so that later
            stages need nothing to reach the same servers.
        parts: the configs that it was made of.
        documents: their texts, and how they were merged; None if no config was given.
    """

    config: Config
    parts: tuple[FetchedConfig, ...] = ()
    documents: Tree | None = None

    def record(self, *, with_base: bool) -> State:
        """What the state says of it; the image's own configs come first."""
        base = (FetchedConfig("base", "system", referenced=False),) if with_base else ()
        return State(fetched=base + self.parts)


def fetch_config(provider: Provider, run: Run, *, timeout: float, offline: bool) -> Fetched:
    """Ask the sources, and follow the references.

    Args:
        provider: the platform's; kernel arguments and `user.ign` come before it.
        run: starts programs.
        timeout: seconds that fetching the platform's config may take.
        offline: whether the network is out of reach.

    Raises:
        NeedNetwork: offline, and something is only to be had over the network.
        ConfigError: a config is wrong.
        FetchError: one cannot be had.
    """
    fetcher = provider.fetcher(offline=offline)
    hurried = fetcher.with_settings(Settings(total=timeout))
    answer = acquire(ProviderContext(run=run, fetch=hurried, offline=offline), provider)
    if not answer.data:
        log.info(f"no config was given ({answer.source} has none): applying base configs only")
        return Fetched(Config.of({}))
    return resolve(answer, fetcher)


def acquire(machine: ProviderContext, provider: Provider) -> Answer:
    """Ask each source in turn; the first that does not pass decides, for better or worse.

    Raises:
        NoProvider: even the platform has nothing to say.
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
    """Parse a config and follow its references with the settings that it gives."""
    followed = follow(answer.data, answer.source, fetcher, logged=True)
    parts = (FetchedConfig("user", answer.source, referenced=False), *referenced(followed.rendered))
    return Fetched(followed.self_contained(), parts, followed.rendered.tree)


def referenced(rendered: Rendered) -> tuple[FetchedConfig, ...]:
    """The configs that were referenced, by the path of their URL: the rest may hold secrets."""
    return tuple(FetchedConfig("user", path_of(each.source), referenced=True) for each in rendered.every)


def path_of(source: Source) -> str:
    """The path of a source's URL; empty for `data:` (engine.md section 4.3)."""
    from ignition.url import parse_url

    return "" if source.url.startswith("data:") else parse_url(source.url).path
