"""Follow a config's references until one config is left.

    rendered = render(config, fetch)
    rendered.config        # merged, in the newest form
    rendered.references    # the tree of what was fetched

How bytes are had is the caller's business: `fetch` takes a `Source` and returns its
decompressed, verified bytes, or raises.

Two deliberate differences from the reference: a config that refers to itself, and a
referenced document of zero bytes, are errors. There the one never ends, and the
other silently discards all of the user's config.

Source: config-spec section 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ignition.config.merge import merge
from ignition.config.origins import Document, Merged, Tree
from ignition.config.parse import Parsed, parse
from ignition.config.resources import source_of
from ignition.configpath import ConfigPath, format_path
from ignition.errors import ConfigError, EmptyConfig, IgnitionError
from ignition.host.source import Source
from ignition.schemas.config import Config
from ignition.schemas.resource import Resource

__all__ = ["MAX_DEPTH", "Configure", "Fetch", "Reference", "Rendered", "embed_authorities", "render"]

Fetch: TypeAlias = Callable[[Source], bytes]
"""Gets the bytes of a source, decompressed and verified; raises `FetchError` or `NeedNetwork`."""

Configure: TypeAlias = Callable[[Config], None]
"""Takes timeouts, proxies and certificate authorities for what is fetched next from a config."""

MAX_DEPTH = 64
"""References deeper than this are taken for endless."""


@dataclass(frozen=True)
class Reference:
    """One config that was fetched because another one refers to it.

    Attributes:
        path: where the other one refers to it.
        source: what was fetched.
        parsed: what it says by itself, and the report on it.
        references: what it refers to in turn.
    """

    path: ConfigPath
    source: Source
    parsed: Parsed
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class Rendered:
    """One config without open references, and how it came about.

    Attributes:
        config: the result; its `merge` list still names what was merged.
        references: the tree of what was fetched.
        tree: which documents were merged in which order, for `ignition.config.origins`.
    """

    config: Config
    references: tuple[Reference, ...]
    tree: Tree

    @property
    def every(self) -> tuple[Reference, ...]:
        """All references, each followed by its own: in the order in which they were fetched."""
        return tuple(_every(self.references))


def _every(references: tuple[Reference, ...]) -> Iterator[Reference]:
    for reference in references:
        yield reference
        yield from _every(reference.references)


def render(
    config: Config,
    fetch: Fetch,
    configure: Configure = lambda _: None,
    *,
    source: str = "the config",
    data: bytes = b"",
) -> Rendered:
    """Replace and merge until nothing is left to be fetched.

    Args:
        config: the config, in the newest form.
        fetch: gets the bytes of a source.
        configure: is called with each config whose settings hold for the next fetches.
        source: names the config in messages and origins.
        data: the config's text, for origins.

    Raises:
        ConfigError: a referenced document is invalid or empty, or references never end.
        IgnitionError: whatever `fetch` raises, with the reference's path if it has none.
    """
    return _Renderer(fetch, configure).render(Document(config, source, data), ())


class _Renderer:
    def __init__(self, fetch: Fetch, configure: Configure) -> None:
        self.fetch = fetch
        self.configure = configure

    def render(self, document: Document, above: tuple[Source, ...]) -> Rendered:
        references = document.config.ignition.config
        if references.replace.source is not None:
            return self.replace(document, references.replace, above)
        merged: Tree = document
        done = []
        for index, resource in enumerate(references.merge):
            path = ("ignition", "config", "merge", index)
            source, parsed, child = self.get(document, resource, path, above)
            self.configure(merge(merged.config, child.config))
            rendered = self.render(child, (*above, source))
            merged = Merged(merge(merged.config, rendered.config), merged, rendered.tree)
            done.append(Reference(path, source, parsed, rendered.references))
        return Rendered(merged.config, tuple(done), merged)

    def replace(self, document: Document, resource: Resource, above: tuple[Source, ...]) -> Rendered:
        """Everything that the document says is discarded, its other references too."""
        path = ("ignition", "config", "replace")
        source, parsed, child = self.get(document, resource, path, above)
        self.configure(child.config)
        rendered = self.render(child, (*above, source))
        reference = Reference(path, source, parsed, rendered.references)
        return Rendered(rendered.config, (reference,), rendered.tree)

    def get(
        self, document: Document, resource: Resource, path: ConfigPath, above: tuple[Source, ...]
    ) -> tuple[Source, Parsed, Document]:
        """Fetch and parse one referenced config."""
        name = f"{format_path(path)} of {document.source}"
        try:
            source = source_of(resource)
            _check_end(name, source, above)
            data = self.fetch(source)
            parsed = parse(data, source=name)
        except EmptyConfig as empty:
            hint = 'a config that says nothing is {"ignition": {"version": "3.0.0"}}'
            error = ConfigError(f"the config from {name} is empty", hint=hint)
            error.path = path
            raise error from empty
        except IgnitionError as error:
            error.path = error.path or path
            raise
        return source, parsed, Document(parsed.config, name, data)


def _check_end(name: str, source: Source, above: tuple[Source, ...]) -> None:
    """References come to an end: none leads back to where it came from, none goes too deep."""
    if any(source.url == other.url and source.headers == other.headers for other in above):
        hint = "a config that merges or replaces itself, over however many others, never ends"
        raise ConfigError(f"the reference {name} leads back to a config that led to it", hint=hint)
    if len(above) >= MAX_DEPTH:
        hint = "do the references lead in a circle, by URLs that change?"
        raise ConfigError(f"configs refer to each other more than {MAX_DEPTH} levels deep", hint=hint)


def embed_authorities(config: Config, fetch: Fetch) -> Config:
    """Put the certificate authorities into the config, so that later stages need no network for them.

    Raises:
        IgnitionError: whatever `fetch` raises, with the bundle's path if it has none.
    """
    tls = config.ignition.security.tls
    if not tls.certificate_authorities:
        return config
    bundles = tuple(
        _embedded(bundle, index, fetch) for index, bundle in enumerate(tls.certificate_authorities)
    )
    security = config.ignition.security.but(tls=tls.but(certificate_authorities=bundles))
    return config.but(ignition=config.ignition.but(security=security))


def _embedded(bundle: Resource, index: int, fetch: Fetch) -> Resource:
    from ignition.dataurl import encode

    try:
        contents = fetch(source_of(bundle))
    except IgnitionError as error:
        path = ("ignition", "security", "tls", "certificateAuthorities", index)
        error.path = error.path or path
        raise
    return Resource.of({"source": encode(contents), "verification": bundle.verification})
