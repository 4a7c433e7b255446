"""`ignition resolve [--offline] [--root DIR] CONFIG`: fetch and merge as a machine would.

References are followed, hashes verified, and the result is judged. The tree of what
was merged goes to stderr, each document with its digest; the config that a machine
would apply goes to stdout. Its secrets are in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from ignition.configpath import format_path
from ignition.diagnostics import Report
from ignition.errors import ConfigError, IgnitionError
from ignition.text import printable
from ignition.verbs.console import complain, contents, say

if TYPE_CHECKING:
    from ignition.config.fetching import Followed
    from ignition.config.render import Reference
    from ignition.schemas.config import Config

__all__ = ["account", "main", "over_base"]


def main(arguments: Sequence[str]) -> int:
    """Resolve the config that the arguments name; returns the exit status."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="ignition resolve",
        description="Fetch and merge what a config refers to, as a machine would.",
        allow_abbrev=False,
    )
    parser.add_argument("--offline", action="store_true", help="fail where the network would be needed")
    parser.add_argument("--root", metavar="DIR", help="merge over the base configs of the image in DIR")
    parser.add_argument("--platform", metavar="ID", default="", help="take the image's configs for ID too")
    parser.add_argument("config", metavar="CONFIG", help="a file, or - for stdin")
    options = parser.parse_args(arguments)
    if options.platform and not options.root:
        parser.error("--platform needs --root")
    try:
        data = contents(options.config)
    except OSError as error:
        complain(f"ignition resolve: {options.config} cannot be read: {error.strerror}\n")
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
    """The config with all its references merged; prints the tree on the way.

    Raises:
        IgnitionError: it is wrong, or something cannot be had.
    """
    from ignition.config.fetching import follow
    from ignition.config.validate import check_merged
    from ignition.resource import Fetcher

    followed = follow(data, name, Fetcher(offline=offline))
    complain("".join(f"{printable(line)}\n" for line in tree(name, data, followed)))
    config = followed.self_contained()
    complain("".join(f"{printable(line)}\n" for line in warnings("the result: ", check_merged(config))))
    return config


def tree(name: str, data: bytes, followed: Followed) -> Iterator[str]:
    """The documents, each below the one that refers to it."""
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
    """The entries of a report, one to a line."""
    for entry in report:
        yield f"{prefix}{entry}"


def over_base(config: Config, root: str, platform: str) -> Config:
    """The config merged over the image's own configs, as the stages apply it.

    Raises:
        IgnitionError: one of them is broken.
    """
    from ignition.config.merge import merge
    from ignition.platform import base_configs

    own = base_configs.load(platform, root)
    return config if own is None else merge(own, config)


def account(error: IgnitionError, verb: str = "resolve") -> Iterator[str]:
    """What went wrong, where, and what to try."""
    where = f" ({format_path(error.path)})" if error.path is not None else ""
    yield f"ignition {verb}: {printable(str(error))}{where}"
    if isinstance(error, ConfigError):
        yield from map(printable, warnings("  ", error.report))
    if error.hint:
        yield f"  hint: {printable(error.hint)}"


def _digest(data: bytes) -> str:
    return f"sha256-{sha256(data).hexdigest()}"
