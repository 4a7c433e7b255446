# SPDX-License-Identifier: Apache-2.0
"""Merge a config with the configs that it refers to, until one config is left.

    rendered = render(config, fetch)
    rendered.config        # merged, in the newest form
    rendered.references    # the tree of what was fetched

The caller's `fetch` takes a `Source` and returns its decompressed, verified bytes, or
raises. `ignition.config.fetching.follow` calls `render` with a real fetcher.

Two deliberate differences from the reference: a config that refers to itself and a
referenced document of zero bytes are errors. The reference never ends on the former, and
silently discards the user's config on the latter.

Source: docs/reference/config-language.md, "Rendering references".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ignition.config.merge import merge
from ignition.config.origins import Document, Merged, Tree
from ignition.config.parse import Parsed, parse
from ignition.config.source import source_of
from ignition.configpath import ConfigPath, format_path
from ignition.errors import ConfigError, EmptyConfig, IgnitionError
from ignition.host.source import Source
from ignition.schemas.config import Config
from ignition.schemas.resource import Resource

__all__ = ["MAX_DEPTH", "Configure", "Fetch", "Reference", "Rendered", "render"]

Fetch: TypeAlias = Callable[[Source], bytes]
"""Return the bytes of a source, decompressed and verified; raises `FetchError` or `NeedNetwork`."""

Configure: TypeAlias = Callable[[Config], None]
"""Use the timeouts, proxies and certificate authorities of a config for the next fetches."""

MAX_DEPTH = 64
"""Maximum nesting of references; deeper ones are an error."""


@dataclass(frozen=True)
class Reference:
    """A config that was fetched because another config refers to it.

    Attributes:
        path: the place of the reference in the other config.
        source: the source that was fetched.
        parsed: the fetched config, before merging, with its report.
        data: the fetched document.
        references: the references of the fetched config.
    """

    path: ConfigPath
    source: Source
    parsed: Parsed
    data: bytes = field(default=b"", repr=False)
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class Rendered:
    """A config whose references are merged.

    Attributes:
        config: the merged config; its `merge` list still names the merged references.
        references: the fetched configs, as a tree.
        tree: the documents in the order of merging, for `ignition.config.origins`.
    """

    config: Config
    references: tuple[Reference, ...]
    tree: Tree

    @property
    def every(self) -> tuple[Reference, ...]:
        """All references in the order in which they were fetched."""
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
    """Fetch and merge references until none is left.

    Args:
        config: the config, in the newest form.
        fetch: returns the bytes of a source.
        configure: called with each config whose network settings apply to the next fetches.
        source: name of the config in messages and origins.
        data: text of the config, for origins.

    Raises:
        ConfigError: a referenced document is invalid or empty, or the references do not end.
        IgnitionError: raised by `fetch`; the reference's path is added if the error has none.
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
            done.append(Reference(path, source, parsed, child.data, rendered.references))
        return Rendered(merged.config, tuple(done), merged)

    def replace(self, document: Document, resource: Resource, above: tuple[Source, ...]) -> Rendered:
        """Fetch the replacement; the document and its other references are discarded."""
        path = ("ignition", "config", "replace")
        source, parsed, child = self.get(document, resource, path, above)
        self.configure(child.config)
        rendered = self.render(child, (*above, source))
        reference = Reference(path, source, parsed, child.data, rendered.references)
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
            hint = 'write {"ignition": {"version": "3.0.0"}} for a config without settings'
            error = ConfigError(f"the config from {name} is empty", hint=hint)
            error.path = path
            raise error from empty
        except IgnitionError as error:
            error.path = error.path or path
            raise
        return source, parsed, Document(parsed.config, name, data)


def _check_end(name: str, source: Source, above: tuple[Source, ...]) -> None:
    """Raise if the references form a cycle or are nested too deep."""
    if any(source.url == other.url and source.headers == other.headers for other in above):
        hint = "remove the reference, or let it point to a config that does not refer back"
        raise ConfigError(f"cannot follow the reference {name}: it is part of a cycle", hint=hint)
    if len(above) >= MAX_DEPTH:
        hint = "check whether the references form a cycle of changing URLs"
        raise ConfigError(
            f"cannot follow the reference {name}: more than {MAX_DEPTH} levels of references", hint=hint
        )
