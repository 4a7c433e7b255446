# SPDX-License-Identifier: Apache-2.0
"""`ignition plan [--config FILE | --config-cache [FILE]] [--root DIR]`: preview provisioning.

Run the read-only half of all stages on this machine and print, for each object, whether it is kept, created,
changed or destroyed, the data that is lost, and all conflicts. Exit status: 0 no conflicts, 1 conflicts or an
invalid config, 2 usage.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from ignition.configpath import format_path
from ignition.errors import IgnitionError
from ignition.text import printable, strerror
from ignition.verbs.console import complain, contents, say
from ignition.verbs.resolve import account

if TYPE_CHECKING:
    from ignition.boot.state import State
    from ignition.host import Fetch
    from ignition.preview import Effect, StagePreview
    from ignition.schemas.config import Config

__all__ = ["main"]

CACHE: Final = "/run/ignition.json"
STATE: Final = "/run/ignition/state"


def main(arguments: Sequence[str]) -> int:
    """Print the preview; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        config, fetch, state = given(options)
        previews = list(previewed(config, fetch, state, options.root))
    except IgnitionError as error:
        complain("".join(f"{line}\n" for line in account(error, "plan")))
        return error.exit_code
    if options.output == "json":
        say(in_json(previews))
    else:
        say("".join(f"{printable(line)}\n" for line in in_text(previews)))
    return 1 if any(each.conflicts for each in previews) else 0


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="ignition plan",
        description="Show what provisioning would do to this machine. Nothing is changed.",
        allow_abbrev=False,
    )
    source = command.add_mutually_exclusive_group()
    source.add_argument(
        "--config", metavar="FILE", help="config whose references are followed; - reads stdin"
    )
    help_on_cache = f"config written by the fetch stage (default: {CACHE})"
    source.add_argument("--config-cache", metavar="FILE", nargs="?", const=CACHE, help=help_on_cache)
    command.add_argument("--offline", action="store_true", help="fail if the network is needed")
    command.add_argument(
        "--platform",
        metavar="ID",
        default="",
        help="with --config-cache: include the base configs for platform ID",
    )
    command.add_argument("--root", metavar="DIR", default="/", help="the target root (default: /)")
    command.add_argument("--output", choices=("text", "json"), default="text", help="output format")
    return command


def given(options: argparse.Namespace) -> tuple[Config, Fetch, State]:
    """Return the config, the fetcher of its resources, and the state of earlier stages."""
    from ignition.boot import state
    from ignition.config.fetching import configured, follow
    from ignition.config.validate import check_merged
    from ignition.engine import read_cache
    from ignition.resource import Fetcher
    from ignition.verbs.resolve import over_base

    fetcher = Fetcher(offline=options.offline)
    if options.config is None:
        user = read_cache(options.config_cache or CACHE)
        config = over_base(user, "/", options.platform)
        return config, configured(fetcher, user), state.read(STATE)
    try:
        data = contents(options.config)
    except OSError as error:
        raise IgnitionError(f"cannot read {options.config}: {strerror(error)}") from error
    followed = follow(data, options.config, fetcher)
    config = followed.rendered.config
    for report in (followed.parsed.report, check_merged(config)):
        complain("".join(f"{printable(str(entry))}\n" for entry in report))
    return config, followed.fetcher, state.State()


def previewed(
    config: Config, fetch: Fetch, state: State, root: str, system: str = "/"
) -> Iterator[StagePreview]:
    """Yield the preview of each stage."""
    from ignition.host.run import run
    from ignition.preview import preview, preview_host

    return preview(config, preview_host(root, run, fetch, system), state)


def in_text(previews: Sequence[StagePreview], system: str = "/") -> Iterator[str]:
    """Yield lines for people: the stages in order, all conflicts, the totals."""
    for each in previews:
        if each.effects:
            yield f"{each.stage}:"
        for effect in each.effects:
            yield from _lines(effect)
    conflicts = [conflict for each in previews for conflict in each.conflicts]
    if conflicts:
        yield "conflicts (provisioning would be refused):"
    for conflict in conflicts:
        first, *more = conflict.reason.splitlines()
        yield f"  {format_path(conflict.path)}: {first}"
        yield from (f"    {line}" for line in more)
        if conflict.hint:
            yield f"    hint: {conflict.hint}"
    yield from _present(conflicts, system)
    yield _sum(previews, len(conflicts))


def _lines(effect: Effect) -> Iterator[str]:
    detail = f" ({effect.detail})" if effect.detail else ""
    yield f"  {effect.does.value:<8} {effect.what}{detail}"
    for lost in effect.lost:
        yield f"  {'':<8}   lost: {lost}"


def _present(conflicts: Sequence[object], system: str) -> Iterator[str]:
    """Yield the existing devices if devices are missing."""
    from ignition.host import blocks
    from ignition.preview import DeviceAbsent

    if any(isinstance(conflict, DeviceAbsent) for conflict in conflicts):
        there = list(blocks.inventory(system))
        yield "existing devices:" if there else "no block devices found"
        yield from (f"  {line}" for line in there)


def _sum(previews: Sequence[StagePreview], conflicts: int) -> str:
    from ignition.preview import Does

    counts = Counter(effect.does for each in previews for effect in each.effects)
    figures = [f"{counts[does]} {does.value}" for does in Does if counts[does]]
    return ", ".join((*figures, f"{conflicts} conflict{'' if conflicts == 1 else 's'}"))


def in_json(previews: Sequence[StagePreview]) -> str:
    """Return one JSON object for programs."""
    import json

    objects: list[dict[str, Any]] = [
        {
            "stage": each.stage,
            "path": format_path(effect.path),
            "does": effect.does.value,
            "what": effect.what,
            "detail": effect.detail,
            "lost": list(effect.lost),
        }
        for each in previews
        for effect in each.effects
    ]
    conflicts = [
        {
            "stage": each.stage,
            "path": format_path(conflict.path),
            "reason": conflict.reason,
            "hint": conflict.hint,
        }
        for each in previews
        for conflict in each.conflicts
    ]
    return json.dumps({"objects": objects, "conflicts": conflicts}) + "\n"
