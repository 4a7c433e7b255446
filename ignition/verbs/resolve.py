# SPDX-License-Identifier: Apache-2.0
"""`ignition resolve [--offline] [--root DIR] CONFIG`: fetch and merge a config like a boot does.

Follows references, verifies hashes, and checks the result. The tree of merged documents with their digests
goes to stderr. The config that a machine would apply goes to stdout, with its secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from ignition.configpath import format_path
from ignition.diagnostics import Report
from ignition.errors import ConfigError, IgnitionError
from ignition.text import printable, strerror
from ignition.verbs.console import complain, contents, say

if TYPE_CHECKING:
    from ignition.config.fetching import Followed
    from ignition.config.render import Reference
    from ignition.schemas.config import Config

__all__ = ["account", "main", "over_base"]


def main(arguments: Sequence[str]) -> int:
    """Resolve the config that the arguments name; return the exit status."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="ignition resolve",
        description="Fetch and merge the configs that a config refers to, like a boot does.",
        allow_abbrev=False,
    )
    parser.add_argument("--offline", action="store_true", help="fail if the network is needed")
    parser.add_argument("--root", metavar="DIR", help="merge over the base configs of the image in DIR")
    parser.add_argument(
        "--platform", metavar="ID", default="", help="include the base configs of this platform"
    )
    parser.add_argument("config", metavar="CONFIG", help="a file, or - for stdin")
    options = parser.parse_args(arguments)
    if options.platform and not options.root:
        parser.error("--platform needs --root")
    try:
        data = contents(options.config)
    except OSError as error:
        complain(f"ignition resolve: cannot read {options.config}: {strerror(error)}\n")
        return 1
    try:
        config = resolved(data, options.config, offline=options.offline)
        if options.root:
            config = over_base(config, options.root, options.platform)
    except IgnitionError as error:
        complain("".join(f"{line}\n" for line in account(error)))
        return error.exit_code
    from ignition.config.json.dump import dump

    say(f"{dump(config, indent=2).decode()}\n")
    return 0


def resolved(data: bytes, name: str, *, offline: bool) -> Config:
    """Return the config with all references merged; print the tree of documents.

    Raises:
        IgnitionError: a config is invalid, or a resource cannot be fetched.
    """
    from ignition.config.fetching import follow
    from ignition.config.validate import check_merged
    from ignition.resource import Fetcher

    followed = follow(data, name, Fetcher(offline=offline))
    complain("".join(f"{printable(line)}\n" for line in tree(name, data, followed)))
    config = followed.self_contained()
    complain("".join(f"{printable(line)}\n" for line in warnings("merged config: ", check_merged(config))))
    return config


def tree(name: str, data: bytes, followed: Followed) -> Iterator[str]:
    """Yield the documents, each below the document that refers to it."""
    yield f"{name}: spec {followed.parsed.spec}, {_digest(data)}"
    yield from warnings("  ", followed.parsed.report)
    yield from _branches(followed.rendered.references, "")


def _branches(references: Sequence[Reference], indent: str) -> Iterator[str]:
    from ignition.resource.redact import redact

    for index, reference in enumerate(references):
        last = index == len(references) - 1
        source, below = reference.source, indent + ("    " if last else "│   ")
        verified = ", verified" if source.hash else ""
        yield f"{indent}{'└── ' if last else '├── '}{format_path(reference.path)}: {redact(source.url)}"
        yield f"{below}spec {reference.parsed.spec}, {_digest(reference.data)}{verified}"
        yield from warnings(below, reference.parsed.report)
        yield from _branches(reference.references, below)


def warnings(prefix: str, report: Report) -> Iterator[str]:
    """Yield the entries of a report, one per line."""
    for entry in report:
        yield f"{prefix}{entry}"


def over_base(config: Config, root: str, platform: str) -> Config:
    """Return the config merged over the base configs of the image, like the stages do.

    Raises:
        IgnitionError: a base config is invalid.
    """
    from ignition.config.merge import merge
    from ignition.platform import base_configs

    own = base_configs.load(platform, root)
    return config if own is None else merge(own, config)


def account(error: IgnitionError, verb: str = "resolve") -> Iterator[str]:
    """Yield the message, the place and the hint of an error."""
    where = f" ({format_path(error.path)})" if error.path is not None else ""
    yield f"ignition {verb}: {printable(str(error))}{where}"
    if isinstance(error, ConfigError):
        yield from map(printable, warnings("  ", error.report))
    if error.hint:
        yield f"  hint: {printable(error.hint)}"


def _digest(data: bytes) -> str:
    return f"sha256-{sha256(data).hexdigest()}"
