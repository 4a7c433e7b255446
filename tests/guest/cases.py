# SPDX-License-Identifier: Apache-2.0
"""Load the cases from the files in `cases/`, on the host and in the guest.

`runner.py` documents the format. Unknown keys are errors, so that a misspelt key is not ignored.
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = [
    "DISKS",
    "LARGE",
    "SMALL_SECTORS",
    "After",
    "Case",
    "CaseError",
    "Step",
    "by_id",
    "load",
    "path_of",
]

FOLDER: Final = Path(__file__).with_name("cases")

LARGE: Final = "a"
"""The disk with 6 GiB, for whole systems."""
SMALL_SECTORS: Final = "abcdefghij"
"""The disks with sectors of 512 bytes; `x` and `y` have sectors of 4096 bytes."""
DISKS: Final = f"{SMALL_SECTORS}xy"

VERSION: Final = "3.5.0"
"""Default spec version of configs that are given as `storage`."""

VERDICTS: Final = ("made", "refused")
WRITES: Final = ("anything", "nothing")
AGAIN: Final = ("writes nothing", "holds", "is refused", "not tried")

_DEVICE = re.compile(rf"@([{DISKS}])(\d*)\b")
_VARIABLE = re.compile(r"\{\{(\w+)\}\}")
_STEP = frozenset(
    (
        "before", "restarted", "config", "storage", "version", "stages", "late", "verdict", "says", "logs",
        "reasons", "writes", "kept", "after", "again",
    )
)  # fmt: skip
_CASE = _STEP | {"title", "each", "then", "killed"}
_AFTER = frozenset(("devices", "tables", "files", "shell"))


class CaseError(Exception):
    """A case in the wrong format."""


@dataclass(frozen=True)
class After:
    """Expected state of the disks.

    Attributes:
        devices: device path → words about its contents.
        tables: disk → its partitions, one per line, or the word "none".
        files: `DEVICE:/path` → content of that file in the filesystem on the device.
        shell: commands that must succeed.
    """

    devices: Mapping[str, str]
    tables: Mapping[str, tuple[str, ...]]
    files: Mapping[str, str]
    shell: str = ""


@dataclass(frozen=True)
class Step:
    """One provisioning.

    Attributes:
        before: commands that run first.
        is_restarted: whether a restart is simulated first: all devices on the disks are stopped, and the
            files that stages left are removed.
        config: the whole config, as JSON.
        stages: the stages that run after fetch.
        verdict: "made" or "refused".
        says: regular expressions that must all match the engine's log of a refusal.
        reasons: regular expressions of which one must match the log of a refusal after the engine was killed.
        logs: regular expressions that must all match the log of a run that succeeds.
        kept: devices on which no byte may change.
        after: expected state of the disks.
        again: expected outcome of a second run: see `AGAIN`.
        writes: what a first run may write: "anything" or "nothing".
        late: disks that are attached while the engine waits for them.
    """

    before: str
    is_restarted: bool
    config: str
    stages: tuple[str, ...]
    verdict: str
    says: tuple[str, ...]
    reasons: tuple[str, ...]
    logs: tuple[str, ...]
    kept: tuple[str, ...]
    after: After
    again: str
    writes: str
    late: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """Disks before, one or more configs, and the disks after each.

    Attributes:
        id: `FILE/title`, unique.
        steps: the provisionings, in order.
        disks: letters of all disks that the case may touch.
        killed: whether the first step is killed at each of its command boundaries and started again.
    """

    id: str
    steps: tuple[Step, ...]
    disks: str
    killed: bool = False


def by_id(letter: str, partition: str = "") -> str:
    """Return the path of a disk or partition."""
    return f"/dev/disk/by-id/virtio-{letter}{f'-part{partition}' if partition else ''}"


def path_of(text: str) -> str:
    """Replace each `@a` and `@a1` in a text by the path of the device."""
    return _DEVICE.sub(lambda found: by_id(found[1], found[2]), text)


def load(folder: Path = FOLDER) -> tuple[Case, ...]:
    """Return all cases, in the order of file names and of the cases in each file.

    Raises:
        CaseError: a case is in the wrong format; the message names it.
    """
    cases = tuple(case for file in sorted(folder.glob("*.toml")) for case in _in_file(file))
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise CaseError(f"{case.id}: duplicate title")
        seen.add(case.id)
    return cases


def _in_file(file: Path) -> Iterator[Case]:
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    _only(content, frozenset({"case"}), file.name)
    for written in content["case"]:
        for values in _each(written.get("each", {})):
            try:
                yield _case(file.stem, _filled(written, values))
            except (CaseError, KeyError, ValueError) as error:
                raise CaseError(f"{file.name}: {written.get('title')}: {error}") from error


def _each(
    variables: Mapping[str, Sequence[str]] | Sequence[Mapping[str, str]],
) -> Iterator[Mapping[str, str]]:
    """Yield all combinations of a table of lists, or the rows of a list of tables."""
    if isinstance(variables, Mapping):
        for values in itertools.product(*variables.values()):
            yield dict(zip(variables, values, strict=True))
    else:
        yield from variables


def _filled(written: Any, values: Mapping[str, str]) -> Any:
    """Substitute `{{variables}}` and `@devices` in all strings."""
    match written:
        case str():
            return path_of(_VARIABLE.sub(lambda found: values[found[1]], written))
        case list():
            return [_filled(each, values) for each in written]
        case dict():
            return {
                _filled(key, values): _filled(value, values)
                for key, value in written.items()
                if key != "each"
            }
    return written


def _case(group: str, filled: Mapping[str, Any]) -> Case:
    _only(filled, _CASE, "a case")
    steps = [_step(filled)]
    for then in filled.get("then", ()):
        _only(then, _STEP, "then")
        steps.append(_step(then))
    text = json.dumps(filled)
    return Case(
        id=f"{group}/{filled['title']}",
        steps=tuple(steps),
        disks="".join(letter for letter in DISKS if by_id(letter) in text),
        killed=filled.get("killed", False),
    )


def _step(filled: Mapping[str, Any]) -> Step:
    verdict = filled["verdict"]
    _one_of(verdict, VERDICTS)
    if (verdict == "refused") != bool(filled.get("says")):
        raise CaseError('`says` is required for the verdict "refused" and not allowed for others')
    after = filled.get("after", {})
    _only(after, _AFTER, "after")
    again = filled.get("again", "writes nothing" if verdict == "made" else "not tried")
    _one_of(again, AGAIN)
    writes = filled.get("writes", "anything" if verdict == "made" else "nothing")
    _one_of(writes, WRITES)
    return Step(
        before=filled.get("before", ""),
        is_restarted=filled.get("restarted", False),
        config=_config(filled),
        stages=tuple(filled.get("stages", ("disks",))),
        verdict=verdict,
        says=_compiled(filled.get("says", ())),
        reasons=_compiled(filled.get("reasons", ())),
        logs=_compiled(filled.get("logs", ())),
        kept=tuple(filled.get("kept", ())),
        after=After(
            devices=after.get("devices", {}),
            tables={disk: tuple(lines) for disk, lines in after.get("tables", {}).items()},
            files=after.get("files", {}),
            shell=after.get("shell", ""),
        ),
        again=again,
        writes=writes,
        late=tuple(filled.get("late", ())),
    )


def _config(filled: Mapping[str, Any]) -> str:
    if ("config" in filled) == ("storage" in filled):
        raise CaseError("expected either `config` or `storage`")
    if "config" in filled:
        return str(filled["config"])
    storage = json.loads(filled["storage"])
    return json.dumps({"ignition": {"version": filled.get("version", VERSION)}, "storage": storage})


def _compiled(patterns: Sequence[str]) -> tuple[str, ...]:
    for pattern in patterns:
        re.compile(pattern)
    return tuple(patterns)


def _only(table: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    if unknown := sorted(table.keys() - known):
        raise CaseError(f"{where} has unknown keys {', '.join(unknown)}, expected {', '.join(sorted(known))}")


def _one_of(word: str, known: Sequence[str]) -> None:
    if word not in known:
        raise CaseError(f'found "{word}", expected one of {", ".join(known)}')
