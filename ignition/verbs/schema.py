"""`ignition schema [VERSION]`: print the JSON Schema of one version of the spec."""

from __future__ import annotations

from collections.abc import Sequence

from ignition.verbs.console import say

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Print the schema of the version that the arguments name; returns the exit status."""
    import argparse
    import json

    from ignition.schemas.jsonschema import published
    from ignition.schemas.spec import STABLE, Spec

    parser = argparse.ArgumentParser(prog="ignition schema", description=__doc__, allow_abbrev=False)
    versions = [spec.version for spec in Spec]
    parser.add_argument(
        "version",
        nargs="?",
        metavar="VERSION",
        choices=versions,
        default=STABLE.version,
        help=f"one of {', '.join(versions)} (default: {STABLE})",
    )
    schema = published(parser.parse_args(arguments).version)
    say(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    return 0
