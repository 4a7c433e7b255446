"""Which fields of a config need the network.

Source: engine sheet section 6.
"""

from __future__ import annotations

from ignition.config.walk import walk
from ignition.configpath import ConfigPath
from ignition.errors import ConfigError
from ignition.schemas.base import Node
from ignition.schemas.config import Config
from ignition.schemas.luks import ClevisCustom, Tang
from ignition.schemas.resource import Resource

__all__ = ["needs_network"]


def needs_network(config: Config) -> tuple[ConfigPath, ...]:
    """The paths of the fields that can only be acted on with a network.

    Resources with a remote source, Tang servers whose advertisement is not given, and
    custom Clevis pins that say so.

    Raises:
        ConfigError: a source is no URL, so nobody can tell.
    """
    return tuple(
        (*path, field) for path, node in walk(config) if (field := _remote_field(node, path)) is not None
    )


def _remote_field(node: Node, path: ConfigPath) -> str | None:
    match node:
        case Resource(source=str(source)) if _is_remote(source, path):
            return "source"
        case Tang() if not node.advertisement:
            return "url"
        case ClevisCustom(needs_network=True):
            return "needsNetwork"
        case _:
            return None


def _is_remote(source: str, path: ConfigPath) -> bool:
    if not source or source.startswith("data:"):
        return False
    from ignition.url import MalformedUrl, parse_url

    try:
        return parse_url(source).scheme not in ("", "data")
    except MalformedUrl as wrong:
        error = ConfigError(f"a source is malformed: {wrong}")
        error.path = (*path, "source")
        raise error from wrong
