# SPDX-License-Identifier: Apache-2.0
"""The adapter of the mount stage."""

from __future__ import annotations

from collections.abc import Iterator

from ignition.boot.state import State
from ignition.errors import IgnitionError, Refusal
from ignition.preview.adapter import Adapter
from ignition.preview.effects import Does, Effect, flat
from ignition.preview.host import PreviewHost
from ignition.schemas.config import Config
from ignition.stages import Plan
from ignition.stages.mount import PATH, MountFilesystem, is_below, missing_directories, mountable

__all__ = ["Mounts"]


class Mounts(Adapter):
    """The mount points, in config order."""

    handles_refusals = True

    def effects(
        self, config: Config, facts: frozenset[int], plan: Plan, host: PreviewHost
    ) -> Iterator[Effect | Refusal]:
        """Yield one effect for each filesystem, or a refusal if a symlink in its path is visible already."""
        paths = [path for _, path, _ in mountable(config)]
        due = _mounts(plan)
        for index, path, filesystem in mountable(config):
            place = (*PATH, index)
            what = f"{filesystem.device} mounted at {path}"
            if place not in due:
                yield Effect(place, Does.KEEP, what)
                continue
            try:
                if not any(is_below(path, above) for above in paths):
                    missing_directories(host, (*place, "path"), path)
            except IgnitionError as error:
                yield Refusal((*place, "path"), str(error), error.hint)
            else:
                yield Effect(place, Does.CREATE, what)

    def predict(self, config: Config, facts: frozenset[int], plan: Plan, host: PreviewHost) -> State:
        """Cover the mount points; a filesystem that will not be new cannot be read yet."""
        for action in sorted(_mounts(plan).values(), key=lambda each: each.at):
            device = action.filesystem.device
            unseen = f"{device}, which will be mounted at {action.at}, is not mounted yet"
            host.root.predict_mount(action.at, "" if device in host.formatted else unseen)
        return State()


def _mounts(plan: Plan) -> dict[tuple[str | int, ...], MountFilesystem]:
    return {action.path: action for action in flat(plan.actions) if isinstance(action, MountFilesystem)}
