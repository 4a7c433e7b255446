# SPDX-License-Identifier: Apache-2.0
"""Detection of the config fields that need the network.

Source: docs/reference/stages.md, "Network decision".
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
    """Return the paths of the fields that can only be applied with the network.

    These are the sources of remote resources, Tang servers without an advertisement, and
    custom Clevis pins with `needsNetwork`.

    Raises:
        ConfigError: a source is not a valid URL.
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
    from ignition.url import REMOTE_SCHEMES, MalformedUrl, parse_url

    try:
        return parse_url(source).scheme in REMOTE_SCHEMES
    except MalformedUrl as wrong:
        error = ConfigError(f"cannot tell whether a source needs the network: malformed URL: {wrong}")
        error.path = (*path, "source")
        raise error from wrong
